"""Notices by e-mail, to a real SMTP server: told once, at a time when people are awake, or with the reason why not."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from billing.models import BillingIdentity
from ispcore.celery import app
from ispcore.events.services import publish, relay_tenant
from ispcore.tenants.context import tenant_context
from support.models import Consent, Notice, NoticeSettings, NoticeTemplate, PortalAccount
from support.services import tickets
from support.services.notices import consent, rules, templates, words
from support.services.notices.consent import QuietHoursHalf
from support.services.notices.templates import BadBraces, SentByBilling, SubjectMissing, UnknownPlaceholder
from tests.billing.issued import make_identity, make_issued
from tests.billing.mail_server import MailServer
from tests.factories import SubscriptionFactory
from tests.support.desk import make_subject, outage_of
from tests.support.noticing import MORNING, NIGHT, NOON, cut, log, make_customer, send

LATER = NOON + timedelta(hours=1)
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mail(settings: Any) -> Iterator[MailServer]:
    with MailServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
        settings.DEFAULT_FROM_EMAIL = "notices@isp.example"
        yield server


def body_of(message: EmailMessage) -> str:
    return str(message.get_content()).replace("\r\n", "\n")


@pytest.fixture
def customer(tenant: Any) -> Any:
    with tenant_context(tenant.pk):
        make_identity(legal_name="Fibra S.L.", email="help@isp.example")
        return make_customer()


def tell_suspension(tenant: Any, customer: Any, at: Any = NOON) -> int:
    with tenant_context(tenant.pk):
        return rules.tell_suspension(subscriber_id=customer.pk, at=at)


@pytest.fixture
def is_cut(tenant: Any, customer: Any) -> Any:
    with tenant_context(tenant.pk):
        return cut(customer)


class TestFromTheEventToTheMailbox:
    def test_an_event_becomes_one_message(self, tenant, customer, is_cut, mail, monkeypatch):
        told = []
        monkeypatch.setattr(app, "send_task", lambda name, kwargs=None, **more: told.append((name, kwargs)))
        with tenant_context(tenant.pk):
            publish("billing.suspended_for_debt", subscriber_id=str(customer.pk))
            relay_tenant()

        handlers = [(name, kwargs) for name, kwargs in told if name == "support.tasks.tell_suspension"]
        assert handlers == [
            (
                "support.tasks.tell_suspension",
                {"tenant_id": str(tenant.pk), "subscriber_id": str(customer.pk)},
            )
        ]
        tell_suspension(tenant, customer)
        send(tenant)

        (message,) = mail.messages
        assert message["To"] == "zoe@customer.example"
        assert message["From"] == '"Fibra S.L." <notices@isp.example>'
        assert message["Reply-To"] == "help@isp.example"
        assert message["Subject"] == "Your service is suspended"
        assert message["Auto-Submitted"] == "auto-generated"
        assert body_of(message).startswith("Hello Zoë Müller,\n\nYour service is suspended because")
        with tenant_context(tenant.pk):
            row = Notice.objects.get()
        assert (row.status, row.source, row.attempts, row.sent_at) == ("sent", str(is_cut.pk), 1, NOON)
        assert message["Message-ID"] == f"<notice-{row.pk}@isp.example>"

    def test_an_event_that_comes_twice_is_told_once(self, tenant, customer, is_cut, mail):
        assert tell_suspension(tenant, customer) == 1
        assert tell_suspension(tenant, customer) == 0
        send(tenant)
        assert tell_suspension(tenant, customer) == 0
        send(tenant)

        assert len(mail.raw) == 1
        assert log(tenant) == [("suspension", "email", "sent", "")]

    def test_coming_back_and_the_next_cut_are_told_as_well(self, tenant, customer, is_cut, mail):
        tell_suspension(tenant, customer)
        send(tenant)
        with tenant_context(tenant.pk):
            is_cut.released_at = NOON
            is_cut.save()
            rules.tell_reactivation(subscriber_id=customer.pk, at=NOON)
        send(tenant)
        with tenant_context(tenant.pk):
            cut(customer, LATER)
        tell_suspension(tenant, customer, LATER)
        send(tenant, LATER)

        assert [str(each["Subject"]) for each in mail.messages] == [
            "Your service is suspended",
            "Your service is running again",
            "Your service is suspended",
        ]

    def test_speaks_the_provider_s_language(self, tenant, customer, is_cut, mail):
        with tenant_context(tenant.pk):
            BillingIdentity.objects.update(language="pt")
        tell_suspension(tenant, customer)
        send(tenant)

        assert mail.messages[0]["Subject"] == "O seu serviço está suspenso"


class TestWhatIsNotSent:
    def test_speaks_the_language_the_customer_chose(self, tenant, customer, is_cut, mail):
        with tenant_context(tenant.pk):
            PortalAccount.objects.create(subscriber=customer, language="ar")
        tell_suspension(tenant, customer)
        send(tenant)

        (message,) = mail.messages
        assert str(message["Subject"]) == words.TEXTS["suspension"]["ar"][0]

    def test_a_text_the_provider_wrote_or_switched_off_is_meant_for_all(self, tenant, customer, is_cut, mail):
        with tenant_context(tenant.pk):
            PortalAccount.objects.create(subscriber=customer, language="ar")
            templates.create_template(
                kind="suspension", language="en", channel="email", subject="Cut", body="Pay", is_active=False
            )
        assert tell_suspension(tenant, customer) == 0

        with tenant_context(tenant.pk):
            templates.create_template(
                kind="suspension", language="ar", channel="email", subject="مقطوعة", body="ادفع"
            )
        assert tell_suspension(tenant, customer) == 1
        send(tenant)

        assert [str(each["Subject"]) for each in mail.messages] == ["مقطوعة"]

    def test_nothing_in_quiet_hours_and_all_after_them(self, tenant, customer, is_cut, mail):
        tell_suspension(tenant, customer, NIGHT)
        send(tenant, NIGHT)
        before = len(mail.raw)
        with tenant_context(tenant.pk):
            waits_until = Notice.objects.get().send_after
        send(tenant, MORNING)

        assert (before, waits_until, len(mail.raw)) == (0, MORNING, 1)

    def test_a_run_that_lasts_into_the_quiet_hours_stops_there(self, tenant, customer, mail):
        with tenant_context(tenant.pk):
            consent.change_settings(quiet_from=time(13), quiet_until=time(14))
            for number in range(4):
                each = make_customer(email=f"c{number}@customer.example")
                cut(each)
                rules.tell_suspension(subscriber_id=each.pk, at=NOON)
        clock = iter([*[NOON] * 3, *[NOON + timedelta(hours=1)] * 9])

        send(tenant, now=lambda: next(clock))

        assert len(mail.messages) == 2
        assert [each[2] for each in log(tenant)] == ["sent", "sent", "waiting", "waiting"]
        with tenant_context(tenant.pk):
            assert {each.send_after.hour for each in Notice.objects.filter(status="waiting")} == {14}

    def test_nothing_that_is_not_true_any_more(self, tenant, customer, is_cut, mail):
        tell_suspension(tenant, customer)
        with tenant_context(tenant.pk):
            is_cut.released_at = NOON
            is_cut.save()
        send(tenant)

        assert mail.raw == []
        assert log(tenant) == [("suspension", "email", "skipped", "The customer is not cut any more.")]

    def test_nothing_to_who_does_not_want_it(self, tenant, customer, is_cut, mail):
        with tenant_context(tenant.pk):
            consent.set_consent(
                subscriber_id=customer.pk, channel="email", purpose="service", is_given=False, at=NOON
            )
        tell_suspension(tenant, customer)
        send(tenant)

        assert mail.raw == []
        assert log(tenant) == [
            ("suspension", "email", "skipped", "The customer does not want E-mail of this kind.")
        ]

    def test_nothing_to_who_says_so_while_it_waits(self, tenant, customer, is_cut, mail):
        tell_suspension(tenant, customer, NIGHT)
        with tenant_context(tenant.pk):
            Consent.objects.create(
                subscriber=customer, channel="email", purpose="service", is_given=False, said_at=NIGHT
            )
        send(tenant, MORNING)

        assert (mail.raw, log(tenant)[0][2]) == ([], "skipped")

    def test_nothing_without_an_address(self, tenant, mail):
        with tenant_context(tenant.pk):
            customer = make_customer(email="")
            cut(customer)
        tell_suspension(tenant, customer)
        send(tenant)

        assert log(tenant) == [("suspension", "email", "skipped", "The customer has no e-mail address.")]

    def test_no_invoice_and_no_reminder_which_billing_sends(self, tenant, customer, mail):
        with tenant_context(tenant.pk):
            invoice = make_issued(customer=None)
            told = rules.tell_invoice(invoice_id=invoice.pk, at=NOON)

        assert (told, log(tenant)) == (0, [])

    def test_no_welcome_until_the_provider_has_a_text_for_it(self, tenant, customer, mail):
        with tenant_context(tenant.pk):
            before = rules.tell_welcome(subscriber_id=customer.pk, at=NOON)
            templates.create_template(
                kind="welcome", subject="Hello", body="{customer}, you are {customer_number}"
            )
            after = rules.tell_welcome(subscriber_id=customer.pk, at=NOON)
        send(tenant)

        assert (before, after) == (0, 1)
        assert body_of(mail.messages[0]).strip() == f"Zoë Müller, you are {customer.number}"


class TestWhenSendingFails:
    def test_a_dead_worker_s_message_is_not_sent_again(self, tenant, customer, is_cut, mail):
        tell_suspension(tenant, customer)
        with tenant_context(tenant.pk):
            Notice.objects.update(status="sending", attempts=1)  # Where a worker was killed.
        send(tenant)
        send(tenant)

        assert mail.raw == []
        assert log(tenant) == [
            ("suspension", "email", "uncertain", "The worker stopped while it was being sent.")
        ]

    def test_a_server_that_dies_after_the_message_leaves_it_open_whether_it_took_it(
        self, tenant, customer, is_cut, mail
    ):
        mail.dies = True
        tell_suspension(tenant, customer)
        send(tenant)
        mail.dies = False
        send(tenant)

        assert mail.raw == []
        assert log(tenant)[0][2] == "uncertain"

    @pytest.mark.parametrize(
        ("refusal", "status"), [("550 5.1.1 no such user", "failed"), ("451 later", "waiting")]
    )
    def test_a_refusal_is_final_or_for_later_as_the_server_says(
        self, tenant, customer, is_cut, mail, refusal, status
    ):
        mail.refuses = refusal
        tell_suspension(tenant, customer)
        send(tenant)

        ((_, _, found, detail),) = log(tenant)
        assert (found, detail) == (status, refusal)

    def test_a_silent_server_is_asked_again(self, tenant, customer, is_cut, mail, settings):
        working, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
        tell_suspension(tenant, customer)
        send(tenant)
        with tenant_context(tenant.pk):
            row = Notice.objects.get()
        settings.EMAIL_PORT = working
        send(tenant, row.send_after)

        assert (row.status, row.attempts) == ("waiting", 0)
        assert (len(mail.raw), log(tenant)[0][2]) == (1, "sent")


class TestOutages:
    def test_a_customer_is_told_once_however_many_lines_are_down(self, tenant, customer, mail):
        with tenant_context(tenant.pk):
            lines = [SubscriptionFactory(subscriber=customer) for _ in range(2)]
            outage = outage_of(
                *lines, SubscriptionFactory(subscriber=make_customer(email="bo@c.example")), at=NOON
            )
            told = [rules.tell_outage(outage_id=outage.pk, at=NOON) for _ in range(2)]
        send(tenant)

        assert told == [2, 0]
        assert sorted(str(each["To"]) for each in mail.messages) == ["bo@c.example", "zoe@customer.example"]
        assert "Since 2026-03-10 12:00 there is an outage" in body_of(mail.messages[0])

    def test_its_end_is_told_to_those_who_were_told_of_it(self, tenant, customer, mail):
        with tenant_context(tenant.pk):
            outage = outage_of(SubscriptionFactory(subscriber=customer), at=NOON)
            rules.tell_outage(outage_id=outage.pk, at=NOON)
        send(tenant)
        with tenant_context(tenant.pk):
            outage.status, outage.resolved_at = "resolved", NOON
            outage.save()
            rules.tell_outage_over(outage_id=outage.pk, at=NOON)
        send(tenant)

        assert [str(each["Subject"]) for each in mail.messages] == [
            "There is an outage on your line",
            "The outage is over",
        ]

    def test_one_that_comes_and_goes_at_night_wakes_nobody(self, tenant, customer, mail):
        with tenant_context(tenant.pk):
            outage = outage_of(SubscriptionFactory(subscriber=customer), at=NIGHT)
            rules.tell_outage(outage_id=outage.pk, at=NIGHT)
            outage.status, outage.resolved_at = "resolved", NIGHT
            outage.save()
            rules.tell_outage_over(outage_id=outage.pk, at=NIGHT)
        send(tenant, MORNING)

        assert mail.raw == []
        assert log(tenant) == [("outage", "email", "skipped", "The outage was over before it was sent.")]

    def test_its_tickets_are_not_told_of_as_well(self, tenant, customer, mail):
        with tenant_context(tenant.pk):
            line = SubscriptionFactory(subscriber=customer)
            outage = outage_of(line, at=NOON)
            rules.tell_outage(outage_id=outage.pk, at=NOON)
            ticket = tickets.open_ticket(subject_id=make_subject().pk, subscription_id=line.pk, at=NOON)
            told = rules.tell_ticket_opened(ticket_id=ticket.pk, at=NOON)

        assert ticket.outage_id == outage.pk
        assert told == 0


class TestTickets:
    def test_the_customer_gets_what_staff_answered_and_nothing_internal(self, tenant, customer, mail):
        with tenant_context(tenant.pk):
            line = SubscriptionFactory(subscriber=customer)
            ticket = tickets.open_ticket(subject_id=make_subject().pk, subscription_id=line.pk, at=NOON)
            public = tickets.comment(ticket_id=ticket.pk, body="Restart {the} box.", at=NOON)
            internal = tickets.comment(ticket_id=ticket.pk, body="Nonsense", at=NOON, is_internal=True)
            own = tickets.comment(ticket_id=ticket.pk, body="I did", at=NOON, source="customer")
            told = [
                rules.tell_ticket_answered(ticket_id=ticket.pk, comment_id=each.pk, at=NOON)
                for each in (public, internal, own)
            ]
        send(tenant)

        assert told == [1, 0, 0]
        assert str(mail.messages[0]["Subject"]) == f"{ticket.number}: there is an answer"
        assert "Restart {the} box." in body_of(mail.messages[0])


class TestTexts:
    @pytest.mark.parametrize(
        ("text", "refusal"),
        [
            ({"subject": "Hi", "body": "{nobody}"}, UnknownPlaceholder),
            ({"subject": "Hi", "body": "{customer.__class__}"}, UnknownPlaceholder),
            ({"subject": "Hi", "body": "{customer!r}"}, UnknownPlaceholder),
            ({"subject": "{since}", "body": "x"}, UnknownPlaceholder),
            ({"subject": "Hi", "body": "{"}, BadBraces),
            ({"subject": " ", "body": "x"}, SubjectMissing),
            ({"subject": "Hi", "body": "x", "kind": "invoice"}, SentByBilling),
        ],
    )
    def test_that_cannot_be_filled_in_are_refused(self, tenant, text, refusal):
        with tenant_context(tenant.pk), pytest.raises(refusal):
            templates.create_template(**{"kind": "suspension"} | text)

        with tenant_context(tenant.pk):
            assert NoticeTemplate.objects.count() == 0

    def test_all_that_come_with_the_product_can_be_filled_in(self):
        shown = [
            templates.preview(kind, channel=text.channel, subject=text.subject or "-", body=text.body)
            for kind, languages in words.TEXTS.items()
            for language in languages
            for text in [
                templates.usual_text(kind, channel=channel, language=language) for channel in ("email", "sms")
            ]
        ]

        assert len(shown) == len(words.TEXTS) * 4 * 2
        assert not any("{" in subject + body for subject, body in shown)

    def test_one_switched_off_tells_nobody(self, tenant, customer, is_cut, mail):
        with tenant_context(tenant.pk):
            templates.create_template(kind="suspension", subject="Hi", body="x", is_active=False)

        assert tell_suspension(tenant, customer) == 0

    def test_a_subject_stays_one_line_whatever_is_put_into_it(self, tenant, mail):
        with tenant_context(tenant.pk):
            customer = make_customer(full_name="Zoë\r\nBcc: all@customer.example")
            cut(customer)
            templates.create_template(kind="suspension", subject="For {customer}", body="x")
        tell_suspension(tenant, customer)
        send(tenant)

        (message,) = mail.messages
        assert (message["Subject"], message["Bcc"]) == ("For Zoë Bcc: all@customer.example", None)


class TestQuietHours:
    @pytest.mark.parametrize(
        ("hours", "at", "from_"),
        [
            (("21:00", "08:00"), "2026-03-10T20:59", "2026-03-10T20:59"),
            (("21:00", "08:00"), "2026-03-10T21:00", "2026-03-11T08:00"),
            (("21:00", "08:00"), "2026-03-11T07:59", "2026-03-11T08:00"),
            (("21:00", "08:00"), "2026-03-11T08:00", "2026-03-11T08:00"),
            (("13:00", "15:00"), "2026-03-10T14:00", "2026-03-10T15:00"),
            # The night on which Lisbon's clocks go forward: it ends at eight all the same.
            (("21:00", "08:00"), "2026-03-28T23:00", "2026-03-29T08:00"),
        ],
    )
    def test_end_at_the_provider_s_clock(self, tenant, hours, at, from_):
        zone = ZoneInfo("Europe/Lisbon")
        begin, end = (time.fromisoformat(each) for each in hours)
        with tenant_context(tenant.pk):
            settings = NoticeSettings(quiet_from=begin, quiet_until=end)

        moment = datetime.fromisoformat(at).replace(tzinfo=zone)
        found = consent.loud_from(moment, settings=settings, zone=zone)

        assert found == datetime.fromisoformat(from_).replace(tzinfo=zone)

    def test_have_two_ends_or_none(self, tenant):
        with tenant_context(tenant.pk), pytest.raises(QuietHoursHalf):
            consent.change_settings(quiet_from=None)

        with tenant_context(tenant.pk):
            assert consent.change_settings(quiet_from=None, quiet_until=None).quiet_from is None
