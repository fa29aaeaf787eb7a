"""The pages of billing runs: started, looked at, approved as they were looked at, discarded."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing.models import BillingRun, ParkedAccount, RunStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.billing.cycles import APRIL, MARCH, issued, make_lines, make_settings, planned

pytestmark = pytest.mark.django_db
LIST = reverse("admin:billing_billingrun_changelist")


def page(run: BillingRun) -> str:
    return reverse("admin:billing_billingrun_change", args=[run.pk])


def do(browser: Client, run: BillingRun, action: str, **answers: str) -> Any:
    url = reverse("admin:billing_billingrun_action", args=[run.pk, action])
    return browser.post(url, {"confirmed": "yes", **answers}, follow=True)


@pytest.fixture
def run(tenant: Tenant) -> BillingRun:
    with tenant_context(tenant.pk):
        make_settings()
        make_lines(2)
        issued(MARCH)
        make_lines(1)
        make_lines(1, price="10.50", currency="JPY")
        return planned(APRIL)


def status_of(run: BillingRun, tenant: Tenant) -> str:
    with tenant_context(tenant.pk):
        run.refresh_from_db()
        return run.status


def test_the_list_teaches_when_it_is_empty(browser: Client) -> None:
    assert "Nothing was billed yet" in browser.get(LIST).content.decode()


def test_the_page_says_what_is_asked_and_what_stands_out(browser: Client, run: BillingRun) -> None:
    shown = browser.get(page(run)).content.decode()

    assert "Nothing is issued yet." in shown
    assert "120.00" in shown
    assert "Parked: left out of this run" in shown
    assert "Billed for the first time" in shown


def test_what_was_looked_at_is_approved(browser: Client, run: BillingRun, tenant: Tenant) -> None:
    asked = browser.post(
        reverse("admin:billing_billingrun_action", args=[run.pk, "approve"])
    ).content.decode()

    do(browser, run, "approve", plan_hash=run.plan_hash)

    assert run.plan_hash in asked
    assert "invoices are issued, numbered and booked" in asked
    assert status_of(run, tenant) == RunStatus.APPROVED


def test_another_plan_than_the_one_looked_at_is_refused(
    browser: Client, run: BillingRun, tenant: Tenant
) -> None:
    answer = do(browser, run, "approve", plan_hash="0" * 64)

    assert "The plan is no longer the one you looked at." in answer.content.decode()
    assert status_of(run, tenant) == RunStatus.PLANNED


def test_a_plan_is_discarded(browser: Client, run: BillingRun, tenant: Tenant) -> None:
    do(browser, run, "discard")

    assert status_of(run, tenant) == RunStatus.PLANNED
    assert run.discarded_at is not None


def test_a_run_is_started_and_leads_to_its_page(browser: Client, tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        make_settings(bills_from="2020-01-01")

    answer = browser.post(reverse("admin:billing_billingrun_add"), {"on": "2026-03-01"})

    with tenant_context(tenant.pk):
        started = BillingRun.objects.get()
    assert answer["Location"] == page(started)
    assert (started.status, started.on.isoformat()) == (RunStatus.PLANNING, "2026-03-01")


def test_a_parked_account_leaves_the_work_list(browser: Client, run: BillingRun, tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        parked = ParkedAccount.objects.get()
    shown = browser.get(reverse("admin:billing_parkedaccount_changelist")).content.decode()

    browser.post(
        reverse("admin:billing_parkedaccount_action", args=[parked.pk, "resolve"]), {"confirmed": "yes"}
    )

    assert "Round the price to what the currency has" in shown
    with tenant_context(tenant.pk):
        parked.refresh_from_db()
    assert parked.resolved_at is not None
