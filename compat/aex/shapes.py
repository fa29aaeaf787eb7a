"""The shapes of AEx's provider service: bare JSON; lists `{items, page, count, total}`; statuses in words.

Its overview has 401, 403 and, "as a result of a caller validation error", 400
(stage.api-docs.dev.aex.systems/provider-service), and shows no body. Ours has the members of a problem (RFC 9457 §3.1),
with the wrong fields beside them.
"""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest

from compat.times import in_milliseconds, zone_of
from ispcore.api.dialects import Dialect
from ispcore.api.fields import HouseSerializer, TextField, WriteOnlySecret
from ispcore.api.request import request_id_of
from ispcore.crypto import MASK
from subscribers.api.lines import PASSPHRASE, SsidField
from subscribers.models import ServiceStatus, Subscription

# The words that AEx has, "Pending installation" among them -> ours. Ours are understood too.
STATUSES = {
    **{label.lower(): value for value, label in ServiceStatus.choices},
    **{value: value for value in ServiceStatus.values},
}


def success(request: HttpRequest, status: int, body: Any, pagination: dict[str, Any] | None) -> Any:
    return in_milliseconds(body, zone_of(request))


def failure(request: HttpRequest, status: int, error: dict[str, Any]) -> Any:
    problem = {
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": error["code"],
        "detail": error["message"],
        "request_id": request_id_of(request),
    }
    if fields := error.get("fields"):
        problem["errors"] = {each["field"]: each["message"] for each in fields}
    return problem


AEX = Dialect("aex", success, failure, statuses={422: 400})

# Field of the page -> our column, in the page's order.
COLUMNS = {
    "id": "id", "customer_id": "subscriber_id", "product_id": "plan_id", "provider_id": "tenant_id",
    "premise_id": "premise_id", "provisioned_date": "provisioned_at", "sales_agent": "sales_agent",
    "created_at": "created_at", "updated_at": "updated_at", "created_by_id": "created_by_id", "status": "status",
}  # fmt: skip

SPELLINGS = {"wifi_username": "wifi_user_name", "wifi_name": "wifi_user_name"}


def show_item(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return a row of COLUMNS as the page's list shows a service."""
    shown = dict(zip(COLUMNS, row, strict=True))
    return {**shown, "status": ServiceStatus(shown["status"]).label}


class ServiceShape(HouseSerializer[Subscription]):
    """A service in full: what the list shows, and the three attributes that the provider may change.

    The page names those in words only, so any spelling of "WiFi user name" is taken.
    """

    isp_reference = TextField(max_length=80, required=False, allow_blank=True)
    wifi_user_name = SsidField(source="wifi_name", required=False, allow_blank=True)
    wifi_password = WriteOnlySecret(required=False, allow_blank=True, validators=[PASSPHRASE])

    class Meta:
        model = Subscription
        fields = ("isp_reference", "wifi_user_name", "wifi_password")

    def to_internal_value(self, data: Any) -> Any:
        """Take a service as it was shown: what nobody may change is passed over, and a mask is no password."""
        if isinstance(data, dict):
            data = {SPELLINGS.get(name, name): value for name, value in data.items() if name not in COLUMNS}
            if data.get("wifi_password") == MASK:
                del data["wifi_password"]
        return super().to_internal_value(data)

    def to_representation(self, line: Subscription) -> dict[str, Any]:
        return {
            **show_item(tuple(getattr(line, column) for column in COLUMNS.values())),
            "isp_reference": line.isp_reference,
            "wifi_user_name": line.wifi_name,
            "wifi_password": MASK if line.wifi_password else "",
        }
