"""The job that deletes the drafts of a run nobody wants, and so frees what they would have billed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from billing.models import RunStatus
from billing.services.runs.planning import counts
from billing.services.runs.work import Work, lock_run
from ispcore.tenants.context import current_tenant_id

BATCH = 2000

DROP_SQL = (
    """
    CREATE TEMP TABLE billing_dropped ON COMMIT DROP AS
    SELECT id FROM billing_invoice
    WHERE tenant_id = %(tenant)s AND run_id = %(run)s AND status = 'draft' ORDER BY id LIMIT %(limit)s
    """,
    """
    DELETE FROM billing_linetax AS tax USING billing_invoiceline AS line, billing_dropped
    WHERE line.tenant_id = %(tenant)s AND line.invoice_id = billing_dropped.id
      AND tax.tenant_id = %(tenant)s AND tax.line_id = line.id
    """,
    """
    DELETE FROM billing_invoiceline AS line USING billing_dropped
    WHERE line.tenant_id = %(tenant)s AND line.invoice_id = billing_dropped.id
    """,
    """
    DELETE FROM billing_invoice AS invoice USING billing_dropped
    WHERE invoice.tenant_id = %(tenant)s AND invoice.id = billing_dropped.id
    """,
)


def drop_drafts(work: Work, *, run_id: UUID, at: datetime) -> dict[str, Any]:
    """Delete a run's drafts, a batch per transaction, and end the run. Safe to repeat and to kill."""
    done = 0
    while True:
        with work.tenant():
            work.hold()
            run = lock_run(run_id)
            if run.discarded_at is None or run.status not in (RunStatus.PLANNING, RunStatus.PLANNED):
                return counts(run)
            dropped = _drop(run_id)
            if not dropped:
                run.status = RunStatus.DISCARDED
                run.save()
                return counts(run)
        done += dropped
        work.progress(done, max(done, run.invoices_planned), "Deleting drafts")


def _drop(run_id: UUID) -> int:
    values: dict[str, Any] = {"tenant": current_tenant_id(), "run": run_id, "limit": BATCH}
    with connection.cursor() as cursor:
        for statement in DROP_SQL:
            cursor.execute(statement, values)
        dropped: int = cursor.rowcount
        cursor.execute("DROP TABLE billing_dropped")
    return dropped
