"""Notices of gateways: signed, booked once whatever comes twice, refused when they are not theirs."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
import stripe
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone

from billing.gateways import base
from billing.gateways.demo_bank import DemoBank
from billing.models import (
    Checkout,
    GatewayAccount,
    GatewayEvent,
    Payment,
    Refund,
    SubscriberBalance,
    Transfer,
)
from billing.services.gateways import accounts, checkouts, notices
from ispcore.tenants.context import tenant_context
from tests.billing.notices import SECRET, event, make_checkout, make_gateway, paid, refunded, signed, take
from tests.billing.paying import balance_of, open_of, owe, payer

BACK = "https://isp.example/thanks"
pytestmark = pytest.mark.django_db


class TestNotices:
    def test_a_payment_is_booked_for_its_invoice_first(self, acting):
        jane = payer()
        older, meant = owe(jane, "30", due_on=date(2026, 1, 1)), owe(jane, "20")
        gateway = make_gateway()
        checkout = make_checkout(gateway, meant)

        taken = take(gateway, paid(checkout))

        assert taken.outcome == "booked"
        assert open_of(older, meant) == [(30, "issued"), (0, "paid")]
        payment = Payment.objects.get()
        assert (payment.reference, payment.method, payment.amount) == ("stripe:pi_1", "card", 20)
        checkout = Checkout.objects.get()
        assert (checkout.status, checkout.payment, checkout.remote_payment) == ("paid", payment, "pi_1")

    def test_what_is_over_pays_the_oldest(self, acting):
        jane = payer()
        older, meant = owe(jane, "30", due_on=date(2026, 1, 1)), owe(jane, "20")
        gateway = make_gateway()
        checkout = make_checkout(gateway, meant)

        take(gateway, paid(checkout, amount_total=2500))

        assert open_of(older, meant) == [(25, "partly_paid"), (0, "paid")]

    def test_a_repeat_books_nothing(self, acting):
        gateway = make_gateway()
        sent = paid(make_checkout(gateway))

        first, again = take(gateway, sent), take(gateway, sent)

        assert first == again
        assert (Payment.objects.count(), GatewayEvent.objects.count()) == (1, 1)

    def test_two_notices_of_one_payment_book_it_once(self, acting):
        gateway = make_gateway()
        checkout = make_checkout(gateway)
        take(gateway, paid(checkout))

        again = take(gateway, paid(checkout))

        assert (again.outcome, again.detail) == ("ignored", "Its payment was booked before.")
        assert Payment.objects.count() == 1

    def test_a_refund_that_comes_first_waits_for_its_payment(self, acting):
        gateway = make_gateway()
        checkout = make_checkout(gateway)

        early = take(gateway, refunded(amount=500))
        assert (early.outcome, early.detail) == ("parked", "The payment it belongs to has not come yet.")
        take(gateway, paid(checkout))

        assert GatewayEvent.objects.get(pk=early.pk).outcome == "booked"
        assert Payment.objects.get().refunded == 5
        assert balance_of(checkout.subscriber) == -10

    def test_one_refund_told_twice_is_one(self, acting):
        gateway = make_gateway()
        take(gateway, paid(make_checkout(gateway)))

        take(gateway, refunded(amount=500))
        take(gateway, {**refunded(amount=500), "type": "refund.updated"})

        assert Refund.objects.count() == 1

    def test_a_dispute_takes_the_payment_back(self, acting):
        invoice = owe(payer(), "20")
        gateway = make_gateway()
        take(gateway, paid(make_checkout(gateway, invoice)))
        dispute = {"payment_intent": "pi_1", "amount": 2000, "currency": "eur"}

        taken = take(gateway, event("charge.dispute.funds_withdrawn", dispute))

        assert taken.outcome == "booked"
        assert Payment.objects.get().status == "bounced"
        assert open_of(invoice) == [(20, "issued")]

    @pytest.mark.parametrize(
        ("kind", "found", "outcome"),
        [
            ("checkout.session.expired", {}, "ignored"),
            ("checkout.session.completed", {"payment_status": "unpaid"}, "ignored"),
            ("payment_intent.created", {}, "ignored"),
            ("refund.failed", {"id": "re_1", "amount": 1, "currency": "eur"}, "parked"),
            ("charge.dispute.funds_reinstated", {"amount": 1, "currency": "eur"}, "parked"),
            (
                "checkout.session.completed",
                {"payment_status": "paid", "amount_total": 1, "currency": "eur"},
                "parked",
            ),
        ],
    )
    def test_others_book_nothing(self, acting, kind, found, outcome):
        gateway = make_gateway()

        taken = take(gateway, event(kind, found))

        assert taken.outcome == outcome
        assert taken.detail
        assert not Transfer.objects.exists()

    def test_what_cannot_be_booked_waits_with_its_reason(self, acting):
        gateway = make_gateway()
        sent = paid(make_checkout(gateway), currency="usd")

        taken = take(gateway, sent)

        assert taken.outcome == "parked"
        assert "is billed in EUR, not in USD" in taken.detail
        assert not Payment.objects.exists()

    def test_what_waits_is_tried_again_or_settled_by_hand(self, acting):
        gateway = make_gateway()
        sent = paid(make_checkout(gateway), currency="usd")
        parked = take(gateway, sent)
        profile = Checkout.objects.get().subscriber.billing_profile
        profile.currency = "USD"
        profile.save()

        assert notices.retry(event_id=parked.pk, at=timezone.now()).outcome == "booked"
        with pytest.raises(notices.EventNotParked):
            notices.dismiss(event_id=parked.pk, reason="cash")

        other = take(gateway, refunded("pi_unknown", amount=1))
        assert notices.dismiss(event_id=other.pk, reason="not ours").detail == "Settled by hand: not ours"


class TestRefusedNotices:
    @pytest.mark.parametrize(
        ("how", "why"),
        [
            ({"secret": "whsec_another_one_0000"}, "its Stripe-Signature header is not made with"),
            ({"at": time.time() - 301}, "its timestamp is older than 5 minutes"),
        ],
    )
    def test_wrongly_signed_or_old_ones(self, acting, how, why):
        gateway = make_gateway()
        sent = paid(make_checkout(gateway))

        with pytest.raises(base.NoticeRefused) as refusal:
            take(gateway, sent, **how)

        assert str(refusal.value).startswith(f"The notice is refused: {why}")
        assert not GatewayEvent.objects.exists()
        assert not Transfer.objects.exists()
        gateway.refresh_from_db()
        assert gateway.refusal == str(refusal.value)

    @pytest.mark.parametrize("headers", [{}, {"Stripe-Signature": "x"}, {"Stripe-Signature": "t=1,v1="}])
    def test_unsigned_ones(self, acting, headers):
        gateway = make_gateway()

        with pytest.raises(base.NoticeRefused):
            notices.take(name=accounts.public_name(gateway), headers=headers, body=b"{}", at=timezone.now())

    @pytest.mark.parametrize(
        "body", ["{}", "[]", "null", '{"id": "evt_1", "type": 7}', "nonsense", "[" * 9999]
    )
    def test_signed_nonsense(self, acting, body):
        gateway = make_gateway()
        header = stripe.WebhookSignature.generate_signature_header(body, SECRET)

        with pytest.raises(base.NoticeUnreadable):
            notices.take(
                name=accounts.public_name(gateway),
                headers={"Stripe-Signature": header},
                body=body.encode(),
                at=timezone.now(),
            )

        assert not GatewayEvent.objects.exists()

    def test_those_of_another_providers_account(self, acting, other_tenant):
        gateway = make_gateway()
        sent = signed(paid(make_checkout(gateway)))

        for name in (
            "south." + gateway.key,
            gateway.key,
            "north.",
            ".",
            "nobody." + gateway.key,
            "north.\x00",
        ):
            with pytest.raises(accounts.GatewayUnknown):
                notices.take(name=name, at=timezone.now(), **sent)

        assert not Transfer.objects.exists()


def bank_of(gateway: GatewayAccount) -> DemoBank:
    adapter = accounts.adapter_of(gateway)
    assert isinstance(adapter, DemoBank)
    return adapter


class TestDemoBank:
    def told(self, checkout, **fields):
        return {
            "id": "n-1",
            "kind": "paid",
            "order": str(checkout.pk),
            "payment": "p-1",
            "refund": "",
            "amount": str(checkout.amount),
            "currency": checkout.currency,
            **fields,
        }

    def gateway(self):
        return make_gateway(kind="demo_bank", label="Demo", api_key="")

    def test_pays(self, acting):
        gateway = self.gateway()
        checkout = make_checkout(gateway, owe(payer(), "20"))
        adapter = bank_of(gateway)
        at = timezone.now()
        headers, body = adapter.sign(self.told(checkout), at=at)

        begun = checkouts.begin(tenant_id=acting.pk, checkout_id=checkout.pk, return_url=BACK)
        taken = notices.take(name=accounts.public_name(gateway), headers=headers, body=body, at=at)

        assert begun["url"] == (f"{django_settings.PUBLIC_URL}/demo-bank/north.{gateway.key}/{checkout.pk}")
        assert taken.outcome == "booked"
        assert Payment.objects.get().reference == "demo_bank:p-1"

    @pytest.mark.parametrize("off", [timedelta(minutes=-6), timedelta(minutes=6)])
    def test_old_notices_and_those_from_ahead_are_refused(self, acting, off):
        gateway = self.gateway()
        at = timezone.now()
        headers, body = bank_of(gateway).sign(self.told(make_checkout(gateway)), at=at + off)

        with pytest.raises(base.NoticeRefused):
            notices.take(name=accounts.public_name(gateway), headers=headers, body=body, at=at)

    def test_a_changed_body_is_refused(self, acting):
        gateway = self.gateway()
        at = timezone.now()
        headers, body = bank_of(gateway).sign(self.told(make_checkout(gateway)), at=at)

        with pytest.raises(base.NoticeRefused):
            notices.take(
                name=accounts.public_name(gateway), headers=headers, body=body.replace(b"15", b"95"), at=at
            )

        assert not Transfer.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_fifty_equal_notices_at_once_book_one_payment(tenant):
    with tenant_context(tenant.pk):
        jane = payer()
        invoice = owe(jane, "20")
        gateway = make_gateway()
        checkout = make_checkout(gateway, invoice)
        name = accounts.public_name(gateway)
    sent = signed(paid(checkout))

    def send(_):
        try:
            return notices.take(name=name, at=timezone.now(), **sent).outcome
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(send, range(50)))

    assert outcomes == ["booked"] * 50
    with tenant_context(tenant.pk):
        assert (Payment.objects.count(), GatewayEvent.objects.count()) == (1, 1)
        assert open_of(invoice) == [(0, "paid")]
        assert SubscriberBalance.objects.get().balance == 0


@pytest.mark.django_db(transaction=True)
def test_a_payment_and_its_refund_at_once_are_both_booked(tenant):
    with tenant_context(tenant.pk):
        gateway = make_gateway()
        pairs = []
        for number in range(8):
            checkout = make_checkout(gateway)
            pairs += [
                signed(paid(checkout, intent=f"pi_{number}")),
                signed(refunded(f"pi_{number}", amount=500, refund=f"re_{number}")),
            ]
        name = accounts.public_name(gateway)

    def send(one):
        try:
            return notices.take(name=name, at=timezone.now(), **one).outcome
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, reversed(pairs)))

    with tenant_context(tenant.pk):
        assert {(one.amount, one.refunded) for one in Payment.objects.all()} == {(15, 5)}
        assert not GatewayEvent.objects.exclude(outcome="booked").exists()
