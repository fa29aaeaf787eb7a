"""The catalogue of the helpdesk: subjects, teams, ready answers, and whether a zone takes more tickets."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.fields import BooleanField, ChoiceField, HouseSerializer, IdField
from ispcore.api.fields import IntegerField as NumberField
from ispcore.api.filters import HouseFilterSet
from ispcore.api.views import (
    ApiView,
    OneRecordViewSet,
    RecordViewSet,
    created,
    etag,
    find_by_reference,
    valid,
)
from subscribers.models import Zone
from support.models import CannedAnswer, Priority, Subject, Team
from support.models.desk import MOST_DAYS, MOST_HOURS
from support.services import desk, tickets

MOST_URGENT_FIRST = [*reversed(Priority)]


class SubjectSerializer(HouseSerializer[Subject]):
    priority = ChoiceField(choices=Priority.choices, required=False)
    team_id = IdField(required=False, allow_null=True, help_text="Gets its tickets.")
    response_hours = NumberField(
        required=False, min_value=1, max_value=MOST_HOURS, help_text="First answer within, opening hours."
    )
    resolution_days = NumberField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=MOST_DAYS,
        help_text="Business days; null: as the support settings say.",
    )
    position = NumberField(required=False, min_value=0, max_value=32767)
    is_active = BooleanField(required=False)

    class Meta:
        model = Subject
        fields = [
            "id", "name", "priority", "team_id", "response_hours", "resolution_days", "position", "is_active",
            "created_at", "updated_at",
        ]  # fmt: skip


class SubjectGroupSerializer(serializers.Serializer[Any]):
    priority = serializers.ChoiceField(choices=Priority.choices)
    subjects = SubjectSerializer(many=True)


class SubjectsView(ApiView):
    """What tickets are about."""

    app_label = "support"
    verbs: ClassVar[dict[str, str]] = {"post": "delete"}  # Who runs the desk.
    answers_with_record = True

    @extend_schema(responses=SubjectGroupSerializer(many=True), operation_id="support_subjects_list")
    def get(self, request: Request) -> Response:
        """Subjects a new ticket may have, grouped by priority, the most urgent first."""
        rows = list(Subject.objects.filter(is_active=True).order_by("position", "name"))
        groups = [
            {"priority": priority, "subjects": [each for each in rows if each.priority == priority]}
            for priority in MOST_URGENT_FIRST
        ]
        data = SubjectGroupSerializer([one for one in groups if one["subjects"]], many=True).data
        return Response(data, headers={"ETag": etag(Subject(pk=None), data)})

    @extend_schema(
        request=SubjectSerializer, responses={201: SubjectSerializer}, operation_id="support_subjects_create"
    )
    def post(self, request: Request) -> Response:
        """Add a subject to the catalogue."""
        subject = desk.create_subject(**valid(SubjectSerializer(data=request.data)))
        data = SubjectSerializer(subject).data
        answer = created(request, view_name="subject-detail", pk=subject.pk, data=data)
        answer["ETag"] = etag(subject, data)
        return answer


class SubjectViewSet(OneRecordViewSet):
    """One subject of the catalogue."""

    model = Subject
    serializer_class = SubjectSerializer
    verbs: ClassVar[dict[str, str]] = {"partial_update": "delete"}

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a subject; tickets keep the priority and the times they have."""
        found = self.get_object()
        return self.show_changed(desk.change_subject(subject_id=found.pk, **self.input_of_change(found)))

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a subject no ticket ever had; others are switched off with `is_active`."""
        desk.remove(self.get_object())
        return Response(status=204)


class TeamSerializer(HouseSerializer[Team]):
    is_active = BooleanField(required=False)
    member_ids = serializers.ListField(child=IdField(), required=False, max_length=desk.MOST_MEMBERS)

    class Meta:
        model = Team
        fields = ["id", "name", "is_active", "member_ids", "created_at", "updated_at"]

    def to_representation(self, instance: Team) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": str(instance.pk),
            "name": instance.name,
            "is_active": instance.is_active,
            "member_ids": sorted(str(each.user_id) for each in instance.members.all()),
            "created_at": instance.created_at,
            "updated_at": instance.updated_at,
        }
        return shown


class TeamFilter(HouseFilterSet):
    class Meta:
        model = Team
        fields = {"name": ["exact"], "created_at": ["gte", "lte"]}


class TeamViewSet(RecordViewSet):
    """People who share a queue."""

    model = Team
    serializer_class = TeamSerializer
    filterset_class = TeamFilter
    prefetched = ("members",)
    ordering_fields = ("created_at", "name")
    verbs: ClassVar[dict[str, str]] = {"create": "delete", "partial_update": "delete"}

    def create(self, request: Request) -> Response:
        """Add a team."""
        return self.show_created(desk.create_team(**self.input_of_new()))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a team; `member_ids` are all its members from now on."""
        found = self.get_object()
        return self.show_changed(desk.change_team(team_id=found.pk, **self.input_of_change(found)))

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a team without tickets and subjects; others are switched off with `is_active`."""
        desk.remove(self.get_object())
        return Response(status=204)


class CannedAnswerSerializer(HouseSerializer[CannedAnswer]):
    is_active = BooleanField(required=False)

    class Meta:
        model = CannedAnswer
        fields = ["id", "name", "body", "is_active", "created_at", "updated_at"]


class CannedAnswerFilter(HouseFilterSet):
    class Meta:
        model = CannedAnswer
        fields = {"name": ["exact"], "created_at": ["gte", "lte"]}


class CannedAnswerViewSet(RecordViewSet):
    """Texts kept ready. They may name {customer}, {service}, {ticket} and {due}."""

    model = CannedAnswer
    serializer_class = CannedAnswerSerializer
    filterset_class = CannedAnswerFilter
    ordering_fields = ("created_at", "name")

    def create(self, request: Request) -> Response:
        """Keep an answer ready."""
        return self.show_created(desk.create_answer(**self.input_of_new()))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a ready answer."""
        found = self.get_object()
        return self.show_changed(desk.change_answer(answer_id=found.pk, **self.input_of_change(found)))

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a ready answer; comments made of it stay."""
        desk.remove(self.get_object())
        return Response(status=204)


class ZoneBlockedSerializer(serializers.Serializer[Any]):
    zone_id = serializers.UUIDField()
    is_blocked = serializers.BooleanField(help_text="A new ticket would be refused.")
    open_tickets = serializers.IntegerField()
    limit = serializers.IntegerField()


class ZoneBlockedView(ApiView):
    """How many tickets a zone has and takes."""

    app_label = "support"

    @extend_schema(responses=ZoneBlockedSerializer, operation_id="support_zones_blocked_retrieve")
    def get(self, request: Request, pk: str) -> Response:
        """Tell whether a zone takes no more tickets: it has as many open ones as it takes."""
        zone = find_by_reference(Zone.objects.all(), pk)
        return Response(
            ZoneBlockedSerializer({"zone_id": zone.pk, **tickets.zone_state(zone_id=zone.pk)}).data
        )
