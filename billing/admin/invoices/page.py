"""What an invoice's page shows: lines, taxes, what paid it, and what happened to it."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.urls import reverse

from billing.admin.invoices.states import state_of
from billing.admin.terms import percent, today
from billing.admin.words import numbered_link
from billing.models import (
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceMail,
    InvoiceStatus,
    LineTax,
    MailStatus,
)
from billing.services.documents.invoices import is_open
from billing.services.invoices.links import payment_link
from ispcore.admin import links
from ispcore.admin.formats import day, moment, money, pill, said

MAIL_TONES = {
    MailStatus.QUEUED: "info",
    MailStatus.SENDING: "info",
    MailStatus.SENT: "good",
    MailStatus.FAILED: "danger",
}
LINES_SHOWN = 250


def page_of(invoice: Invoice) -> dict[str, Any]:
    """Return what an invoice's page shows."""
    on = today()
    lines = list(
        InvoiceLine.objects.filter(invoice=invoice).select_related("subscription").order_by("position")
    )
    taxes: dict[tuple[str, Decimal], list[Decimal]] = {}
    for tax in LineTax.objects.filter(line__invoice=invoice).order_by("name"):
        sums = taxes.setdefault((tax.name, tax.percent), [Decimal(0), Decimal(0)])
        sums[0] += tax.base
        sums[1] += tax.amount

    def of(amount: Decimal) -> str:
        return money(amount, invoice.currency)

    return {
        "total": said(invoice.total, invoice.currency),
        "state": state_of(invoice, on),
        "open": said(invoice.open_amount, invoice.currency) if is_open(invoice) else "",
        "facts": _facts(invoice),
        "lines": [
            {
                "text": line.description,
                "kind": line.get_kind_display(),
                "service": links.link(
                    links.url_of("subscription", line.subscription_id), str(line.subscription)
                )
                if line.subscription
                else "",
                "period": _span(line.period_start, line.period_end),
                "formula": line.formula,
                "quantity": f"{line.quantity.normalize():f}",
                "price": of(line.unit_price),
                "net": of(line.net),
                "tax": of(line.tax),
            }
            for line in lines[:LINES_SHOWN]
        ],
        "taxes": [
            {
                "name": name,
                "percent": percent(rate),
                "base": said(sums[0], invoice.currency),
                "amount": said(sums[1], invoice.currency),
            }
            for (name, rate), sums in taxes.items()
        ],
        "net": said(invoice.net, invoice.currency),
        "paid_by": _paid_by(invoice),
        "is_draft": invoice.status == InvoiceStatus.DRAFT,
        "of_run": links.link(links.url_of("billing_run", invoice.run_id), f"run of {day(invoice.run.on)}")
        if invoice.run
        else "",
        "pdf_url": reverse("admin:billing_invoice_pdf", args=[invoice.pk]),
        "pay_url": payment_link(invoice) if is_open(invoice) and invoice.kind == InvoiceKind.INVOICE else "",
        "timeline": _timeline(invoice),
        "failed_mail": _failed_mail(invoice),
    }


def _span(start: date | None, until: date | None) -> str:
    """Write the days from `start` until the one before `until`."""
    if start is None or until is None:
        return ""
    last = until - timedelta(days=1)
    return day(start) if last <= start else f"{day(start)} to {day(last)}"


def _facts(invoice: Invoice) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = [
        ("Customer", numbered_link(invoice.subscriber)),
        ("Issued", day(invoice.issued_on, empty="not yet")),
    ]
    if invoice.kind == InvoiceKind.INVOICE:
        rows.append(("Due", day(invoice.due_on, empty="counted from the day it is issued")))
    if invoice.period_start and invoice.period_end:
        rows.append(("Period", _span(invoice.period_start, invoice.period_end)))
    if invoice.corrects:
        rows.append(
            ("Corrects", links.link(links.url_of("invoice", invoice.corrects_id), invoice.corrects.number))
        )
    if invoice.reason:
        rows.append(("Reason", invoice.reason))
    return [*rows, ("Sent", moment(invoice.sent_at, empty="not yet"))]


def _paid_by(invoice: Invoice) -> list[dict[str, Any]]:
    is_note = invoice.kind == InvoiceKind.CREDIT_NOTE
    used = invoice.used_for if is_note else invoice.allocations
    rows = []
    for one in used.select_related("payment", "credit_note", "invoice").order_by("id")[:100]:
        if is_note:
            url, name = links.url_of("invoice", one.invoice_id), one.invoice.number
        elif one.payment:
            url = links.url_of("payment", one.payment_id)
            name = f"{one.payment.get_method_display()} {one.payment.reference}".strip()
        else:
            url, name = links.url_of("invoice", one.credit_note_id), one.credit_note.number
        rows.append(
            {
                "url": url,
                "name": name,
                "amount": money(one.amount, invoice.currency),
                "at": moment(one.created_at),
                "released": moment(one.released_at) if one.released_at else "",
            }
        )
    return rows


def _timeline(invoice: Invoice) -> list[dict[str, Any]]:
    """Return what happened to an invoice, newest first."""
    by = str(invoice.created_by or "a billing run" if invoice.run_id else invoice.created_by or "the system")
    found: list[tuple[Any, str, str, str]] = [(invoice.created_at, "Written", f"by {by}", "plain")]
    if invoice.issued_at:
        found.append((invoice.issued_at, "Issued", f"as {invoice.number}", "info"))
    for one in invoice.allocations.select_related("payment", "credit_note").order_by("id")[:100]:
        what = (
            f"by {one.credit_note.number}"
            if one.credit_note
            else f"by {one.payment.get_method_display().lower()}"
        )
        amount = said(one.amount, invoice.currency)
        found.append((one.created_at, "Paid", f"{amount} {what}", "good"))
        if one.released_at:
            found.append((one.released_at, "Payment taken back", amount, "warning"))
    for note in invoice.credit_notes.order_by("id")[:100]:
        found.append((note.issued_at, "Credited", f"{note.number}: {note.reason}", "warning"))
    for mail in InvoiceMail.objects.filter(invoice=invoice).order_by("id")[:100]:
        tone = MAIL_TONES[MailStatus(mail.status)]
        words = f"to {mail.to}" + (f": {mail.problem}" if mail.problem else "")
        found.append(
            (mail.sent_at or mail.created_at, f"E-mail {mail.get_status_display().lower()}", words, tone)
        )
    if invoice.voided_at:
        found.append((invoice.voided_at, "Made void", invoice.reason, "danger"))
    return [
        {"at": moment(at), "what": pill(what, tone), "words": words}
        for at, what, words, tone in sorted(found, key=lambda each: each[0], reverse=True)
    ]


def _failed_mail(invoice: Invoice) -> str:
    last = InvoiceMail.objects.filter(invoice=invoice).order_by("-id").first()
    return last.problem if last and last.status == MailStatus.FAILED else ""
