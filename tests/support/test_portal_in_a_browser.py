"""The portal in a real browser, as wide as a phone: nothing runs over its edge, and all is reached by hand."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page

from aaa.models import DailyUsage
from billing.models import Language
from ispcore.tenants.context import tenant_context
from subscribers.services.periods import local_date
from support.models import PortalLink, Ticket
from support.services import tickets
from support.services.portal import access
from tests.billing.issued import make_identity, make_issued
from tests.browser import browsing
from tests.support.customers import make_reachable
from tests.support.desk import make_subject
from tests.support.homes import make_home

# The time only ends what hangs, and no busy machine's slow run.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]


@pytest.fixture
def phone(monkeypatch) -> Iterator[Page]:
    with browsing(monkeypatch, viewport={"width": 390, "height": 844}, java_script_enabled=False) as page:
        yield page


@pytest.fixture
def link(tenant) -> str:
    """Where a customer with a line, an overdue invoice, usage and a ticket logs in."""
    with tenant_context(tenant.pk):
        home = make_home()
        customer = make_reachable(line=home.line)
        customer.full_name = "Zoë Müller"
        customer.save()
        make_identity(legal_name="Fibra S.L.", phone="+34 910 000 000")
        make_issued(customer, "39.90")
        today = local_date(timezone.now())
        for number in range(30):
            DailyUsage.objects.create(
                account=home.account, day=today - timedelta(days=number), in4_bytes=10**8 * (number % 4),
                out4_bytes=10**9 * (1 + number * 7 % 11),
            )  # fmt: skip
        subject = make_subject("Slow in the evening")
        make_subject("No connection")
        ticket = tickets.open_ticket(
            subject_id=subject.pk, subscriber_id=customer.pk, subscription_id=home.line.pk, source="customer",
            description="Films stop after eight.", at=timezone.now(),
        )  # fmt: skip
        tickets.comment(ticket_id=ticket.pk, body="We look into it.", at=timezone.now())
        return access.new_link(customer, at=timezone.now()).partition("8000")[2]


def test_a_customer_finds_everything_on_a_phone(tenant, link, phone, live_server):
    widths = {}

    def look(name: str) -> None:
        widths[name] = phone.evaluate("document.documentElement.scrollWidth")

    phone.goto(live_server.url + "/portal/north/")
    look("log in")
    phone.goto(live_server.url + link)
    phone.get_by_role("button", name="Log in").press("Enter")
    phone.get_by_text("Your line is in order").wait_for()
    look("home")
    phone.get_by_role("link", name="Details and usage").press("Enter")
    phone.get_by_text("Usage of the last 30 days").wait_for()
    look("service")
    phone.get_by_role("link", name="Invoices").press("Enter")
    phone.get_by_text("Overdue", exact=True).wait_for()
    look("invoices")
    phone.get_by_role("link", name="Tickets").press("Enter")
    phone.wait_for_url("**/portal/north/tickets")
    look("tickets")
    phone.get_by_role("link", name="Slow in the evening").press("Enter")
    phone.get_by_text("We look into it.").wait_for()
    look("ticket")
    phone.fill("textarea", "It is better now.")
    phone.get_by_role("button", name="Send").press("Enter")
    phone.get_by_text("It is better now.").wait_for()
    phone.get_by_role("link", name="Tickets").press("Enter")
    phone.wait_for_url("**/portal/north/tickets")
    phone.get_by_role("link", name="Open a ticket").press("Enter")
    phone.wait_for_url("**/portal/north/tickets/new")
    look("new ticket")
    phone.select_option("#subject", label="No connection")
    phone.fill("textarea", "No light since noon.")
    phone.get_by_role("button", name="Send").press("Enter")
    phone.get_by_text("No light since noon.").wait_for()
    phone.get_by_role("button", name="Log out").press("Enter")
    phone.get_by_role("button", name="Send me a link").wait_for()

    assert {name: width for name, width in widths.items() if width > 390} == {}
    with tenant_context(tenant.pk):
        assert sorted(Ticket.objects.values_list("source", flat=True)) == ["customer", "customer"]
        assert PortalLink.objects.get().used_at is not None


def test_no_page_runs_over_its_edge_in_any_language(tenant, link, phone, live_server):
    phone.goto(live_server.url + link)
    phone.get_by_role("button", name="Log in").press("Enter")
    phone.wait_for_url("**/portal/north/")
    paths = ["", "services", "invoices", "tickets", "tickets/new", "password"]
    for place in ("services/", "tickets/0"):
        phone.goto(f"{live_server.url}/portal/north/{'tickets' if 'tickets' in place else ''}")
        found = phone.locator(f"main a[href*='/{place}']").first.get_attribute("href")
        paths.append((found or "").removeprefix("/portal/north/"))

    wide, turned = [], set()
    for language, _ in Language.choices:
        for path in paths:
            phone.goto(f"{live_server.url}/portal/north/{path}?language={language}")
            if phone.evaluate("document.documentElement.scrollWidth") > 390:
                wide.append((language, path))
            turned.add((language, phone.evaluate("getComputedStyle(document.body).direction")))

    assert wide == []
    assert turned == {("en", "ltr"), ("es", "ltr"), ("pt", "ltr"), ("ar", "rtl")}
