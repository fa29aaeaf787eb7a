"""Export from the lists of the staff site: what the list shows or what was chosen, and nothing else."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.admin import helpers
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from ispcore.admin.actions import CONFIRMED
from ispcore.admin.exports import ACTION
from ispcore.admin.site import site
from ispcore.files import exports
from ispcore.files.models import StoredFile
from ispcore.files.tasks import export as export_task
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import AuditEntry, Tenant, User
from ispcore.tenants.roles import Role
from subscribers.models import Subscriber, SubscriberStatus
from subscribers.services import customers
from tests.admin.conftest import browser_of
from tests.factories import OltFactory, OnuFactory, ZoneFactory

pytestmark = pytest.mark.django_db

EXPORTED = [model for model in site._registry if exports.of_model(model)]


def list_url(model: Any, query: str = "") -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") + query


def dialog_url(model: Any, query: str = "") -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_export") + query


def export_shown(browser: Client, model: Any, query: str = "", file_format: str = "csv") -> Any:
    """Confirm the dialog, which sends what the dialog holds to where the dialog says."""
    dialog = browser.get(dialog_url(model, query))
    answers = {**dict(dialog.context["again"]), CONFIRMED: "yes", "file_format": file_format}
    return browser.post(dialog.context["post_url"], answers)


def export_chosen(browser: Client, rows: list[Any], file_format: str = "csv") -> Any:
    answers = {
        "action": ACTION,
        "select_across": "0",
        helpers.ACTION_CHECKBOX_NAME: [str(row.pk) for row in rows],
        CONFIRMED: "yes",
        "file_format": file_format,
    }
    return browser.post(list_url(type(rows[0])), answers)


def run_last(tenant: Tenant) -> Job:
    with tenant_context(tenant.pk):
        job: Job = Job.objects.latest("created_at")
    export_task(tenant_id=str(tenant.pk), job_id=str(job.pk))
    with tenant_context(tenant.pk):
        job.refresh_from_db()
    return job


def fetch(browser: Client, job: Job) -> bytes:
    assert job.result is not None, job.error_message
    return b"".join(browser.get(reverse("admin:download_file", args=[job.result["file_id"]])))


def names_in(content: bytes, column: str = "Name") -> list[str]:
    return [row[column] for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))]


@pytest.fixture
def people(tenant: Tenant) -> dict[str, Subscriber]:
    """Thirty customers, more than a page shows: in three statuses, some with a tag."""
    statuses = (SubscriberStatus.ACTIVE, SubscriberStatus.PROSPECT, SubscriberStatus.INACTIVE)
    with tenant_context(tenant.pk):
        made = [
            customers.create_subscriber(
                full_name=f"{('Ana', 'Rui')[n % 2]} Silva {n}",
                status=statuses[n % 3],
                tags=["vip"] if n % 5 else [],
            )
            for n in range(30)
        ]
    return {each.full_name: each for each in made}


class TestWhatIsShown:
    @pytest.mark.parametrize(
        "query",
        [
            "",
            "?p=2",
            "?o=1.-2",
            "?status__exact=active",
            "?q=rui+silva",
            "?q=ana&status__exact=prospect&tag=vip&o=2&p=1",
            "?tag=" + quote("no such tag"),
            "?all=",
        ],
    )
    def test_is_what_is_exported(
        self, query: str, browser: Client, people: dict[str, Subscriber], tenant: Tenant
    ) -> None:
        shown = browser.get(list_url(Subscriber, query)).context["cl"].queryset
        with tenant_context(tenant.pk):
            wanted = sorted(row.full_name for row in shown.all())

        answer = export_shown(browser, Subscriber, query)
        job = run_last(tenant)

        assert answer["Location"] == reverse("admin:jobs_job_change", args=[job.pk])
        assert sorted(names_in(fetch(browser, job))) == wanted

    def test_of_filters_over_relations_counts_each_row_once(self, browser: Client, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            olts = [OltFactory(name=name) for name in ("Hill", "Town")]
            for olt in olts:
                for power in (-19.0, -35.0):
                    OnuFactory(olt=olt, rx_power_dbm=power, serial=f"{olt.name.upper()}{power:.0f}")
        onu = next(model for model in EXPORTED if model._meta.model_name == "onu")
        query = f"?olt__id__exact={olts[0].pk}&q=HILL"

        export_shown(browser, onu, query)

        assert sorted(names_in(fetch(browser, run_last(tenant)), "Serial")) == ["HILL-19", "HILL-35"]

    @pytest.mark.parametrize("model", EXPORTED, ids=lambda model: model._meta.label)
    def test_has_a_button_that_asks(
        self, model: Any, browser: Client, rows: dict[str, Any], tenant: Tenant
    ) -> None:
        page = browser.get(list_url(model, "?q=x")).content.decode()
        dialog = browser.get(dialog_url(model), headers={"HX-Request": "true"}).content.decode()

        assert dialog_url(model, "?q=x") in page
        assert "the whole list" in dialog
        assert "Excel workbook" in dialog
        with tenant_context(tenant.pk):
            assert not Job.objects.filter(kind=exports.KIND).exists()

    @pytest.mark.parametrize("model", EXPORTED, ids=lambda model: model._meta.label)
    def test_works_for_every_list(
        self, model: Any, browser: Client, rows: dict[str, Any], foreign_rows: dict[str, Any], tenant: Tenant
    ) -> None:
        export_shown(browser, model, file_format="xlsx")
        job = run_last(tenant)

        sheet = load_workbook(io.BytesIO(fetch(browser, job))).active
        assert sheet is not None
        header, *lines = sheet.iter_rows(values_only=True)
        with tenant_context(tenant.pk):
            theirs = {str(key) for key in model.objects.values_list("pk", flat=True)}
        found = [line[header.index("ID")] for line in lines]
        assert len(found) == len(theirs)
        assert {str(rows[model._meta.label].pk)} <= set(found) == theirs

    def test_a_list_of_which_nothing_is_left_gives_its_header(self, browser: Client, tenant: Tenant) -> None:
        export_shown(browser, Subscriber, "?q=nobody")
        job = run_last(tenant)

        assert fetch(browser, job).startswith(b"\xef\xbb\xbfNumber,External ID,")
        assert job.result is not None
        assert job.result["rows"] == 0

    def test_asks_of_filters_that_cannot_be_read_to_open_the_list_again(
        self, browser: Client, tenant: Tenant, people: dict[str, Subscriber], admin_user: User
    ) -> None:
        refused = browser.get(dialog_url(Subscriber, "?created_at__gte=x"))
        with tenant_context(tenant.pk):
            exports.request_export(
                export=exports.find("subscribers"),
                file_format="csv",
                bom=True,
                rows_from="staff list",
                asked={"query": "created_at__gte=x"},
                role=Role.ADMINISTRATOR,
                user_id=admin_user.pk,
                ip=None,
                request_id="",
            )

        job = run_last(tenant)

        assert refused.status_code == 302
        assert (job.status, job.error_code) == (JobStatus.FAILED, "list_not_readable")


class TestWhatIsChosen:
    def test_is_what_is_exported(
        self, browser: Client, people: dict[str, Subscriber], tenant: Tenant, admin_user: User
    ) -> None:
        chosen = ["Ana Silva 0", "Rui Silva 29"]

        answer = export_chosen(browser, [people[name] for name in chosen], "csv-plain")
        content = fetch(browser, job := run_last(tenant))

        assert answer.status_code == 302
        assert content.startswith(b"Number,")
        assert sorted(names_in(content)) == chosen
        with tenant_context(tenant.pk):
            entry = AuditEntry.objects.get()
            file = StoredFile.objects.get()
        assert (entry.action, entry.detail, entry.user_id) == (
            "exported subscribers",
            "csv: 2 chosen",
            admin_user.pk,
        )
        assert (job.requested_by_id, file.created_by_id) == (admin_user.pk, admin_user.pk)

    def test_is_asked_for_with_its_rows(self, browser: Client, people: dict[str, Subscriber]) -> None:
        row = people["Ana Silva 0"]

        page = browser.post(
            list_url(Subscriber), {"action": ACTION, helpers.ACTION_CHECKBOX_NAME: [str(row.pk)]}
        ).content.decode()

        assert "These rows are written into a file" in page
        assert "Ana Silva 0" in page

    def test_of_another_tenants_rows_is_nothing(
        self, browser: Client, people: dict[str, Subscriber], foreign_rows: dict[str, Any], tenant: Tenant
    ) -> None:
        export_chosen(browser, [people["Ana Silva 0"], foreign_rows["subscribers.Subscriber"]])

        assert names_in(fetch(browser, run_last(tenant))) == ["Ana Silva 0"]

    def test_in_a_format_that_is_none_asks_again(
        self, browser: Client, people: dict[str, Subscriber], tenant: Tenant
    ) -> None:
        answer = export_chosen(browser, [people["Ana Silva 0"]], "pdf")

        assert "pdf is not one of the available choices" in answer.content.decode()
        with tenant_context(tenant.pk):
            assert not Job.objects.exists()


class TestWho:
    def test_who_may_not_view_the_list_may_not_export_it(
        self, browser_as: Callable[[Role], Client], tenant: Tenant
    ) -> None:
        olt = next(model for model in EXPORTED if model._meta.model_name == "olt")
        browser = browser_as(Role.SUBSCRIBER_ACCOUNTS)

        answers = [
            browser.get(dialog_url(olt)),
            browser.post(list_url(olt), {"action": ACTION, "select_across": "1", CONFIRMED: "yes"}),
        ]

        assert [answer.status_code for answer in answers] == [403, 403]
        with tenant_context(tenant.pk):
            assert not Job.objects.exists()

    def test_the_file_is_for_who_may_view_what_it_is_of(
        self,
        browser_as: Callable[[Role], Client],
        browser: Client,
        make_user: Callable[..., User],
        tenant: Tenant,
        other_tenant: Tenant,
    ) -> None:
        olt = next(model for model in EXPORTED if model._meta.model_name == "olt")
        export_shown(browser, olt)
        job = run_last(tenant)
        assert job.result is not None
        url = reverse("admin:download_file", args=[job.result["file_id"]])
        accounts = browser_as(Role.SUBSCRIBER_ACCOUNTS)
        stranger = browser_of(make_user("stranger", {other_tenant: Role.ADMINISTRATOR}))

        answers = [
            each.get(url).status_code for each in (browser_as(Role.SUPPORT), accounts, stranger, Client())
        ]
        page = accounts.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()

        assert answers == [200, 403, 404, 302]
        assert "Your role may not view what is in this file." in page
        assert url not in page


class TestJobsPage:
    def test_leads_to_the_file_and_says_when_it_is_gone(self, browser: Client, tenant: Tenant) -> None:
        zone = next(model for model in EXPORTED if model._meta.model_name == "zone")
        with tenant_context(tenant.pk):
            ZoneFactory(name="Harbour")
        export_shown(browser, zone)
        job = run_last(tenant)
        assert job.result is not None
        page_url = reverse("admin:jobs_job_change", args=[job.pk])
        file_url = reverse("admin:download_file", args=[job.result["file_id"]])

        ready = browser.get(page_url).content.decode()
        content = browser.get(file_url)
        with tenant_context(tenant.pk):
            StoredFile.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        over, gone = browser.get(page_url).content.decode(), browser.get(file_url)
        with tenant_context(tenant.pk):
            StoredFile.objects.all().delete()
        deleted = browser.get(page_url)

        assert file_url in ready
        assert content["Content-Disposition"] == f'attachment; filename="{job.result["name"]}"'
        assert file_url not in over
        assert "Export the list again" in over
        assert gone.status_code == 410
        assert "is gone. Ask for it again" in gone.content.decode()
        assert deleted.status_code == 200
        assert browser.get(file_url).status_code == 404
