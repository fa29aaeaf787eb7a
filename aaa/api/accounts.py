"""Accounts, with the names and filters of the Subscriber Accounts reference."""

from typing import Any, ClassVar

import django_filters
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from aaa.api.records import (
    NO_STORE,
    AddressField,
    BytesField,
    IdPrefixFilter,
    UsernameFilter,
)
from aaa.models import Account, AccountState, Nas, OverCap, TopUp
from aaa.models.accounts import LONGEST_PURGE_HOURS, check_timezone
from aaa.models.fields import LONGEST_TEXT, station_key
from aaa.services import accounts, caps, settling, status
from ispcore.api.fields import (
    BooleanField,
    ChoiceField,
    HouseSerializer,
    IdField,
    IntegerField,
    TextField,
    WriteOnlySecret,
)
from ispcore.api.filters import BooleanFilter, HouseFilterSet, HouseOrdering, HouseSearch, MomentFilter
from ispcore.api.request import caller_of, who
from ispcore.api.views import RecordViewSet, valid

GIGABYTE = 10**9
MOST_WORDS = 4
# A password that a NAS can send: RFC 2865 section 5.2 has room for 128 octets.
MOST_PASSWORD = 128


class AccountSerializer(HouseSerializer[Account]):
    tenant_id = serializers.UUIDField(read_only=True)
    username = TextField(
        max_length=LONGEST_TEXT, help_text="Unique, in any case. A domain may follow: jane@example.net."
    )
    password = WriteOnlySecret(
        required=False,
        allow_blank=True,
        max_length=MOST_PASSWORD,
        help_text="Never shown again but by `reveal-password`; left out of a new account: a random one.",
    )
    service_id = IdField(source="service_profile_id", help_text="The RADIUS service, of `aaa/services`.")
    service = serializers.CharField(source="service_profile.name", read_only=True)
    profile_id = IdField(
        source="policy_id",
        required=False,
        allow_null=True,
        help_text="The policy, of `aaa/policies`. With a service it is that of the service's plan.",
    )
    profile = serializers.CharField(source="policy.name", read_only=True, allow_null=True, default=None)
    keeps_profile = BooleanField(
        source="keeps_policy", required=False, help_text="True: also when the service's plan says another."
    )
    virtual_id = IdField(required=False, allow_null=True)
    virtual = serializers.CharField(source="virtual.name", read_only=True, allow_null=True, default=None)
    pool_id = IdField(required=False, allow_null=True, help_text="Of `ipam/pools`, IPv4.")
    subscription_id = IdField(required=False, allow_null=True, help_text="The service it gives access to.")
    expire = serializers.DateTimeField(source="expires_at", required=False, allow_null=True)
    timezone = TextField(max_length=63, required=False, validators=[check_timezone])
    inactive_purge = IntegerField(
        source="inactive_purge_hours",
        required=False,
        allow_null=True,
        min_value=1,
        max_value=LONGEST_PURGE_HOURS,
        help_text="Hours unused after which it is purged; null: never.",
    )
    calling_station_id = TextField(required=False, allow_blank=True, max_length=LONGEST_TEXT)
    static_ip4 = AddressField(kind="ipv4", required=False, allow_null=True)
    framed_ipv6_prefix = AddressField(kind="prefix", required=False, allow_null=True)
    delegated_prefix = AddressField(kind="prefix", required=False, allow_null=True)
    max_sessions = IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=1000,
        help_text="Null: as the service says; 0: any.",
    )
    cap_bytes = BytesField(
        required=False, allow_null=True, help_text="Per period. With a service: the plan's."
    )
    over_cap = ChoiceField(choices=OverCap.choices, required=False)
    throttle_profile_id = IdField(source="throttle_policy_id", required=False, allow_null=True)
    creation_time = serializers.DateTimeField(source="created_at", read_only=True)
    updated_time = serializers.DateTimeField(source="updated_at", read_only=True)
    last_seen = serializers.DateTimeField(read_only=True, allow_null=True)
    last_known_nas_name = serializers.CharField(read_only=True, allow_null=True)
    last_known_nas_ip4 = serializers.CharField(read_only=True, allow_null=True)

    class Meta:
        model = Account
        fields = [
            "id", "virtual_id", "service_id", "profile_id", "pool_id", "domain", "tenant_id", "name", "username",
            "password", "calling_station_id", "static_ip4", "last_known_nas_name", "last_known_nas_ip4", "enabled",
            "creation_time", "updated_time", "expire", "timezone", "last_seen", "inactive_purge", "purge_if_seen",
            "locked_tags", "service", "virtual", "profile", "uncapped_data", "subscription_id", "keeps_profile",
            "max_sessions", "framed_ipv6_prefix", "delegated_prefix", "cap_bytes", "over_cap",
            "throttle_profile_id", "blocked_reason",
        ]  # fmt: skip
        read_only_fields = ["domain", "blocked_reason"]


class StationFilter(django_filters.CharFilter):  # type: ignore[misc]
    """A device in any spelling; with `*` all that begin with it, colons and hyphens left out."""

    def filter(self, queryset: QuerySet[Account], value: str) -> QuerySet[Account]:
        if not value:
            return queryset
        if not value.endswith("*"):
            return queryset.filter(calling_station_key=station_key(value))
        begin = value[:-1].strip().lower()
        bare = begin.replace(":", "").replace("-", "").replace(".", "")
        starts = Q(calling_station_key__prefix=begin) | Q(calling_station_key__prefix=bare)
        # What begins with something is not empty: said aloud, the index of what is not empty serves it.
        return queryset.filter(starts, calling_station_key__gt="") if begin else queryset


class AccountFilter(HouseFilterSet):
    id = IdPrefixFilter()
    username = UsernameFilter()
    calling_station_id = StationFilter()
    profile_id = django_filters.UUIDFilter(field_name="policy_id")
    service_id = django_filters.UUIDFilter(field_name="service_profile_id")
    virtual_id = django_filters.UUIDFilter(field_name="virtual_id")
    subscription_id = django_filters.UUIDFilter(field_name="subscription_id")
    enabled = BooleanFilter()
    expire__gte = MomentFilter(field_name="expires_at", lookup_expr="gte")
    expire__lte = MomentFilter(field_name="expires_at", lookup_expr="lte")

    class Meta:
        model = Account
        fields: ClassVar[list[str]] = []


class AccountOrdering(HouseOrdering):
    """Orders by what an index has."""

    COLUMNS: ClassVar[dict[str, str]] = {
        "id": "id", "username": "username_key", "calling_station_id": "calling_station_key", "expire": "expires_at",
    }  # fmt: skip

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> list[str]:
        terms = super().get_ordering(request, queryset, view)
        columns = [("-" * term.startswith("-")) + self.COLUMNS[term.removeprefix("-")] for term in terms]
        # By id there is nothing left to be told apart.
        return columns[:-1] if columns[:-1] and columns[0].removeprefix("-") == "id" else columns


class AccountSearch(HouseSearch):
    """`search=words`: each word must begin the user name or the device."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        for word in request.query_params.get(self.search_param, "").lower().split()[:MOST_WORDS]:
            bare = word.replace(":", "").replace("-", "")
            device = Q(calling_station_key__prefix=bare, calling_station_key__gt="")
            queryset = queryset.filter(Q(username_key__prefix=word) | device)
        return queryset


class AccountStatusSerializer(serializers.Serializer[Any]):
    active = serializers.BooleanField(help_text="It would be let in with full service.")
    messages = serializers.ListField(child=serializers.CharField(), help_text="Why not, in words.")
    upload = serializers.CharField(help_text="Gigabytes (10⁹) of the period, with three decimals.")
    download = serializers.CharField(help_text="Gigabytes (10⁹) of the period, with three decimals.")
    upload_bytes = serializers.IntegerField()
    download_bytes = serializers.IntegerField()
    sessions = serializers.IntegerField(help_text="How many are open now.")
    used_bytes = serializers.IntegerField(help_text="Of the allowance.")
    allowance_bytes = serializers.IntegerField(allow_null=True, help_text="Null: no data cap.")
    period_started_on = serializers.DateField(help_text="Of the data cap; without one, of the month.")
    period_ends_at = serializers.DateTimeField(allow_null=True)


class PasswordSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    password = serializers.CharField()


class AccountViewSet(RecordViewSet):
    """Who may log in, with what, and under which terms."""

    model = Account
    serializer_class = AccountSerializer
    filterset_class = AccountFilter
    filter_backends = (DjangoFilterBackend, AccountOrdering, AccountSearch)
    related = ("service_profile", "policy", "virtual")
    ordering_fields = ("id", "username", "calling_station_id", "expire")
    search_fields = ("username", "calling_station_id")
    verbs: ClassVar[dict[str, str]] = {
        "create": "manage",
        "partial_update": "manage",
        "destroy": "manage",
        "reveal_password": "reveal",
    }

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset()
        # Asked for the rows shown: joined, the planner may read all states before those of a page deep in the list.
        state = AccountState.objects.filter(account=OuterRef("pk"))
        nas = Nas.objects.filter(
            pk=AccountState.objects.filter(account=OuterRef(OuterRef("pk"))).values("last_nas_id")[:1]
        )
        rows: QuerySet[Any] = super().get_queryset().annotate(
            last_seen=Subquery(state.values("last_seen_at")[:1]),
            last_known_nas_name=Subquery(nas.values("name")[:1]),
            last_known_nas_ip4=Subquery(nas.values("address")[:1]),
        )  # fmt: skip
        return rows

    def create(self, request: Request) -> Response:
        """Make an account. Without a password it gets a random one, which `reveal-password` shows."""
        at = timezone.now()
        return self.show_created(
            accounts.create_account(at=at, user_id=caller_of(request._request).user_id, **self.input_of_new())
        )

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of an account. Its live session follows: by CoA, or by a new log-in where it must."""
        found = self.get_object()
        data = self.input_of_change(found)
        changed = accounts.change_account(
            account_id=found.pk, at=timezone.now(), user_id=caller_of(request._request).user_id, **data
        )
        return self.show_changed(changed)

    def destroy(self, request: Request, pk: str) -> Response:
        """Purge an account. Who is online with it is disconnected; its sessions and usage stay on record."""
        accounts.purge_accounts(account_ids=[self.get_object().pk], at=timezone.now())
        return Response(status=204)

    @extend_schema(responses=AccountStatusSerializer, filters=False)
    @action(detail=True, pagination_class=None)
    def status(self, request: Request, pk: str) -> Response:
        """Whether the account may log in now, why not, and what it used in its period."""
        return Response(AccountStatusSerializer(show_status(self.get_object())).data)

    @extend_schema(request=None, responses=PasswordSerializer)
    @action(detail=True, methods=["post"], url_path="reveal-password")
    def reveal_password(self, request: Request, pk: str) -> Response:
        """Show the account's password. Who saw it is recorded."""
        account = self.get_object()
        password = accounts.reveal_password(account, **who(request))
        return Response({"username": account.username, "password": password}, headers=NO_STORE)


def show_status(account: Account) -> dict[str, Any]:
    """Return an account's status as the API shows it."""
    found = status.status_of(account, at=timezone.now())
    return {
        "active": found.is_active,
        "messages": found.messages,
        "upload": f"{found.upload_bytes / GIGABYTE:.3f}",
        "download": f"{found.download_bytes / GIGABYTE:.3f}",
        "upload_bytes": found.upload_bytes,
        "download_bytes": found.download_bytes,
        "sessions": found.online,
        "used_bytes": found.used_bytes,
        "allowance_bytes": found.allowance_bytes,
        "period_started_on": found.period_started_on,
        "period_ends_at": found.period_ends_at,
    }


class TopUpSerializer(HouseSerializer[TopUp]):
    account_id = IdField()
    bytes = BytesField()
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Null: when the account's period ends."
    )
    left_bytes = serializers.SerializerMethodField(help_text="Without what the running period used of it.")
    created_by_id = serializers.UUIDField(read_only=True, allow_null=True)

    class Meta:
        model = TopUp
        fields = [
            "id", "account_id", "bytes", "left_bytes", "valid_from", "expires_at", "closed_at", "note",
            "created_by_id", "created_at",
        ]  # fmt: skip
        read_only_fields = ["valid_from", "closed_at"]

    @extend_schema_field(serializers.IntegerField())
    def get_left_bytes(self, top_up: TopUp) -> int:
        return 0 if top_up.closed_at else top_up.bytes - top_up.used_bytes

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError("Must be later than now.")
        return value


class TopUpFilter(HouseFilterSet):
    account_id = django_filters.UUIDFilter(field_name="account_id")

    class Meta:
        model = TopUp
        fields = {"created_at": ["gte", "lte"]}


class TopUpViewSet(RecordViewSet):
    """Data given on top of the cap."""

    model = TopUp
    serializer_class = TopUpSerializer
    filterset_class = TopUpFilter
    ordering_fields = ("created_at", "valid_from")
    verbs: ClassVar[dict[str, str]] = {"create": "manage", "destroy": "manage"}

    def create(self, request: Request) -> Response:
        """Give an account more data: until `expires_at`, or until its period ends. Who was blocked is let in again."""
        at = timezone.now()
        data = valid(self.get_serializer(data=request.data))
        account = accounts.lock_account(data["account_id"])
        top_up = caps.add_top_up(at=at, user_id=caller_of(request._request).user_id, **data)
        settling.settle([account.pk], at=at)
        return self.show_created(top_up)

    def destroy(self, request: Request, pk: str) -> Response:
        """Take back what is left of a top-up. What was used of it stays allowed."""
        at = timezone.now()
        top_up = self.get_object()
        caps.end_top_up(account_id=top_up.account_id, top_up_id=top_up.pk, at=at)
        settling.settle([top_up.account_id], at=at)
        return Response(status=204)
