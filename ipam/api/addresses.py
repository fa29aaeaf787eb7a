"""Addresses: listed, given, taken back, kept back."""

import re
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ipam.api.fields import AddressOrPrefixField, FamilyField
from ipam.api.space import address_asked_for
from ipam.models import Address, AddressState
from ipam.services import allocation, release, searching
from ispcore.api.fields import (
    BooleanField,
    HouseSerializer,
    IdField,
    IntegerField,
    StrictSerializer,
    TextField,
)
from ispcore.api.filters import HouseFilterSet, HouseOrdering, HouseSearch
from ispcore.api.request import caller_of
from ispcore.api.rows import reader_of
from ispcore.api.views import ApiView, ListModelMixin, RetrieveModelMixin, TenantViewSet, created, etag, valid

HOSTNAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?\Z")


class HostnameField(TextField):
    """A name of the DNS (RFC 1035 §2.3.1, with the underscore in use)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=253, allow_blank=True, required=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if text and not HOSTNAME.match(text):
            raise serializers.ValidationError("Enter a host name such as router-1.example.net.", "invalid")
        return text


class IpAddressSerializer(HouseSerializer[Address]):
    vrf_id = serializers.UUIDField(read_only=True)
    subnet_id = serializers.UUIDField(read_only=True, allow_null=True)
    pool_id = serializers.UUIDField(read_only=True, allow_null=True)
    address = serializers.CharField(
        read_only=True, help_text="An address, or a delegated prefix with its mask."
    )
    service_id = serializers.UUIDField(source="subscription_id", read_only=True, allow_null=True)
    changed_by_id = serializers.UUIDField(read_only=True, allow_null=True)
    hostname = HostnameField()

    class Meta:
        model = Address
        fields = [
            "id", "vrf_id", "subnet_id", "pool_id", "address", "state", "service_id", "assigned_to", "reserved_for",
            "hostname", "note", "assigned_at", "free_since", "quarantined_until", "changed_by_id", "created_at",
            "updated_at",
        ]  # fmt: skip
        read_only_fields = [
            "state", "assigned_to", "reserved_for", "assigned_at", "free_since", "quarantined_until",
        ]  # fmt: skip


class AddressFilter(HouseFilterSet):
    vrf_id = django_filters.UUIDFilter(field_name="vrf_id")
    subnet_id = django_filters.UUIDFilter(field_name="subnet_id")
    pool_id = django_filters.UUIDFilter(field_name="pool_id")
    service_id = django_filters.UUIDFilter(field_name="subscription_id")
    state = django_filters.ChoiceFilter(choices=AddressState.choices)
    address = django_filters.CharFilter(method="filter_address", label="Exactly this address or prefix.")
    network = django_filters.CharFilter(
        method="filter_network", label="Within this network, such as 10.0.0.0/8."
    )

    class Meta:
        model = Address
        fields = {"hostname": ["exact"]}

    def filter_address(self, rows: QuerySet[Address], name: str, value: str) -> QuerySet[Address]:
        return rows.filter(address=address_asked_for(value, name))

    def filter_network(self, rows: QuerySet[Address], name: str, value: str) -> QuerySet[Address]:
        return searching.within_network(rows, address_asked_for(value, name))


class AddressSearch(HouseSearch):
    """`search=`: an address, the beginning of one, a network, or the beginning of a host name."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        text = request.query_params.get(self.search_param)
        return queryset if text is None else searching.search(queryset, text)


class AddressViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Addresses and delegated prefixes that were looked at; what has no record is free."""

    model = Address
    serializer_class = IpAddressSerializer
    filterset_class = AddressFilter
    filter_backends = (DjangoFilterBackend, HouseOrdering, AddressSearch)
    ordering_fields = ("address",)
    ordering = ("address", "id")
    search_fields = ("address", "hostname")
    verbs: ClassVar[dict[str, str]] = {"unreserve": "change"}

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the host name or the note of an address."""
        row = self.get_object()
        fields = valid(self.get_serializer(row, data=request.data, partial=True))
        self.record = release.describe(address_id=row.pk, **fields)
        return Response(self.get_serializer(self.record).data)

    @extend_schema(request=None, responses=IpAddressSerializer)
    @action(detail=True, methods=["post"])
    def unreserve(self, request: Request, pk: str) -> Response:
        """Let go of an address that was kept back."""
        user_id = caller_of(request._request).user_id
        self.record = release.unreserve(at=timezone.now(), address_id=self.get_object().pk, user_id=user_id)
        return Response(self.get_serializer(self.record).data)


class AllocateInput(StrictSerializer):
    """Of what, for whom: one of `pool_id` and `subnet_id`, one of `service_id` and `assigned_to`."""

    pool_id = IdField(required=False)
    subnet_id = IdField(required=False)
    address = AddressOrPrefixField(required=False, help_text="This one; without it the next free.")
    service_id = IdField(required=False)
    assigned_to = TextField(
        required=False, max_length=120, help_text="What holds it when no service does: core-1 loopback."
    )
    hostname = HostnameField()
    family = FamilyField(required=False)
    prefix_length = IntegerField(
        required=False, min_value=1, max_value=128, help_text="Of a delegated prefix, such as 56."
    )
    take_reserved = BooleanField(required=False, help_text="Give `address` though it is kept back.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        one_of(attrs, "pool_id", "subnet_id")
        one_of(attrs, "service_id", "assigned_to")
        attrs["subscription_id"] = attrs.pop("service_id", None)
        return attrs


class ReleaseInput(StrictSerializer):
    """Which: `address_id`, `address` with `vrf_id`, or `service_id` with `pool_id` where it holds several."""

    address_id = IdField(required=False)
    address = AddressOrPrefixField(required=False)
    vrf_id = IdField(required=False)
    service_id = IdField(required=False, help_text="With an address: only when this service holds it.")
    pool_id = IdField(required=False)
    reason = TextField(required=False, allow_blank=True, max_length=120)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "address" in attrs and "vrf_id" not in attrs:
            raise serializers.ValidationError({"vrf_id": "An address is one of a VRF."}, code="required")
        if not {"address_id", "address", "service_id"} & set(attrs):
            raise serializers.ValidationError(
                {"address_id": "Name the address, or the service that holds it."}, code="required"
            )
        attrs["subscription_id"] = attrs.pop("service_id", None)
        return attrs


class ReserveInput(StrictSerializer):
    """An address of a pool or a subnet, and why it is kept back."""

    pool_id = IdField(required=False)
    subnet_id = IdField(required=False)
    address = AddressOrPrefixField()
    reserved_for = TextField(max_length=120)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        one_of(attrs, "pool_id", "subnet_id")
        return attrs


class AllocateView(ApiView):
    """Handing out an address."""

    app_label = "ipam"
    answers_with_record = True
    verbs: ClassVar[dict[str, str]] = {"post": "change"}

    @extend_schema(
        request=AllocateInput,
        responses={
            200: OpenApiResponse(IpAddressSerializer, description="The service held one already."),
            201: IpAddressSerializer,
        },
        operation_id="ipam_allocate",
    )
    def post(self, request: Request) -> Response:
        """Give the next free address, or the one named, to a service or to what `assigned_to` names.

        Repeating it for a service and a pool gives the same address again, with 200. Two callers never get the
        same address. 409 `pool_exhausted` says what is left.
        """
        data = valid(AllocateInput(data=request.data))
        given = allocation.allocate(at=timezone.now(), user_id=caller_of(request._request).user_id, **data)
        return answer(request, given.address, is_new=given.is_new)


class ReleaseView(ApiView):
    """Taking an address back."""

    app_label = "ipam"
    answers_with_record = True
    verbs: ClassVar[dict[str, str]] = {"post": "change"}

    @extend_schema(
        request=ReleaseInput,
        responses={200: IpAddressSerializer},
        operation_id="ipam_release",
    )
    def post(self, request: Request) -> Response:
        """Take an address back. It rests for its pool's time before it has a new holder. Safe to repeat."""
        data = valid(ReleaseInput(data=request.data))
        row = release.release(at=timezone.now(), user_id=caller_of(request._request).user_id, **data)
        return answer(request, row, is_new=False)


class ReserveView(ApiView):
    """Keeping an address back."""

    app_label = "ipam"
    answers_with_record = True
    verbs: ClassVar[dict[str, str]] = {"post": "change"}

    @extend_schema(
        request=ReserveInput,
        responses={
            200: OpenApiResponse(IpAddressSerializer, description="It was kept back already."),
            201: IpAddressSerializer,
        },
        operation_id="ipam_reserve",
    )
    def post(self, request: Request) -> Response:
        """Keep an address back: it is not handed out until it is let go, or given by name."""
        data = valid(ReserveInput(data=request.data))
        row, is_new = release.reserve(at=timezone.now(), user_id=caller_of(request._request).user_id, **data)
        return answer(request, row, is_new=is_new)


def one_of(attrs: dict[str, Any], first: str, second: str) -> None:
    """Refuse both, and neither."""
    if first in attrs and second in attrs:
        raise serializers.ValidationError({second: f"Name either `{first}` or `{second}`."})
    if first not in attrs and second not in attrs:
        raise serializers.ValidationError({first: f"Name `{first}` or `{second}`."}, code="required")


def answer(request: Request, row: Address, *, is_new: bool) -> Response:
    """Answer with an address' record, and 201 when it is a new one."""
    reader = reader_of(IpAddressSerializer)
    assert reader is not None
    data = reader.show(tuple(getattr(row, name) for name in reader.columns))
    response = (
        created(request, view_name="address-detail", pk=row.pk, data=data) if is_new else Response(data)
    )
    response["ETag"] = etag(row, data)
    return response
