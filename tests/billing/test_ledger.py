"""The recount finds each kind of record that does not add up, and nothing where all does."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from billing.models import (
    Allocation,
    BillingPosition,
    Invoice,
    InvoiceLine,
    LedgerCheck,
    LineTax,
    Payment,
    SubscriberBalance,
    TaxRate,
    Transfer,
)
from billing.services import ledger
from ispcore import numbering
from ispcore.events.models import Event
from ispcore.tenants.context import tenant_context
from ispcore.tenants.fields import new_id
from ispcore.tenants.models import Tenant
from subscribers.models import Subscription
from tests.conftest import _as_owner
from tests.factories import PlanFactory, SubscriptionFactory

AT = datetime(2026, 3, 10, 4, tzinfo=UTC)
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "platform"])


def book(line: Subscription, number: str, net: str, tax: str, *, paid: str = "0") -> Invoice:
    """Issue an invoice of one item with one tax, as the services book it, and pay part of it."""
    total, amount = Decimal(net) + Decimal(tax), Decimal(paid)
    rate = TaxRate.objects.get_or_create(name="VAT", percent=20, starts_on=date(2020, 1, 1))[0]
    invoice: Invoice = Invoice.objects.create(subscriber=line.subscriber, currency="EUR")
    item = InvoiceLine.objects.create(
        invoice=invoice, position=1, kind="plan", subscription=line, description="Fibre", unit_price=net, net=net,
        tax=tax, period_start=date(2026, 3, 1), period_end=date(2026, 4, 1),
    )  # fmt: skip
    LineTax.objects.create(line=item, rate=rate, name="VAT", percent=20, base=net, amount=tax)
    numbering.draw(number.rsplit("-", 1)[0])
    status = "paid" if amount == total else "partly_paid" if amount else "issued"
    Invoice.objects.filter(pk=invoice.pk).update(
        number=number, status=status, net=net, tax=tax, total=total, open_amount=total - amount,
        issued_on=date(2026, 3, 1), issued_at=AT,
    )  # fmt: skip
    entry = new_id()
    both = {"subscriber": line.subscriber, "currency": "EUR", "booked_on": date(2026, 3, 1)}
    for account, part in (("revenue", net), ("tax_payable", tax)):
        Transfer.objects.create(
            entry=entry,
            kind="invoice",
            debit="receivable",
            credit=account,
            amount=part,
            invoice=invoice,
            **both,
        )
    if amount:
        payment = Payment.objects.create(
            subscriber=line.subscriber,
            amount=amount,
            currency="EUR",
            method="cash",
            received_at=AT,
            allocated=amount,
        )
        Allocation.objects.create(payment=payment, invoice=invoice, amount=amount)
        Transfer.objects.create(
            entry=new_id(),
            kind="payment",
            debit="cash",
            credit="receivable",
            amount=amount,
            payment=payment,
            **both,
        )
    BillingPosition.objects.update_or_create(
        subscription=line, defaults={"billed_until": date(2026, 4, 1), "settled_at": AT}
    )
    invoice.refresh_from_db()
    return invoice


@pytest.fixture
def booked(tenant: Tenant) -> Tenant:
    """Two customers, one of whom paid a part; committed, so that the owner sees it."""
    with tenant_context(tenant.pk):
        for place, paid in ((1, "12.00"), (2, "0")):
            line = SubscriptionFactory(
                plan=PlanFactory(price=Decimal("20.00"), currency="EUR"), status="active"
            )
            book(line, f"INV-2026-00000{place}", "20.00", "4.00", paid=paid)
    return tenant


def break_as_owner(tenant: Tenant, table: str, *statements: str) -> None:
    """Change rows of the tenant with this table's triggers and checks out of the way."""
    with _as_owner(), connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant.pk)])
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'", [table]
        )
        checks = [name for (name,) in cursor.fetchall()]
        definitions = []
        for name in checks:
            cursor.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s",
                [table, name],
            )
            definitions.append((name, cursor.fetchone()[0]))
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        for statement in statements:
            cursor.execute(statement)
        for name, definition in definitions:
            cursor.execute(
                f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition.removesuffix(" NOT VALID")} NOT VALID'
            )
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        cursor.execute("COMMIT")


def found(tenant: Tenant) -> list[tuple[str, str]]:
    with tenant_context(tenant.pk):
        return [(each.invariant.value, each.detail) for each in ledger.recount()]


def test_all_adds_up(booked: Tenant) -> None:
    assert found(booked) == []


FIRST = "number = 'INV-2026-000001'"
OF_FIRST = f"invoice_id = (SELECT id FROM billing_invoice WHERE {FIRST})"


@pytest.mark.parametrize(
    ("table", "statement", "expected"),
    [
        (
            "billing_subscriberbalance",
            "UPDATE billing_subscriberbalance SET balance = 7 WHERE balance = 12",
            [("balance", "kept 7, transfers make 12 EUR")],
        ),
        (
            "billing_subscriberbalance",
            "DELETE FROM billing_subscriberbalance WHERE balance = 24",
            [("balance", "kept 0, transfers make 24 EUR")],
        ),
        (
            "billing_invoice",
            f"UPDATE billing_invoice SET open_amount = 5 WHERE {FIRST}",
            [("open_amount", "open 5, total 24 less 12 allocated is 12 EUR")],
        ),
        (
            "billing_payment",
            "UPDATE billing_payment SET allocated = 11",
            [("allocated", "says allocated 11 and refunded 0 of 12 EUR, the rows make 12 and 0")],
        ),
        (
            "billing_invoiceline",
            f"UPDATE billing_invoiceline SET net = 19 WHERE {OF_FIRST}",
            [("totals", "says 20 and 4 tax, its items make 19 and 4, their taxes 4")],
        ),
        (
            "billing_linetax",
            "UPDATE billing_linetax SET amount = 3 WHERE line_id = (SELECT id FROM billing_invoiceline"
            f" WHERE {OF_FIRST})",
            [("totals", "says 20 and 4 tax, its items make 20 and 4, their taxes 3")],
        ),
        (
            "billing_invoice",
            f"UPDATE billing_invoice SET number = 'INV-2026-000003' WHERE {FIRST}",
            [("numbers", "2 numbers found, 3 drawn")],
        ),
        (
            "billing_billingposition",
            "UPDATE billing_billingposition SET billed_until = '2026-05-01' WHERE subscription_id ="
            f" (SELECT subscription_id FROM billing_invoiceline WHERE {OF_FIRST})",
            [("position", "stands at 1 May 2026, its invoices go until 1 Apr 2026")],
        ),
        (
            "billing_invoiceline",
            "UPDATE billing_invoiceline SET period_start = '2026-03-31', subscription_id ="
            f" (SELECT subscription_id FROM billing_invoiceline WHERE {OF_FIRST}) WHERE NOT {OF_FIRST}",
            [
                (
                    "billed_once",
                    "The plan is billed again until 1 Apr 2026, by an item that begins on 31 Mar 2026",
                )
            ],
        ),
        (
            "billing_transfer",
            f"UPDATE billing_transfer SET amount = 21 WHERE {OF_FIRST} AND credit = 'revenue'",
            [("balance", "kept 12, transfers make 13 EUR"), ("receivable", "booked 25, should be 24 EUR")],
        ),
        (
            "billing_transfer",
            f"UPDATE billing_transfer SET amount = -20 WHERE {OF_FIRST} AND credit = 'revenue'",
            [
                ("balance", "kept 12, transfers make -28 EUR"),
                ("receivable", "booked -16, should be 24 EUR"),
                ("shape", "moves no positive amount"),
            ],
        ),
        (
            "billing_transfer",
            f"UPDATE billing_transfer SET amount = 20.001 WHERE {OF_FIRST} AND credit = 'revenue'",
            [
                ("balance", "kept 12, transfers make 12.001 EUR"),
                ("receivable", "booked 24.001, should be 24 EUR"),
                ("shape", "is finer than its currency"),
            ],
        ),
        (
            "billing_allocation",
            "UPDATE billing_allocation SET released_at = now()",
            [
                ("open_amount", "open 12, total 24 less 0 allocated is 24 EUR"),
                ("allocated", "says allocated 12 and refunded 0 of 12 EUR, the rows make 0 and 0"),
            ],
        ),
    ],
)
def test_finds_what_does_not(
    booked: Tenant, table: str, statement: str, expected: list[tuple[str, str]]
) -> None:
    break_as_owner(booked, table, statement)

    assert found(booked) == expected


def test_a_line_that_ended_stands_at_its_end(booked: Tenant) -> None:
    with tenant_context(booked.pk):
        line = InvoiceLine.objects.select_related("invoice").get(invoice__number="INV-2026-000001")
        BillingPosition.objects.filter(subscription=line.subscription_id).update(
            billed_until=date(2026, 3, 21)
        )
    assert [kind for kind, _ in found(booked)] == ["position"]

    break_as_owner(
        booked,
        "billing_invoiceline",
        "INSERT INTO billing_invoiceline (id, tenant_id, created_at, updated_at, invoice_id, position, kind,"
        " subscription_id, source, description, period_start, period_end, quantity, unit_price, net, tax, tax_class,"
        " formula, remainder, is_void)"
        " SELECT uuidv7(), tenant_id, now(), now(), invoice_id, 2, 'end_credit', subscription_id, source, 'After the"
        " end', '2026-03-21', '2026-04-01', 1, 0, 0, 0, '', '', 0, false FROM billing_invoiceline"
        f" WHERE {OF_FIRST}",
    )

    assert found(booked) == []


def test_a_check_is_kept_and_told(booked: Tenant) -> None:
    with tenant_context(booked.pk):
        assert ledger.check_ledger(at=AT).findings_count == 0
    break_as_owner(booked, "billing_payment", "UPDATE billing_payment SET allocated = 11")

    with tenant_context(booked.pk):
        check = ledger.check_ledger(at=AT)

        assert list(check.findings.values_list("invariant", "detail")) == [
            ("allocated", "says allocated 11 and refunded 0 of 12 EUR, the rows make 12 and 0")
        ]
        assert LedgerCheck.objects.count() == 2
        told = Event.objects.filter(name="billing.ledger_differs")
        assert [event.payload for event in told] == [{"ledger_check_id": str(check.pk)}]


def test_the_command_says_what_and_exits_with_one(booked: Tenant) -> None:
    out = StringIO()
    call_command("check_ledger", stdout=out)
    assert out.getvalue() == f"{booked.slug}: all adds up\n"
    with tenant_context(booked.pk):
        SubscriberBalance.objects.filter(balance=12).update(balance=7)
        number = SubscriberBalance.objects.get(balance=7).subscriber.number

    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("check_ledger", tenant=booked.slug, stdout=out)

    assert ended.value.code == 1
    assert f"Subscriber {number}: kept 7, transfers make 12 EUR" in out.getvalue()


def test_counts_with_as_many_queries_however_much_there_is(
    booked: Tenant, query_count: Callable[..., int]
) -> None:
    with tenant_context(booked.pk):
        assert query_count(ledger.recount) == len(ledger.STATEMENTS)
