"""Reports as files that are read while they are sent: memory stays the same for any number of rows."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from billing.services.reports.debt import aged_debt_rows
from billing.services.reports.journal import journal_rows
from ispcore.files import tabular
from ispcore.money import round_money
from ispcore.tenants.context import current_tenant_id

DEBT_HEADER = (
    "Customer", "Name", "Currency", "Current", "1-30 days", "31-60 days", "61-90 days", "Over 90 days", "Total",
    "Days since the oldest was due",
)  # fmt: skip


def journal_file(*, since: date, until: date) -> StreamingHttpResponse:
    """Answer with the journal of [since, until) as a CSV file. Raises BadPeriod."""
    rows = journal_rows(tenant_id=current_tenant_id(), since=since, until=until)
    return _attachment(rows, f"journal-{since}-{until - timedelta(days=1)}.csv")


def aged_debt_file(*, on: date) -> StreamingHttpResponse:
    """Answer with everybody's aged debt as a CSV file."""
    return _attachment(_debt_table(current_tenant_id(), on), f"aged-debt-{on}.csv")


def _debt_table(tenant_id: UUID, on: date) -> Iterator[list[Any]]:
    yield list(DEBT_HEADER)
    for each in aged_debt_rows(tenant_id=tenant_id, on=on):
        amounts = (
            each.current, each.days_1_30, each.days_31_60, each.days_61_90, each.days_over_90, each.total,
        )  # fmt: skip
        rounded = [round_money(amount, each.currency) for amount in amounts]
        yield [each.number, each.full_name, each.currency, *rounded, each.oldest_days]


def _attachment(rows: Iterable[Iterable[Any]], name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(
        tabular.pieces_of(rows, file_format="csv"), content_type=tabular.CSV_TYPE
    )
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response
