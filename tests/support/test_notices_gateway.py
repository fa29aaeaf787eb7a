"""SMS and WhatsApp, to a real HTTP server: signed, taken once, and never to a neighbour in the network."""

from collections.abc import Iterator
from typing import Any

import pytest

from ispcore.outbound import is_allowed_address
from ispcore.tenants.context import tenant_context
from support.models import Notice, NoticeChannel
from support.services.notices import gateways, rules
from support.services.notices.channels import http_gateway
from support.services.notices.gateways import (
    BadAddress,
    DuplicateChannel,
    NotEncrypted,
    PrivateAddress,
    SecretTooShort,
)
from tests.billing.issued import make_identity, make_issued
from tests.billing.owing import pay
from tests.factories import BillingProfileFactory
from tests.support.gateway import SECRET, Gateway, message_gateway
from tests.support.noticing import NOON, log, make_customer, make_gateway, send

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gateway(tenant: Any, settings: Any) -> Iterator[Gateway]:
    settings.NOTICE_GATEWAY_NETWORKS = ["127.0.0.0/8"]
    with message_gateway() as (state, url):
        with tenant_context(tenant.pk):
            make_identity(legal_name="Fibra S.L.")
            make_gateway(url)
        yield state


@pytest.fixture
def invoice(tenant: Any) -> Any:
    with tenant_context(tenant.pk):
        return make_issued(make_customer(billing_profile=BillingProfileFactory(currency="EUR", due_days=10)))


def tell(tenant: Any, invoice: Any) -> int:
    with tenant_context(tenant.pk):
        return rules.tell_invoice(invoice_id=invoice.pk, at=NOON)


def test_an_invoice_is_told_once_and_signed(tenant, invoice, gateway):
    told = [tell(tenant, invoice), tell(tenant, invoice)]
    send(tenant)
    send(tenant)

    (message,) = gateway.taken
    with tenant_context(tenant.pk):
        row = Notice.objects.get()
    assert told == [1, 0]
    assert (message["to"], message["from"], message["channel"]) == ("+351210000001", "Fibra", "sms")
    assert message["text"].startswith(f"Fibra S.L.: Your invoice {invoice.number} over €100.00 is due on ")
    assert "/pay/" in message["text"]
    assert (gateway.keys, message["id"]) == ([str(row.pk)], str(row.pk))
    assert (row.status, row.sent_at) == ("sent", NOON)


def test_an_invoice_that_was_paid_meanwhile_is_not_told(tenant, invoice, gateway):
    tell(tenant, invoice)
    with tenant_context(tenant.pk):
        pay(invoice)
    send(tenant)

    assert gateway.taken == []
    assert log(tenant) == [("invoice", "sms", "skipped", "The invoice is not open any more.")]


@pytest.mark.parametrize(
    ("answer", "status"), [(400, "failed"), (404, "failed"), (429, "waiting"), (503, "waiting")]
)
def test_a_refusal_is_final_or_for_later_as_its_number_says(tenant, invoice, gateway, answer, status):
    gateway.answers = answer
    tell(tenant, invoice)
    send(tenant)

    assert log(tenant) == [("invoice", "sms", status, f"The gateway answered {answer}: said")]


def test_another_secret_is_refused_by_the_gateway(tenant, invoice, gateway):
    with tenant_context(tenant.pk):
        NoticeChannel.objects.update(secret="another secret of sixteen")
    tell(tenant, invoice)
    send(tenant)

    assert (gateway.taken, log(tenant)[0][2]) == ([], "failed")


def test_a_gateway_that_hangs_up_is_not_asked_twice(tenant, invoice, gateway):
    gateway.dies = True
    tell(tenant, invoice)
    send(tenant)
    gateway.dies = False
    send(tenant)

    assert len(gateway.taken) == 1
    assert log(tenant)[0][2] == "uncertain"


def test_a_gateway_that_cuts_the_connection_is_not_asked_twice(tenant, invoice, gateway):
    gateway.resets = True
    tell(tenant, invoice)
    send(tenant)
    gateway.resets = False
    send(tenant)

    assert len(gateway.taken) == 1
    ((_, _, status, detail),) = log(tenant)
    assert (status, detail[:24]) == ("uncertain", "The gateway went away: [")


@pytest.mark.parametrize(
    ("begins", "status"),
    [(b"HTTP/1.", "uncertain"), (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", "sent")],
)
def test_a_gateway_that_answers_without_end_holds_nobody_up(
    tenant, invoice, gateway, monkeypatch, begins, status
):
    monkeypatch.setattr(http_gateway, "TIMEOUT_SECONDS", 0.5)
    gateway.drips = begins
    tell(tenant, invoice)
    send(tenant)
    gateway.drips = b""

    assert [each[2] for each in log(tenant)] == [status]


@pytest.mark.parametrize("answer", [301, 302, 307, 308])
def test_a_gateway_that_leads_to_a_neighbour_is_not_followed(tenant, invoice, gateway, answer):
    with message_gateway() as (neighbour, url):
        gateway.answers, gateway.leads_to = answer, url
        tell(tenant, invoice)
        send(tenant)

        assert (neighbour.taken, neighbour.keys) == ([], [])
    assert log(tenant) == [("invoice", "sms", "failed", f"The gateway answered {answer}: said")]


def test_a_name_that_leads_into_the_own_network_is_not_followed(tenant, invoice, gateway, settings):
    settings.NOTICE_GATEWAY_NETWORKS = []
    with tenant_context(tenant.pk):
        row = NoticeChannel.objects.get()
        row.url = row.url.replace("127.0.0.1", "localhost")
        row.save()
    tell(tenant, invoice)
    send(tenant)

    assert gateway.taken == []
    ((_, _, status, detail),) = log(tenant)
    assert status == "waiting"
    assert detail.endswith("localhost leads into a network that messages may not be sent to.")


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False),
        ("224.0.0.1", False),
        ("10.20.3.4", True),
    ],
)
def test_only_public_addresses_and_named_networks(address, is_allowed):
    assert is_allowed_address(address, networks=["10.20.0.0/16"]) is is_allowed


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"url": "https://10.0.0.1/send"}, PrivateAddress),
        ({"url": "https://[::1]/send"}, PrivateAddress),
        ({"url": "http://sms.example/send"}, NotEncrypted),
        ({"url": "https://user:word@sms.example/send"}, BadAddress),
        ({"url": "file:///etc/passwd"}, BadAddress),
        ({"url": "https://sms.example:many/send"}, BadAddress),
        ({"url": "https://sms.example/a b"}, BadAddress),
        ({"secret": "short"}, SecretTooShort),
    ],
)
def test_what_is_no_gateway_is_refused(tenant, given, refusal):
    fields = {"channel": "sms", "url": "https://sms.example/send", "secret": SECRET}
    with tenant_context(tenant.pk), pytest.raises(refusal):
        gateways.create_channel(**fields | given)

    with tenant_context(tenant.pk):
        assert NoticeChannel.objects.count() == 0


def test_one_gateway_for_each_way(tenant):
    fields = {"channel": "sms", "url": "https://sms.example/send", "secret": SECRET}
    with tenant_context(tenant.pk):
        gateways.create_channel(**fields)
    with tenant_context(tenant.pk), pytest.raises(DuplicateChannel):
        gateways.create_channel(**fields)
