"""What was billed and what was paid, month by month."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncMonth
from django.utils import timezone

from billing.models import LedgerAccount, Transfer, TransferKind
from billing.services.reports.revenue import months_before
from ispcore import sums

MONTHS = 12
BILLING = (TransferKind.INVOICE, TransferKind.CREDIT_NOTE, TransferKind.VOID)
PAYING = (TransferKind.PAYMENT, TransferKind.REFUND, TransferKind.BOUNCE)


@dataclass(frozen=True)
class BilledMonth:
    first: date
    billed: Decimal
    paid: Decimal


def billed_by_month() -> list[tuple[str, list[BilledMonth]]]:
    """Return what was billed and paid in each of the last months, by currency; the largest first.

    Of a large provider the sums may be some minutes old.
    """
    return [(currency, [_month(*month) for month in months]) for currency, months in sums.read(BILLED)]


def _month(first: str, billed: str, paid: str) -> BilledMonth:
    return BilledMonth(date.fromisoformat(first), Decimal(billed), Decimal(paid))


def _sum_billed() -> tuple[list[Any], int]:
    """Sum up what the ledger says was billed and paid, month by month."""
    on = timezone.localdate()
    firsts = [months_before(on, back) for back in reversed(range(MONTHS))]
    rows = (
        Transfer.objects.filter(booked_on__gte=firsts[0], kind__in=(*BILLING, *PAYING))
        .filter(Q(debit=LedgerAccount.RECEIVABLE) | Q(credit=LedgerAccount.RECEIVABLE))
        .annotate(month=TruncMonth("booked_on"))
        .values("currency", "month", "kind", "debit")
        .annotate(sum=Sum("amount"), count=Count("id"))
        .order_by()
    )
    read = 0
    found: dict[str, dict[date, list[Decimal]]] = {}
    for row in rows:
        months = found.setdefault(row["currency"], {first: [Decimal(0), Decimal(0)] for first in firsts})
        read += row["count"]
        if row["month"] not in months:
            continue
        owed = row["sum"] if row["debit"] == LedgerAccount.RECEIVABLE else -row["sum"]
        if row["kind"] in BILLING:
            months[row["month"]][0] += owed
        else:
            months[row["month"]][1] -= owed
    by_size = sorted(found.items(), key=lambda each: -sum(billed for billed, _ in each[1].values()))
    said = [
        (currency, [(first.isoformat(), *map(str, months[first])) for first in firsts])
        for currency, months in by_size
    ]
    return said, read


BILLED = sums.add(sums.Sum("billing.billed", _sum_billed, seconds=600))
