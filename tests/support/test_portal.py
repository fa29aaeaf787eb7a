"""The portal's pages: what is a customer's own, all of it and nothing else."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from aaa.models import DailyUsage
from billing.services import payments
from ispcore.tenants.context import tenant_context
from subscribers.services.periods import local_date
from support.models import Attachment, Comment, Ticket
from support.services import tickets
from support.services.diagnosis import Cause
from support.services.portal.status import STATUSES
from tests.billing.issued import make_identity, make_issued
from tests.factories import SubscriptionFactory
from tests.support.customers import browser_of, make_reachable
from tests.support.desk import make_line, make_subject, make_zone
from tests.support.homes import make_home

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture
def customer(tenant):
    with tenant_context(tenant.pk):
        return make_reachable()


@pytest.fixture
def stranger(tenant):
    """Another customer of the same provider."""
    with tenant_context(tenant.pk):
        return make_reachable("other@customer.example")


@pytest.fixture
def client(tenant, customer):
    return browser_of(tenant, customer)


def found_in(pattern, text):
    match = re.search(pattern, text)
    assert match, text
    return match.group(1)


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


class TestHome:
    def test_says_that_the_line_is_in_order(self, tenant):
        with tenant_context(tenant.pk):
            customer = make_reachable(line=make_home().line)

        text = text_of(browser_of(tenant, customer).get("/portal/north/"))

        assert "Your line is in order" in text
        assert "Nothing to pay" in text

    def test_says_what_to_do_when_the_fibre_is_dark(self, tenant):
        with tenant_context(tenant.pk):
            home = make_home(online=False)
            home.change_onu(status="offline", last_down_cause="los")
            customer = make_reachable(line=home.line)

        text = text_of(browser_of(tenant, customer).get("/portal/north/"))

        assert "Your fibre box is not connected" in text
        assert "Check that your fibre box has power" in text

    def test_says_what_is_to_pay_and_links_to_where(self, tenant, customer, client):
        with tenant_context(tenant.pk):
            make_identity(legal_name="Fibra S.L.")
            invoice = make_issued(customer, "100.00")

        text = text_of(client.get("/portal/north/"))
        link = found_in(r'class="button" href="http://[^/]+(/pay/[^"]+)"', text)

        assert "<strong><bdi>Fibra S.L.</bdi></strong>" in text
        assert "To pay, overdue since Mar 20, 2026" in text
        assert "Pay €100.00" in text
        assert invoice.number in client.get(link).content.decode()

    def test_says_how_much_of_it_is_overdue(self, tenant, customer, client):
        with tenant_context(tenant.pk):
            make_issued(customer, "100.00")
            make_issued(customer, "50.00", at=timezone.now())

        text = text_of(client.get("/portal/north/"))

        assert "To pay, €100.00 of it overdue since Mar 20, 2026" in text
        assert "€150.00" in text
        assert "Pay €100.00" in text

    def test_shows_the_credit_of_who_paid_too_much(self, tenant, customer, client):
        with tenant_context(tenant.pk):
            payments.receive(
                subscriber_id=customer.pk,
                amount=Decimal(20),
                currency="EUR",
                method="cash",
                received_at=timezone.now(),
            )

        assert "Your credit with us" in text_of(client.get("/portal/north/"))

    def test_has_every_cause_in_words(self):
        assert set(STATUSES) == set(Cause)

    def test_tells_no_cause_that_only_staff_know(self):
        for cause in (Cause.HELD_FRAUD, Cause.HELD_ABUSE, Cause.HELD_STAFF):
            assert "fraud" not in f"{STATUSES[cause]}".lower()
            assert "abuse" not in f"{STATUSES[cause]}".lower()

    def test_is_kept_by_no_cache_and_shown_in_no_frame(self, client):
        response = client.get("/portal/north/")

        assert response["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in response["Content-Security-Policy"]
        assert "<script" not in response.content.decode()

    def test_costs_the_same_with_more_lines_invoices_and_tickets(self, tenant, customer, client, query_count):
        with tenant_context(tenant.pk):
            for _ in range(3):
                SubscriptionFactory(subscriber=customer)
            make_issued(customer, "1.00")
            tickets.open_ticket(subject_id=make_subject().pk, subscriber_id=customer.pk, at=timezone.now())
        few = {path: query_count(client.get, f"/portal/north/{path}") for path in ("", "invoices", "tickets")}
        with tenant_context(tenant.pk):
            for number in range(5):
                SubscriptionFactory(subscriber=customer)
                make_issued(customer, "1.00")
                subject = make_subject(f"Subject {number}")
                tickets.open_ticket(subject_id=subject.pk, subscriber_id=customer.pk, at=timezone.now())

        many = {path: query_count(client.get, f"/portal/north/{path}") for path in few}

        assert many == few


class TestInvoices:
    def test_are_listed_and_fetched(self, tenant, customer, client):
        with tenant_context(tenant.pk):
            invoice = make_issued(customer, "100.00")

        text = text_of(client.get("/portal/north/invoices"))
        pdf = client.get(f"/portal/north/invoices/{invoice.pk}/pdf")

        assert invoice.number in text
        assert "Overdue" in text
        assert pdf["Content-Type"] == "application/pdf"
        assert pdf["Content-Disposition"] == f'attachment; filename="{invoice.number}.pdf"'
        assert pdf.content.startswith(b"%PDF-")

    def test_go_back_page_by_page(self, tenant, customer, client):
        with tenant_context(tenant.pk):
            made = [make_issued(customer, "1.00") for _ in range(25)]

        first = text_of(client.get("/portal/north/invoices"))
        older = found_in(r'href="(\?before=[^"]+)"', first)
        second = text_of(client.get(f"/portal/north/invoices{older}"))

        assert made[0].number not in first
        assert made[0].number in second
        assert made[1].number not in second

    def test_of_others_are_not_found(self, tenant, stranger, client):
        with tenant_context(tenant.pk):
            theirs = make_issued(stranger, "1.00")

        assert client.get(f"/portal/north/invoices/{theirs.pk}/pdf").status_code == 404
        assert theirs.number not in text_of(client.get("/portal/north/invoices"))


class TestServices:
    def test_show_what_was_used(self, tenant):
        with tenant_context(tenant.pk):
            home = make_home()
            customer = make_reachable(line=home.line)
            today = local_date(timezone.now())
            DailyUsage.objects.create(
                account=home.account, day=today, in4_bytes=500_000_000, out4_bytes=2_000_000_000, in6_bytes=0,
                out6_bytes=1_000_000_000,
            )  # fmt: skip
            DailyUsage.objects.create(
                account=home.account, day=today - timedelta(days=40), in4_bytes=9, out4_bytes=9
            )

        text = text_of(browser_of(tenant, customer).get(f"/portal/north/services/{home.line.pk}"))

        assert "3.0 GB down" in text
        assert "500.0 MB up" in text
        assert text.count("<rect") == 60

    def test_that_used_nothing_say_so(self, tenant, customer, client):
        with tenant_context(tenant.pk):
            line = SubscriptionFactory(subscriber=customer)

        assert "Nothing was used in this time" in text_of(client.get(f"/portal/north/services/{line.pk}"))

    def test_of_others_are_not_found(self, tenant, stranger, client):
        with tenant_context(tenant.pk):
            theirs = SubscriptionFactory(subscriber=stranger)

        assert client.get(f"/portal/north/services/{theirs.pk}").status_code == 404


class TestTickets:
    def test_one_is_opened_answered_and_read(self, tenant, customer, client):
        with tenant_context(tenant.pk):
            line, subject = SubscriptionFactory(subscriber=customer), make_subject()

        opened = client.post(
            "/portal/north/tickets/new",
            {
                "subject": subject.pk,
                "service": line.pk,
                "text": "No light",
                "files": SimpleUploadedFile("box.png", PNG),
            },
        )
        with tenant_context(tenant.pk):
            ticket = Ticket.objects.get()
            tickets.comment(ticket_id=ticket.pk, body="He never pays.", at=timezone.now(), is_internal=True)
            tickets.comment(ticket_id=ticket.pk, body="We come at nine.", at=timezone.now())
            file = Attachment.objects.get()
        answered = client.post(f"/portal/north/tickets/{ticket.pk}", {"text": "Thank you"})
        text = text_of(client.get(f"/portal/north/tickets/{ticket.pk}"))
        fetched = client.get(f"/portal/north/files/{file.pk}")

        assert (opened.status_code, opened["Location"]) == (302, f"/portal/north/tickets/{ticket.pk}")
        assert (ticket.source, ticket.subscriber_id, ticket.subscription_id) == (
            "customer",
            customer.pk,
            line.pk,
        )
        assert answered.status_code == 302
        assert [said in text for said in ("No light", "We come at nine.", "Thank you")] == [True] * 3
        assert "He never pays" not in text
        assert b"".join(fetched.streaming_content) == PNG
        assert fetched["Content-Disposition"] == 'attachment; filename="box.png"'

    def test_an_answer_opens_a_resolved_one_again(self, tenant, customer, client):
        with tenant_context(tenant.pk):
            ticket = tickets.open_ticket(
                subject_id=make_subject().pk, subscriber_id=customer.pk, at=timezone.now()
            )
            tickets.move(ticket_id=ticket.pk, to="resolved", at=timezone.now())

        client.post(f"/portal/north/tickets/{ticket.pk}", {"text": "Still down"})

        with tenant_context(tenant.pk):
            assert Ticket.objects.get().status == "open"

    def test_a_second_one_about_the_same_leads_to_the_first(self, tenant, customer, client):
        with tenant_context(tenant.pk):
            subject = make_subject()
            first = tickets.open_ticket(subject_id=subject.pk, subscriber_id=customer.pk, at=timezone.now())

        answer = client.post("/portal/north/tickets/new", {"subject": subject.pk, "text": "Again"})

        assert answer.status_code == 409
        assert f'href="/portal/north/tickets/{first.pk}"' in text_of(answer)
        assert "Again" in text_of(answer)
        with tenant_context(tenant.pk):
            assert Ticket.objects.count() == 1

    def test_a_full_zone_is_said_in_other_words(self, tenant):
        with tenant_context(tenant.pk):
            zone, subject = make_zone(), make_subject()
            for _ in range(3):
                line = make_line(zone)
                tickets.open_ticket(subject_id=subject.pk, subscription_id=line.pk, at=timezone.now())
            line = make_line(zone)
            customer = make_reachable(line=line)

        answer = browser_of(tenant, customer).post(
            "/portal/north/tickets/new", {"subject": subject.pk, "service": line.pk, "text": "No light"}
        )

        assert (answer.status_code, "several faults where you live" in text_of(answer)) == (409, True)
        with tenant_context(tenant.pk):
            assert Ticket.objects.count() == 3

    @pytest.mark.parametrize(
        ("form", "said"),
        [
            ({"text": "No light"}, "Choose what it is about"),
            ({"subject": "{subject}", "text": " "}, "Tell us what happens"),
            ({"subject": "{subject}", "text": "x", "files": ("a.exe", b"MZ\x00")}, "is none of PNG"),
        ],
    )
    def test_what_is_missing_or_not_taken_is_named(self, tenant, client, form, said):
        with tenant_context(tenant.pk):
            subject = make_subject()
        filled = {name: str(subject.pk) if value == "{subject}" else value for name, value in form.items()}
        if "files" in filled:
            filled["files"] = SimpleUploadedFile(*filled["files"])

        answer = client.post("/portal/north/tickets/new", filled)

        assert (answer.status_code, said in text_of(answer)) == (422, True)
        with tenant_context(tenant.pk):
            assert not Ticket.objects.exists()

    def test_of_others_are_not_found_nor_answered_nor_their_services_named(self, tenant, stranger, client):
        with tenant_context(tenant.pk):
            subject, line = make_subject(), SubscriptionFactory(subscriber=stranger)
            theirs = tickets.open_ticket(
                subject_id=subject.pk,
                subscriber_id=stranger.pk,
                description="Mine",
                files=[tickets.Upload("box.png", [PNG])],
                at=timezone.now(),
            )
            file = Attachment.objects.get()

        answers = [
            client.get(f"/portal/north/tickets/{theirs.pk}"),
            client.post(f"/portal/north/tickets/{theirs.pk}", {"text": "Hello"}),
            client.get(f"/portal/north/files/{file.pk}"),
            client.post(
                "/portal/north/tickets/new", {"subject": subject.pk, "service": line.pk, "text": "Hello"}
            ),
        ]

        assert [each.status_code for each in answers] == [404] * 4
        assert theirs.number not in text_of(client.get("/portal/north/tickets"))
        with tenant_context(tenant.pk):
            assert Comment.objects.count() == 1
            assert Ticket.objects.count() == 1

    def test_a_file_staff_keep_to_themselves_is_not_found(self, tenant, customer, client):
        with tenant_context(tenant.pk):
            ticket = tickets.open_ticket(
                subject_id=make_subject().pk, subscriber_id=customer.pk, at=timezone.now()
            )
            tickets.comment(
                ticket_id=ticket.pk, body="", is_internal=True, at=timezone.now(),
                files=[tickets.Upload("map.png", [PNG])],
            )  # fmt: skip
            file = Attachment.objects.get()

        assert client.get(f"/portal/north/files/{file.pk}").status_code == 404

    def test_a_form_without_end_is_not_read(self, tenant, client):
        answer = client.post("/portal/north/tickets/new", {"text": "x"}, CONTENT_LENGTH="99999999999")

        assert answer.status_code == 413


def test_pages_of_a_provider_that_is_switched_off_are_gone(tenant, client):
    tenant.is_active = False
    tenant.save()

    assert Client().get("/portal/north/log-in").status_code == 404
    assert client.get("/portal/north/").status_code == 404
