"""Runs that give back: what comes to less than nothing is a credit note, as those written by hand."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.models import (
    Allocation,
    BillingPosition,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    OneOffCharge,
    ParkedAccount,
    RunDifference,
    RunStatus,
    RunTotal,
    SubscriberBalance,
    TaxRate,
    Transfer,
)
from billing.services import invoices, ledger, payments, reports, runs
from billing.services.invoices.crediting import CreditBeyondInvoice
from subscribers.models import Hold, Subscription
from tests.billing.cycles import APRIL, MARCH, issued, make_lines, make_settings, planned
from tests.factories import PlanFactory

pytestmark = pytest.mark.django_db

LEFT = datetime(2026, 3, 16, 12, tzinfo=UTC)
NIGHT = datetime(2026, 3, 17, 3, tzinfo=UTC)
MAY = datetime(2026, 5, 1, 3, tzinfo=UTC)


@pytest.fixture
def settings(acting):
    return make_settings()


def leave(line: Subscription, at: datetime = LEFT) -> None:
    line.status, line.terminated_at = "terminated", at
    line.save()


def note_of(line: Subscription) -> Invoice:
    found: Invoice = Invoice.objects.get(subscriber=line.subscriber, kind=InvoiceKind.CREDIT_NOTE)
    return found


def pay(line: Subscription, amount: str) -> None:
    payments.receive(
        subscriber_id=line.subscriber_id, amount=Decimal(amount), currency="EUR", method="cash", received_at=MARCH,
        at=MARCH,
    )  # fmt: skip


def cut_for_debt(line: Subscription) -> None:
    Hold.objects.create(subscription=line, reason="non_payment", opened_at=NIGHT)
    line.status = "suspended"
    line.save()


class TestWhoLeaves:
    """The line ended on the 16th: of March's 30.00 and 20 % tax, 16 days of 31 are given back."""

    def test_gets_a_credit_note_by_itself(self, settings):
        TaxRate.objects.create(name="VAT", percent=20, starts_on="2020-01-01")
        line, _stays = make_lines(2)
        issued()
        leave(line)

        run = issued(NIGHT)

        assert (run.status, run.invoices_issued, run.parked) == (RunStatus.ISSUED, 1, 0)
        note = note_of(line)
        billed = Invoice.objects.get(subscriber=line.subscriber, kind=InvoiceKind.INVOICE)
        assert (note.number, note.corrects_id, note.run_id, note.due_on) == (
            "CRN-2026-000001", billed.pk, run.pk, None,
        )  # fmt: skip
        assert (note.net, note.tax, note.total) == (Decimal("15.48"), Decimal("3.10"), Decimal("18.58"))
        item = note.lines.get()
        assert (item.kind, item.unit_price, item.net, item.tax, item.days, item.period_days, item.formula) == (
            "end_credit", 30, Decimal("15.48"), Decimal("3.10"), 16, 31, "30.00 × 16 / 31 days",
        )  # fmt: skip
        assert (item.period_start, item.period_end) == (date(2026, 3, 16), date(2026, 4, 1))
        tax = item.taxes.get()
        assert (tax.base, tax.amount) == (Decimal("15.48"), Decimal("3.10"))

    def test_owes_less_by_it(self, settings):
        TaxRate.objects.create(name="VAT", percent=20, starts_on="2020-01-01")
        (line,) = make_lines()
        issued()
        leave(line)

        issued(NIGHT)

        note = note_of(line)
        moved = Transfer.objects.filter(invoice=note).order_by("credit", "debit")
        assert [(one.kind, one.debit, one.credit, one.amount, one.memo) for one in moved] == [
            ("credit_note", "revenue", "receivable", Decimal("15.48"), "CRN-2026-000001"),
            ("credit_note", "tax_payable", "receivable", Decimal("3.10"), "CRN-2026-000001"),
        ]
        assert len(set(moved.values_list("entry", flat=True))) == 1
        assert SubscriberBalance.objects.get().balance == Decimal("17.42")
        used = Allocation.objects.get()
        assert (used.credit_note_id, used.invoice_id, used.amount) == (note.pk, note.corrects_id, note.total)
        assert (note.status, note.open_amount, note.paid_at) == (InvoiceStatus.PAID, 0, NIGHT)
        assert (note.corrects.status, note.corrects.open_amount) == (
            InvoiceStatus.PARTLY_PAID,
            Decimal("17.42"),
        )

    def test_and_has_paid_keeps_it_as_credit(self, settings):
        (line,) = make_lines()
        issued()
        pay(line, "30.00")
        leave(line)

        issued(NIGHT)

        note = note_of(line)
        assert (note.status, note.open_amount) == (InvoiceStatus.ISSUED, Decimal("15.48"))
        assert SubscriberBalance.objects.get().balance == Decimal("-15.48")

    def test_is_done_with_afterwards(self, settings):
        (line,) = make_lines()
        issued()
        leave(line)
        issued(NIGHT)

        again = planned(NIGHT)
        runs.approve_run(run_id=again.pk, plan_hash=again.plan_hash, at=NIGHT)
        runs.issue_run(runs.Inline(), run_id=again.pk, at=NIGHT)
        later = planned(APRIL)

        position = BillingPosition.objects.get()
        assert (position.billed_until, position.is_closed) == (date(2026, 3, 16), True)
        assert (again.invoices_planned, again.parked) == (later.invoices_planned, later.parked) == (0, 0)
        assert Invoice.objects.count() == 2

    def test_adds_up_in_the_ledger_and_all_reports(self, settings):
        TaxRate.objects.create(name="VAT", percent=20, starts_on="2020-01-01")
        line, _stays = make_lines(2)
        issued()
        leave(line)
        issued(NIGHT)

        found = reports.taxes(since=date(2026, 3, 1), until=date(2026, 4, 1))

        assert ledger.recount() == []
        assert [(each.name, each.base, each.tax) for each in found.rates] == [
            ("VAT", Decimal("44.52"), Decimal("8.90"))
        ]
        (total,) = found.totals
        assert (total.net, total.tax, total.booked_tax) == (
            Decimal("44.52"),
            Decimal("8.90"),
            Decimal("8.90"),
        )
        assert (total.invoices, total.given_back) == (2, 1)
        (debt,) = reports.aged_debt(on=date(2026, 3, 17)).totals
        assert (debt.total, debt.credit, debt.balance) == (Decimal("53.42"), 0, Decimal("53.42"))
        before, after = reports.recurring(
            first=date(2026, 3, 1), last=date(2026, 4, 1), on=date(2026, 3, 15)
        )[:1] + reports.recurring(first=date(2026, 3, 1), last=date(2026, 3, 1), on=date(2026, 3, 31))
        assert (before.mrr, before.subscribers, after.mrr, after.subscribers) == (60, 2, 30, 1)
        rows = list(
            reports.journal_rows(
                tenant_id=settings.tenant_id, since=date(2026, 3, 17), until=date(2026, 3, 18)
            )
        )[1:]
        assert [(row[2], row[3], row[4], row[5]) for row in rows] == [
            ("Credit note", "Revenue", "Receivable", Decimal("15.48")),
            ("Credit note", "Tax payable", "Receivable", Decimal("3.10")),
        ]
        assert reports.cash(since=date(2026, 3, 1), until=date(2026, 4, 1)) == []

    def test_stands_in_the_plan_as_what_is_given_back(self, settings):
        line, other = make_lines(2)
        issued()
        leave(line)
        OneOffCharge.objects.create(
            subscriber=other.subscriber, name="Visit", amount=Decimal("10.00"), currency="EUR",
            due_on=date(2026, 3, 17),
        )  # fmt: skip

        run = planned(NIGHT)

        assert {
            (one.subscriber_id, one.kind, one.previous, one.now, one.reason)
            for one in RunDifference.objects.filter(run=run)
        } == {
            (line.subscriber_id, "changed", 0, Decimal("-15.48"),
             "between two periods; with days after the end"),
            (other.subscriber_id, "changed", 0, 10, "between two periods; with charge"),
        }  # fmt: skip
        total = RunTotal.objects.get(run=run)
        assert (total.invoices, total.total, total.previous_total) == (2, Decimal("-5.48"), 0)

    def test_does_not_stop_a_night_that_approves_by_itself(self, acting):
        settings = make_settings(runs_nightly=True, approves_within_bounds=True)
        assert settings.bound_percent == 50
        (line,) = make_lines()
        issued()
        leave(line, LEFT - timedelta(days=10))
        run = runs.start_nightly_run(at=NIGHT)
        assert run is not None
        runs.plan_run(runs.Inline(), run_id=run.pk, at=NIGHT)

        approved = runs.approve_within_bounds(run_id=run.pk, at=NIGHT)

        assert approved

    def test_is_told_as_gone_when_the_cycle_ends(self, settings):
        (line,) = make_lines()
        issued()
        leave(line)

        run = planned(APRIL)

        found = RunDifference.objects.get(run=run)
        assert (found.kind, found.previous, found.now, found.reason) == (
            "gone", 30, Decimal("-15.48"), "no service runs any more; with days after the end",
        )  # fmt: skip

    def test_sees_it_as_the_next_invoice(self, settings):
        (line,) = make_lines()
        issued()
        leave(line)

        (found,) = runs.next_invoice(subscriber_id=line.subscriber_id, at=NIGHT).invoices

        assert (found.kind, found.total) == ("credit_note", Decimal("15.48"))
        assert not Invoice.objects.filter(kind=InvoiceKind.CREDIT_NOTE).exists()

    def test_of_two_numbered_without_gaps_beside_invoices(self, settings):
        lines = make_lines(4)
        issued()
        for line in lines[1:3]:
            leave(line)

        issued(APRIL)

        numbers = Invoice.objects.exclude(issued_on=date(2026, 3, 1)).values_list("number", flat=True)
        assert sorted(numbers) == ["CRN-2026-000001", "CRN-2026-000002", "INV-2026-000005", "INV-2026-000006"]
        assert ledger.recount() == []

    def test_and_was_cut_for_debt_is_in_order_once_it_pays_the_debt(self, settings):
        line, other = self._two_services()
        issued()
        pay(line, "25.00")
        leave(line)
        cut_for_debt(other)

        issued(datetime(2026, 3, 25, 3, tzinfo=UTC))

        other.refresh_from_db()
        assert other.status == "suspended"  # 35.00 less 15.48 are overdue.
        pay(line, "19.52")
        other.refresh_from_db()
        assert other.status == "active"

    def test_is_brought_back_by_a_note_that_pays_all(self, settings):
        line, other = self._two_services()
        issued()
        pay(line, "45.00")
        leave(line)
        cut_for_debt(other)

        issued(datetime(2026, 3, 25, 3, tzinfo=UTC))

        other.refresh_from_db()
        assert (other.status, other.holds.get().released_at) == (
            "active",
            datetime(2026, 3, 25, 3, tzinfo=UTC),
        )

    def _two_services(self) -> tuple[Subscription, Subscription]:
        line, other = make_lines(2)
        other.subscriber = line.subscriber
        other.save()
        return line, other


class TestWhatCannotBeExplained:
    def test_is_parked_when_it_was_credited_by_hand(self, settings):
        (line,) = make_lines()
        issued()
        billed = Invoice.objects.get()
        invoices.credit(invoice_id=billed.pk, amount=Decimal("20.00"), reason="Down for weeks", at=LEFT)
        leave(line)

        run = planned(NIGHT)

        assert (run.invoices_planned, run.parked) == (0, 1)
        parked = ParkedAccount.objects.get()
        assert (parked.reason, parked.detail) == (
            "negative", "15.48 EUR to give back, and 10.00 EUR of what was billed are not credited yet.",
        )  # fmt: skip
        assert runs.WHAT_TO_DO[parked.reason]

    def test_does_not_come_back_once_a_person_is_done_with_it(self, settings):
        line, other = make_lines(2)
        issued()
        billed = Invoice.objects.get(subscriber=line.subscriber)
        invoices.credit(invoice_id=billed.pk, amount=Decimal("20.00"), reason="Down for weeks", at=LEFT)
        leave(line)
        issued(NIGHT)
        again = issued(NIGHT + timedelta(days=1))
        parked = ParkedAccount.objects.get(run=again)

        for _ in range(2):
            runs.resolve_parked(parked_id=parked.pk, at=NIGHT + timedelta(days=1))

        later = issued(NIGHT + timedelta(days=2))
        assert (again.parked, later.parked, later.invoices_planned) == (1, 0, 0)
        positions = BillingPosition.objects.values_list("subscription", "is_closed")
        assert dict(positions) == {line.pk: True, other.pk: False}
        assert ledger.recount() == []

    def test_is_parked_when_no_invoice_billed_it(self, settings):
        (line,) = make_lines()
        BillingPosition.objects.create(
            subscription=line, billed_until=date(2026, 4, 1), settled_at=MARCH
        )  # As taken over from another system.
        leave(line)

        run = planned(NIGHT)

        assert (run.invoices_planned, run.parked) == (0, 1)
        assert ParkedAccount.objects.get().detail == "15.48 EUR to give back, and no invoice that billed it."

    def test_leaves_only_the_rest_to_credit_by_hand(self, settings):
        (line,) = make_lines()
        issued()
        leave(line)
        issued(NIGHT)
        billed = Invoice.objects.get(kind=InvoiceKind.INVOICE)

        with pytest.raises(CreditBeyondInvoice):
            invoices.credit(invoice_id=billed.pk, amount=Decimal("14.53"), reason="Too much", at=NIGHT)
        note = invoices.credit(invoice_id=billed.pk, reason="All of it", at=NIGHT)

        assert (note.number, note.total) == ("CRN-2026-000002", Decimal("14.52"))
        assert SubscriberBalance.objects.get().balance == 0
        assert ledger.recount() == []


class TestWhoGoesOn:
    """On hold all March but a day, at 300.00 a month, and from April on a plan at 10.00."""

    @pytest.fixture
    def line(self, settings: Any) -> Subscription:
        (line,) = make_lines(price="300.00")
        issued()
        Hold.objects.create(
            subscription=line, reason="vacation", opened_at=datetime(2026, 3, 2, 12, tzinfo=UTC),
            released_at=datetime(2026, 3, 31, 12, tzinfo=UTC),
        )  # fmt: skip
        was, line.plan = line.plan, PlanFactory(price=Decimal("10.00"), currency="EUR")
        line.plan_changes.create(
            from_plan=was,
            to_plan=line.plan,
            effective_on=date(2026, 4, 1),
            applied_at=APRIL - timedelta(hours=2),
        )
        line.save()
        return line

    def test_has_the_new_period_on_the_credit_note(self, line):
        issued(APRIL)

        note = note_of(line)
        assert (note.total, note.corrects.number) == (Decimal("270.65"), "INV-2026-000001")
        assert [(one.kind, one.net) for one in note.lines.order_by("position")] == [
            ("hold_credit", Decimal("280.65")),
            ("plan", -10),
        ]
        assert (note.period_start, note.period_end) == (date(2026, 4, 1), date(2026, 5, 1))
        assert BillingPosition.objects.get().billed_until == date(2026, 5, 1)
        assert ledger.recount() == []

    def test_is_billed_on_in_the_next_cycle(self, line):
        issued(APRIL)

        run = issued(MAY)

        latest = Invoice.objects.get(run=run)
        assert (latest.number, latest.total, latest.status) == ("INV-2026-000002", 10, InvoiceStatus.ISSUED)
        found = RunDifference.objects.get(run=run)
        assert (found.previous, found.now) == (Decimal("-270.65"), 10)
        assert RunTotal.objects.get(run=run).previous_total == Decimal("-270.65")
        assert ledger.recount() == []

    def test_gets_back_what_the_note_charged_when_it_ends(self, line):
        issued(APRIL)
        leave(line, datetime(2026, 4, 16, 12, tzinfo=UTC))

        issued(datetime(2026, 4, 17, 3, tzinfo=UTC))

        last = Invoice.objects.get(number="CRN-2026-000002")
        assert (last.total, last.corrects.number) == (5, "INV-2026-000001")
        assert InvoiceLine.objects.get(invoice=last).unit_price == 10
        assert ledger.recount() == []


def test_taxes_that_turn_a_sum_below_zero_make_a_credit_note(settings):
    """Before taxes 0.52 are asked for; the tax given back is more."""
    rate = TaxRate.objects.create(name="VAT", percent=20, starts_on="2020-01-01", tax_class="service")
    (line,) = make_lines()
    line.plan.tax_class = rate.tax_class
    line.plan.save()
    issued()
    leave(line)
    OneOffCharge.objects.create(
        subscriber=line.subscriber, name="Visit", amount=Decimal("16.00"), currency="EUR",
        due_on=date(2026, 3, 17),
    )  # fmt: skip

    issued(NIGHT)

    note = note_of(line)
    assert (note.net, note.tax, note.total) == (Decimal("-0.52"), Decimal("3.10"), Decimal("2.58"))
    assert ledger.recount() == []
    assert OneOffCharge.objects.get().charged == 1
