"""AEx's provider service over the native services, devices and accounts."""

import contextlib
from typing import Any

from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from aaa.api.lines import RadiusStatusView, RadiusUsageView, may_reveal
from compat.aex.shapes import COLUMNS, STATUSES, ServiceShape, show_item
from compat.frame import BodyFirst, DialectView
from hardware.api import lines as devices
from ispcore.api.errors import ApiError
from ispcore.api.request import caller_of
from ispcore.api.views import ApiView, etag, valid
from subscribers.api.feed import SNAPSHOT_LIMIT, name_of_reader, refuse_if_too_soon
from subscribers.api.lines import ServiceViewSet
from subscribers.models import ServiceStatus, Subscription
from subscribers.services import lines, snapshot

DEFAULT_SIZE, MOST_PER_PAGE = 50, 1000
MOST_PAGES = 1_000_000


class ProviderServiceViewSet(BodyFirst, DialectView, ServiceViewSet):
    """`services` and `services/{id}`."""

    serializer_class: Any = ServiceShape

    def allowed_parameters(self) -> frozenset[str]:
        return frozenset({"status", "page", "page_size"} if self.action == "list" else ())

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List services, newest first; `total` is counted, because clients reckon with it."""
        page = _number(request, "page", 1, MOST_PAGES)
        size = _number(request, "page_size", DEFAULT_SIZE, MOST_PER_PAGE)
        rows = Subscription.objects.filter(**_status(request))
        found = rows.order_by("-pk").values_list(*COLUMNS.values())[(page - 1) * size : page * size]
        items = [show_item(row) for row in found]
        return Response({"items": items, "page": page, "count": len(items), "total": rows.count()})

    def create(self, request: Request) -> Response:
        """Order a service; `Location` leads to it."""
        answer = super().create(request)
        answer["Location"] = reverse("compat-aex:service", kwargs={"pk": self.record.pk}, request=request)
        return answer

    def update(self, request: Request, pk: str) -> Response:
        """Change the ISP reference, WiFi name or WiFi password; what is left out stays. Answers the full service.

        A password that was given is part of the answer, as the page says; at any other time it is masked.
        """
        data = valid(self.get_serializer(line := self.get_object(), data=request.data, partial=True))
        self.record = lines.update_service(subscription_id=line.pk, **data)
        shown = self.get_serializer(self.record).data
        headers = {"ETag": etag(self.record, shown), "Cache-Control": "no-store"}
        given = {"wifi_password": data["wifi_password"]} if "wifi_password" in data else {}
        return Response({**shown, **given}, headers=headers)


class SnapshotView(DialectView, ApiView):
    """`services/snapshot`."""

    app_label = "subscribers"

    def get(self, request: Request) -> Response:
        """List what changed since this credential's last call, which may have been 10 minutes ago or longer.

        An answer holds at most 50,000 services. Where more wait, the next call may come at once.
        """
        principal = caller_of(request._request).principal
        assert principal is not None
        reader = name_of_reader(principal.key)
        refuse_if_too_soon(reader)
        part = snapshot.take_changes(principal=principal.key, limit=snapshot.MAX_LIMIT)
        if part.has_more:
            with contextlib.suppress(RedisError):
                SNAPSHOT_LIMIT.forget(reader)
        return Response([{**entry, "status": ServiceStatus(entry["status"]).label} for entry in part.entries])


class DeviceStatusView(DialectView, devices.DeviceStatusView):
    """`services/{id}/device/status`."""


class LiveDeviceStatusView(DialectView, devices.LiveDeviceStatusView):
    """`services/{id}/device/status/live`."""


class ServiceRadiusStatusView(DialectView, RadiusStatusView):
    """`services/{id}/radius/status`: with the password for a role that may see it, and an audit entry each time."""

    query_parameters = frozenset()

    def reveals(self, request: Request) -> bool:
        return may_reveal(request)


class ServiceRadiusUsageView(DialectView, RadiusUsageView):
    """`services/{id}/radius/usage`: the last 31 days."""

    query_parameters = frozenset()


def _status(request: Request) -> dict[str, str]:
    text = request.query_params.get("status")
    if text is None:
        return {}
    status = STATUSES.get(text.lower())
    if status is None:
        known = ", ".join(ServiceStatus.labels)
        raise ApiError(400, "malformed_request", f"`status` must be one of: {known}.", field="status")
    return {"status": status}


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise ApiError(400, "malformed_request", f"`{name}` must be 1 to {most}.", field=name)
    return int(text)
