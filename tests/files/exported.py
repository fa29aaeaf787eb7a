"""Exports as tests ask for them, run here and read."""

import csv
import io
from typing import Any

from ispcore.files import exports, services
from ispcore.files.models import StoredFile
from ispcore.files.tasks import export as export_task
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.roles import Role


def request_export(
    name: str, *, file_format: str = "csv", bom: bool = True, search: str = "", **filters: str
) -> Job:
    return exports.request_export(
        export=exports.find(name),
        file_format=file_format,
        bom=bom,
        rows_from="list",
        asked={"filters": filters, "search": search},
        role=Role.ADMINISTRATOR,
        user_id=None,
        ip=None,
        request_id="",
    )


def run(job: Job) -> Job:
    export_task(tenant_id=str(job.tenant_id), job_id=str(job.pk))
    with tenant_context(job.tenant_id):
        job.refresh_from_db()
    return job


def content_of(job: Job) -> bytes:
    assert job.result is not None, job.error_message
    with services.open_file(StoredFile.objects.get(pk=job.result["file_id"])) as stream:
        return stream.read()


def table_of(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def records_of(job: Job) -> list[dict[str, str]]:
    header, *rows = table_of(content_of(job))
    return [dict(zip(header, row, strict=True)) for row in rows]


def exported(name: str, **asked: Any) -> list[dict[str, str]]:
    return records_of(run(request_export(name, **asked)))
