"""The link that ends offers: in the header a mail program reads, below the text, and what it leads to."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ispcore.jobs import services as jobs
from ispcore.tenants.context import tenant_context
from support.models import Consent, Notice, PortalAccount
from support.services.notices import mass, stopping
from support.services.portal.words import words_in
from tests.billing.issued import make_identity
from tests.support.noticing import NOON, cut, make_customer, send

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def customer(tenant: Any) -> Any:
    with tenant_context(tenant.pk):
        make_identity(legal_name="Fibra S.L.")
        customer = make_customer(marketing_consent_at=NOON)
        PortalAccount.objects.create(subscriber=customer, language="es")
        return customer


def offer(tenant: Any, purpose: str = "marketing") -> None:
    with tenant_context(tenant.pk):
        draft = mass.create(name="Offer", subject="Offer", body="Dear {customer}", purpose=purpose)
        counted = mass.count(message_id=draft.pk, at=NOON).counted or 0
        if counted == 0:
            return
        _, job = mass.approve(message_id=draft.pk, count=counted, at=NOON, user_id=None)
    jobs.perform(
        tenant_id=str(tenant.pk), job_id=str(job.pk), work=lambda run: mass.write_message(run, at=NOON)
    )
    send(tenant)


def path_in(text: str) -> str:
    found = re.search(r"http://[^/]+(/notices/stop/[^>\s]+)", text)
    assert found, text
    return found.group(1)


def test_an_offer_carries_the_link_and_one_press_of_a_mail_program_ends_them(tenant, customer, mailbox):
    offer(tenant)
    ((_, message),) = mailbox.messages
    header, text = str(message["List-Unsubscribe"]).strip(), str(message.get_content())
    link = path_in(header)

    # As RFC 8058 section 3.1 has it: a POST with this body, without cookies, and no redirect in answer.
    pressed = Client(enforce_csrf_checks=True).post(link, {"List-Unsubscribe": "One-Click"})
    offer(tenant)

    assert re.fullmatch(r"<http://\S+>", header)
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert path_in(text) == link
    assert "Para no recibir más ofertas: http" in text
    assert pressed.status_code == 200
    assert len(mailbox.messages) == 1
    with tenant_context(tenant.pk):
        said = Consent.objects.get()
        assert (said.channel, said.purpose, said.is_given) == ("email", "marketing", False)


def test_who_follows_it_is_asked_first_in_their_language(tenant, customer):
    with tenant_context(tenant.pk):
        link = path_in(stopping.stop_link(customer.pk))
    client = Client(enforce_csrf_checks=True)

    asked = client.get(link).content.decode()
    with tenant_context(tenant.pk):
        assert not Consent.objects.exists()
    done, again = client.post(link), client.post(link)

    words = words_in("es")
    assert words["stop_button"] in asked
    assert words.say("stop_ask", address=customer.email) in asked
    assert words.say("stop_done", address=customer.email) in done.content.decode()
    assert (done.status_code, again.status_code) == (200, 200)
    with tenant_context(tenant.pk):
        assert Consent.objects.get().is_given is False


def test_what_concerns_the_service_carries_none_and_still_comes(tenant, customer, mailbox):
    with tenant_context(tenant.pk):
        stopping.stop_offers(subscriber_id=customer.pk, at=timezone.now())
        cut(customer)
    offer(tenant, purpose="service")

    ((_, message),) = mailbox.messages
    assert message["List-Unsubscribe"] is None
    assert "/notices/stop/" not in str(message.get_content())


def test_a_link_that_is_not_whole_or_another_provider_s_changes_nothing(tenant, other_tenant, customer):
    with tenant_context(tenant.pk):
        link = path_in(stopping.stop_link(customer.pk))
    with tenant_context(other_tenant.pk):
        foreign = path_in(stopping.stop_link(customer.pk))

    answers = [
        Client().post(each).status_code for each in (link[:-1], link + "x", foreign, "/notices/stop/a:b")
    ]

    assert answers == [404] * 4
    with tenant_context(tenant.pk):
        assert not Consent.objects.exists()
        assert not Notice.objects.exists()
