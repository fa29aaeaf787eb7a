"""Services that should have an address and have none."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from rest_framework import serializers

from ipam.selectors import waiting_lines
from ispcore.api.filters import HouseFilterSet, TextFilter, WholeNumberFilter
from ispcore.api.views import ListModelMixin, TenantViewSet
from subscribers.models import ServiceStatus, Subscription
from subscribers.normal import MAX_LINE_NUMBER


class WaitingServiceSerializer(serializers.ModelSerializer[Subscription]):
    customer_id = serializers.UUIDField(source="subscriber_id", read_only=True)
    product_id = serializers.UUIDField(source="plan_id", read_only=True)
    status = serializers.ChoiceField(choices=ServiceStatus.choices, read_only=True)
    pool = serializers.CharField(source="plan.pool_hint", read_only=True, help_text="The plan's.")

    class Meta:
        model = Subscription
        fields = ["id", "number", "customer_id", "product_id", "status", "pool", "provisioned_at"]


class WaitingServiceFilter(HouseFilterSet):
    product_id = django_filters.UUIDFilter(field_name="plan_id")
    pool = TextFilter(field_name="plan__pool_hint")
    number = WholeNumberFilter(min_value=1, max_value=MAX_LINE_NUMBER)


class WaitingServiceViewSet(ListModelMixin, TenantViewSet):
    """Active services whose plan names a pool, and that hold no address of it: the pool is exhausted.

    Every ten minutes they are given one if there is room again. Empty is how it should be.
    """

    model = Subscription
    serializer_class = WaitingServiceSerializer
    filterset_class = WaitingServiceFilter
    related = ("plan",)
    ordering_fields = ("number", "created_at")
    app_label = "ipam"

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset()
        return waiting_lines().select_related(*self.related)
