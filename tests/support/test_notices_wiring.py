"""From an event in the database over its tasks to a mailbox of aiosmtpd, an SMTP server that is not ours."""

from typing import Any

import pytest

from ispcore.celery import app
from ispcore.events.models import Event
from ispcore.events.services import publish, relay_tenant
from ispcore.tenants.context import tenant_context
from support import tasks
from support.models import Notice
from support.services import tickets
from support.services.notices import consent
from tests.billing.issued import make_identity
from tests.factories import SubscriptionFactory
from tests.support.desk import make_subject, outage_of
from tests.support.noticing import NOON, cut, make_customer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def customer(tenant: Any) -> Any:
    with tenant_context(tenant.pk):
        make_identity(legal_name="Fibra S.L.")
        consent.change_settings(quiet_from=None, quiet_until=None)
        return make_customer()


@pytest.fixture
def work(tenant: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Hand events to their tasks and run those that are support's, as the relay and a worker do."""
    sent: list[tuple[str, dict[str, Any]]] = []

    def keep(name: str, args: Any = None, kwargs: Any = None, **more: Any) -> None:
        sent.append((name, kwargs or {}))

    monkeypatch.setattr(app, "send_task", keep)

    def run(*, twice: bool = False) -> None:
        with tenant_context(tenant.pk):
            if twice:
                Event.objects.update(delivered_at=None)
            relay_tenant()
        while sent:
            name, kwargs = sent.pop(0)
            if name.startswith("support."):
                getattr(tasks, name.rpartition(".")[2])(**kwargs)

    return run


def test_a_cut_is_told_once_even_when_each_message_comes_twice(tenant, customer, mailbox, work):
    with tenant_context(tenant.pk):
        cut(customer)
        publish("billing.suspended_for_debt", subscriber_id=str(customer.pk))

    work()
    work(twice=True)

    ((receivers, message),) = mailbox.messages
    assert receivers == ["zoe@customer.example"]
    assert str(message["Subject"]) == "Your service is suspended"
    assert "Hello Zoë Müller," in message.get_content()
    with tenant_context(tenant.pk):
        (row,) = Notice.objects.all()
        assert (row.status, row.attempts, row.address) == ("sent", 1, "zoe@customer.example")


def test_an_outage_and_its_end_are_told_and_its_tickets_are_not(tenant, customer, mailbox, work):
    with tenant_context(tenant.pk):
        line = SubscriptionFactory(subscriber=customer)
        outage = outage_of(line, at=NOON)
        publish("hardware.outage_confirmed", outage_id=str(outage.pk))
    work()
    with tenant_context(tenant.pk):
        tickets.open_ticket(subject_id=make_subject().pk, subscription_id=line.pk, at=NOON)
    work()
    with tenant_context(tenant.pk):
        outage.status, outage.resolved_at = "resolved", NOON
        outage.save()
        publish("hardware.outage_resolved", outage_id=str(outage.pk))
    work()
    work(twice=True)

    assert mailbox.subjects == ["There is an outage on your line", "The outage is over"]


def test_a_ticket_is_told_of_from_beginning_to_end(tenant, customer, mailbox, work):
    with tenant_context(tenant.pk):
        line = SubscriptionFactory(subscriber=customer)
        ticket = tickets.open_ticket(subject_id=make_subject().pk, subscription_id=line.pk, at=NOON)
        tickets.comment(ticket_id=ticket.pk, body="Restart the box.", at=NOON)
    work()
    with tenant_context(tenant.pk):
        tickets.move(ticket_id=ticket.pk, to="resolved", at=NOON)
    work()

    assert sorted(mailbox.subjects[:2]) == [
        f"{ticket.number}: there is an answer",
        f"{ticket.number}: we have your request",
    ]
    assert mailbox.subjects[2:] == [f"{ticket.number}: resolved"]
