"""The pages of an import: upload, columns, check, import, errors."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from ispcore.tenants.roles import Role
from subscribers.models import Import, ImportStatus, Subscriber
from tests.subscribers.importing import counts, csv_of, perform, upload

pytestmark = pytest.mark.django_db
ADD = reverse("admin:subscribers_import_add")
CONTENT = csv_of(
    [["Nome", "Telefone", "Senha WiFi"], ["Maria", "+351912345678", "hidden-one"], ["Rui", "none", ""]]
)


def page(pk: Any) -> str:
    return reverse("admin:subscribers_import_change", args=[pk])


def do(browser: Client, pk: Any, action: str) -> Any:
    url = reverse("admin:subscribers_import_action", args=[pk, action])
    return browser.post(url, {"confirmed": "yes"}, follow=True)


@pytest.fixture
def of_import(tenant: Tenant) -> Import:
    with tenant_context(tenant.pk):
        return upload(CONTENT, name="clientes.csv")


def test_a_file_is_uploaded_and_leads_to_its_columns(browser: Client, tenant: Tenant) -> None:
    form = {"upload": SimpleUploadedFile("clientes.csv", CONTENT), "on_duplicate": "update", "written_in": ""}

    response = browser.post(ADD, form, follow=True)

    with tenant_context(tenant.pk):
        made = Import.objects.get()
    shown = response.content.decode()
    assert response.redirect_chain == [(page(made.pk), 302)]
    assert (made.on_duplicate, made.mapping["Nome"]) == ("update", "full_name")
    assert "+351912345678" in shown
    assert "hidden-one" not in shown
    assert made.created_by is not None


def test_a_refused_file_is_told_at_its_field_and_the_rest_stays(browser: Client, tenant: Tenant) -> None:
    form = {"upload": SimpleUploadedFile("x.csv", b"a,a\n"), "on_duplicate": "skip", "written_in": "cp850"}

    shown = browser.post(ADD, form).content.decode()

    assert "Columns 1 and 2 have the same name" in shown
    assert '<option value="skip" selected>' in shown
    assert '<option value="cp850" selected>' in shown
    with tenant_context(tenant.pk):
        assert not Import.objects.exists()


def test_wrong_columns_are_shown_again_as_they_were_chosen(
    browser: Client, tenant: Tenant, of_import: Import
) -> None:
    chosen = {
        "column_0": "city",
        "column_1": "city",
        "column_2": "",
        "on_duplicate": "skip",
        "encoding": "utf-8",
    }

    shown = browser.post(page(of_import.pk), chosen).content.decode()

    assert "both fill “City”" in shown
    assert shown.count('<option value="city" selected>') == 2
    with tenant_context(tenant.pk):
        of_import.refresh_from_db()
    assert of_import.mapping["Nome"] == "full_name"


def test_columns_are_saved_checked_and_taken_in(browser: Client, tenant: Tenant, of_import: Import) -> None:
    chosen = {
        "column_0": "full_name",
        "column_1": "phone",
        "column_2": "",
        "on_duplicate": "refuse",
        "encoding": "utf-8",
    }

    browser.post(page(of_import.pk), {**chosen, "check": ""})
    run_job(of_import, tenant)
    checked = browser.get(page(of_import.pk)).content.decode()
    do(browser, of_import.pk, "take_in")
    run_job(of_import, tenant)
    done = browser.get(page(of_import.pk)).content.decode()

    assert "Would be new" in checked
    assert "This is no phone number" in checked
    assert "correct the error" not in checked
    assert (of_import.status, counts(of_import)) == (ImportStatus.IMPORTED, (1, 0, 0, 1))
    assert "See the new subscribers" in done
    with tenant_context(tenant.pk):
        assert Subscriber.objects.get().full_name == "Maria"
    fetched = browser.get(reverse("admin:subscribers_import_errors", args=[of_import.pk]))
    assert b"Rui,none,,3," in b"".join(fetched.streaming_content)  # type: ignore[attr-defined]


def test_the_template_can_be_uploaded(browser: Client, tenant: Tenant) -> None:
    template = browser.get(reverse("admin:subscribers_import_template"))

    content = b"".join(template.streaming_content)  # type: ignore[attr-defined]
    with tenant_context(tenant.pk):
        made = upload(content)
    assert set(made.columns) == set(made.mapping.values()) == set(made.mapping)


def test_support_may_look_and_not_steer(
    browser_as: Callable[[Role], Client], tenant: Tenant, of_import: Import
) -> None:
    browser = browser_as(Role.SUPPORT)

    looked = browser.get(page(of_import.pk))
    saved = browser.post(page(of_import.pk), {"column_0": "city"})
    checked = browser.post(
        reverse("admin:subscribers_import_action", args=[of_import.pk, "check_rows"]), {"confirmed": "yes"}
    )

    assert (looked.status_code, saved.status_code, checked.status_code) == (200, 403, 403)
    assert "Save and check" not in looked.content.decode()
    with tenant_context(tenant.pk):
        assert not Job.objects.exists()


def test_another_providers_import_does_not_exist(browser: Client, other_tenant: Tenant) -> None:
    with tenant_context(other_tenant.pk):
        theirs = upload(CONTENT)

    answers = [
        browser.post(page(theirs.pk), {"column_0": "city"}),
        browser.get(reverse("admin:subscribers_import_errors", args=[theirs.pk])),
        do(browser, theirs.pk, "discard"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    with tenant_context(other_tenant.pk):
        assert Import.objects.get().status == ImportStatus.UPLOADED


def run_job(of_import: Import, tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        job = Job.objects.order_by("-created_at")[0]
        perform(job, of_import, tenant)
