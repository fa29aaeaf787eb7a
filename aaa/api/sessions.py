"""Sessions, open and ended, and the log-ins that were tried."""

from typing import Any, ClassVar
from uuid import UUID

import django_filters
from django.db.models import Q, QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from aaa.api.feeds import PARAMETERS, walk
from aaa.api.records import AddressFilter, UsernameFilter
from aaa.models import Account, AuthAttempt, Context, EndedBy, PastSession, Reason, Session
from ispcore.api.errors import ApiError
from ispcore.api.filters import BooleanFilter, HouseFilterSet, MomentFilter
from ispcore.api.views import ApiView, ListModelMixin, RetrieveModelMixin, TenantViewSet, page_of

HISTORY = OpenApiParameter(
    "history",
    {"type": "string", "enum": ["true", "false"], "default": "false"},
    description="`true`: the sessions that ended, newest end first, walked by `cursor`.",
)
CURSOR = (
    OpenApiParameter("cursor", OpenApiTypes.STR, description="As in `next`; empty to begin."),
    OpenApiParameter(
        "page_size",
        {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
        description="Records per page.",
    ),
)


class SessionSerializer(serializers.ModelSerializer[Session]):
    account_id = serializers.UUIDField(read_only=True, allow_null=True)
    subscription_id = serializers.SerializerMethodField(help_text="The service whose account it is.")
    nas_id = serializers.UUIDField(read_only=True, allow_null=True)
    nas_name = serializers.SerializerMethodField()
    policy = serializers.SerializerMethodField(help_text="The account's policy now.")
    context = serializers.ChoiceField(choices=Context.choices, read_only=True)  # type: ignore[assignment]
    is_as_wanted = serializers.SerializerMethodField(
        help_text="False while a change is on its way to the NAS. Null once it has ended."
    )
    ended_by = serializers.ChoiceField(choices=EndedBy.choices, read_only=True, allow_blank=True)
    input_octets = serializers.SerializerMethodField(help_text="From the subscriber, IPv4 and IPv6.")
    output_octets = serializers.SerializerMethodField(help_text="To the subscriber, IPv4 and IPv6.")
    ipv6_input_octets = serializers.IntegerField(source="in6_bytes", read_only=True)
    ipv6_output_octets = serializers.IntegerField(source="out6_bytes", read_only=True)

    class Meta:
        model = Session
        fields = [
            "id", "acct_session_id", "username", "account_id", "subscription_id", "nas_id", "nas_name", "policy",
            "station", "nas_port_id", "framed_ip", "framed_ipv6_prefix", "delegated_prefix", "context",
            "is_as_wanted", "started_at", "last_seen_at", "stopped_at", "session_seconds", "input_octets",
            "output_octets", "ipv6_input_octets", "ipv6_output_octets", "terminate_cause", "ended_by",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_subscription_id(self, session: Session) -> UUID | None:
        account = session.account
        return account.subscription_id if account else None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_nas_name(self, session: Session) -> str | None:
        return session.nas.name if session.nas else None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_policy(self, session: Session) -> str | None:
        account = session.account
        return account.policy.name if account and account.policy else None

    @extend_schema_field(serializers.BooleanField(allow_null=True))
    def get_is_as_wanted(self, session: Session) -> bool | None:
        if session.stopped_at is not None or session.account is None:
            return None
        return session.account.wanted in ("", session.applied)

    @extend_schema_field(serializers.IntegerField())
    def get_input_octets(self, session: Session) -> int:
        return session.in4_bytes + session.in6_bytes

    @extend_schema_field(serializers.IntegerField())
    def get_output_octets(self, session: Session) -> int:
        return session.out4_bytes + session.out6_bytes


class PolicyOfSessionFilter(django_filters.UUIDFilter):  # type: ignore[misc]
    """The policy of the session's account, as it is now."""

    def filter(self, queryset: QuerySet[Any], value: UUID | None) -> QuerySet[Any]:
        return (
            queryset.filter(account__in=Account.objects.filter(policy=value).values("pk"))
            if value
            else queryset
        )


class ServiceOfSessionFilter(django_filters.UUIDFilter):  # type: ignore[misc]
    """The service whose account it is."""

    def filter(self, queryset: QuerySet[Any], value: UUID | None) -> QuerySet[Any]:
        if not value:
            return queryset
        return queryset.filter(account__in=Account.objects.filter(subscription=value).values("pk"))


class AnyAddressFilter(AddressFilter):
    """An address the session has: its IPv4 address, or its IPv6 or delegated prefix as written."""

    def filter(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        if not value:
            return queryset
        if ":" not in value:
            return queryset.filter(framed_ip=value)
        return queryset.filter(Q(framed_ipv6_prefix=value) | Q(delegated_prefix=value))


class SessionUsernameFilter(UsernameFilter):
    """The same, of the session's account."""

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return queryset
        named = super().filter(Account.objects.all(), value)
        return queryset.filter(account__in=named.values("pk"))


class SessionFilter(HouseFilterSet):
    nas_id = django_filters.UUIDFilter(field_name="nas_id")
    account_id = django_filters.UUIDFilter(field_name="account_id")
    service_id = ServiceOfSessionFilter()
    policy_id = PolicyOfSessionFilter()
    address = AnyAddressFilter()
    username = SessionUsernameFilter()
    context = django_filters.ChoiceFilter(choices=Context.choices)
    started_at__gte = MomentFilter(field_name="started_at", lookup_expr="gte")
    started_at__lte = MomentFilter(field_name="started_at", lookup_expr="lte")

    class Meta:
        model = Session
        fields: ClassVar[list[str]] = []


class PastSessionFilter(SessionFilter):
    class Meta:
        model = PastSession
        fields: ClassVar[list[str]] = []


class SessionViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Who is online, and who was."""

    model = Session
    serializer_class = SessionSerializer
    filterset_class = SessionFilter
    related = ("account__policy", "nas")
    ordering_fields = ("started_at",)
    ordering = ("-started_at", "-id")
    query_parameters = frozenset({"history"})

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        return rows.filter(stopped_at=None) if getattr(self, "action", "") == "list" else rows

    def allowed_parameters(self) -> frozenset[str]:
        if self.action != "list":
            return frozenset()
        return super().allowed_parameters()

    @extend_schema(parameters=[HISTORY])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the sessions that are open, the newest first; with `history=true` those that ended.

        Sessions that ended are walked by `cursor` alone, and `policy_id` means the account's policy now.
        """
        history = request.query_params.get("history", "false")
        if history not in ("true", "false"):
            raise ApiError(422, "validation_error", "`history` is `true` or `false`.", field="history")
        if history == "false":
            return page_of(self, self.filter_queryset(self.get_queryset()))
        for name in ("page", "ordering", "total"):
            if name in request.query_params:
                message = (
                    f"Ended sessions are walked by `cursor`, newest end first, so `{name}` cannot go with it."
                )
                raise ApiError(400, "malformed_request", message, field=name)
        ended = Session.objects.filter(stopped_at__isnull=False)
        sources = [
            narrowed(request, rows.select_related(*self.related), filters)
            for rows, filters in ((ended, SessionFilter), (PastSession.objects.all(), PastSessionFilter))
        ]
        rows, response = walk(request, sources, moment="stopped_at")
        response.data = self.get_serializer(rows, many=True).data
        return response


def narrowed(request: Request, rows: QuerySet[Any], filters: type[HouseFilterSet]) -> QuerySet[Any]:
    """Return what the query's filters leave. Raises ValidationError for a value that is none."""

    class _View:
        filterset_class = filters

    found: QuerySet[Any] = DjangoFilterBackend().filter_queryset(request, rows, _View())
    return found


class AuthAttemptSerializer(serializers.ModelSerializer[AuthAttempt]):
    at = serializers.DateTimeField(help_text="The first time.")
    times = serializers.IntegerField(help_text="The same refusal within five minutes is counted here.")
    account_id = serializers.UUIDField(allow_null=True)
    nas_id = serializers.UUIDField(allow_null=True)
    nas_name = serializers.SerializerMethodField()
    reason = serializers.ChoiceField(choices=Reason.choices, allow_blank=True)
    message = serializers.SerializerMethodField(help_text="The reason in words; empty: let in.")

    class Meta:
        model = AuthAttempt
        fields = [
            "id", "at", "last_at", "times", "username", "account_id", "nas_id", "nas_name", "station", "accepted",
            "reason", "message", "source",
        ]  # fmt: skip

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_nas_name(self, attempt: AuthAttempt) -> str | None:
        return attempt.nas.name if attempt.nas else None

    @extend_schema_field(serializers.CharField())
    def get_message(self, attempt: AuthAttempt) -> str:
        return str(Reason(attempt.reason).label) if attempt.reason in Reason.values else attempt.reason


class AuthAttemptFilter(HouseFilterSet):
    username = UsernameFilter(label="A user name in any case; `*` at its end.")
    account_id = django_filters.UUIDFilter(field_name="account_id")
    nas_id = django_filters.UUIDFilter(field_name="nas_id")
    accepted = BooleanFilter()
    reason = django_filters.ChoiceFilter(choices=Reason.choices)
    at__gte = MomentFilter(field_name="at", lookup_expr="gte")
    at__lte = MomentFilter(field_name="at", lookup_expr="lte")

    class Meta:
        model = AuthAttempt
        fields: ClassVar[list[str]] = []


class AuthAttemptsView(ApiView, GenericAPIView):  # type: ignore[type-arg]
    """The log-ins that were tried."""

    app_label = "aaa"
    serializer_class = AuthAttemptSerializer
    filterset_class = AuthAttemptFilter
    filter_backends = (DjangoFilterBackend,)
    pagination_class = None

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return AuthAttempt._base_manager.none()
        rows: QuerySet[Any] = AuthAttempt.objects.select_related("nas")
        return rows

    def allowed_parameters(self) -> frozenset[str]:
        return PARAMETERS | set(AuthAttemptFilter.base_filters)  # type: ignore[misc]

    @extend_schema(
        operation_id="aaa_auth_attempts_list",
        responses=AuthAttemptSerializer(many=True),
        parameters=[*CURSOR],
        filters=True,
    )
    def get(self, request: Request) -> Response:
        """List the log-ins that were tried, newest first, walked by `cursor`; the password tried is kept nowhere."""
        rows, response = walk(request, [self.filter_queryset(self.get_queryset())], moment="at")
        response.data = self.get_serializer(rows, many=True).data
        return response
