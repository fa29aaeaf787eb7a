"""Pings: asked for, then looked at until they have a verdict."""

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from compat.wisphub.clients import line_with_number
from compat.wisphub.shapes import Action, BackendResponse, failed, informed, succeeded
from compat.wisphub.views.base import WispHubView, number_in, said
from hardware.services import ping
from hardware.services.ping import Verdict
from ispcore.api.request import caller_of
from ispcore.api.views import criteria_of, valid
from ispcore.errors import DomainError
from ispcore.jobs.models import Job, JobStatus

VERDICTS = {
    Verdict.STABLE: succeeded(Action.STABLE_CONNECTION),
    Verdict.INTERMITTENT: informed(Action.INTERMITTENT_CONNECTION),
    Verdict.NO_INTERNET: informed(Action.NO_INTERNET),
}


class PingInput(serializers.Serializer[Any]):
    pings = serializers.IntegerField(min_value=1, max_value=ping.MOST_PACKETS)


class PingLineView(WispHubView):
    app_label = "hardware"
    verbs: ClassVar[dict[str, str]] = {"post": "operate"}

    def post(self, request: Request, service_id: str) -> Response:
        """Begin a ping of a service's address with so many packets, and name its task."""
        number_in("service_id", service_id)
        data = valid(PingInput(data=request.data))
        line = line_with_number(service_id)
        if line is None:
            return said(informed(Action.CLIENT_NOT_FOUND, message="Client not found"))
        try:
            job = ping.request_ping(
                subscription_id=line.pk,
                user_id=caller_of(request._request).user_id,
                packets=data["pings"],
            )
        except DomainError as refusal:
            return said(failed(Action.PING_FAILED, str(refusal)))
        return said(succeeded(Action.PING_CREATED, {"task_id": str(job.pk)}))


class PingView(WispHubView):
    app_label = "hardware"

    def get(self, request: Request, task_id: str) -> Response:
        """Tell how a ping ended; `ping_created` while it has not. 404 `ping_failed` for one there is not."""
        criteria = criteria_of(task_id, number_field=None)
        job = Job.objects.filter(kind=ping.KIND, **criteria).first() if criteria else None
        if job is None:
            return said(failed(Action.PING_FAILED, "There is no such ping."), 404)
        return said(_shown(job))


def _shown(job: Job) -> BackendResponse:
    if job.is_active:
        return informed(Action.PING_CREATED, {"task_id": str(job.pk)}, "Pending: ask again in a few seconds.")
    if job.status != JobStatus.SUCCEEDED or job.result is None:
        return failed(Action.PING_FAILED, job.error_message or None)
    return VERDICTS[Verdict(job.result["verdict"])]
