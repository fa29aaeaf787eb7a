"""Where a run stands, in words and colours, and the links its pages share."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from billing.models import (
    BillingRun,
    DifferenceKind,
    RunStatus,
)
from ispcore.admin import links
from ispcore.admin.formats import day, pill

TONES = {
    RunStatus.PLANNING: "info",
    RunStatus.PLANNED: "warning",
    RunStatus.APPROVED: "info",
    RunStatus.ISSUING: "info",
    RunStatus.ISSUED: "good",
    RunStatus.DISCARDED: "plain",
}
KIND_TONES = {
    DifferenceKind.OUT_OF_BOUNDS: "danger",
    DifferenceKind.NEW: "good",
    DifferenceKind.GONE: "warning",
    DifferenceKind.CHANGED: "info",
}


def is_running(run: BillingRun) -> bool:
    return run.job is not None and run.job.is_active


def is_stopped(run: BillingRun) -> bool:
    """Whether its worker or somebody ended a step before its end."""
    under_way = run.status in (RunStatus.PLANNING, RunStatus.APPROVED, RunStatus.ISSUING)
    given_up = run.discarded_at is not None and run.status != RunStatus.DISCARDED
    return (under_way or given_up) and not is_running(run)


def state_pill(run: BillingRun) -> str:
    if is_stopped(run):
        return pill("Stopped", "danger")
    if run.discarded_at is not None and run.status != RunStatus.DISCARDED:
        return pill("Being discarded", "plain")
    return pill(run.get_status_display(), TONES[RunStatus(run.status)])


def run_link(run: BillingRun) -> str:
    return links.link(links.url_of("billing_run", run.pk), day(run.on))


def list_url(model: str, **query: Any) -> str:
    values = {name: value.isoformat() if isinstance(value, date) else value for name, value in query.items()}
    return f"{reverse(f'admin:billing_{model}_changelist')}?{urlencode(values)}"
