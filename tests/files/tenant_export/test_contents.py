"""No table of a tenant is forgotten."""

import pytest
from django.db import connection, models

from ispcore.crypto import SecretField
from ispcore.files.tenant_export import contents
from ispcore.tenants.fields import UncheckedTenantKey

CARRIED = {table.label: table for table in contents.tables()}


def test_every_table_of_a_tenant_is_carried_or_left_out_with_a_reason() -> None:
    assert set(CARRIED) | set(contents.reasons()) == set(contents.tenant_models())
    assert all(reason.endswith(".") for reason in contents.reasons().values())


def test_what_apps_say_of_tables_names_tables_there_are() -> None:
    assert set(contents._rules) <= set(CARRIED)
    assert set(contents._reasons) <= set(contents.tenant_models())


@pytest.mark.django_db
@pytest.mark.parametrize("table", CARRIED.values(), ids=CARRIED)
def test_every_column_is_carried_or_drawn_anew(table: contents.Table) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
            "AND attgenerated = ''",
            [table.name],
        )
        found = {name for (name,) in cursor.fetchall()}

    named = {*table.columns, *table.secret_columns, *table.rule.drawn, "tenant_id"}
    assert found - named <= {"pgh_id"}
    assert named <= found


def test_no_secret_is_among_the_plain_columns() -> None:
    for label, model in contents.tenant_models().items():
        if label in CARRIED:
            secrets = {each.column for each in model._meta.concrete_fields if isinstance(each, SecretField)}
            assert not secrets & set(CARRIED[label].columns)
            assert secrets == set(CARRIED[label].secret_columns)


def test_what_is_carried_points_at_nothing_that_is_left_out() -> None:
    left_out = set(contents.reasons())
    pointing = [
        f"{label}.{field.name}"
        for label, model in contents.tenant_models().items()
        if label in CARRIED
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey)
        and not isinstance(field, UncheckedTenantKey)
        and not field.name.startswith("pgh_")
        and field.related_model._meta.label in left_out
    ]

    assert pointing == []
