"""The payment page: for whoever has the link, for nobody else, and not for ever."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import signing
from django.test import Client

from billing.models import Checkout, GatewayAccount, Invoice
from billing.pages import pay
from billing.services import invoices, payments
from billing.services.invoices import links
from ispcore.tenants.context import tenant_context
from tests.billing.issued import AT, IBAN, make_customer, make_identity, make_issued

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(tenant: Any) -> Invoice:
    with tenant_context(tenant.pk):
        make_identity(iban=IBAN)
        return make_issued(make_customer(), "100.00")


def link(tenant: Any, invoice: Invoice) -> str:
    with tenant_context(tenant.pk):
        return urlsplit(links.payment_link(invoice)).path


def test_shows_what_is_open_and_how_to_pay_it(tenant, invoice):
    response = Client().get(link(tenant, invoice))

    text = response.content.decode()
    assert response.status_code == 200
    assert "€100.00" in text
    assert "DE89 3704 0044 0532 0130 00" in text
    assert "Overdue since Mar 20, 2026" in text
    assert '<html lang="en" dir="ltr">' in text
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    assert "default-src 'none'" in response["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("language", "direction", "word"),
    [("es", "ltr", "A pagar"), ("pt", "ltr", "Descarregar"), ("ar", "rtl", "فاتورة")],
)
def test_speaks_the_languages_of_invoices(tenant, invoice, language, direction, word):
    text = Client().get(link(tenant, invoice), {"language": language}).content.decode()

    assert f'<html lang="{language}" dir="{direction}">' in text
    assert word in text


def test_has_the_pdf(tenant, invoice):
    response = Client().get(f"{link(tenant, invoice)}/pdf", {"language": "pt"})

    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == 'attachment; filename="INV-2026-000001.pdf"'
    assert response.content.startswith(b"%PDF-1.7")


def test_says_that_it_is_paid(tenant, invoice):
    with tenant_context(tenant.pk):
        payments.receive(
            subscriber_id=invoice.subscriber_id,
            amount=Decimal(100),
            currency="EUR",
            method="cash",
            received_at=AT,
        )

    text = Client().get(link(tenant, invoice)).content.decode()

    assert "This invoice is paid. Thank you!" in text
    assert "IBAN" not in text
    assert "<button" not in text


def test_says_that_it_is_void(tenant, invoice):
    with tenant_context(tenant.pk):
        invoices.void(invoice_id=invoice.pk, reason="Wrong", at=AT)

    assert "nothing to pay" in Client().get(link(tenant, invoice)).content.decode()


def test_begins_a_payment_at_the_provider_s_gateway(tenant, invoice):
    with tenant_context(tenant.pk):
        gateway = GatewayAccount.objects.create(
            kind="demo_bank", label="Demo bank", key="demo-1", webhook_secret="a secret of some length"
        )
    url = link(tenant, invoice)
    assert "Pay €100.00" in Client().get(url).content.decode()

    response = Client().post(f"{url}/begin", {"gateway": str(gateway.pk), "language": "es"})

    with tenant_context(tenant.pk):
        checkout = Checkout.objects.get()
        assert (checkout.invoice_id, checkout.amount) == (invoice.pk, 100)
    assert response.status_code == 302
    assert response["Location"] == checkout.url


@pytest.mark.parametrize("gateway", ["", "x", "00000000-0000-0000-0000-000000000000"])
def test_begins_nothing_at_a_gateway_there_is_not(tenant, invoice, gateway):
    response = Client().post(f"{link(tenant, invoice)}/begin", {"gateway": gateway})

    assert response.status_code in (404, 422)
    assert "could not be started" in response.content.decode()
    with tenant_context(tenant.pk):
        assert not Checkout.objects.exists()


def test_asks_whom_to_ask_where_there_is_no_way_to_pay(tenant):
    with tenant_context(tenant.pk):
        make_identity(legal_name="Fibra S.L.")
        found = make_issued(make_customer())

    assert "Please ask Fibra S.L. how to pay." in Client().get(link(tenant, found)).content.decode()


class TestLinks:
    def test_of_nobody_are_not_found(self, tenant, other_tenant, invoice):
        forged = signing.dumps([other_tenant.pk.hex, invoice.pk.hex], salt=links.SALT)
        of_another_use = signing.dumps([tenant.pk.hex, invoice.pk.hex], salt="something else")
        with tenant_context(tenant.pk):
            good = links.token_of(invoice)
        odd = signing.dumps("x", salt=links.SALT)

        for token in (forged, of_another_use, good[:-1], good + "x", "x", odd):
            response = Client().get(f"/pay/{token}")
            assert response.status_code == 404
            assert invoice.number not in response.content.decode()

    def test_end(self, tenant, invoice, monkeypatch):
        url = link(tenant, invoice)
        monkeypatch.setattr(links, "VALID_FOR", timedelta(seconds=-1))

        response = Client().get(url)

        assert response.status_code == 410
        assert "expired" in response.content.decode()

    def test_show_no_draft(self, tenant):
        with tenant_context(tenant.pk):
            draft = Invoice.objects.create(subscriber=make_customer(), currency="EUR")

        assert Client().get(link(tenant, draft)).status_code == 404

    def test_cannot_be_tried_without_end(self, tenant, invoice):
        url = link(tenant, invoice)

        assert Client().get(url).status_code == 200
        # One comes back each second meanwhile.
        assert any(Client().get(url).status_code == 429 for _ in range(4 * (pay.LIMIT.burst or 0)))

    def test_are_only_read(self, tenant, invoice):
        assert Client().post(link(tenant, invoice)).status_code == 405
        assert Client().get(f"{link(tenant, invoice)}/begin").status_code == 405


def test_shows_nothing_as_markup(tenant):
    with tenant_context(tenant.pk):
        make_identity(legal_name="<script>alert(1)</script>")
        found = make_issued(make_customer(full_name="<img src=x onerror=alert(1)>"))

    text = Client().get(link(tenant, found)).content.decode()

    assert "<script>" not in text
    assert "<img" not in text
