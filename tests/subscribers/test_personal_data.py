"""All that is stored on one customer, in one file."""

import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ispcore.files import services as files
from ispcore.files.models import StoredFile
from ispcore.files.tenant_export.contents import tenant_models
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import AuditEntry, Tenant
from ispcore.tenants.roles import Role
from subscribers.models import Premise, Subscriber
from subscribers.services import personal_data
from subscribers.tasks import export_person
from support.models import Subject, Ticket
from tests.aaa.online import make_account
from tests.client import Api
from tests.factories import PlanFactory, SubscriberFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db
ASYNC = {"Prefer": "respond-async"}


def make_person(name: str) -> Subscriber:
    person: Subscriber = SubscriberFactory(full_name=name)
    line = SubscriptionFactory(
        subscriber=person, premise__city=f"City of {name}", wifi_password="never-shown"
    )
    make_account(name.lower(), subscription=line, password="never-shown")
    at = timezone.now()
    Ticket.objects.create(
        number=f"TKT-{Ticket.objects.count():06d}", subject=Subject.objects.get_or_create(name="No connection")[0],
        title=f"{name} is offline", priority="normal", subscription=line, subscriber=person, due_at=at,
        first_response_due_at=at,
    )  # fmt: skip
    return person


def exported(api: Api, person: Subscriber) -> zipfile.ZipFile:
    answer = api.post(f"subscribers/{person.pk}/data-export", **ASYNC)
    assert answer.status_code == 202
    job = Job.objects.get(pk=answer.json()["data"]["id"])
    export_person(tenant_id=str(job.tenant_id), job_id=str(job.pk))
    job.refresh_from_db()
    assert job.result is not None, job.error_message
    content = b"".join(api.get(f"files/{job.result['file_id']}/content", Accept="application/zip"))
    return zipfile.ZipFile(io.BytesIO(content))


def test_holds_what_every_app_keeps_and_nothing_of_others(api: Api, acting: Tenant) -> None:
    ada, bob = make_person("Ada"), make_person("Bob")

    archive = exported(api, ada)

    def part(name: str) -> Any:
        return json.loads(archive.read(f"{name}.json"))

    text = b"".join(archive.read(name) for name in archive.namelist())
    assert [row["full_name"] for row in part("subscribers.Subscriber")] == ["Ada"]
    assert [row["city"] for row in part("subscribers.Premise")] == ["City of Ada"]
    assert [row["username"] for row in part("aaa.Account")] == ["ada"]
    assert [row["title"] for row in part("support.Ticket")] == ["Ada is offline"]
    assert part("contents")["subscribers.Subscription"] == 1
    assert b"Bob" not in text
    assert str(bob.pk).encode() not in text
    assert b"never-shown" not in text


def test_who_asked_is_recorded(api: Api, acting: Tenant) -> None:
    person = SubscriberFactory()

    api.post(f"subscribers/{person.number}/data-export", **ASYNC)

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.detail) == ("exported a person's data", f"subscriber {person.number}")


@pytest.mark.parametrize("role", Role)
def test_is_for_administrators(api_as: Callable[[Role], Api], acting: Tenant, role: Role) -> None:
    person = SubscriberFactory()

    answer = api_as(role).post(f"subscribers/{person.pk}/data-export", **ASYNC)

    assert answer.status_code == (202 if role == Role.ADMINISTRATOR else 403)
    assert Job.objects.exists() == (role == Role.ADMINISTRATOR)


def test_the_file_is_not_for_who_may_view_subscribers(
    api: Api, api_as: Callable[[Role], Api], acting: Tenant
) -> None:
    exported(api, SubscriberFactory())
    file = StoredFile.objects.get()
    staff = api_as(Role.STAFF_MEMBER)

    assert staff.get(f"files/{file.pk}").status_code == 403
    assert staff.get(f"files/{file.pk}/content").status_code == 403
    assert staff.get("files").json()["data"] == []


def test_another_tenants_customer_is_not_found(api: Api, acting: Tenant, other_tenant: Tenant) -> None:
    with tenant_context(other_tenant.pk):
        theirs = SubscriberFactory()

    assert api.post(f"subscribers/{theirs.pk}/data-export").status_code == 404
    assert not Job.objects.exists()


def test_one_that_fails_half_way_leaves_no_file(
    api: Api, acting: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = SubscriberFactory()
    api.post(f"subscribers/{person.pk}/data-export", **ASYNC)
    job = Job.objects.get()

    def dies(*_: Any) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(personal_data, "_rows", dies)
    export_person(tenant_id=str(job.tenant_id), job_id=str(job.pk))

    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert not StoredFile.objects.filter(completed_at__isnull=False).exists()


def test_costs_the_same_for_many_rows(acting: Tenant, query_count: Callable[..., int]) -> None:
    person, plan = SubscriberFactory(), PlanFactory()
    SubscriptionFactory(subscriber=person, plan=plan)
    one = query_count(personal_data.rows_of_person, person.pk)
    for _ in range(5):
        SubscriptionFactory(subscriber=person, plan=plan)

    assert query_count(personal_data.rows_of_person, person.pk) == one


def test_is_kept_for_a_week(api: Api, acting: Tenant) -> None:
    exported(api, SubscriberFactory())

    file = StoredFile.objects.get()
    assert file.expires_at is not None
    assert abs(file.expires_at - file.created_at - files.KEEP_FOR) < timedelta(minutes=1)


def test_says_how_far_it_is_while_it_writes(
    api: Api, acting: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "HEARTBEAT_EVERY_SECONDS", 0)
    monkeypatch.setattr(personal_data, "PAGE_ROWS", 1)
    told: list[tuple[int, int]] = []
    progress = jobs.Run.progress

    def heard(run: jobs.Run, done: int, total: int, message: str = "") -> None:
        progress(run, done, total, message)
        row = Job.objects.get(pk=run.job_id)
        told.append((row.progress_done, row.progress_total))

    monkeypatch.setattr(jobs.Run, "progress", heard)

    archive = exported(api, make_person("Ada"))

    rows = sum(json.loads(archive.read("contents.json")).values())
    assert told == [(number, rows) for number in range(1, rows + 1)]


def test_one_that_is_no_longer_its_workers_makes_no_file(
    api: Api, acting: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = make_person("Ada")
    api.post(f"subscribers/{person.pk}/data-export", **ASYNC)
    job = Job.objects.get()
    rows = personal_data._rows

    def cancelled_meanwhile(*given: Any) -> Any:
        Job.objects.filter(pk=job.pk, status=JobStatus.RUNNING).update(
            status=JobStatus.CANCELLED, finished_at=timezone.now()
        )
        return rows(*given)

    monkeypatch.setattr(personal_data, "_rows", cancelled_meanwhile)
    export_person(tenant_id=str(job.tenant_id), job_id=str(job.pk))

    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED
    assert not StoredFile.objects.filter(completed_at__isnull=False).exists()


# What hangs on a record of the customer's and is left out, and why.
NOT_THE_CUSTOMERS = {
    "subscribers.SubscriberWord": "the beginnings of words by which search finds what stands elsewhere",
    "hardware.Reading": "of the ONU, which goes from hand to hand",
    "hardware.OnuEvent": "of the ONU, which goes from hand to hand",
    "hardware.OutageOnu": "of the ONU, which goes from hand to hand",
}


def test_whatever_points_at_a_customer_or_at_what_is_theirs_is_in_the_file() -> None:
    exported_models = {model for edges in personal_data._edges().values() for model, _ in edges}
    exported_models |= {Subscriber, Premise}
    by_name = {"subscriber_id", "subscription_id", "customer_id", "service_id", "ticket_id", "invoice_id"}
    pointing = {
        model._meta.label
        for model in tenant_models().values()
        if model not in exported_models
        for field in model._meta.concrete_fields
        if field.attname in by_name
        or (field.related_model in exported_models - {Premise} and not field.name.startswith("pgh_"))
    }

    assert pointing == set(NOT_THE_CUSTOMERS)


def test_owners_are_models_and_each_is_reached() -> None:
    labels = {model._meta.label for model in tenant_models().values()}
    reached = {model._meta.label for edges in personal_data._edges().values() for model, _ in edges}

    assert labels >= personal_data.OWNERS
    assert reached | {"subscribers.Subscriber"} >= personal_data.OWNERS
