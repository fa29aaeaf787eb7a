"""Mass messages: counted, approved by that count, sent to no more than the cap and to each once."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from support.models import MassMessage, Notice
from support.services.notices import consent, mass, rules
from support.services.notices.mass import (
    CountDiffers,
    MassMessageFixed,
    NobodyToTell,
    NoGateway,
    NotCounted,
    NotStoppable,
    OverCap,
)
from support.services.notices.templates import UnknownPlaceholder
from tests.factories import PremiseFactory, SubscriptionFactory, ZoneFactory
from tests.support.desk import outage_of
from tests.support.noticing import NOON, make_customer, send

pytestmark = pytest.mark.django_db(transaction=True)


def draft(**fields: Any) -> MassMessage:
    return mass.create(
        **{"name": "Works", "subject": "Works on Sunday", "body": "Dear {customer}, …", **fields}
    )


def write(tenant: Any, job: Job) -> None:
    jobs.perform(
        tenant_id=str(tenant.pk), job_id=str(job.pk), work=lambda run: mass.write_message(run, at=NOON)
    )


def customers(count: int, **fields: Any) -> list[Any]:
    return [make_customer(email=f"c{number}@customer.example", **fields) for number in range(count)]


def test_goes_to_each_once(tenant):
    with tenant_context(tenant.pk):
        customers(3)
        make_customer(email="")
        message = draft()
        counted = mass.count(message_id=message.pk, at=NOON).counted
        _, job = mass.approve(message_id=message.pk, count=3, at=NOON, user_id=None)
    write(tenant, job)
    send(tenant)
    send(tenant)

    with tenant_context(tenant.pk):
        message.refresh_from_db()
    assert counted == 3
    assert sorted(each.to[0] for each in mail.outbox) == [
        f"c{number}@customer.example" for number in range(3)
    ]
    assert mail.outbox[0].body == "Dear Zoë Müller, …"
    assert (message.state, message.written, message.finished_at) == ("sent", 3, NOON)


def test_goes_on_after_a_worker_died_between_two_batches(tenant, monkeypatch):
    monkeypatch.setattr(mass, "BATCH", 2)
    with tenant_context(tenant.pk):
        customers(5)
        message = draft()
        mass.count(message_id=message.pk, at=NOON)
        _, job = mass.approve(message_id=message.pk, count=5, at=NOON, user_id=None)
        mass._write_batch(message, at=NOON)
        MassMessage.objects.update(written=2)
    write(tenant, job)

    with tenant_context(tenant.pk):
        message.refresh_from_db()
        assert (message.written, Notice.objects.count()) == (5, 5)
        assert Notice.objects.values("subscriber").distinct().count() == 5


def test_never_goes_to_more_than_its_cap_even_when_customers_come_meanwhile(tenant):
    with tenant_context(tenant.pk):
        customers(2)
        message = draft(cap=2)
        mass.count(message_id=message.pk, at=NOON)
        _, job = mass.approve(message_id=message.pk, count=2, at=NOON, user_id=None)
        make_customer(email="late@customer.example")
    write(tenant, job)

    with tenant_context(tenant.pk):
        assert Notice.objects.count() == 2


def test_is_for_those_who_fit_and_agreed(tenant):
    with tenant_context(tenant.pk):
        zone = ZoneFactory(name="Harbour")
        here = make_customer()
        SubscriptionFactory(subscriber=here, premise=PremiseFactory(zone=zone))
        agreed = make_customer(marketing_consent_at=NOON)
        told, withdrew = make_customer(), make_customer(marketing_consent_at=NOON)
        make_customer(status="inactive")
        for who, is_given in ((told, True), (withdrew, False)):
            consent.set_consent(
                subscriber_id=who.pk, channel="email", purpose="marketing", is_given=is_given, at=NOON
            )

        assert set(mass.recipients(draft(zone=zone))) == {here}
        assert set(mass.recipients(draft(purpose="marketing"))) == {agreed, told}
        assert mass.recipients(draft(status="active")).count() == 4
        assert mass.recipients(draft(channel="sms")).count() == 5


def test_is_refused_until_it_is_what_was_counted(tenant):
    with tenant_context(tenant.pk):
        customers(3)
        message, small, sms, nobody = draft(), draft(cap=2), draft(channel="sms"), draft(status="prospect")
        for each in (small, sms, nobody):
            mass.count(message_id=each.pk, at=NOON)

    def refused(of: MassMessage, count: int, why: type[Exception]) -> None:
        with tenant_context(tenant.pk), pytest.raises(why):
            mass.approve(message_id=of.pk, count=count, at=NOON, user_id=None)

    refused(message, 3, NotCounted)
    refused(small, 3, OverCap)
    refused(small, 2, CountDiffers)
    refused(sms, 3, NoGateway)
    refused(nobody, 0, NobodyToTell)

    with tenant_context(tenant.pk):
        assert Job.objects.count() == 0
        assert set(MassMessage.objects.values_list("state", flat=True)) == {"draft", "counted"}


def test_a_change_takes_its_count_away(tenant):
    with tenant_context(tenant.pk):
        customers(1)
        message = draft()
        mass.count(message_id=message.pk, at=NOON)
        mass.change(message_id=message.pk, body="Other words")
        message.refresh_from_db()

    assert (message.state, message.counted) == ("draft", None)


def test_called_off_it_sends_no_more(tenant):
    with tenant_context(tenant.pk):
        customers(2)
        message = draft()
        mass.count(message_id=message.pk, at=NOON)
        _, job = mass.approve(message_id=message.pk, count=2, at=NOON, user_id=None)
    write(tenant, job)
    with tenant_context(tenant.pk):
        mass.cancel(message_id=message.pk, at=NOON)
    send(tenant)

    assert mail.outbox == []
    with tenant_context(tenant.pk):
        assert set(Notice.objects.values_list("status", flat=True)) == {"skipped"}
        with pytest.raises(MassMessageFixed):
            mass.change(message_id=message.pk, body="x")


def test_what_was_sent_cannot_be_called_off(tenant):
    with tenant_context(tenant.pk):
        message = draft()
        MassMessage.objects.update(state="sent", counted=1, approved_at=NOON, finished_at=NOON)
        with pytest.raises(NotStoppable):
            mass.cancel(message_id=message.pk, at=NOON + timedelta(hours=1))
        message.refresh_from_db()

    assert (message.state, message.finished_at) == ("sent", NOON)


def test_names_only_what_it_knows_of_everybody(tenant):
    with tenant_context(tenant.pk), pytest.raises(UnknownPlaceholder):
        draft(body="Your invoice {number}")

    with tenant_context(tenant.pk):
        assert MassMessage.objects.count() == 0


def test_news_of_an_outage_goes_before_an_offer(tenant):
    with tenant_context(tenant.pk):
        (customer,) = customers(1)
        message = draft()
        mass.count(message_id=message.pk, at=NOON)
        _, job = mass.approve(message_id=message.pk, count=1, at=NOON, user_id=None)
    write(tenant, job)
    with tenant_context(tenant.pk):
        outage = outage_of(SubscriptionFactory(subscriber=customer), at=NOON)
        rules.tell_outage(outage_id=outage.pk, at=NOON + timedelta(minutes=1))
    send(tenant, NOON + timedelta(minutes=2))

    assert [each.subject for each in mail.outbox] == ["There is an outage on your line", "Works on Sunday"]
