"""Webhooks, and what was sent to them."""

from datetime import UTC, datetime
from typing import Any, ClassVar

import django_filters
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.fields import BooleanField, HouseSerializer, IdField, StrictSerializer, TextField
from ispcore.api.filters import BooleanFilter, HouseFilterSet
from ispcore.api.idempotency import show_once
from ispcore.api.views import ListModelMixin, RecordViewSet, RetrieveModelMixin, TenantViewSet, etag, valid
from ispcore.events.catalogue import names_of
from ispcore.events.models import (
    LONGEST_TYPE,
    DeliveryStatus,
    DisabledReason,
    WebhookDelivery,
    WebhookEndpoint,
)
from ispcore.events.services import deliveries, endpoints
from ispcore.outbound import LONGEST_URL

MOST_TYPES = 100
SHOWN_DELIVERIES = 200


class WebhookSerializer(HouseSerializer[WebhookEndpoint]):
    url = TextField(max_length=LONGEST_URL, help_text="HTTPS, on port 443 or 8443 of a public host.")
    description = TextField(max_length=120, required=False, allow_blank=True, help_text="For people.")
    event_types = serializers.ListField(
        child=TextField(max_length=LONGEST_TYPE),
        max_length=MOST_TYPES,
        required=False,
        help_text="As GET event-types names them, or `billing.*` for all of billing. Empty: all.",
    )
    is_enabled = BooleanField(required=False)
    disabled_reason = serializers.ChoiceField(
        choices=DisabledReason.choices, allow_blank=True, read_only=True, help_text="Empty while it is on."
    )

    class Meta:
        model = WebhookEndpoint
        fields = [
            "id", "url", "description", "event_types", "is_enabled", "disabled_at", "disabled_reason",
            "failing_since", "last_delivered_at", "previous_secret_until", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = [
            "disabled_at", "disabled_reason", "failing_since", "last_delivered_at", "previous_secret_until",
        ]  # fmt: skip


class NewWebhookInput(StrictSerializer):
    url = TextField(max_length=LONGEST_URL, help_text="HTTPS, on port 443 or 8443 of a public host.")
    description = TextField(max_length=120, required=False, allow_blank=True, help_text="For people.")
    event_types = serializers.ListField(
        child=TextField(max_length=LONGEST_TYPE),
        max_length=MOST_TYPES,
        required=False,
        help_text="As GET event-types names them, or `billing.*` for all of billing. Empty: all.",
    )


class WebhookWithSecretSerializer(WebhookSerializer):
    """A webhook with its secret, in this one answer."""

    secret = serializers.CharField(help_text="`whsec_…`: shown this once.")

    class Meta(WebhookSerializer.Meta):
        fields = [*WebhookSerializer.Meta.fields, "secret"]
        read_only_fields = [*WebhookSerializer.Meta.read_only_fields, "secret"]


class DeliveryAttemptSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    response_status = serializers.IntegerField(allow_null=True, help_text="HTTP; null: there was no answer.")
    duration_ms = serializers.IntegerField()
    answer = serializers.CharField(allow_blank=True)


class DeliverySerializer(HouseSerializer[WebhookDelivery]):
    webhook_id = IdField(source="endpoint_id", read_only=True)
    event_id = IdField(read_only=True)
    event_type = serializers.CharField(source="event.name", read_only=True)
    status = serializers.ChoiceField(choices=DeliveryStatus.choices, read_only=True)
    log = DeliveryAttemptSerializer(many=True, read_only=True, help_text="Each attempt, the first one first.")

    class Meta:
        model = WebhookDelivery
        fields = [
            "id", "webhook_id", "event_id", "event_type", "is_replay", "status", "attempts", "next_attempt_at",
            "delivered_at", "response_status", "duration_ms", "answer", "log", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class ReplayInput(StrictSerializer):
    """Either a time or ids."""

    since = serializers.DateTimeField(required=False, help_text="From this time …")
    until = serializers.DateTimeField(required=False, help_text="… to before this one; now when left out.")
    only_missed = BooleanField(default=False, help_text="With `since`: only what never arrived there.")
    event_ids = serializers.ListField(
        child=IdField(), min_length=1, max_length=deliveries.MOST_IDS, required=False
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("since" in attrs) == ("event_ids" in attrs):
            raise serializers.ValidationError(
                {"since": "Give either `since` or `event_ids`."}, code="invalid"
            )
        return attrs


class ReplayedSerializer(serializers.Serializer[Any]):
    replayed = serializers.IntegerField(help_text="Events that are sent once more.")


class WebhookFilter(HouseFilterSet):
    is_enabled = BooleanFilter()

    class Meta:
        model = WebhookEndpoint
        fields = {"url": ["exact"], "created_at": ["gte", "lte"]}


class DeliveryFilter(HouseFilterSet):
    webhook_id = django_filters.UUIDFilter(field_name="endpoint_id")
    event_id = django_filters.UUIDFilter(field_name="event_id")
    status = django_filters.ChoiceFilter(choices=DeliveryStatus.choices)
    is_replay = BooleanFilter()
    event_type = django_filters.CharFilter(method="narrow_to_type")

    class Meta:
        model = WebhookDelivery
        fields = {"created_at": ["gte", "lte"]}

    def narrow_to_type(self, rows: Any, name: str, value: str) -> Any:
        return rows.filter(event__name__in=names_of(value))


class WebhookViewSet(RecordViewSet):
    """Addresses that are told of events as they happen: signed as Standard Webhooks says, at least once, in order."""

    model = WebhookEndpoint
    serializer_class = WebhookSerializer
    filterset_class = WebhookFilter
    ordering_fields = ("created_at",)
    verbs: ClassVar[dict[str, str]] = {
        "rotate_secret": "change",
        "test": "change",
        "replay": "change",
        "deliveries": "view",
    }

    @extend_schema(request=NewWebhookInput, responses={201: WebhookWithSecretSerializer})
    def create(self, request: Request) -> Response:
        """Set up a webhook. Its secret stands in this answer and in no other; no copy of the answer is kept.

        So a repeat with the same idempotency key is 409 `secret_shown_once` and makes no second one: the secret of
        the first can be rotated if it was lost.
        422 `validation_error` for an address that may not be sent to, such as one in a private network.
        """
        made, secret = endpoints.create_webhook(**valid(NewWebhookInput(data=request.data)))
        return self._with(secret, self.show_created(made))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a webhook, or switch it off or on. What waits when it is switched off goes out when it is on again."""
        found = self.get_object()
        return self.show_changed(
            endpoints.change_webhook(endpoint_id=found.pk, at=timezone.now(), **self.input_of_change(found))
        )

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a webhook and the log of what was sent to it; what waits is not sent any more."""
        endpoints.remove_webhook(endpoint_id=self.get_object().pk)
        return Response(status=204)

    @extend_schema(request=None, responses=WebhookWithSecretSerializer)
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str) -> Response:
        """Give the webhook a new secret, shown this once. For 24 hours messages are signed by both.

        A repeat with the same idempotency key rotates nothing and is 409 `secret_shown_once`.
        """
        rotated, secret = endpoints.rotate_secret(endpoint_id=self.get_object().pk, at=timezone.now())
        return self._with(secret, self.show_changed(rotated))

    @extend_schema(request=None, responses=DeliverySerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send this webhook a `platform.webhook_tested`; what came of it shows in the delivery a moment later.

        409 `webhook_disabled` while it is switched off.
        """
        made = deliveries.send_test(endpoint_id=self.get_object().pk, at=timezone.now())
        return Response(DeliverySerializer(made).data)

    @extend_schema(responses=DeliverySerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def deliveries(self, request: Request, pk: str) -> Response:
        """The last 200 deliveries to this webhook, newest first; `webhook-deliveries` lists all, in pages."""
        rows = WebhookDelivery.objects.filter(endpoint=self.get_object()).select_related("event")
        return Response(DeliverySerializer(rows.order_by("-pk")[:SHOWN_DELIVERIES], many=True).data)

    @extend_schema(request=ReplayInput, responses=ReplayedSerializer)
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Send events once more: those of a time that the webhook wants, at most 10,000, or up to 1,000 by their ids.

        With `only_missed`, what never arrived: of a time in which the webhook was off, too. The messages have the ids
        they had. 409 `webhook_disabled` while it is switched off; 422 `too_many_events` for too long a time; 404 for
        ids that are not known.
        """
        found = self.get_object()
        data = valid(ReplayInput(data=request.data))
        if "event_ids" in data:
            replayed = deliveries.replay_events(endpoint_id=found.pk, event_ids=data["event_ids"])
        else:
            until: datetime = data.get("until") or timezone.now()
            replayed = deliveries.replay_range(
                endpoint_id=found.pk,
                since=data["since"].astimezone(UTC),
                until=until.astimezone(UTC),
                only_missed=data["only_missed"],
            )
        return Response({"replayed": replayed})

    def _with(self, secret: str, response: Response) -> Response:
        response["ETag"] = etag(self.record, response.data)  # Of what is shown from now on.
        return show_once(response, secret=secret)


class DeliveryViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """One event on its way to one webhook, with every attempt; kept for 30 days."""

    model = WebhookDelivery
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilter
    related = ("event",)
    ordering_fields = ("created_at",)
    verbs: ClassVar[dict[str, str]] = {"replay": "change"}

    @extend_schema(request=None, responses=DeliverySerializer)
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Send this event to this webhook once more; one that still waits is tried now.

        409 `webhook_disabled` while the webhook is switched off.
        """
        made = deliveries.replay_delivery(delivery_id=self.get_object().pk, at=timezone.now())
        return Response(DeliverySerializer(made).data)
