"""Records read straight from their columns, where a serializer only names columns.

Building a model instance and asking a serializer for each field costs several times what the database does
for the row. Where every field of a serializer is one column, the row itself says all; the answer is the same
to the byte. A serializer that computes is left to compute.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import EmptyResultSet, FieldDoesNotExist
from django.db import models
from django.db.models import QuerySet
from django.db.models.functions import Cast
from django.db.models.query import ValuesListIterable
from rest_framework import serializers
from rest_framework.settings import api_settings

from ispcore.tenants.statements import Given, Statement, statement_of

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


@dataclass(frozen=True, eq=False)
class RowReader:
    """Turns rows of `columns`, of which the first is the key, into what the serializer would show.

    Equal to itself only, so that caches may hold it.

    `fields` are (name, place in the row, how to write it), or for an object within (name, its fields, None).
    """

    model: type[models.Model]
    columns: tuple[Any, ...]
    fields: tuple[tuple[str, Any, Callable[[Any], Any] | None], ...]

    def select(self, rows: QuerySet[Any], *more: str) -> QuerySet[Any, tuple[Any, ...]]:
        """Narrow a query to the columns needed; `more` come after them."""
        rows = rows.select_related(None).prefetch_related(None)
        if more:
            return rows.values_list(*self.columns, *more)
        keys = rows.values_list("pk")
        keys._iterable_class = _written_columns(self)
        return keys

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
    return RowReader(serializer_class.Meta.model, tuple(columns), fields) if fields else None


class _Columns(ValuesListIterable):  # type: ignore[type-arg]
    """Runs a query for keys as one for the reader's columns.

    Each list is a query of its own: it takes Django a millisecond to write 25 columns into one. Here they are
    written once, and go where the key stood.
    """

    reader: RowReader
    of_keys: str
    of_columns: Statement

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        try:
            sql, values = self.queryset.query.sql_with_params()
        except EmptyResultSet:
            return iter(())
        if not sql.startswith(self.of_keys):  # DISTINCT, or several queries as one.
            return iter(self.queryset.values_list(*self.reader.columns))
        return iter(replace(self.of_columns, sql=self.of_columns.sql + sql[len(self.of_keys) :]).all(values))


@cache
def _written_columns(reader: RowReader) -> type[_Columns]:
    every = reader.model._base_manager.order_by()
    columns = statement_of(every.values_list(*reader.columns))
    keys = statement_of(every.values_list("pk"))
    assert columns is not None
    assert keys is not None
    return type("Columns", (_Columns,), {"reader": reader, "of_keys": keys.sql, "of_columns": columns})


@cache
def row_of(serializer_class: Any, model: Any, lookup: str) -> Statement | None:
    """Return the statement that reads what `reader_of` shows of one record, and its `updated_at`.

    The record is that of a `tenant` whose column `lookup` has a `value`. None where the statement would hold
    values of its own.
    """
    reader = reader_of(serializer_class)
    assert reader is not None
    rows = model._base_manager.filter(tenant_id=Given("tenant"), **{lookup: Given("value")})
    return statement_of(reader.select(rows, "updated_at").order_by())


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
        if isinstance(column, models.JSONField):  # Many times faster than Django.
            source, write = Cast(source, models.TextField()), _from_text(write)
        found.append((field.field_name, len(columns), write))
        columns.append(source)
    return tuple(found)


def _from_text(write: Callable[[Any], Any] | None) -> Callable[[str], Any]:
    return orjson.loads if write is None else lambda text: write(orjson.loads(text))


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
