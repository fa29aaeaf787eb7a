"""Reads whose statement is written once: to write a small one takes Django longer than all else that is done for it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models import QuerySet

from ispcore.tenants.context import current_tenant_id

M = TypeVar("M", bound=models.Model)
Converters = dict[int, tuple[list[Callable[..., Any]], models.Expression]]


class Given(models.Expression):
    """A value named when the statement is run."""

    def __init__(self, name: str) -> None:
        super().__init__(output_field=models.TextField())
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return f"%({self.name})s", ()


@dataclass(frozen=True)
class Statement:
    """A statement, and how to convert the columns that are not plain."""

    sql: str
    converters: Converters

    def first(self, **given: Any) -> tuple[Any, ...] | None:
        """Return the first row for the values given by name, None when there is none."""
        with connection.cursor() as cursor:
            cursor.execute(self.sql, given)
            found = cursor.fetchone()
        return None if found is None else self._converted(found)

    def all(self, given: dict[str, Any] | tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(self.sql, given)
            found = cursor.fetchall()
        return [self._converted(row) for row in found] if self.converters else found

    def _converted(self, found: tuple[Any, ...]) -> tuple[Any, ...]:
        row = list(found)
        for place, (converters, column) in self.converters.items():
            for convert in converters:
                row[place] = convert(row[place], column, connection)
        return tuple(row)


def statement_of(rows: QuerySet[Any, Any]) -> Statement | None:
    """Write down a query whose values are `Given`; None where it holds values of its own."""
    compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
    sql, values = compiler.as_sql()
    columns = [column for column, *_ in compiler.select]
    return None if values else Statement(sql, compiler.get_converters(columns))


def all_in_order(model: type[M], *ordering: str) -> list[M]:
    """Return all rows of the bound tenant, for tables of which a tenant has a few. Raises TenantNotSet."""
    names, statement = _all_in_order(model, ordering)
    return [
        model.from_db(DEFAULT_DB_ALIAS, names, row) for row in statement.all({"tenant": current_tenant_id()})
    ]


@cache
def _all_in_order(model: type[models.Model], ordering: tuple[str, ...]) -> tuple[list[str], Statement]:
    names = [field.attname for field in model._meta.concrete_fields]
    rows = model._base_manager.filter(tenant_id=Given("tenant")).order_by(*ordering)
    statement = statement_of(rows.values_list(*names))
    assert statement is not None
    return names, statement
