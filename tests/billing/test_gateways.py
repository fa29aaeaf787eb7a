"""Payments by gateways: begun there, told by signed notices, booked once."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import stripe
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from billing.gateways import base
from billing.gateways import stripe as stripe_gateway
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
from billing.services.gateways import accounts, checkouts, notices, refunds
from billing.services.payments import checks, receiving
from ispcore.errors import DomainError
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from tests.billing.paying import balance_of, open_of, owe, payer
from tests.billing.stripe_api import API_KEY, stripe_api

SECRET = "whsec_0123456789abcdef"
BACK = "https://isp.example/thanks"
pytestmark = pytest.mark.django_db


@pytest.fixture
def api_of_stripe(settings):
    with stripe_api() as (state, address):
        settings.STRIPE_API_BASE = address
        yield state


def make_gateway(**fields) -> GatewayAccount:
    given = {"kind": "stripe", "label": "Cards", "api_key": API_KEY, "webhook_secret": SECRET}
    return accounts.create_account(**{**given, **fields})


def make_checkout(gateway, invoice=None, **fields) -> Checkout:
    if invoice is not None:
        return checkouts.record_invoice(gateway_id=gateway.pk, invoice_id=invoice.pk, **fields)
    top_up = checkouts.TopUp(payer().pk, Decimal("15"), "EUR")
    return checkouts.record_top_up(gateway_id=gateway.pk, top_up=top_up)


def signed(event: dict, *, secret: str = SECRET, at: float | None = None) -> dict:
    """What `notices.take` gets of an event that Stripe sends."""
    body = json.dumps(event)
    header = stripe.WebhookSignature.generate_signature_header(body, secret, int(at or time.time()))
    return {"headers": {"Stripe-Signature": header}, "body": body.encode()}


def event(kind: str, found: dict, *, event_id: str = "") -> dict:
    return {
        "id": event_id or f"evt_{uuid4().hex}",
        "object": "event",
        "type": kind,
        "created": int(time.time()),
        "data": {"object": found},
    }


def paid(checkout: Checkout, *, intent: str = "pi_1", **fields) -> dict:
    found = {
        "object": "checkout.session",
        "client_reference_id": str(checkout.pk),
        "payment_status": "paid",
        "payment_intent": intent,
        "amount_total": stripe_gateway.to_stripe(checkout.amount, checkout.currency),
        "currency": checkout.currency.lower(),
    }
    return event("checkout.session.completed", {**found, **fields})


def refunded(intent: str = "pi_1", *, amount: int, refund: str = "re_1", **fields) -> dict:
    found = {
        "object": "refund",
        "id": refund,
        "amount": amount,
        "currency": "eur",
        "payment_intent": intent,
        "status": "succeeded",
    }
    return event("refund.created", {**found, **fields})


def take(gateway: GatewayAccount, sent: dict, **how) -> GatewayEvent:
    return notices.take(name=accounts.public_name(gateway), at=timezone.now(), **signed(sent, **how))


class TestAmountsOfStripe:
    @pytest.mark.parametrize(
        ("amount", "currency", "counted"),
        [
            ("10.50", "EUR", 1050),
            ("500", "JPY", 500),
            ("5", "ISK", 500),
            ("5", "UGX", 500),
            ("5.120", "KWD", 5120),
        ],
    )
    def test_are_counted_as_stripe_counts(self, amount, currency, counted):
        assert stripe_gateway.to_stripe(Decimal(amount), currency) == counted
        assert stripe_gateway.from_stripe(counted, currency) == Decimal(amount)

    @pytest.mark.parametrize(("amount", "currency"), [("5.125", "KWD"), ("5.50", "MGA")])
    def test_that_stripe_cannot_take_are_refused(self, amount, currency):
        with pytest.raises(base.GatewayRefused):
            stripe_gateway.to_stripe(Decimal(amount), currency)

    @given(
        counted=st.integers(1, 10**9), currency=st.sampled_from(["EUR", "JPY", "ISK", "MGA", "XOF", "BRL"])
    )
    def test_come_back_as_they_went(self, counted, currency):
        assert stripe_gateway.to_stripe(stripe_gateway.from_stripe(counted, currency), currency) == counted


class TestBeginning:
    def begin(self, checkout):
        return checkouts.begin(tenant_id=checkout.tenant_id, checkout_id=checkout.pk, return_url=BACK)

    def test_sends_the_payer_to_stripe_once(self, acting, api_of_stripe):
        invoice = owe(payer(), "20.50")
        checkout = make_checkout(make_gateway(), invoice)

        first, again = self.begin(checkout), self.begin(checkout)

        url = "https://checkout.stripe.example/c/pay/cs_test_1"
        assert first == again == {"checkout_id": str(checkout.pk), "url": url}
        ((path, form, key),) = api_of_stripe.asked
        assert (path, key) == ("/v1/checkout/sessions", str(checkout.pk))
        assert form["line_items[0][price_data][unit_amount]"] == "2050"
        assert form["line_items[0][price_data][currency]"] == "eur"
        assert form["success_url"] == BACK
        assert Checkout.objects.get().remote_id == "cs_test_1"

    def test_twice_at_stripe_is_one_payment(self, acting, api_of_stripe):
        checkout = make_checkout(make_gateway())
        self.begin(checkout)
        Checkout.objects.update(url="", remote_id="")  # The worker died before it could note the answer.

        begun = self.begin(checkout)

        assert begun["url"].endswith("cs_test_1")

    @pytest.mark.parametrize("status", [500, 503, 429])
    def test_tells_when_stripe_does_not_answer(self, acting, api_of_stripe, status, monkeypatch):
        monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.01)
        api_of_stripe.fails_with = (status, {"error": {"type": "api_error", "message": "busy"}})
        checkout = make_checkout(make_gateway())

        with pytest.raises(base.GatewaySilent):
            self.begin(checkout)

        assert Checkout.objects.get().url == ""

    def test_gives_up_on_a_stripe_that_hangs(self, acting, api_of_stripe, monkeypatch):
        monkeypatch.setattr(stripe_gateway, "TIMEOUT_SECONDS", (0.3, 0.3))
        monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.01)
        api_of_stripe.is_hanging = True
        checkout = make_checkout(make_gateway())

        with pytest.raises(base.GatewaySilent) as silence:
            self.begin(checkout)

        assert str(silence.value) == ("Stripe did not answer. Nothing was booked; try again in a minute.")

    def test_tells_what_stripe_refused(self, acting, api_of_stripe):
        checkout = make_checkout(make_gateway(api_key="sk_test_another"))

        with pytest.raises(base.GatewayRefused, match="Invalid API Key"):
            self.begin(checkout)

    def test_is_refused_at_a_gateway_that_is_off(self, acting):
        gateway = make_gateway(is_enabled=False)

        with pytest.raises(checkouts.GatewayDisabled):
            make_checkout(gateway)

        assert not Checkout.objects.exists()

    @pytest.mark.parametrize(
        ("amount", "refusal"),
        [
            ("20.01", checkouts.BeyondInvoice),
            ("0", checks.AmountNotPositive),
            ("1.001", checks.AmountTooPrecise),
        ],
    )
    def test_asks_for_no_more_than_is_open(self, acting, amount, refusal):
        invoice = owe(payer(), "20")

        with pytest.raises(refusal):
            make_checkout(make_gateway(), invoice, amount=Decimal(amount))

        assert not Checkout.objects.exists()

    def test_tops_up_in_the_payers_currency(self, acting):
        with pytest.raises(receiving.CurrencyNotTheirs):
            checkouts.record_top_up(
                gateway_id=make_gateway().pk, top_up=checkouts.TopUp(payer().pk, Decimal(5), "USD")
            )


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


class TestRefundsByGateway:
    @pytest.fixture
    def payment(self, acting, api_of_stripe):
        gateway = make_gateway()
        take(gateway, paid(make_checkout(gateway)))
        return Payment.objects.get()

    def run(self, job: Job) -> Job:
        jobs.perform(
            tenant_id=str(job.tenant_id),
            job_id=str(job.pk),
            work=lambda run: refunds.refund_job(run, at=timezone.now()),
        )
        found: Job = Job.objects.get(pk=job.pk)
        return found

    def ask(self, payment, amount="5"):
        return refunds.request_refund(
            payment_id=payment.pk, amount=Decimal(amount), reason="asked for", user_id=None
        )

    def test_are_asked_of_stripe_then_booked(self, payment, api_of_stripe):
        job = self.run(self.ask(payment))

        assert job.status == "succeeded"
        ((path, form, _),) = api_of_stripe.asked
        assert (path, form) == ("/v1/refunds", {"payment_intent": "pi_1", "amount": "500"})
        made = Refund.objects.get()
        assert (made.amount, made.reference) == (5, "re_1")

    def test_and_their_notice_are_one(self, payment):
        self.run(self.ask(payment))

        take(GatewayAccount.objects.get(), refunded(amount=500, refund="re_1"))

        assert Refund.objects.count() == 1

    def test_are_one_when_the_worker_dies_between(self, payment, api_of_stripe):
        job = self.ask(payment)
        api_of_stripe.fails_with = (500, {"error": {"type": "api_error", "message": "lost"}})
        assert self.run(job).status == "failed"
        api_of_stripe.fails_with = None

        self.run(self.ask(payment))
        self.run(self.ask(payment))

        keys = {key for _, _, key in api_of_stripe.asked}
        assert keys == {f"{payment.pk}-0.0000-5", f"{payment.pk}-5.0000-5"}
        assert [made.amount for made in Refund.objects.all()] == [5, 5]

    def test_beyond_the_payment_are_never_asked_for(self, payment, api_of_stripe):
        with pytest.raises(DomainError) as refusal:
            self.ask(payment, "15.01")

        assert refusal.value.code == "refund_beyond_payment"
        assert not api_of_stripe.asked

    def test_need_a_payment_that_came_by_one(self, acting):
        jane = payer()
        cash = receiving.receive(
            subscriber_id=jane.pk,
            amount=Decimal(5),
            currency="EUR",
            method="cash",
            received_at=datetime(2026, 1, 1, tzinfo=UTC),
        )

        with pytest.raises(refunds.NotByGateway):
            self.ask(cash)


class TestAccounts:
    def test_keep_their_secrets(self, acting):
        gateway = make_gateway()

        with connection.cursor() as cursor:
            cursor.execute("SELECT api_key, webhook_secret FROM billing_gatewayaccount")
            stored = cursor.fetchone()
        assert all(text.startswith("v1.") for text in stored)
        assert str(GatewayAccount.objects.get().api_key) == "••••••••"
        assert gateway.key.startswith("stripe-")
        assert len(gateway.key) == len("stripe-") + 16

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"api_key": ""}, "api_key_missing"),
            ({"webhook_secret": "short"}, "webhook_secret_too_short"),
            ({"label": "Cards"}, "duplicate_gateway_account_label"),
        ],
    )
    def test_that_could_not_work_are_refused(self, acting, fields, code):
        make_gateway()

        with pytest.raises(DomainError) as refusal:
            make_gateway(**{"label": "Others", **fields})

        assert refusal.value.code == code
        assert GatewayAccount.objects.count() == 1

    def test_in_use_are_kept(self, acting):
        gateway = make_gateway()
        make_checkout(gateway)

        with pytest.raises(accounts.GatewayInUse):
            accounts.remove_account(account_id=gateway.pk)

        assert GatewayAccount.objects.exists()


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
