"""Billing runs: planned, approved by their hash, issued, discarded."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum

from billing.models import (
    Allocation,
    BillingPosition,
    BillingRun,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    OneOffCharge,
    ParkedAccount,
    Payment,
    RunDifference,
    RunStatus,
    RunTotal,
    SubscriberBalance,
    TaxRate,
    Transfer,
)
from billing.services import payments, runs
from ispcore.tenants.models import Tenant
from tests.billing.cycles import APRIL, MARCH, issued, make_lines, make_settings, planned
from tests.factories import PlanFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def settings(acting):
    return make_settings()


def test_a_run_from_plan_to_ledger(settings):
    make_lines(3)
    TaxRate.objects.create(name="VAT", percent=20, starts_on="2020-01-01")

    run = issued()

    assert (run.status, run.invoices_planned, run.invoices_issued) == (RunStatus.ISSUED, 3, 3)
    invoices = Invoice.objects.order_by("number")
    assert [one.number for one in invoices] == ["INV-2026-000001", "INV-2026-000002", "INV-2026-000003"]
    assert {(one.status, one.total, one.open_amount) for one in invoices} == {(InvoiceStatus.ISSUED, 36, 36)}
    assert {(one.issued_on.isoformat(), one.due_on.isoformat()) for one in invoices} == {
        ("2026-03-01", "2026-03-15")
    }
    booked = Transfer.objects.values_list("debit", "credit").annotate(sum=Sum("amount")).order_by("credit")
    assert list(booked) == [("receivable", "revenue", 90), ("receivable", "tax_payable", 18)]
    assert set(SubscriberBalance.objects.values_list("balance", flat=True)) == {Decimal(36)}
    assert {str(day) for day in BillingPosition.objects.values_list("billed_until", flat=True)} == {
        "2026-04-01"
    }
    total = RunTotal.objects.get(run=run)
    assert (total.invoices, total.net, total.tax, total.total, total.previous_total) == (3, 90, 18, 108, 0)


def test_a_run_of_a_cycle_that_is_issued_finds_nothing(settings):
    make_lines(2)
    issued()

    again = planned()

    assert (again.status, again.invoices_planned, again.parked) == (RunStatus.PLANNED, 0, 0)
    assert Invoice.objects.count() == 2


def test_the_next_cycle_bills_the_next_period(settings):
    (_line,) = make_lines()
    issued()

    issued(APRIL)

    periods = Invoice.objects.order_by("number").values_list("period_start", "period_end")
    assert [(str(start), str(end)) for start, end in periods] == [
        ("2026-03-01", "2026-04-01"),
        ("2026-04-01", "2026-05-01"),
    ]
    assert SubscriberBalance.objects.get().balance == 60


def test_one_run_is_open_at_a_time(settings):
    make_lines()
    run = planned()

    with pytest.raises(runs.RunOpen, match=r"The run of 1 Mar 2026 is not over \(waits for approval\)"):
        planned(APRIL)

    assert list(BillingRun.objects.all()) == [run]


@pytest.mark.parametrize(
    ("on", "refusal", "said"),
    [
        ("2026-04-02", runs.DayTooFar, "choose 1 Apr 2026 or an earlier day"),
        ("2026-02-28", runs.DayBeforeBeginning, "before 1 Mar 2026, the first day billed here"),
    ],
)
def test_a_day_out_of_range_is_refused(settings, on, refusal, said):
    with pytest.raises(refusal, match=said):
        planned(on=date.fromisoformat(on))

    assert not BillingRun.objects.exists()


class TestApproval:
    def test_of_another_hash_is_refused(self, settings):
        make_lines()
        run = planned()

        with pytest.raises(runs.PlanChanged):
            runs.approve_run(run_id=run.pk, plan_hash="0" * 64, at=MARCH)

        run.refresh_from_db()
        assert (run.status, run.approved_at) == (RunStatus.PLANNED, None)

    def test_of_drafts_that_changed_since_issues_nothing(self, settings):
        make_lines(2)
        run = planned()
        runs.approve_run(run_id=run.pk, plan_hash=run.plan_hash, at=MARCH)
        InvoiceLine.objects.filter(invoice__run=run).update(description="Something else")

        with pytest.raises(runs.PlanChanged):
            runs.issue_run(runs.Inline(), run_id=run.pk, at=MARCH)

        was = run.plan_hash
        run.refresh_from_db()
        assert (run.status, run.approved_at) == (RunStatus.PLANNED, None)
        assert run.plan_hash != was
        assert not Transfer.objects.exists()

    def test_of_the_same_hash_again_changes_nothing(self, settings):
        make_lines()
        run = issued()

        again = runs.approve_run(run_id=run.pk, plan_hash=run.plan_hash, at=APRIL)

        assert (again.status, again.approved_at) == (RunStatus.ISSUED, MARCH)

    def test_equal_plans_have_equal_hashes(self, settings):
        make_lines(3)
        first = planned()
        runs.discard_run(run_id=first.pk, at=MARCH)
        runs.drop_drafts(runs.Inline(), run_id=first.pk, at=MARCH)

        second = planned()

        assert first.plan_hash == second.plan_hash
        assert len(first.plan_hash) == 64


class TestDiscarding:
    def test_frees_what_was_planned(self, settings):
        make_lines(2)
        run = planned()

        runs.discard_run(run_id=run.pk, at=MARCH)
        runs.drop_drafts(runs.Inline(), run_id=run.pk, at=MARCH)

        run.refresh_from_db()
        assert run.status == RunStatus.DISCARDED
        assert not Invoice.objects.exists()
        assert issued().invoices_issued == 2

    def test_after_approval_is_refused(self, settings):
        make_lines()
        run = issued()

        with pytest.raises(runs.RunNotPlanned):
            runs.discard_run(run_id=run.pk, at=APRIL)

        assert Invoice.objects.get().status == InvoiceStatus.ISSUED

    def test_leaves_nothing_to_approve(self, settings):
        make_lines()
        run = planned()
        runs.discard_run(run_id=run.pk, at=MARCH)

        with pytest.raises(runs.RunNotPlanned):
            runs.approve_run(run_id=run.pk, plan_hash=run.plan_hash, at=MARCH)


class TestParking:
    def test_an_account_that_cannot_be_billed_is_left_out_and_named(self, settings):
        make_lines()
        (odd,) = make_lines(price="10.50", currency="JPY")

        run = issued()

        assert (run.parked, run.invoices_issued) == (1, 1)
        parked = ParkedAccount.objects.get()
        assert (parked.subscriber_id, parked.reason) == (odd.subscriber_id, "price")
        assert runs.WHAT_TO_DO[parked.reason]

    def test_an_item_on_another_invoice_parks_its_account_alone(self, settings):
        line, other = make_lines(2)
        billed = Invoice.objects.create(subscriber=line.subscriber, currency="EUR")
        InvoiceLine.objects.create(
            invoice=billed, position=1, kind="plan", subscription=line, description="By hand", unit_price=30, net=30,
            period_start="2026-03-01", period_end="2026-04-01",
        )  # fmt: skip

        run = planned()

        assert (run.invoices_planned, run.parked) == (1, 1)
        assert Invoice.objects.get(run=run).subscriber_id == other.subscriber_id
        parked = ParkedAccount.objects.get()
        assert (parked.subscriber_id, parked.reason) == (line.subscriber_id, "billed")
        assert parked.detail.endswith("from 1 Mar 2026 is on a draft already.")

    def test_is_resolved_once(self, settings):
        make_lines(price="10.50", currency="JPY")
        planned()
        parked = ParkedAccount.objects.get()

        runs.resolve_parked(parked_id=parked.pk, at=MARCH)
        runs.resolve_parked(parked_id=parked.pk, at=APRIL)

        assert ParkedAccount.objects.get().resolved_at == MARCH


class TestDifferences:
    def test_are_told_with_their_reasons(self, settings):
        _same, dearer, much, gone = make_lines(4)
        issued()
        dearer.plan = PlanFactory(price=Decimal("36.00"))
        dearer.save()
        much.plan = PlanFactory(price=Decimal("60.00"))
        much.save()
        gone.status, gone.terminated_at = "terminated", datetime(2026, 4, 1, 1, tzinfo=UTC)
        gone.save()
        (new,) = make_lines()

        run = planned(APRIL)

        found = RunDifference.objects.filter(run=run)
        assert {(one.subscriber_id, one.kind, one.previous, one.now, one.reason) for one in found} == {
            (dearer.subscriber_id, "changed", 30, 36, "price 36.00 instead of 30.00"),
            (much.subscriber_id, "out_of_bounds", 30, 60, "price 60.00 instead of 30.00"),
            (gone.subscriber_id, "gone", 30, 0, "no service runs any more"),
            (new.subscriber_id, "new", 0, 60, ""),
        }
        total = RunTotal.objects.get(run=run)
        assert (total.total, total.previous_total) == (30 + 36 + 60 + 60, 120)

    def test_of_the_last_cycle_are_not_told_again(self, settings):
        (gone,) = make_lines()
        issued()
        gone.status, gone.terminated_at = "terminated", datetime(2026, 4, 1, 1, tzinfo=UTC)
        gone.save()
        issued(APRIL)

        run = planned(APRIL + timedelta(days=30))

        assert not RunDifference.objects.filter(run=run).exists()


class TestCredit:
    def test_pays_the_new_invoice(self, settings):
        line, other = make_lines(2)
        payment = payments.receive(
            subscriber_id=line.subscriber_id, amount=Decimal("40.00"), currency="EUR", method="cash", received_at=MARCH,
            at=MARCH,
        )  # fmt: skip

        issued()

        mine = Invoice.objects.get(subscriber=line.subscriber)
        assert (mine.status, mine.open_amount, mine.paid_at) == (InvoiceStatus.PAID, 0, MARCH)
        payment.refresh_from_db()
        assert payment.allocated == 30
        assert Invoice.objects.get(subscriber=other.subscriber).status == InvoiceStatus.ISSUED
        assert SubscriberBalance.objects.get(subscriber=line.subscriber).balance == -10

    def test_is_spent_as_for_one_subscriber(self, settings):
        """Two payments and two invoices: the oldest of each first, what is left stays."""
        (line,) = make_lines()
        issued()
        for amount in ("10.00", "35.00"):
            Payment.objects.create(
                subscriber=line.subscriber,
                amount=Decimal(amount),
                currency="EUR",
                method="cash",
                received_at=MARCH,
            )

        issued(APRIL)

        first, second = Invoice.objects.order_by("number")
        assert (first.status, second.status, second.open_amount) == (
            InvoiceStatus.PAID,
            InvoiceStatus.PARTLY_PAID,
            15,
        )
        allocated = Allocation.objects.order_by("payment_id", "invoice_id").values_list("invoice", "amount")
        assert sorted(allocated) == sorted([(first.pk, 10), (first.pk, 20), (second.pk, 15)])


class TestNightly:
    NIGHT = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)

    @pytest.fixture
    def johannesburg(self, acting):
        Tenant.objects.filter(pk=acting.pk).update(timezone="Africa/Johannesburg")
        return make_settings(runs_nightly=True, approves_within_bounds=True)

    def test_begins_after_two_at_the_providers_once_a_day(self, johannesburg):
        early = runs.start_nightly_run(at=self.NIGHT - timedelta(hours=1))
        started = runs.start_nightly_run(at=self.NIGHT)
        assert started is not None
        again = runs.start_nightly_run(at=self.NIGHT + timedelta(minutes=15))

        assert (early, again) == (None, None)
        assert started.on == date(2026, 3, 1)
        assert started.created_by_id is None

    def test_is_approved_by_itself_when_nothing_stands_out(self, johannesburg):
        make_lines()
        run = runs.start_nightly_run(at=self.NIGHT)
        assert run is not None
        runs.plan_run(runs.Inline(), run_id=run.pk, at=self.NIGHT)

        assert runs.approve_within_bounds(run_id=run.pk, at=self.NIGHT)

        run.refresh_from_db()
        assert run.status == RunStatus.APPROVED

    def test_waits_for_a_person_when_something_does(self, johannesburg):
        make_lines(price="10.50", currency="JPY")
        run = runs.start_nightly_run(at=self.NIGHT)
        assert run is not None
        runs.plan_run(runs.Inline(), run_id=run.pk, at=self.NIGHT)

        assert not runs.approve_within_bounds(run_id=run.pk, at=self.NIGHT)

        run.refresh_from_db()
        assert run.status == RunStatus.PLANNED

    def test_leaves_alone_what_a_person_began(self, johannesburg, admin_user):
        make_lines()
        run = runs.start_run(at=self.NIGHT, user_id=admin_user.pk)
        runs.plan_run(runs.Inline(), run_id=run.pk, at=self.NIGHT)

        assert not runs.approve_within_bounds(run_id=run.pk, at=self.NIGHT)


class TestNextInvoice:
    def test_is_what_a_run_would_ask_and_writes_nothing(self, settings):
        (line,) = make_lines()
        issued()
        before = (BillingRun.objects.count(), Invoice.objects.count(), InvoiceLine.objects.count())

        preview = runs.next_invoice(subscriber_id=line.subscriber_id, at=MARCH)

        (invoice,) = preview.invoices
        assert (str(preview.on), invoice.total, invoice.currency) == ("2026-04-01", 30, "EUR")
        assert (BillingRun.objects.count(), Invoice.objects.count(), InvoiceLine.objects.count()) == before

    def test_is_shown_while_a_run_is_open(self, settings):
        _line, other = make_lines(2)
        planned()

        preview = runs.next_invoice(subscriber_id=other.subscriber_id, at=MARCH)

        assert preview.parked is not None
        assert preview.parked.reason == "billed"


def test_an_invoice_of_nothing_is_paid_and_books_nothing(settings):
    make_lines(price="0.00")

    issued()

    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.total, invoice.number) == (InvoiceStatus.PAID, 0, "INV-2026-000001")
    assert not Transfer.objects.exists()


def test_a_charge_in_instalments_is_asked_for_once_each(settings):
    (line,) = make_lines()
    charge = OneOffCharge.objects.create(
        subscriber=line.subscriber, name="Router", amount=Decimal("100.00"), currency="EUR", due_on=date(2026, 3, 1),
        instalments=3,
    )  # fmt: skip

    issued()
    issued(APRIL)

    charge.refresh_from_db()
    assert charge.charged == 2
    asked = InvoiceLine.objects.filter(kind="one_off").order_by("period_start").values_list("net", flat=True)
    assert list(asked) == [Decimal("33.33"), Decimal("33.34")]


def test_a_line_that_ended_is_settled_and_not_looked_at_again(settings):
    (line,) = make_lines()
    issued()
    line.status, line.terminated_at = "terminated", datetime(2026, 3, 16, 12, tzinfo=UTC)
    line.save()
    OneOffCharge.objects.create(
        subscriber=line.subscriber,
        name="Visit",
        amount=Decimal("50.00"),
        currency="EUR",
        due_on=date(2026, 4, 1),
    )

    issued(APRIL)
    planned(APRIL + timedelta(days=1))

    last = Invoice.objects.latest("number")
    assert last.total == Decimal("50.00") - Decimal("15.48")
    assert BillingPosition.objects.get().is_closed
