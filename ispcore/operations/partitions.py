"""Build an index on a partitioned table while it is in use: PostgreSQL does not do it CONCURRENTLY by itself."""

from typing import Any

from django.db.migrations.operations import AddIndex

PARTITIONS_SQL = """
SELECT relid::regclass::text FROM pg_partition_tree(%s) WHERE isleaf AND relid <> %s::regclass ORDER BY 1
"""
INDEX_SQL = "SELECT index.indisvalid FROM pg_index AS index WHERE index.indexrelid = to_regclass(%s)"


class AddIndexToPartitions(AddIndex):
    """Add an index to the parent alone, then to each partition CONCURRENTLY, and join them.

    Partitions made meanwhile get it with the parent's. Safe to repeat: one that was cut off is taken up, and an index
    left invalid by it is built anew. Needs a migration with `atomic = False`.
    """

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        schema_editor.execute(_statement(self.index, model, schema_editor, " ONLY"))
        if schema_editor.collect_sql:
            return
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(PARTITIONS_SQL, [model._meta.db_table] * 2)
            for (partition,) in cursor.fetchall():
                name = f"{partition.strip(chr(34))}_{self.index.name}"[-63:]
                cursor.execute(INDEX_SQL, [f'"{name}"'])
                if cursor.fetchone() == (False,):
                    cursor.execute(f'DROP INDEX CONCURRENTLY "{name}"')
                statement = _statement(
                    self.index, model, schema_editor, "", partition=partition, name=f'"{name}"'
                )
                cursor.execute(str(statement))
                cursor.execute(f'ALTER INDEX "{self.index.name}" ATTACH PARTITION "{name}"')

    def describe(self) -> str:
        return f"Add index {self.index.name} to each partition of {self.model_name}"


def _statement(index: Any, model: Any, editor: Any, only: str, *, partition: str = "", name: str = "") -> Any:
    statement = index.create_sql(model, editor, concurrently=not only)
    words = "CREATE INDEX CONCURRENTLY" if not only else "CREATE INDEX"
    if not statement.template.startswith(f"{words} %(name)s ON %(table)s"):
        raise NotImplementedError(f"Django writes indexes in another way: {statement.template}")
    statement.template = statement.template.replace(
        f"{words} %(name)s ON %(table)s", f"{words} IF NOT EXISTS %(name)s ON{only} %(table)s", 1
    )
    if partition:
        statement.parts |= {"table": partition, "name": name}
    return statement
