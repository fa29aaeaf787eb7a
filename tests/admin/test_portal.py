"""Customers' log-ins in the staff site: invited, sent a link, logged out, closed and opened again."""

import pytest

from ispcore.admin.actions import CONFIRMED
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import AuditEntry, Membership
from ispcore.tenants.roles import Role
from support.models import PortalAccount, PortalLink
from tests.client import Api
from tests.support.customers import browser_of, enter, make_reachable, with_address

pytestmark = pytest.mark.django_db
ADD = "/admin/support/portalaccount/add/"


@pytest.fixture
def customer(tenant):
    with tenant_context(tenant.pk):
        return make_reachable()


def press(browser, account, name):
    url = f"/admin/support/portalaccount/{account.pk}/do/{name}/"
    return browser.post(url, {CONFIRMED: "yes"}, follow=True).content.decode()


def tab(browser, customer):
    return browser.get(f"/admin/subscribers/subscriber/{customer.pk}/change/?tab=portal").content.decode()


def links_asked_for(tenant):
    with tenant_context(tenant.pk):
        return [each.params["email"] for each in Job.objects.filter(kind="support.send_portal_link")]


def deeds(tenant):
    with tenant_context(tenant.pk):
        return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


def test_a_customer_is_invited_from_their_page(browser, tenant, customer):
    before = tab(browser, customer)

    made = browser.post(ADD, {"subscriber": str(customer.pk)}, follow=True).content.decode()

    assert f"{ADD}?subscriber={customer.pk}" in before
    assert "The log-in link is on its way" in made
    assert "Invited" in tab(browser, customer)
    assert links_asked_for(tenant) == ["jane@customer.example"]
    assert "sent a portal log-in link" in deeds(tenant)


@pytest.mark.parametrize(
    ("email", "said"), [("", "has no e-mail address"), ("both@customer.example", "alone")]
)
def test_who_could_not_log_in_is_not_invited(browser, tenant, customer, email, said):
    with tenant_context(tenant.pk):
        with_address(customer, email)
        make_reachable("both@customer.example")

    answer = browser.post(ADD, {"subscriber": str(customer.pk)})

    assert said in answer.content.decode()
    assert links_asked_for(tenant) == []
    with tenant_context(tenant.pk):
        assert not PortalAccount.objects.exists()


def test_all_log_ins_are_ended_and_written_down(browser, tenant, customer):
    phone = browser_of(tenant, customer)
    with tenant_context(tenant.pk):
        account = PortalAccount.objects.get()

    said = press(browser, account, "end_log_ins")

    assert "Logged out on every device." in said
    assert phone.get("/portal/north/").status_code == 302
    assert "ended the portal log-ins" in deeds(tenant)
    assert browser_of(tenant, customer).get("/portal/north/").status_code == 200


def test_closed_it_lets_nobody_in_until_it_is_opened(browser, tenant, customer):
    phone = browser_of(tenant, customer)
    with tenant_context(tenant.pk):
        account = PortalAccount.objects.get()
        api = Api(account.user)

    said = press(browser, account, "close_access")
    with tenant_context(tenant.pk):
        shut = PortalAccount.objects.get()
        assert (shut.user, shut.closed_at is None) == (None, False)
        assert not PortalLink.objects.exists()
        assert not Membership.objects.filter(user=account.user).exists()
    assert "The access is closed." in said
    assert ">Closed<" in tab(browser, customer)
    assert phone.get("/portal/north/").status_code == 302
    assert api.get("me/services").status_code in (401, 403)
    assert "it was closed" in press(browser, account, "send_link")
    assert links_asked_for(tenant) == []

    press(browser, account, "open_access")
    with tenant_context(tenant.pk):
        assert enter(customer).user == account.user


def test_who_works_at_the_desk_sends_links_and_closes_nothing(browser_as, tenant, customer):
    with tenant_context(tenant.pk):
        account = PortalAccount.objects.create(subscriber=customer)
    desk = browser_as(Role.SUPPORT)

    assert "on its way" in press(desk, account, "send_link")
    closed = desk.post(f"/admin/support/portalaccount/{account.pk}/do/close_access/", {CONFIRMED: "yes"})
    assert closed.status_code == 403
    assert "Close access" not in tab(desk, customer)
    with tenant_context(tenant.pk):
        assert PortalAccount.objects.get().closed_at is None
