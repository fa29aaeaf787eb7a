from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from aaa.models import Account
from aaa.services import usage
from ispcore.api.errors import ApiError
from ispcore.api.views import ApiView, day_of_query
from subscribers.models import Subscription

DAYS_SHOWN = 31
DAY = {"type": "string", "format": "date"}
ID = {"type": "string", "format": "uuid"}


class UsageRowSerializer(serializers.Serializer[Any]):
    start = serializers.CharField(help_text="A day, or the moment an hour began.")
    bytes_downloaded = serializers.IntegerField(help_text="IPv4, or all where the NAS counts both together.")
    bytes_uploaded = serializers.IntegerField()
    ipv6_bytes_downloaded = serializers.IntegerField()
    ipv6_bytes_uploaded = serializers.IntegerField()
    total_bytes_downloaded = serializers.IntegerField()
    total_bytes_uploaded = serializers.IntegerField()


class UsageSerializer(serializers.Serializer[Any]):
    step = serializers.ChoiceField(choices=usage.STEPS)
    timezone = serializers.CharField()
    is_exact = serializers.BooleanField(
        help_text="False where days of another time zone stand in for those asked for, or hours begin at other minutes."
    )
    rows = UsageRowSerializer(many=True)


class UsageView(ApiView):
    """What was used."""

    app_label = "aaa"
    more_errors = ("404", "422")
    query_parameters = frozenset({"account_id", "service_id", "step", "timezone", "from", "until"})

    @extend_schema(
        responses=UsageSerializer,
        operation_id="aaa_usage",
        parameters=[
            OpenApiParameter("account_id", ID, description="Of this account."),
            OpenApiParameter(
                "service_id", ID, description="Of all accounts of this service. One of the two."
            ),
            OpenApiParameter(
                "step", {"type": "string", "enum": list(usage.STEPS), "default": "day"}, description="Per."
            ),
            OpenApiParameter("timezone", str, description="IANA name; default: the account's own."),
            OpenApiParameter("from", DAY, description="The first day; default: 30 days before `until`."),
            OpenApiParameter("until", DAY, description="The first day no longer; default: tomorrow."),
        ],
    )
    def get(self, request: Request) -> Response:
        """Show the bytes an account or a service used per hour, day or month, in any time zone.

        Hours are kept for 92 days, days for ever. A day is exact in the account's own zone, with its 23 or 25 hours
        when clocks change; in another zone while its hours are kept. Steps in which nothing was used are left out.
        """
        accounts = _accounts(request)
        zone = _zone(request, accounts)
        at = timezone.now()
        until = day_of_query(request, "until") or at.astimezone(zone).date() + timedelta(days=1)
        since = day_of_query(request, "from") or until - timedelta(days=DAYS_SHOWN)
        step = request.query_params.get("step", "day")
        if step not in usage.STEPS:
            raise ApiError(422, "validation_error", "`step` is `hour`, `day` or `month`.", field="step")
        if since >= until:
            raise ApiError(422, "validation_error", "`from` must be before `until`.", field="from")
        found = usage.usage_of(
            [account.pk for account in accounts], step=step, zone=zone, since=since, until=until, at=at
        )
        rows = [show_row(row) for row in found.rows]
        shown = {"step": step, "timezone": zone.key, "is_exact": found.is_exact, "rows": rows}
        return Response(shown)


def show_row(row: usage.Row) -> dict[str, Any]:
    return {
        "start": row.start,
        "bytes_downloaded": row.out4_bytes,
        "bytes_uploaded": row.in4_bytes,
        "ipv6_bytes_downloaded": row.out6_bytes,
        "ipv6_bytes_uploaded": row.in6_bytes,
        "total_bytes_downloaded": row.out4_bytes + row.out6_bytes,
        "total_bytes_uploaded": row.in4_bytes + row.in6_bytes,
    }


def _accounts(request: Request) -> list[Account]:
    given = {
        name: request.query_params[name]
        for name in ("account_id", "service_id")
        if name in request.query_params
    }
    if len(given) != 1:
        message = "Name exactly one of `account_id` and `service_id`."
        raise ApiError(400, "missing_field", message, field="account_id")
    name, text = next(iter(given.items()))
    try:
        key = UUID(text)
    except ValueError as error:
        raise ApiError(422, "validation_error", f"`{name}` is no id.", field=name) from error
    if name == "service_id":
        if not Subscription.objects.filter(pk=key).exists():
            raise NotFound("There is no such service.")
        return list(Account.objects.filter(subscription=key).order_by("pk"))
    account = Account.objects.filter(pk=key).first()
    if account is None:
        raise NotFound("There is no such account.")
    return [account]


def _zone(request: Request, accounts: list[Account]) -> ZoneInfo:
    name = request.query_params.get("timezone") or (accounts[0].timezone if accounts else "UTC")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        message = "`timezone` must be an IANA time zone such as Africa/Johannesburg."
        raise ApiError(422, "validation_error", message, field="timezone") from error
