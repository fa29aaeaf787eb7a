"""Within a year that is paid: what comes up is asked for or given back on the next cycle day, and the plan waits."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.models import AddOn, BillingPosition, Discount, Invoice, InvoiceKind, InvoiceLine, RunDifference
from billing.services import invoices, ledger, planning, runs
from billing.services.invoices.voiding import LaterPeriodBilled
from subscribers.models import Cycle, Hold, Period, Subscription
from tests.billing.cycles import APRIL, MARCH, issued, make_lines, make_settings, planned
from tests.factories import BillingProfileFactory, PlanFactory

pytestmark = pytest.mark.django_db

NEW_YEAR = date(2027, 1, 1)
MAY = datetime(2026, 5, 1, 3, tzinfo=UTC)


@pytest.fixture
def line(acting: Any) -> Subscription:
    """A line at 365.00 a year, 1.00 a day, billed from March on until the end of the year."""
    make_settings()
    (made,) = make_lines(price="365.00")
    made.plan.period = Period.YEAR
    made.plan.save()
    issued()
    assert Invoice.objects.get().total == 306
    return made


def at(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def rest(line: Subscription, since: datetime, until: datetime) -> None:
    Hold.objects.create(subscription=line, reason="vacation", opened_at=since, released_at=until)


def due(moment: datetime) -> list[Any]:
    return planning.candidates(on=moment.date(), as_of=moment)


class TestOnTheNextCycleDay:
    def test_days_on_hold_are_given_back(self, line):
        rest(line, at(3, 10), at(3, 20))

        assert due(at(3, 31, 3)) == []
        issued(APRIL)

        note = Invoice.objects.get(kind=InvoiceKind.CREDIT_NOTE)
        assert (note.total, note.lines.get().kind, note.corrects.total) == (10, "hold_credit", 306)
        assert BillingPosition.objects.get().billed_until == NEW_YEAR
        assert ledger.recount() == []

    def test_a_change_of_plan_is_settled(self, line):
        was, line.plan = line.plan, PlanFactory(price=Decimal("730.00"), period=Period.YEAR, currency="EUR")
        line.plan_changes.create(
            from_plan=was, to_plan=line.plan, effective_on=date(2026, 3, 16), applied_at=at(3, 16, 0)
        )
        line.save()

        run = issued(APRIL)

        asked = Invoice.objects.get(run=run)
        assert [(one.kind, one.net, one.period_start, one.period_end) for one in asked.lines.all()] == [
            ("plan_change", 291, date(2026, 3, 16), NEW_YEAR)
        ]
        assert ledger.recount() == []

    def test_an_add_on_is_billed_for_the_rest_of_the_year(self, line):
        AddOn.objects.create(
            subscription=line, name="Static IP", price=Decimal("36.50"), currency="EUR", starts_on=date(2026, 3, 11)
        )  # fmt: skip

        run = issued(APRIL)

        (item,) = Invoice.objects.get(run=run).lines.all()
        assert (item.kind, item.net, item.period_start, item.period_end) == (
            "add_on", Decimal("29.60"), date(2026, 3, 11), NEW_YEAR,
        )  # fmt: skip
        assert ledger.recount() == []

    def test_of_who_began_on_another_day(self, acting):
        make_settings()
        (line,) = make_lines(price="92.00")
        line.provisioned_at = at(3, 17, 9)
        line.save()
        line.plan.period = Period.QUARTER
        line.plan.save()
        line.subscriber.billing_profile = BillingProfileFactory(
            currency="EUR", cycle=Cycle.ANNIVERSARY, cycle_day=None
        )
        line.subscriber.save()
        issued(at(3, 18, 3))
        rest(line, at(3, 20), at(3, 25))

        assert (due(APRIL), due(at(4, 16, 3))) == ([], [])
        issued(at(4, 17, 3))

        assert Invoice.objects.get(kind=InvoiceKind.CREDIT_NOTE).total == 5

    def test_differs_from_the_cycle_by_itself(self, line):
        rest(line, at(3, 10), at(3, 20))

        run = planned(APRIL)

        found = RunDifference.objects.get(run=run)
        assert (found.kind, found.previous, found.now, found.reason) == (
            "changed", 0, -10, "between two periods; with days on hold",
        )  # fmt: skip

    def test_is_the_next_invoice(self, line):
        rest(line, at(3, 10), at(3, 20))

        found = runs.next_invoice(subscriber_id=line.subscriber_id, at=at(3, 25))

        assert (found.on, [each.total for each in found.invoices]) == (APRIL.date(), [10])


class TestOnceAMonth:
    def test_a_line_of_which_nothing_is_due_is_looked_at(self, line):
        was = Invoice.objects.count()

        first = issued(APRIL)

        assert (first.invoices_planned, Invoice.objects.count()) == (0, was)
        assert BillingPosition.objects.get().settled_at == APRIL
        assert due(APRIL) == due(APRIL + timedelta(days=29)) == []
        assert due(MAY) == [line.subscriber_id]

    def test_each_item_is_billed_once_however_many_nights_there_are(self, line):
        rest(line, at(3, 10), at(3, 20))
        rest(line, at(4, 10), at(4, 20))

        for night in range(70):
            moment = MARCH + timedelta(days=night + 1)
            if due(moment):
                issued(moment)

        notes = Invoice.objects.filter(kind=InvoiceKind.CREDIT_NOTE).order_by("number")
        assert [(str(one.issued_on), one.total) for one in notes] == [("2026-04-01", 10), ("2026-05-01", 10)]
        assert ledger.recount() == []

    def test_a_discarded_run_loses_nothing(self, line):
        rest(line, at(3, 10), at(3, 20))
        run = planned(APRIL)
        runs.discard_run(run_id=run.pk, at=APRIL)
        runs.drop_drafts(runs.Inline(), run_id=run.pk, at=APRIL)

        issued(APRIL + timedelta(days=1))

        assert Invoice.objects.get(kind=InvoiceKind.CREDIT_NOTE).total == 10

    def test_the_plan_waits_for_its_period(self, line):
        rest(line, at(3, 10), at(3, 20))
        issued(APRIL)

        issued(datetime(2027, 1, 1, 3, tzinfo=UTC))

        plans = InvoiceLine.objects.filter(kind="plan").order_by("period_start")
        assert list(plans.values_list("period_start", "period_end", "net")) == [
            (date(2026, 3, 1), NEW_YEAR, 306),
            (NEW_YEAR, date(2028, 1, 1), 365),
        ]

    def test_an_invoice_made_void_meanwhile_is_billed_anew(self, line):
        rest(line, at(3, 10), at(3, 20))
        first = Invoice.objects.get()
        invoices.void(invoice_id=first.pk, reason="Wrong address", at=at(3, 21))

        issued(APRIL)

        again = Invoice.objects.get(run__on=APRIL.date())
        assert (again.kind, again.total) == (InvoiceKind.INVOICE, 296)
        assert ledger.recount() == []


def test_days_billed_alike_after_a_change_of_period_are_given_back_alike(line):
    was = line.plan
    line.plan = PlanFactory(price=Decimal("31.00"), period=Period.MONTH, currency="EUR")
    line.plan_changes.create(
        from_plan=was, to_plan=line.plan, effective_on=date(2026, 3, 16), applied_at=at(3, 16, 0)
    )
    line.save()
    issued(APRIL)
    assert InvoiceLine.objects.get(kind="plan_change").net == 291  # By the 31 days of March.
    rest(line, at(4, 10), at(4, 20))

    issued(MAY)

    assert InvoiceLine.objects.get(kind="hold_credit").net == 10
    assert ledger.recount() == []


def test_a_discount_does_not_hide_how_days_were_billed_alike(line):
    was = line.plan
    line.plan = PlanFactory(price=Decimal("31.00"), period=Period.MONTH, currency="EUR")
    line.plan_changes.create(
        from_plan=was, to_plan=line.plan, effective_on=date(2026, 3, 16), applied_at=at(3, 16, 0)
    )
    line.save()
    Discount.objects.create(
        subscriber=line.subscriber, name="Welcome", percent=Decimal(10), starts_on=date(2026, 3, 1)
    )
    issued(APRIL)
    rest(line, at(4, 10), at(4, 20))

    issued(MAY)

    given_back = InvoiceLine.objects.filter(kind="hold_credit").order_by("-net").values_list("net", flat=True)
    assert list(given_back) == [10, -1]
    assert ledger.recount() == []


def test_days_on_hold_after_an_add_ons_end_are_given_back_once(line):
    extra = AddOn.objects.create(
        subscription=line, name="Static IP", price=Decimal("365.00"), currency="EUR", starts_on=date(2026, 3, 1)
    )  # fmt: skip
    issued(APRIL)
    extra.ends_on = date(2026, 4, 9)
    extra.save()
    rest(line, at(4, 13), at(4, 15))

    issued(MAY)

    given_back = InvoiceLine.objects.filter(source=extra.pk).exclude(kind="add_on")
    assert [(each.kind, each.period_start, each.net) for each in given_back] == [
        ("end_credit", date(2026, 4, 9), 267)
    ]
    assert ledger.recount() == []


def test_an_add_on_that_would_have_begun_after_the_end_is_given_back_as_it_was_billed(line):
    AddOn.objects.create(
        subscription=line, name="Static IP", price=Decimal("365.00"), currency="EUR", starts_on=date(2026, 4, 11)
    )  # fmt: skip
    issued(APRIL)
    assert InvoiceLine.objects.get(kind="add_on").net == 265
    line.status, line.terminated_at = "terminated", at(4, 5)
    line.save()

    issued(at(4, 6, 3))

    given_back = (
        InvoiceLine.objects.filter(kind="end_credit").order_by("net").values_list("period_start", "net")
    )
    assert list(given_back) == [(date(2026, 4, 11), 265), (date(2026, 4, 5), 271)]
    assert ledger.recount() == []


def test_the_first_days_of_an_add_on_are_not_made_void_once_it_goes_on(line):
    AddOn.objects.create(
        subscription=line, name="Static IP", price=Decimal("36.50"), currency="EUR", starts_on=date(2026, 3, 11)
    )  # fmt: skip
    first = Invoice.objects.get(run=issued(APRIL))
    issued(datetime(2027, 1, 1, 3, tzinfo=UTC))

    with pytest.raises(LaterPeriodBilled):
        invoices.void(invoice_id=first.pk, reason="Wrong", at=datetime(2027, 1, 2, tzinfo=UTC))

    first.refresh_from_db()
    assert first.status == "issued"
    assert ledger.recount() == []


def test_an_add_on_that_goes_on_is_not_given_back(line):
    AddOn.objects.create(
        subscription=line, name="Static IP", price=Decimal("36.50"), currency="EUR", starts_on=date(2026, 3, 11)
    )  # fmt: skip

    for moment in (APRIL, MAY, datetime(2027, 1, 1, 3, tzinfo=UTC), datetime(2027, 2, 1, 3, tzinfo=UTC)):
        issued(moment)

    billed = (
        InvoiceLine.objects.exclude(kind="plan").order_by("period_start").values_list("kind", "period_start")
    )
    assert list(billed) == [("add_on", date(2026, 3, 11)), ("add_on", NEW_YEAR)]
