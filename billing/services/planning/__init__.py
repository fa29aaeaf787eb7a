"""Planning: drafts for a batch of subscribers, in the order of their keys, so that a killed worker's are kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from billing.services.planning import drafts, items, overage, standing
from ispcore.tenants.context import current_tenant_id

BATCH = 5000  # Subscribers per transaction.
FIRST = UUID(int=0)
# What a batch looks up lies in memory. Priced as if it came from a disk, each batch would read whole tables instead.
# Compiling a statement takes longer than running it for one batch.
BY_KEY_SQL = "SET LOCAL random_page_cost = 1; SET LOCAL jit = off"


@dataclass(frozen=True)
class Terms:
    """What a run bills: `on` which day, as things stood at `as_of`, by the provider's time zone and settings."""

    run_id: UUID
    on: date
    as_of: datetime
    zone: str
    bills_from: date
    unbilled_holds: Sequence[str]
    bound_percent: int = 50


def candidates(*, on: date, as_of: datetime, after: UUID = FIRST, limit: int = BATCH) -> list[UUID]:
    """Return the next subscribers of whom something may be due, in the order of their keys."""
    with connection.cursor() as cursor:
        cursor.execute(
            standing.CANDIDATES_SQL,
            {"tenant": current_tenant_id(), "on": on, "as_of": as_of, "after": after, "limit": limit},
        )
        return [row[0] for row in cursor.fetchall()]


def keys(found: Iterable[UUID]) -> str:
    """Write keys as the text of an array: a parameter of thousands of them is dear to adapt, one by one."""
    return f"{{{','.join(map(str, found))}}}"


def plan_batch(terms: Terms, subscribers: Sequence[UUID]) -> None:
    """Write drafts for these subscribers, and park those that cannot be billed.

    Once per run and subscriber: the caller begins behind the last batch that was committed. The database refuses an
    item that was billed before; the batch is planned again then, and who has such an item is parked.
    """
    try:
        with transaction.atomic():
            _plan(terms, subscribers, looks_for_billed=False)
    except IntegrityError as error:
        if "invoice_line_billed_once" not in str(error):
            raise
        with transaction.atomic():
            _plan(terms, subscribers, looks_for_billed=True)


def _plan(terms: Terms, subscribers: Sequence[UUID], *, looks_for_billed: bool) -> None:
    values: dict[str, Any] = {
        "tenant": current_tenant_id(),
        "run": terms.run_id,
        "on": terms.on,
        "as_of": terms.as_of,
        "zone": terms.zone,
        "from": terms.bills_from,
        "unbilled": list(terms.unbilled_holds),
        "subscribers": keys(subscribers),
    }
    with connection.cursor() as cursor:
        for statement in (
            BY_KEY_SQL,
            standing.LINES_SQL,
            "ANALYZE billing_line (subscription_id, subscriber_id)",
            standing.TERMS_SQL,
            "ANALYZE billing_term (subscription_id)",
            standing.SPANS_SQL,
            "ANALYZE billing_span (subscription_id)",
            items.ADD_ONS_SQL,
            "ANALYZE billing_extra (subscription_id)",
            items.ITEMS_SQL,
            "ANALYZE billing_item (subscription_id, subscriber_id, currency)",
            items.DISCOUNTS_SQL,
        ):
            cursor.execute(statement, values if "%(" in statement else None)
        overage.add_items(cursor, values)
        for statement in (
            standing.CLOSE_SQL,
            standing.SETTLE_SQL,
            drafts.PARK_SQL,
            *([drafts.PARK_BILLED_SQL] if looks_for_billed else []),
            drafts.LEAVE_PARKED_SQL,
            drafts.DRAFTS_SQL,
            "ANALYZE billing_draft (invoice_id, subscriber_id, currency)",
            drafts.TAXES_SQL,
            "ANALYZE billing_taxed (invoice_id, line_id)",
            drafts.SUMS_SQL,
            drafts.BELOW_ZERO_SQL,
        ):
            cursor.execute(statement, values if "%(" in statement else None)
        is_below_zero = cursor.fetchone()[0]
        for statement in (
            *(drafts.CREDIT_SQL if is_below_zero else ()),
            drafts.INVOICES_SQL,
            drafts.LINES_SQL,
            drafts.LINE_TAXES_SQL,
        ):
            cursor.execute(statement, values if "%(" in statement else None)
        cursor.execute(
            "DROP TABLE billing_line, billing_term, billing_span, billing_extra, billing_item, billing_draft, "
            "billing_taxed, billing_sum"
        )
