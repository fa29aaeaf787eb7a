"""Add-ons, charges, discounts, prices of data, taxes, exemptions and settings: what is kept and what is refused."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.models import (
    AddOn,
    BillingSettings,
    Discount,
    Invoice,
    InvoiceLine,
    OneOffCharge,
    OveragePrice,
    TaxExemption,
    TaxRate,
)
from billing.services.charges import add_ons, checks, discounts, one_off, overage, settings, taxes
from subscribers.models import Subscription
from tests.factories import BillingProfileFactory, PlanFactory, SubscriberFactory, SubscriptionFactory

TODAY = date(2026, 3, 10)
pytestmark = pytest.mark.django_db


@pytest.fixture
def line(acting: Any) -> Subscription:
    made: Subscription = SubscriptionFactory(
        subscriber=SubscriberFactory(billing_profile=BillingProfileFactory(currency="EUR")),
        plan=PlanFactory(price=Decimal("31.00"), currency="EUR", cap_bytes=10**11),
        status="active",
    )
    return made


def bill(line: Subscription, kind: str, source: Any) -> None:
    invoice = Invoice.objects.create(subscriber=line.subscriber, currency="EUR")
    InvoiceLine.objects.create(
        invoice=invoice, position=1, kind=kind, subscription=line, source=source, description="x",
        period_start=date(2026, 3, 1), period_end=date(2026, 4, 1), unit_price=1, net=1,
    )  # fmt: skip


def add_on(line: Subscription, **fields: Any) -> AddOn:
    given = {"name": "TV", "price": Decimal("9.90"), "currency": "EUR", "starts_on": date(2026, 3, 1)}
    return add_ons.add_add_on(subscription_id=line.pk, on=TODAY, **{**given, **fields})


def charge(line: Subscription, **fields: Any) -> OneOffCharge:
    given = {"name": "Router", "amount": Decimal(90), "currency": "EUR", "due_on": TODAY}
    return one_off.add_charge(subscriber_id=line.subscriber_id, on=TODAY, **{**given, **fields})


def discount(line: Subscription, **fields: Any) -> Discount:
    given = {"name": "Welcome", "percent": Decimal(10), "starts_on": TODAY}
    return discounts.add_discount(subscriber_id=line.subscriber_id, on=TODAY, **{**given, **fields})


@pytest.mark.parametrize(
    ("make", "fields", "refusal", "field"),
    [
        (add_on, {"currency": "USD"}, checks.CurrencyDiffers, "currency"),
        (add_on, {"currency": "eur"}, checks.UnknownCurrency, "currency"),
        (add_on, {"price": Decimal(0)}, checks.AmountNotPositive, "price"),
        (add_on, {"price": Decimal("-1")}, checks.AmountNotPositive, "price"),
        (add_on, {"price": Decimal("9.901")}, checks.AmountTooFine, "price"),
        (add_on, {"ends_on": date(2026, 3, 1)}, checks.DatesCrossed, "ends_on"),
        (add_on, {"starts_on": date(2016, 3, 1)}, checks.TooLongAgo, "starts_on"),
        (charge, {"currency": "USD"}, checks.CurrencyDiffers, "currency"),
        (charge, {"amount": Decimal(0)}, checks.AmountNotPositive, "amount"),
        (charge, {"amount": Decimal("0.001")}, checks.AmountTooFine, "amount"),
        (charge, {"amount": Decimal("0.02"), "instalments": 3}, one_off.TooManyInstalments, "instalments"),
        (charge, {"due_on": date(2016, 3, 1)}, checks.TooLongAgo, "starts_on"),
        (discount, {"percent": None}, discounts.PercentOrAmount, "percent"),
        (discount, {"percent": Decimal(101)}, discounts.PercentOrAmount, "percent"),
        (discount, {"amount": Decimal(1)}, discounts.PercentOrAmount, "percent"),
        (discount, {"percent": None, "amount": Decimal(1)}, discounts.AmountOfOneService, "service_id"),
        (discount, {"ends_on": TODAY}, checks.DatesCrossed, "ends_on"),
    ],
)
def test_refuses_and_keeps_nothing(
    line: Subscription, make: Callable[..., Any], fields: dict[str, Any], refusal: type[Exception], field: str
) -> None:
    with pytest.raises(refusal) as raised:
        make(line, **fields)

    assert raised.value.field == field  # type: ignore[attr-defined]
    assert not AddOn.objects.exists()
    assert not OneOffCharge.objects.exists()
    assert not Discount.objects.exists()


def test_nothing_is_charged_with_a_service_of_somebody_else_or_one_that_ended(line: Subscription) -> None:
    with pytest.raises(checks.UnknownService):
        charge(SubscriptionFactory(status="active"), subscription_id=line.pk)
    Subscription.objects.filter(pk=line.pk).update(status="terminated")
    with pytest.raises(checks.ServiceOver):
        add_on(line)

    assert not OneOffCharge.objects.exists()
    assert not AddOn.objects.exists()


class TestAddOns:
    def test_one_that_is_billed_is_ended_and_not_deleted(self, line: Subscription) -> None:
        added = add_on(line)
        bill(line, "add_on", added.pk)

        with pytest.raises(add_ons.AddOnBilled):
            add_ons.remove_add_on(add_on_id=added.pk)
        ended = add_ons.change_add_on(add_on_id=added.pk, on=TODAY, ends_on=TODAY)

        assert ended.ends_on == TODAY
        with pytest.raises(checks.EndBilled):
            add_ons.change_add_on(add_on_id=added.pk, on=TODAY, ends_on=None)
        assert AddOn.objects.get().ends_on == TODAY

    def test_the_beginning_of_one_that_is_billed_stays(self, line: Subscription) -> None:
        added = add_on(line)
        bill(line, "add_on", added.pk)

        with pytest.raises(add_ons.BeginningBilled):
            add_ons.change_add_on(add_on_id=added.pk, on=TODAY, starts_on=date(2026, 3, 5))

        assert AddOn.objects.get().starts_on == date(2026, 3, 1)

    def test_one_that_is_not_billed_is_deleted(self, line: Subscription) -> None:
        add_ons.remove_add_on(add_on_id=add_on(line).pk)

        assert not AddOn.objects.exists()


class TestCharges:
    def test_a_billed_charge_stays_and_the_rest_of_it_is_cancelled_once(self, line: Subscription) -> None:
        made = charge(line, instalments=3)
        OneOffCharge.objects.update(charged=1)
        at = datetime(2026, 3, 10, tzinfo=UTC)

        with pytest.raises(one_off.ChargeBilled):
            one_off.change_charge(charge_id=made.pk, on=TODAY, amount=Decimal(1))
        one_off.cancel_charge(charge_id=made.pk, at=at)
        one_off.cancel_charge(charge_id=made.pk, at=datetime(2026, 3, 11, tzinfo=UTC))

        found = OneOffCharge.objects.get()
        assert (found.amount, found.cancelled_at) == (90, at)

    def test_one_that_is_billed_whole_is_not_cancelled(self, line: Subscription) -> None:
        made = charge(line)
        OneOffCharge.objects.update(charged=1)

        with pytest.raises(one_off.ChargeBilled):
            one_off.cancel_charge(charge_id=made.pk, at=datetime(2026, 3, 10, tzinfo=UTC))

        assert OneOffCharge.objects.get().cancelled_at is None

    def test_a_charge_is_counted_in_its_currency(self, acting: Any) -> None:
        customer = SubscriberFactory(billing_profile=BillingProfileFactory(currency="JPY"))
        given = {"subscriber_id": customer.pk, "name": "x", "currency": "JPY", "due_on": TODAY, "on": TODAY}

        with pytest.raises(checks.AmountTooFine, match=r"JPY has no digits after the point; 10\.5 is finer"):
            one_off.add_charge(amount=Decimal("10.5"), **given)
        made = one_off.add_charge(amount=Decimal(10), **given)

        assert list(OneOffCharge.objects.all()) == [made]


def test_the_terms_of_a_billed_discount_stay_and_it_can_end(line: Subscription) -> None:
    made = discount(line)
    bill(line, "discount", made.pk)

    with pytest.raises(discounts.DiscountBilled):
        discounts.change_discount(discount_id=made.pk, on=TODAY, percent=Decimal(20))
    with pytest.raises(discounts.DiscountBilled):
        discounts.remove_discount(discount_id=made.pk)
    discounts.change_discount(discount_id=made.pk, on=TODAY, ends_on=date(2026, 4, 1))

    found = Discount.objects.get()
    assert (found.percent, found.ends_on) == (10, date(2026, 4, 1))


class TestTaxes:
    def test_a_rate_in_force_is_replaced_and_never_rewritten(self, line: Subscription) -> None:
        old = taxes.add_rate(name="VAT", percent=Decimal(20), starts_on=date(2026, 1, 1))
        taxes.add_exemption(
            subscriber_id=line.subscriber_id, reason="Embassy", starts_on=date(2026, 1, 1), rate_id=old.pk
        )

        with pytest.raises(taxes.RateInForce):
            taxes.change_rate(rate_id=old.pk, on=TODAY, percent=Decimal(21))
        with pytest.raises(taxes.RateInForce):
            taxes.remove_rate(rate_id=old.pk, on=TODAY)
        new = taxes.replace_rate(rate_id=old.pk, percent=Decimal(21), starts_on=date(2026, 4, 1), on=TODAY)

        assert list(TaxRate.objects.order_by("starts_on").values_list("percent", "starts_on", "ends_on")) == [
            (20, date(2026, 1, 1), date(2026, 4, 1)),
            (21, date(2026, 4, 1), None),
        ]
        carried = TaxExemption.objects.get(rate=new)
        assert (carried.subscriber_id, carried.starts_on) == (line.subscriber_id, date(2026, 4, 1))

    def test_refuses_to_replace_backwards(self, line: Subscription) -> None:
        old = taxes.add_rate(name="VAT", percent=Decimal(20), starts_on=date(2026, 1, 1))

        with pytest.raises(taxes.EndInThePast):
            taxes.replace_rate(rate_id=old.pk, percent=Decimal(21), starts_on=TODAY, on=TODAY)
        with pytest.raises(taxes.RateNotLater):
            taxes.replace_rate(rate_id=old.pk, percent=Decimal(21), starts_on=date(2026, 1, 1), on=TODAY)
        with pytest.raises(taxes.RateTwice):
            taxes.add_rate(name="VAT", percent=Decimal(1), starts_on=date(2026, 1, 1))

        assert TaxRate.objects.get().ends_on is None

    def test_one_that_has_not_begun_may_change_and_go(self, acting: Any) -> None:
        coming = taxes.add_rate(name="VAT", percent=Decimal(20), starts_on=date(2026, 4, 1))

        assert taxes.change_rate(rate_id=coming.pk, on=TODAY, percent=Decimal(21)).percent == 21
        taxes.remove_rate(rate_id=coming.pk, on=TODAY)

        assert not TaxRate.objects.exists()


class TestOverage:
    def test_a_new_price_ends_the_one_before(self, line: Subscription) -> None:
        given: dict[str, Any] = {"plan_id": line.plan_id, "currency": "EUR", "on": TODAY}
        overage.set_price(price=Decimal(1), starts_on=date(2026, 1, 1), **given)
        overage.set_price(price=Decimal(2), starts_on=date(2026, 4, 1), **given)

        assert list(OveragePrice.objects.order_by("starts_on").values_list("price", "ends_on")) == [
            (1, date(2026, 4, 1)),
            (2, None),
        ]

    def test_refusals(self, line: Subscription) -> None:
        given: dict[str, Any] = {
            "price": Decimal(1),
            "currency": "EUR",
            "starts_on": date(2026, 4, 1),
            "on": TODAY,
        }

        with pytest.raises(overage.PlanUncapped):
            overage.set_price(plan_id=PlanFactory(cap_bytes=None).pk, **given)
        with pytest.raises(overage.NotAMonthsFirst):
            overage.set_price(plan_id=line.plan_id, **{**given, "starts_on": date(2026, 4, 2)})
        with pytest.raises(checks.CurrencyDiffers):
            overage.set_price(plan_id=line.plan_id, **{**given, "currency": "USD"})

        assert not OveragePrice.objects.exists()


class TestSettings:
    def test_are_kept_once(self, acting: Any) -> None:
        assert settings.billing_settings(on=TODAY).bills_from == TODAY

        settings.change_settings(on=TODAY, unbilled_holds=["vacation", "staff", "staff"], invoice_prefix="RE")

        kept = BillingSettings.objects.get()
        assert (kept.bills_from, kept.unbilled_holds, kept.invoice_prefix) == (
            TODAY, ["staff", "vacation"], "RE",
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("fields", "refusal"),
        [
            ({"invoice_prefix": "in-v"}, settings.BadPrefix),
            ({"bound_percent": 0}, settings.BadBound),
            ({"unbilled_holds": ["holiday"]}, settings.UnknownHoldReason),
        ],
    )
    def test_refusals(self, acting: Any, fields: dict[str, Any], refusal: type[Exception]) -> None:
        settings.change_settings(on=TODAY)

        with pytest.raises(refusal):
            settings.change_settings(on=TODAY, **fields)

        assert BillingSettings.objects.get().invoice_prefix == "INV"

    def test_the_first_day_stays_once_invoices_were_issued(self, line: Subscription) -> None:
        settings.change_settings(on=TODAY)
        Invoice.objects.create(
            subscriber=line.subscriber, currency="EUR", number="INV-2026-000001", status="paid",
            issued_on=TODAY, issued_at=datetime(2026, 3, 10, tzinfo=UTC),
        )  # fmt: skip

        with pytest.raises(settings.BillingHasBegun):
            settings.change_settings(on=TODAY, bills_from=date(2026, 1, 1))

        assert BillingSettings.objects.get().bills_from == TODAY
