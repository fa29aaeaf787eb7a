"""Dunning: who would be cut tonight, who is spared, what was written, and what happens by which policy."""

import re
from datetime import date, timedelta
from typing import Any, ClassVar

import django_filters
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.amounts import AmountField
from billing.api.payments import PaidField
from billing.models import (
    DunningNight,
    DunningPolicy,
    NightStatus,
    Reminder,
    ReminderStatus,
)
from billing.models.dunning import EARLIEST_STEP, LATEST_STEP, MOST_STEPS
from billing.services.dunning import policies, suspending, tonight
from ispcore.api.errors import ApiError
from ispcore.api.fields import HouseSerializer, IdField, IntegerField, StrictSerializer, TextField
from ispcore.api.filters import HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import (
    ApiView,
    ListModelMixin,
    RecordViewSet,
    RetrieveModelMixin,
    TenantViewSet,
    valid,
)

DAY = {"type": "string", "format": "date"}
FARTHEST_DAYS = 366
MOST_OFFSET = 1_000_000


class TonightRowSerializer(serializers.Serializer[Any]):
    subscriber_id = serializers.UUIDField()
    number = serializers.CharField()
    name = serializers.CharField()
    verdict = serializers.ChoiceField(choices=tonight.Verdict.choices)
    why = serializers.CharField()
    amount = AmountField(help_text="Owed past the grace days.")
    currency = serializers.CharField()
    since = serializers.DateField(help_text="The oldest due date.")
    services = serializers.IntegerField(source="lines", help_text="Running ones.")


class TonightTotalSerializer(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(choices=tonight.Verdict.choices)
    currency = serializers.CharField()
    subscribers = serializers.IntegerField()
    services = serializers.IntegerField(source="lines")
    amount = AmountField()


class TonightSerializer(serializers.Serializer[Any]):
    on = serializers.DateField()
    running_services = serializers.IntegerField()
    cap_services = serializers.IntegerField(help_text="As many are cut without asking.")
    cut_subscribers = serializers.IntegerField()
    cut_services = serializers.IntegerField()
    over_cap = serializers.BooleanField(help_text="The night will stop and wait for approval.")
    totals = TonightTotalSerializer(many=True)
    rows = TonightRowSerializer(many=True, help_text="The oldest debt first, at most 200.")
    next_offset = serializers.IntegerField(allow_null=True, help_text="Where the next rows begin.")


class TonightView(ApiView):
    """The list of the coming night."""

    app_label = "billing"
    more_errors = ("422",)
    query_parameters = frozenset({"on", "verdict", "offset"})

    @extend_schema(
        responses=TonightSerializer,
        operation_id="billing_dunning_tonight",
        parameters=[
            OpenApiParameter("on", DAY, description="Another day than that of the coming night."),
            OpenApiParameter("verdict", {"type": "string", "enum": tonight.Verdict.values}),
            OpenApiParameter(
                "offset", {"type": "integer", "minimum": 0, "maximum": MOST_OFFSET, "default": 0}
            ),
        ],
    )
    def get(self, request: Request) -> Response:
        """Tell who would be cut and why, and who is spared and why. What the night does is this list."""
        asked = request.query_params
        coming = tonight.next_night(timezone.now())
        on = _day(asked["on"], around=coming) if "on" in asked else coming
        verdict, offset = asked.get("verdict"), asked.get("offset", "0")
        if verdict is not None and verdict not in tonight.Verdict.values:
            raise _invalid("verdict", f"`verdict` is one of {', '.join(tonight.Verdict.values)}.")
        if not (offset.isascii() and offset.isdigit() and len(offset) <= 7 and int(offset) <= MOST_OFFSET):
            raise _invalid("offset", f"`offset` is a whole number from 0 to {MOST_OFFSET}.")
        running = tonight.running_lines()
        cap = suspending.cap_of(running, policies.cap_percent())
        people, lines = tonight.count(on=on)
        rows = tonight.tonight(on=on, verdicts=[verdict] if verdict else None, offset=int(offset))
        data = {
            "on": on,
            "running_services": running,
            "cap_services": cap,
            "cut_subscribers": people,
            "cut_services": lines,
            "over_cap": lines > cap,
            "totals": tonight.totals(on=on),
            "rows": rows,
            "next_offset": int(offset) + len(rows) if len(rows) == tonight.MOST_LISTED else None,
        }
        return Response(TonightSerializer(data).data)


FIGURE = r"^[0-9]{1,14}(\.[0-9]{1,4})?$"


@extend_schema_field({"type": "string", "pattern": FIGURE, "examples": ["5.00"]})
class FigureField(PaidField):
    """An amount of no currency in particular, or a percentage."""

    def to_representation(self, value: Any) -> str:
        text = f"{value:.4f}"
        return text.removesuffix("00")


class DunningPolicySerializer(HouseSerializer[DunningPolicy]):
    billing_profile_id = IdField(
        required=False, allow_null=True, help_text="Null: for all customers without a policy of their own."
    )
    reminder_days = serializers.ListField(
        child=IntegerField(min_value=EARLIEST_STEP, max_value=LATEST_STEP),
        required=False,
        max_length=MOST_STEPS,
        help_text="Days after the due date; below zero: before.",
    )
    minimum_balance = FigureField(required=False)
    country = TextField(
        required=False, allow_blank=True, max_length=2, help_text="ISO 3166, for example PT; empty: none."
    )
    subdivision = TextField(
        required=False, allow_blank=True, max_length=10, help_text="Such as BY of DE; empty: none."
    )
    late_fee_amount = FigureField(required=False, allow_null=True)
    late_fee_percent = FigureField(required=False, allow_null=True)

    class Meta:
        model = DunningPolicy
        fields = [
            "id", "billing_profile_id", "reminder_days", "suspends", "minimum_balance", "business_days_only", "country",
            "subdivision", "late_fee_after_days", "late_fee_amount", "late_fee_percent", "cap_percent", "created_at",
            "updated_at",
        ]  # fmt: skip

    def validate_country(self, value: str) -> str:
        if not re.fullmatch("([A-Z]{2})?", value):
            raise serializers.ValidationError("Two capital letters, for example PT.")
        return value

    def validate_subdivision(self, value: str) -> str:
        if not re.fullmatch("[A-Za-z0-9-]*", value):
            raise serializers.ValidationError("Letters, digits and hyphens.")
        return value

    def validate_minimum_balance(self, value: Any) -> Any:
        if value < 0:
            raise serializers.ValidationError("Not below zero.")
        return _four_digits(value, most=10**13)

    def validate_late_fee_amount(self, value: Any) -> Any:
        return None if value is None else _positive(_four_digits(value, most=10**13))

    def validate_late_fee_percent(self, value: Any) -> Any:
        if value is not None and (value > 100 or value != round(value, 2)):
            raise serializers.ValidationError("Up to 100, with two digits after the point.")
        return None if value is None else _positive(value)


class DunningPolicyFilter(HouseFilterSet):
    billing_profile_id = django_filters.UUIDFilter(field_name="billing_profile_id")

    class Meta:
        model = DunningPolicy
        fields = {"created_at": ["gte", "lte"]}


class DunningPolicyViewSet(RecordViewSet):
    """What happens to open invoices, of all customers or of those with one billing profile."""

    model = DunningPolicy
    serializer_class = DunningPolicySerializer
    filterset_class = DunningPolicyFilter

    def create(self, request: Request) -> Response:
        """Add a policy. From then on it reminds and cuts."""
        return self.show_created(policies.save_policy(policy=DunningPolicy(), **self.input_of_new()))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a policy; the coming night and the next letters follow it."""
        found = self.get_object()
        return self.show_changed(policies.save_policy(policy=found, **self.input_of_change(found)))

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a policy: nobody is reminded or cut by it any more."""
        policies.remove_policy(policy_id=self.get_object().pk)
        return Response(status=204)


class DunningNightSerializer(HouseSerializer[DunningNight]):
    status = serializers.ChoiceField(choices=NightStatus.choices, read_only=True)
    running_services = serializers.IntegerField(source="active_lines", read_only=True)
    cap_services = serializers.IntegerField(source="cap_lines", read_only=True)
    found_services = serializers.IntegerField(source="found_lines", read_only=True)
    suspended_services = serializers.IntegerField(source="suspended_lines", read_only=True)
    approved_services = serializers.IntegerField(source="approved_lines", read_only=True)
    task_id = serializers.UUIDField(source="job_id", read_only=True, allow_null=True)
    approved_by_id = serializers.UUIDField(read_only=True, allow_null=True)

    class Meta:
        model = DunningNight
        fields = [
            "id", "on", "status", "running_services", "cap_services", "found_subscribers", "found_services",
            "suspended_subscribers", "suspended_services", "approved_services", "approved_at", "approved_by_id",
            "task_id", "finished_at", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class NightApprovalInput(StrictSerializer):
    services = IntegerField(
        min_value=1,
        max_value=10_000_000,
        help_text="As many as the list showed; with more by now it is refused.",
    )


class DunningNightFilter(HouseFilterSet):
    status = django_filters.ChoiceFilter(choices=NightStatus.choices)

    class Meta:
        model = DunningNight
        fields = {"on": ["exact", "gte", "lte"]}


class DunningNightViewSet(RecordViewSet):
    """Nights: how many services each cut, and those that stopped at the cap."""

    model = DunningNight
    serializer_class = DunningNightSerializer
    filterset_class = DunningNightFilter
    ordering_fields = ("on",)
    verbs: ClassVar[dict[str, str]] = {"approve": "change", "call_off": "change"}

    @extend_schema(request=NightApprovalInput, responses=DunningNightSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Go on with a night that stopped at the cap. Repeating it changes nothing.

        409 `more_than_shown` when more would be cut by now, `night_over` the day after.
        """
        night = self.get_object()
        data = valid(NightApprovalInput(data=request.data))
        user_id = caller_of(request._request).user_id
        return self.show_changed(
            suspending.approve_night(
                night_id=night.pk, lines=data["services"], at=timezone.now(), user_id=user_id
            )
        )

    @extend_schema(request=None, responses=DunningNightSerializer)
    @action(detail=True, methods=["post"], url_path="call-off")
    def call_off(self, request: Request, pk: str) -> Response:
        """Cut nobody more that night. Repeating it changes nothing."""
        return self.show_changed(suspending.call_off_night(night_id=self.get_object().pk, at=timezone.now()))


class ReminderSerializer(HouseSerializer[Reminder]):
    invoice_id = serializers.UUIDField(read_only=True)
    status = serializers.ChoiceField(choices=ReminderStatus.choices, read_only=True)

    class Meta:
        model = Reminder
        fields = [
            "id", "invoice_id", "step", "due_on", "email", "status", "attempts", "sent_at", "detail", "created_at",
            "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class ReminderFilter(HouseFilterSet):
    invoice_id = django_filters.UUIDFilter(field_name="invoice_id")
    status = django_filters.ChoiceFilter(choices=ReminderStatus.choices)

    class Meta:
        model = Reminder
        fields = {"due_on": ["exact", "gte", "lte"], "created_at": ["gte", "lte"]}


class ReminderViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """What was sent about which invoice, each step once."""

    model = Reminder
    serializer_class = ReminderSerializer
    filterset_class = ReminderFilter
    ordering_fields = ("created_at", "due_on")


def _day(text: str, *, around: date) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise _invalid("on", "`on` is a day such as 2026-03-10.") from error
    if abs(day - around) > timedelta(days=FARTHEST_DAYS) or len(text) != 10:
        raise _invalid("on", f"`on` is at most {FARTHEST_DAYS} days from tonight, written as 2026-03-10.")
    return day


def _invalid(name: str, message: str) -> ApiError:
    return ApiError(422, "validation_error", message, field=name)


def _positive(value: Any) -> Any:
    if value <= 0:
        raise serializers.ValidationError("Above zero.")
    return value


def _four_digits(value: Any, *, most: int) -> Any:
    if value >= most or value != round(value, 4):
        raise serializers.ValidationError("At most 13 digits before the point and 4 after it.")
    return value
