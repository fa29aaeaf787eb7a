"""A customer's own records over the API."""

import pytest
from django.utils import timezone

from ispcore.tenants.context import tenant_context
from support.models import Comment, Ticket
from support.services import tickets
from tests.billing.issued import make_issued
from tests.factories import SubscriptionFactory
from tests.support.customers import api_of, make_reachable
from tests.support.desk import make_subject
from tests.support.homes import make_home

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(tenant):
    with tenant_context(tenant.pk):
        return make_reachable(line=make_home().line)


@pytest.fixture
def line(tenant, customer):
    with tenant_context(tenant.pk):
        return customer.subscriptions.select_related("plan").get()


@pytest.fixture
def mine(tenant, customer):
    return api_of(tenant, customer)


@pytest.fixture
def theirs(tenant):
    """What another customer of the same provider has."""
    with tenant_context(tenant.pk):
        other = make_reachable("other@customer.example")
        subject = make_subject("Their subject")
        return {
            "services": SubscriptionFactory(subscriber=other),
            "invoices": make_issued(other, "1.00"),
            "tickets": tickets.open_ticket(
                subject_id=subject.pk, subscriber_id=other.pk, at=timezone.now(), description="Theirs"
            ),
        }


def data_of(response):
    assert response.status_code < 300, response.content
    return response.json()["data"]


class TestOwn:
    def test_services_tell_how_they_are_and_what_was_used(self, mine, line):
        (shown,) = data_of(mine.get("me/services"))
        status = data_of(mine.get(f"me/services/{line.pk}/status"))
        usage = data_of(mine.get(f"me/services/{line.pk}/usage"))

        assert (shown["id"], shown["plan"], shown["status"]) == (str(line.pk), line.plan.name, "active")
        assert (status["tone"], status["title"]) == ("good", "Your line is in order")
        assert len(usage) == 30

    def test_invoices_and_balance(self, tenant, mine, customer):
        with tenant_context(tenant.pk):
            invoice = make_issued(customer, "100.00")

        (shown,) = data_of(mine.get("me/invoices"))
        pdf = mine.get(f"me/invoices/{invoice.number}/pdf")
        balance = data_of(mine.get("me/balance"))

        assert (shown["number"], shown["total"], shown["open_amount"]) == (invoice.number, "100.00", "100.00")
        assert "/pay/" in shown["pay_url"]
        assert pdf.content.startswith(b"%PDF-")
        assert (balance["balance"], balance["overdue"], balance["currency"]) == ("100.00", "100.00", "EUR")

    def test_tickets_are_opened_read_and_answered(self, tenant, mine, customer, line):
        with tenant_context(tenant.pk):
            subject = make_subject()
            make_subject("Old", is_active=False)

        subjects = data_of(mine.get("me/subjects"))
        opened = mine.post(
            "me/tickets",
            {"subject_id": subjects[0]["id"], "service_id": str(line.pk), "description": "No light"},
        )
        ticket = data_of(opened)
        with tenant_context(tenant.pk):
            tickets.comment(ticket_id=ticket["id"], body="Secret", at=timezone.now(), is_internal=True)
        said = data_of(mine.post(f"me/tickets/{ticket['number']}/comments", {"body": "Still nothing"}))
        shown = data_of(mine.get(f"me/tickets/{ticket['id']}/comments"))

        assert subjects == [{"id": str(subject.pk), "name": subject.name}]
        assert opened.status_code == 201
        assert said["is_mine"] is True
        assert [each["body"] for each in shown] == ["No light", "Still nothing"]
        with tenant_context(tenant.pk):
            assert Ticket.objects.get().source == "customer"


class TestOthers:
    @pytest.mark.parametrize("kind", ["services", "invoices", "tickets"])
    def test_records_are_not_found_and_not_listed(self, tenant, mine, theirs, kind):
        one = theirs[kind]

        found = mine.get(f"me/{kind}/{one.pk}")
        nobodys = mine.get(f"me/{kind}/01900000-0000-7000-8000-000000000000")

        assert (found.status_code, found.json()["error"]) == (404, nobodys.json()["error"])
        assert str(one.pk) not in [each["id"] for each in data_of(mine.get(f"me/{kind}"))]

    def test_nothing_below_them_opens_either(self, tenant, mine, theirs):
        answers = [
            mine.get(f"me/services/{theirs['services'].pk}/status"),
            mine.get(f"me/services/{theirs['services'].pk}/usage"),
            mine.get(f"me/invoices/{theirs['invoices'].pk}/pdf"),
            mine.get(f"me/invoices/{theirs['invoices'].number}/pdf"),
            mine.get(f"me/tickets/{theirs['tickets'].number}/comments"),
            mine.post(f"me/tickets/{theirs['tickets'].pk}/comments", {"body": "Hello"}),
        ]

        assert [each.status_code for each in answers] == [404] * 6
        with tenant_context(tenant.pk):
            assert Comment.objects.count() == 1

    def test_services_have_no_ticket_opened_for_them(self, tenant, mine, theirs):
        body = {
            "subject_id": str(theirs["tickets"].subject_id),
            "service_id": str(theirs["services"].pk),
            "description": "Hello",
        }

        assert mine.post("me/tickets", body).status_code == 404
        with tenant_context(tenant.pk):
            assert Ticket.objects.count() == 1

    def test_balance_is_not_this_one(self, mine, theirs):
        assert data_of(mine.get("me/balance"))["balance"] == "0.00"

    def test_subjects_of_another_provider_are_not_shown(self, other_tenant, mine):
        with tenant_context(other_tenant.pk):
            make_subject()

        assert data_of(mine.get("me/subjects")) == []

    def test_records_of_staff_stay_closed(self, mine, theirs):
        for path in ("support/tickets", "billing/invoices", "subscribers", "aaa/accounts"):
            assert mine.get(path).status_code == 403

    def test_drafts_are_the_provider_s(self, tenant, mine, customer):
        from decimal import Decimal

        from billing.services import invoices
        from billing.services.invoices import DraftLine

        with tenant_context(tenant.pk):
            draft = invoices.create_draft(
                subscriber_id=customer.pk, lines=[DraftLine("Item", Decimal(1))], at=timezone.now()
            )

        assert mine.get(f"me/invoices/{draft.pk}").status_code == 404
        assert data_of(mine.get("me/invoices")) == []


def test_staff_who_are_nobody_s_customer_find_nothing(api, theirs):
    assert [data_of(api.get(f"me/{kind}")) for kind in ("services", "invoices", "tickets")] == [[], [], []]
    assert api.get("me/balance").status_code == 404


def test_lists_cost_the_same_with_more_rows(tenant, mine, customer, query_count):
    kinds = ("services", "invoices", "tickets")
    with tenant_context(tenant.pk):
        make_issued(customer, "1.00")
        tickets.open_ticket(subject_id=make_subject().pk, subscriber_id=customer.pk, at=timezone.now())
    few = {kind: query_count(mine.get, f"me/{kind}") for kind in kinds}
    with tenant_context(tenant.pk):
        for number in range(5):
            SubscriptionFactory(subscriber=customer)
            make_issued(customer, "1.00")
            subject = make_subject(f"Subject {number}")
            tickets.open_ticket(subject_id=subject.pk, subscriber_id=customer.pk, at=timezone.now())

    assert {kind: query_count(mine.get, f"me/{kind}") for kind in kinds} == few
