"""Many at the same moment, and many of one sort: links, passwords, addresses that are tried."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from ispcore.api.throttles import GcraLimit
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from support.models import PortalAccount, PortalLink
from support.pages import entry
from support.services.portal import access, staff
from tests.billing.mail_server import MailServer
from tests.support.customers import browser_of, make_reachable

LOG_IN = "/portal/north/log-in"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def customer(tenant):
    with tenant_context(tenant.pk):
        return make_reachable()


def posted(path, data=None, **of_client):
    try:
        return Client(**of_client).post(path, data or {}).status_code
    finally:
        connections.close_all()


def together(count, work):
    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(work, range(count)))


def test_64_requests_at_once_for_one_address_send_one_letter(tenant, customer, settings):
    answers = together(64, lambda _: posted(LOG_IN, {"email": "jane@customer.example"}))

    with MailServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
        with tenant_context(tenant.pk):
            (job,) = Job.objects.all()
        at = timezone.now()
        jobs.perform(
            tenant_id=str(tenant.pk), job_id=str(job.pk), work=lambda run: access.send_link(run, at=at)
        )

    assert answers == {200: 3, 429: 61}
    assert len(server.messages) == 1
    with tenant_context(tenant.pk):
        assert PortalLink.objects.count() == 1


def test_of_16_at_one_link_one_gets_in(tenant, customer):
    with tenant_context(tenant.pk):
        path = access.new_link(customer, at=timezone.now()).partition("8000")[2]

    answers = together(16, lambda _: posted(path))

    assert answers == {302: 1, 410: 15}
    with tenant_context(tenant.pk):
        assert PortalAccount.objects.count() == 1


def test_who_enters_while_staff_close_the_access_stays_outside(tenant, customer):
    for _ in range(5):
        with tenant_context(tenant.pk):
            PortalAccount.objects.update(closed_at=None)
            account = PortalAccount.objects.get_or_create(subscriber=customer)[0]
            path = access.new_link(customer, at=timezone.now()).partition("8000")[2]

        def enter(path=path):
            return posted(path)

        def close(account=account):
            try:
                with tenant_context(tenant.pk):
                    return staff.close_access(account_id=account.pk, at=timezone.now())
            finally:
                connections.close_all()

        with ThreadPoolExecutor(2) as pool:
            entered, closed = pool.submit(enter), pool.submit(close)

        assert entered.result() in (302, 410)
        assert closed.result().user is None
        with tenant_context(tenant.pk):
            assert (PortalAccount.objects.get().user, PortalLink.objects.count()) == (None, 0)


def test_who_tries_many_addresses_or_passwords_from_one_place_is_stopped(tenant, customer, monkeypatch):
    # The same burst, and an hour until the next: forty passwords take a busy machine a while.
    monkeypatch.setattr(entry, "SPRAY_LIMIT", GcraLimit(rate=1, period=3600, burst=30))
    tried = together(
        40, lambda number: posted(LOG_IN, {"email": f"c{number}@customer.example", "password": "x" * 12})
    )
    asked = posted(LOG_IN, {"email": "jane@customer.example"})
    elsewhere = posted(LOG_IN, {"email": "jane@customer.example"}, REMOTE_ADDR="203.0.113.7")

    assert (tried[422], tried[429]) == (30, 10)
    assert (asked, elsewhere) == (429, 200)


def test_a_log_in_planted_beforehand_ends_with_the_customer_s_own(tenant, customer):
    with tenant_context(tenant.pk):
        other = make_reachable("other@customer.example")
    planted = browser_of(tenant, other)
    before = planted.cookies["portal"].value

    with tenant_context(tenant.pk):
        path = access.new_link(customer, at=timezone.now()).partition("8000")[2]
    planted.get(path)
    token = planted.cookies["csrftoken"].value
    planted.post(path)

    with tenant_context(tenant.pk):
        account = PortalAccount.objects.get(subscriber=customer)
    assert planted.cookies["portal"].value != before
    assert planted.cookies["csrftoken"].value != token
    page = planted.get("/portal/north/password").content.decode()
    assert account.user.email in page
