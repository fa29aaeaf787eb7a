"""Add-ons, charges, discounts and the price of data above a cap."""

from typing import Any, ClassVar

import django_filters
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.records import CurrencyCodeField, PercentField, PriceField, today
from billing.models import AddOn, ChargeKind, Discount, OneOffCharge, OveragePrice
from billing.services.charges import add_ons, discounts, one_off, overage
from ispcore.api.fields import HouseSerializer, IdField, IntegerField
from ispcore.api.filters import BooleanFilter, HouseFilterSet
from ispcore.api.views import RecordViewSet, valid


class AddOnSerializer(HouseSerializer[AddOn]):
    service_id = IdField(source="subscription_id")
    price = PriceField(help_text="Per period of the plan, before tax.")
    currency = CurrencyCodeField()

    class Meta:
        model = AddOn
        fields = [
            "id", "service_id", "name", "price", "currency", "tax_class", "starts_on", "ends_on", "created_at",
            "updated_at",
        ]  # fmt: skip


class AddOnChange(AddOnSerializer):
    service_id = None  # type: ignore[assignment]
    currency = None  # type: ignore[assignment]

    class Meta(AddOnSerializer.Meta):
        fields = ["name", "price", "tax_class", "starts_on", "ends_on"]


class AddOnFilter(HouseFilterSet):
    service_id = django_filters.UUIDFilter(field_name="subscription_id")
    subscriber_id = django_filters.UUIDFilter(field_name="subscription__subscriber_id")

    class Meta:
        model = AddOn
        fields = {"created_at": ["gte", "lte"]}


class AddOnViewSet(RecordViewSet):
    """What lines have besides their plans, rented equipment included."""

    model = AddOn
    serializer_class = AddOnSerializer
    filterset_class = AddOnFilter
    ordering_fields = ("created_at",)

    def create(self, request: Request) -> Response:
        """Add something to a service, charged with each period of its plan from the day it begins.

        Days of a period that is billed already are charged with the next invoice.
        """
        return self.show_created(add_ons.add_add_on(on=today(), **self.input_of_new()))

    @extend_schema(request=AddOnChange)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change an add-on: a new price is charged from the next period on. End it with `ends_on`.

        What was billed after the end is given back with the next invoice.
        """
        found = self.get_object()
        given = valid(AddOnChange(found, data=request.data, partial=True))
        return self.show_changed(add_ons.change_add_on(add_on_id=found.pk, on=today(), **given))

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove an add-on no invoice has an item of; one that is billed is ended instead."""
        add_ons.remove_add_on(add_on_id=self.get_object().pk)
        return Response(status=204)


class ChargeSerializer(HouseSerializer[OneOffCharge]):
    subscriber_id = IdField()
    service_id = IdField(source="subscription_id", required=False, allow_null=True)
    kind = serializers.ChoiceField(choices=ChargeKind.choices, read_only=True)
    amount = PriceField(help_text="In all, before tax.")
    currency = CurrencyCodeField()
    instalments = IntegerField(
        required=False, min_value=1, max_value=60, help_text="Over how many months. They make up the amount."
    )
    charged = IntegerField(read_only=True, help_text="Instalments that were billed.")

    class Meta:
        model = OneOffCharge
        fields = [
            "id", "subscriber_id", "service_id", "kind", "name", "amount", "currency", "tax_class", "due_on",
            "instalments", "charged", "cancelled_at", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["cancelled_at"]


class ChargeChange(ChargeSerializer):
    subscriber_id = None  # type: ignore[assignment]
    service_id = None  # type: ignore[assignment]
    currency = None  # type: ignore[assignment]

    class Meta(ChargeSerializer.Meta):
        fields = ["name", "amount", "tax_class", "due_on", "instalments"]


class ChargeFilter(HouseFilterSet):
    subscriber_id = django_filters.UUIDFilter(field_name="subscriber_id")
    service_id = django_filters.UUIDFilter(field_name="subscription_id")
    kind = django_filters.ChoiceFilter(choices=ChargeKind.choices)
    is_cancelled = BooleanFilter(field_name="cancelled_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = OneOffCharge
        fields = {"due_on": ["gte", "lte"], "created_at": ["gte", "lte"]}


class ChargeViewSet(RecordViewSet):
    """What customers are charged once or in instalments, sold equipment included."""

    model = OneOffCharge
    serializer_class = ChargeSerializer
    filterset_class = ChargeFilter
    ordering_fields = ("created_at", "due_on")
    verbs: ClassVar[dict[str, str]] = {"cancel": "change"}

    def create(self, request: Request) -> Response:
        """Charge a customer once, or in monthly instalments, with the first run on or after `due_on`."""
        return self.show_created(one_off.add_charge(on=today(), **self.input_of_new()))

    @extend_schema(request=ChargeChange)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a charge of which nothing is billed."""
        found = self.get_object()
        given = valid(ChargeChange(found, data=request.data, partial=True))
        return self.show_changed(one_off.change_charge(charge_id=found.pk, on=today(), **given))

    @extend_schema(request=None, responses=ChargeSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Ask no more of a charge; the instalments that were billed stay."""
        return self.show_changed(one_off.cancel_charge(charge_id=self.get_object().pk, at=timezone.now()))


class DiscountAmountField(PriceField):
    """An amount in the currency of the service's plan."""

    def get_attribute(self, instance: Any) -> Any:
        found = serializers.Field.get_attribute(self, instance)
        return None if found is None else f"{found.normalize():f}"


class DiscountSerializer(HouseSerializer[Discount]):
    subscriber_id = IdField()
    service_id = IdField(
        source="subscription_id", required=False, allow_null=True, help_text="Null: of all services."
    )
    percent = PercentField(decimals=2, required=False, allow_null=True)
    amount = DiscountAmountField(
        required=False,
        allow_null=True,
        help_text="Off each whole period of one service, in its plan's currency.",
    )

    class Meta:
        model = Discount
        fields = [
            "id", "subscriber_id", "service_id", "name", "percent", "amount", "starts_on", "ends_on", "created_at",
            "updated_at",
        ]  # fmt: skip


class DiscountChange(DiscountSerializer):
    subscriber_id = None  # type: ignore[assignment]
    service_id = None  # type: ignore[assignment]

    class Meta(DiscountSerializer.Meta):
        fields = ["name", "percent", "amount", "starts_on", "ends_on"]


class DiscountFilter(HouseFilterSet):
    subscriber_id = django_filters.UUIDFilter(field_name="subscriber_id")
    service_id = django_filters.UUIDFilter(field_name="subscription_id")

    class Meta:
        model = Discount
        fields = {"created_at": ["gte", "lte"]}


class DiscountViewSet(RecordViewSet):
    """What is taken off the price of plans, for the days it is valid."""

    model = Discount
    serializer_class = DiscountSerializer
    filterset_class = DiscountFilter
    ordering_fields = ("created_at",)

    def create(self, request: Request) -> Response:
        """Give a discount: a percentage of one service or all of a customer's, or an amount off one service."""
        return self.show_created(discounts.add_discount(on=today(), **self.input_of_new()))

    @extend_schema(request=DiscountChange)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a discount; once it is on an invoice, only its name and its end."""
        found = self.get_object()
        given = valid(DiscountChange(found, data=request.data, partial=True))
        return self.show_changed(discounts.change_discount(discount_id=found.pk, on=today(), **given))

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a discount no invoice has an item of."""
        discounts.remove_discount(discount_id=self.get_object().pk)
        return Response(status=204)


class OveragePriceSerializer(HouseSerializer[OveragePrice]):
    plan_id = IdField()
    price = PriceField(help_text="Per GB (10⁹ bytes) begun above the plan's cap, before tax.")
    currency = CurrencyCodeField()

    class Meta:
        model = OveragePrice
        fields = ["id", "plan_id", "price", "currency", "starts_on", "ends_on", "created_at", "updated_at"]
        read_only_fields = ["ends_on"]


class OveragePriceEnd(HouseSerializer[OveragePrice]):
    ends_on = serializers.DateField(help_text="The first day of the first month without it.")

    class Meta:
        model = OveragePrice
        fields = ["ends_on"]


class OveragePriceFilter(HouseFilterSet):
    plan_id = django_filters.UUIDFilter(field_name="plan_id")

    class Meta:
        model = OveragePrice
        fields = {"created_at": ["gte", "lte"]}


class OveragePriceViewSet(RecordViewSet):
    """What data above a plan's cap costs."""

    model = OveragePrice
    serializer_class = OveragePriceSerializer
    filterset_class = OveragePriceFilter
    ordering_fields = ("created_at",)

    def create(self, request: Request) -> Response:
        """Charge for data above a plan's cap from a month on. A price in force until then ends there."""
        return self.show_created(overage.set_price(on=today(), **self.input_of_new()))

    @extend_schema(request=OveragePriceEnd)
    def partial_update(self, request: Request, pk: str) -> Response:
        """End a price with a month."""
        found = self.get_object()
        given = valid(OveragePriceEnd(found, data=request.data))
        return self.show_changed(overage.end_price(price_id=found.pk, **given))

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a price whose first month has not begun."""
        overage.remove_price(price_id=self.get_object().pk, on=today())
        return Response(status=204)
