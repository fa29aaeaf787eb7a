"""The shapes of the Subscriber Accounts API: an account bare, lists `{payload, metadata}`, errors in words."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from rest_framework import serializers

from aaa.api.accounts import AccountSerializer
from aaa.models import Account
from aaa.models.accounts import check_timezone
from compat.times import in_milliseconds, zone_of
from ispcore.api.dialects import Dialect
from ispcore.api.fields import IdField, TextField
from ispcore.api.request import request_id_of

# In the order of the page. What it shows and the native account calls alike comes from there.
FIELDS = (
    "id", "virtual_id", "service_id", "profile_id", "pool_id", "domain", "tenant_id", "name", "username",
    "calling_station_id", "static_ip4", "last_known_nas_name", "last_known_nas_ip4", "enabled", "creation_time",
    "updated_time", "expire", "timezone", "last_seen", "inactive_purge", "purge_if_seen", "locked_tags", "service",
    "virtual", "profile", "uncapped_data",
)  # fmt: skip
# The page knows one status for whatever the caller has to put right.
STATUSES = dict.fromkeys((409, 410, 412, 422), 400)


def success(request: HttpRequest, status: int, body: Any, pagination: dict[str, Any] | None) -> Any:
    return in_milliseconds(body, zone_of(request))


def failure(request: HttpRequest, status: int, error: dict[str, Any]) -> Any:
    wrong = [f"{each['field']}: {each['message']}" for each in error.get("fields", ()) if each["field"]]
    return {
        "error": {
            "title": HTTPStatus(status).phrase,
            "description": " ".join(wrong) or error["message"],
            "request_id": request_id_of(request),
        }
    }


def auth_token(request: HttpRequest) -> str:
    """Take the token from where the page has it, else from where the house has it."""
    token = request.headers.get("X-Auth-Token", "").strip()
    return f"Bearer {token}" if token else request.headers.get("Authorization", "")


INTERSTELLIO = Dialect("interstellio", success, failure, authorization=auth_token, statuses=STATUSES)


class SubscriberAccountSerializer(AccountSerializer):
    """An account as the page has it. What it names as a must is one, though the native API would do without."""

    profile_id = IdField(source="policy_id", allow_null=True)
    virtual_id = IdField(allow_null=True)
    timezone = TextField(max_length=63, validators=[check_timezone])

    class Meta:
        model = Account
        fields = FIELDS
        read_only_fields = ("domain", "locked_tags", "uncapped_data")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "timezone" not in attrs:  # A must in a change too.
            raise serializers.ValidationError({"timezone": "This field is required."}, code="required")
        if self.instance is None:
            # Who has none may be shown and sent back; nobody is made without.
            empty = [name for name in ("policy_id", "virtual_id") if attrs[name] is None]
            if empty:
                names = {"policy_id": "profile_id", "virtual_id": "virtual_id"}
                raise serializers.ValidationError(
                    {names[name]: "This field may not be null." for name in empty}, code="null"
                )
        return attrs
