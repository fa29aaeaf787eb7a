"""Payments by gateways: begun there, given back there; and what an account of one must be."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
import stripe
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from billing.gateways import base
from billing.gateways import stripe as stripe_gateway
from billing.models import (
    Checkout,
    GatewayAccount,
    Payment,
    Refund,
)
from billing.services.gateways import accounts, checkouts, refunds
from billing.services.payments import checks, receiving
from ispcore.errors import DomainError
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from tests.billing.notices import make_checkout, make_gateway, paid, refunded, take
from tests.billing.paying import owe, payer
from tests.billing.stripe_api import stripe_api

BACK = "https://isp.example/thanks"
pytestmark = pytest.mark.django_db


@pytest.fixture
def api_of_stripe(settings):
    with stripe_api() as (state, address):
        settings.STRIPE_API_BASE = address
        yield state


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
