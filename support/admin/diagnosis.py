"""Why a service is offline, on one page: the sentence, the chain beneath it, and what helps as buttons."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from hardware.services import ping
from ispcore.admin import links
from ispcore.admin.formats import moment, pill
from ispcore.errors import DomainError
from subscribers.admin import tabs
from subscribers.models import Subscription
from support.services.diagnosis import Action, ActionCode, Cause, Step, StepStatus, diagnose

MAY_SEE = "support.view"
MAY_PING = "hardware.operate"
TONES = {StepStatus.OK: "good", StepStatus.PROBLEM: "warning", StepStatus.UNKNOWN: "plain"}
VERDICT_TONES = {Cause.FINE: "good", Cause.UNSURE: "info"}
WORKS = (Cause.WEAK_SIGNAL, Cause.THROTTLED, Cause.OLT_SILENT, Cause.ADDRESS_MISMATCH)
ICONS = {StepStatus.OK: "check_circle", StepStatus.PROBLEM: "error", StepStatus.UNKNOWN: "help"}

# Page and action of it, where the record's own page asks back before anything is done.
ASKED_AT: dict[ActionCode, tuple[str, str]] = {
    ActionCode.ACTIVATE_SERVICE: ("subscribers_subscription", "activate"),
    ActionCode.LIFT_HOLD: ("subscribers_subscription", "resume"),
    ActionCode.ENABLE_ACCOUNT: ("aaa_account", "enable"),
    ActionCode.ADD_TOP_UP: ("aaa_account", "add_top_up"),
    ActionCode.FORGET_DEVICE: ("aaa_account", "forget_device"),
    ActionCode.DISCONNECT_SESSION: ("aaa_session", "disconnect"),
    ActionCode.ALLOCATE_ADDRESS: ("ipam_pool", "allocate"),
    ActionCode.READ_ONU: ("hardware_onu", "read_now"),
    ActionCode.RESTART_ONU: ("hardware_onu", "restart"),
    ActionCode.DISCOVER_OLT: ("hardware_olt", "discover"),
}
OPENED_AT: dict[ActionCode, str] = {
    ActionCode.CHANGE_ACCOUNT: "aaa_account",
    ActionCode.OPEN_ACCOUNT: "aaa_account",
    ActionCode.OPEN_NAS: "aaa_nas",
    ActionCode.OPEN_POOL: "ipam_pool",
    ActionCode.OPEN_OUTAGE: "hardware_outage",
}
# Forms that begin with who is meant.
BEGUN_AT: dict[ActionCode, tuple[str, str]] = {
    ActionCode.RECORD_PAYMENT: ("billing_payment", "subscriber"),
    ActionCode.TAKE_PROMISE: ("billing_promise", "subscriber"),
    ActionCode.MAKE_ACCOUNT: ("aaa_account", "subscription"),
}


def url_of(action: Action) -> str:
    """Return the page on which an action is done; empty for what this page does itself."""
    code, pk = action.code, action.target_id
    if code in ASKED_AT:
        page, name = ASKED_AT[code]
        return reverse(f"admin:{page}_action", args=[pk, name])
    if code in OPENED_AT:
        return reverse(f"admin:{OPENED_AT[code]}_change", args=[pk])
    if code in BEGUN_AT:
        page, field = BEGUN_AT[code]
        return f"{reverse(f'admin:{page}_add')}?{urlencode({field: pk})}"
    return reverse("admin:hardware_waitingonu_changelist") if code == ActionCode.FIND_ONU else ""


def context(request: HttpRequest, line: Subscription) -> dict[str, Any]:
    """Read one line's diagnosis as pages show it; the template is admin/support/diagnosis_chain.html."""
    user = request.user
    found = diagnose(subscription_id=line.pk, at=timezone.now(), with_amounts=user.has_perm("billing.view"))
    code = found.verdict_code
    tone = VERDICT_TONES.get(code, "warning" if code in WORKS else "danger")
    return {
        "verdict": {
            "words": found.verdict,
            "title": str(code.label),
            "tone": tone,
            "icon": "check_circle" if code == Cause.FINE else "info" if code == Cause.UNSURE else "error",
            "button": _button(request, found.action),
        },
        "steps": [_step(request, step, tone) for step in found.steps],
        "ping_url": page_url(line) if user.has_perm(MAY_PING) else "",
    }


def _step(request: HttpRequest, step: Step, verdict_tone: str) -> dict[str, Any]:
    """Return a step as it is shown; what is blamed has the verdict's colour, what follows from it is amber."""
    tone = verdict_tone if step.is_blamed else TONES[step.status]
    return {
        "title": str(step.step.label),
        "tone": tone,
        "icon": ICONS[step.status],
        "status": pill("The cause", tone) if step.is_blamed else "",
        "status_words": str(step.status.label),
        "fact": step.fact,
        "source": step.source,
        "seen": moment(step.observed_at, empty="never seen"),
        "is_blamed": step.is_blamed,
        "button": None if step.is_blamed else _button(request, step.action),
    }


def _button(request: HttpRequest, action: Action | None) -> dict[str, str] | None:
    """Return a button for who may press it; what is asked back leads to this page again."""
    if action is None or not request.user.has_perm(action.permission):
        return None
    url = url_of(action)
    if action.code in ASKED_AT:
        url += f"?{urlencode({'next': request.path})}"
    return {"label": action.label, "url": url} if url else None


def page_url(line: Subscription) -> str:
    return tabs.page_url(line, "diagnosis")


def diagnosis_view(admin: Any, request: HttpRequest, line: Subscription) -> HttpResponse:
    """Show the chain; a POST pings the line and leads to how that goes."""
    if request.method == "POST":
        return _ping(request, line)
    shown = {
        **admin.admin_site.each_context(request),
        "title": f"Diagnosis of service {line.number}",
        "service": {
            "number": line.number,
            "url": links.url_of("service", line.pk),
            "customer": line.subscriber.full_name,
            "customer_url": links.url_of("subscriber", line.subscriber_id),
            "plan": line.plan.name,
            "premise": str(line.premise),
            "phone": line.subscriber.phone,
            "phone_e164": line.subscriber.phone_e164,
        },
        **context(request, line),
    }
    return TemplateResponse(request, "admin/support/diagnosis.html", shown)


def _ping(request: HttpRequest, line: Subscription) -> HttpResponse:
    if not request.user.has_perm(MAY_PING):
        raise PermissionDenied
    try:
        job = ping.request_ping(subscription_id=line.pk, user_id=request.user.pk)
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return redirect(page_url(line))
    return redirect("admin:jobs_job_change", job.pk)


tabs.add_page(10, "diagnosis", "Diagnosis", icon="stethoscope", allowed=MAY_SEE, view=diagnosis_view)
