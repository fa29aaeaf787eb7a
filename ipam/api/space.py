"""VRFs and subnets."""

from dataclasses import asdict
from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ipam.api.fields import AddressField, NetworkField
from ipam.models import Subnet, Vrf
from ipam.models.fields import canonical
from ipam.models.space import MOST_DNS_SERVERS
from ipam.services import mapping, space, usage
from ispcore.api.errors import ApiError
from ispcore.api.fields import HouseSerializer, IdField, IntegerField
from ispcore.api.filters import HouseFilterSet, WholeNumberFilter
from ispcore.api.views import ListModelMixin, RetrieveModelMixin, TenantViewSet, created, valid


class VrfSerializer(HouseSerializer[Vrf]):
    class Meta:
        model = Vrf
        fields = ["id", "name", "rd", "description", "created_at", "updated_at"]


class VrfFilter(HouseFilterSet):
    class Meta:
        model = Vrf
        fields = {"name": ["exact"], "rd": ["exact"], "created_at": ["gte", "lte"]}


class VrfViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Address spaces: the same address may be used once in each."""

    model = Vrf
    serializer_class = VrfSerializer
    filterset_class = VrfFilter
    ordering_fields = ("name", "created_at")
    search_fields = ("name", "rd")

    def create(self, request: Request) -> Response:
        """Add a VRF: an address space of its own."""
        self.record = space.create_vrf(**valid(self.get_serializer(data=request.data)))
        data = self.get_serializer(self.record).data
        return created(request, view_name="vrf-detail", pk=self.record.pk, data=data)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of a VRF."""
        vrf = self.get_object()
        fields = valid(self.get_serializer(vrf, data=request.data, partial=True))
        self.record = space.change_vrf(vrf_id=vrf.pk, **fields)
        return Response(self.get_serializer(self.record).data)

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a VRF that holds nothing and in which nothing was ever assigned."""
        space.remove_vrf(vrf_id=self.get_object().pk)
        return Response(status=204)


class SubnetSerializer(HouseSerializer[Subnet]):
    vrf_id = IdField()
    network = NetworkField(help_text="CIDR, without host bits, such as 203.0.113.0/24.")
    parent_id = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="The smallest subnet around it; found by itself."
    )
    zone_id = IdField(required=False, allow_null=True)
    vlan_id = IntegerField(required=False, allow_null=True, min_value=1, max_value=4094)
    gateway = AddressField(
        required=False, allow_null=True, help_text="The router's address in it; never handed out."
    )
    dns_servers = serializers.ListField(child=AddressField(), required=False, max_length=MOST_DNS_SERVERS)

    class Meta:
        model = Subnet
        fields = [
            "id", "vrf_id", "network", "parent_id", "name", "zone_id", "site", "vlan_id", "gateway", "dns_servers",
            "notes", "created_at", "updated_at",
        ]  # fmt: skip


class SubnetPatchSerializer(SubnetSerializer):
    vrf_id = serializers.UUIDField(read_only=True)  # type: ignore[assignment]


class UtilisationSerializer(serializers.Serializer[Any]):
    """How many addresses are in each state; a delegated prefix counts as one. Totals of IPv6 are large numbers."""

    total = serializers.IntegerField(help_text="What may be handed out.")
    reserved = serializers.IntegerField()
    assigned = serializers.IntegerField()
    quarantined = serializers.IntegerField(help_text="Resting after their last holder.")
    free = serializers.IntegerField()
    used_percent = serializers.FloatField()


class RunSerializer(serializers.Serializer[Any]):
    """Addresses beside one another in the same state."""

    first = serializers.CharField()
    last = serializers.CharField()
    state = serializers.ChoiceField(choices=mapping.RUN_STATES)


class MapSerializer(serializers.Serializer[Any]):
    """A subnet from `first` to `last`, run by run. `next` is where the next part begins, null at the end."""

    network = serializers.CharField()
    first = serializers.CharField()
    last = serializers.CharField()
    next = serializers.CharField(allow_null=True)
    runs = RunSerializer(many=True)


class NetworkFilter(django_filters.CharFilter):  # type: ignore[misc]
    """A network in any spelling."""

    def filter(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return queryset
        return queryset.filter(**{self.field_name: address_asked_for(value, self.field_name)})


class SubnetFilter(HouseFilterSet):
    vrf_id = django_filters.UUIDFilter(field_name="vrf_id")
    parent_id = django_filters.UUIDFilter(field_name="parent_id")
    zone_id = django_filters.UUIDFilter(field_name="zone_id")
    network = NetworkFilter()
    contains = django_filters.CharFilter(
        method="filter_contains", label="Subnets in which this address or network lies."
    )
    vlan_id = WholeNumberFilter(min_value=1, max_value=4094)

    class Meta:
        model = Subnet
        fields = {"name": ["exact"], "site": ["exact"], "created_at": ["gte", "lte"]}

    def filter_contains(self, subnets: QuerySet[Subnet], name: str, value: str) -> QuerySet[Subnet]:
        return subnets.filter(network__in=mapping.networks_around(address_asked_for(value, name)))


def address_asked_for(value: str, name: str) -> str:
    """Return a parameter's address or network in its canonical spelling."""
    try:
        return canonical(value)
    except ValueError as error:
        raise ApiError(400, "malformed_request", f"`{name}`: {error}", field=name) from error


class SubnetViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """The tree of networks of each VRF. Those side by side never overlap."""

    model = Subnet
    serializer_class = SubnetSerializer
    filterset_class = SubnetFilter
    ordering_fields = ("network", "name", "created_at")
    search_fields = ("name", "site")

    def get_serializer_class(self) -> Any:
        return SubnetPatchSerializer if self.action == "partial_update" else SubnetSerializer

    def create(self, request: Request) -> Response:
        """Add a subnet. Its place in the tree is found; those it contains move into it."""
        self.record = space.create_subnet(**valid(self.get_serializer(data=request.data)))
        data = self.get_serializer(self.record).data
        return created(request, view_name="subnet-detail", pk=self.record.pk, data=data)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of a subnet. A new `network` must hold what lies and is assigned in it."""
        subnet = self.get_object()
        fields = valid(self.get_serializer(subnet, data=request.data, partial=True))
        self.record = space.change_subnet(subnet_id=subnet.pk, **fields)
        return Response(self.get_serializer(self.record).data)

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a subnet without pool ranges and addresses in use; subnets within move up."""
        space.remove_subnet(subnet_id=self.get_object().pk)
        return Response(status=204)

    @extend_schema(responses=UtilisationSerializer)
    @action(detail=True, methods=["get"])
    def utilisation(self, request: Request, pk: str) -> Response:
        """How full a subnet is, with all subnets within."""
        subnet = self.get_object()
        counts = usage.counts_of_subnets([subnet.pk])[subnet.pk]
        return Response(present_counts(counts))

    @extend_schema(responses=MapSerializer)
    @action(detail=True, methods=["get"], url_path="map", query_parameters=frozenset({"from"}))
    def address_map(self, request: Request, pk: str) -> Response:
        """What each address of a subnet is: free, kept back, assigned; in runs, at most 1,024 of them."""
        subnet = self.get_object()
        begin = request.query_params.get("from")
        return Response(
            asdict(mapping.map_of(subnet, begin=address_asked_for(begin, "from") if begin else None))
        )


def present_counts(counts: usage.Counts) -> dict[str, Any]:
    return {**asdict(counts), "free": counts.free, "used_percent": counts.used_percent}
