"""The helpdesk's pages in Chromium: worked through by keyboard, and on a phone."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page

from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from support.models import Ticket
from support.services import desk, tickets
from tests.admin.browsing import logged_in
from tests.support.desk import make_subject, open_one

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/support/ticket/"


def press_access_key(page: Page, key: str) -> None:
    """Press Alt and a letter as a keyboard does: Playwright leaves out the text that Chromium finds access keys by."""
    pressed = {
        "modifiers": 1,
        "key": key,
        "code": f"Key{key.upper()}",
        "windowsVirtualKeyCode": ord(key.upper()),
    }
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchKeyEvent", {"type": "keyDown", "text": key, "unmodifiedText": key, **pressed})
    session.send("Input.dispatchKeyEvent", {"type": "keyUp", **pressed})


def test_a_ticket_is_answered_and_resolved_by_keyboard(
    live_server: Any, monkeypatch: pytest.MonkeyPatch, tenant: Tenant, admin_user: User
) -> None:
    with tenant_context(tenant.pk):
        first, second = open_one(description="No light"), open_one(at=timezone.now())
        desk.create_answer(name="Restart", body="Please restart the box, {customer}.")

    with logged_in(admin_user, live_server.url, monkeypatch, width=1280, height=800) as page:
        page.goto(f"{live_server.url}{LIST}?queue=unresolved")
        page.get_by_role("link", name=first.number).focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{LIST}{first.pk}/**")
        press_access_key(page, "c")
        page.keyboard.type("We looked at it.")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        answer = page.get_by_role("textbox", name="Answer")
        page.wait_for_function("document.querySelector('[name=body]')?.value.includes('restart')")
        typed = answer.input_value()
        page.get_by_role("button", name="Send and resolve").focus()
        page.keyboard.press("Enter")
        page.get_by_text("Answered.").wait_for()
        left = page.get_by_role("textbox", name="Answer").input_value()
        press_access_key(page, "n")
        page.wait_for_url(f"**{LIST}{second.pk}/**")

    with tenant_context(tenant.pk):
        name = Ticket.objects.get(pk=first.pk).subscriber.full_name
        assert typed == f"We looked at it.\n\nPlease restart the box, {name}."
        assert left == ""
        found = Ticket.objects.get(pk=first.pk)
        assert found.status == "resolved"
        said = found.comments.exclude(source="system").order_by("id")
        assert [each.body.replace("\r\n", "\n") for each in said] == ["No light", typed]


def test_a_ticket_is_taken_by_keyboard(
    live_server: Any, monkeypatch: pytest.MonkeyPatch, tenant: Tenant, admin_user: User
) -> None:
    with tenant_context(tenant.pk):
        ticket = open_one()

    with logged_in(admin_user, live_server.url, monkeypatch, width=1280, height=800) as page:
        page.goto(f"{live_server.url}{LIST}{ticket.pk}/change/")
        press_access_key(page, "t")
        page.get_by_role("button", name="Take it").focus()
        page.keyboard.press("Enter")
        page.get_by_text("Yours.").wait_for()

    with tenant_context(tenant.pk):
        assert Ticket.objects.get().assignee == admin_user


@pytest.mark.parametrize("path", [f"{LIST}?queue=unresolved", f"{LIST}load/", "ticket", f"{LIST}add/"])
def test_the_pages_fit_a_phone(
    path: str, live_server: Any, monkeypatch: pytest.MonkeyPatch, tenant: Tenant, admin_user: User
) -> None:
    with tenant_context(tenant.pk):
        subject = make_subject("A subject with a name that is longer than most of the names that people give")
        ticket = open_one(subject=subject, description="https://example.org/" + "long-" * 40)
        tickets.assign(ticket_id=ticket.pk, assignee_id=admin_user.pk, at=timezone.now())
    if path == "ticket":
        path = reverse("admin:support_ticket_change", args=[ticket.pk])

    with logged_in(admin_user, live_server.url, monkeypatch) as page:
        page.goto(live_server.url + path)

        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if "queue" in path:
            assert page.get_by_role("link", name=ticket.number).is_visible()
