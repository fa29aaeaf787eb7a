"""Who paid a line of a statement: found, booked where it is certain, and left to a person where it is not."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import BankLine, BankStatement, BankSuggestion, LineState, Payment, Transfer
from billing.services import bank, payments
from billing.services.bank import matching, references
from ispcore.errors import DomainError
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from subscribers.models import Subscriber
from subscribers.services import customers
from tests.billing.paying import balance_of, owe
from tests.billing.statements import NOW, camt, csv, entry, take_in, transaction
from tests.factories import BillingProfileFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def profile(acting: Tenant):
    return BillingProfileFactory(currency="EUR")


def customer(profile, name: str, **fields) -> Subscriber:
    made: Subscriber = customers.create_subscriber(
        full_name=name, status="active", billing_profile_id=profile.pk, **fields
    )
    return made


@pytest.fixture
def ana(profile) -> Subscriber:
    return customer(profile, "Ana Sofia Silva")


def state_of(line: BankLine) -> tuple[str, str]:
    line.refresh_from_db()
    return line.state, line.rule


class TestReferences:
    @pytest.mark.parametrize(
        "text",
        [
            "INV-2026-000123",
            "inv 2026/123",
            "Pago factura INV2026000123 gracias",
            "fatura 2026-000123",
            "INV_2026_123",
        ],
    )
    def test_an_invoice_in_its_misspellings(self, text):
        assert "INV-2026-000123" in references.invoice_numbers([text], "INV")

    @pytest.mark.parametrize("text", ["SUB-000184", "sub 184", "cliente SUB000184", "Sub.184"])
    def test_a_customer(self, text):
        assert references.subscriber_numbers([text]) == {"SUB-000184"}

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ("SILVA ANA SOFIA", "Ana Sofia Silva", True),
            ("Sra. Ana Silva", "Ana Sofia Silva", True),
            ("José Peña", "JOSE PENA", True),
            ("Ana", "Ana Silva", False),
            ("Ana Costa", "Ana Silva", False),
            ("", "", False),
        ],
    )
    def test_names(self, one, other, same):
        assert references.same_name(one, other) is same


class TestCertain:
    def test_invoice_and_amount_are_booked(self, ana):
        invoice = owe(ana, "29.90")

        found = take_in(csv(f"2026-03-10;29.90;Somebody;pays {invoice.number}"))

        line = BankLine.objects.get()
        assert (line.state, line.rule) == ("matched", "invoice_number")
        assert (line.payment.subscriber, line.payment.amount, line.payment.method) == (
            ana,
            Decimal("29.90"),
            "bank",
        )
        invoice.refresh_from_db()
        assert (invoice.status, invoice.open_amount) == ("paid", 0)
        assert balance_of(ana) == 0
        assert found.job.__class__.objects.get(pk=found.job_id).result == {
            "statement_id": str(found.pk), "unmatched": 0, "suggested": 0, "matched": 1, "ignored": 0, "known": 0,
        }  # fmt: skip

    def test_a_number_and_the_payers_name_are_booked(self, ana):
        owe(ana, "29.90")

        take_in(csv(f"2026-03-10;10.00;SILVA ANA SOFIA;{ana.number}"))

        assert state_of(BankLine.objects.get()) == ("matched", "subscriber_number")
        assert balance_of(ana) == Decimal("19.90")

    def test_the_payments_day_is_the_banks(self, ana):
        owe(ana, "29.90")

        take_in(csv(f"2026-03-10;29.90;x;{ana.number}"))

        assert Transfer.objects.get(kind="payment").booked_on == date(2026, 3, 10)

    def test_two_equal_payments_of_one_client_are_two(self, ana):
        invoice = owe(ana, "29.90")
        content = csv(*[f"2026-03-10;29.90;Ana Silva;{invoice.number}"] * 2)

        take_in(content)

        assert [line.state for line in BankLine.objects.all()] == ["matched", "matched"]
        assert Payment.objects.count() == 2
        assert balance_of(ana) == Decimal("-29.90")
        with pytest.raises(bank.StatementKnown):
            take_in(content)
        assert Payment.objects.count() == 2

    def test_a_payment_that_was_entered_before_is_not_booked_again(self, ana):
        owe(ana, "29.90")
        before = payments.receive(
            subscriber_id=ana.pk, amount=Decimal("29.90"), currency="EUR", method="bank", reference="E2E-77",
            received_at=NOW - timedelta(days=2),
        )  # fmt: skip

        take_in(camt([entry("29.90", details=transaction("A", "x", end_to_end="E2E-77"))], closing="129.90"))

        line = BankLine.objects.get()
        assert (line.state, line.rule, line.payment) == ("matched", "payment_reference", before)
        assert Payment.objects.count() == 1


class TestLeftToAPerson:
    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ("10.00;Somebody Else;{invoice}", "Invoice {invoice} is written, but the amount is another"),
            ("10.00;Somebody Else;{number}", "The customer's number is written, but the amount is another"),
            ("29.90;ana silva;rent", "The payer has this name, and the amount is what is open."),
            (
                "5.00;Ana Sofia Silva;rent",
                "The payer has this name, but the amount is another than what is open.",
            ),
        ],
    )
    def test_one_fact_alone(self, row, reason, ana):
        words = {"invoice": owe(ana, "29.90").number, "number": ana.number}

        take_in(csv("2026-03-10;" + row.format(**words)))

        suggestion = BankSuggestion.objects.get()
        assert (suggestion.subscriber, suggestion.is_certain) == (ana, False)
        assert suggestion.reason.startswith(reason.format(**words))
        assert BankLine.objects.get().state == LineState.SUGGESTED
        assert not Payment.objects.exists()

    def test_two_customers_that_are_named(self, ana, profile):
        other = customer(profile, "Eva Costa")
        one, two = owe(ana, "29.90"), owe(other, "29.90")

        take_in(csv(f"2026-03-10;29.90;Ana Silva;{one.number} {two.number}"))

        assert not BankSuggestion.objects.filter(is_certain=True).exists()
        assert BankSuggestion.objects.count() == 2
        assert not Payment.objects.exists()

    def test_another_currency_than_the_customers(self, ana):
        take_in(csv(f"2026-03-10;29.90;Ana Sofia Silva;{ana.number}"), currency="USD")

        line = BankLine.objects.get()
        assert line.state == LineState.SUGGESTED
        assert "billed in EUR, not in USD" in line.note
        assert not Payment.objects.exists()

    def test_nobody_found(self, ana):
        take_in(csv("2026-03-10;29.90;Unknown Person;hello"))

        assert state_of(BankLine.objects.get()) == ("unmatched", "")
        assert not BankSuggestion.objects.exists()

    def test_a_word_of_the_address_is_no_name(self, profile):
        customer(profile, "Eva Costa", address_line1="1 Silva Street", city="Porto")

        take_in(csv("2026-03-10;29.90;Silva Porto;hello"))

        assert BankLine.objects.get().state == LineState.UNMATCHED

    def test_another_tenants_numbers_say_nothing(self, ana, other_tenant):
        with tenant_context(other_tenant.pk):
            theirs = owe(customer(BillingProfileFactory(currency="EUR"), "Their Customer"), "29.90").number

        take_in(csv(f"2026-03-10;29.90;Their Customer;{theirs}"))

        assert not BankSuggestion.objects.exists()


def test_matching_costs_the_same_for_one_line_or_many(ana, profile):
    owe(ana, "29.90")

    def cost(rows: int) -> int:
        statement = BankStatement.objects.create(name="x.csv", sha256=f"{rows:064x}")
        for n in range(rows):
            BankLine.objects.create(
                statement=statement, line_number=n, booked_on="2026-03-10", amount=n + 1, currency="EUR",
                payer_name="Ana Silva", text=f"{ana.number} INV-2026-{n:06d} E2E-{n}", content_key=f"{rows}-{n}",
            )  # fmt: skip
        with CaptureQueriesContext(connection) as captured:
            assert matching.match_batch(statement_id=statement.pk, at=NOW) == rows
        return len(captured)

    assert cost(1) == cost(6)


class TestPairing:
    @pytest.fixture
    def line(self, ana) -> BankLine:
        take_in(csv("2026-03-10;29.90;Unknown Person;hello"))
        return BankLine.objects.get()

    def test_books_and_is_safe_to_repeat(self, line, ana):
        invoice = owe(ana, "40.00")

        for _ in range(2):
            bank.pair(line_id=line.pk, subscriber_id=ana.pk, invoice_id=invoice.pk, at=NOW)

        line.refresh_from_db()
        invoice.refresh_from_db()
        assert (line.state, line.rule, line.settled_at) == ("matched", "by_hand", NOW)
        assert (invoice.status, invoice.open_amount) == ("partly_paid", Decimal("10.10"))
        assert Payment.objects.count() == 1

    def test_is_taken_back_and_done_otherwise(self, line, ana, profile):
        other = customer(profile, "Eva Costa")
        bank.pair(line_id=line.pk, subscriber_id=ana.pk, at=NOW)

        for _ in range(2):
            bank.unpair(line_id=line.pk, reason="It was Eva", at=NOW)
        taken_back = state_of(line), balance_of(ana)
        bank.pair(line_id=line.pk, subscriber_id=other.pk, at=NOW)

        assert taken_back == (("unmatched", ""), 0)
        assert balance_of(other) == Decimal("-29.90")
        assert [each.status for each in Payment.objects.order_by("pk")] == ["bounced", "received"]

    def test_of_a_payment_entered_by_hand_leaves_it_when_taken_back(self, line, ana):
        payment = payments.receive(
            subscriber_id=ana.pk, amount=Decimal("29.90"), currency="EUR", method="bank", received_at=NOW
        )
        bank.pair(line_id=line.pk, subscriber_id=ana.pk, payment_id=payment.pk, at=NOW)

        bank.unpair(line_id=line.pk, at=NOW)

        payment.refresh_from_db()
        assert (payment.status, state_of(line)[0]) == ("received", "unmatched")

    def test_a_line_is_left_out_and_taken_up_again(self, line):
        bank.ignore(line_id=line.pk, reason="Rent of the shop", at=NOW)
        ignored = state_of(line)[0], line.note

        bank.unpair(line_id=line.pk, at=NOW)

        assert ignored == ("ignored", "Rent of the shop")
        assert state_of(line)[0] == "unmatched"

    def test_refusals_change_nothing(self, line, ana, profile):
        other = customer(profile, "Eva Costa")
        invoice = owe(other, "29.90")
        cash = payments.receive(
            subscriber_id=ana.pk, amount=Decimal("29.90"), currency="EUR", method="cash", received_at=NOW
        )
        before = list(BankLine.objects.values()), list(Payment.objects.values())
        wrong = [
            (bank.InvoiceOfAnother, {"subscriber_id": ana.pk, "invoice_id": invoice.pk}),
            (bank.PaymentDiffers, {"subscriber_id": ana.pk, "payment_id": cash.pk}),
            (bank.PaymentDiffers, {"subscriber_id": other.pk, "payment_id": cash.pk}),
            (bank.NobodyToPair, {"subscriber_id": ana.pk, "payment_id": line.pk}),
            (bank.NobodyToPair, {"subscriber_id": ana.pk, "invoice_id": line.pk}),
            (DomainError, {"subscriber_id": line.pk}),
        ]

        for error, arguments in wrong:
            with pytest.raises(error):
                bank.pair(line_id=line.pk, at=NOW, **arguments)

        assert (list(BankLine.objects.values()), list(Payment.objects.values())) == before

    def test_of_money_that_went_out_is_refused(self, ana):
        take_in(csv("2026-03-10;-29.90;Ana Sofia Silva;x"))
        line = BankLine.objects.get()

        with pytest.raises(bank.MoneyWentOut):
            bank.pair(line_id=line.pk, subscriber_id=ana.pk, at=NOW)
        with pytest.raises(bank.MoneyWentOut):
            bank.unpair(line_id=line.pk, at=NOW)

        assert state_of(line) == ("ignored", "")

    def test_to_another_than_it_was_booked_for_is_refused(self, line, ana, profile):
        other = customer(profile, "Eva Costa")
        bank.pair(line_id=line.pk, subscriber_id=ana.pk, at=NOW)

        with pytest.raises(bank.LineIsMatched):
            bank.pair(line_id=line.pk, subscriber_id=other.pk, at=NOW)
        with pytest.raises(bank.LineIsMatched):
            bank.ignore(line_id=line.pk, at=NOW)

        assert Payment.objects.get().subscriber == ana


def test_statement_counts_stay_with_their_tenant(ana, other_tenant):
    take_in(csv("2026-03-10;29.90;A;x"))

    with tenant_context(other_tenant.pk):
        assert not BankStatement.objects.exists()
