from typing import Any, ClassVar
from uuid import UUID

import django_filters
from django.core.validators import RegexValidator
from django.db.models import Q
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hardware import services
from hardware.api.discovery import DiscoverInput
from hardware.api.presets import FIELDS, ProfileFields
from hardware.drivers.provisioning import cli_text
from hardware.models import (
    Onu,
    OnuPreset,
    ProvisioningAction,
    ProvisioningJob,
    ProvisioningStatus,
    StepState,
    WaitingOnu,
)
from hardware.services import provisioning
from ispcore.api.fields import HouseSerializer, IdField, IntegerField, TextField
from ispcore.api.filters import HouseFilterSet
from ispcore.api.request import caller_of
from ispcore.api.views import ApiView, ListModelMixin, RetrieveModelMixin, TenantViewSet, valid
from ispcore.errors import NotRegistered
from ispcore.jobs.api import TaskSerializer, accepted

PROVISION_WAIT_SECONDS = 30
OUTCOMES = ("authorised", "removed", "restarted", "rolled_back")

SERIAL = RegexValidator(
    r"^[A-Za-z0-9](?:[A-Za-z0-9:.-]{4,30})[A-Za-z0-9]\Z",
    "A serial as on the label, such as HWTC12345678, or a MAC address.",
)
PON_PORT = RegexValidator(r"^[0-9]{1,3}(?:/[0-9]{1,3}){0,3}\Z", "A port such as 0/1/0.")


class OnuNotKnown(NotRegistered):
    code = "onu_not_known"
    message = "{olt} lists no such ONU. Discover the OLT if it was added lately."


class OnuPresetUnknown(NotRegistered):
    message = "There is no such preset."
    field = "preset_id"


class OnuAuthorizeInput(ProfileFields, DiscoverInput):
    """Which ONU on which port, for which service, and how it is served: by a preset, field by field, or both."""

    serial = TextField(max_length=32, validators=[SERIAL])
    pon_port = TextField(max_length=32, validators=[PON_PORT], help_text="Shelf/slot/port, such as 0/1/0.")
    service_id = IdField(required=False, help_text="The service it shall feed.")
    preset_id = IdField(required=False)
    description = TextField(required=False, allow_blank=True, max_length=64, help_text="Kept on the OLT.")
    onu_number = IntegerField(
        required=False, min_value=0, max_value=255, help_text="Its number on the port; left out, a free one."
    )

    def validate_description(self, value: str) -> str:
        try:
            return cli_text(value) if value else value
        except ValueError as error:
            raise serializers.ValidationError(f"{error}.", code="invalid") from error


class OnuUnauthorizeInput(DiscoverInput):
    """Which ONU: by its serial, or by its index on the OLT."""

    serial = TextField(required=False, max_length=32, validators=[SERIAL])
    index = TextField(required=False, max_length=40, help_text="Shelf/slot/port/ONU, such as 0/1/0/3.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if not attrs.get("serial") and not attrs.get("index"):
            raise serializers.ValidationError(
                {"serial": "Name the ONU by `serial` or by `index`."}, code="required"
            )
        return attrs


class ProvisioningResultSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=OUTCOMES)
    already = serializers.BooleanField(help_text="It was so before anything was sent.")
    provisioning_job_id = serializers.UUIDField()
    olt_id = serializers.UUIDField()
    onu_id = serializers.UUIDField(allow_null=True)
    service_id = serializers.UUIDField(allow_null=True)
    serial = serializers.CharField()
    pon_port = serializers.CharField()
    onu_number = serializers.IntegerField(allow_null=True)
    service_port = serializers.CharField(help_text="The number of the service port that the device drew.")


ANSWERS = {200: ProvisioningResultSerializer, 202: TaskSerializer}


class OnuAuthorizeView(ApiView):
    """Take an ONU into service."""

    app_label = "hardware"
    verbs: ClassVar[dict[str, str]] = {"post": "operate"}

    @extend_schema(request=OnuAuthorizeInput, responses=ANSWERS, operation_id="hardware_onu_authorize")
    def post(self, request: Request) -> Response:
        """Add an ONU to an OLT, with its profiles, its VLAN and the service it feeds.

        What is so already succeeds with `already`. Runs in the background; the answer waits up to 30 seconds
        (`Prefer: wait=N`) and is 202 with the task when it takes longer. The plan and what was said to the
        device stand in `hardware/provisioning-jobs`.
        """
        data = valid(OnuAuthorizeInput(data=request.data))
        olt = services.find_olt(**_olt_named_by(data))
        change = provisioning.request_authorize(
            olt=olt,
            pon_port=data["pon_port"],
            serial=data["serial"],
            preset=_preset(data.get("preset_id")),
            fields={name: data[name] for name in FIELDS if name in data},
            subscription_id=data.get("service_id"),
            description=data.get("description", ""),
            onu_number=data.get("onu_number"),
            user_id=caller_of(request._request).user_id,
        )
        return _accepted(request, change)


class OnuUnauthorizeView(ApiView):
    """Take an ONU out of service."""

    app_label = "hardware"
    verbs: ClassVar[dict[str, str]] = {"post": "operate"}

    @extend_schema(request=OnuUnauthorizeInput, responses=ANSWERS, operation_id="hardware_onu_unauthorize")
    def post(self, request: Request) -> Response:
        """Delete an ONU from its OLT, its service ports first; what is gone already succeeds with `already`."""
        data = valid(OnuUnauthorizeInput(data=request.data))
        olt = services.find_olt(**_olt_named_by(data))
        named = Q()
        if "serial" in data:
            named &= Q(serial=data["serial"].upper())
        if "index" in data:
            named &= Q(index=data["index"])
        onus = Onu.objects.filter(named, olt=olt).select_related("olt", "pon_port", "subscription")
        # Of several that had one index, the one that has it now.
        onu = onus.order_by("-last_seen_at").first()
        if onu is None:
            raise OnuNotKnown(olt=olt.name)
        change = provisioning.request_unauthorize(onu=onu, user_id=caller_of(request._request).user_id)
        return _accepted(request, change)


class WaitingOnuSerializer(HouseSerializer[WaitingOnu]):
    olt_id = serializers.UUIDField(read_only=True)

    class Meta:
        model = WaitingOnu
        fields = [
            "id", "olt_id", "pon_port", "serial", "equipment_id", "software", "first_seen_at", "last_seen_at",
        ]  # fmt: skip


class WaitingOnuFilter(HouseFilterSet):
    olt_id = django_filters.UUIDFilter(field_name="olt_id")

    class Meta:
        model = WaitingOnu
        fields = {"serial": ["exact"], "pon_port": ["exact"]}


class WaitingOnuViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """ONUs that OLTs see and nobody has authorised, as they were last read."""

    model = WaitingOnu
    serializer_class = WaitingOnuSerializer
    filterset_class = WaitingOnuFilter
    ordering_fields = ("serial", "pon_port", "first_seen_at", "last_seen_at")
    search_fields = ("serial", "equipment_id")


class PlannedStepSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    commands = serializers.ListField(child=serializers.CharField(), help_text="What is sent, secrets masked.")
    undo = serializers.ListField(child=serializers.CharField(), help_text="What takes it back.")
    state = serializers.ChoiceField(choices=StepState.choices)


class ProvisioningJobSerializer(HouseSerializer[ProvisioningJob]):
    task_id = serializers.UUIDField(source="job_id", read_only=True, allow_null=True)
    olt_id = serializers.UUIDField(read_only=True)
    onu_id = serializers.UUIDField(read_only=True, allow_null=True)
    service_id = serializers.UUIDField(source="subscription_id", read_only=True, allow_null=True)
    preset_id = serializers.UUIDField(read_only=True, allow_null=True)

    class Meta:
        model = ProvisioningJob
        fields = [
            "id", "task_id", "action", "status", "olt_id", "onu_id", "service_id", "preset_id", "serial", "pon_port",
            "onu_number", "description", "is_already", "service_port", "steps_done", "error_code", "message",
            "created_at", "started_at", "finished_at",
        ]  # fmt: skip


class ProvisioningJobDetailSerializer(ProvisioningJobSerializer):
    """One change with its plan and what was said."""

    plan = serializers.SerializerMethodField()

    class Meta(ProvisioningJobSerializer.Meta):
        fields = [*ProvisioningJobSerializer.Meta.fields, "plan", "transcript"]

    @extend_schema_field(PlannedStepSerializer(many=True))
    def get_plan(self, change: ProvisioningJob) -> list[dict[str, Any]]:
        return list(change.plan)


class ProvisioningJobFilter(HouseFilterSet):
    olt_id = django_filters.UUIDFilter(field_name="olt_id")
    onu_id = django_filters.UUIDFilter(field_name="onu_id")
    action = django_filters.ChoiceFilter(choices=ProvisioningAction.choices)
    status = django_filters.ChoiceFilter(choices=ProvisioningStatus.choices)

    class Meta:
        model = ProvisioningJob
        fields = {"serial": ["exact"], "created_at": ["gte", "lte"]}


class ProvisioningJobViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Changes to ONUs: what was planned, what was said to the device, how it ended."""

    model = ProvisioningJob
    serializer_class = ProvisioningJobSerializer
    filterset_class = ProvisioningJobFilter
    ordering_fields = ("created_at", "finished_at")
    search_fields = ("serial", "description")
    verbs: ClassVar[dict[str, str]] = {"resume": "operate", "roll_back": "operate"}

    def get_serializer_class(self) -> type[ProvisioningJobSerializer]:
        return ProvisioningJobSerializer if self.action == "list" else ProvisioningJobDetailSerializer

    @extend_schema(request=None, responses=ANSWERS)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Take a failed change up again from the step that failed; a step of unknown outcome is sent again."""
        user_id = caller_of(request._request).user_id
        return _accepted(request, provisioning.resume(provisioning_id=self.get_object().pk, user_id=user_id))

    @extend_schema(request=None, responses=ANSWERS)
    @action(detail=True, methods=["post"], url_path="roll-back")
    def roll_back(self, request: Request, pk: str) -> Response:
        """Undo the steps of a failed authorisation, last first; what was so before it stays."""
        user_id = caller_of(request._request).user_id
        return _accepted(
            request, provisioning.roll_back(provisioning_id=self.get_object().pk, user_id=user_id)
        )


def reboot_onu(request: Request, onu: Onu) -> Response:
    """Queue an ONU's restart and answer with its task."""
    return _accepted(
        request, provisioning.request_reboot(onu=onu, user_id=caller_of(request._request).user_id)
    )


def _accepted(request: Request, change: ProvisioningJob) -> Response:
    assert change.job is not None
    return accepted(request, change.job, default_wait=PROVISION_WAIT_SECONDS)


def _olt_named_by(data: dict[str, Any]) -> dict[str, Any]:
    return {name: data[name] for name in ("olt_id", "ip", "community", "vendor") if name in data}


def _preset(preset_id: UUID | None) -> OnuPreset | None:
    if preset_id is None:
        return None
    preset: OnuPreset | None = OnuPreset.objects.filter(pk=preset_id).first()
    if preset is None:
        raise OnuPresetUnknown
    return preset
