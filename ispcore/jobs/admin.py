from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from ispcore.admin import dashboard, downloads, links, navigation, results
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import ReadOnlyAdmin
from ispcore.admin.formats import DASH, choice_column, duration, meter, moment, pill, readable, time_column
from ispcore.admin.site import register
from ispcore.jobs import services
from ispcore.jobs.models import ACTIVE, Job, JobStatus

TONES = {
    JobStatus.QUEUED: "plain",
    JobStatus.RUNNING: "info",
    JobStatus.SUCCEEDED: "good",
    JobStatus.FAILED: "danger",
    JobStatus.CANCELLED: "warning",
}
ADVICE = {
    "device_unreachable": "Check that the device has power and network, and that its address, SNMP port and "
    "community are right; then try again.",
    "device_unreadable": "The device answered, but not with what was asked. Check the SNMP version, then "
    "try again.",
    "unexpected_device": "Correct the vendor or the address of the OLT, then try again.",
    "dependency_unavailable": "Something this server needs was away. Try again in a minute; if it stays so, "
    "tell the platform's operator.",
    "worker_lost": "The worker was stopped in the middle more than once. Tell the platform's operator before "
    "trying again.",
    "internal_error": "Tell the platform's operator and name the job's ID.",
}


class KindFilter(admin.SimpleListFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        kinds = Job.objects.order_by("kind").values_list("kind", flat=True).distinct()
        return [(kind, readable(kind)) for kind in kinds]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Background runs. The page of a running one renews itself."""

    list_display = (
        "what",
        choice_column("status", "State", TONES),
        "progress",
        "asked_by",
        time_column("created_at", "Asked"),
        "took",
    )
    list_filter = ("status", KindFilter, "created_at")
    list_select_related = ("requested_by",)
    search_fields = ("label",)
    ordering = ("-created_at",)
    actions = ("cancel", "retry")
    object_actions = ("cancel", "retry")
    change_form_outer_before_template = "admin/jobs/job/state.html"
    fieldsets = (("Details", {"fields": ("kind_name", "attempts", "job_id")}),)
    empty_title = "No job has run yet"
    empty_help = "Long work, such as reading an OLT, runs here in the background and shows how far it is."

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.state_view)
        return [path("<uuid:job_id>/state/", view, name="jobs_job_state"), *super().get_urls()]

    def state_view(self, request: HttpRequest, job_id: Any) -> HttpResponse:
        """Answer with the fragment that the job's page asks for each second; reload the page at the end."""
        job = self.get_queryset(request).select_related("requested_by").filter(pk=job_id).first()
        if job is None or not self.has_view_permission(request, job):
            raise Http404
        context = {"job": state_of(job), "file": downloads.file_of(request, job)}
        response = TemplateResponse(request, "admin/jobs/job/state.html", context)
        if not job.is_active and request.headers.get("HX-Request"):
            response["HX-Refresh"] = "true"
        return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if job := kwargs.get("obj"):
            context |= {"job": state_of(job), "file": downloads.file_of(request, job)}
        return super().render_change_form(request, context, *args, **kwargs)

    def has_steer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may end or repeat jobs; the pages themselves only show."""
        return request.user.has_perm("jobs.change_job")

    @action(
        description="Cancel",
        permissions=["steer"],
        confirm="It stops at its next step. What it has stored until then stays.",
        button="Cancel the job",
        icon="cancel",
        danger=True,
        available=lambda job: job.is_active,
    )
    def cancel(self, request: HttpRequest, queryset: QuerySet) -> None:
        run_on_each(
            self, request, queryset, lambda job: services.cancel(job_id=job.pk), done="{count} cancelled."
        )

    @action(
        description="Try again",
        permissions=["steer"],
        confirm="A new job with the same task is started.",
        icon="replay",
        available=lambda job: job.status in (JobStatus.FAILED, JobStatus.CANCELLED),
    )
    def retry(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        jobs = list(queryset.filter(status__in=(JobStatus.FAILED, JobStatus.CANCELLED)))
        if not jobs:
            messages.warning(request, "Only failed and cancelled jobs can be tried again.")
            return None
        started = run_on_each(
            self, request, jobs, lambda job: _again(job, request), done="{count} started again."
        )
        return redirect("admin:jobs_job_change", started[0].pk) if len(started) == 1 else None

    @admin.display(description="What", ordering="label")
    def what(self, obj: Job) -> str:
        return obj.label or readable(obj.kind)

    @admin.display(description="Kind", ordering="kind")
    def kind_name(self, obj: Job) -> str:
        return readable(obj.kind)

    @admin.display(description="Asked by", ordering="requested_by__full_name")
    def asked_by(self, obj: Job) -> str:
        return str(obj.requested_by or "The system")

    @admin.display(description="Job ID")
    def job_id(self, obj: Job) -> str:
        return str(obj.pk)

    @admin.display(description="Progress")
    def progress(self, obj: Job) -> str:
        if obj.status == JobStatus.QUEUED:
            return DASH
        return meter(obj.percent, tone=TONES[JobStatus(obj.status)], label=f"{obj.percent} %")

    @admin.display(description="Took")
    def took(self, obj: Job) -> str:
        return _took(obj)


def state_of(job: Job) -> dict[str, Any]:
    """Return what the job's page says of it, in words."""
    status = JobStatus(job.status)
    return {
        "pk": job.pk,
        "status": status.label,
        "tone": TONES[status],
        "is_active": job.is_active,
        "is_waiting": status == JobStatus.QUEUED or (job.is_active and not job.progress_total),
        "percent": job.percent,
        "message": job.progress_message,
        "counted": f"{job.progress_done} of {job.progress_total}" if job.progress_total else "",
        "asked": moment(job.created_at),
        "started": moment(job.started_at, empty="not yet"),
        "ended": moment(job.finished_at, empty="not yet"),
        "took": _took(job),
        "by": str(job.requested_by) if job.requested_by else "The system",
        "subject_url": links.url_of_subject(job.subject),
        "result": results.shown(job),
        "error": job.error_message,
        "advice": ADVICE.get(job.error_code, "") if job.error_code else "",
    }


def stage_pill(record: Any, tones: Mapping[Any, str]) -> str:
    """Draw the status of what jobs work at; one whose job ended before its end is stopped."""
    if record.is_stopped:
        return pill("Stopped", "warning")
    return pill(record.get_status_display(), tones[record.status])


def _took(job: Job) -> str:
    if job.started_at is None:
        return DASH
    return duration(((job.finished_at or timezone.now()) - job.started_at).total_seconds())


def _again(job: Job, request: HttpRequest) -> Job:
    return services.enqueue(
        kind=job.kind,
        params=job.params,
        label=job.label,
        subject=job.subject,
        queue=job.queue,
        user_id=request.user.pk,
    )


def _tiles(request: HttpRequest) -> list[dashboard.Tile]:
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    counts = Job.objects.filter(Q(status__in=ACTIVE) | Q(created_at__gte=today)).aggregate(
        failed=Count("pk", filter=Q(status=JobStatus.FAILED)), active=Count("pk", filter=Q(status__in=ACTIVE))
    )
    jobs = reverse("admin:jobs_job_changelist")
    since = today.strftime("%Y-%m-%d %H:%M:%S%z").replace("+", "%2B").replace(" ", "+")
    return [
        dashboard.Tile(
            "Jobs failed",
            counts["failed"],
            f"{jobs}?status__exact=failed&created_at__gte={since}",
            hint="today",
            tone="danger" if counts["failed"] else "",
        ),
        dashboard.Tile(
            "Jobs running",
            counts["active"],
            f"{jobs}?status__in=queued,running",
            hint="or waiting, now",
            tone="info",
        ),
    ]


def _concerns(request: HttpRequest) -> list[dashboard.Concern]:
    lost = Job.objects.filter(
        status=JobStatus.FAILED,
        created_at__gte=timezone.now() - timedelta(days=1),
        error_code__in=("internal_error", "worker_lost"),
    )
    return [
        dashboard.Concern(
            title=job.label or readable(job.kind),
            detail=job.error_message,
            url=reverse("admin:jobs_job_change", args=[job.pk]),
            at=job.finished_at,
        )
        for job in lost.order_by("-created_at")[:5]
    ]


links.add("job", "admin:jobs_job_change")
navigation.add(
    "Platform", 60, "Jobs", url_name="admin:jobs_job_changelist", icon="sync", allowed="jobs.view_job"
)
dashboard.add_tiles(90, allowed="jobs.view_job", read=_tiles)
dashboard.add_concerns(90, allowed="jobs.view_job", read=_concerns)
