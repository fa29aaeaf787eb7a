"""Promises and exemptions: who is spared."""

from typing import ClassVar

import django_filters
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.amounts import AmountField
from billing.api.payments import PaidField
from billing.models import Exemption, Promise, PromiseStatus
from billing.services.dunning import exemptions, promises
from ispcore.api.fields import HouseSerializer, IdField, StrictSerializer, TextField
from ispcore.api.filters import BooleanFilter, HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import RecordViewSet, valid
from subscribers.services.periods import local_date


class PromiseSerializer(HouseSerializer[Promise]):
    subscriber_id = serializers.UUIDField(read_only=True)
    amount = AmountField()
    status = serializers.ChoiceField(choices=PromiseStatus.choices, read_only=True)

    class Meta:
        model = Promise
        fields = [
            "id", "subscriber_id", "amount", "currency", "until", "note", "status", "made_at", "settled_at",
            "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class PromiseInput(StrictSerializer):
    subscriber_id = IdField()
    amount = PaidField()
    currency = serializers.RegexField(r"^[A-Z]{3}\Z", help_text="ISO 4217, for example EUR.")
    until = serializers.DateField(help_text="The last day to pay, within three months.")
    note = TextField(required=False, allow_blank=True, max_length=200)


class PromiseFilter(HouseFilterSet):
    subscriber_id = django_filters.UUIDFilter(field_name="subscriber_id")
    status = django_filters.ChoiceFilter(choices=PromiseStatus.choices)

    class Meta:
        model = Promise
        fields = {"until": ["gte", "lte"], "created_at": ["gte", "lte"]}


class PromiseViewSet(RecordViewSet):
    """Promises to pay: until their day the customer is neither reminded nor cut."""

    model = Promise
    serializer_class = PromiseSerializer
    filterset_class = PromiseFilter
    ordering_fields = ("created_at", "until")
    verbs: ClassVar[dict[str, str]] = {"withdraw": "change"}

    @extend_schema(request=PromiseInput, responses={201: PromiseSerializer})
    def create(self, request: Request) -> Response:
        """Note a promise; a customer has one at a time."""
        data = valid(PromiseInput(data=request.data))
        at = timezone.now()
        user_id = caller_of(request._request).user_id
        return self.show_created(promises.make_promise(**data, on=local_date(at), at=at, user_id=user_id))

    @extend_schema(request=None, responses=PromiseSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        """End an open promise before its day. Repeating it changes nothing."""
        return self.show_changed(
            promises.withdraw_promise(promise_id=self.get_object().pk, at=timezone.now())
        )


class ExemptionSerializer(HouseSerializer[Exemption]):
    subscriber_id = serializers.UUIDField(read_only=True)

    class Meta:
        model = Exemption
        fields = ["id", "subscriber_id", "reason", "until", "ended_at", "created_at", "updated_at"]
        read_only_fields = fields


class ExemptionInput(StrictSerializer):
    subscriber_id = IdField()
    reason = TextField(max_length=200)
    until = serializers.DateField(
        required=False, allow_null=True, help_text="The last day; null: until ended."
    )


class ExemptionFilter(HouseFilterSet):
    subscriber_id = django_filters.UUIDFilter(field_name="subscriber_id")
    is_ended = BooleanFilter(field_name="ended_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = Exemption
        fields = {"until": ["gte", "lte"], "created_at": ["gte", "lte"]}


class ExemptionViewSet(RecordViewSet):
    """Customers who are neither reminded nor cut."""

    model = Exemption
    serializer_class = ExemptionSerializer
    filterset_class = ExemptionFilter
    ordering_fields = ("created_at", "until")
    verbs: ClassVar[dict[str, str]] = {"end": "change"}

    @extend_schema(request=ExemptionInput, responses={201: ExemptionSerializer})
    def create(self, request: Request) -> Response:
        """Spare a customer; one exemption runs at a time."""
        data = valid(ExemptionInput(data=request.data))
        at = timezone.now()
        return self.show_created(
            exemptions.exempt(
                subscriber_id=data["subscriber_id"],
                reason=data["reason"],
                until=data.get("until"),
                on=local_date(at),
                at=at,
                user_id=caller_of(request._request).user_id,
            )
        )

    @extend_schema(request=None, responses=ExemptionSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        """Treat the customer as all others again. Repeating it changes nothing."""
        return self.show_changed(
            exemptions.end_exemption(exemption_id=self.get_object().pk, at=timezone.now())
        )
