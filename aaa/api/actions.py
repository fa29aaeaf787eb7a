from typing import Any, ClassVar

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aaa.models import ActionCause, ActionKind, ActionOutcome, ActionState, SessionAction
from aaa.services.actions import live_sessions, request_job
from ispcore.api.fields import HouseSerializer, IdField, StrictSerializer
from ispcore.api.filters import HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import ApiView, ListModelMixin, RetrieveModelMixin, TenantViewSet, valid
from ispcore.jobs.api import TaskSerializer, accepted

STEER_WAIT_SECONDS = 15


class SteerInput(StrictSerializer):
    """Whose live sessions: one session, all of an account, or all of a service."""

    session_id = IdField(required=False)
    account_id = IdField(required=False)
    service_id = IdField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            message = "Name exactly one of `session_id`, `account_id` and `service_id`."
            raise serializers.ValidationError({"session_id": message}, code="required")
        return attrs


class SteeredSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="Of the action, for `aaa/actions`.")
    kind = serializers.ChoiceField(choices=ActionKind.choices, help_text="What was sent in the end.")
    session_id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=ActionState.choices)
    outcome = serializers.ChoiceField(choices=ActionOutcome.choices, allow_blank=True)
    error_cause = serializers.IntegerField(allow_null=True, help_text="Error-Cause of RFC 5176, section 3.5.")
    message = serializers.CharField()


class SteeringSerializer(serializers.Serializer[Any]):
    done = serializers.IntegerField()
    failed = serializers.IntegerField()
    pending = serializers.IntegerField(help_text="To be tried again: the NAS is busy or silent.")
    actions = SteeredSerializer(many=True)


ANSWERS = {200: SteeringSerializer, 202: TaskSerializer}


class _SteerView(ApiView):
    app_label = "aaa"
    verbs: ClassVar[dict[str, str]] = {"post": "operate"}
    kind: ClassVar[ActionKind]

    def steer(self, request: Request) -> Response:
        data = valid(SteerInput(data=request.data))
        job = request_job(
            kind=self.kind,
            sessions=live_sessions(**data),
            cause=ActionCause.API,
            user_id=caller_of(request._request).user_id,
        )
        return accepted(request, job, default_wait=STEER_WAIT_SECONDS)


class CoaView(_SteerView):
    """Give live sessions what their account has now."""

    kind = ActionKind.COA

    @extend_schema(request=SteerInput, responses=ANSWERS, operation_id="aaa_coa")
    def post(self, request: Request) -> Response:
        """Send a CoA-Request with the account's policy for each live session named.

        A NAS that cannot do it is sent a Disconnect-Request instead, so that the next log-in brings it. The answer
        waits up to 15 seconds (`Prefer: wait=N`) and is 202 with the task when it takes longer.
        """
        return self.steer(request)


class DisconnectView(_SteerView):
    """End live sessions."""

    kind = ActionKind.DISCONNECT

    @extend_schema(request=SteerInput, responses=ANSWERS, operation_id="aaa_disconnect")
    def post(self, request: Request) -> Response:
        """Send a Disconnect-Request for each live session named; one that the NAS does not know any more is done.

        The answer waits up to 15 seconds (`Prefer: wait=N`) and is 202 with the task when it takes longer.
        """
        return self.steer(request)


class SessionActionSerializer(HouseSerializer[SessionAction]):
    account_id = serializers.UUIDField(read_only=True, allow_null=True)
    nas_id = serializers.UUIDField(read_only=True)

    class Meta:
        model = SessionAction
        fields = [
            "id", "kind", "cause", "state", "outcome", "error_cause", "message", "session_id", "account_id", "nas_id",
            "attempts", "next_at", "created_at", "sent_at", "finished_at",
        ]  # fmt: skip


class SessionActionFilter(HouseFilterSet):
    session_id = django_filters.UUIDFilter(field_name="session_id")
    account_id = django_filters.UUIDFilter(field_name="account_id")
    nas_id = django_filters.UUIDFilter(field_name="nas_id")
    kind = django_filters.ChoiceFilter(choices=ActionKind.choices)
    cause = django_filters.ChoiceFilter(choices=ActionCause.choices)
    state = django_filters.ChoiceFilter(choices=ActionState.choices)
    outcome = django_filters.ChoiceFilter(choices=[choice for choice in ActionOutcome.choices if choice[0]])

    class Meta:
        model = SessionAction
        fields = {"created_at": ["gte", "lte"], "finished_at": ["gte", "lte"]}


class SessionActionViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """What NASes were asked about live sessions, by whom or why, and what came of it."""

    model = SessionAction
    serializer_class = SessionActionSerializer
    filterset_class = SessionActionFilter
    ordering_fields = ("created_at", "next_at", "finished_at")
    ordering = ("-created_at", "-id")
