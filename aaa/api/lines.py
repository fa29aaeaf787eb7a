"""What RADIUS knows of a service, under the paths of services."""

from datetime import timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from aaa.api.records import NO_STORE
from aaa.api.usage import DAY, DAYS_SHOWN, show_row
from aaa.models import Account, AuthAttempt, PastSession, Reason, Session
from aaa.services import accounts, usage
from ispcore.api.errors import ApiError
from ispcore.api.request import caller_of, who
from ispcore.api.views import ApiView, day_of_query
from ispcore.crypto import MASK
from ispcore.errors import NotRegistered
from ispcore.tenants.roles import allows
from subscribers.api.lines import find_line

MOST_ATTEMPTS = 50
MOST_SESSIONS = 50
ACCEPTED = "Access-Accept"


class NoAccount(NotRegistered):
    code = "account_not_found"
    message = "Service {number} has no RADIUS account."


class AttemptSerializer(serializers.Serializer[Any]):
    date = serializers.DateTimeField()
    reply = serializers.CharField()


class AccountingSerializer(serializers.Serializer[Any]):
    session_id = serializers.CharField()
    username = serializers.CharField()
    ipaddress = serializers.CharField(allow_null=True)
    acct_start_time = serializers.DateTimeField()
    acct_stop_time = serializers.DateTimeField(allow_null=True)
    session_time = serializers.IntegerField(help_text="Seconds.")
    input_octets = serializers.IntegerField(
        help_text="From the subscriber, without IPv6 where that is counted."
    )
    output_octets = serializers.IntegerField()
    ipv6_input_octets = serializers.IntegerField()
    ipv6_output_octets = serializers.IntegerField()
    terminate_cause = serializers.CharField(allow_blank=True)
    update_time = serializers.DateTimeField()


class RadiusStatusSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    password = serializers.CharField(help_text="Masked, unless revealed.")
    authentication_attempts = AttemptSerializer(many=True)
    accounting = AccountingSerializer(many=True)


class RadiusUsageSerializer(serializers.Serializer[Any]):
    date = serializers.DateField()
    bytes_downloaded = serializers.IntegerField()
    bytes_uploaded = serializers.IntegerField()
    i_pv6_bytes_downloaded = serializers.IntegerField()
    i_pv6_bytes_uploaded = serializers.IntegerField()
    total_bytes_downloaded = serializers.IntegerField()
    total_bytes_uploaded = serializers.IntegerField()


class LineView(ApiView):
    """Something of one service; `{id}` is an id or a service number."""

    app_label = "aaa"
    more_errors = ("422",)

    def accounts(self, pk: str) -> list[Account]:
        line = find_line(pk)
        found = list(Account.objects.filter(subscription=line).order_by("-enabled", "pk"))
        if not found:
            raise NoAccount(number=line.number)
        return found


class RadiusStatusView(LineView):
    """A service's log-ins and sessions."""

    query_parameters: ClassVar[frozenset[str]] = frozenset({"reveal"})

    @extend_schema(
        responses=RadiusStatusSerializer,
        operation_id="services_radius_status",
        parameters=[
            OpenApiParameter(
                "reveal",
                {"type": "string", "enum": ["true", "false"], "default": "false"},
                description="`true`: show the password, where the role may reveal it; who saw it is recorded.",
            )
        ],
    )
    def get(self, request: Request, pk: str) -> Response:
        """Show the last 50 log-ins that were tried and the last 50 sessions of a service's account, newest first.

        404 `account_not_found` when it has none. With several accounts the first one that is switched on is shown.
        """
        account = self.accounts(pk)[0]
        password = MASK
        if self.reveals(request):
            password = accounts.reveal_password(account, **who(request))
        attempts = AuthAttempt.objects.filter(username_key=account.username_key).order_by("-at", "-id")
        shown = {
            "username": account.username,
            "password": password,
            "authentication_attempts": [_attempt(each) for each in attempts[:MOST_ATTEMPTS]],
            "accounting": [_session(each) for each in _last_sessions(account)],
        }
        return Response(RadiusStatusSerializer(shown).data, headers=NO_STORE)

    def reveals(self, request: Request) -> bool:
        """Tell whether the password is asked for. Raises PermissionDenied for a role that may not see it."""
        if not _wants_reveal(request):
            return False
        if not may_reveal(request):
            raise PermissionDenied
        return True


class RadiusUsageView(LineView):
    """A service's traffic."""

    query_parameters: ClassVar[frozenset[str]] = frozenset({"from", "until"})

    @extend_schema(
        responses=RadiusUsageSerializer(many=True),
        operation_id="services_radius_usage",
        parameters=[
            OpenApiParameter("from", DAY, description="The first day; default: 30 days before `until`."),
            OpenApiParameter("until", DAY, description="The first day no longer; default: tomorrow."),
        ],
    )
    def get(self, request: Request, pk: str) -> Response:
        """Show a service's bytes per day, in its account's time zone, oldest first; days without any are left out.

        404 `account_not_found` when it has no account. Where the NAS counts IPv4 and IPv6 together, both stand in
        `bytes_downloaded` and `bytes_uploaded`.
        """
        found = self.accounts(pk)
        zone, at = ZoneInfo(found[0].timezone), timezone.now()
        until = day_of_query(request, "until") or at.astimezone(zone).date() + timedelta(days=1)
        since = day_of_query(request, "from") or until - timedelta(days=DAYS_SHOWN)
        if since >= until:
            raise ApiError(422, "validation_error", "`from` must be before `until`.", field="from")
        used = usage.usage_of(
            [account.pk for account in found], step="day", zone=zone, since=since, until=until, at=at
        )
        return Response([_day_of(row) for row in used.rows])


def may_reveal(request: Request) -> bool:
    return allows(caller_of(request._request).role, "aaa", "reveal")


def _wants_reveal(request: Request) -> bool:
    value = request.query_params.get("reveal", "false")
    if value not in ("true", "false"):
        raise ApiError(422, "validation_error", "`reveal` is `true` or `false`.", field="reveal")
    return value == "true"


def _attempt(attempt: AuthAttempt) -> dict[str, Any]:
    known = attempt.reason in Reason.values
    words = f"Access-Reject: {Reason(attempt.reason).label}" if known else "Access-Reject"
    return {"date": attempt.last_at, "reply": ACCEPTED if attempt.accepted else words}


def _last_sessions(account: Account) -> list[Any]:
    """Return the newest sessions, from both tables."""
    rows: list[Any] = [
        *Session.objects.filter(account=account).order_by("-started_at")[:MOST_SESSIONS],
        *PastSession.objects.filter(account=account).order_by("-started_at")[:MOST_SESSIONS],
    ]
    return sorted(rows, key=lambda row: (row.started_at, row.id), reverse=True)[:MOST_SESSIONS]


def _session(session: Any) -> dict[str, Any]:
    return {
        "session_id": session.acct_session_id,
        "username": session.username,
        "ipaddress": session.framed_ip,
        "acct_start_time": session.started_at,
        "acct_stop_time": session.stopped_at,
        "session_time": session.session_seconds,
        "input_octets": session.in4_bytes,
        "output_octets": session.out4_bytes,
        "ipv6_input_octets": session.in6_bytes,
        "ipv6_output_octets": session.out6_bytes,
        "terminate_cause": session.terminate_cause,
        "update_time": session.last_seen_at,
    }


def _day_of(row: usage.Row) -> dict[str, Any]:
    shown = show_row(row)
    return {
        "date": shown["start"],
        "bytes_downloaded": shown["bytes_downloaded"],
        "bytes_uploaded": shown["bytes_uploaded"],
        "i_pv6_bytes_downloaded": shown["ipv6_bytes_downloaded"],
        "i_pv6_bytes_uploaded": shown["ipv6_bytes_uploaded"],
        "total_bytes_downloaded": shown["total_bytes_downloaded"],
        "total_bytes_uploaded": shown["total_bytes_uploaded"],
    }
