"""Tickets in the staff site: the queues, and a ticket's page as a conversation."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from ispcore.tenants.roles import Role
from support.models import Subject, SupportSettings, Ticket
from support.services import desk, tickets
from tests.support.desk import MONDAY, make_line, make_subject, open_one

pytestmark = pytest.mark.django_db

LIST = "/admin/support/ticket/"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture(autouse=True)
def _acting(acting: Any) -> None:
    """Make rows of the tenant whose administrator looks."""


def page_of(ticket: Ticket) -> str:
    return f"{LIST}{ticket.pk}/change/"


def test_queues_show_what_is_in_them(browser: Client, admin_user: Any) -> None:
    at = timezone.now()
    mine, free, late = open_one(at=at), open_one(at=at), open_one()
    tickets.assign(ticket_id=mine.pk, assignee_id=admin_user.pk, at=at)
    found = {}

    for queue in ("mine", "unassigned", "overdue", "unresolved"):
        page = browser.get(f"{LIST}?queue={queue}").content.decode()
        found[queue] = {each.number for each in (mine, free, late) if str(each.pk) in page}

    assert found == {
        "mine": {mine.number},
        "unassigned": {free.number, late.number},
        "overdue": {late.number},
        "unresolved": {mine.number, free.number, late.number},
    }


def test_a_ticket_is_opened_by_its_form(browser: Client) -> None:
    line, subject = make_line(), make_subject()

    answer = browser.post(
        f"{LIST}add/",
        {"subject": subject.pk, "subscription": line.pk, "description": "No light", "title": ""},
    )

    ticket = Ticket.objects.get()
    assert answer["Location"] == page_of(ticket)
    assert (ticket.title, ticket.subscriber) == ("No connection", line.subscriber)
    assert ticket.comments.get().body == "No light"


def test_a_second_one_about_the_same_is_refused_at_the_form(browser: Client) -> None:
    ticket = open_one()

    page = browser.post(
        f"{LIST}add/", {"subject": ticket.subject_id, "subscription": ticket.subscription_id, "title": ""}
    )

    assert page.status_code == 200
    assert f"{ticket.number} is open about the same" in page.content.decode()
    assert Ticket.objects.count() == 1


def test_an_answer_is_sent_with_a_file_and_the_customer_waited_for(browser: Client) -> None:
    ticket = open_one()

    answer = browser.post(
        page_of(ticket),
        {"body": "Is the box on?", "then": "wait", "files": SimpleUploadedFile("box.png", PNG)},
    )

    ticket.refresh_from_db()
    said = ticket.comments.order_by("id").first()
    assert answer.status_code == 302
    assert (ticket.status, said.body, said.is_internal) == ("waiting", "Is the box on?", False)
    page = browser.get(page_of(ticket)).content.decode()
    assert "Is the box on?" in page
    url = f"/admin/files/{said.attachments.get().file_id}/"
    assert url in page
    assert b"".join(browser.get(url).streaming_content) == PNG  # type: ignore[attr-defined]


def test_what_is_refused_stands_at_the_answer_and_changes_nothing(browser: Client) -> None:
    ticket = open_one()

    page = browser.post(page_of(ticket), {"body": "", "then": "resolve"})

    ticket.refresh_from_db()
    assert "Write a text or attach a file." in page.content.decode()
    assert ticket.status == "open"
    assert not ticket.comments.exists()


def test_a_ready_answer_comes_under_what_was_typed_and_is_not_sent(browser: Client) -> None:
    ticket = open_one()
    ready = desk.create_answer(name="Restart", body="Dear {customer},")

    page = browser.post(page_of(ticket), {"body": "We looked.", "is_internal": "on", "ready": str(ready.pk)})

    form = page.context["answer_form"]
    assert form.initial["body"] == f"We looked.\n\nDear {ticket.subscriber.full_name},"
    assert form.initial["is_internal"]
    assert not ticket.comments.exists()


def test_an_answer_that_was_sent_is_not_in_the_field_again(browser: Client) -> None:
    ticket = open_one()

    answer = browser.post(f"{page_of(ticket)}?queue=mine", {"body": "We look", "then": "send"})

    assert answer["Location"] == f"{page_of(ticket)}?queue=mine"


def test_the_diagnosis_of_the_service_stands_beside(browser: Client) -> None:
    page = browser.get(page_of(open_one())).content.decode()

    assert 'class="isp-chain"' in page


@pytest.mark.parametrize(
    ("came_from", "queue"),
    [("", "unresolved"), ("?queue=unassigned", "unassigned"), ("?_changelist_filters=queue%3Dteam", "team")],
)
def test_one_leads_to_the_next_due_of_its_queue(
    came_from: str, queue: str, browser: Client, admin_user: Any
) -> None:
    team = desk.create_team(name="Helpdesk", member_ids=[admin_user.pk])
    subject = desk.create_subject(name="No light", team_id=team.pk)
    first, second = (open_one(subject=subject, at=at) for at in (MONDAY, timezone.now()))

    page = browser.get(f"{page_of(first)}{came_from}").content.decode()

    assert f"{page_of(second)}?queue={queue}" in page


def test_a_queue_begins_with_what_is_due_first_and_counts_itself(browser: Client, admin_user: Any) -> None:
    later, first = open_one(at=timezone.now()), open_one()
    tickets.assign(ticket_id=first.pk, assignee_id=admin_user.pk, at=timezone.now())

    page = browser.get(f"{LIST}?queue=unresolved")

    assert list(page.context["cl"].result_list) == [first, later]
    assert {each["title"]: each["count"] for each in page.context["queues"]} == {
        "Mine": 1, "My teams'": 0, "Unassigned": 1, "Overdue": 1, "All unresolved": 2, "All tickets": None,
    }  # fmt: skip
    assert [each["title"] for each in page.context["queues"] if each["is_here"]] == ["All unresolved"]


def test_what_is_overdue_is_said_and_not_spelled_as_markup(browser: Client) -> None:
    open_one()

    page = browser.get(LIST).content.decode()

    assert '<span class="isp-pill isp-danger">Overdue</span>' in page
    assert "&lt;span" not in page


def test_a_new_ticket_s_form_shows_no_conversation(browser: Client) -> None:
    line = make_line()

    page = browser.get(f"{LIST}add/?subscription={line.pk}").content.decode()

    assert "isp-talk" not in page
    assert f'value="{line.pk}" selected' in page


def test_a_service_s_page_lists_its_tickets_and_opens_another(browser: Client) -> None:
    ticket = open_one()

    page = browser.get(f"/admin/subscribers/subscription/{ticket.subscription_id}/change/").content.decode()

    assert page_of(ticket) in page
    assert f"{LIST}add/?subscription={ticket.subscription_id}" in page


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("take", {}, {"assignee__full_name": "Admin"}),
        ("change_what", {"priority": "urgent"}, {"priority": "urgent", "is_priority_by_hand": True}),
        ("move_to", {"status": "waiting"}, {"status": "waiting", "waiting_since__isnull": False}),
    ],
)
def test_actions_ask_and_then_do(name: str, given: dict, expected: dict, browser: Client) -> None:
    ticket = open_one()
    url = f"{LIST}{ticket.pk}/do/{name}/"
    whole = {"subject": str(ticket.subject_id), "title": ticket.title, **given}

    asked = browser.get(url)
    browser.post(url, {"confirmed": "yes", **whole})

    assert asked.status_code == 200
    assert Ticket.objects.filter(pk=ticket.pk, **expected).exists()


def test_a_ticket_is_merged_by_number(browser: Client) -> None:
    line = make_line()
    one, other = open_one(line), open_one(line, force=True)

    browser.post(f"{LIST}{one.pk}/do/merge_into/", {"confirmed": "yes", "number": other.number.lower()})

    one.refresh_from_db()
    assert (one.status, one.merged_into) == ("closed", other)


def test_helpers_answer_but_do_not_change_the_desk(browser_as: Any) -> None:
    helper = browser_as(Role.SUPPORT)
    ticket = open_one()

    answered = helper.post(page_of(ticket), {"body": "We look", "then": "send"})
    refused = helper.post(
        "/admin/support/subject/add/", {"name": "New", "priority": "low", "response_hours": 1}
    )

    assert answered.status_code == 302
    assert refused.status_code == 403
    assert Subject.objects.count() == 1


def test_the_week_is_seven_fields(browser: Client) -> None:
    form = {
        "monday": "08:00-20:00", "saturday": "10:00-14:00", "due_days": 2, "escalate_after_hours": 8,
        "auto_close_days": 5, "zone_limit": 4, "outage_end": "ask", "country": "PT", "subdivision": "",
    }  # fmt: skip

    answer = browser.post("/admin/support/supportsettings/add/", form)

    assert answer.status_code == 302
    found = SupportSettings.objects.get()
    assert found.opening_hours == ["08:00-20:00", "", "", "", "", "10:00-14:00", ""]
    assert (found.country, found.outage_end) == ("PT", "ask")


def test_the_dashboard_counts_and_the_customer_s_page_lists(browser: Client) -> None:
    ticket = open_one()

    dashboard = browser.get("/admin/").content.decode()
    customer = browser.get(
        f"/admin/subscribers/subscriber/{ticket.subscriber_id}/change/?tab=tickets"
    ).content.decode()

    assert "Tickets past due" in dashboard
    assert ticket.number in customer


def test_a_page_of_tickets_costs_the_same_for_one_or_six(browser: Client, query_count: Any) -> None:
    open_one()
    browser.get(LIST)
    one = query_count(browser.get, LIST)

    for _ in range(5):
        open_one()

    assert query_count(browser.get, LIST) == one


def test_a_ticket_s_page_costs_the_same_for_one_comment_or_six(browser: Client, query_count: Any) -> None:
    ticket = open_one(description="No light", files=[tickets.Upload("box.png", [PNG])])
    browser.get(page_of(ticket))
    one = query_count(browser.get, page_of(ticket))

    for number in range(5):
        tickets.comment(
            ticket_id=ticket.pk, body=f"{number}", files=[tickets.Upload("a.png", [PNG])], at=timezone.now()
        )

    assert query_count(browser.get, page_of(ticket)) == one
