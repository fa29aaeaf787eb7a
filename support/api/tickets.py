"""Tickets and their conversations."""

from typing import Any, ClassVar

import django_filters
from django.db.models import Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.fields import (
    BooleanField,
    ChoiceField,
    FormBooleanField,
    FormSerializer,
    HouseSerializer,
    IdField,
    StrictSerializer,
    TextField,
)
from ispcore.api.filters import BooleanFilter, HouseFilterSet
from ispcore.api.parsers import UploadParser
from ispcore.api.request import caller_of
from ispcore.api.views import RecordViewSet, valid
from support.models import RUNNING, CannedAnswer, Comment, Priority, Source, Ticket, TicketStatus
from support.services import desk, tickets
from support.services.tickets.talking import LONGEST

MOST_COMMENTS = 1000


class TicketSerializer(HouseSerializer[Ticket]):
    subject_id = IdField(read_only=True)
    subscriber_id = IdField(read_only=True, allow_null=True)
    service_id = IdField(source="subscription_id", read_only=True, allow_null=True)
    zone_id = IdField(read_only=True, allow_null=True)
    outage_id = IdField(read_only=True, allow_null=True)
    assignee_id = IdField(read_only=True, allow_null=True)
    team_id = IdField(read_only=True, allow_null=True)
    opened_by_id = IdField(read_only=True, allow_null=True)
    merged_into_id = IdField(read_only=True, allow_null=True)

    class Meta:
        model = Ticket
        fields = [
            "id", "number", "subject_id", "title", "priority", "status", "subscriber_id", "service_id", "zone_id",
            "outage_id", "assignee_id", "team_id", "source", "opened_by_id", "due_at", "first_response_due_at",
            "first_responded_at", "waiting_since", "waited_seconds", "escalation_level", "escalated_at", "resolved_at",
            "closed_at", "merged_into_id", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class TicketInput(StrictSerializer):
    subject_id = IdField(help_text="From the catalogue; it tells priority, team and due times.")
    service_id = IdField(
        required=False,
        allow_null=True,
        help_text="What it is about; the customer and the zone are the service's.",
    )
    subscriber_id = IdField(required=False, allow_null=True, help_text="Where it is about no one service.")
    zone_id = IdField(required=False, allow_null=True, help_text="Where no service tells it.")
    title = TextField(required=False, max_length=200, help_text="The subject's name when left out.")
    description = TextField(required=False, max_length=LONGEST, help_text="The first comment.")
    force = BooleanField(
        default=False, help_text="Open it although one of the same service and subject is open."
    )


class TicketChange(StrictSerializer):
    status = ChoiceField(choices=TicketStatus.choices, required=False)
    title = TextField(required=False, max_length=200)
    subject_id = IdField(required=False, help_text="Priority follows, unless it was set by hand.")
    priority = ChoiceField(choices=Priority.choices, required=False)
    assignee_id = IdField(required=False, allow_null=True, help_text="A member of staff; null: nobody.")
    team_id = IdField(required=False, allow_null=True)


class MergeInput(StrictSerializer):
    into_id = IdField(help_text="The ticket that stays open.")


class AttachmentSerializer(serializers.Serializer[Any]):
    file_id = serializers.UUIDField(help_text="Fetched at files/{id}/content.")
    name = serializers.CharField(source="file.name")
    media_type = serializers.CharField(source="file.media_type", help_text="As its content tells.")
    size_bytes = serializers.IntegerField(source="file.size_bytes")


class CommentSerializer(serializers.ModelSerializer[Comment]):
    author_id = serializers.UUIDField(read_only=True, allow_null=True)
    ticket_id = serializers.UUIDField(read_only=True, help_text="That of a merged ticket, for its comments.")
    attachments = AttachmentSerializer(many=True, read_only=True)

    class Meta:
        model = Comment
        fields = [
            "id", "ticket_id", "author_id", "author_name", "source", "body", "is_internal", "said_at", "attachments",
        ]  # fmt: skip
        read_only_fields = fields


class CommentInput(StrictSerializer):
    body = TextField(max_length=LONGEST)
    is_internal = BooleanField(default=False, help_text="The customer never sees it.")
    is_from_customer = BooleanField(
        default=False, help_text="What the customer said: it opens a resolved ticket again and ends a wait."
    )


class AttachmentInput(FormSerializer):
    file = serializers.FileField(
        allow_empty_file=True, help_text="PNG, JPEG, GIF, WebP, PDF or plain text, at most 10 MiB."
    )
    body = TextField(required=False, max_length=LONGEST)
    is_internal = FormBooleanField(required=False, help_text="The customer never sees it.")


class FilledAnswerSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    text = serializers.CharField(help_text="With this ticket's values in the places of the placeholders.")


class TicketFilter(HouseFilterSet):
    subject_id = django_filters.UUIDFilter(field_name="subject_id")
    subscriber_id = django_filters.UUIDFilter(field_name="subscriber_id")
    service_id = django_filters.UUIDFilter(field_name="subscription_id")
    zone_id = django_filters.UUIDFilter(field_name="zone_id")
    outage_id = django_filters.UUIDFilter(field_name="outage_id")
    assignee_id = django_filters.UUIDFilter(field_name="assignee_id")
    team_id = django_filters.UUIDFilter(field_name="team_id")
    status = django_filters.ChoiceFilter(choices=TicketStatus.choices)
    priority = django_filters.ChoiceFilter(choices=Priority.choices)
    is_assigned = BooleanFilter(field_name="assignee", lookup_expr="isnull", exclude=True)
    is_overdue = BooleanFilter(method="narrow_to_overdue")

    class Meta:
        model = Ticket
        fields = {
            "number": ["exact"],
            "due_at": ["gte", "lte"],
            "created_at": ["gte", "lte"],
            "updated_at": ["gte", "lte"],
        }

    def narrow_to_overdue(self, rows: QuerySet[Ticket], name: str, value: bool) -> QuerySet[Ticket]:
        overdue = Q(status__in=RUNNING, due_at__lt=timezone.now())
        return rows.filter(overdue if value else ~overdue)


class TicketViewSet(RecordViewSet):
    """What customers ask for. Due times count the helpdesk's opening hours and stand while it waits.

    The newest first; a list that is narrowed by a time follows that time, the last first.
    """

    model = Ticket
    serializer_class = TicketSerializer
    filterset_class = TicketFilter
    number_field = "number"
    ordering_fields = ("created_at", "updated_at", "due_at")
    verbs: ClassVar[dict[str, str]] = {
        "comments": "view",
        "say": "change",
        "attachments": "change",
        "merge": "change",
        "answers": "view",
    }

    @property
    def ordering(self) -> tuple[str, ...]:
        # By the same index as the bound: in the order of keys, all that came after it would be read first.
        for name in self.ordering_fields:
            if {f"{name}__gte", f"{name}__lte"} & set(self.request.query_params):
                return (f"-{name}", "-id")
        return ("-id",)

    def get_parsers(self) -> list[Any]:
        """Take a form where a file comes, and JSON everywhere else."""
        method = (self.request.method or "").lower() if self.request else ""
        name = getattr(self, "action", None) or getattr(self, "action_map", {}).get(method)
        return [UploadParser()] if name == "attachments" else super().get_parsers()

    @extend_schema(request=TicketInput, responses={201: TicketSerializer})
    def create(self, request: Request) -> Response:
        """Open a ticket.

        409 `duplicate_ticket` when one of the same service and subject is open, unless `force`; 409
        `zone_ticket_limit_reached` when the zone takes no more.
        """
        data = valid(TicketInput(data=request.data))
        user_id = caller_of(request._request).user_id
        opened = tickets.open_ticket(
            subscription_id=data.pop("service_id", None),
            at=timezone.now(),
            user_id=user_id,
            source=Source.STAFF if user_id else Source.API,
            **data,
        )
        return self.show_created(opened)

    @extend_schema(request=TicketChange)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change who has a ticket, what it is about, how urgent it is, and its status.

        open → in_progress ⇄ waiting → resolved → closed; resolved → open. 409 `transition_not_allowed` for others.
        """
        found = self.get_object()
        data = valid(TicketChange(data=request.data))
        user_id = caller_of(request._request).user_id
        return self.show_changed(
            tickets.change_ticket(ticket_id=found.pk, at=timezone.now(), user_id=user_id, **data)
        )

    @extend_schema(responses=CommentSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def comments(self, request: Request, pk: str) -> Response:
        """The conversation, oldest first, with that of tickets merged into this one; the last 1,000 comments."""
        found = self.get_object()
        newest = tickets.conversation_of(found)[:MOST_COMMENTS]
        return Response(CommentSerializer(list(newest)[::-1], many=True).data)

    @extend_schema(request=CommentInput, responses=CommentSerializer)
    @comments.mapping.post
    def say(self, request: Request, pk: str) -> Response:
        """Add to the conversation. 409 `ticket_closed` once the ticket is closed."""
        found = self.get_object()
        data = valid(CommentInput(data=request.data))
        user_id = caller_of(request._request).user_id
        if data.pop("is_from_customer"):
            told: dict[str, Any] = {"source": Source.CUSTOMER}
        else:
            told = {"source": Source.STAFF if user_id else Source.API, "user_id": user_id}
        said = tickets.comment(ticket_id=found.pk, at=timezone.now(), **told, **data)
        return Response(CommentSerializer(said).data)

    @extend_schema(request={"multipart/form-data": AttachmentInput}, responses=CommentSerializer)
    @action(detail=True, methods=["post"])
    def attachments(self, request: Request, pk: str) -> Response:
        """Add a file to the conversation, with a text or without. What it is, its content tells and not its name."""
        found = self.get_object()
        data = valid(AttachmentInput(data=request.data))
        file = data["file"]
        user_id = caller_of(request._request).user_id
        said = tickets.comment(
            ticket_id=found.pk,
            body=data.get("body", ""),
            at=timezone.now(),
            source=Source.STAFF if user_id else Source.API,
            is_internal=data.get("is_internal", False),
            user_id=user_id,
            files=[tickets.Upload(file.name or "", file.chunks())],
        )
        return Response(CommentSerializer(said).data)

    @extend_schema(request=MergeInput, responses=TicketSerializer)
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: str) -> Response:
        """Close a ticket as part of another of the same customer, and answer with that other."""
        found = self.get_object()
        data = valid(MergeInput(data=request.data))
        user_id = caller_of(request._request).user_id
        return self.show_changed(
            tickets.merge(ticket_id=found.pk, at=timezone.now(), user_id=user_id, **data)
        )

    @extend_schema(responses=FilledAnswerSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def answers(self, request: Request, pk: str) -> Response:
        """Ready answers with this ticket's values filled in, by name."""
        found = self.get_object()
        ready = CannedAnswer.objects.filter(is_active=True).order_by("name")
        shown = [
            {"id": each.pk, "name": each.name, "text": desk.filled_in(each.body, ticket=found)}
            for each in ready
        ]
        return Response(FilledAnswerSerializer(shown, many=True).data)
