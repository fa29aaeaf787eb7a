"""`GET support/diagnosis/{service}`: by id or number, for who may see it, and what each action leads to."""

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import Resolver404, resolve

from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role, roles_that_may
from subscribers.models import HoldReason
from support.api.diagnosis import OPERATIONS
from support.services.diagnosis import PERMISSIONS, ActionCode
from tests.billing.owing import invoice
from tests.client import Api
from tests.support.causes import hold, said
from tests.support.homes import Home, make_home

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(tenant: Tenant) -> Home:
    with tenant_context(tenant.pk):
        return make_home()


def bar(home: Home) -> None:
    with tenant_context(home.line.tenant_id):
        invoice(home.line.subscriber, due_on=home.ago(days=20).date(), amount="62.00")
        hold(home, HoldReason.NON_PAYMENT)


def test_tells_the_verdict_and_every_step(api: Api, home: Home) -> None:
    bar(home)

    found = api.get(f"support/diagnosis/{home.line.number}").json()["data"]

    assert (found["service_id"], found["service_number"]) == (str(home.line.pk), home.line.number)
    assert found["verdict_code"] == "held_non_payment"
    assert found["verdict"] == (
        f"Barred for non-payment since {said(home.ago(days=2))}: 62.00 EUR overdue since "
        f"{home.ago(days=20):%-d %b %Y}."
    )
    assert [(step["step"], step["status"], step["is_blamed"]) for step in found["steps"]] == [
        ("account", "problem", False), ("money", "problem", True), ("radius", "problem", False),
        ("session", "problem", False), ("address", "ok", False), ("onu", "ok", False), ("pon", "ok", False),
        ("outage", "ok", False),
    ]  # fmt: skip
    assert found["action"] == found["steps"][1]["action"] == {
        "code": "record_payment", "label": "Record a payment", "method": "POST", "path": "billing/payments",
        "target_id": str(home.line.subscriber_id), "permission": "billing.add", "is_allowed": True,
    }  # fmt: skip


def test_finds_by_id_as_by_number(api: Api, home: Home) -> None:
    answers = [api.get(f"support/diagnosis/{each}") for each in (home.line.pk, home.line.number)]

    assert [each.status_code for each in answers] == [200, 200]
    assert {each.json()["data"]["verdict_code"] for each in answers} == {"fine"}


@pytest.mark.parametrize("reference", ["0", "nobody", "01900000-0000-7000-8000-000000000000"])
def test_knows_no_other_service(api: Api, home: Home, reference: str) -> None:
    answer = api.get(f"support/diagnosis/{reference}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_another_tenants_service_does_not_exist(api: Api, home: Home, other_tenant: Tenant) -> None:
    with tenant_context(other_tenant.pk):
        theirs = make_home("theirs")

    answers = [
        api.get(f"support/diagnosis/{each}").status_code for each in (theirs.line.pk, theirs.line.number)
    ]

    assert answers == [404, 404]


@pytest.mark.parametrize("role", list(Role))
def test_is_for_who_may_see_support(api_as: Callable[[Role], Api], home: Home, role: Role) -> None:
    answer = api_as(role).get(f"support/diagnosis/{home.line.number}")

    assert answer.status_code == (200 if role in roles_that_may("support", "view") else 403)


def test_amounts_and_actions_are_those_of_the_role(api_as: Callable[[Role], Api], home: Home) -> None:
    bar(home)

    found = api_as(Role.SUPPORT).get(f"support/diagnosis/{home.line.number}").json()["data"]

    assert found["verdict"] == (
        f"Barred for non-payment since {said(home.ago(days=2))}: invoices are overdue since "
        f"{home.ago(days=20):%-d %b %Y}."
    )
    assert "62.00" not in str(found)
    assert found["action"]["is_allowed"] is False


def test_every_action_has_a_permission_and_an_operation_that_exists() -> None:
    assert set(PERMISSIONS) == set(OPERATIONS) == set(ActionCode)
    pk = "01900000-0000-7000-8000-000000000000"
    missing: list[Any] = []
    for code, (_, path) in OPERATIONS.items():
        try:
            resolve(f"/api/v1/{path.format(id=pk, service=pk)}")
        except Resolver404:
            missing.append(code)
    assert missing == []
