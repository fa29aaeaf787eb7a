"""Tax rates and who is exempt."""

from typing import ClassVar

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.records import PercentField, today
from billing.models import TaxExemption, TaxRate
from billing.services.charges import taxes
from ispcore.api.fields import BooleanField, HouseSerializer, IdField, StrictSerializer
from ispcore.api.filters import HouseFilterSet
from ispcore.api.views import RecordViewSet, valid


class TaxRateSerializer(HouseSerializer[TaxRate]):
    percent = PercentField()
    zone_id = IdField(
        required=False, allow_null=True, help_text="There and in the zones within; null: everywhere."
    )
    is_inclusive = BooleanField(required=False, help_text="Prices are given with this tax in them.")

    class Meta:
        model = TaxRate
        fields = [
            "id", "name", "percent", "tax_class", "zone_id", "is_inclusive", "starts_on", "ends_on", "created_at",
            "updated_at",
        ]  # fmt: skip


class NewRateInput(StrictSerializer):
    percent = PercentField()
    starts_on = serializers.DateField(help_text="The first day of the new rate.")


class TaxRateFilter(HouseFilterSet):
    zone_id = django_filters.UUIDFilter(field_name="zone_id")

    class Meta:
        model = TaxRate
        fields = {"name": ["exact"], "tax_class": ["exact"], "created_at": ["gte", "lte"]}


class TaxRateViewSet(RecordViewSet):
    """Taxes on items of a tax class, everywhere or in a zone. An item may bear several."""

    model = TaxRate
    serializer_class = TaxRateSerializer
    filterset_class = TaxRateFilter
    ordering_fields = ("name", "created_at")
    verbs: ClassVar[dict[str, str]] = {"replace": "change"}

    def create(self, request: Request) -> Response:
        """Add a tax, from a day on."""
        return self.show_created(taxes.add_rate(**self.input_of_new()))

    @extend_schema(request=TaxRateSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a rate that has not begun; of one in force only its end."""
        found = self.get_object()
        given = self.input_of_change(found)
        return self.show_changed(taxes.change_rate(rate_id=found.pk, on=today(), **given))

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a rate that has not begun. One in force is ended or replaced."""
        taxes.remove_rate(rate_id=self.get_object().pk, on=today())
        return Response(status=204)

    @extend_schema(request=NewRateInput, responses=TaxRateSerializer)
    @action(detail=True, methods=["post"])
    def replace(self, request: Request, pk: str) -> Response:
        """Another percentage from a day on: the rate ends there, and one of its name begins, which is the answer.

        Who is exempt of the rate is exempt of the new one.
        """
        found = self.get_object()
        given = valid(NewRateInput(data=request.data))
        return self.show_changed(taxes.replace_rate(rate_id=found.pk, on=today(), **given))


class TaxExemptionSerializer(HouseSerializer[TaxExemption]):
    subscriber_id = IdField()
    rate_id = IdField(required=False, allow_null=True, help_text="Null: every tax.")

    class Meta:
        model = TaxExemption
        fields = [
            "id",
            "subscriber_id",
            "rate_id",
            "reason",
            "starts_on",
            "ends_on",
            "created_at",
            "updated_at",
        ]


class TaxExemptionChange(TaxExemptionSerializer):
    subscriber_id = None  # type: ignore[assignment]
    rate_id = None  # type: ignore[assignment]

    class Meta(TaxExemptionSerializer.Meta):
        fields = ["reason", "starts_on", "ends_on"]


class TaxExemptionFilter(HouseFilterSet):
    subscriber_id = django_filters.UUIDFilter(field_name="subscriber_id")
    rate_id = django_filters.UUIDFilter(field_name="rate_id")

    class Meta:
        model = TaxExemption
        fields = {"created_at": ["gte", "lte"]}


class TaxExemptionViewSet(RecordViewSet):
    """Customers who do not pay a tax, or any."""

    model = TaxExemption
    serializer_class = TaxExemptionSerializer
    filterset_class = TaxExemptionFilter
    ordering_fields = ("created_at",)

    def create(self, request: Request) -> Response:
        """Free a customer from a tax, or from all, from a day on. A tax contained in prices is taken out of them."""
        return self.show_created(taxes.add_exemption(**self.input_of_new()))

    @extend_schema(request=TaxExemptionChange)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the reason or the days of an exemption. Invoices that were issued stay."""
        found = self.get_object()
        given = valid(TaxExemptionChange(found, data=request.data, partial=True))
        return self.show_changed(taxes.change_exemption(exemption_id=found.pk, **given))

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove an exemption. Invoices that were issued stay."""
        taxes.remove_exemption(exemption_id=self.get_object().pk)
        return Response(status=204)
