"""One change to many customers or services: previewed, or done as a task."""

from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.fields import BooleanField, ChoiceField, IdField, StrictSerializer, TextField
from ispcore.api.request import caller_of
from ispcore.api.views import ApiView, valid
from ispcore.jobs.api import TaskSerializer, accepted
from subscribers.models import HoldReason, Subscriber, Subscription
from subscribers.services import mass
from subscribers.services.periods import local_date

WAIT_SECONDS = 5
DAY = ["%Y-%m-%d"]
MAX_AHEAD = timedelta(days=366)
SUBSCRIBER_ACTIONS = ("suspend", "activate", "add_tags", "remove_tags")
SERVICE_ACTIONS = ("suspend", "resume", "activate", "change_plan")
EFFECTS = tuple(effect.value for effect in mass.Effect)
# What an action asks besides the ids: (needed, allowed).
ASKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "suspend": (("reason",), ("until", "note")),
    "activate": ((), ()),
    "add_tags": (("tags",), ()),
    "remove_tags": (("tags",), ()),
    "resume": (("reason",), ()),
    "change_plan": (("product_id",), ("effective_on",)),
}


class BulkInput(StrictSerializer):
    """What all of them have, and which further fields an action takes."""

    ids = serializers.ListField(child=IdField(), min_length=1, max_length=mass.MOST)
    dry_run = BooleanField(default=False, help_text="True: only tell what would become of each record.")
    reason = ChoiceField(
        choices=HoldReason.choices, required=False, help_text="Of the hold to open or to lift."
    )
    until = serializers.DateTimeField(
        required=False, allow_null=True, help_text="`suspend`: ends by itself then."
    )
    note = TextField(max_length=200, required=False, allow_blank=True, help_text="`suspend`: for colleagues.")

    def validate_until(self, until: Any) -> Any:
        if until is not None and until <= timezone.now():
            raise serializers.ValidationError("Must lie in the future.")
        return until

    def validate(self, attrs: Any) -> Any:
        needed, allowed = ASKS[attrs["action"]]
        given = set(attrs) - {"action", "ids", "dry_run"}
        wrong = {name: f"`{attrs['action']}` needs this." for name in needed if name not in given}
        wrong |= dict.fromkeys(given - {*needed, *allowed}, f"`{attrs['action']}` does not take this.")
        if wrong:
            raise serializers.ValidationError(wrong)
        return attrs


class SubscriberBulkInput(BulkInput):
    action = ChoiceField(choices=SUBSCRIBER_ACTIONS)
    tags = serializers.ListField(
        child=TextField(max_length=40), min_length=1, max_length=20, required=False, help_text="Lower-cased."
    )


class ServiceBulkInput(BulkInput):
    action = ChoiceField(choices=SERVICE_ACTIONS)
    product_id = IdField(required=False, help_text="`change_plan`: the new product.")
    effective_on = serializers.DateField(
        required=False,
        input_formats=DAY,
        help_text="`change_plan`: where the provider is; today when left out.",
    )

    def validate_effective_on(self, day: Any) -> Any:
        today = local_date(timezone.now())
        if not today <= day <= today + MAX_AHEAD:
            raise serializers.ValidationError("Must be today or a day of the coming year.")
        return day


class BulkOutcomeSerializer(serializers.Serializer[Any]):
    outcome = serializers.CharField()
    effect = serializers.ChoiceField(choices=EFFECTS)
    count = serializers.IntegerField()
    message = serializers.CharField(source="words", help_text="The outcome in words.")


class BulkMoneySerializer(serializers.Serializer[Any]):
    currency = serializers.CharField()
    credit = serializers.DecimalField(max_digits=16, decimal_places=2)
    charge = serializers.DecimalField(max_digits=16, decimal_places=2)
    net = serializers.DecimalField(max_digits=16, decimal_places=2)


class BulkPreviewSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField(help_text="Records found among the ids.")
    not_found = serializers.IntegerField()
    outcomes = BulkOutcomeSerializer(many=True, source="groups")
    proration = BulkMoneySerializer(
        many=True, source="money", help_text="`change_plan`: all together, before tax."
    )


class _BulkView(ApiView):
    app_label = "subscribers"
    verbs: ClassVar[dict[str, str]] = {"post": "change"}

    def run(self, request: Request, model: Any, data: dict[str, Any]) -> Response:
        keys: set[UUID] = set(data.pop("ids"))
        is_dry = data.pop("dry_run")
        change = mass.change_named(data.pop("action"), model)
        asked = _plain(data, change)
        if is_dry:
            found = mass.forecast(change=change, rows=model.objects.filter(pk__in=keys), asked=asked)
            answer = {
                "total": found.total,
                "not_found": len(keys) - found.total,
                "groups": found.groups,
                "money": found.money,
            }
            return Response(BulkPreviewSerializer(answer).data)
        user_id = caller_of(request._request).user_id
        label = f"{change.label} {len(keys)} {model._meta.verbose_name_plural}"
        job = mass.request_change(change=change, keys=keys, asked=asked, label=label, user_id=user_id)
        return accepted(request, job, default_wait=WAIT_SECONDS)


class SubscriberBulkActionView(_BulkView):
    """Customers."""

    @extend_schema(
        request=SubscriberBulkInput,
        responses={200: BulkPreviewSerializer, 202: TaskSerializer},
        operation_id="subscribers_bulk_actions",
    )
    def post(self, request: Request) -> Response:
        """Suspend, activate, tag or untag up to 20,000 subscribers, or preview that.

        Each is done by its state, so it is safe to repeat; the task's result counts what became of them and
        lists refusals with their reasons.
        """
        return self.run(request, Subscriber, valid(SubscriberBulkInput(data=request.data)))


class ServiceBulkActionView(_BulkView):
    """Services."""

    @extend_schema(
        request=ServiceBulkInput,
        responses={200: BulkPreviewSerializer, 202: TaskSerializer},
        operation_id="services_bulk_actions",
    )
    def post(self, request: Request) -> Response:
        """Suspend, resume, activate or change the product of up to 20,000 services, or preview that.

        Each is done by its state, so it is safe to repeat; the task's result counts what became of them and
        lists refusals with their reasons.
        """
        return self.run(request, Subscription, valid(ServiceBulkInput(data=request.data)))


def _plain(data: dict[str, Any], change: mass.Change) -> dict[str, Any]:
    asked = {name: value for name, value in data.items() if value is not None}
    if "product_id" in asked:
        asked["to_plan_id"] = str(asked.pop("product_id"))
    if change.name == "change_plan":
        asked["effective_on"] = asked.get("effective_on", local_date(timezone.now())).isoformat()
    if "until" in asked:
        asked["until"] = asked["until"].isoformat()
    return asked
