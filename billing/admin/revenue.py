"""On the dashboard: what was billed and what was paid, month by month."""

from collections.abc import Sequence
from decimal import Decimal

from django.http import HttpRequest
from django.utils import formats

from billing.services.reports import BilledMonth, billed_by_month
from ispcore.admin import dashboard
from ispcore.admin.dashboard import Bar, Chart, Part, share

BILLED, RECEIVED = Part("Billed", 0, 0, "info"), Part("Paid", 0, 0, "good")


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
        for currency, months in billed_by_month()
    ]


def _month_bar(month: BilledMonth, months: Sequence[BilledMonth]) -> Bar:
    most = max(max(each.billed, Decimal(0)) + max(each.paid, Decimal(0)) for each in months)
    return Bar(
        label=formats.date_format(month.first, "M Y"),
        value=f"{_short(month.billed)} billed, {_short(month.paid)} paid",
        parts=[
            Part(BILLED.label, int(month.billed), _share(month.billed, most), BILLED.tone),
            Part(RECEIVED.label, int(month.paid), _share(month.paid, most), RECEIVED.tone),
        ],
    )


def _share(part: Decimal, whole: Decimal) -> float:
    return share(int(part * 100), int(whole * 100)) if part > 0 else 0.0


def _short(amount: Decimal) -> str:
    return f"{amount:,.0f}".replace(",", "\u202f")


dashboard.add_charts(30, allowed="billing.view_invoice", read=charts)
