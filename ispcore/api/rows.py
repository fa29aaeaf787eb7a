"""Records read straight from their columns, where a serializer only names columns.

Building a model instance and asking a serializer for each field costs several times what the database does
for the row. Where every field of a serializer is one column, the row itself says all; the answer is the same
to the byte. A serializer that computes is left to compute.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import FieldDoesNotExist
from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models import QuerySet
from django.db.models.functions import Cast
from rest_framework import serializers
from rest_framework.settings import api_settings

# Serializer field -> the columns whose values it passes on as they are (JSON writes a UUID as its text).
_AS_STORED: dict[Callable[..., Any], tuple[Any, ...]] = {
    serializers.CharField.to_representation: (models.CharField, models.TextField),
    serializers.ChoiceField.to_representation: (models.CharField,),
    serializers.UUIDField.to_representation: (models.UUIDField,),
    serializers.IntegerField.to_representation: (models.IntegerField,),
    serializers.FloatField.to_representation: (models.FloatField,),
    serializers.BooleanField.to_representation: (models.BooleanField,),
}


class Version(NamedTuple):
    """What tells one state of a record from another, besides what is shown of it."""

    pk: UUID
    updated_at: datetime | None


@dataclass(frozen=True)
class RowReader:
    """Turns rows of `columns`, of which the first is the key, into what the serializer would show.

    `fields` are (name, place in the row, how to write it), or for an object within (name, its fields, None).
    """

    columns: tuple[Any, ...]
    fields: tuple[tuple[str, Any, Callable[[Any], Any] | None], ...]

    def select(self, rows: QuerySet[Any], *more: str) -> QuerySet[Any, tuple[Any, ...]]:
        """Narrow a query to the columns needed; `more` come after them."""
        return rows.select_related(None).prefetch_related(None).values_list(*self.columns, *more)

    def show(self, row: tuple[Any, ...]) -> dict[str, Any]:
        return _show(self.fields, row)

    def show_all(self, rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
        return [_show(self.fields, row) for row in rows]


@cache
def reader_of(serializer_class: type[serializers.BaseSerializer[Any]]) -> RowReader | None:
    """Return how to read a serializer's records without it, or None when it does more than name columns."""
    if not issubclass(serializer_class, serializers.ModelSerializer):
        return None
    columns: list[Any] = ["pk"]
    fields = _fields_of(serializer_class(), serializer_class.Meta.model, columns)
    return RowReader(tuple(columns), fields) if fields else None


class _Given(models.Expression):
    """A value named when the statement is run."""

    def __init__(self, name: str) -> None:
        super().__init__(output_field=models.TextField())
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return f"%({self.name})s", ()


@dataclass(frozen=True)
class OneRow:
    """The statement that reads one record of a tenant, and how to convert the columns that are not plain."""

    sql: str
    converters: dict[int, tuple[list[Callable[..., Any]], models.Expression]]

    def read(self, *, tenant_id: UUID, value: UUID | str) -> tuple[Any, ...] | None:
        with connection.cursor() as cursor:
            cursor.execute(self.sql, {"tenant": tenant_id, "value": value})
            found = cursor.fetchone()
        if found is None:
            return None
        row = list(found)
        for place, (converters, column) in self.converters.items():
            for convert in converters:
                row[place] = convert(row[place], column, connection)
        return tuple(row)


@cache
def row_of(serializer_class: Any, model: Any, lookup: str) -> OneRow | None:
    """Return how to read what `reader_of` shows of one record, and its `updated_at`, by one column's value.

    Written once: to write the statement takes Django longer than all else that is done for one record. None
    where the statement would hold values of its own.
    """
    reader = reader_of(serializer_class)
    assert reader is not None
    rows = model._base_manager.filter(tenant_id=_Given("tenant"), **{lookup: _Given("value")})
    compiler = reader.select(rows, "updated_at").order_by().query.get_compiler(DEFAULT_DB_ALIAS)
    sql, values = compiler.as_sql()
    return (
        None if values else OneRow(sql, compiler.get_converters([column for column, *_ in compiler.select]))
    )


def _show(fields: tuple[tuple[str, Any, Any], ...], row: tuple[Any, ...]) -> dict[str, Any]:
    shown = {}
    for name, place, write in fields:
        if place.__class__ is tuple:
            shown[name] = _show(place, row)
        elif write is None or row[place] is None:
            shown[name] = row[place]
        else:
            shown[name] = write(row[place])
    return shown


def _fields_of(serializer: Any, model: type[models.Model], columns: list[Any]) -> Any:
    if type(serializer).to_representation is not serializers.Serializer.to_representation:
        return None
    found: list[tuple[str, Any, Callable[[Any], Any] | None]] = []
    field: Any
    for field in serializer._readable_fields:
        if isinstance(field, serializers.Serializer) and field.source == "*":
            within = _fields_of(field, model, columns)
            if within is None:
                return None
            found.append((str(field.field_name), within, None))
            continue
        column = _column(field, model)
        if column is None:
            return None
        source: Any = field.source
        write = None if _is_as_stored(field, column) else field.to_representation
        if write is None and isinstance(column, models.JSONField):
            source, write = Cast(source, models.TextField()), orjson.loads  # Many times faster than Django.
        found.append((field.field_name, len(columns), write))
        columns.append(source)
    return tuple(found)


def _column(field: Any, model: type[models.Model]) -> Any:
    """Find the column a field shows; none for what follows relations, calls methods or looks elsewhere."""
    if type(field).get_attribute is not serializers.Field.get_attribute:
        return None
    try:
        column = model._meta.get_field(field.source or "")
    except FieldDoesNotExist:
        return None
    if isinstance(column, models.ForeignKey):
        return column.target_field if field.source == column.attname else None
    return column if isinstance(column, models.Field) and column.concrete else None


def _is_as_stored(field: Any, column: Any) -> bool:
    if isinstance(column, models.JSONField):
        return _passes_on(field, serializers.JSONField) and not field.binary
    if hasattr(column, "from_db_value"):  # A value of its own, such as a secret.
        return False
    if isinstance(column, ArrayField):
        return _passes_on(field, serializers.ListField) and _is_as_stored(field.child, column.base_field)
    if isinstance(column, models.DateTimeField):
        form = getattr(field, "format", api_settings.DATETIME_FORMAT)
        return _passes_on(field, serializers.DateTimeField) and form is None
    return isinstance(column, _AS_STORED.get(type(field).to_representation, ()))


def _passes_on(field: Any, kind: type[Any]) -> bool:
    return type(field).to_representation is kind.to_representation
