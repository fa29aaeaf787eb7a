"""Each operation that locks a table for long is refused, each way around it passes, and the SQL is the real one."""

import io
from typing import Any

import pytest
from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.core.management import call_command
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from ispcore.operations import migration_lint, migration_sql
from ispcore.operations.partitions import AddIndexToPartitions

POSITIVE = models.CheckConstraint(condition=models.Q(price__gt=0), name="price_positive")
BY_NAME = models.Index(fields=["name"], name="line_by_name")


def _state() -> ProjectState:
    state = ProjectState()
    for operation in (
        migrations.CreateModel("Street", [("id", models.BigAutoField(primary_key=True))]),
        migrations.CreateModel(
            "Line",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=50)),
                ("note", models.TextField(null=True)),
                ("price", models.IntegerField()),
            ],
            options={"indexes": [models.Index(fields=["price"], name="line_by_price")]},
        ),
        migrations.CreateModel(
            "Past",
            [("id", models.BigAutoField(primary_key=True)), ("at", models.DateTimeField())],
            options={"db_table": "aaa_pastsession"},
        ),
    ):
        operation.state_forwards("shop", state)
    return state


def _lint(
    *operations: Any, atomic: bool = True, allows: dict[str, str] | None = None
) -> list[migration_lint.Finding]:
    migration: Any = migrations.Migration("0002_change", "shop")
    migration.operations = list(operations)
    migration.atomic = atomic
    migration.lint_allows = allows or {}
    return migration_lint.lint(migration, _state())


BAD: list[tuple[str, Any, bool]] = [
    ("require-concurrent-index-creation", migrations.AddIndex("line", BY_NAME), True),
    (
        "require-concurrent-index-creation",
        migrations.AlterField("line", "name", models.CharField(max_length=50, db_index=True)),
        True,
    ),
    ("require-concurrent-index-deletion", migrations.RemoveIndex("line", "line_by_price"), True),
    ("concurrently-in-transaction", AddIndexConcurrently("line", BY_NAME), True),
    (
        "adding-field-with-default",
        migrations.AddField(
            "line", "key", models.UUIDField(db_default=models.Func(function="gen_random_uuid"))
        ),
        True,
    ),
    ("ban-drop-default", migrations.AddField("line", "size", models.IntegerField(default=1)), True),
    (
        "adding-foreign-key-constraint",
        migrations.AddField("line", "street", models.ForeignKey("shop.street", models.CASCADE, null=True)),
        True,
    ),
    ("changing-column-type", migrations.AlterField("line", "price", models.BigIntegerField()), True),
    ("adding-not-nullable-field", migrations.AlterField("line", "note", models.TextField()), True),
    ("data-change", migrations.AlterField("line", "note", models.TextField(default="")), True),
    ("constraint-missing-not-valid", migrations.AddConstraint("line", POSITIVE), True),
    (
        "constraint-missing-not-valid",
        migrations.RunSQL(
            "ALTER TABLE shop_line ADD CONSTRAINT p CHECK (price > 0) NOT VALID;"
            "ALTER TABLE shop_line VALIDATE CONSTRAINT p"
        ),
        True,
    ),
    (
        "require-concurrent-index-creation",
        migrations.AddConstraint(
            "line", models.UniqueConstraint(fields=["name"], condition=models.Q(price=1), name="u")
        ),
        True,
    ),
    (
        "disallowed-unique-constraint",
        migrations.AddConstraint("line", models.UniqueConstraint(fields=["name"], name="u")),
        True,
    ),
    ("renaming-column", migrations.RenameField("line", "name", "title"), True),
    ("renaming-table", migrations.RenameModel("Line", "Cable"), True),
    ("ban-drop-column", migrations.RemoveField("line", "note"), True),
    ("ban-drop-table", migrations.DeleteModel("Line"), True),
    ("python", migrations.RunPython(migrations.RunPython.noop), True),
    ("data-change", migrations.RunSQL("UPDATE shop_line SET price = price + 1"), True),
    ("data-change", migrations.RunSQL("SELECT 1; DELETE FROM shop_line"), True),
    ("data-change", migrations.RunSQL("INSERT INTO shop_street SELECT id FROM shop_line"), True),
    ("data-change", migrations.RunSQL("DO $$ BEGIN UPDATE shop_line SET price = 1; END $$"), True),
    ("index-on-partitioned", migrations.AddIndex("past", models.Index(fields=["at"], name="past_at")), True),
    (
        "index-on-partitioned",
        AddIndexConcurrently("past", models.Index(fields=["at"], name="past_at")),
        False,
    ),
    ("not-alone", migrations.AddField("line", "extra", models.IntegerField(null=True)), False),
    ("syntax-error", migrations.RunSQL("ALTER TABLE shop_line ADD COLUMN ((("), True),
]
GOOD: list[tuple[Any, bool]] = [
    (migrations.AddField("line", "extra", models.IntegerField(null=True)), True),
    (migrations.AddField("line", "extra", models.IntegerField(db_default=3)), True),
    (AddIndexConcurrently("line", BY_NAME), False),
    (RemoveIndexConcurrently("line", "line_by_price"), False),
    (AddConstraintNotValid("line", POSITIVE), True),
    (migrations.RunSQL('ALTER TABLE shop_line ADD CONSTRAINT u UNIQUE USING INDEX "u_index"'), True),
    (AddIndexToPartitions("past", models.Index(fields=["at"], name="past_at")), False),
    (
        migrations.RunSQL(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN UPDATE shop_line SET price = 1; RETURN NEW; END $$"
        ),
        True,
    ),
    (
        migrations.CreateModel(
            "Pole",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("street", models.ForeignKey("shop.street", models.CASCADE)),
            ],
        ),
        True,
    ),
]


@pytest.mark.parametrize(("rule", "operation", "atomic"), BAD)
def test_what_locks_for_long_is_refused_and_the_way_around_is_told(
    rule: str, operation: Any, atomic: bool
) -> None:
    findings = _lint(operation, atomic=atomic)

    found = {finding.rule: finding.instead for finding in findings}
    assert rule in found
    assert len(found[rule]) > 20
    assert {finding.migration for finding in findings} == {"shop.0002_change"}


@pytest.mark.parametrize(("operation", "atomic"), GOOD)
def test_the_way_around_passes(operation: Any, atomic: bool) -> None:
    assert _lint(operation, atomic=atomic) == []


def test_a_constraint_is_validated_in_a_migration_of_its_own() -> None:
    state = _state()
    AddConstraintNotValid("line", POSITIVE).state_forwards("shop", state)
    migration: Any = migrations.Migration("0003_validate", "shop")
    migration.operations = [ValidateConstraint("line", "price_positive")]

    assert migration_lint.lint(migration, state) == []


def test_an_allowance_with_its_reason_lets_one_rule_pass_and_must_be_needed() -> None:
    reason = {"require-concurrent-index-creation": "a provider has a dozen lines"}

    assert _lint(migrations.AddIndex("line", BY_NAME), allows=reason) == []

    (unused,) = _lint(AddIndexConcurrently("line", BY_NAME), atomic=False, allows=reason)
    assert (unused.rule, unused.what) == ("unused-allowance", "require-concurrent-index-creation")


def test_the_projects_own_migrations_pass_and_the_baseline_is_why() -> None:
    out = io.StringIO()
    early = ("subscribers", "0006_indexes_of_lists")
    loader = MigrationLoader(None, replace_migrations=False)

    call_command("lint_migrations", stdout=out)
    findings = migration_lint.lint(loader.graph.nodes[early], loader.project_state(early, at_end=False))

    assert out.getvalue() == "Migrations after the baseline lock no table for long.\n"
    assert {finding.rule for finding in findings} == {"require-concurrent-index-creation"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("app", "name"),
    [
        ("subscribers", "0006_indexes_of_lists"),
        ("subscribers", "0011_holds_and_plan_changes_of_a_service"),
        ("events", "0002_webhooks"),
        ("aaa", "0002_states_come_with_accounts"),
    ],
)
def test_the_sql_without_a_database_is_that_of_sqlmigrate(app: str, name: str) -> None:
    loader = MigrationLoader(None, replace_migrations=False)
    out = io.StringIO()

    written = migration_sql.write_sql(
        loader.graph.nodes[app, name], loader.project_state((app, name), at_end=False)
    )

    call_command("sqlmigrate", app, name, stdout=out, no_color=True)
    lines = [line for line in out.getvalue().splitlines() if line not in ("BEGIN;", "COMMIT;")]
    assert (
        "\n".join(written.statements).split()
        == "\n".join(line for line in lines if not line.startswith("--")).split()
    )
    assert written.statements


@pytest.mark.django_db
def test_the_partitioned_tables_are_those_of_the_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'p' AND relnamespace = 'public'::regnamespace"
        )
        partitioned = {name for (name,) in cursor.fetchall()}

    assert partitioned == set(migration_lint.PARTITIONED)
