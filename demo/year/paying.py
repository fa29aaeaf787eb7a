"""How the year's customers pay: on the day, early, late, in parts, too much, twice, by gateway, by bank, or never."""

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from billing.gateways.demo_bank import DemoBank
from billing.models import (
    BankLine,
    CreditVoucher,
    CreditVoucherBatch,
    GatewayAccount,
    Invoice,
    InvoiceKind,
    InvoiceStatus,
    LineState,
    Payment,
)
from billing.services import bank, invoices, payments
from billing.services.dunning import promises
from billing.services.gateways import accounts, checkouts, notices
from billing.services.gateways.checkouts import TopUp
from billing.services.prepaid import selling, vouchers
from demo.year import files
from demo.year.books import Books
from demo.year.clock import Clock
from demo.year.people import Offer, Person
from ispcore.money import round_money
from ispcore.tenants.context import tenant_context
from ispcore.vouchers.codes import hash_code

Deed = Callable[[], None]


@dataclass(frozen=True)
class BankTransfer:
    """Money on its way to the provider's bank."""

    day: date
    amount: Decimal
    person: Person
    text: str


@dataclass
class Counter:
    """Where the year's customers pay."""

    clock: Clock
    dice: random.Random
    offer: Offer
    diary: dict[date, list[Deed]] = field(default_factory=lambda: defaultdict(list))
    by_night: list[Deed] = field(default_factory=list)
    transfers: list[BankTransfer] = field(default_factory=list)
    payers: dict[str, UUID] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    books: Books = field(default_factory=Books)

    def later(self, days: int, deed: Deed) -> None:
        """Note a deed for a day from tomorrow on."""
        self.diary[self.clock.in_days(max(days, 1))].append(deed)

    def billed(self, person: Person, invoice_id: UUID, due_on: date) -> None:
        """Note when a customer pays an invoice that was issued today, as they have the habit to."""
        due, dice = (due_on - self.clock.today).days, self.dice
        if (chance := dice.random()) < 0.01:
            self.later(1, lambda: self.undo(invoice_id))
            return
        if chance < 0.03:
            self.later(dice.randint(1, 30), lambda: self.credit(invoice_id))
        for days, deed in self._habit(person, invoice_id, due):
            self.later(days, deed)

    def _habit(self, person: Person, invoice_id: UUID, due: int) -> list[tuple[int, Deed]]:
        """Tell in how many days a customer does what about an invoice."""

        def pay(share: str = "1", *, twice: bool = False) -> Deed:
            return lambda: self.pay(person, invoice_id, Decimal(share), twice=twice)

        some = self.dice.randint
        habits: dict[str, list[tuple[int, Deed]]] = {
            "punctual": [(due, pay())],
            "early": [(some(1, 3), pay())],
            "late": [(due + some(1, 12), pay())],
            "very late": [(due + some(10, 70), pay())],
            "in parts": [(due, pay("0.4")), (due + some(5, 35), pay())],
            "over": [(due, pay("1.37"))],
            "twice": [(due, pay(twice=True))],
            "gateway": [(some(1, due + 3), lambda: self.by_gateway(person, invoice_id))],
            "bank": [(some(1, due + 5), lambda: self.by_bank(person, invoice_id))],
            "voucher": [(due, lambda: self.by_voucher(person))],
            "promise": [(due + 2, lambda: self.promise(person, invoice_id)), (due + some(20, 50), pay())],
        }
        return habits.get(person.habit, [])

    def pay(self, person: Person, invoice_id: UUID, share: Decimal, *, twice: bool = False) -> None:
        """Pay a share of what is open at the counter or by transfer."""
        at, method = self.clock.at(11), self.dice.choice(("cash", "bank"))
        reference = f"ref-{self.clock.today}-{person.line_id.hex[-12:]}-{self.done['paid']}" if twice else ""

        def deed() -> Payment | None:
            open_amount = _open(invoice_id)
            if not open_amount:
                return None
            amount = round_money(open_amount * share, person.currency)
            if amount <= 0:
                return None
            return payments.receive(
                subscriber_id=person.subscriber_id, amount=amount, currency=person.currency, method=method,
                reference=reference, received_at=at,
            )  # fmt: skip

        payment = self.clock.do("pay", deed)
        if payment is None:
            return
        self._book(payment)
        if twice:
            again = self.clock.do(
                "pay again",
                lambda: payments.receive(
                    subscriber_id=person.subscriber_id, amount=payment.amount, currency=payment.currency,
                    method=method, reference=reference, received_at=self.clock.at(15),
                ),
            )  # fmt: skip
            assert again == payment
            self.done["paid twice with one reference"] += 1
        self._goes_back(person, payment)

    def _goes_back(self, person: Person, payment: Payment) -> None:
        """Let some payments bounce or be refunded; who bounced pays again."""
        chance = self.dice.random()
        if chance < 0.02:
            self.later(self.dice.randint(2, 9), lambda: self.bounce(person, payment))
        elif chance < 0.035:
            self.later(self.dice.randint(1, 20), lambda: self.refund(payment))

    def bounce(self, person: Person, payment: Payment) -> None:
        at = self.clock.at(9, 30)
        if self.clock.do("bounce", lambda: payments.bounce(payment_id=payment.pk, reason="No cover", at=at)):
            self.books.gave_back(payment)
            self.done["bounced"] += 1
            self.later(self.dice.randint(3, 40), lambda: self.settle(person))

    def refund(self, payment: Payment) -> None:
        share = Decimal(self.dice.choice(("0.25", "1")))
        amount = round_money(payment.amount * share, payment.currency) or payment.amount
        made = self.clock.do(
            "refund",
            lambda: payments.refund(
                payment_id=payment.pk, amount=amount, reason="Goodwill", at=self.clock.at(16)
            ),
        )
        if made is not None:
            self.books.gave_back(payment, amount)
            self.done["refunded"] += 1

    def settle(self, person: Person) -> None:
        """Pay all that is open."""

        def deed() -> Payment | None:
            owed = sum(
                Invoice.objects.filter(
                    subscriber=person.subscriber_id, kind=InvoiceKind.INVOICE, open_amount__gt=0
                )
                .exclude(status=InvoiceStatus.DRAFT)
                .values_list("open_amount", flat=True),
                Decimal(0),
            )
            if not owed:
                return None
            return payments.receive(
                subscriber_id=person.subscriber_id, amount=owed, currency=person.currency, method="cash",
                received_at=self.clock.at(12),
            )  # fmt: skip

        self._book(self.clock.do("pay", deed))

    def top_up(self, person: Person, amount: Decimal) -> None:
        """Pay ahead at the counter."""

        def deed() -> Payment:
            return payments.receive(
                subscriber_id=person.subscriber_id, amount=amount, currency=person.currency, method="cash",
                received_at=self.clock.at(19),
            )  # fmt: skip

        self._book(self.clock.do("pay", deed))

    def _book(self, payment: Payment | None) -> None:
        if payment is not None:
            self.done["paid"] += 1
            self.books.paid(
                payment.subscriber_id, payment.currency, payment.amount, payment.method, payment_id=payment.pk
            )

    def promise(self, person: Person, invoice_id: UUID) -> None:
        def deed() -> Any:
            amount = _open(invoice_id)
            if not amount:
                return None
            return promises.make_promise(
                subscriber_id=person.subscriber_id, amount=amount, currency=person.currency,
                until=self.clock.in_days(30), on=self.clock.today, at=self.clock.at(14),
            )  # fmt: skip

        self.done["promised"] += self.clock.do("promise", deed) is not None

    def undo(self, invoice_id: UUID) -> None:
        """Make an invoice void; the next run bills its items anew."""
        at = self.clock.at(13)
        done = self.clock.do("void", lambda: invoices.void(invoice_id=invoice_id, reason="Wrong", at=at))
        if done is not None:
            self.books.void(invoice_id)
            self.done["made void"] += 1

    def credit(self, invoice_id: UUID) -> None:
        def deed() -> Any:
            invoice = Invoice.objects.get(pk=invoice_id)
            amount = round_money(invoice.total * self.dice.choice((1, 3, 10)) / 10, invoice.currency)
            if not amount:
                return None
            return invoices.credit(
                invoice_id=invoice_id, reason="Outage", amount=amount, at=self.clock.at(14)
            )

        self.done["credit notes"] += self.clock.do("credit", deed) is not None

    def by_voucher(self, person: Person) -> None:
        """Buy a voucher and use it twice: the second time it is refused, as is one that is out of date."""
        value = Decimal(25) if person.currency == "EUR" else Decimal(5000)
        code = f"YEAR{self.dice.randrange(10**12):012d}"
        days = self.dice.choice((-1, 30, 30, 365))

        def deed() -> Any:
            batch = CreditVoucherBatch.objects.create(
                name=f"Counter, {code}", quantity=1, amount=value, currency=person.currency,
                use_before=self.clock.at(9) + timedelta(days=days),
            )  # fmt: skip
            CreditVoucher.objects.create(batch=batch, code_hash=hash_code(code), shown=code[:4])
            return selling.sell_batch(
                batch_id=batch.pk, method="cash", at=self.clock.at(16, 55), user_id=None
            )

        def use() -> Any:
            return vouchers.redeem(subscriber_id=person.subscriber_id, code=code, at=self.clock.at(17))

        if self.clock.do("voucher", deed) is not None:
            self.books.sold(person.currency, value)
        used = self.clock.do("voucher", use)
        assert (used is None) == (days < 0), code
        if used is not None:
            self.done["vouchers"] += 1
            self.books.paid(person.subscriber_id, person.currency, value, "voucher")
            assert self.clock.do("voucher used", use) is None

    def by_gateway(self, person: Person, invoice_id: UUID | None, amount: Decimal = Decimal(0)) -> None:
        """Pay at the demo's bank, whose notices come several times and sometimes in the wrong order."""
        at, gateway_id = self.clock.at(18), self.offer.gateway_id
        assert gateway_id is not None

        def begin() -> Any:
            if invoice_id is None:
                top_up = TopUp(person.subscriber_id, amount, person.currency)
                checkout = checkouts.record_top_up(gateway_id=gateway_id, top_up=top_up)
            elif _open(invoice_id):
                checkout = checkouts.record_invoice(gateway_id=gateway_id, invoice_id=invoice_id)
            else:
                return None
            checkouts.begin_in_background(checkout, return_url="", user_id=None)
            return checkout

        checkout = self.clock.do("checkout", begin)
        if checkout is None:
            return
        self.clock.work_off(at)
        told = {
            "id": f"paid-{checkout.pk}", "kind": "paid", "order": str(checkout.pk),
            "payment": f"payment-{checkout.pk}", "refund": "", "amount": str(checkout.amount),
            "currency": checkout.currency,
        }  # fmt: skip
        told_all = [told] * self.dice.choice((1, 2, 3))
        if self.dice.random() < 0.08:
            # The refund's notice comes before that of its payment.
            back = {
                **told,
                "id": f"back-{checkout.pk}",
                "kind": "refunded",
                "refund": f"refund-{checkout.pk}",
            }
            told_all = [back, *told_all, back]
            self.done["refunded"] += 1
            if invoice_id is not None:
                self.later(self.dice.randint(1, 9), lambda: self.pay(person, invoice_id, Decimal(1)))
        for each in told_all:
            self._tell(each)
        # Paid is paid, and what was given back is gone, however often and in which order it was told.
        self.books.paid(person.subscriber_id, checkout.currency, checkout.amount, "card")
        if told_all[0] is not told:
            self.books.paid(person.subscriber_id, checkout.currency, -checkout.amount, "card")
        self.done["paid by gateway"] += 1

    def _tell(self, told: dict[str, str]) -> None:
        at = self.clock.at(18, 5)
        with self.clock.timed("notice"):
            with tenant_context(self.clock.tenant_id):
                account = GatewayAccount.objects.get(pk=self.offer.gateway_id)
                adapter, name = accounts.adapter_of(account), accounts.public_name(account)
            assert isinstance(adapter, DemoBank)
            headers, body = adapter.sign(told, at=at)
            notices.take(name=name, headers=headers, body=body, at=at)

    def by_bank(self, person: Person, invoice_id: UUID) -> None:
        """Transfer what is open; the bank tells with the next statement."""

        def deed() -> Any:
            return Invoice.objects.filter(pk=invoice_id, open_amount__gt=0).first()

        invoice = self.clock.do("look", deed)
        if invoice is not None:
            text = invoice.number if self.dice.random() < 0.8 else "Internet"
            self.transfers.append(BankTransfer(self.clock.today, invoice.open_amount, person, text))

    def read_statements(self) -> None:
        """Take in a statement for each currency, and pair by hand what waits: the office knows who is who."""
        at = self.clock.at(8)
        for currency in sorted({each.person.currency for each in self.transfers}):
            mine = [each for each in self.transfers if each.person.currency == currency]
            write, ending = (files.camt, "xml") if currency == "JPY" else (files.csv, "csv")
            content = write(mine, currency=currency, fees_on=self.clock.in_days(-1))
            for _ in range(2):  # The same file again is refused.
                self.clock.do(
                    "statement",
                    partial(
                        bank.request_reconciliation,
                        name=f"{currency}-{self.clock.today}.{ending}",
                        content=[content],
                        account=f"Bank {currency}" if ending == "csv" else "",
                    ),
                )
            self.clock.work_off(at)
            for each in mine:
                self.books.paid(each.person.subscriber_id, currency, each.amount, "bank")
                self.payers[each.person.name] = each.person.subscriber_id
            self.done["statements"] += 1
        self.transfers.clear()
        self._pair()

    def _pair(self) -> None:
        with tenant_context(self.clock.tenant_id):
            waiting = list(
                BankLine.objects.filter(state__in=(LineState.SUGGESTED, LineState.UNMATCHED), amount__gt=0)
                .order_by("pk")
                .values_list("pk", "payer_name")
            )
        for line_id, name in waiting:
            done = self.clock.do(
                "pair",
                partial(bank.pair, line_id=line_id, subscriber_id=self.payers[name], at=self.clock.at(8, 30)),
            )
            self.done["paired by hand"] += done is not None


def _open(invoice_id: UUID) -> Decimal:
    found: Decimal | None = (
        Invoice.objects.filter(pk=invoice_id, open_amount__gt=0).values_list("open_amount", flat=True).first()
    )
    return found or Decimal(0)
