"""The manifest of a provider's export: what the file holds, and by what it is compared."""

from typing import Any
from uuid import UUID

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from psycopg import Connection

from ispcore.errors import DomainError
from ispcore.files.tenant_export import contents

FORMAT = 1
MANIFEST = "manifest.json"
USERS = "users"


def entry_of(label: str) -> str:
    """Return under which name the archive holds a table."""
    return f"tables/{label}.ndjson"


class NotMigrated(DomainError):
    code = "not_migrated"
    message = "This database lacks {missing}. Run `manage.py migrate` first."


def migrations() -> dict[str, list[str]]:
    """Return the newest migrations of each app that has tables of tenants.

    Raises NotMigrated when this database lacks one.
    """
    loader = MigrationLoader(connection, ignore_no_migrations=True)
    labels = {each._meta.app_label for each in contents.tenant_models().values()}
    state: dict[str, list[str]] = {label: [] for label in sorted(labels)}
    for app_label, name in loader.graph.leaf_nodes():
        if app_label not in labels:
            continue
        if (app_label, name) not in loader.applied_migrations:
            raise NotMigrated(missing=f"{app_label}.{name}")
        state[app_label].append(name)
    return state


def totals_of(database: Connection[Any], tenant_id: UUID, tables: list[contents.Table]) -> dict[str, Any]:
    """Return counts by status and amounts of money, as they are in the database now."""
    given = {"tenant": tenant_id}
    by_status = {}
    for table in tables:
        for column in table.status:
            value = table.rule.values.get(column, f't."{column}"')
            found = database.execute(
                f'SELECT {value}, count(*) FROM "{table.name}" AS t WHERE t.tenant_id = %(tenant)s '  # noqa: S608
                f"AND ({table.rule.where}) GROUP BY 1 ORDER BY 1",
                given,
            ).fetchall()
            by_status[f"{table.label}.{column}"] = {str(name): count for name, count in found}
    money = {
        name: {key: str(amount) for key, amount in database.execute(sql, given).fetchall()}
        for name, sql in contents.totals().items()
    }
    return {"by_status": by_status, "money": money}
