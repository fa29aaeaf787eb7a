"""The export as a job: asked for by a provider's own administrator, and kept among the provider's files."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO, Any
from uuid import UUID

from ispcore import audit
from ispcore.crypto import decrypt, encrypt
from ispcore.errors import DomainError
from ispcore.files.services import write_file
from ispcore.files.tenant_export import sealing, writing
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant

KIND = "ispcore.files.export_tenant"
ZIP_TYPE = "application/zip"
# Administrators alone have this part of the role table.
KEPT_FOR = "tenants"
MOST_BYTES = 2 * 1024**3  # What the database keeps of one file for a week; a command writes more.


class ExportTooLarge(DomainError):
    code = "export_too_large"
    message = (
        f"The data of this provider makes a file of more than {MOST_BYTES >> 30} GiB. The installation's operator can "
        "write it to a disk: manage.py export_tenant."
    )


def request_tenant_export(*, passphrase: str, user_id: UUID | None, ip: str | None, request_id: str) -> Job:
    """Start the job that writes the file, and write down who asked. Asked again while it runs, it is the same job.

    Raises PassphraseTooShort.
    """
    if passphrase and len(passphrase) < sealing.SHORTEST:
        raise sealing.PassphraseTooShort
    job = jobs.enqueue(
        kind=KIND,
        params={"passphrase": encrypt(passphrase, bound_to=_bound_to()) if passphrase else ""},
        label="All data of this provider",
        subject="tenant export",
        user_id=user_id,
    )
    audit.record(
        action="exported all data",
        detail="with secrets, under a passphrase" if passphrase else "without secrets",
        user_id=user_id,
        ip=ip,
        request_id=request_id,
    )
    return job


def export_tenant(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Write the file a job asks for. It is there only when it is whole; the next run of the job writes a new one.

    Raises ExportTooLarge.
    """
    with run.tenant():
        tenant = Tenant.objects.get(pk=current_tenant_id())
        sealed = run.params["passphrase"]
        passphrase = decrypt(sealed, bound_to=_bound_to()) if sealed else ""
    with write_file(
        name=f"{tenant.slug}-{at:%Y-%m-%d}.zip",
        media_type=ZIP_TYPE,
        app_label=KEPT_FOR,
        user_id=run.user_id,
        scope=lambda: _held(run),
    ) as (file, stream):
        made = writing.write(
            _Bounded(stream),  # type: ignore[arg-type]  # What is written to needs no more.
            tenant,
            at=at,
            passphrase=passphrase,
            progress=run.progress,
        )
    assert file.expires_at is not None
    return {
        "rows": sum(figures["rows"] for figures in made["tables"].values()),
        "file_id": str(file.pk),
        "name": file.name,
        "url": f"/api/v1/files/{file.pk}/content",
        "expires_at": file.expires_at.isoformat(),
    }


class _Bounded:
    """A stream that takes no more than a file may have."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._size = stream, 0

    def write(self, data: bytes) -> int:
        self._size += len(data)
        if self._size > MOST_BYTES:
            raise ExportTooLarge
        return self._stream.write(data)

    def flush(self) -> None:
        self._stream.flush()


@contextmanager
def _held(run: jobs.Run) -> Iterator[None]:
    """Write only while this worker owns the job."""
    with run.tenant():
        run.hold()
        yield


def _bound_to() -> str:
    return f"jobs_job.params:{current_tenant_id()}"
