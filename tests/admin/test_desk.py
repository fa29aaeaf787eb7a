"""The helpdesk's catalogue in the staff site: what its lists say, and that they cost the same for many rows."""

from typing import Any

import pytest
from django.test import Client

from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role
from support.admin.desk import week_in_words
from support.services import desk, settings
from tests.admin.test_hardware_pages import text_of
from tests.factories import ZoneFactory
from tests.support.desk import make_line, make_zone, open_one

pytestmark = pytest.mark.django_db

SUPPORT = "/admin/support/"


@pytest.fixture(autouse=True)
def _acting(acting: Tenant) -> None:
    """Make rows of the tenant whose administrator looks."""


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (["09:00-18:00"] * 5 + ["", ""], "Mon–Fri 09:00–18:00"),
        (["08:00-20:00"] * 5 + ["10:00-14:00", ""], "Mon–Fri 08:00–20:00, Sat 10:00–14:00"),
        (["", "09:00-12:00", "", "09:00-12:00", "", "", "00:00-24:00"],
         "Tue 09:00–12:00, Thu 09:00–12:00, Sun 00:00–24:00"),
        (["09:00-18:00"] * 7, "Mon–Sun 09:00–18:00"),
    ],
)  # fmt: skip
def test_a_week_is_said_in_few_words(hours: list[str], words: str) -> None:
    assert week_in_words(hours) == words


def test_the_settings_say_when_the_desk_is_open_and_whose_holidays_it_keeps(browser: Client) -> None:
    settings.change_settings(country="DE", subdivision="BY")

    page = text_of(browser.get(f"{SUPPORT}supportsettings/").content)

    assert "Mon–Fri 09:00–18:00" in page
    assert "DE BY" in page


def test_a_zone_s_limit_stands_beside_what_is_open_there(browser: Client) -> None:
    zone = make_zone()
    desk.set_zone_limit(zone_id=zone.pk, limit=2)
    open_one(make_line(zone))

    half = text_of(browser.get(f"{SUPPORT}zonelimit/").content)
    open_one(make_line(zone))
    full = text_of(browser.get(f"{SUPPORT}zonelimit/").content)

    assert "2 open tickets 1" in half
    assert "2, full" in full


def test_the_lists_cost_the_same_for_one_row_or_six(
    browser: Client, admin_user: Any, make_user: Any, tenant: Tenant, query_count: Any
) -> None:
    def add(number: int) -> None:
        person = make_user(f"person{number}", {tenant: Role.SUPPORT})
        team = desk.create_team(name=f"Team {number}", member_ids=[admin_user.pk, person.pk])
        desk.create_subject(name=f"Subject {number}", team_id=team.pk)
        desk.create_answer(name=f"Answer {number}", body="Dear {customer},")
        desk.set_zone_limit(zone_id=ZoneFactory().pk, limit=number)

    pages = [f"{SUPPORT}{name}/" for name in ("team", "subject", "cannedanswer", "zonelimit")]
    add(1)
    for page in pages:
        browser.get(page)
    one = [query_count(browser.get, page) for page in pages]

    for number in range(2, 7):
        add(number)

    assert [query_count(browser.get, page) for page in pages] == one


def test_a_team_is_listed_with_its_people(browser: Client, make_user: Any, tenant: Tenant) -> None:
    people = [
        make_user(login, {tenant: Role.SUPPORT}) for login in ("bea", "cem", "dan", "eva", "fin", "gus")
    ]
    desk.create_team(name="Helpdesk", member_ids=[person.pk for person in people])
    desk.create_team(name="Night")

    page = text_of(browser.get(f"{SUPPORT}team/").content)

    assert "Bea, Cem, Dan, Eva, Fin and 1 more" in page
    assert "Night nobody yet" in page
