"""On the dashboard: what was billed and what was paid, month by month."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncMonth
from django.http import HttpRequest
from django.utils import formats

from billing.admin.terms import today
from billing.models import LedgerAccount, Transfer, TransferKind
from ispcore.admin import dashboard
from ispcore.admin.dashboard import Bar, Chart, Part, share
from ispcore.tenants.context import current_tenant_id
from ispcore.totals import EXACT_UP_TO, Remembered

MONTHS = 12
_sums = Remembered(seconds=600)
BILLED, RECEIVED = Part("Billed", 0, 0, "info"), Part("Paid", 0, 0, "good")
BILLING = (TransferKind.INVOICE, TransferKind.CREDIT_NOTE, TransferKind.VOID)
PAYING = (TransferKind.PAYMENT, TransferKind.REFUND, TransferKind.BOUNCE)


@dataclass(frozen=True)
class Month:
    first: date
    billed: Decimal
    paid: Decimal


def charts(request: HttpRequest) -> list[Chart]:
    """Draw what was billed and what was paid month by month, one chart a currency."""
    return [
        Chart(
            f"Billed and paid, {currency}",
            [_month_bar(month, months) for month in months],
            empty="Nothing was billed in the last twelve months.",
            hint="From the ledger, credit notes and refunds taken off.",
            legend=[BILLED, RECEIVED],
        )
        for currency, months in _months(today())
    ]


def _months(on: date) -> list[tuple[str, list[Month]]]:
    """Return what was billed and paid in each of the last months, by currency; the largest first.

    Of a large provider the sums may be ten minutes old: each is one over all that was booked in a year.
    """
    firsts = [_month_before(on, back) for back in reversed(range(MONTHS))]
    name = ("months", current_tenant_id(), on)
    kept: list[tuple[str, list[Month]]] | None = _sums.find(name)
    if kept is not None:
        return kept
    rows = (
        Transfer.objects.filter(booked_on__gte=firsts[0], kind__in=(*BILLING, *PAYING))
        .filter(Q(debit=LedgerAccount.RECEIVABLE) | Q(credit=LedgerAccount.RECEIVABLE))
        .annotate(month=TruncMonth("booked_on"))
        .values("currency", "month", "kind", "debit")
        .annotate(sum=Sum("amount"), count=Count("id"))
        .order_by()
    )
    read = 0
    sums: dict[str, dict[date, list[Decimal]]] = {}
    for row in rows:
        months = sums.setdefault(row["currency"], {first: [Decimal(0), Decimal(0)] for first in firsts})
        read += row["count"]
        if row["month"] not in months:
            continue
        owed = row["sum"] if row["debit"] == LedgerAccount.RECEIVABLE else -row["sum"]
        if row["kind"] in BILLING:
            months[row["month"]][0] += owed
        else:
            months[row["month"]][1] -= owed
    found = [
        (currency, [Month(first, *months[first]) for first in firsts]) for currency, months in sums.items()
    ]
    found.sort(key=lambda each: -sum(month.billed for month in each[1]))
    if read > EXACT_UP_TO:
        _sums.keep(name, found)
    return found


def _month_bar(month: Month, months: Sequence[Month]) -> Bar:
    most = max(max(each.billed, Decimal(0)) + max(each.paid, Decimal(0)) for each in months)
    return Bar(
        label=formats.date_format(month.first, "M Y"),
        value=f"{_short(month.billed)} billed, {_short(month.paid)} paid",
        parts=[
            Part(BILLED.label, int(month.billed), _share(month.billed, most), BILLED.tone),
            Part(RECEIVED.label, int(month.paid), _share(month.paid, most), RECEIVED.tone),
        ],
    )


def _month_before(on: date, back: int) -> date:
    month = on.year * 12 + on.month - 1 - back
    return date(month // 12, month % 12 + 1, 1)


def _share(part: Decimal, whole: Decimal) -> float:
    return share(int(part * 100), int(whole * 100)) if part > 0 else 0.0


def _short(amount: Decimal) -> str:
    return f"{amount:,.0f}".replace(",", "\u202f")


dashboard.add_charts(30, allowed="billing.view_invoice", read=charts)
