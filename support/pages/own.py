"""Home, invoices and usage: what a customer has."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.models import Invoice, InvoiceKind, InvoiceStatus
from billing.services.accounts import Balance
from billing.services.documents import invoice_pdf
from billing.services.documents.invoices import file_name, is_open
from billing.services.documents.languages import words_of
from billing.services.invoices.links import payment_link
from ispcore.tenants.models import Tenant
from subscribers.models import Subscription
from subscribers.services.periods import local_date
from support.models import UNRESOLVED, PortalAccount
from support.pages import charts
from support.pages.frame import customers_page, show
from support.services.portal import own
from support.services.portal.status import line_status

# A status is a dozen queries: who has more lines opens the others one by one.
MOST_STATUSES = 3
MOST_LINES = 200
PER_PAGE = 24
WORDS = words_of("en")


@require_safe
@customers_page
def home(request: HttpRequest, tenant: Tenant, account: PortalAccount) -> HttpResponse:
    """Show how each line is, what is to pay and what is under way."""
    at = timezone.now()
    customer = account.subscriber
    lines = list(own.lines_of(customer.pk)[: MOST_STATUSES + 1])
    oldest = own.open_invoices(customer.pk).first()
    today = local_date(at)
    context = {
        "customer": customer,
        "lines": [(line, line_status(subscription_id=line.pk, at=at)) for line in lines[:MOST_STATUSES]],
        "has_more": len(lines) > MOST_STATUSES,
        "balance": balance_words(own.balance(customer, on=today)),
        "pay": _to_pay(oldest),
        "tickets": own.tickets_of(customer.pk).filter(status__in=UNRESOLVED)[:3],
    }
    return show(request, "home", tenant, here="home", **context)


@require_safe
@customers_page
def services(request: HttpRequest, tenant: Tenant, account: PortalAccount) -> HttpResponse:
    """List all lines."""
    lines = own.lines_of(account.subscriber_id)[:MOST_LINES]
    return show(request, "services", tenant, here="home", lines=lines)


@require_safe
@customers_page
def service(request: HttpRequest, tenant: Tenant, account: PortalAccount, line_id: UUID) -> HttpResponse:
    """Show one line: how it is, and what was used in the last 30 days."""
    at = timezone.now()
    line: Subscription = own.find_line(account.subscriber_id, line_id)
    days = own.usage_days(line, until=local_date(at) + timedelta(days=1), at=at)
    context: dict[str, Any] = {
        "line": line,
        "how": line_status(subscription_id=line.pk, at=at),
        "chart": charts.usage_chart(days),
        "days": [
            (WORDS.day(each.day), charts.size(each.down_bytes), charts.size(each.up_bytes))
            for each in reversed(days)
        ],
        "down": charts.size(sum(each.down_bytes for each in days)),
        "up": charts.size(sum(each.up_bytes for each in days)),
    }
    return show(request, "service", tenant, here="home", **context)


@require_safe
@customers_page
def invoices(request: HttpRequest, tenant: Tenant, account: PortalAccount) -> HttpResponse:
    """List invoices and credit notes, newest first."""
    today = local_date(timezone.now())
    rows = own.invoices_of(account.subscriber_id)
    if before := _id_of(request.GET.get("before", "")):
        rows = rows.filter(pk__lt=before)
    found = list(rows[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    context: dict[str, Any] = {
        "balance": balance_words(own.balance(account.subscriber, on=today)),
        "invoices": [
            {
                "id": each.pk,
                "name": f"{each.get_kind_display()} {each.number}",
                "issued": WORDS.day(each.issued_on),
                "due": WORDS.day(each.due_on),
                "total": WORDS.money(each.total, each.currency),
                "state": _state(each, today),
                "pay": payment_link(each) if each.kind == InvoiceKind.INVOICE and is_open(each) else "",
            }
            for each in shown
        ],
        "older": shown[-1].pk if len(found) > PER_PAGE else None,
    }
    return show(request, "invoices", tenant, here="invoices", **context)


@require_safe
@customers_page
def invoice_document(
    request: HttpRequest, tenant: Tenant, account: PortalAccount, invoice_id: UUID
) -> HttpResponse:
    """Send an invoice as PDF."""
    invoice = own.find_invoice(account.subscriber_id, invoice_id)
    pdf = invoice_pdf(invoice, link=payment_link(invoice))
    response = HttpResponse(pdf, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{file_name(invoice)}"'
    return response


def balance_words(balance: Balance | None) -> dict[str, str]:
    """Say what is owed: the tone, the amount and what it is."""
    if balance is None or not balance.balance:
        return {"tone": "good", "amount": "", "text": "Nothing to pay"}
    if balance.balance < 0:
        amount = WORDS.money(balance.credit, balance.currency)
        return {"tone": "good", "amount": amount, "text": "Your credit with us"}
    text = "To pay"
    if balance.overdue:
        part = (
            ""
            if balance.overdue >= balance.balance
            else f"{WORDS.money(balance.overdue, balance.currency)} of it "
        )
        text = f"To pay, {part}overdue since {WORDS.day(balance.overdue_since)}"
    return {
        "tone": "bad" if balance.overdue else "wait",
        "amount": WORDS.money(balance.balance, balance.currency),
        "text": text,
    }


def _to_pay(invoice: Invoice | None) -> dict[str, str]:
    if invoice is None:
        return {}
    return {
        "url": payment_link(invoice),
        "amount": WORDS.money(invoice.open_amount, invoice.currency),
        "number": invoice.number,
        "due": WORDS.day(invoice.due_on),
    }


def _state(invoice: Invoice, today: Any) -> tuple[str, str]:
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        return "plain", "Credit note"
    if invoice.status == InvoiceStatus.PAID:
        return "good", "Paid"
    if invoice.status == InvoiceStatus.VOID:
        return "plain", "Void"
    if invoice.due_on and invoice.due_on < today:
        return "bad", "Overdue"
    return "wait", "Partly paid" if invoice.status == InvoiceStatus.PARTLY_PAID else "Open"


def _id_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
