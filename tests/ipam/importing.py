"""What the tests of address imports share: files, and running the jobs in this process."""

import json
from typing import Any

from django.utils import timezone

from ipam.models import BookImport
from ipam.services import imports
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.models import Tenant
from tests.subscribers.importing import csv_of


def upload(content: bytes, **fields: Any) -> BookImport:
    return imports.upload_book(name=fields.pop("name", "addresses.csv"), content=[content], **fields)


def table(*rows: list[str]) -> bytes:
    return csv_of(rows)


def export(content: Any) -> bytes:
    return json.dumps(content).encode()


def check(of_import: BookImport, tenant: Tenant) -> BookImport:
    """Request the check and do what its worker does."""
    return perform(imports.request_check(import_id=of_import.pk), of_import, tenant)


def take_in(of_import: BookImport, tenant: Tenant) -> BookImport:
    return perform(imports.request_run(import_id=of_import.pk), of_import, tenant)


def perform(job: Job, of_import: BookImport, tenant: Tenant) -> BookImport:
    at = timezone.now()
    work = imports.check_book if job.kind == imports.CHECK else imports.take_in_book
    jobs.perform(tenant_id=str(tenant.pk), job_id=str(job.pk), work=lambda run: work(run, at=at))
    of_import.refresh_from_db()
    return of_import


def import_file(content: bytes, tenant: Tenant, **fields: Any) -> BookImport:
    """Upload, check and take in; both runs say the same."""
    of_import = check(upload(content, **fields), tenant)
    expected = counts(of_import), errors(of_import)
    take_in(of_import, tenant)
    assert (counts(of_import), errors(of_import)) == expected
    return of_import


def counts(of_import: BookImport) -> tuple[int, int, int, int]:
    """Created, updated, skipped, bad."""
    return of_import.rows_created, of_import.rows_updated, of_import.rows_skipped, of_import.rows_bad


def errors(of_import: BookImport) -> list[tuple[int, str, str]]:
    rows = of_import.bad_rows.order_by("row_number")
    return list(rows.values_list("row_number", "field", "message"))
