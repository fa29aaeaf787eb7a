from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from hardware.admin.filters import OltFilter
from hardware.admin.signals import PROVISIONING_TONES, STEP_TONES
from hardware.models import (
    UNFINISHED,
    ProvisioningAction,
    ProvisioningJob,
    ProvisioningStatus,
    StepState,
)
from hardware.services import provisioning
from ispcore.admin import links, navigation
from ispcore.admin.actions import action, run_on_each
from ispcore.admin.base import DrawnPage, ReadOnlyAdmin
from ispcore.admin.formats import DASH, choice_column, duration, moment, pill, time_column
from ispcore.admin.site import register

TAKEN = (StepState.STARTED, StepState.UNKNOWN, StepState.DONE)


@register(ProvisioningJob)
class ProvisioningJobAdmin(DrawnPage, ReadOnlyAdmin):
    """Changes to ONUs: what was planned, what was said to the device, how it ended."""

    list_display = (
        "what",
        choice_column("status", "State", PROVISIONING_TONES),
        "where",
        "service",
        "asked_by",
        time_column("created_at", "Asked"),
        "took",
    )
    list_filter = ("status", "action", ("olt", OltFilter), "created_at")
    list_select_related = ("olt", "subscription__subscriber", "requested_by")
    search_fields = ("^serial",)
    search_help_text = "The serial number's beginning"
    ordering = ("-created_at",)
    sortable_by = ("created_at_with_age",)
    object_actions = ("resume", "roll_back")
    change_form_outer_before_template = "admin/hardware/provisioningjob/page.html"
    empty_title = "Nothing was changed from here yet"
    empty_help = (
        "Authorising, removing and restarting an ONU is a job: its plan, what was said to the OLT and what it "
        "answered are kept here. Begin with an ONU that waits for authorisation."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProvisioningJob]:
        return (
            super()
            .get_queryset(request)
            .select_related("olt", "onu", "subscription__subscriber", "preset", "requested_by", "job")
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.state_view)
        return [path("<uuid:pk>/state/", view, name="hardware_provisioningjob_state"), *super().get_urls()]

    def state_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Answer with the fragment that an unfinished change's page asks for; reload the page at its end."""
        change = self.get_queryset(request).filter(pk=pk).first()
        if change is None or not self.has_view_permission(request, change):
            raise Http404
        response = TemplateResponse(
            request, "admin/hardware/provisioningjob/page.html", {"provisioning": state_of(change)}
        )
        if change.status not in UNFINISHED and request.headers.get("HX-Request"):
            response["HX-Refresh"] = "true"
        return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if change := kwargs.get("obj"):
            context["provisioning"] = state_of(change)
        return super().render_change_form(request, context, *args, **kwargs)

    @action(
        description="Resume",
        permissions=["operate"],
        confirm="The change goes on from the step that failed. What the device shows as done is not sent again; a step "
        "whose outcome is unknown is.",
        icon="play_arrow",
        available=lambda change: (
            change.status == ProvisioningStatus.FAILED
            and not any(step["state"] == StepState.UNDONE for step in change.plan)
        ),
    )
    def resume(self, request: HttpRequest, queryset: QuerySet[ProvisioningJob]) -> HttpResponse | None:
        return self._again(request, queryset, provisioning.resume, done="It goes on.")

    @action(
        description="Roll back",
        permissions=["operate"],
        confirm="The steps that were done are taken back, the last one first. What was so before the change stays.",
        icon="undo",
        danger=True,
        available=lambda change: (
            change.status == ProvisioningStatus.FAILED
            and change.action == ProvisioningAction.AUTHORIZE
            and any(step["state"] in TAKEN for step in change.plan)
        ),
    )
    def roll_back(self, request: HttpRequest, queryset: QuerySet[ProvisioningJob]) -> HttpResponse | None:
        return self._again(request, queryset, provisioning.roll_back, done="It is being taken back.")

    def _again(
        self, request: HttpRequest, queryset: QuerySet[ProvisioningJob], do: Any, *, done: str
    ) -> HttpResponse | None:
        changes = run_on_each(
            self,
            request,
            queryset,
            lambda change: do(provisioning_id=change.pk, user_id=request.user.pk),
            done=done,
        )
        return redirect("admin:hardware_provisioningjob_change", changes[0].pk) if changes else None

    @admin.display(description="What", ordering="serial")
    def what(self, obj: ProvisioningJob) -> str:
        return f"{obj.get_action_display()} {obj.serial}"

    @admin.display(description="Where")
    def where(self, obj: ProvisioningJob) -> str:
        return f"{obj.olt.name} · {obj.pon_port}"

    @admin.display(description="Service")
    def service(self, obj: ProvisioningJob) -> str:
        return _service(obj)

    @admin.display(description="Asked by")
    def asked_by(self, obj: ProvisioningJob) -> str:
        return str(obj.requested_by or "The system")

    @admin.display(description="Took")
    def took(self, obj: ProvisioningJob) -> str:
        return _took(obj)


def state_of(change: ProvisioningJob) -> dict[str, Any]:
    """Return what a change's page says of it, in words."""
    status = ProvisioningStatus(change.status)
    is_active = change.status in UNFINISHED
    return {
        "pk": change.pk,
        "title": f"{change.get_action_display()} {change.serial}",
        "status": pill(str(status.label), PROVISIONING_TONES[status]),
        "is_active": is_active,
        "progress": (change.job.progress_message if change.job and is_active else "")
        or "Waiting for a worker",
        "percent": round(100 * change.steps_done / len(change.plan)) if change.plan else 0,
        "counted": f"{change.steps_done} of {len(change.plan)} steps",
        "outcome": _outcome(change, status),
        "outcome_tone": PROVISIONING_TONES[status],
        "facts": _facts(change),
        "steps": steps_of(change),
        "transcript": change.transcript,
        "job_url": reverse("admin:jobs_job_change", args=[change.job_id]) if change.job_id else "",
    }


def steps_of(change: ProvisioningJob) -> list[dict[str, Any]]:
    """Return a plan's steps as people read them; what is secret is masked already."""
    return [
        {
            "name": step["name"],
            "commands": "\n".join(step["commands"]),
            "undo": "\n".join(step["undo"]),
            "state": StepState(step["state"]).label,
            "tone": STEP_TONES[StepState(step["state"])],
        }
        for step in change.plan
    ]


def _outcome(change: ProvisioningJob, status: ProvisioningStatus) -> str:
    if status == ProvisioningStatus.SUCCEEDED:
        if change.is_already:
            return "The device was as wanted already; nothing was sent."
        return {
            ProvisioningAction.AUTHORIZE: "The ONU is authorised.",
            ProvisioningAction.UNAUTHORIZE: "The ONU is removed from the OLT.",
            ProvisioningAction.REBOOT: "The ONU was told to restart.",
        }[ProvisioningAction(change.action)]
    if status == ProvisioningStatus.ROLLED_BACK:
        return "What had been done was taken back."
    return change.message


def _facts(change: ProvisioningJob) -> list[tuple[str, Any]]:
    onu: Any = change.serial
    if change.onu_id:
        onu = links.link(reverse("admin:hardware_onu_change", args=[change.onu_id]), change.serial)
    facts: list[tuple[str, Any]] = [
        ("ONU", onu),
        ("OLT", links.link(reverse("admin:hardware_olt_change", args=[change.olt_id]), change.olt.name)),
        ("PON port", change.pon_port),
        ("Number on the port", DASH if change.onu_number is None else change.onu_number),
        ("Service", _service(change)),
    ]
    if change.action == ProvisioningAction.AUTHORIZE:
        facts += [
            ("Preset", change.preset.name if change.preset else DASH),
            ("Description on the OLT", change.description or DASH),
            ("Service port drawn by the OLT", change.service_port or DASH),
        ]
    return [
        *facts,
        ("Asked by", str(change.requested_by or "The system")),
        ("Asked", moment(change.created_at)),
        ("Started", moment(change.started_at, empty="not yet")),
        ("Ended", moment(change.finished_at, empty="not yet")),
        ("Took", _took(change)),
    ]


def _service(change: ProvisioningJob) -> str:
    line = change.subscription
    if line is None:
        return DASH
    return format_html(
        "{} {}", links.link(links.url_of("service", line.pk), f"#{line.number}"), line.subscriber.full_name
    )


def _took(change: ProvisioningJob) -> str:
    if change.started_at is None:
        return DASH
    return duration(((change.finished_at or timezone.now()) - change.started_at).total_seconds())


links.add("provisioning", "admin:hardware_provisioningjob_change")
links.add("provisioning_job", "admin:hardware_provisioningjob_change")
navigation.add_list("Network", 50, "Provisioning jobs", ProvisioningJob, icon="settings_ethernet")
