"""Mail to the helpdesk: from a Maildir into tickets, each message once, and nobody's word for who they are."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from ispcore.tenants.context import tenant_context
from support.models import Comment, IncomingMail, Notice, Ticket
from support.services import mail_in, settings, tickets
from support.services.mail_in import Maildir
from support.services.mail_in.boxes import MOST_BYTES, Message
from support.services.mail_in.taking import MOST_OF_ONE_SENDER
from support.services.settings import UnknownMailSubject
from support.services.tickets.talking import LONGEST
from support.tasks import collect_mail
from tests.support.customers import with_address
from tests.support.desk import MONDAY, in_lisbon, make_line, make_subject, open_one
from tests.support.mailing import deliver, held, letter, take

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def jane_s_line():
    line = make_line()
    with_address(line.subscriber, "jane@customer.example")
    return line


def takes_mail(subject=None):
    subject = subject or make_subject("By e-mail")
    settings.change_settings(mail_subject_id=subject.pk)
    return subject


def said_in(ticket):
    return list(ticket.comments.exclude(source="system").order_by("id").values_list("source", "body"))


class TestAnAnswer:
    @pytest.fixture(autouse=True)
    def _desk(self, acting):
        in_lisbon(acting)

    def test_is_added_to_the_ticket_its_subject_names(self):
        ticket = open_one(jane_s_line())
        tickets.move(ticket_id=ticket.pk, to="waiting", at=MONDAY)
        later = MONDAY + timedelta(hours=1)

        mail = take(
            letter(
                "Still down.\n\nOn Mon, 2 Mar 2026, Fibra wrote:\n> Is it better?\n",
                subject=f"Re: [{ticket.number}] No connection",
                files=(("lights.png", "image/png", PNG),),
                message_id="<1@customer.example>",
            ),
            at=later,
        )

        ticket.refresh_from_db()
        comment = ticket.comments.get(source="customer")
        assert (mail.outcome, mail.ticket, mail.sender) == ("commented", ticket, "jane@customer.example")
        assert (comment.body, comment.author_name, comment.said_at) == (
            "Still down.",
            ticket.subscriber.full_name,
            later,
        )
        assert [each.file.media_type for each in comment.attachments.all()] == ["image/png"]
        assert ticket.status == "in_progress"

    @pytest.mark.parametrize("kind", ["ticket_opened", "ticket_answered", "ticket_resolved"])
    def test_is_known_by_the_notice_it_answers(self, kind):
        ticket = open_one(jane_s_line())
        answer = tickets.comment(ticket_id=ticket.pk, body="Look at the lights.", at=MONDAY)
        source = {
            "ticket_opened": str(ticket.pk),
            "ticket_answered": str(answer.pk),
            "ticket_resolved": f"{ticket.pk}:20260302100000",
        }[kind]
        notice = Notice.objects.create(
            subscriber=ticket.subscriber,
            kind=kind,
            source=source,
            channel="email",
            written_at=MONDAY,
            send_after=MONDAY,
        )

        mail = take(letter("They are red.", in_reply_to=f"<notice-{notice.pk}@isp.example>"))

        assert (mail.outcome, mail.ticket) == ("commented", ticket)

    def test_is_known_by_the_mail_before_it(self):
        jane_s_line()
        takes_mail()
        first = take(letter("It is slow.", message_id="<1@customer.example>"))

        second = take(letter("It is slower.", subject="More", references="<0@x> <1@customer.example>"))

        assert (first.outcome, second.outcome) == ("opened", "commented")
        assert said_in(first.ticket) == [("customer", "It is slow."), ("customer", "It is slower.")]

    def test_follows_a_ticket_into_the_one_it_was_merged_into(self):
        line = jane_s_line()
        subject = make_subject()
        gone, kept = (open_one(line, subject=subject, force=True) for _ in range(2))
        tickets.merge(ticket_id=gone.pk, into_id=kept.pk, at=MONDAY)

        mail = take(letter(subject=f"Re: {gone.number}"))

        assert mail.ticket == kept

    def test_of_a_closed_ticket_opens_a_new_one(self):
        ticket = open_one(jane_s_line())
        takes_mail()
        for status in ("resolved", "closed"):
            tickets.move(ticket_id=ticket.pk, to=status, at=MONDAY)

        mail = take(letter(subject=f"Re: {ticket.number} again"))

        assert mail.outcome == "opened"
        assert mail.ticket != ticket
        assert said_in(ticket) == []

    def test_of_somebody_else_never_reaches_the_ticket(self):
        ticket = open_one(jane_s_line())
        with_address(make_line().subscriber, "joe@customer.example")
        takes_mail()

        of_joe = take(letter("Hi", sender="joe@customer.example", subject=f"Re: {ticket.number}"))
        of_nobody = take(letter("Hi", sender="eve@evil.example", subject=f"Re: {ticket.number}"))

        assert of_joe.outcome == "opened"
        assert of_joe.ticket.subscriber.email == "joe@customer.example"
        assert (of_nobody.outcome, of_nobody.ticket) == ("refused", None)
        assert of_nobody.detail == "No customer has the address eve@evil.example."
        assert said_in(ticket) == []


class TestANewMatter:
    @pytest.fixture(autouse=True)
    def _desk(self, acting):
        in_lisbon(acting)

    def test_opens_a_ticket_of_the_customer(self):
        line = jane_s_line()
        subject = takes_mail()

        mail = take(letter("It is slow.", subject="Re: Fwd: Slow since Monday"))

        assert (mail.outcome, mail.ticket.subject, mail.ticket.subscriber) == (
            "opened",
            subject,
            line.subscriber,
        )
        assert (mail.ticket.title, mail.ticket.source) == ("Slow since Monday", "customer")
        assert said_in(mail.ticket) == [("customer", "It is slow.")]

    def test_joins_the_one_that_is_open_by_mail(self):
        jane_s_line()
        takes_mail()

        first, second = take(letter("It is slow.")), take(letter("And red.", subject="Red"))

        assert second.outcome == "commented"
        assert second.ticket == first.ticket

    def test_needs_a_subject_in_the_settings(self):
        jane_s_line()

        mail = take(letter())

        assert mail.outcome == "refused"
        assert "name no subject" in mail.detail
        assert not Ticket.objects.exists()

    def test_needs_a_subject_there_is(self):
        off = make_subject(is_active=False)

        with pytest.raises(UnknownMailSubject):
            settings.change_settings(mail_subject_id=off.pk)

        assert settings.support_settings().mail_subject_id is None

    def test_is_refused_where_two_customers_have_the_address(self):
        for _ in range(2):
            jane_s_line()
        takes_mail()

        mail = take(letter())

        assert mail.detail == "Several customers have the address jane@customer.example."
        assert not Ticket.objects.exists()


class TestLimits:
    @pytest.fixture(autouse=True)
    def _desk(self, acting):
        in_lisbon(acting)
        jane_s_line()
        takes_mail()

    def test_what_is_too_long_is_cut_and_says_so(self):
        mail = take(letter("slow " * 4000))

        ((_, body),) = said_in(mail.ticket)
        assert len(body) <= LONGEST
        assert body.endswith("[The mail was longer.]")

    def test_files_that_are_not_taken_are_named(self):
        files = (
            ("setup.exe", "application/octet-stream", b"MZ\x90\x00\xff"),
            *((f"{n}.png", "image/png", PNG) for n in range(6)),
        )

        mail = take(letter("Look", files=files))

        comment = mail.ticket.comments.get(source="customer")
        assert comment.body == "Look\n\n[Not kept: setup.exe, 5.png.]"
        assert comment.attachments.count() == 5

    def test_more_than_25_mib_is_refused(self):
        raw = letter("Look").as_bytes()

        mail = mail_in.take(message=Message("1", raw, is_cut=True), at=MONDAY)

        assert (mail.outcome, mail.detail) == ("refused", "It is larger than 25 MiB.")
        assert not Ticket.objects.exists()

    def test_what_a_machine_wrote_is_left_alone(self):
        mail = take(letter("I am away.", auto_submitted="auto-replied"))

        assert mail.outcome == "ignored"
        assert not Ticket.objects.exists()

    def test_what_we_sent_ourselves_is_left_alone(self, settings):
        settings.DEFAULT_FROM_EMAIL = "Fibra <help@isp.example>"

        mail = take(letter("Is it better?", sender="help@isp.example"))

        assert (mail.outcome, mail.detail) == ("ignored", "We sent it ourselves.")

    def test_two_machines_that_answer_each_other_stop(self):
        for n in range(MOST_OF_ONE_SENDER):
            assert take(letter(f"Answer {n}")).ticket is not None

        one_more = take(letter("One more"))
        next_hour = take(letter("Next hour"), at=MONDAY + timedelta(hours=1, seconds=1))

        assert one_more.detail == "jane@customer.example sent 20 within an hour."
        assert next_hour.outcome == "commented"
        assert Ticket.objects.count() == 1

    def test_what_cannot_be_read_is_refused(self):
        raw = b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\nx\n" * 300

        mail = take(raw)

        assert (mail.outcome, mail.detail) == ("refused", "It could not be read as a message.")


@pytest.mark.django_db(transaction=True)
class TestAMaildir:
    @pytest.fixture(autouse=True)
    def _desk(self, tenant):
        with tenant_context(tenant.pk):
            jane_s_line()
            takes_mail()

    def test_is_emptied_by_what_runs_by_the_clock(self, tenant, tmp_path, settings):
        settings.TICKET_MAILDIR = str(tmp_path)
        folder = tmp_path / tenant.slug
        deliver(folder, letter("It is slow.", message_id="<1@customer.example>"))
        deliver(folder, letter("Buy!", sender="eve@evil.example"))
        deliver(folder, letter("I am away.", auto_submitted="auto-replied"))
        deliver(tmp_path / "nobody", letter("It is slow."))

        counts = collect_mail(), collect_mail()

        assert counts == (3, 0)
        assert held(folder) == {"inbox": 0, "Done": 2, "Refused": 1}
        assert held(tmp_path / "nobody") == {"inbox": 1}
        with tenant_context(tenant.pk):
            assert [said_in(each) for each in Ticket.objects.all()] == [[("customer", "It is slow.")]]
            assert sorted(IncomingMail.objects.values_list("outcome", flat=True)) == [
                "ignored",
                "opened",
                "refused",
            ]

    def test_is_left_alone_without_the_setting(self, tenant, tmp_path):
        deliver(tmp_path / tenant.slug, letter())

        assert collect_mail() == 0

    def test_keeps_a_message_whose_reader_was_killed_and_takes_it_in_once(self, tenant, tmp_path):
        class Killed(BaseException):
            """What ends a worker at once."""

        class Interrupted(Maildir):
            def done(self, message_id):
                raise Killed  # The transaction is committed; the message was not put away.

        deliver(tmp_path, letter("It is slow."))

        with pytest.raises(Killed):
            mail_in.collect(box=Interrupted(tmp_path), tenant_id=tenant.pk, at=MONDAY)
        left = held(tmp_path)
        counted = mail_in.collect(box=Maildir(tmp_path), tenant_id=tenant.pk, at=MONDAY)

        assert left == {"inbox": 1}
        assert (counted, held(tmp_path)) == ({"opened": 1}, {"inbox": 0, "Done": 1})
        with tenant_context(tenant.pk):
            assert Comment.objects.filter(source="customer").count() == 1

    def test_read_by_8_at_once_gives_each_message_once(self, tenant, tmp_path):
        for n in range(12):
            deliver(tmp_path, letter(f"Message {n}", message_id=f"<{n}@customer.example>"))

        def collect(_):
            try:
                return mail_in.collect(box=Maildir(tmp_path), tenant_id=tenant.pk, at=MONDAY)
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(collect, range(8)))

        assert held(tmp_path) == {"inbox": 0, "Done": 12}
        with tenant_context(tenant.pk):
            (ticket,) = Ticket.objects.all()
            bodies = [body for _, body in said_in(ticket)]
            assert sorted(bodies) == sorted(f"Message {n}" for n in range(12))
            assert IncomingMail.objects.count() == 12

    def test_looks_again_at_a_refused_message_that_was_put_back(self, tenant, tmp_path):
        deliver(tmp_path, letter("Hello", sender="joe@customer.example"))
        mail_in.collect(box=Maildir(tmp_path), tenant_id=tenant.pk, at=MONDAY)
        with tenant_context(tenant.pk):
            with_address(make_line().subscriber, "joe@customer.example")
        (refused,) = (tmp_path / ".Refused" / "cur").iterdir()
        refused.rename(tmp_path / "new" / refused.name)

        counted = mail_in.collect(box=Maildir(tmp_path), tenant_id=tenant.pk, at=MONDAY)

        assert counted == {"opened": 1}
        with tenant_context(tenant.pk):
            assert [each.outcome for each in IncomingMail.objects.all()] == ["opened"]

    def test_gives_no_more_of_a_message_than_it_may_be_long(self, tmp_path):
        deliver(tmp_path, b"From: a@b.example\n\n" + b"x" * MOST_BYTES)

        (message,) = Maildir(tmp_path).messages()

        assert len(message.raw) == MOST_BYTES
        assert message.is_cut

    def test_another_tenant_s_customer_is_nobody_here(self, other_tenant, tmp_path):
        deliver(tmp_path, letter("It is slow."))

        counted = mail_in.collect(box=Maildir(tmp_path), tenant_id=other_tenant.pk, at=MONDAY)

        assert counted == {"refused": 1}
