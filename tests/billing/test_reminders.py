"""Reminders go out once for each step; late fees are charged once for each invoice."""

import smtplib
import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.conf import settings
from django.core import mail
from django.core.mail.backends import locmem
from django.db import connection

from billing import tasks
from billing.models import DunningPolicy, LateFee, OneOffCharge, Reminder
from billing.services.documents.identity import billing_identity
from billing.services.dunning import exemptions, nightly, reminders
from ispcore.events.models import Event
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from tests.billing import owing

ON = date(2026, 3, 10)
AT = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def policy(acting):
    return DunningPolicy.objects.create()


def owed(due_on=ON, **fields):
    return owing.invoice(owing.make_line(owing.make_profile(), **fields).subscriber, due_on=due_on)


def write(on: date = ON) -> Job:
    job = nightly.write_letters(on=on)
    tasks.send_reminders(tenant_id=str(job.tenant_id), job_id=str(job.pk))
    job.refresh_from_db()
    return job


def steps() -> list[tuple[int, str]]:
    return list(Reminder.objects.order_by("step").values_list("step", "status"))


@pytest.mark.parametrize(
    ("due_on", "subject"),
    [
        (ON + timedelta(days=4), None),
        (ON + timedelta(days=3), "Invoice {} is due on Mar 13, 2026"),
        (ON, "Invoice {} is due today"),
        (ON - timedelta(days=3), "Invoice {} is overdue"),
        (ON - timedelta(days=7), "Invoice {} is overdue"),
        (ON - timedelta(days=11), None),  # Longer ago than what is made up for.
    ],
)
def test_go_out_on_their_day(policy, due_on, subject):
    invoice = owed(due_on)

    job = write()

    assert job.status == "succeeded"
    assert [each.subject for each in mail.outbox] == ([subject.format(invoice.number)] if subject else [])


def test_name_the_amount_and_what_to_do(policy):
    invoice = owed(ON - timedelta(days=3))

    write()

    (sent,) = mail.outbox
    assert sent.to == ["eva@customer.example"]
    assert f"{invoice.number} was due on Mar 7, 2026; €31.00 of it is still open" in sent.body
    assert list(Event.objects.filter(name="billing.reminder_sent").values_list("payload", flat=True)) == [
        {"reminder_id": str(Reminder.objects.get().pk), "invoice_id": str(invoice.pk)}
    ]


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", "Pay online, without logging in:"),
        ("es", "Pague en línea, sin iniciar sesión:"),
        ("pt", "Pague online, sem iniciar sessão:"),
        ("ar", "للدفع عبر الإنترنت دون تسجيل الدخول:"),
    ],
)
def test_lead_to_the_page_where_their_invoice_is_paid(policy, client, language, says):
    identity = billing_identity()
    identity.language = language
    identity.save()
    invoice = owed()

    write()

    (sent,) = mail.outbox
    before, link, *_ = sent.body[sent.body.index(says) :].splitlines()
    assert before == says
    assert link.startswith(f"{settings.PUBLIC_URL}/pay/")
    page = client.get(link.removeprefix(settings.PUBLIC_URL))
    assert page.status_code == 200
    assert f'lang="{language}"' in page.content.decode()
    assert invoice.number in page.content.decode()


def test_are_sent_once_however_often_the_day_is_done(policy):
    owed()

    write()
    write()
    write(ON + timedelta(days=1))

    assert (len(mail.outbox), steps()) == (1, [(0, "sent")])


def test_only_the_last_of_the_steps_that_were_missed(policy):
    policy.reminder_days = [0, 1, 2]
    policy.save()
    owed(ON - timedelta(days=2))

    write()
    write(ON + timedelta(days=1))

    assert (len(mail.outbox), steps()) == (1, [(2, "sent")])


def test_leave_out_who_paid_who_is_exempt_and_who_has_no_address(policy):
    owing.pay(owed())
    spared = owed()
    exemptions.exempt(subscriber_id=spared.subscriber_id, reason="Dispute", until=None, on=ON, at=AT)
    owed(email="")

    write()

    assert mail.outbox == []
    (row,) = Reminder.objects.all()
    assert (row.status, row.detail) == ("skipped", "The customer has no e-mail address.")


def test_are_not_sent_for_what_was_paid_meanwhile(policy):
    invoice = owed()
    reminders.prepare_reminders(on=ON, at=AT)
    owing.pay(invoice)

    write()

    assert (mail.outbox, steps()) == ([], [(0, "skipped")])


def test_of_a_worker_that_died_are_never_sent_again(policy):
    """Killed between the claim and the mark: perhaps it left, so it is not sent a second time."""
    owed()
    reminders.prepare_reminders(on=ON, at=AT)
    reminders._claim(uuid4().__class__(int=0), AT)

    write()

    assert (mail.outbox, steps()) == ([], [(0, "uncertain")])


class _Refusing(locmem.EmailBackend):
    error: Exception

    def send_messages(self, messages):
        raise self.error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (smtplib.SMTPRecipientsRefused({"eva@customer.example": (550, b"No such user")}), "failed"),
        (smtplib.SMTPRecipientsRefused({"eva@customer.example": (450, b"Later")}), "waiting"),
        (smtplib.SMTPDataError(451, b"Later"), "waiting"),
        (smtplib.SMTPDataError(554, b"No"), "failed"),
        (smtplib.SMTPServerDisconnected("gone"), "uncertain"),
        (TimeoutError("slow"), "uncertain"),
    ],
)  # fmt: skip
def test_what_the_mail_server_says_decides(policy, monkeypatch, error, status):
    owed()
    monkeypatch.setattr(_Refusing, "error", error, raising=False)
    monkeypatch.setattr(reminders, "get_connection", _Refusing)

    write()

    assert steps() == [(0, status)]


def test_wait_for_a_mail_server_that_does_not_answer(policy, monkeypatch):
    class Gone(locmem.EmailBackend):
        def open(self):
            raise ConnectionRefusedError("refused")

    owed()
    with monkeypatch.context() as gone:
        gone.setattr(reminders, "get_connection", Gone)
        assert write().error_code == "dependency_unavailable"
    assert (mail.outbox, steps()) == ([], [(0, "waiting")])

    write()

    assert (len(mail.outbox), steps()) == (1, [(0, "sent")])


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_each_once(tenant):
    with tenant_context(tenant.pk):
        DunningPolicy.objects.create()
        for _ in range(15):
            owed()
        job = nightly.write_letters(on=ON)
    start = threading.Barrier(4)

    def work():
        start.wait()
        with tenant_context(tenant.pk):
            reminders.prepare_reminders(on=ON, at=AT)
        tasks.send_reminders(tenant_id=str(tenant.pk), job_id=str(job.pk))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with tenant_context(tenant.pk):
        assert (len(mail.outbox), Reminder.objects.filter(status="sent").count()) == (15, 15)


class TestLateFees:
    @pytest.mark.parametrize(
        ("terms", "amount"),
        [
            ({"late_fee_amount": Decimal("2.50")}, "2.50"),
            ({"late_fee_percent": Decimal("1.50")}, "0.47"),  # Of 31.00: 0.465, half away from zero.
            ({"late_fee_percent": Decimal("0.01")}, "0.01"),
        ],
    )
    def test_are_charged_once_for_an_invoice(self, policy, terms, amount):
        DunningPolicy.objects.update(**terms)
        invoice = owed(ON - timedelta(days=1))

        write()
        write(ON + timedelta(days=1))

        charge = OneOffCharge.objects.get()
        assert (charge.amount, charge.currency, charge.due_on) == (Decimal(amount), "EUR", ON)
        assert (charge.name, charge.kind) == (f"Late fee, {invoice.number}", "late_fee")
        assert LateFee.objects.get().invoice_id == invoice.pk

    def test_come_after_their_days(self, policy):
        DunningPolicy.objects.update(late_fee_amount=1, late_fee_after_days=5)
        owed(ON - timedelta(days=5))

        write()
        assert OneOffCharge.objects.count() == 0

        write(ON + timedelta(days=1))
        assert OneOffCharge.objects.count() == 1
