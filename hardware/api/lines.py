"""What the network knows of a service: its device's status, and whether it answers."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hardware.api.device_status import DeviceStatusSerializer, present_device_status
from hardware.models import Onu
from hardware.services import live, ping
from ispcore.api.request import caller_of
from ispcore.api.views import ApiView, find_by_reference
from ispcore.errors import NotRegistered
from ispcore.jobs.api import TaskErrorSerializer, TaskSerializer, accepted
from ispcore.jobs.models import Job, JobStatus
from ispcore.jobs.results import present
from subscribers.api.lines import find_line

STATUS_WAIT_SECONDS = 15
PING_FIELDS = (
    "verdict", "address", "sent", "received", "loss_percent", "rtt_min_ms", "rtt_avg_ms", "rtt_max_ms",
)  # fmt: skip


class NoDevice(NotRegistered):
    code = "device_not_found"
    message = "No ONU is assigned to service {number}. Authorise one for it, or assign the one it has."


class PingSerializer(serializers.Serializer[Any]):
    """A ping; `verdict` and the numbers are null until it has ended."""

    task_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=JobStatus.choices)
    verdict = serializers.ChoiceField(choices=[each.value for each in ping.Verdict], allow_null=True)
    address = serializers.CharField(allow_null=True)
    sent = serializers.IntegerField(allow_null=True)
    received = serializers.IntegerField(allow_null=True)
    loss_percent = serializers.FloatField(allow_null=True)
    rtt_min_ms = serializers.FloatField(allow_null=True)
    rtt_avg_ms = serializers.FloatField(allow_null=True)
    rtt_max_ms = serializers.FloatField(allow_null=True)
    error = TaskErrorSerializer(allow_null=True)


class LineView(ApiView):
    """Something of one service; `{id}` is an id or a service number."""

    app_label = "hardware"

    def onu(self, pk: str) -> Onu:
        line = find_line(pk)
        onu: Onu | None = (
            Onu.objects.select_related("olt", "pon_port", "subscription").filter(subscription=line).first()
        )
        if onu is None:
            raise NoDevice(number=line.number)
        return onu


class DeviceStatusView(LineView):
    """A service's device, as last read."""

    @extend_schema(responses=DeviceStatusSerializer, operation_id="services_device_status")
    def get(self, request: Request, pk: str) -> Response:
        """Show what was last read of a service's device. 404 `device_not_found` when it has none."""
        return Response(present_device_status(self.onu(pk)))


class LiveDeviceStatusView(LineView):
    """A service's device, read now."""

    verbs: ClassVar[dict[str, str]] = {"get": "operate"}

    @extend_schema(
        responses={200: DeviceStatusSerializer, 202: TaskSerializer},
        operation_id="services_device_status_live",
    )
    def get(self, request: Request, pk: str) -> Response:
        """Read a service's device now, store what it says and show it.

        404 `device_not_found` when the service has none, 503 `device_unreachable` when its OLT does not answer,
        202 with the task when it takes longer than 15 seconds (`Prefer: wait=N`).
        """
        onu = self.onu(pk)
        kind = "signal" if live.has_optics(onu.olt) else "status"
        job = live.request_onu_reading(
            onu_id=onu.pk, kind=kind, user_id=caller_of(request._request).user_id, shown_as="device_status"
        )
        return accepted(request, job, default_wait=STATUS_WAIT_SECONDS)


class PingLineView(LineView):
    """Whether a service's line answers."""

    verbs: ClassVar[dict[str, str]] = {"post": "operate"}

    @extend_schema(
        request=None, responses={200: PingSerializer, 202: TaskSerializer}, operation_id="services_ping"
    )
    def post(self, request: Request, pk: str) -> Response:
        """Ping the address the system knows for a service; answers 202 with the task, see `ping/{id}`.

        409 `no_known_address` when it knows none. `Prefer: wait=N` waits for the verdict.
        """
        job = ping.request_ping(subscription_id=find_line(pk).pk, user_id=caller_of(request._request).user_id)
        return accepted(request, job, default_wait=0)


class PingView(ApiView):
    """A ping that was asked for."""

    app_label = "hardware"

    @extend_schema(responses=PingSerializer, operation_id="ping_retrieve")
    def get(self, request: Request, pk: str) -> Response:
        """Show how far a ping is, and its verdict: `no_internet`, `intermittent` (under 80 %) or `stable`."""
        job = find_by_reference(Job.objects.filter(kind=ping.KIND), pk)
        return Response(show_ping(job))


@present(ping.KIND)
def show_ping(job: Job) -> dict[str, Any]:
    result = job.result or {}
    return {
        "task_id": job.pk,
        "status": job.status,
        **{name: result.get(name) for name in PING_FIELDS},
        "error": {"code": job.error_code, "message": job.error_message} if job.error_code else None,
    }
