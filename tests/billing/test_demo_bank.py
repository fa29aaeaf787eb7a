"""The demo's bank, as a payer sees it."""

import re
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client

from billing.models import Payment
from billing.services.gateways import checkouts
from ispcore.tenants.context import tenant_context
from tests.billing.notices import make_checkout, make_gateway
from tests.billing.paying import open_of, owe, payer

pytestmark = pytest.mark.django_db


@pytest.fixture
def begun(tenant):
    """A checkout at the demo's bank: its invoice, its page."""
    with tenant_context(tenant.pk):
        gateway = make_gateway(kind="demo_bank", label="Demo", api_key="")
        invoice = owe(payer(), "1234.50")
        checkout = make_checkout(gateway, invoice)
    url = checkouts.begin(tenant_id=tenant.pk, checkout_id=checkout.pk, return_url="")["url"]
    return invoice, "/" + url.split("/", 3)[3]


def test_asks_and_pays(tenant, begun):
    invoice, path = begun

    asked = Client().get(path)
    paid = Client().post(path, {"answer": "pay"})
    again = Client().post(path, {"answer": "pay"})

    assert "Pay 1,234.50 EUR" in asked.content.decode()
    assert "Paid. North was told" in paid.content.decode()
    assert again.status_code == 200
    back = re.search(r'<a href="([^"]+)">Back to North</a>', paid.content.decode())
    assert back is not None
    page = Client().get(back[1].removeprefix(settings.PUBLIC_URL))
    assert "This invoice is paid." in page.content.decode()
    with tenant_context(tenant.pk):
        assert open_of(invoice) == [(0, "paid")]
        assert Payment.objects.count() == 1


def test_books_nothing_when_the_payer_declines(tenant, begun):
    invoice, path = begun

    declined = Client().post(path, {"answer": "decline"})

    assert "Nothing was booked" in declined.content.decode()
    with tenant_context(tenant.pk):
        assert open_of(invoice) == [(invoice.total, "issued")]
        assert not Payment.objects.exists()


def test_knows_its_own_checkouts_only(tenant, begun):
    _, path = begun
    name = path.split("/")[2]
    with tenant_context(tenant.pk):
        stripes = make_gateway()
        of_stripe = make_checkout(stripes)

    for wrong in (
        f"/demo-bank/{name}/{uuid4()}",
        f"/demo-bank/north.{stripes.key}/{of_stripe.pk}",
        f"/demo-bank/south.x/{of_stripe.pk}",
        f"/demo-bank/x/{of_stripe.pk}",
    ):
        assert Client().get(wrong).status_code == 404
        assert Client().post(wrong, {"answer": "pay"}).status_code == 404
