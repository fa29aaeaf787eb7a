"""Pools, with their ranges, what they keep back, and how full they are."""

from collections.abc import Iterable, Sequence
from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ipam.api.fields import AddressField, FamilyField
from ipam.api.space import UtilisationSerializer, present_counts
from ipam.models import Pool, PoolKind, Purpose
from ipam.models.pools import LONGEST_HOLD_SECONDS
from ipam.models.space import MOST_DNS_SERVERS
from ipam.services import pools, usage
from ispcore.api.fields import HouseSerializer, IdField, IntegerField, StrictSerializer, TextField
from ispcore.api.filters import BooleanFilter, HouseFilterSet
from ispcore.api.views import ListModelMixin, RetrieveModelMixin, TenantViewSet, created, valid


class PoolRangeSerializer(StrictSerializer):
    """The first and the last address; of whole prefixes where prefixes are delegated."""

    first = AddressField()
    last = AddressField()
    subnet_id = serializers.UUIDField(read_only=True)


class ExclusionSerializer(StrictSerializer):
    """Addresses that are never handed out."""

    first = AddressField()
    last = AddressField()
    reason = TextField(required=False, allow_blank=True, max_length=120)


class PoolSerializer(HouseSerializer[Pool]):
    vrf_id = IdField()
    family = FamilyField(required=False)
    prefix_length = IntegerField(
        required=False,
        allow_null=True,
        min_value=8,
        max_value=128,
        help_text="Of each delegated prefix, such as 56; null or that of an address for single addresses.",
    )
    hold_seconds = IntegerField(
        required=False,
        min_value=0,
        max_value=LONGEST_HOLD_SECONDS,
        help_text="A released address rests so long before it has a new holder.",
    )
    warn_percent = IntegerField(required=False, min_value=1, max_value=100)
    critical_percent = IntegerField(required=False, min_value=1, max_value=100)
    dns_servers = serializers.ListField(child=AddressField(), required=False, max_length=MOST_DNS_SERVERS)
    ranges = PoolRangeSerializer(many=True, required=False, max_length=pools.MOST_RANGES)  # type: ignore[call-arg]
    exclusions = ExclusionSerializer(
        many=True,
        required=False,
        max_length=pools.MOST_EXCLUSIONS,  # type: ignore[call-arg]
    )
    utilisation = serializers.SerializerMethodField()
    next_free = serializers.SerializerMethodField(help_text="What would be handed out next; null when full.")

    class Meta:
        model = Pool
        fields = [
            "id", "vrf_id", "name", "kind", "family", "prefix_length", "purpose", "hold_seconds", "warn_percent",
            "critical_percent", "dns_servers", "is_active", "notes", "ranges", "exclusions", "utilisation",
            "next_free", "created_at", "updated_at",
        ]  # fmt: skip

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        blank = Pool()
        have = self.instance or blank
        warn, critical = (attrs.get(n, getattr(have, n)) for n in ("warn_percent", "critical_percent"))
        if warn > critical:
            raise serializers.ValidationError({"critical_percent": "Must not be below `warn_percent`."})
        return attrs

    @extend_schema_field(UtilisationSerializer)
    def get_utilisation(self, pool: Pool) -> dict[str, Any]:
        return present_counts(self.context["counts"][pool.pk])

    @extend_schema_field({"type": ["string", "null"]})
    def get_next_free(self, pool: Pool) -> str | None:
        found: str | None = self.context["next_free"].get(pool.pk)
        return found


class PoolPatchSerializer(PoolSerializer):
    vrf_id = serializers.UUIDField(read_only=True)  # type: ignore[assignment]


@extend_schema_field({"type": "integer", "enum": [4, 6]})
class FamilyFilter(django_filters.ChoiceFilter):  # type: ignore[misc]
    """4 or 6."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[("4", "4"), ("6", "6")], **kwargs)


class PoolFilter(HouseFilterSet):
    vrf_id = django_filters.UUIDFilter(field_name="vrf_id")
    subnet_id = django_filters.UUIDFilter(
        field_name="ranges__subnet_id", distinct=True, label="Pools with a range in this subnet."
    )
    kind = django_filters.ChoiceFilter(choices=PoolKind.choices)
    purpose = django_filters.ChoiceFilter(choices=Purpose.choices)
    family = FamilyFilter()
    is_active = BooleanFilter()

    class Meta:
        model = Pool
        fields = {"name": ["exact"], "created_at": ["gte", "lte"]}


class PoolViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """What addresses and prefixes are handed out of."""

    model = Pool
    serializer_class = PoolSerializer
    filterset_class = PoolFilter
    prefetched = ("ranges", "exclusions")
    ordering_fields = ("name", "created_at")
    search_fields = ("name",)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self._shown(rows or []))

    def get_serializer_class(self) -> Any:
        return PoolPatchSerializer if self.action == "partial_update" else PoolSerializer

    def create(self, request: Request) -> Response:
        """Add a pool with its ranges. Each lies in one subnet of the VRF, and overlaps no other pool's."""
        self.record = pools.create_pool(**_ranges_given(valid(PoolSerializer(data=request.data))))
        data = self._shown([self.record])[0]
        return created(request, view_name="pool-detail", pk=self.record.pk, data=data)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of a pool. `ranges` and `exclusions` replace those it has; what is assigned stays in."""
        pool = self.get_object()
        fields = valid(PoolPatchSerializer(pool, data=request.data, partial=True))
        self.record = pools.change_pool(pool_id=pool.pk, **_ranges_given(fields))
        return Response(self._shown([self.record])[0])

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a pool of which nothing is assigned, reserved or resting."""
        pools.remove_pool(pool_id=self.get_object().pk)
        return Response(status=204)

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Read the counts of what is shown at once."""
        if kwargs.get("many"):
            args = (list(args[0]),)
        shown = args[0] if kwargs.get("many") else [args[0]] if args and isinstance(args[0], Pool) else []
        kwargs["context"] = {**self.get_serializer_context(), **_counts(shown)}
        return self.get_serializer_class()(*args, **kwargs)

    def _shown(self, rows: Iterable[Pool]) -> Sequence[dict[str, Any]]:
        found = list(rows)
        context = {**self.get_serializer_context(), **_counts(found)}
        shown: Any = PoolSerializer(found, many=True, context=context).data
        return list(shown)


def _counts(rows: list[Pool]) -> dict[str, Any]:
    if not rows:
        return {}
    return {"counts": usage.counts_of_pools([pool.pk for pool in rows]), "next_free": pools.next_free(rows)}


def _ranges_given(fields: dict[str, Any]) -> dict[str, Any]:
    if "ranges" in fields:
        fields["ranges_given"] = fields.pop("ranges")
    return fields
