"""The job that plans a run: drafts for every subscriber of whom something is due, batch after batch."""

import time
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Case, Count, F, Sum, When

from billing.models import BillingRun, Invoice, InvoiceKind, ParkedAccount, RunDifference, RunStatus, RunTotal
from billing.services import planning
from billing.services.runs import comparing, digest
from billing.services.runs.starting import terms_of
from billing.services.runs.work import Work, lock_run
from ispcore.events.services import publish
from subscribers.models import Subscription

LONGEST_REQUEST_SECONDS = 10  # What is open for longer reads: exports, backups.

UNDER_WAY_SQL = """
SELECT pid, xact_start FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
"""

_SIGN = Case(When(kind=InvoiceKind.CREDIT_NOTE, then=-1), default=1)  # A credit note gives back.


def plan_run(work: Work, *, run_id: UUID, at: datetime) -> dict[str, Any]:
    """Plan a run: drafts, what differs from the last cycle, who is parked, totals, and the hash of all.

    Safe to repeat and to kill: it goes on behind the last batch that was committed.
    """
    after = planning.FIRST
    _let_end(_under_way(work), work)
    with work.tenant():
        before = _day_before()
        done = Invoice.objects.filter(run=run_id).count()
        total = Subscription.objects.filter(status__in=["active", "suspended"]).count()
    while True:
        with work.tenant():
            work.hold()
            run = lock_run(run_id)
            if run.status != RunStatus.PLANNING:  # The message came again after the end.
                return counts(run)
            found = planning.candidates(on=run.on, as_of=run.as_of, after=max(after, _last_planned(run)))
            if found:
                terms = terms_of(run)
                planning.plan_batch(terms, found)
                comparing.compare_batch(terms, found, after=before)
        if not found:
            break
        after, done = found[-1], done + len(found)
        work.progress(done, max(done, total), "Planning invoices")
    with work.tenant():
        work.hold()
        _end(lock_run(run_id))
    plan_hash = digest.plan_hash(run_id, work, total=total)
    with work.tenant():
        work.hold()
        run = lock_run(run_id)
        if run.status == RunStatus.PLANNING:
            run.plan_hash, run.status, run.planned_at = plan_hash, RunStatus.PLANNED, at
            run.save()
            publish("billing.run_planned", run_id=str(run.pk))
        return counts(run)


def _under_way(work: Work) -> set[tuple[Any, ...]]:
    """Return the transactions of others that are open."""
    with work.tenant(), connection.cursor() as cursor:
        cursor.execute(UNDER_WAY_SQL)
        return set(cursor.fetchall())


def _let_end(begun: set[tuple[Any, ...]], work: Work) -> None:
    """Wait until what was under way has ended.

    A change made just before the run's moment may not be seen before it is committed: it would be billed by no run,
    since the next one takes what came after that moment.
    """
    patience = time.monotonic() + LONGEST_REQUEST_SECONDS
    while begun & _under_way(work) and time.monotonic() < patience:
        time.sleep(0.1)


def counts(run: BillingRun) -> dict[str, Any]:
    """Tell what a run came to so far."""
    return {
        "run_id": str(run.pk),
        "invoices_planned": run.invoices_planned,
        "invoices_issued": run.invoices_issued,
        "parked": run.parked,
    }


def _last_planned(run: BillingRun) -> UUID:
    """Return the last subscriber who has a draft or is parked: whoever comes before was planned."""
    return max(
        model.objects.filter(run=run)
        .order_by("-subscriber_id")
        .values_list("subscriber_id", flat=True)
        .first()
        or planning.FIRST
        for model in (Invoice, ParkedAccount)
    )


def _end(run: BillingRun) -> None:
    """Find who is gone, and add up; safe to repeat."""
    before = _day_before()
    if before is not None:
        comparing.find_gone(terms_of(run), after=before)
    write_totals(run)
    run.invoices_planned = Invoice.objects.filter(run=run).count()
    run.parked = ParkedAccount.objects.filter(run=run, resolved_at=None).count()
    run.save()


def _day_before() -> date | None:
    """Return the day of the last run that was issued."""
    issued = BillingRun.objects.filter(status=RunStatus.ISSUED)
    found: date | None = issued.order_by("-on").values_list("on", flat=True).first()
    return found


def write_totals(run: BillingRun) -> None:
    """Write what the run asks for in each currency, beside what the last cycle did."""
    RunTotal.objects.filter(run=run).delete()
    moved = {
        row["currency"]: row["moved"]
        for row in RunDifference.objects.filter(run=run)
        .values("currency")
        .annotate(moved=Sum(F("now") - F("previous")))
    }
    asked = {
        row["currency"]: row
        for row in Invoice.objects.filter(run=run)
        .values("currency")
        .annotate(
            **{f"{name}_sum": Sum(F(name) * _SIGN) for name in ("net", "tax", "total")}, invoices=Count("pk")
        )
    }
    RunTotal.objects.bulk_create(
        RunTotal(
            run=run,
            currency=currency,
            invoices=row.get("invoices", 0),
            net=row.get("net_sum", 0),
            tax=row.get("tax_sum", 0),
            total=row.get("total_sum", 0),
            previous_total=row.get("total_sum", 0) - moved.get(currency, 0),
        )
        for currency in sorted({*asked, *moved})
        for row in [asked.get(currency, {})]
    )
