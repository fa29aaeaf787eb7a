"""Home, invoices and usage: what a customer has."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.models import Invoice, InvoiceKind, InvoiceStatus
from billing.services.accounts import Balance
from billing.services.documents import invoice_pdf
from billing.services.documents.invoices import file_name, is_open
from billing.services.invoices.links import payment_link
from subscribers.models import Subscription
from subscribers.services.periods import local_date
from support.models import UNRESOLVED, PortalAccount
from support.pages import charts
from support.pages.frame import Site, customers_page, show
from support.services.portal import own
from support.services.portal.status import line_status
from support.services.portal.words import Words

# A status is a dozen queries: who has more lines opens the others one by one.
MOST_STATUSES = 3
MOST_LINES = 200
MOST_UNPAID = 50
PER_PAGE = 24


@require_safe
@customers_page
def home(request: HttpRequest, site: Site, account: PortalAccount) -> HttpResponse:
    """Show how each line is, what is to pay and what is under way."""
    at, words = timezone.now(), site.words
    customer = account.subscriber
    lines = list(own.lines_of(customer.pk)[: MOST_STATUSES + 1])
    unpaid = list(own.open_invoices(customer.pk)[:MOST_UNPAID])
    context: dict[str, Any] = {
        "greeting": words.say("hello", name=customer.full_name),
        "lines": [
            (line, line_words(line, words), line_status(subscription_id=line.pk, at=at, words=words))
            for line in lines[:MOST_STATUSES]
        ],
        "has_more": len(lines) > MOST_STATUSES,
        "balance": balance_words(own.balance(customer, on=local_date(at)), words),
        "pay": _to_pay(unpaid, words),
        "tickets": own.tickets_of(customer.pk).filter(status__in=UNRESOLVED)[:3],
    }
    return show(request, "home", site, here="home", **context)


@require_safe
@customers_page
def services(request: HttpRequest, site: Site, account: PortalAccount) -> HttpResponse:
    """List all lines."""
    lines = own.lines_of(account.subscriber_id)[:MOST_LINES]
    shown = [(line, line_words(line, site.words)) for line in lines]
    return show(request, "services", site, here="home", lines=shown)


@require_safe
@customers_page
def service(request: HttpRequest, site: Site, account: PortalAccount, line_id: UUID) -> HttpResponse:
    """Show one line: how it is, and what was used in the last 30 days."""
    at, words = timezone.now(), site.words
    line: Subscription = own.find_line(account.subscriber_id, line_id)
    days = own.usage_days(line, until=local_date(at) + timedelta(days=1), at=at)
    down = words.say("down", size=words.size(sum(each.down_bytes for each in days)))
    up = words.say("up", size=words.size(sum(each.up_bytes for each in days)))
    chart = charts.usage_chart(days, words)
    title = words.say("usage", days=own.USAGE_DAYS)
    busiest = words.say("busiest", most=chart["most"]) if chart else ""
    context: dict[str, Any] = {
        "line": line,
        "which": line_words(line, words),
        "how": line_status(subscription_id=line.pk, at=at, words=words),
        "title": title,
        "chart": chart,
        "chart_label": f"{title}: {down}, {up}, {busiest}",
        "days": [
            (words.day(each.day), words.size(each.down_bytes), words.size(each.up_bytes))
            for each in reversed(days)
        ],
        "down": down,
        "up": up,
        "busiest": busiest,
    }
    return show(request, "service", site, here="home", **context)


@require_safe
@customers_page
def invoices(request: HttpRequest, site: Site, account: PortalAccount) -> HttpResponse:
    """List invoices and credit notes, newest first."""
    today, words = local_date(timezone.now()), site.words
    rows = own.invoices_of(account.subscriber_id)
    if before := _id_of(request.GET.get("before", "")):
        rows = rows.filter(pk__lt=before)
    found = list(rows[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    context: dict[str, Any] = {
        "balance": balance_words(own.balance(account.subscriber, on=today), words),
        "invoices": [_row(each, today, words) for each in shown],
        "older": shown[-1].pk if len(found) > PER_PAGE else None,
    }
    return show(request, "invoices", site, here="invoices", **context)


@require_safe
@customers_page
def invoice_document(
    request: HttpRequest, site: Site, account: PortalAccount, invoice_id: UUID
) -> HttpResponse:
    """Send an invoice as PDF."""
    invoice = own.find_invoice(account.subscriber_id, invoice_id)
    pdf = invoice_pdf(invoice, language=site.words.language, link=payment_link(invoice))
    response = HttpResponse(pdf, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{file_name(invoice)}"'
    return response


def line_words(line: Subscription, words: Words) -> str:
    """Name a line by its number and where it is."""
    address = ", ".join(filter(None, (line.premise.address_line1, line.premise.city)))
    if not address:
        return words.say("service_number", number=line.number)
    return words.say("service_at", number=line.number, address=address)


def balance_words(balance: Balance | None, words: Words) -> dict[str, str]:
    """Say what is owed: the tone, the amount and what it is."""
    if balance is None or not balance.balance:
        return {"tone": "good", "amount": "", "text": words["nothing_to_pay"]}
    if balance.balance < 0:
        amount = words.money(balance.credit, balance.currency)
        return {"tone": "good", "amount": amount, "text": words["your_credit"]}
    text, since = words["to_pay"], words.day(balance.overdue_since)
    if balance.overdue >= balance.balance:
        text = words.say("to_pay_overdue", day=since)
    elif balance.overdue:
        text = words.say("to_pay_part", day=since, amount=words.money(balance.overdue, balance.currency))
    return {
        "tone": "bad" if balance.overdue else "wait",
        "amount": words.money(balance.balance, balance.currency),
        "text": text,
    }


def _to_pay(unpaid: list[Invoice], words: Words) -> dict[str, str]:
    if not unpaid:
        return {}
    invoice = unpaid[0]
    return {
        "more": words.say("pays_oldest", count=len(unpaid)) if len(unpaid) > 1 else "",
        "url": _pay_url(invoice, words),
        "text": words.say("pay_amount", amount=words.money(invoice.open_amount, invoice.currency)),
        "which": words.say("invoice_due", number=invoice.number, day=words.day(invoice.due_on)),
    }


def _row(invoice: Invoice, today: date, words: Words) -> dict[str, Any]:
    is_credit = invoice.kind == InvoiceKind.CREDIT_NOTE
    name = f"{words['credit_note' if is_credit else 'invoice']} {invoice.number}"
    issued, due = words.day(invoice.issued_on), words.day(invoice.due_on)
    tone, state = _state(invoice, today)
    return {
        "id": invoice.pk,
        "name": name,
        "when": words.say("issued_due", issued=issued, day=due) if due else issued,
        "total": words.money(invoice.total, invoice.currency),
        "tone": tone,
        "state": words[state],
        "pay": _pay_url(invoice, words) if not is_credit and is_open(invoice) else "",
        "pdf": words.say("pdf_of", name=name),
    }


def _pay_url(invoice: Invoice, words: Words) -> str:
    return f"{payment_link(invoice)}?language={words.language}"


def _state(invoice: Invoice, today: date) -> tuple[str, str]:
    """Return tone and word."""
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        return "plain", "credit_note"
    if invoice.status == InvoiceStatus.PAID:
        return "good", "paid"
    if invoice.status == InvoiceStatus.VOID:
        return "plain", "void"
    if invoice.due_on and invoice.due_on < today:
        return "bad", "overdue"
    return "wait", "partly_paid" if invoice.status == InvoiceStatus.PARTLY_PAID else "unpaid"


def _id_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
