"""Reports: who owes what, what comes in each month, taxes, takings, and the journal for the accountant."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import formats, timezone

from billing.models import PaymentMethod
from billing.services import reports
from ispcore.admin import links, navigation
from ispcore.admin.columns import Column, columns
from ispcore.admin.dashboard import Bar, Chart, Part, share
from ispcore.admin.formats import DASH, day, money, pill, said
from ispcore.errors import DomainError

MAY_SEE = "billing.view_invoice"
MONTHS = 12
DEBTORS_SHOWN = 50
DAYS_DRAWN = 31
BUCKETS = (
    ("current", "Not due yet", "good"),
    ("days_1_30", "1–30 days", "info"),
    ("days_31_60", "31–60 days", "warning"),
    ("days_61_90", "61–90 days", "warning"),
    ("days_over_90", "Over 90 days", "danger"),
)
METHOD_TONES = {
    PaymentMethod.CASH: "good",
    PaymentMethod.BANK: "info",
    PaymentMethod.CARD: "plain",
    PaymentMethod.VOUCHER: "warning",
}
HOME = "admin:billing_report_debt"
TABS = (
    ("debt", "Aged debt"),
    ("revenue", "Recurring revenue"),
    ("taxes", "Taxes"),
    ("cash", "Takings"),
    ("journal", "Journal"),
)


def urls(admin: Any) -> list[URLPattern]:
    """Return the pages' addresses, under those of the admin they hang on."""
    pages: dict[str, Callable[..., HttpResponseBase]] = {
        "debt": debt_view, "revenue": revenue_view, "taxes": taxes_view, "cash": cash_view, "journal": journal_view,
    }  # fmt: skip

    def page(name: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
        def shown(request: HttpRequest) -> HttpResponseBase:
            if not request.user.has_perm(MAY_SEE):
                raise PermissionDenied
            try:
                return view(admin, request)
            except DomainError as refusal:
                messages.error(request, str(refusal))
                return redirect(request.path)

        return path(f"reports/{name}/", admin.admin_site.admin_view(shown), name=f"billing_report_{name}")

    return [page(name, view) for name, view in pages.items()]


def debt_view(admin: Any, request: HttpRequest) -> HttpResponseBase:
    """Show what is open by the days since it was due; `file` fetches all of it."""
    today = timezone.localdate()
    if "file" in request.GET:
        return reports.aged_debt_file(on=today)
    found = reports.aged_debt(on=today, limit=DEBTORS_SHOWN)
    charts = [
        Chart(
            f"{total.currency}: {total.subscribers} customers",
            [
                Bar(
                    label,
                    money(getattr(total, name), total.currency),
                    [_part(label, getattr(total, name), total.total, tone)],
                )
                for name, label, tone in BUCKETS
            ],
            empty="Nothing is open.",
        )
        for total in found.totals
        if total.total
    ]
    totals = [
        {
            "currency": each.currency,
            "total": money(each.total, each.currency),
            "overdue": money(each.total - each.current, each.currency),
            "credit": money(each.credit, each.currency),
            "balance": money(each.balance, each.currency),
        }
        for each in found.totals
    ]
    rows = [
        {
            "customer": links.link(links.url_of("subscriber", each.subscriber_id), each.full_name),
            "number": each.number,
            "amounts": [
                (label, money(getattr(each, name), each.currency) if getattr(each, name) else DASH)
                for name, label, _ in BUCKETS
            ],
            "total": money(each.total, each.currency),
            "oldest": _age(each.oldest_days),
        }
        for each in found.subscribers
    ]
    return _answer(
        admin,
        request,
        "debt",
        {"charts": charts, "totals": totals, "rows": rows, "buckets": [label for _, label, _ in BUCKETS]},
    )


def revenue_view(admin: Any, request: HttpRequest) -> HttpResponseBase:
    """Show what comes in each month by itself, and why it changed."""
    today = timezone.localdate()
    found = reports.recurring(first=reports.months_before(today, MONTHS - 1), last=today, on=today)
    names = (("Kept", "info"), ("More", "plain"), ("Come back", "warning"), ("New", "good"))
    charts = []
    for currency in sorted({each.currency for each in found}):
        months = [each for each in found if each.currency == currency]
        last = months[-1]
        summary = (
            f"{formats.date_format(last.month, 'F Y')}: {said(last.mrr, currency)} a month from {last.subscribers} "
            "customers, before tax."
        )
        drawn = columns(
            [
                Column(
                    formats.date_format(each.month, "M y"),
                    f"{formats.date_format(each.month, 'F Y')}: {said(each.mrr, currency)}",
                    (
                        float(each.mrr - each.expansion - each.reactivated - each.new),
                        float(each.expansion),
                        float(each.reactivated),
                        float(each.new),
                    ),
                )
                for each in months
            ],
            names=names,
            unit="",
            summary=summary,
        )
        charts.append((currency, drawn))
    rows = [
        {
            "month": formats.date_format(each.month, "F Y"),
            "amounts": [
                (label, money(value, each.currency) if value else DASH)
                for label, value in (
                    ("MRR", each.mrr),
                    ("New", each.new),
                    ("Come back", each.reactivated),
                    ("More", each.expansion),
                    ("Less", -each.contraction),
                    ("Left", -each.churned),
                )
            ],
            "customers": each.subscribers,
            "left": f"{each.subscribers_churned} ({each.churn_percent} %)"
            if each.subscribers_churned
            else DASH,
        }
        for each in reversed(found)
    ]
    return _answer(admin, request, "revenue", {"charts": charts, "rows": rows})


def taxes_view(admin: Any, request: HttpRequest) -> HttpResponseBase:
    """Show the taxes of a period by rate, and whether the ledger has the same."""
    since, last = _period(request)
    found = reports.taxes(since=since, until=last + timedelta(days=1))
    rows = [
        {
            "name": each.name or "Without tax",
            "percent": f"{each.percent.normalize():f} %" if each.name else DASH,
            "base": money(each.base, each.currency),
            "tax": money(each.tax, each.currency),
        }
        for each in found.rates
    ]
    totals = [
        {
            "net": money(each.net, each.currency),
            "tax": money(each.tax, each.currency),
            "invoices": each.invoices,
            "given_back": each.given_back,
            "agrees": pill("The ledger has the same", "good")
            if each.tax == each.booked_tax
            else pill(
                f"The ledger has {said(each.booked_tax, each.currency)}: tell whoever runs the system",
                "danger",
            ),
        }
        for each in found.totals
    ]
    return _answer(admin, request, "taxes", {"rows": rows, "totals": totals, **_shown_period(since, last)})


def cash_view(admin: Any, request: HttpRequest) -> HttpResponseBase:
    """Show what was received and given back, per day, method and person."""
    since, last = _period(request)
    found = reports.cash(since=since, until=last + timedelta(days=1))
    rows = [
        {
            "day": day(each.day),
            "method": pill(PaymentMethod(each.method).label, METHOD_TONES[PaymentMethod(each.method)]),
            "who": each.user_name or "The system",
            "payments": each.payments,
            "received": money(each.received, each.currency),
            "given_back": money(each.given_back, each.currency) if each.given_back else DASH,
            "net": money(each.net, each.currency),
        }
        for each in reversed(found)
    ]
    charts = [
        (currency, _takings([each for each in found if each.currency == currency], currency, since, last))
        for currency in sorted({each.currency for each in found})
    ]
    return _answer(admin, request, "cash", {"rows": rows, "charts": charts, **_shown_period(since, last)})


def journal_view(admin: Any, request: HttpRequest) -> HttpResponseBase:
    """Ask for a period; `file` fetches its journal."""
    since, last = _period(request)
    if "file" in request.GET:
        return reports.journal_file(since=since, until=last + timedelta(days=1))
    return _answer(admin, request, "journal", _shown_period(since, last))


def _takings(rows: list[reports.CashRow], currency: str, since: date, last: date) -> str:
    """Draw what was received each day by method; of a long period its last days."""
    first = max(since, last - timedelta(days=DAYS_DRAWN - 1))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    received: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
    of_day: dict[date, Decimal] = defaultdict(Decimal)
    for each in rows:
        received[each.day, each.method] += each.received
        of_day[each.day] += each.received
    return columns(
        [
            Column(
                formats.date_format(day, "j M"),
                f"{formats.date_format(day, 'j M')}: {said(of_day[day], currency)}",
                tuple(float(received[day, method]) for method in METHOD_TONES),
            )
            for day in days
        ],
        names=[(str(method.label), tone) for method, tone in METHOD_TONES.items()],
        unit="",
        summary=_received(rows, currency),
    )


def _received(rows: Sequence[reports.CashRow], currency: str) -> str:
    """Say what came in; a voucher that was used brought its money when it was sold."""
    used = sum((each.received for each in rows if each.method == PaymentMethod.VOUCHER), Decimal())
    came = sum((each.received for each in rows), Decimal()) - used
    words = f"{said(came, currency)} were received in the whole period"
    return f"{words}, besides vouchers that were used for {said(used, currency)}." if used else f"{words}."


def _answer(admin: Any, request: HttpRequest, name: str, more: dict[str, Any]) -> HttpResponseBase:
    context = {
        **admin.admin_site.each_context(request),
        "title": dict(TABS)[name],
        "tabs": [
            (TABS[0][1], *here) if number == 0 else (label, *here)
            for number, (label, *here) in enumerate(navigation.tabs_of(request, HOME))
        ],
        **more,
    }
    return TemplateResponse(request, f"admin/billing/reports/{name}.html", context)


def _part(label: str, amount: Decimal, whole: Decimal, tone: str) -> Part:
    return Part(label, round(amount), share(round(amount * 100), round(whole * 100)), tone)


def _age(days: int) -> str:
    return f"{days} days" if days > 1 else "1 day" if days == 1 else "not due"


def _period(request: HttpRequest) -> tuple[date, date]:
    """Return the first and the last day asked for; this month when that is nothing."""
    today = timezone.localdate()
    last = _day(request.GET.get("last")) or today
    since = _day(request.GET.get("from")) or min(today.replace(day=1), last)
    return since, last


def _day(text: str | None) -> date | None:
    try:
        day = datetime.strptime(text or "", "%Y-%m-%d").date()  # noqa: DTZ007  (a day has no zone)
    except ValueError:
        return None
    return day if 1970 <= day.year <= 9998 else None


def _shown_period(since: date, last: date) -> dict[str, str]:
    return {"since": since.isoformat(), "last": last.isoformat()}


navigation.add(
    "Billing",
    83,
    "Reports",
    url_name=HOME,
    icon="monitoring",
    allowed=MAY_SEE,
)
for order, (name, label) in enumerate(TABS[1:], 84):
    navigation.add(
        "Billing",
        order,
        label,
        url_name=f"admin:billing_report_{name}",
        icon="monitoring",
        allowed=MAY_SEE,
        under=HOME,
    )
