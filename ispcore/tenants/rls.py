"""Migration operations that close a tenant's table underneath the ORM."""

from typing import Any

from django.db.migrations.operations.base import Operation

from ispcore.tenants.fields import TenantForeignKey, UncheckedTenantKey

# After a transaction the setting is '' and not NULL, hence NULLIF; an empty setting then shows no row.
CURRENT_TENANT_SQL = "NULLIF(current_setting('app.tenant_id', true), '')::uuid"


class IsolateTenantTable(Operation):
    """Enable and force row-level security on a model's table and make its foreign keys composite.

    Reversible. Run it once per model, after the models its TenantForeignKeys point at. An `append_only` table,
    a history, keeps rows that name what is gone: it gets no foreign keys.
    """

    reversible = True
    reduces_to_sql = True

    def __init__(self, model_name: str, *, append_only: bool = False) -> None:
        self.model_name = model_name
        self.append_only = append_only

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Django's picture of the model does not change."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        for statement in isolation_sql(model, append_only=self.append_only):
            schema_editor.execute(statement)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        table = from_state.apps.get_model(app_label, self.model_name)._meta.db_table
        schema_editor.execute(f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY')
        schema_editor.execute(f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY')
        schema_editor.execute(f'DROP POLICY IF EXISTS tenant_isolation ON "{table}"')
        schema_editor.execute(f'DROP POLICY IF EXISTS platform_read ON "{table}"')

    def deconstruct(self) -> Any:
        kwargs = {"append_only": True} if self.append_only else {}
        return self.__class__.__name__, [self.model_name], kwargs

    def describe(self) -> str:
        return f"Isolate the rows of {self.model_name} by tenant"


def isolation_sql(model: Any, *, append_only: bool) -> list[str]:
    """Return the statements that isolate one model's table."""
    table = model._meta.db_table
    statements = [
        f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
        f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
        f'CREATE POLICY tenant_isolation ON "{table}" '
        f"USING (tenant_id = {CURRENT_TENANT_SQL}) WITH CHECK (tenant_id = {CURRENT_TENANT_SQL})",
        f'CREATE POLICY platform_read ON "{table}" FOR SELECT TO isp_platform USING (true)',
    ]
    if model._meta.pk.name == "id":
        statements.append(f'ALTER TABLE "{table}" ADD CONSTRAINT "{table}_tenant_key" UNIQUE (tenant_id, id)')
    if append_only:
        # What it tells of may be deleted while the telling stays, so its columns are tied to nothing.
        return [*statements, f'REVOKE UPDATE, DELETE ON "{table}" FROM isp_app']
    return statements + [
        composite_key_sql(model, field)
        for field in model._meta.local_fields
        if isinstance(field, TenantForeignKey) and not isinstance(field, UncheckedTenantKey)
    ]


def composite_key_sql(model: Any, field: Any) -> str:
    """Return the statement that ties `(tenant_id, field)` to its target's `(tenant_id, id)`."""
    table, target = model._meta.db_table, field.related_model._meta.db_table
    return (
        f'ALTER TABLE "{table}" ADD CONSTRAINT "{table}_{field.column}_same_tenant" '
        f'FOREIGN KEY (tenant_id, "{field.column}") REFERENCES "{target}" (tenant_id, id) '
        "DEFERRABLE INITIALLY DEFERRED"
    )
