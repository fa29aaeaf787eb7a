"""One change to many customers or services over the API."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role
from subscribers.models import Hold, Subscriber
from subscribers.services import mass
from tests.client import Api
from tests.factories import PlanFactory, SubscriberFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db
ASYNC = {"Prefer": "respond-async"}
NOBODY = "019a0000-0000-7000-8000-000000000000"


def test_a_preview_counts_and_changes_nothing(api: Api, acting: Tenant) -> None:
    rows = [SubscriberFactory(status=status) for status in ("active", "active", "prospect")]
    ids = [str(row.pk) for row in rows]

    answer = api.post(
        "subscribers/bulk-actions",
        {"action": "suspend", "ids": [*ids, NOBODY], "reason": "staff", "dry_run": True},
    )

    assert answer.status_code == 200
    data = answer.json()["data"]
    assert (data["total"], data["not_found"]) == (3, 1)
    assert [(each["outcome"], each["effect"], each["count"]) for each in data["outcomes"]] == [
        ("suspended", "changed", 2),
        ("prospect", "refused", 1),
    ]
    assert data["outcomes"][0]["message"] == "will be suspended"
    assert not Subscriber.objects.filter(status="suspended").exists()
    assert not Job.objects.exists()


def test_runs_as_a_task_and_counts_what_became_of_them(api: Api, acting: Tenant) -> None:
    line = SubscriptionFactory(status="active", subscriber__status="active")

    answer = api.post(
        "services/bulk-actions",
        {"action": "suspend", "ids": [str(line.pk), NOBODY], "reason": "non_payment", "note": "June"},
        **ASYNC,
    )

    assert answer.status_code == 202
    job = Job.objects.get(pk=answer.json()["data"]["id"])
    jobs.perform(
        tenant_id=str(job.tenant_id),
        job_id=str(job.pk),
        work=lambda run: mass.apply_to_many(run, at=timezone.now()),
    )
    result = api.get(f"tasks/{job.pk}").json()["data"]["result"]
    assert result["counts"] == {"suspended": 1, "gone": 1}
    assert result["refusals"] == [{"id": NOBODY, "number": "", "name": "", "reason": "Not found."}]
    assert Hold.objects.get().note == "June"


def test_a_change_of_product_is_previewed_with_its_price(api: Api, acting: Tenant) -> None:
    line = SubscriptionFactory(status="active", provisioned_at=timezone.now())
    new = PlanFactory(price="99.00")

    answer = api.post(
        "services/bulk-actions",
        {"action": "change_plan", "ids": [str(line.pk)], "product_id": str(new.pk), "dry_run": True},
    )

    (money,) = answer.json()["data"]["proration"]
    assert money["currency"] == "EUR"
    assert float(money["net"]) == pytest.approx(float(money["charge"]) - float(money["credit"]))


@pytest.mark.parametrize(
    ("body", "field", "status"),
    [
        ({"action": "suspend"}, "reason", 422),
        ({"action": "activate", "reason": "staff"}, "reason", 422),
        ({"action": "activate", "ids": []}, "ids", 422),
        ({"action": "add_tags"}, "tags", 422),
        ({"action": "dance"}, "action", 422),
        ({"action": "suspend", "reason": "staff", "until": "2020-01-01T00:00:00Z"}, "until", 422),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(
    api: Api, acting: Tenant, body: dict[str, Any], field: str, status: int
) -> None:
    answer = api.post("subscribers/bulk-actions", {"ids": [NOBODY], **body})

    assert answer.status_code == status
    assert field in answer.content.decode()
    assert not Job.objects.exists()


def test_a_product_that_is_none_is_refused_before_a_task_begins(api: Api, acting: Tenant) -> None:
    line = SubscriptionFactory(status="active")

    answer = api.post(
        "services/bulk-actions",
        {"action": "change_plan", "ids": [str(line.pk)], "product_id": NOBODY},
        **ASYNC,
    )

    assert answer.status_code == 404
    assert not Job.objects.exists()


def test_does_not_know_another_tenants_records(api: Api, acting: Tenant, other_tenant: Tenant) -> None:
    with tenant_context(other_tenant.pk):
        foreign = SubscriberFactory(status="active")
        line = SubscriptionFactory(subscriber=foreign, status="active")
    body = {"action": "suspend", "reason": "staff", "dry_run": True}

    people = api.post("subscribers/bulk-actions", {**body, "ids": [str(foreign.pk)]}).json()["data"]
    services = api.post("services/bulk-actions", {**body, "ids": [str(line.pk)]}).json()["data"]
    for path, row in (("subscribers/bulk-actions", foreign), ("services/bulk-actions", line)):
        api.post(path, {**body, "ids": [str(row.pk)], "dry_run": False}, **ASYNC)
    for job in Job.objects.all():
        jobs.perform(
            tenant_id=str(job.tenant_id),
            job_id=str(job.pk),
            work=lambda run: mass.apply_to_many(run, at=timezone.now()),
        )

    assert (people["total"], people["not_found"], people["outcomes"]) == (0, 1, [])
    assert (services["total"], services["not_found"]) == (0, 1)
    assert [job.result["counts"] for job in Job.objects.all() if job.result] == [{"gone": 1}, {"gone": 1}]
    with tenant_context(other_tenant.pk):
        foreign.refresh_from_db()
        assert foreign.status == "active"
        assert not Hold.objects.exists()


def test_is_refused_to_whom_may_only_look(api_as: Callable[[Role], Api], acting: Tenant) -> None:
    answer = api_as(Role.SUPPORT).post("subscribers/bulk-actions", {"action": "activate", "ids": [NOBODY]})

    assert answer.status_code == 403
