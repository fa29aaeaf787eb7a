"""The page of a run: its steps, what stands out beside the last cycle, and whom it left out."""

from typing import Any

from django.db.models import Count
from django.urls import reverse

from billing.admin.runs.states import KIND_TONES, is_running, is_stopped, list_url, state_pill
from billing.admin.words import customer_link
from billing.models import (
    BillingRun,
    DifferenceKind,
    ParkedAccount,
    ParkReason,
    RunDifference,
    RunStatus,
)
from billing.services import runs
from ispcore.admin.dashboard import Bar, Chart, Part, share
from ispcore.admin.formats import DASH, day, figures, moment, money
from ispcore.jobs.admin import state_of

SHOWN = 25
STEPS = ("Plan", "Differences", "Approve", "Issue")
STEP_OF = {
    RunStatus.PLANNING: 1,
    RunStatus.PLANNED: 3,
    RunStatus.APPROVED: 4,
    RunStatus.ISSUING: 4,
    RunStatus.ISSUED: 5,
}


def page_of(run: BillingRun) -> dict[str, Any]:
    step = STEP_OF.get(RunStatus(run.status), 0)
    totals = list(run.totals.all())
    differences = RunDifference.objects.filter(run=run)
    counts = dict(differences.order_by().values_list("kind").annotate(count=Count("pk")))
    outliers = (
        differences.filter(kind=DifferenceKind.OUT_OF_BOUNDS).select_related("subscriber").order_by("pk")
    )
    parked = ParkedAccount.objects.filter(run=run).select_related("subscriber").order_by("resolved_at", "pk")
    return {
        "title": f"Run of {day(run.on)}",
        "steps": [
            {"number": n, "name": name, "state": "now" if n == step else "done" if n < step else ""}
            for n, name in enumerate(STEPS, 1)
        ],
        "state": state_pill(run),
        "job": state_of(run.job) if run.job and (is_running(run) or is_stopped(run)) else None,
        "is_stopped": is_stopped(run),
        "is_waiting": run.status == RunStatus.PLANNED and run.discarded_at is None,
        "tiles": _tiles(run, counts) if run.planned_at else [],
        "totals": [
            {
                "currency": each.currency,
                "invoices": figures(each.invoices),
                "net": money(each.net, each.currency),
                "tax": money(each.tax, each.currency),
                "total": money(each.total, each.currency),
                "previous": money(each.previous_total, each.currency),
                "change": _change(each.total, each.previous_total),
            }
            for each in totals
        ],
        "chart": _chart(run, totals, counts),
        "outliers": [
            {
                "customer": customer_link(each.subscriber),
                "before": money(each.previous, each.currency),
                "after": money(each.now, each.currency),
                "why": each.reason or DASH,
            }
            for each in outliers[:SHOWN]
        ],
        "parked_rows": [
            {
                "customer": customer_link(each.subscriber),
                "why": each.get_reason_display(),
                "detail": each.detail,
                "todo": runs.WHAT_TO_DO[ParkReason(each.reason)],
                "done": each.resolved_at is not None,
            }
            for each in parked[:SHOWN]
        ],
        "differences_url": list_url("rundifference", run__on=run.on),
        "parked_url": reverse("admin:billing_parkedaccount_changelist"),
        "facts": [
            ("Started", moment(run.created_at)),
            ("By", str(run.created_by or "the night")),
            ("Planned", moment(run.planned_at)),
            ("Approved", moment(run.approved_at)),
            ("Approved by", str(run.approved_by or ("the settings" if run.approved_at else DASH))),
            ("Issued", moment(run.issued_at)),
            ("Plan", run.plan_hash[:12] or DASH),
        ],
    }


def _tiles(run: BillingRun, counts: dict[str, int]) -> list[dict[str, Any]]:
    odd = counts.get(DifferenceKind.OUT_OF_BOUNDS, 0)
    return [
        {"label": "Invoices planned", "value": figures(run.invoices_planned), "tone": "plain"},
        {
            "label": "Issued",
            "value": figures(run.invoices_issued),
            "tone": "good" if run.issued_at else "plain",
        },
        {"label": "Out of bounds", "value": figures(odd), "tone": "danger" if odd else "plain"},
        {"label": "Parked", "value": figures(run.parked), "tone": "warning" if run.parked else "plain"},
    ]


def _chart(run: BillingRun, totals: list[Any], counts: dict[str, int]) -> Chart:
    invoices = max(run.invoices_planned + counts.get(DifferenceKind.GONE, 0), 1)
    differing = sum(count for kind, count in counts.items() if kind != DifferenceKind.GONE)
    same = max(run.invoices_planned - differing, 0)
    kinds = (DifferenceKind.CHANGED, DifferenceKind.NEW, DifferenceKind.GONE, DifferenceKind.OUT_OF_BOUNDS)
    rows = [
        ("As last time", same, "plain", ""),
        *(
            (
                kind.label,
                counts.get(kind, 0),
                KIND_TONES[kind],
                list_url("rundifference", run__on=run.on, kind__exact=kind),
            )
            for kind in kinds
        ),
    ]
    return Chart(
        "Beside the last cycle",
        [
            Bar(
                str(label),
                figures(count),
                [Part(str(label), count, share(count, invoices), tone)],
                url=url if count else "",
            )
            for label, count, tone, url in rows
        ]
        if run.planned_at
        else [],
        empty="The comparison begins when the plan is complete.",
    )


def _change(now: Any, before: Any) -> str:
    if not before:
        return DASH
    percent = (now - before) * 100 / before
    return f"{'+' if percent > 0 else '−' if percent < 0 else ''}{abs(percent):.1f} %"
