"""What customers are told: the log, texts of one's own, who wants what, and one text to many."""

from typing import ClassVar

import django_filters
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import Language
from ispcore.api.fields import (
    BooleanField,
    ChoiceField,
    HouseSerializer,
    IdField,
    IntegerField,
    StrictSerializer,
)
from ispcore.api.fields import TextField as WordsField
from ispcore.api.filters import BooleanFilter, HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import ListModelMixin, RecordViewSet, RetrieveModelMixin, TenantViewSet, valid
from subscribers.models import SubscriberStatus
from support.models import (
    Channel,
    Consent,
    MassMessage,
    MassState,
    Notice,
    NoticeKind,
    NoticeStatus,
    NoticeTemplate,
    Purpose,
)
from support.models.notices import MOST_RECIPIENTS
from support.services.notices import consent, mass, templates

MOST_BODY = 4000


class NoticeSerializer(HouseSerializer[Notice]):
    subscriber_id = serializers.UUIDField(read_only=True)
    mass_message_id = serializers.UUIDField(read_only=True, allow_null=True)
    kind = serializers.ChoiceField(choices=NoticeKind.choices, read_only=True)
    channel = serializers.ChoiceField(choices=Channel.choices, read_only=True)
    purpose = serializers.ChoiceField(choices=Purpose.choices, read_only=True)
    status = serializers.ChoiceField(choices=NoticeStatus.choices, read_only=True)

    class Meta:
        model = Notice
        fields = [
            "id", "subscriber_id", "kind", "source", "channel", "purpose", "address", "subject", "body",
            "mass_message_id", "status", "detail", "attempts", "send_after", "sent_at", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class NoticeFilter(HouseFilterSet):
    subscriber_id = django_filters.UUIDFilter(field_name="subscriber_id")
    mass_message_id = django_filters.UUIDFilter(field_name="mass_message_id")
    kind = django_filters.ChoiceFilter(choices=NoticeKind.choices)
    channel = django_filters.ChoiceFilter(choices=Channel.choices)
    status = django_filters.ChoiceFilter(choices=NoticeStatus.choices)

    class Meta:
        model = Notice
        fields = {"created_at": ["gte", "lte"]}


class NoticeViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """One message to one customer each: whether it was sent, and why not."""

    model = Notice
    serializer_class = NoticeSerializer
    filterset_class = NoticeFilter
    ordering_fields = ("created_at",)


class NoticeTemplateSerializer(HouseSerializer[NoticeTemplate]):
    kind = ChoiceField(choices=NoticeKind.choices)
    language = ChoiceField(choices=Language.choices, required=False)
    channel = ChoiceField(choices=Channel.choices, required=False)
    subject = WordsField(
        required=False, allow_blank=True, max_length=templates.MOST_SUBJECT, help_text="Of an e-mail."
    )
    body = WordsField(max_length=MOST_BODY)
    is_active = BooleanField(required=False, help_text="`false`: nobody is told of this event in this way.")

    class Meta:
        model = NoticeTemplate
        fields = [
            "id", "kind", "language", "channel", "subject", "body", "is_active", "created_at", "updated_at",
        ]  # fmt: skip


class NoticeTemplateFilter(HouseFilterSet):
    kind = django_filters.ChoiceFilter(choices=NoticeKind.choices)
    channel = django_filters.ChoiceFilter(choices=Channel.choices)
    is_active = BooleanFilter()

    class Meta:
        model = NoticeTemplate
        fields = {"created_at": ["gte", "lte"]}


class NoticeTemplateViewSet(RecordViewSet):
    """A provider's own texts; where there is none, the one that comes with the product is sent."""

    model = NoticeTemplate
    serializer_class = NoticeTemplateSerializer
    filterset_class = NoticeTemplateFilter
    ordering_fields = ("created_at",)
    verbs: ClassVar[dict[str, str]] = {"create": "delete", "partial_update": "delete"}

    def create(self, request: Request) -> Response:
        """Use a text of one's own for an event. 422 `validation_error` for a placeholder the event does not know."""
        return self.show_created(templates.create_template(**self.input_of_new()))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a text; what waits to be sent keeps the old one."""
        found = self.get_object()
        return self.show_changed(
            templates.change_template(template_id=found.pk, **self.input_of_change(found))
        )

    def destroy(self, request: Request, pk: str) -> Response:
        """Go back to the text that comes with the product."""
        templates.remove_template(template_id=self.get_object().pk)
        return Response(status=204)


class ConsentSerializer(HouseSerializer[Consent]):
    subscriber_id = IdField()
    channel = ChoiceField(choices=Channel.choices)
    purpose = ChoiceField(choices=Purpose.choices)
    is_given = BooleanField()

    class Meta:
        model = Consent
        fields = [
            "id", "subscriber_id", "channel", "purpose", "is_given", "said_at", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["said_at"]


class ConsentFilter(HouseFilterSet):
    subscriber_id = django_filters.UUIDFilter(field_name="subscriber_id")

    class Meta:
        model = Consent
        fields = {"created_at": ["gte", "lte"]}


class ConsentViewSet(RecordViewSet):
    """What customers said of being written to.

    Without a record one may write of the service, and of marketing as the customer's own record says.
    """

    model = Consent
    serializer_class = ConsentSerializer
    filterset_class = ConsentFilter
    ordering_fields = ("created_at",)

    def create(self, request: Request) -> Response:
        """Write down what a customer said; their last word on a channel and purpose counts."""
        return self.show_created(consent.set_consent(at=timezone.now(), **self.input_of_new()))


class MassMessageSerializer(HouseSerializer[MassMessage]):
    channel = ChoiceField(choices=Channel.choices, required=False)
    purpose = ChoiceField(choices=Purpose.choices, required=False)
    subject = WordsField(
        required=False, allow_blank=True, max_length=templates.MOST_SUBJECT, help_text="Of an e-mail."
    )
    body = WordsField(max_length=MOST_BODY)
    status = ChoiceField(
        choices=SubscriberStatus.choices, required=False, allow_blank=True, help_text="Empty: all."
    )
    zone_id = IdField(required=False, allow_null=True, help_text="Only customers with a service there.")
    plan_id = IdField(required=False, allow_null=True, help_text="Only customers with a service of it.")
    cap = IntegerField(required=False, min_value=1, max_value=MOST_RECIPIENTS)
    state = serializers.ChoiceField(choices=MassState.choices, read_only=True)

    class Meta:
        model = MassMessage
        fields = [
            "id", "name", "channel", "purpose", "subject", "body", "status", "zone_id", "plan_id", "cap", "state",
            "counted", "counted_at", "approved_at", "written", "finished_at", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["counted", "counted_at", "approved_at", "written", "finished_at"]


class ApproveInput(StrictSerializer):
    count = IntegerField(min_value=0, max_value=10**9, help_text="As many customers as were counted.")


class MassMessageFilter(HouseFilterSet):
    state = django_filters.ChoiceFilter(choices=MassState.choices)

    class Meta:
        model = MassMessage
        fields = {"created_at": ["gte", "lte"]}


class MassMessageViewSet(RecordViewSet):
    """One text to many: drafted, counted, approved by that count, sent to no more than its cap."""

    model = MassMessage
    serializer_class = MassMessageSerializer
    filterset_class = MassMessageFilter
    ordering_fields = ("created_at",)
    verbs: ClassVar[dict[str, str]] = dict.fromkeys(
        ("create", "partial_update", "count", "approve", "cancel"), "delete"
    )

    def create(self, request: Request) -> Response:
        """Draft a message; nobody gets it yet."""
        return self.show_created(mass.create(**self.input_of_new()))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a draft; it must be counted anew. 409 `mass_message_fixed` once it is approved."""
        found = self.get_object()
        return self.show_changed(mass.change(message_id=found.pk, **self.input_of_change(found)))

    @extend_schema(request=None, responses=MassMessageSerializer)
    @action(detail=True, methods=["post"])
    def count(self, request: Request, pk: str) -> Response:
        """Count who would get it: those it is for who have an address and agreed."""
        return self.show_changed(mass.count(message_id=self.get_object().pk, at=timezone.now()))

    @extend_schema(request=ApproveInput, responses=MassMessageSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Let it go out. 409 `mass_message_count_differs` when others would get it than were counted."""
        found = self.get_object()
        data = valid(ApproveInput(data=request.data))
        message, _ = mass.approve(
            message_id=found.pk,
            count=data["count"],
            at=timezone.now(),
            user_id=caller_of(request._request).user_id,
        )
        return self.show_changed(message)

    @extend_schema(request=None, responses=MassMessageSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Call it off: what has left stays sent, what waits is not sent."""
        return self.show_changed(mass.cancel(message_id=self.get_object().pk, at=timezone.now()))
