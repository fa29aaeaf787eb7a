"""Billing runs, dunning nights, the nightly recount, and mails that wait."""

from billing.models.dunning import NightStatus
from billing.models.runs import OPEN_RUN
from ispcore.measures import Measure, Series, add

_OPEN = ", ".join(f"'{status}'" for status in OPEN_RUN)
_NIGHTS = ", ".join(f"'{status}'" for status in NightStatus.values)
# Not joined by the tenant: PostgreSQL would look through all jobs of one, and these have an index of their own.
_WORKED_AT = "SELECT id FROM jobs_job WHERE status IN ('queued', 'running')"

add(
    Measure(
        # Of each tenant one run is open at most, and those have an index of their own (billing_run_one_open).
        "billing_runs",
        labels=("status",),
        series=(
            Series("ispcore_billing_runs", "Billing runs that are open."),
            Series("ispcore_billing_run_oldest_seconds", "Age of the oldest of them; 0: there is none."),
            Series("ispcore_billing_run_invoices_planned", "Invoices they plan."),
            Series("ispcore_billing_run_invoices_issued", "Invoices of those that are issued."),
            Series(
                "ispcore_billing_runs_stopped", "Runs that are under way by name while no job works at them."
            ),
        ),
        sql=f"""
SELECT known.status, count(r.id), coalesce(extract(epoch FROM now() - min(r.created_at)), 0),
       coalesce(sum(r.invoices_planned), 0), coalesce(sum(r.invoices_issued), 0),
       count(r.id) FILTER (WHERE r.status IN ('planning', 'issuing') AND NOT r.is_worked_at)
FROM unnest(ARRAY[{_OPEN}]) AS known(status)
LEFT JOIN (SELECT run.id, run.status, run.created_at, run.invoices_planned, run.invoices_issued,
                  job.id IS NOT NULL AS is_worked_at
           FROM billing_billingrun AS run LEFT JOIN ({_WORKED_AT}) AS job ON job.id = run.job_id
           WHERE run.status IN ({_OPEN})) AS r ON r.status = known.status
GROUP BY known.status
""",  # noqa: S608  (words of ours)
    )
)
add(
    Measure(
        "billing_runs_issued",
        series=(
            Series(
                "ispcore_billing_run_issued_timestamp_seconds", "When a run was last issued, of two months."
            ),
        ),
        sql="""
SELECT extract(epoch FROM max(issued_at)) FROM billing_billingrun WHERE "on" > current_date - 62
""",
    )
)
add(
    Measure(
        "dunning_nights",
        labels=("status",),
        series=(
            Series("ispcore_dunning_nights", "Nights of the last three days; one that waits needs a person."),
            Series("ispcore_dunning_nights_stopped", "Nights that run by name while no job works at them."),
            Series("ispcore_dunning_lines_suspended", "Services these nights cut."),
        ),
        sql=f"""
SELECT known.status, count(n.id), count(n.id) FILTER (WHERE n.status = 'running' AND NOT n.is_worked_at),
       coalesce(sum(n.suspended_lines), 0)
FROM unnest(ARRAY[{_NIGHTS}]) AS known(status)
LEFT JOIN (SELECT night.id, night.status, night.suspended_lines,
                  job.id IS NOT NULL AS is_worked_at
           FROM billing_dunningnight AS night LEFT JOIN ({_WORKED_AT}) AS job ON job.id = night.job_id
           WHERE night."on" > current_date - 3) AS n ON n.status = known.status
GROUP BY known.status
""",  # noqa: S608  (words of ours)
    )
)
add(
    Measure(
        "ledger",
        series=(
            Series("ispcore_ledger_checks", "Ledgers that were recounted within 26 hours."),
            Series("ispcore_ledger_findings", "Records that did not add up then."),
            Series("ispcore_ledger_checked_timestamp_seconds", "When a ledger was last recounted."),
        ),
        sql="""
SELECT count(*), coalesce(sum(findings_count), 0), extract(epoch FROM max(checked_at))
FROM billing_ledgercheck WHERE checked_at > now() - interval '26 hours'
""",
    )
)
add(
    Measure(
        "invoice_mails",
        series=(
            Series("ispcore_invoice_mails_waiting", "Invoices that are to be mailed."),
            Series("ispcore_invoice_mails_oldest_seconds", "Age of the oldest of them; 0: there is none."),
        ),
        sql="""
SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)
FROM billing_invoicemail WHERE status IN ('queued', 'sending')
""",
    )
)
add(
    Measure(
        "reminders",
        series=(
            Series("ispcore_reminders_waiting", "Reminders that are to be mailed."),
            Series("ispcore_reminders_oldest_seconds", "Age of the oldest of them; 0: there is none."),
        ),
        sql="""
SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)
FROM billing_reminder WHERE status IN ('waiting', 'sending')
""",
    )
)
