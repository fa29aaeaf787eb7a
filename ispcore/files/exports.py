"""Any list as a file: an app says once what its rows look like, and one job writes any of them.

It stands with the files and not with the jobs: a job is how it runs, a file is what it makes. Each app
registers its lists in a module `exports`; which rows a file holds is asked of the list itself, so that it holds
what the list shows: of the API's viewset, or of the admin's page (`ispcore.admin.exports`).
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Model, QuerySet
from django.db.models.expressions import BaseExpression
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from ispcore import audit
from ispcore.api.envelope import UTC, dump
from ispcore.api.rows import reader_of
from ispcore.api.views import TenantViewSet
from ispcore.errors import NotRegistered
from ispcore.files import tabular
from ispcore.files.services import write_file
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant

KIND = "ispcore.files.export"
PAGE_ROWS = 2_000  # A page of the widest list is read and written in a fraction of a second.
MOST_CHOSEN = 5_000  # Their ids stand in the job's row.


class UnknownList(NotRegistered):
    message = "There is no list {name} to export."


@dataclass(frozen=True)
class Column:
    """A column: `value` is a path or an expression for `values_list()`, `show` makes of it what a cell holds.

    Times come out in the tenant's zone; `width` is in characters.
    """

    header: str
    value: str | BaseExpression
    show: Callable[[Any], Any] | None = None
    width: int = 18


@dataclass(frozen=True)
class Export:
    """A list that can be written into a file; `name` is the list's in the API.

    `more_columns` are those that a tenant has of its own, asked for when the file is made. A list without columns has
    those of its records in the API, in a table too.
    """

    name: str
    view: type[TenantViewSet]
    columns: tuple[Column, ...] = ()
    more_columns: Callable[[], Iterable[Column]] = tuple

    @property
    def model(self) -> type[Model]:
        return self.view.model

    @property
    def app_label(self) -> str:
        return self.model._meta.app_label

    @property
    def label(self) -> str:
        return str(self.model._meta.verbose_name_plural)


JSON_LINES = "ndjson"  # One record of the API on each line: for programs.
MEDIA_TYPES = {**tabular.MEDIA_TYPES, JSON_LINES: "application/x-ndjson"}
# Returns the rows a job asks for, from what `request_export` was given as `asked`.
Source = Callable[[Export, jobs.Run], QuerySet[Any]]

_exports: dict[str, Export] = {}
_sources: dict[str, Source] = {}


def register(export: Export) -> None:
    """Offer a list for export."""
    _exports[export.name] = export


def register_views(views: Mapping[str, type[TenantViewSet]]) -> None:
    """Offer lists, by their names in the API, with the fields that the API shows."""
    for name, view in views.items():
        register(Export(name=name, view=view))


def registered() -> list[Export]:
    return list(_exports.values())


def find(name: str) -> Export:
    """Return the export of that name. Raises UnknownList."""
    try:
        return _exports[name]
    except KeyError:
        raise UnknownList(name=name) from None


def of_model(model: type[Model]) -> Export | None:
    """Return the export of a model whose columns are made for people, if there is one."""
    return next((export for export in _exports.values() if export.model is model and export.columns), None)


def source(name: str) -> Callable[[Source], Source]:
    """Register a way of saying which rows a file holds."""

    def add(function: Source) -> Source:
        _sources[name] = function
        return function

    return add


def request_export(
    *,
    export: Export,
    file_format: str,
    bom: bool,
    rows_from: str,
    asked: dict[str, Any],
    role: str | None,
    user_id: UUID | None,
    ip: str | None,
    request_id: str,
) -> Job:
    """Write down who exports what, and start the job that does; `rows_from` names a source, `asked` is for it.

    The same asked again while it runs returns the job that runs.
    """
    params = {
        "list": export.name,
        "format": file_format,
        "bom": bom,
        "rows_from": rows_from,
        "asked": asked,
        "role": role,
    }
    same = json.dumps([params, str(user_id)], sort_keys=True).encode()
    job = jobs.enqueue(
        kind=KIND,
        params=params,
        label=f"Export of {export.label} as {file_format.upper()}",
        subject=f"export:{hashlib.blake2b(same, digest_size=16).hexdigest()}",
        user_id=user_id,
    )
    audit.record(
        action=f"exported {export.name}"[:40],
        detail=f"{file_format}: {_told(asked)}"[:200],
        user_id=user_id,
        ip=ip,
        request_id=request_id,
    )
    return job


def run_export(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Write the file a job asks for, page by page; each page is read in a transaction of its own.

    Memory stays the same for any number of rows. A file is there only when it is whole: a run that fails, is
    cancelled or whose worker dies leaves none, and the next run of the job writes a new one. Rows that come or
    go meanwhile may be missing or there; none is there twice.
    """
    export = find(run.params["list"])
    with run.tenant():
        zone = ZoneInfo(Tenant.objects.get(pk=current_tenant_id()).timezone)
    with timezone.override(zone):
        with run.tenant():
            # The list's order is for people; pages by id cost the same however deep they are.
            keys = _sources[run.params["rows_from"]](export, run).order_by("pk").values_list("pk", flat=True)
            keys = keys.distinct()
            total = keys.count()
            columns = [*export.columns, *export.more_columns()] if export.columns else []
        extension = run.params["format"]
        with write_file(
            name=f"{export.name}-{at.astimezone(zone):%Y-%m-%d}.{extension}",
            media_type=MEDIA_TYPES[extension],
            app_label=export.app_label,
            user_id=run.user_id,
            scope=lambda: _held(run),
        ) as (file, stream):
            count = 0
            for count in _written(run, export, keys, columns, stream, zone):
                run.progress(count, max(total, count), "Writing rows")
    assert file.expires_at is not None
    return {
        "rows": count,
        "file_id": str(file.pk),
        "name": file.name,
        "url": f"/api/v1/files/{file.pk}/content",
        "expires_at": file.expires_at.isoformat(),
    }


def rows_of_list(export: Export, *, filters: dict[str, str], search: str = "") -> QuerySet[Any]:
    """Return the rows that the API's list shows with these parameters.

    Raises ValidationError naming every filter that is unknown or wrong.
    """
    view = export.view()
    known = set(view.filterset_class.base_filters) if view.filterset_class else set()
    unknown = {name: "This list has no such filter." for name in filters if name not in known}
    if unknown:
        raise ValidationError({"filters": unknown}, code="unknown_field")
    if search and not view.search_fields:
        raise ValidationError({"search": "This list cannot be searched."})
    _ask(view, {**filters, **({"search": search} if search else {})})
    try:
        rows = view.filter_queryset(view.get_queryset())
    except ValidationError as error:
        raise ValidationError({"filters": error.detail}) from error
    return rows.select_related(None).prefetch_related(None)


def _ask(view: TenantViewSet, query: dict[str, str]) -> None:
    """Let a view believe its list was asked for."""
    request = HttpRequest()
    request.method = "GET"
    request.GET = QueryDict(mutable=True)  # type: ignore[assignment]
    request.GET.update(query)
    view.request, view.action, view.kwargs = Request(request), "list", {}
    view.format_kwarg = None


@source("list")
def _listed(export: Export, run: jobs.Run) -> QuerySet[Any]:
    return rows_of_list(export, **run.params["asked"])


@source("chosen")
def _chosen(export: Export, run: jobs.Run) -> QuerySet[Any]:
    rows: QuerySet[Any] = export.model.objects.filter(pk__in=run.params["asked"]["ids"])  # type: ignore[attr-defined]
    return rows


@contextmanager
def _held(run: jobs.Run) -> Iterator[None]:
    """Write only while this worker owns the job: one thought dead must not finish a second file."""
    with run.tenant():
        run.hold()
        yield


def _written(
    run: jobs.Run, export: Export, keys: QuerySet[Any], columns: Sequence[Column], stream: Any, zone: ZoneInfo
) -> Iterator[int]:
    """Write page after page; tell after each how many rows there are by now."""
    count = 0
    if run.params["format"] == JSON_LINES:
        for page in _pages(run, keys, partial(_records, export)):
            for record in page:
                stream.write(dump(record, zone=UTC) + b"\n")
            count += len(page)
            yield count
        return
    # What a program reads has names, what people read has headers.
    headers = [column.header for column in columns] or _names(export)
    pages = _pages(run, keys, partial(_rows, export, columns) if columns else partial(_flat_records, export))
    with _writer(run, stream, columns) as write_row:
        write_row(headers)
        for page in pages:
            for row in page:
                write_row(_cells(row, columns, zone) if columns else _plain_cells(row, zone))
            count += len(page)
            yield count


def _pages(
    run: jobs.Run, keys: QuerySet[Any], read: Callable[[list[UUID]], list[Any]]
) -> Iterator[list[Any]]:
    after: UUID | None = None
    while True:
        with run.tenant():
            ids = list((keys if after is None else keys.filter(pk__gt=after))[:PAGE_ROWS])
            page = read(ids) if ids else []
        yield page
        if len(ids) < PAGE_ROWS:
            return
        after = ids[-1]


def _rows(export: Export, columns: Sequence[Column], ids: list[UUID]) -> list[tuple[Any, ...]]:
    rows = export.model.objects.order_by("pk").values_list(*(column.value for column in columns))  # type: ignore[attr-defined]
    return list(rows.filter(pk__in=ids))


def _records(export: Export, ids: list[UUID]) -> list[dict[str, Any]]:
    """Read records as the API's list shows them."""
    view = export.view()
    _ask(view, {})
    rows = view.get_queryset().filter(pk__in=ids).order_by("pk")
    serializer: Any = view.get_serializer_class()
    reader = reader_of(serializer)
    if reader is not None:
        return reader.show_all(reader.select(rows))
    return list(view.get_serializer(rows, many=True).data)


def _flat_records(export: Export, ids: list[UUID]) -> list[list[Any]]:
    names = _names(export)
    return [[record[name] for name in names] for record in _records(export, ids)]


def _names(export: Export) -> list[str]:
    view = export.view()
    _ask(view, {})
    serializer: Any = view.get_serializer_class()
    return [name for name, field in serializer().fields.items() if not field.write_only]


def _plain_cells(row: list[Any], zone: ZoneInfo) -> list[Any]:
    """Make cells of a record's values: what is no single value is JSON."""
    cells: list[Any] = []
    for value in row:
        if isinstance(value, dict | list | tuple):
            cells.append(dump(value, zone=UTC).decode())
        elif isinstance(value, datetime):
            cells.append(value.astimezone(zone).replace(microsecond=0))
        else:
            cells.append(value)
    return cells


def _writer(run: jobs.Run, stream: Any, columns: Sequence[Column]) -> Any:
    if run.params["format"] == "xlsx":
        return tabular.xlsx_writer(stream, widths=[column.width for column in columns])
    return tabular.csv_writer(stream, bom=run.params["bom"])


def _cells(row: tuple[Any, ...], columns: Sequence[Column], zone: ZoneInfo) -> list[Any]:
    cells = []
    for value, column in zip(row, columns, strict=True):
        shown = column.show(value) if column.show and value is not None else value
        if isinstance(shown, datetime):
            shown = shown.astimezone(zone).replace(microsecond=0)
        cells.append(shown)
    return cells


def _told(asked: dict[str, Any]) -> str:
    """Say in a line which rows were asked for."""
    if "ids" in asked:
        return f"{len(asked['ids'])} chosen"
    if "query" in asked:
        return asked["query"] or "all"
    parts = [f"{name}={value}" for name, value in asked["filters"].items()]
    return "&".join([*parts, *([f"search={asked['search']}"] if asked["search"] else [])]) or "all"
