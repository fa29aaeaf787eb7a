import re
from typing import Any, ClassVar

import django_filters
from django.http import HttpRequest
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from ispcore.api.filters import HouseFilterSet
from ispcore.api.views import ListModelMixin, RetrieveModelMixin, TenantViewSet
from ispcore.jobs import services
from ispcore.jobs.models import Job, JobStatus
from ispcore.jobs.results import result_of

MAX_WAIT_SECONDS = 60


class ProgressSerializer(serializers.Serializer[Any]):
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    message = serializers.CharField()


class TaskErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()


@extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
class ResultField(serializers.JSONField):
    """What a run came to, in the words of its kind."""


class TaskSerializer(serializers.ModelSerializer[Job]):
    """A background run as the API shows it."""

    progress = serializers.SerializerMethodField()
    result = ResultField(read_only=True)
    error = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = [
            "id", "kind", "label", "status", "progress", "result", "error", "created_at", "started_at",
            "finished_at",
        ]  # fmt: skip

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, job: Job) -> dict[str, Any]:
        return {"done": job.progress_done, "total": job.progress_total, "message": job.progress_message}

    @extend_schema_field(TaskErrorSerializer(allow_null=True))
    def get_error(self, job: Job) -> dict[str, Any] | None:
        return {"code": job.error_code, "message": job.error_message} if job.error_code else None


class TaskDetailSerializer(TaskSerializer):
    """One background run with its whole result."""

    def to_representation(self, job: Job) -> dict[str, Any]:
        return {**super().to_representation(job), "result": result_of(job)}


class TaskFilter(HouseFilterSet):
    status = django_filters.ChoiceFilter(choices=JobStatus.choices)

    class Meta:
        model = Job
        fields = {"kind": ["exact"], "created_at": ["gte", "lte"]}


class TaskViewSet(ListModelMixin, RetrieveModelMixin, TenantViewSet):
    """Background runs: discovery, billing runs, imports; poll one for its progress and result."""

    model = Job
    serializer_class = TaskSerializer
    filterset_class = TaskFilter
    ordering_fields = ("created_at", "finished_at")
    search_fields = ("label", "kind")
    verbs: ClassVar[dict[str, str]] = {"cancel": "change"}

    def get_serializer_class(self) -> type[TaskSerializer]:
        return TaskSerializer if self.action == "list" else TaskDetailSerializer

    @extend_schema(request=None, responses=TaskDetailSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End a run that has not ended; it stops at its next step."""
        job = self.get_object()
        services.cancel(job_id=job.pk)
        job.refresh_from_db()
        return Response(self.get_serializer(job).data)


def accepted(request: Request, job: Job, *, default_wait: int) -> Response:
    """Answer 202 with the task; the middleware then waits, outside the transaction, for its end.

    `Prefer: wait=N` (RFC 7240 §4.3) sets the seconds, at most 60; `respond-async` is 0.
    """
    request._request.job_wait = preferred_wait(request._request, default=default_wait)  # type: ignore[attr-defined]
    location = f"/api/v1/tasks/{job.pk}"
    response = Response(TaskSerializer(job).data, status=202, headers={"Location": location})
    response.job_id = job.pk  # type: ignore[attr-defined]
    return response


def preferred_wait(request: HttpRequest, *, default: int) -> int:
    prefer = request.headers.get("Prefer", "")
    if re.search(r"\brespond-async\b", prefer):
        return 0
    wait = re.search(r"\bwait=0*(\d+)\b", prefer, re.ASCII)
    if wait is None:
        return default
    return min(int(wait[1][:4]), MAX_WAIT_SECONDS)
