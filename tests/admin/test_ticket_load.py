"""The helpdesk's load and its times: what is counted, and that it costs the same for many."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role
from support import selectors
from support.models import Ticket
from support.selectors import OneDay, Pace
from support.services import desk, tickets
from tests.support.desk import MONDAY, ZONE, in_lisbon, moment, open_one

pytestmark = pytest.mark.django_db

PAGE = "/admin/support/ticket/load/"


@pytest.fixture(autouse=True)
def _acting(acting: Tenant) -> None:
    in_lisbon(acting)


def opened(at: Any, **told: Any) -> Ticket:
    ticket = open_one(at=at, **told)
    Ticket.objects.filter(pk=ticket.pk).update(created_at=at)
    return ticket


def test_counts_queues_days_answers_and_times(admin_user: Any) -> None:
    team = desk.create_team(name="Helpdesk", member_ids=[admin_user.pk])
    subject = desk.create_subject(name="No light", priority="high", team_id=team.pk, response_hours=2)
    quick, slow, waits = (opened(MONDAY, subject=subject) for _ in range(3))
    free = opened(moment("2026-03-03 17:00"), subject=subject)
    tickets.comment(ticket_id=quick.pk, body="We look", at=moment("2026-03-02 11:00"))
    tickets.move(ticket_id=quick.pk, to="resolved", at=moment("2026-03-02 16:00"))
    tickets.move(ticket_id=slow.pk, to="resolved", at=moment("2026-03-09 10:00"))
    tickets.assign(ticket_id=waits.pk, assignee_id=admin_user.pk, at=MONDAY)
    tickets.move(ticket_id=waits.pk, to="waiting", at=MONDAY)

    found = selectors.load(at=moment("2026-03-09 12:00"), zone=ZONE, days=8)

    assert [(each.name, each.unresolved, each.overdue, each.waiting) for each in found.teams] == [
        ("Helpdesk", 2, 1, 1)
    ]
    assert {(each.id, each.unresolved, each.overdue) for each in found.people} == {
        (None, 1, 1), (admin_user.pk, 1, 0)
    }  # fmt: skip
    assert (found.due_answers, found.timely_answers) == (4, 1)
    assert found.paces == [Pace("high", 2, 1, timedelta(hours=87))]
    assert found.median == timedelta(hours=87)
    assert [day for day in found.days if day.opened or day.resolved] == [
        OneDay(MONDAY.date(), 3, 1),
        OneDay(free.due_at.date() - timedelta(days=3), 1, 0),
        OneDay(moment("2026-03-09 10:00").date(), 0, 1),
    ]
    assert len(found.days) == 8


def test_a_day_is_the_provider_s() -> None:
    opened(moment("2026-03-02 23:30"))

    found = selectors.load(at=moment("2026-03-04 12:00"), zone=ZoneInfo("Asia/Tokyo"), days=3)

    assert [day.opened for day in found.days] == [0, 1, 0]


def test_the_page_shows_them_and_says_when_there_is_nothing(browser: Client) -> None:
    empty = browser.get(PAGE).content.decode()
    open_one(at=timezone.now())

    page = browser.get(PAGE).content.decode()

    assert "No ticket in 30 days" in empty
    assert "nobody yet" in page
    assert "Median time to resolve" in page


def test_each_bar_leads_to_the_tickets_it_counts(browser: Client, admin_user: Any) -> None:
    team = desk.create_team(name="Helpdesk", member_ids=[admin_user.pk])
    subject = desk.create_subject(name="No light", team_id=team.pk)
    mine, _, _ = (
        open_one(subject=subject),
        open_one(subject=subject),
        open_one(subject=desk.create_subject(name="No team")),
    )
    tickets.assign(ticket_id=mine.pk, assignee_id=admin_user.pk, at=MONDAY)
    bars = [bar for chart in browser.get(PAGE).context["charts"][:2] for bar in chart.bars]

    listed = [str(browser.get(bar.url).context["cl"].result_count) for bar in bars]

    assert listed == [bar.value for bar in bars] == ["2", "1", "2", "1"]


def test_costs_the_same_for_one_ticket_or_six(browser: Client, query_count: Any) -> None:
    tickets.move(ticket_id=open_one().pk, to="resolved", at=timezone.now())
    open_one()
    browser.get(PAGE)
    one = query_count(browser.get, PAGE)

    for _ in range(5):
        open_one(at=timezone.now())

    assert query_count(browser.get, PAGE) == one


def test_whoever_may_not_see_tickets_is_refused(browser_as: Callable[..., Client]) -> None:
    assert browser_as(Role.SUPPORT).get(PAGE).status_code == 200
    assert Client().get(PAGE).status_code == 302
