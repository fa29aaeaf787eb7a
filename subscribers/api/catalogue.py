"""Zones, plans, premises and billing profiles."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import django_filters
from django.core.validators import RegexValidator
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.fields import FloatField, HouseSerializer, IdField, MoneyField, TextField
from ispcore.api.filters import HouseFilterSet, HouseOrdering, HouseSearch
from ispcore.api.views import RecordViewSet, valid
from subscribers.models import BillingProfile, Cycle, PaymentKind, Period, Plan, PlanZone, Premise, Zone
from subscribers.services import catalogue

MAX_ZONES_OF_A_PLAN = 1000
COUNTRY = RegexValidator(r"^[A-Z]{2}\Z", "Two capital letters of ISO 3166, for example PT.")
DAY = ["%Y-%m-%d"]  # The framework's own would take 01/02/2026 for one of two days.


class CatalogueViewSet(RecordViewSet):
    """Records that PUT replaces and PATCH changes."""

    def _checked(self, record: Model, *, partial: bool) -> dict[str, Any]:
        """Return the input; what PUT leaves out goes back to its default, what PATCH leaves out stays."""
        serializer = self.get_serializer(record, data=self.request.data, partial=partial)
        return valid(serializer) if partial else {**_defaults(serializer), **valid(serializer)}


class ZoneSerializer(HouseSerializer[Zone]):
    parent_id = IdField(required=False, allow_null=True, help_text="The zone this one lies in.")

    class Meta:
        model = Zone
        fields = ["id", "name", "parent_id", "created_at", "updated_at"]


class ZoneFilter(HouseFilterSet):
    parent_id = django_filters.UUIDFilter(field_name="parent_id")

    class Meta:
        model = Zone
        fields = {"name": ["exact"], "created_at": ["gte", "lte"]}


class ZoneViewSet(CatalogueViewSet):
    """The parts of the area served."""

    model = Zone
    serializer_class = ZoneSerializer
    filterset_class = ZoneFilter
    ordering_fields = ("name", "created_at")
    search_fields = ("name",)

    def create(self, request: Request) -> Response:
        """Add a zone, perhaps within another."""
        return self.show_created(catalogue.create_zone(**self.input_of_new()))

    def update(self, request: Request, pk: str) -> Response:
        """Replace a zone; left out, `parent_id` becomes empty. It cannot be put into itself or a zone within it."""
        return self._change(partial=False)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Rename a zone or move it. It cannot be put into itself or a zone within it."""
        return self._change(partial=True)

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a zone that holds no zone and no premise, and in which no plan is sold."""
        catalogue.remove_zone(zone_id=self.get_object().pk)
        return Response(status=204)

    def _change(self, *, partial: bool) -> Response:
        catalogue.lock_zone_tree()
        zone = self.get_object()
        return self.show_changed(
            catalogue.change_zone(zone_id=zone.pk, **self._checked(zone, partial=partial))
        )


class ZoneIdsField(serializers.ListField):
    child = IdField()

    def get_attribute(self, instance: Plan) -> list[UUID]:
        return sorted(row.zone_id for row in instance.sold_in.all())


class PlanSerializer(HouseSerializer[Plan]):
    price = MoneyField(help_text="Per period, before tax.")
    zone_ids = ZoneIdsField(
        required=False,
        max_length=MAX_ZONES_OF_A_PLAN,
        help_text="Where it is sold, with the zones within; empty: everywhere.",
    )

    class Meta:
        model = Plan
        fields = [
            "id", "code", "name", "down_kbps", "up_kbps", "burst_down_kbps", "burst_up_kbps", "cap_bytes", "price",
            "currency", "period", "tax_class", "pool_hint", "sold_from", "sold_until", "zone_ids", "created_at",
            "updated_at",
        ]  # fmt: skip

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        begin, end = (_after(self, attrs, name) for name in ("sold_from", "sold_until"))
        if begin and end and end <= begin:
            raise serializers.ValidationError({"sold_until": "Must be later than `sold_from`."})
        return attrs


class PlanFilter(HouseFilterSet):
    currency = django_filters.CharFilter()
    period = django_filters.ChoiceFilter(choices=Period.choices)
    price__gte = django_filters.NumberFilter(
        field_name="price", lookup_expr="gte", min_value=0, max_digits=12, decimal_places=2
    )
    price__lte = django_filters.NumberFilter(
        field_name="price", lookup_expr="lte", min_value=0, max_digits=12, decimal_places=2
    )
    sold_on = django_filters.DateFilter(
        method="filter_sold_on", input_formats=DAY, label="Sold on this day, such as 2026-01-31."
    )
    zone_id = django_filters.UUIDFilter(
        method="filter_zone", label="Sold in this zone: there, in a zone around it, or everywhere."
    )

    class Meta:
        model = Plan
        fields = {
            "code": ["exact"],
            "name": ["exact"],
            "tax_class": ["exact"],
            "down_kbps": ["gte", "lte"],
            "created_at": ["gte", "lte"],
        }

    def filter_sold_on(self, plans: QuerySet[Plan], name: str, value: date) -> QuerySet[Plan]:
        return plans.filter(
            Q(sold_from=None) | Q(sold_from__lte=value), Q(sold_until=None) | Q(sold_until__gt=value)
        )

    def filter_zone(self, plans: QuerySet[Plan], name: str, value: UUID) -> QuerySet[Plan]:
        zones = catalogue.zone_and_those_around(zone_id=value)
        if not zones:
            return plans.none()
        places = PlanZone.objects.filter(plan=OuterRef("pk"))
        return plans.filter(Exists(places.filter(zone_id__in=zones)) | ~Exists(places))


class PlanViewSet(CatalogueViewSet):
    """The internet plans of this provider. `products` is another name for `internet-plans`."""

    model = Plan
    serializer_class = PlanSerializer
    filterset_class = PlanFilter
    prefetched = ("sold_in",)
    ordering_fields = ("code", "name", "price", "down_kbps", "sold_from", "created_at")
    search_fields = ("code", "name")

    def create(self, request: Request) -> Response:
        """Add an internet plan."""
        return self.show_created(catalogue.create_plan(**self.input_of_new()))

    def update(self, request: Request, pk: str) -> Response:
        """Replace an internet plan: what is left out goes back to its default, `zone_ids` to everywhere."""
        return self._change(partial=False)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of an internet plan. `zone_ids` replaces the zones it is sold in."""
        return self._change(partial=True)

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove an internet plan that no service has or had."""
        catalogue.remove_plan(plan_id=self.get_object().pk)
        return Response(status=204)

    def _change(self, *, partial: bool) -> Response:
        plan = self.get_object()
        return self.show_changed(
            catalogue.change_plan(plan_id=plan.pk, **self._checked(plan, partial=partial))
        )


class DegreesField(FloatField):
    """Degrees as a number, kept with six decimals: a tenth of a metre."""

    def to_internal_value(self, data: Any) -> Decimal:  # type: ignore[override]
        return Decimal(str(round(super().to_internal_value(data), 6)))


class PremiseSerializer(HouseSerializer[Premise]):
    zone_id = IdField(required=False, allow_null=True)
    country = TextField(
        required=False,
        allow_blank=True,
        max_length=2,
        validators=[COUNTRY],
        help_text="ISO 3166, for example PT.",
    )
    latitude = DegreesField(required=False, allow_null=True, min_value=-90, max_value=90)
    longitude = DegreesField(required=False, allow_null=True, min_value=-180, max_value=180)

    class Meta:
        model = Premise
        fields = [
            "id", "zone_id", "address_line1", "address_line2", "city", "state", "postal_code", "country",
            "latitude", "longitude", "created_at", "updated_at",
        ]  # fmt: skip

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        missing = [name for name in ("latitude", "longitude") if _after(self, attrs, name) is None]
        if len(missing) == 1:
            raise serializers.ValidationError({missing[0]: "Latitude and longitude go together."})
        return attrs


class PremiseFilter(HouseFilterSet):
    zone_id = django_filters.UUIDFilter(field_name="zone_id")

    class Meta:
        model = Premise
        fields = {
            "address_line1": ["exact"],
            "city": ["exact"],
            "state": ["exact"],
            "postal_code": ["exact"],
            "country": ["exact"],
            "created_at": ["gte", "lte"],
        }


class PremiseSearch(HouseSearch):
    """`search=words`: each word must begin a word of the address; served by an index."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        text = request.query_params.get(self.search_param)
        return queryset if text is None else catalogue.search_premises(queryset, text)


class PremiseViewSet(CatalogueViewSet):
    """The places that are or can be served."""

    model = Premise
    serializer_class = PremiseSerializer
    filterset_class = PremiseFilter
    filter_backends = (DjangoFilterBackend, HouseOrdering, PremiseSearch)
    ordering_fields = ("address_line1", "city", "postal_code", "created_at")
    search_fields = ("address", "city", "state", "postal_code")

    def create(self, request: Request) -> Response:
        """Add a premise."""
        return self.show_created(catalogue.create_premise(**self.input_of_new()))

    def update(self, request: Request, pk: str) -> Response:
        """Replace a premise's address, zone and position: what is left out becomes empty."""
        return self._change(partial=False)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of a premise."""
        return self._change(partial=True)

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a premise that has and had no service."""
        catalogue.remove_premise(premise_id=self.get_object().pk)
        return Response(status=204)

    def _change(self, *, partial: bool) -> Response:
        premise = self.get_object()
        return self.show_changed(
            catalogue.change_premise(premise_id=premise.pk, **self._checked(premise, partial=partial))
        )


class BillingProfileSerializer(HouseSerializer[BillingProfile]):
    class Meta:
        model = BillingProfile
        fields = [
            "id", "name", "payment_kind", "cycle", "cycle_day", "due_days", "grace_days", "currency", "tax_class",
            "created_at", "updated_at",
        ]  # fmt: skip

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        cycle, day = _after(self, attrs, "cycle"), _after(self, attrs, "cycle_day")
        if cycle == Cycle.DAY_OF_MONTH and day is None:
            raise serializers.ValidationError({"cycle_day": "A cycle by the day of the month needs its day."})
        if cycle == Cycle.ANNIVERSARY and day is not None:
            raise serializers.ValidationError(
                {"cycle_day": "Each service has its own day: leave this empty."}
            )
        return attrs


class BillingProfileFilter(HouseFilterSet):
    payment_kind = django_filters.ChoiceFilter(choices=PaymentKind.choices)
    cycle = django_filters.ChoiceFilter(choices=Cycle.choices)
    currency = django_filters.CharFilter()

    class Meta:
        model = BillingProfile
        fields = {"name": ["exact"], "tax_class": ["exact"], "created_at": ["gte", "lte"]}


class BillingProfileViewSet(CatalogueViewSet):
    """When and how customers are billed."""

    model = BillingProfile
    serializer_class = BillingProfileSerializer
    filterset_class = BillingProfileFilter
    ordering_fields = ("name", "created_at")
    search_fields = ("name",)

    def create(self, request: Request) -> Response:
        """Add a billing profile."""
        return self.show_created(catalogue.create_billing_profile(**self.input_of_new()))

    def update(self, request: Request, pk: str) -> Response:
        """Replace a billing profile: what is left out goes back to its default."""
        return self._change(partial=False)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some fields of a billing profile."""
        return self._change(partial=True)

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a billing profile that no subscriber has."""
        catalogue.remove_billing_profile(billing_profile_id=self.get_object().pk)
        return Response(status=204)

    def _change(self, *, partial: bool) -> Response:
        profile = self.get_object()
        fields = self._checked(profile, partial=partial)
        return self.show_changed(catalogue.change_billing_profile(billing_profile_id=profile.pk, **fields))


def _defaults(serializer: Any) -> dict[str, Any]:
    """Return what a new record has in each field that may be left out."""
    fresh = serializer.Meta.model()
    optional = {
        name: field for name, field in serializer.fields.items() if not (field.read_only or field.required)
    }
    return {
        name: [] if isinstance(field, ZoneIdsField) else getattr(fresh, name)
        for name, field in optional.items()
    }


def _after(serializer: serializers.ModelSerializer[Any], attrs: dict[str, Any], name: str) -> Any:
    """Return a field's value as it will be: given, or what the record has or, in a whole one, a new one."""
    if name in attrs:
        return attrs[name]
    model: type[Model] = serializer.Meta.model
    return getattr(serializer.instance if serializer.partial else model(), name)
