"""Billing's part of the dashboard: what is overdue, how old the debt is, and which bank lines wait."""

from decimal import Decimal

from django.http import HttpRequest
from django.urls import reverse

from billing.admin.bank_lines import WAITING
from billing.admin.reports import BUCKETS, MAY_SEE
from billing.models import BankLine
from billing.services.reports import debt_now
from ispcore.admin import dashboard
from ispcore.admin.dashboard import Bar, Chart, Part, Tile, share
from ispcore.admin.formats import figures, money, said


def tiles(request: HttpRequest) -> list[Tile]:
    """Sum up what is overdue, one tile a currency."""
    url = reverse("admin:billing_report_debt")
    return [
        Tile(
            f"Overdue, {each.currency}",
            figures(round(overdue)),
            url,
            hint=f"of {said(each.total, each.currency)} open",
            tone="warning" if overdue else "good",
        )
        for each in debt_now()
        if each.total
        for overdue in [each.total - each.current]
    ]


def bank_tiles(request: HttpRequest) -> list[Tile]:
    """Count the lines of bank statements that wait for a person, where there are statements."""
    count = BankLine.objects.filter(state__in=WAITING).count()
    url = f"{reverse('admin:billing_bankline_changelist')}?state=waiting"
    return [Tile("Bank lines waiting", count, url, tone="warning")] if count else []


def charts(request: HttpRequest) -> list[Chart]:
    """Draw what is open by its age, one chart a currency."""
    return [
        Chart(
            f"Debt by age, {each.currency}",
            [
                Bar(
                    label,
                    money(amount, each.currency),
                    [Part(label, round(amount), share(round(amount * 100), round(each.total * 100)), tone)],
                    url=reverse("admin:billing_report_debt"),
                )
                for name, label, tone in BUCKETS
                for amount in [Decimal(getattr(each, name))]
            ],
            empty="Nothing is open.",
        )
        for each in debt_now()
        if each.total
    ]


dashboard.add_tiles(25, allowed=MAY_SEE, read=tiles)
dashboard.add_tiles(26, allowed="billing.view_bankline", read=bank_tiles)
dashboard.add_charts(25, allowed=MAY_SEE, read=charts)
