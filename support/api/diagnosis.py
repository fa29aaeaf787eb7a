"""Why a service is offline, over the API."""

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.request import caller_of
from ispcore.api.views import ApiView
from ispcore.tenants.roles import allows
from subscribers.api.lines import find_line
from support.services.diagnosis import Action, ActionCode, Cause, StepName, StepStatus, diagnose

# Where each action is done: {id} is the record it is done to, {service} the service that was diagnosed.
OPERATIONS: dict[ActionCode, tuple[str, str]] = {
    ActionCode.ACTIVATE_SERVICE: ("POST", "services/{id}/activate"),
    ActionCode.LIFT_HOLD: ("POST", "services/{id}/resume"),
    ActionCode.RECORD_PAYMENT: ("POST", "billing/payments"),
    ActionCode.TAKE_PROMISE: ("POST", "billing/dunning/promises"),
    ActionCode.MAKE_ACCOUNT: ("POST", "aaa/accounts"),
    ActionCode.ENABLE_ACCOUNT: ("PATCH", "aaa/accounts/{id}"),
    ActionCode.CHANGE_ACCOUNT: ("PATCH", "aaa/accounts/{id}"),
    ActionCode.ADD_TOP_UP: ("POST", "aaa/top-ups"),
    ActionCode.FORGET_DEVICE: ("PATCH", "aaa/accounts/{id}"),
    ActionCode.OPEN_ACCOUNT: ("GET", "aaa/accounts/{id}"),
    ActionCode.DISCONNECT_SESSION: ("POST", "aaa/disconnect"),
    ActionCode.OPEN_NAS: ("GET", "aaa/nas/{id}/health"),
    ActionCode.ALLOCATE_ADDRESS: ("POST", "ipam/allocate"),
    ActionCode.OPEN_POOL: ("GET", "ipam/pools/{id}"),
    ActionCode.READ_ONU: ("GET", "services/{service}/device/status/live"),
    ActionCode.RESTART_ONU: ("POST", "hardware/onus/{id}/reboot"),
    ActionCode.FIND_ONU: ("GET", "hardware/waiting-onus"),
    ActionCode.DISCOVER_OLT: ("POST", "hardware/olt/discover"),
    ActionCode.OPEN_OUTAGE: ("GET", "hardware/outages/{id}"),
    ActionCode.PING_SERVICE: ("POST", "services/{id}/ping"),
}


class DiagnosisActionSerializer(serializers.Serializer[Any]):
    """What helps: the operation of this API that does it, and whether the caller's role allows it."""

    code = serializers.ChoiceField(choices=ActionCode.choices)
    label = serializers.CharField()  # type: ignore[assignment]
    method = serializers.ChoiceField(choices=["GET", "POST", "PATCH"])
    path = serializers.CharField(help_text="Below /api/v1/.")
    target_id = serializers.UUIDField(help_text="The record it is done to.")
    permission = serializers.CharField()
    is_allowed = serializers.BooleanField()


class DiagnosisStepSerializer(serializers.Serializer[Any]):
    """One thing that was looked at; `is_blamed` marks the one the verdict speaks of."""

    step = serializers.ChoiceField(choices=StepName.choices)
    status = serializers.ChoiceField(choices=StepStatus.choices)
    fact = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    observed_at = serializers.DateTimeField(
        allow_null=True, help_text="When this was so; null: it was never seen."
    )
    is_blamed = serializers.BooleanField()
    action = DiagnosisActionSerializer(allow_null=True)


class DiagnosisSerializer(serializers.Serializer[Any]):
    """Why a service is offline, in a sentence and step by step."""

    service_id = serializers.UUIDField()
    service_number = serializers.IntegerField()
    diagnosed_at = serializers.DateTimeField()
    verdict_code = serializers.ChoiceField(choices=Cause.choices)
    verdict = serializers.CharField()
    action = DiagnosisActionSerializer(allow_null=True)
    steps = DiagnosisStepSerializer(many=True)


class DiagnosisView(ApiView):
    """Why a service is offline; `{id}` is an id or a service number."""

    app_label = "support"
    verbs: ClassVar[dict[str, str]] = {"get": "view"}

    @extend_schema(responses=DiagnosisSerializer, operation_id="support_diagnosis")
    def get(self, request: Request, pk: str) -> Response:
        """Say why a service is offline: service, holds and money, RADIUS, session, address, ONU, PON port, outage.

        From what is on record, with its age: no device is asked. Amounts are left out for roles that may not see
        billing.
        """
        line = find_line(pk)
        role = caller_of(request._request).role
        found = diagnose(
            subscription_id=line.pk, at=timezone.now(), with_amounts=allows(role, "billing", "view")
        )

        def shown(action: Action | None) -> dict[str, Any] | None:
            if action is None:
                return None
            method, path = OPERATIONS[action.code]
            app_label, _, verb = action.permission.partition(".")
            return {
                "code": action.code,
                "label": action.label,
                "method": method,
                "path": path.format(id=action.target_id, service=line.pk),
                "target_id": action.target_id,
                "permission": action.permission,
                "is_allowed": allows(role, app_label, verb),
            }

        answer = {
            "service_id": line.pk,
            "service_number": line.number,
            "diagnosed_at": found.at,
            "verdict_code": found.verdict_code,
            "verdict": found.verdict,
            "action": shown(found.action),
            "steps": [
                {
                    "step": step.step,
                    "status": step.status,
                    "fact": step.fact,
                    "source": step.source,
                    "observed_at": step.observed_at,
                    "is_blamed": step.is_blamed,
                    "action": shown(step.action),
                }
                for step in found.steps
            ],
        }
        return Response(DiagnosisSerializer(answer).data)
