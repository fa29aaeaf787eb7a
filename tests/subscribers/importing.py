"""What the tests of imports share: files, and running the jobs in this process."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from django.utils import timezone
from openpyxl import Workbook

from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.models import Tenant
from subscribers.models import Import
from subscribers.services import imports


def csv_of(rows: Iterable[Sequence[Any]], *, encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode(encoding)


def xlsx_of(rows: Iterable[Sequence[Any]]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def upload(content: bytes, **fields: Any) -> Import:
    return imports.upload_import(name=fields.pop("name", "customers.csv"), content=[content], **fields)


def check(of_import: Import, tenant: Tenant) -> Import:
    """Request the check and do what its worker does."""
    return perform(imports.request_check(import_id=of_import.pk), of_import, tenant)


def take_in(of_import: Import, tenant: Tenant) -> Import:
    return perform(imports.request_run(import_id=of_import.pk), of_import, tenant)


def perform(job: Job, of_import: Import, tenant: Tenant) -> Import:
    at = timezone.now()
    work = imports.check_import if job.kind == "subscribers.check_import" else imports.run_import
    jobs.perform(tenant_id=str(tenant.pk), job_id=str(job.pk), work=lambda run: work(run, at=at))
    of_import.refresh_from_db()
    return of_import


def import_file(content: bytes, tenant: Tenant, **fields: Any) -> Import:
    """Upload, check and take in."""
    of_import = check(upload(content, **fields), tenant)
    return take_in(of_import, tenant)


def counts(of_import: Import) -> tuple[int, int, int, int]:
    """Created, updated, skipped, bad."""
    return of_import.rows_created, of_import.rows_updated, of_import.rows_skipped, of_import.rows_bad


def errors(of_import: Import) -> list[tuple[int, str, str]]:
    rows = of_import.errors.order_by("row_number")
    return list(rows.values_list("row_number", "field", "message"))
