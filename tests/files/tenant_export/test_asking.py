"""The export as a provider's administrator asks for it."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from ispcore.files.models import StoredFile
from ispcore.files.tasks import export_tenant
from ispcore.files.tenant_export import requesting
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import AuditEntry, Tenant
from ispcore.tenants.roles import Role
from tests.aaa.online import make_account
from tests.admin.conftest import browser_of
from tests.client import Api
from tests.factories import SubscriberFactory

pytestmark = pytest.mark.django_db(transaction=True)
ASYNC = {"Prefer": "respond-async"}
PASSPHRASE = "correct horse battery staple"
PAGE = "/admin/all-data/"


def only_job(tenant: Tenant) -> Job:
    with tenant_context(tenant.pk):
        found: Job = Job.objects.get()
        return found


def made(api: Api, tenant: Tenant, body: Any = None) -> tuple[Job, zipfile.ZipFile]:
    answer = api.post("tenant-export", body, **ASYNC)
    assert answer.status_code == 202, answer.content
    export_tenant(tenant_id=str(tenant.pk), job_id=answer.json()["data"]["id"])
    job = only_job(tenant)
    assert job.result is not None, job.error_message
    content = b"".join(api.get(f"files/{job.result['file_id']}/content", Accept="application/zip"))
    return job, zipfile.ZipFile(io.BytesIO(content))


def test_holds_this_providers_rows_alone(api: Api, tenant: Tenant, other_tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        SubscriberFactory(full_name="Ada Own")
    with tenant_context(other_tenant.pk):
        SubscriberFactory(full_name="Fiona Foreigner")

    job, archive = made(api, tenant)

    rows = [json.loads(line) for line in archive.read("tables/subscribers.Subscriber.ndjson").splitlines()]
    manifest = json.loads(archive.read("manifest.json"))
    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert [row["full_name"] for row in rows] == ["Ada Own"]
    assert manifest["tables"]["subscribers.Subscriber"]["rows"] == 1
    assert job.result is not None
    assert job.result["rows"] == sum(each["rows"] for each in manifest["tables"].values())
    assert b"Fiona" not in everything
    assert str(other_tenant.pk).encode() not in everything


def test_the_passphrase_is_kept_nowhere_in_clear(api: Api, tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        make_account("jane", password="jane-password")

    job, archive = made(api, tenant, {"passphrase": PASSPHRASE})

    row = json.loads(archive.read("tables/aaa.Account.ndjson"))
    assert row["password"].startswith("x1.")
    assert PASSPHRASE not in json.dumps(job.params)
    assert job.params["passphrase"].startswith("v1.")


def test_a_short_passphrase_is_refused(api: Api, tenant: Tenant) -> None:
    answer = api.post("tenant-export", {"passphrase": "short"}, **ASYNC)

    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "passphrase"
    with tenant_context(tenant.pk):
        assert not Job.objects.exists()


def test_asked_again_it_is_the_same_job_and_both_are_recorded(api: Api, tenant: Tenant) -> None:
    first = api.post("tenant-export", **ASYNC).json()["data"]["id"]
    second = api.post("tenant-export", {"passphrase": PASSPHRASE}, **ASYNC).json()["data"]["id"]

    assert first == second
    with tenant_context(tenant.pk):
        told = list(AuditEntry.objects.order_by("pk").values_list("action", "detail"))
    assert told == [
        ("exported all data", "without secrets"),
        ("exported all data", "with secrets, under a passphrase"),
    ]


@pytest.mark.parametrize("role", Role)
def test_is_for_administrators(api_as: Callable[[Role], Api], tenant: Tenant, role: Role) -> None:
    answer = api_as(role).post("tenant-export", **ASYNC)

    assert answer.status_code == (202 if role == Role.ADMINISTRATOR else 403)
    with tenant_context(tenant.pk):
        assert Job.objects.exists() == (role == Role.ADMINISTRATOR)


def test_one_that_grows_too_large_ends_with_what_to_do(
    api: Api, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requesting, "MOST_BYTES", 1_000)
    answer = api.post("tenant-export", **ASYNC)

    export_tenant(tenant_id=str(tenant.pk), job_id=answer.json()["data"]["id"])

    job = only_job(tenant)
    assert (job.status, job.error_code) == (JobStatus.FAILED, "export_too_large")
    with tenant_context(tenant.pk):
        assert not StoredFile.objects.filter(completed_at__isnull=False).exists()


class TestPage:
    @pytest.fixture
    def browser(self, admin_user: Any) -> Client:
        return browser_of(admin_user)

    def test_starts_the_job(self, browser: Client, tenant: Tenant) -> None:
        assert b"All data of North" in browser.get(PAGE).content

        answer = browser.post(PAGE, {"passphrase": PASSPHRASE, "again": PASSPHRASE})

        job = only_job(tenant)
        assert answer["Location"] == f"/admin/jobs/job/{job.pk}/change/"
        assert (job.kind, job.label) == (requesting.KIND, "All data of this provider")

    @pytest.mark.parametrize(
        ("typed", "words"),
        [
            ({"passphrase": PASSPHRASE, "again": "something else"}, "another passphrase"),
            ({"passphrase": "short", "again": "short"}, "at least 12 characters"),
        ],
    )
    def test_asks_again(self, browser: Client, tenant: Tenant, typed: dict[str, str], words: str) -> None:
        answer = browser.post(PAGE, typed)

        assert answer.status_code == 200
        assert words in answer.content.decode()
        with tenant_context(tenant.pk):
            assert not Job.objects.exists()

    def test_is_closed_to_others(self, tenant: Tenant, make_user: Any) -> None:
        staff = browser_of(make_user("staff", {tenant: Role.STAFF_MEMBER}))

        assert staff.get(PAGE).status_code == 403
        assert staff.post(PAGE, {}).status_code == 403
        with tenant_context(tenant.pk):
            assert not Job.objects.exists()
