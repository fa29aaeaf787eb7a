"""An invoice or a credit note as a PDF."""

from decimal import Decimal
from typing import Any

from django.db.models import Prefetch, Sum

from billing.models import (
    BillingIdentity,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    LineKind,
    LineTax,
    TaxExemption,
)
from billing.services.documents import codes, typesetting
from billing.services.documents.identity import billing_identity, logo_svg
from billing.services.documents.languages import Words, words_of
from subscribers.models import DocumentType, Subscriber

TAX_DOCUMENTS = (DocumentType.TAX_ID, DocumentType.COMPANY)
# Said by the run in the house's own words; what people named is printed as they named it.
NAMED_BY_US = {LineKind.HOLD_CREDIT: "hold_credit", LineKind.END_CREDIT: "end_credit"}


def invoice_pdf(invoice: Invoice, *, language: str = "", link: str = "", kind: str = "pdf") -> bytes:
    """Return an invoice as PDF/A-2b, as it stands now: with what is paid of it.

    `link` is the address of its payment page, where there is one.
    """
    values = invoice_values(invoice, billing_identity(), language=language, link=link)
    return typesetting.render("invoice.typ", values, at=invoice.issued_at or invoice.created_at, kind=kind)


def file_name(invoice: Invoice) -> str:
    return f"{invoice.number or f'draft-{invoice.pk.hex[-8:]}'}.pdf"


def invoice_values(
    invoice: Invoice, identity: BillingIdentity, *, language: str = "", link: str = ""
) -> dict[str, Any]:
    """Return everything the template shows, as text in one language."""
    words = words_of(language or identity.language)
    is_note = invoice.kind == InvoiceKind.CREDIT_NOTE
    heading = words.say("credit_note" if is_note else "invoice")
    lines = list(
        InvoiceLine.objects.filter(invoice=invoice)
        .order_by("position")
        .prefetch_related(Prefetch("taxes", LineTax.objects.order_by("name")))
    )
    originals = InvoiceLine.objects.in_bulk([line.source for line in lines]) if is_note else {}
    values = {
        **frame(identity, words),
        "title": f"{heading} {invoice.number}".strip(),
        "heading": heading,
        "stamp": _stamp(invoice, words),
        "words": {
            name: words.say(name)
            for name in ("customer", "description", "quantity", "price", "amount", "how_to_pay", "pay_online")
        },
        "customer": {"name": invoice.subscriber.full_name, "lines": _customer(invoice.subscriber, words)},
        "facts": _facts(invoice, words),
        "lines": [_line(line, originals.get(line.source, line), invoice.currency, words) for line in lines],
        "totals": _totals(invoice, lines, words),
        "pay": _pay(invoice, identity, link, words),
        "note": " ".join(part for part in (_exemption(invoice, lines, words), identity.note) if part),
    }
    return (
        apart(values, "seller", "customer", "facts", "lines", "totals") if words.is_right_to_left else values
    )


def apart(values: dict[str, Any], *names: str) -> dict[str, Any]:
    """Keep each text of these parts in its own direction, so that 'S.L.' ends with its point among Arabic."""
    return {name: _isolated(value) if name in names else value for name, value in values.items()}


def _isolated(value: Any) -> Any:
    if isinstance(value, str):
        return f"\u2068{value}\u2069" if value else value  # Unicode UAX 9: FSI, PDI.
    if isinstance(value, dict):
        return {name: _isolated(part) for name, part in value.items()}
    return [_isolated(part) for part in value] if isinstance(value, list | tuple) else value


def frame(identity: BillingIdentity, words: Words) -> dict[str, Any]:
    """Return what all documents of a provider have: its head, its foot, its direction of writing."""
    tax = f"{words.say('tax_number')}: {identity.tax_id}" if identity.tax_id else ""
    lines = [*identity.address.splitlines(), tax, identity.email, identity.phone]
    return {
        "lang": words.language,
        "rtl": words.is_right_to_left,
        "logo": logo_svg(bytes(identity.logo)),
        "seller": {"name": identity.legal_name, "lines": [line for line in lines if line]},
        "foot": " · ".join(part for part in (identity.legal_name, tax) if part),
        "page": words.say("page", page="{page}", pages="{pages}"),
    }


def address_of(who: Subscriber) -> list[str]:
    town = " ".join(part for part in (who.postal_code, who.city) if part)
    region = ", ".join(part for part in (who.state, who.country) if part)
    return [part for part in (who.address_line1, who.address_line2, town, region) if part]


def _customer(who: Subscriber, words: Words) -> list[str]:
    lines = address_of(who)
    if who.document_number and who.document_type in TAX_DOCUMENTS:
        lines.append(f"{words.say('tax_number')}: {who.document_number}")
    return [*lines, f"{words.say('customer_number')}: {who.number}"]


def _stamp(invoice: Invoice, words: Words) -> str:
    if invoice.status == InvoiceStatus.DRAFT:
        return words.say("draft")
    if invoice.status == InvoiceStatus.VOID:
        return words.say("void")
    is_paid = invoice.status == InvoiceStatus.PAID and invoice.kind == InvoiceKind.INVOICE
    return words.say("paid_in_full") if is_paid else ""


def _facts(invoice: Invoice, words: Words) -> list[tuple[str, str]]:
    facts = [
        ("number", invoice.number),
        ("date", words.day(invoice.issued_on)),
        ("due", words.day(invoice.due_on)),
        ("period", words.days(invoice.period_start, invoice.period_end)),
        ("corrects", invoice.corrects.number if invoice.corrects else ""),
        ("reason", invoice.reason),
    ]
    return [(words.say(name), value) for name, value in facts if value]


def _line(line: InvoiceLine, about: InvoiceLine, currency: str, words: Words) -> dict[str, str]:
    """Write an item; `about` is the item a credit note gives back, which has the period."""
    name = NAMED_BY_US.get(LineKind(line.kind))
    formula = ""
    if about.formula and about is line:
        price = words.money(line.unit_price, currency)
        formula = f"{price} × {line.days} / {line.period_days} {words.say('days')}"
    note = [words.days(about.period_start, about.period_end), formula]
    return {
        "text": words.say(name) if name else line.description,
        "note": " · ".join(part for part in note if part),
        "quantity": words.number(line.quantity),
        "price": words.money(line.unit_price, currency),
        "amount": words.money(line.net, currency),
    }


def _totals(invoice: Invoice, lines: list[InvoiceLine], words: Words) -> list[tuple[str, str, bool]]:
    def money(amount: Decimal) -> str:
        return words.money(amount, invoice.currency)

    rates: dict[tuple[str, Decimal], list[Decimal]] = {}
    for line in lines:
        for tax in line.taxes.all():
            sums = rates.setdefault((tax.name, tax.percent), [Decimal(0), Decimal(0)])
            sums[0] += tax.base
            sums[1] += tax.amount
    rows = [(words.say("net"), money(invoice.net), False)] if rates else []
    for (name, percent), (base, amount) in sorted(rates.items()):
        # Whoever named the tax "VAT 23 %" need not read the percentage twice.
        named = name if "%" in name else f"{name} {words.percent(percent)}"
        rows.append((f"{named} {words.say('on')} {money(base)}", money(amount), False))
    rows.append((words.say("total"), money(invoice.total), True))
    if invoice.kind == InvoiceKind.CREDIT_NOTE or invoice.status in (InvoiceStatus.DRAFT, InvoiceStatus.VOID):
        return rows
    credited = _credited(invoice)
    paid = invoice.total - invoice.open_amount - credited
    rows += [(words.say("paid"), money(-paid), False)] if paid else []
    rows += [(words.say("credited"), money(-credited), False)] if credited else []
    if paid or credited:
        rows.append((words.say("open"), money(invoice.open_amount), True))
    return rows


def _credited(invoice: Invoice) -> Decimal:
    """Return how much of an invoice credit notes have paid."""
    used = invoice.allocations.filter(credit_note__isnull=False, released_at=None)
    total: Decimal | None = used.aggregate(total=Sum("amount"))["total"]
    return total or Decimal(0)


def _pay(invoice: Invoice, identity: BillingIdentity, link: str, words: Words) -> dict[str, Any]:
    """Say how to pay what is open; nothing where nothing is."""
    nothing: dict[str, Any] = {"rows": [], "code": "", "caption": "", "link": ""}
    if invoice.kind != InvoiceKind.INVOICE or not is_open(invoice):
        return nothing
    code = caption = ""
    if identity.iban and invoice.currency == "EUR":
        code, caption = transfer_code_of(invoice, identity), words.say("scan_bank")
    elif link:
        code, caption = codes.link_code(link), words.say("scan_link")
    return {"rows": transfer_rows(invoice, identity, words), "code": code, "caption": caption, "link": link}


def transfer_code_of(invoice: Invoice, identity: BillingIdentity) -> str:
    return codes.transfer_code(
        name=identity.legal_name, iban=identity.iban, bic=identity.bic, amount=invoice.open_amount,
        text=invoice.number,
    )  # fmt: skip


def is_open(invoice: Invoice) -> bool:
    return invoice.status in (InvoiceStatus.ISSUED, InvoiceStatus.PARTLY_PAID)


def transfer_rows(invoice: Invoice, identity: BillingIdentity, words: Words) -> list[tuple[str, str]]:
    """Return what a bank transfer needs, in the order of a bank's form; nothing without an account."""
    if not identity.iban:
        return []
    grouped = " ".join(identity.iban[at : at + 4] for at in range(0, len(identity.iban), 4))
    rows = [
        (words.say("holder"), identity.legal_name),
        ("IBAN", grouped),
        ("BIC", identity.bic),
        (words.say("bank"), identity.bank_name),
        (words.say("amount"), words.money(invoice.open_amount, invoice.currency)),
        (words.say("reference"), invoice.number),
    ]
    return [(label, value) for label, value in rows if value]


def _exemption(invoice: Invoice, lines: list[InvoiceLine], words: Words) -> str:
    """Say why no tax is charged, where the customer is freed from it."""
    if invoice.tax or any(line.taxes.all() for line in lines):
        return ""
    on = invoice.issued_on or invoice.created_at.date()
    freed = TaxExemption.objects.filter(subscriber=invoice.subscriber_id, starts_on__lte=on).order_by(
        "-starts_on"
    )
    valid = next((one for one in freed if one.ends_on is None or one.ends_on > on), None)
    return f"{words.say('tax_exempt')}: {valid.reason}." if valid else ""
