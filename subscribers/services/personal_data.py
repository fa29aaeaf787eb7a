"""All that is stored on one customer, as a ZIP of JSON files: for their own request to see it.

What belongs to a customer is found by the tables' own references and not by a list of tables: a table that comes to
name customers, their services, invoices or tickets is in the file without a word here.
"""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any
from uuid import UUID

from django.apps import apps
from django.db import models

from ispcore import audit
from ispcore.api.envelope import UTC, dump
from ispcore.crypto import Secret
from ispcore.files.models import StoredFile
from ispcore.files.services import open_file, write_file
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from subscribers.models import Premise, Subscriber, SubscriberWord, Subscription
from subscribers.services import customers

KIND = "subscribers.export_person"
ZIP_TYPE = "application/zip"
# Who may hand out a person's whole record: administrators, to whom alone this part of the role table belongs.
KEPT_FOR = "tenants"
PAGE_ROWS = 2_000
# Rows that name one of these belong to the same person. Not a device or an address: those go from hand to hand, and
# what was written of them may be another's.
OWNERS = frozenset(
    {
        "subscribers.Subscriber", "subscribers.Subscription", "subscribers.Hold", "subscribers.PlanChange",
        "aaa.Account", "billing.Invoice", "billing.InvoiceLine", "billing.Payment", "billing.Promise",
        "billing.OneOffCharge", "billing.AddOn", "billing.Discount", "billing.TaxExemption", "billing.Exemption",
        "support.Ticket", "support.Comment", "support.Consent", "support.PortalAccount",
    }
)  # fmt: skip
LEFT_OUT = frozenset({SubscriberWord})  # The beginnings of words by which search finds what stands elsewhere.

Edge = tuple[type[models.Model], str]


def request_personal_data(
    *, subscriber_id: UUID, user_id: UUID | None, ip: str | None, request_id: str
) -> Job:
    """Start the job that writes the file, and write down who asked. Asked again while it runs, it is the same job.

    Raises SubscriberNotFound.
    """
    subscriber = customers.lock_subscriber(subscriber_id)
    job = jobs.enqueue(
        kind=KIND,
        params={"subscriber_id": str(subscriber_id)},
        label=f"All data of {subscriber.number}",
        subject=f"person:{subscriber_id}",
        user_id=user_id,
    )
    audit.record(
        action="exported a person's data",
        detail=f"subscriber {subscriber.number}",
        user_id=user_id,
        ip=ip,
        request_id=request_id,
    )
    return job


def export_person(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Write the file: one JSON list per table, and the files that belong to them.

    The file is there only when it is whole; a worker that dies leaves none, and the next run begins anew. Which rows
    belong to the customer is found in one transaction, and they are read page by page after it. Secrets are masked.
    Raises SubscriberNotFound.
    """
    with run.tenant():
        subscriber = Subscriber.objects.filter(pk=run.params["subscriber_id"]).first()
        if subscriber is None:
            raise customers.SubscriberNotFound
        found = rows_of_person(subscriber.pk)
    with (
        write_file(
            name=f"{subscriber.number}-{at:%Y-%m-%d}.zip",
            media_type=ZIP_TYPE,
            app_label=KEPT_FOR,
            user_id=run.user_id,
            scope=lambda: _held(run),
        ) as (file, stream),
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        counts = _write_tables(run, archive, found)
    assert file.expires_at is not None
    return {
        "rows": sum(counts.values()),
        "file_id": str(file.pk),
        "name": file.name,
        "url": f"/api/v1/files/{file.pk}/content",
        "expires_at": file.expires_at.isoformat(),
    }


@contextmanager
def _held(run: jobs.Run) -> Iterator[None]:
    """Write only while this worker owns the job."""
    with run.tenant():
        run.hold()
        yield


def _write_tables(
    run: jobs.Run, archive: zipfile.ZipFile, found: dict[type[models.Model], set[Any]]
) -> dict[str, int]:
    counts: dict[str, int] = {}
    attached: set[UUID] = set()
    total, done = sum(map(len, found.values())), 0
    for model, keys in sorted(found.items(), key=lambda each: each[0]._meta.label):
        files = [each.attname for each in model._meta.concrete_fields if each.related_model is StoredFile]
        with archive.open(f"{model._meta.label}.json", "w", force_zip64=True) as part:
            count = 0
            for some in _parts(sorted(keys)):
                with run.tenant():
                    rows = list(_rows(model, some))
                for row in rows:
                    attached.update(row[name] for name in files if row[name])
                    part.write((b",\n" if count else b"[\n") + dump(_plain(row), zone=UTC))
                    count += 1
                run.progress(done + count, total, "Writing rows")
            part.write(b"\n]\n" if count else b"[]\n")
        counts[model._meta.label] = count
        done += count
    with run.tenant():
        kept = list(StoredFile.objects.filter(pk__in=attached, completed_at__isnull=False).order_by("pk"))
    for file in kept:
        with (
            open_file(file, scope=run.tenant) as source,
            archive.open(f"files/{file.pk}", "w", force_zip64=True) as part,
        ):
            _copy(source, part, beat=lambda: run.progress(done, total, "Copying files"))
    archive.writestr("contents.json", dump(counts, zone=UTC))
    return counts


def rows_of_person(subscriber_id: UUID) -> dict[type[models.Model], set[Any]]:
    """Return the keys of all rows that belong to a customer, by their tables."""
    edges = _edges()
    found: dict[type[models.Model], set[Any]] = {Subscriber: {subscriber_id}}
    waiting: list[tuple[str, set[Any]]] = [("subscribers.Subscriber", {subscriber_id})]
    while waiting:
        label, keys = waiting.pop()
        for model, column in edges.get(label, ()):
            known = found.setdefault(model, set())
            fresh = {
                key
                for some in _parts(sorted(keys))
                for key in model._base_manager.filter(**{f"{column}__in": some}).values_list("pk", flat=True)
            } - known
            known |= fresh
            if fresh and model._meta.label in OWNERS:
                waiting.append((model._meta.label, fresh))
    lines = found.get(Subscription, set())
    found[Premise] = set(Premise.objects.filter(subscriptions__in=lines).values_list("pk", flat=True))
    return {model: keys for model, keys in found.items() if keys}


def _edges() -> dict[str, list[Edge]]:
    """Return, for each table that owns rows, the columns of others that name it."""
    edges: dict[str, list[Edge]] = {}
    for model in apps.get_models():
        if model in LEFT_OUT or model._meta.proxy or not model._meta.managed:
            continue
        for field in model._meta.concrete_fields:
            owner: Any = field.related_model
            if owner is not None and owner._meta.label in OWNERS and owner is not model:
                edges.setdefault(owner._meta.label, []).append((model, field.attname))
    return edges


def _rows(model: type[models.Model], keys: list[Any]) -> Iterator[dict[str, Any]]:
    shown = [
        each.attname
        for each in model._meta.concrete_fields
        if not isinstance(each, models.BinaryField) and each.attname not in ("tenant_id", "password")
    ]
    yield from model._base_manager.filter(pk__in=keys).order_by("pk").values(*shown)


def _parts(keys: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(keys), PAGE_ROWS):
        yield keys[start : start + PAGE_ROWS]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    known = (str, int, float, bool, list, dict, date, Decimal, UUID, Secret)
    return {
        name: value if value is None or isinstance(value, known) else str(value)
        for name, value in row.items()
    }


def _copy(source: IO[bytes], target: IO[bytes], *, beat: Callable[[], None]) -> None:
    while piece := source.read(64 * 1024):
        target.write(piece)
        beat()
