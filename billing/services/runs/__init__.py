"""Billing runs: planned, compared with the last cycle, approved by their hash, issued."""

from billing.services.runs.deciding import (
    WHAT_TO_DO,
    PlanChanged,
    RunBusy,
    RunNotPlanned,
    RunUnknown,
    approve_run,
    continue_run,
    discard_run,
    resolve_parked,
)
from billing.services.runs.discarding import drop_drafts
from billing.services.runs.issuing import issue_run
from billing.services.runs.nightly import approve_within_bounds, start_nightly_run
from billing.services.runs.planning import plan_run
from billing.services.runs.preview import next_invoice
from billing.services.runs.starting import DayBeforeBeginning, DayTooFar, RunOpen, start_run
from billing.services.runs.work import Inline

__all__ = [
    "WHAT_TO_DO",
    "DayBeforeBeginning",
    "DayTooFar",
    "Inline",
    "PlanChanged",
    "RunBusy",
    "RunNotPlanned",
    "RunOpen",
    "RunUnknown",
    "approve_run",
    "approve_within_bounds",
    "continue_run",
    "discard_run",
    "drop_drafts",
    "issue_run",
    "next_invoice",
    "plan_run",
    "resolve_parked",
    "start_nightly_run",
    "start_run",
]
