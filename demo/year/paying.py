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
    BankSuggestion,
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
from billing.services.prepaid import vouchers
from demo.year.clock import Clock
from demo.year.people import Offer, Person
from ispcore.money import round_money
from ispcore.tenants.context import tenant_context

Deed = Callable[[], None]


@dataclass
class Counter:
    """Where the year's customers pay."""

    clock: Clock
    dice: random.Random
    offer: Offer
    diary: dict[date, list[Deed]] = field(default_factory=lambda: defaultdict(list))
    transfers: list[tuple[date, Decimal, str, str, str]] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=lambda: defaultdict(int))

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
        self.done["paid"] += 1
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
        self.done["refunded"] += made is not None

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

        self.done["paid"] += self.clock.do("pay", deed) is not None

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
        self.done["made void"] += done is not None

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
        """Buy a voucher and use it twice: the second time it is refused."""
        value = Decimal(25) if person.currency == "EUR" else Decimal(5000)
        code = f"YEAR{self.dice.randrange(10**12):012d}"

        def deed() -> Any:
            batch = CreditVoucherBatch.objects.create(
                name=f"Counter, {code}", quantity=1, amount=value, currency=person.currency
            )
            CreditVoucher.objects.create(batch=batch, code_hash=vouchers.hash_code(code), shown=code[:4])
            return vouchers.redeem(subscriber_id=person.subscriber_id, code=code, at=self.clock.at(17))

        if self.clock.do("voucher", deed):
            self.done["vouchers"] += 1
            again = self.clock.do(
                "voucher used",
                lambda: vouchers.redeem(
                    subscriber_id=person.subscriber_id, code=code, at=self.clock.at(17, 5)
                ),
            )
            assert again is None

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
            self.transfers.append(
                (self.clock.today, invoice.open_amount, invoice.currency, person.name, text)
            )

    def read_statements(self) -> None:
        """Take in a statement for each currency, and confirm by hand what waits."""
        at = self.clock.at(8)
        for currency in sorted({row[2] for row in self.transfers}):
            rows = [
                f"{day};{amount:.2f};{name};{text};{currency}"
                for day, amount, code, name, text in self.transfers
                if code == currency
            ]
            rows.append(f"{self.clock.today - timedelta(days=1)};-12.00;Bank;Fees;{currency}")
            content = "\n".join(["Date;Amount;Name;Description;Currency", *rows, ""]).encode()
            for _ in range(2):  # The same file again is refused.
                self.clock.do(
                    "statement",
                    partial(
                        bank.request_reconciliation,
                        name=f"{currency}-{self.clock.today}.csv",
                        content=[content],
                        account=f"Bank {currency}",
                    ),
                )
            self.clock.work_off(at)
            self.done["statements"] += 1
        self.transfers.clear()
        self._confirm()

    def _confirm(self) -> None:
        with tenant_context(self.clock.tenant_id):
            # One line each for the first of several who come into question.
            waiting = dict(
                BankSuggestion.objects.filter(line__state=LineState.SUGGESTED)
                .order_by("-pk")
                .values_list("line", "subscriber")
            )
        for line_id, subscriber_id in waiting.items():
            done = self.clock.do(
                "pair",
                partial(bank.pair, line_id=line_id, subscriber_id=subscriber_id, at=self.clock.at(8, 30)),
            )
            self.done["paired by hand"] += done is not None


def _open(invoice_id: UUID) -> Decimal:
    found: Decimal | None = (
        Invoice.objects.filter(pk=invoice_id, open_amount__gt=0).values_list("open_amount", flat=True).first()
    )
    return found or Decimal(0)
