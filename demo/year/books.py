"""The customers' own books: what each was asked for and what they paid, written down as it happened.

Nothing here is asked of billing a second time: a letter is kept as it came, money as it was handed over. At the end
every balance and every report has to come to the same.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core import mail

from billing.models import Invoice, InvoiceKind, InvoiceStatus, Payment, SubscriberBalance
from billing.services import accounts, reports
from billing.services.documents import statements
from demo.year.recount import Difference
from ispcore.tenants.context import current_tenant_id
from subscribers.models import Subscriber

# Where each way to pay stands in the general journal.
JOURNAL_NAMES = {"cash": "Cash", "bank": "Bank", "card": "Cards, clearing", "voucher": "Vouchers sold"}
NUMBER = re.compile(r"[A-Z]+-\d{4}-\d{6}")


@dataclass
class Letter:
    """An invoice or a credit note as it came; `sign` tells whether it asks or gives back."""

    subscriber_id: UUID
    number: str
    currency: str
    sign: int
    net: Decimal
    tax: Decimal
    total: Decimal
    issued_on: date
    is_void: bool = False


Account = tuple[UUID, str]


@dataclass
class Books:
    letters: dict[UUID, Letter] = field(default_factory=dict)
    owed: dict[Account, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    till: dict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    left: dict[UUID, Decimal] = field(default_factory=dict)
    reminded: dict[str, set[date]] = field(default_factory=lambda: defaultdict(set))
    differences: list[Difference] = field(default_factory=list)

    def read_letters(self, on: date) -> None:
        """Keep the invoices and credit notes that came today."""
        rows = Invoice.objects.filter(issued_on=on).exclude(status=InvoiceStatus.DRAFT)
        for each in rows.exclude(
            pk__in=[pk for pk, letter in self.letters.items() if letter.issued_on == on]
        ):
            sign = -1 if each.kind == InvoiceKind.CREDIT_NOTE else 1
            self.letters[each.pk] = Letter(
                each.subscriber_id, each.number, each.currency, sign, each.net, each.tax, each.total, on
            )
            self.owed[each.subscriber_id, each.currency] += sign * each.total

    def void(self, invoice_id: UUID) -> None:
        letter = self.letters[invoice_id]
        letter.is_void = True
        self.owed[letter.subscriber_id, letter.currency] -= letter.sign * letter.total

    def paid(
        self,
        subscriber_id: UUID,
        currency: str,
        amount: Decimal,
        method: str,
        *,
        payment_id: UUID | None = None,
    ) -> None:
        self.owed[subscriber_id, currency] -= amount
        self.till[currency, method] += amount
        if payment_id is not None:
            self.left[payment_id] = amount

    def sold(self, currency: str, amount: Decimal) -> None:
        """Note a voucher that was sold: it is money of nobody's account until it is used."""
        self.till[currency, "cash"] += amount
        self.till[currency, "voucher"] -= amount

    def gave_back(self, payment: Payment, amount: Decimal | None = None) -> None:
        """Take back a part of a payment, or all that is left of it."""
        amount = self.left[payment.pk] if amount is None else amount
        self.left[payment.pk] -= amount
        self.owed[payment.subscriber_id, payment.currency] += amount
        self.till[payment.currency, payment.method] -= amount

    def read_mail(self, on: date) -> int:
        """Read the reminders that were sent: of each invoice one a day, and to nobody who owes nothing."""
        box: list[Any] = getattr(mail, "outbox", [])
        mail.outbox = []
        numbers = {letter.number: letter for letter in self.letters.values()} if box else {}
        for message in box:
            found = NUMBER.search(str(message.subject))
            letter = numbers.get(found.group()) if found else None
            if letter is None:
                self._tell("reminder", str(message.subject), "about no invoice that came")
            elif on in self.reminded[letter.number]:
                self._tell("reminded twice", letter.number, f"on {on}")
            elif self.owed[letter.subscriber_id, letter.currency] <= 0 or letter.is_void:
                self._tell("reminded without debt", letter.number, f"on {on}")
            else:
                self.reminded[letter.number].add(on)
        return len(box)

    def _tell(self, what: str, record: str, detail: str) -> None:
        self.differences.append(Difference(what, record, detail))


def compare(books: Books, *, first: date, last: date) -> list[Difference]:
    """Hold what billing says at the end against the books: balances, documents, numbers, reports."""
    found = list(books.differences)
    names = dict(Subscriber.objects.values_list("pk", "number"))
    found += _balances(books, names, first, last)
    found += _documents(books)
    found += _numbers(books)
    found += _aged_debt(books, names, last)
    found += _taxes(books, first, last)
    found += _journal(books, first, last)
    return found


def _differ(what: str, record: str, ours: Any, theirs: Any) -> Iterator[Difference]:
    if ours != theirs:
        yield Difference(what, record, f"the books have {ours}, billing says {theirs}")


def _balances(books: Books, names: dict[UUID, str], first: date, last: date) -> Iterator[Difference]:
    """Compare the balance that is kept, the one that is shown, and that of the statement of account."""
    kept: dict[Account, Decimal] = {
        (each.subscriber_id, each.currency): each.balance for each in SubscriberBalance.objects.all()
    }
    customers = Subscriber.objects.select_related("billing_profile").in_bulk()
    for key in sorted({*kept, *books.owed}):
        subscriber_id, currency = key
        ours, record = books.owed[key], f"Customer {names[subscriber_id]}, {currency}"
        yield from _differ("balance", record, ours, kept.get(key, Decimal(0)))
        customer = customers[subscriber_id]
        shown = accounts.balance_of(customer, on=last, currency=currency).balance
        yield from _differ("balance shown", record, ours, shown)
        told = statements.statement_of(customer, currency=currency, first=first, last=last)
        yield from _differ("statement of account", record, ours, told.closing)


def _documents(books: Books) -> Iterator[Difference]:
    """Compare each letter with the document: it stays for ever as it was issued."""
    names = ("number", "net", "tax", "total", "issued_on", "currency", "subscriber_id")
    rows = {each.pk: each for each in Invoice.objects.all()}
    for pk, each in rows.items():
        if pk not in books.letters:
            yield Difference("document", each.number or str(pk), f"never came: {each.status}")
    for pk, letter in books.letters.items():
        for name in names:
            yield from _differ(
                f"document: {name}", letter.number, getattr(letter, name), getattr(rows[pk], name)
            )
        yield from _differ(
            "document: void", letter.number, letter.is_void, rows[pk].status == InvoiceStatus.VOID
        )


def _numbers(books: Books) -> Iterator[Difference]:
    """Look for gaps: each series counts from one, and later numbers never came earlier."""
    series: dict[str, list[tuple[int, date]]] = defaultdict(list)
    for letter in books.letters.values():
        name, place = letter.number.rsplit("-", 1)
        series[name].append((int(place), letter.issued_on))
    for name, placed in sorted(series.items()):
        placed.sort()
        if [place for place, _ in placed] != list(range(1, len(placed) + 1)):
            yield Difference("numbers", name, f"{len(placed)} letters, the last is {placed[-1][0]}")
        days = [day for _, day in placed]
        if days != sorted(days):
            yield Difference("numbers", name, "do not follow the days")


def _aged_debt(books: Books, names: dict[UUID, str], last: date) -> Iterator[Difference]:
    """Compare the report with the balances: who has no credit lying there owes just what is open."""
    unused: dict[Account, Decimal] = defaultdict(Decimal)
    for paid in Payment.objects.all():
        unused[paid.subscriber_id, paid.currency] += paid.amount - paid.allocated - paid.refunded
    for note in Invoice.objects.filter(kind=InvoiceKind.CREDIT_NOTE):
        unused[note.subscriber_id, note.currency] += note.open_amount
    rows = {
        (row.subscriber_id, row.currency): row
        for row in reports.aged_debt_rows(tenant_id=current_tenant_id(), on=last)
    }
    for key in sorted({*rows, *books.owed}):
        is_open = rows[key].total if key in rows else Decimal(0)
        record = f"Customer {names[key[0]]}, {key[1]}"
        yield from _differ("aged debt", record, books.owed[key], is_open - unused[key])
    for total in reports.aged_debt(on=last).totals:
        ours = sum((owed for (_, code), owed in books.owed.items() if code == total.currency), Decimal(0))
        yield from _differ("aged debt, balance", total.currency, ours, total.balance)
        parts = (total.current, total.days_1_30, total.days_31_60, total.days_61_90, total.days_over_90)
        yield from _differ("aged debt, parts", total.currency, sum(parts), total.total)
        listed = sum((row.total for row in rows.values() if row.currency == total.currency), Decimal(0))
        yield from _differ("aged debt, customers", total.currency, listed, total.total)


def _taxes(books: Books, first: date, last: date) -> Iterator[Difference]:
    report = reports.taxes(since=first, until=last + timedelta(days=1))
    for total in report.totals:
        mine = [letter for letter in books.letters.values() if letter.currency == total.currency]
        valid = [letter for letter in mine if not letter.is_void]
        tax = sum((letter.sign * letter.tax for letter in valid), Decimal(0))
        yield from _differ("tax report", total.currency, tax, total.tax)
        yield from _differ("tax in the ledger", total.currency, tax, total.booked_tax)
        net = sum((letter.sign * letter.net for letter in valid), Decimal(0))
        yield from _differ("net in the tax report", total.currency, net, total.net)
        rates = [row for row in report.rates if row.currency == total.currency]
        yield from _differ("tax by rate", total.currency, tax, sum((row.tax for row in rates), Decimal(0)))
        asked = sum(letter.sign > 0 for letter in mine)
        yield from _differ("invoices in the tax report", total.currency, asked, total.invoices)
        back = sum(letter.sign < 0 or letter.is_void for letter in mine)
        yield from _differ("given back in the tax report", total.currency, back, total.given_back)


def _journal(books: Books, first: date, last: date) -> Iterator[Difference]:
    """Add up the journal by account: what customers owe, what came in, what was earned."""
    booked: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    rows = reports.journal_rows(tenant_id=current_tenant_id(), since=first, until=last + timedelta(days=1))
    place = {name: column for column, name in enumerate(next(rows))}
    for row in rows:
        booked[row[place["Currency"]], row[place["Debit"]]] += row[place["Amount"]]
        booked[row[place["Currency"]], row[place["Credit"]]] -= row[place["Amount"]]
    ours: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for (_, currency), amount in books.owed.items():
        ours[currency, "Receivable"] += amount
    for (currency, method), amount in books.till.items():
        ours[currency, JOURNAL_NAMES[method]] += amount
    for letter in books.letters.values():
        if not letter.is_void:
            ours[letter.currency, "Tax payable"] -= letter.sign * letter.tax
            ours[letter.currency, "Revenue"] -= letter.sign * letter.net
    for currency in {currency for currency, _ in booked}:
        # Which part of what was earned are late fees, the second count of the charges knows.
        booked[currency, "Revenue"] += booked.pop((currency, "Late fees"), Decimal(0))
        total = sum((amount for (code, _), amount in booked.items() if code == currency), Decimal(0))
        yield from _differ("journal", currency, Decimal(0), total)
    for key in sorted({*ours, *booked}):
        yield from _differ("journal", ", ".join(key), ours[key], booked[key])
