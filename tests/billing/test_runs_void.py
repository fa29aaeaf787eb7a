"""Runs after an invoice was made void: what it billed is asked for again, once."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.models import Invoice, InvoiceLine, OneOffCharge, SubscriberBalance
from billing.services import invoices, ledger
from billing.services.invoices.voiding import LaterPeriodBilled
from subscribers.models import PlanChange
from tests.billing.cycles import APRIL, MARCH, issued, make_lines, make_settings
from tests.factories import PlanFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def settings(acting):
    return make_settings()


class TestVoidAfterASettlement:
    """March is billed at 30.00; from the 5th the plan is one at 20.00, which an invoice of the 6th settles."""

    SIXTH = datetime(2026, 3, 6, 3, tzinfo=UTC)
    SEVENTH = datetime(2026, 3, 7, 3, tzinfo=UTC)

    @pytest.fixture
    def invoices_of_march(self, settings):
        (line,) = make_lines()
        issued()
        cheaper = PlanFactory(price=Decimal("20.00"), currency="EUR", period=line.plan.period)
        PlanChange.objects.create(
            subscription=line, from_plan=line.plan, to_plan=cheaper, effective_on=date(2026, 3, 5),
            applied_at=datetime(2026, 3, 5, 9, tzinfo=UTC),
        )  # fmt: skip
        line.plan = cheaper
        line.save()
        OneOffCharge.objects.create(
            subscriber=line.subscriber, subscription=line, name="Router", amount=Decimal("50.00"), currency="EUR",
            due_on=date(2026, 3, 6),
        )  # fmt: skip
        issued(self.SIXTH)
        return list(Invoice.objects.order_by("number"))

    def test_goes_backwards_in_time(self, invoices_of_march):
        first, second = invoices_of_march

        with pytest.raises(LaterPeriodBilled):
            invoices.void(invoice_id=first.pk, reason="Wrong", at=self.SIXTH)

        first.refresh_from_db()
        assert (first.status, SubscriberBalance.objects.get().balance) == ("issued", Decimal("71.29"))
        invoices.void(invoice_id=second.pk, reason="Wrong", at=self.SIXTH)
        invoices.void(invoice_id=first.pk, reason="Wrong", at=self.SIXTH)
        issued(self.SEVENTH)
        billed = InvoiceLine.objects.filter(is_void=False).order_by("net").values_list("kind", "days", "net")
        assert list(billed) == [
            ("plan", 4, Decimal("3.87")), ("plan", 27, Decimal("17.42")), ("one_off", None, Decimal("50.00")),
        ]  # fmt: skip
        assert ledger.recount() == []

    def test_is_settled_again_once(self, invoices_of_march):
        invoices.void(invoice_id=invoices_of_march[1].pk, reason="Wrong", at=self.SIXTH)

        issued(self.SEVENTH)

        changed = InvoiceLine.objects.filter(kind="plan_change").order_by("pk").values_list("is_void", "net")
        assert list(changed) == [(True, Decimal("-8.71")), (False, Decimal("-8.71"))]
        assert SubscriberBalance.objects.get().balance == Decimal("71.29")
        assert ledger.recount() == []


@pytest.mark.parametrize("kind", ["one_off", "late_fee"])
def test_a_charge_whose_invoice_was_made_void_is_asked_for_again(settings, kind):
    (line,) = make_lines()
    charge = OneOffCharge.objects.create(
        subscriber=line.subscriber, kind=kind, name="A charge", amount=Decimal("5.00"), currency="EUR",
        due_on=date(2026, 3, 1),
    )  # fmt: skip
    issued()

    invoices.void(invoice_id=Invoice.objects.get().pk, reason="Wrong", at=MARCH)
    charge.refresh_from_db()
    assert charge.charged == 0
    issued(APRIL)

    charge.refresh_from_db()
    assert charge.charged == 1
    asked = InvoiceLine.objects.filter(source=charge.pk).order_by("pk").values_list("is_void", "net")
    assert list(asked) == [(True, Decimal("5.00")), (False, Decimal("5.00"))]
