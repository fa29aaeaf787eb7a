"""What a provider's export holds: every table of a tenant, but for those named here or by their app with a reason.

Apps say in their module `exports` what is special about their tables. In SQL given here `t` is the table's row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import models

from ispcore.audit import SealedField, TenantEventModel
from ispcore.crypto import SecretField
from ispcore.tenants.models import User

LEFT_OUT = "left out"  # Stands where a secret was.


@dataclass(frozen=True)
class Rule:
    """What is special about one table: which rows go, and with which values.

    `values` takes the place of a column's own. `drawn` are columns that belong to an installation: they are not in
    the file, and get this SQL when restored (None: the column's own default). A partitioned table names the call
    that makes the partition of the day %s, and the column that decides.
    """

    where: str = "true"
    values: Mapping[str, str] = field(default_factory=dict)
    drawn: Mapping[str, str | None] = field(default_factory=dict)
    make_partition: str = ""
    partition_by: str = ""


@dataclass(frozen=True)
class Table:
    """One table as it is written and restored; `secrets` and `users` are the columns that need more than copying."""

    label: str
    name: str
    columns: tuple[str, ...]
    order: tuple[str, ...]
    secrets: tuple[SecretField, ...]
    users: tuple[str, ...]
    status: tuple[str, ...]
    masked: tuple[str, ...]
    rule: Rule

    @property
    def secret_columns(self) -> list[str]:
        return [str(each.column) for each in self.secrets]

    def read_sql(self) -> str:
        """Return the statement that gives a row as one JSON value, and after it each secret as it is stored."""
        values = ", ".join(f'{self._value(name)} AS "{name}"' for name in self.columns)
        order = ", ".join(f't."{name}"' for name in self.order)
        plain = (
            f'SELECT {values} FROM "{self.name}" AS t WHERE t.tenant_id = %(tenant)s AND ({self.rule.where}) '  # noqa: S608
            f"ORDER BY {order}"
        )
        if not self.secrets:
            return f"SELECT row_to_json(v) FROM ({plain}) AS v"  # noqa: S608
        secrets = ", ".join(f't."{name}"' for name in self.secret_columns)
        return (
            f'SELECT (SELECT row_to_json(v) FROM (SELECT {values}) AS v), {secrets} FROM "{self.name}" AS t '  # noqa: S608
            f"WHERE t.tenant_id = %(tenant)s AND ({self.rule.where}) ORDER BY {order}"
        )

    def _value(self, column: str) -> str:
        if column in self.masked:
            return f"CASE WHEN t.\"{column}\" <> '' THEN '{LEFT_OUT}' ELSE t.\"{column}\" END"
        return self.rule.values.get(column, f't."{column}"')


_rules: dict[str, Rule] = {}
_reasons: dict[str, str] = {}
_totals: dict[str, str] = {}


def carry(label: str, rule: Rule) -> None:
    """Say what is special about a table that is carried."""
    _rules[label] = rule


def leave_out(label: str, reason: str) -> None:
    """Leave a table out; the manifest gives the reason."""
    _reasons[label] = reason


def add_total(name: str, sql: str) -> None:
    """Have an amount compared: a statement for the tenant %(tenant)s that gives rows of a name and a number."""
    _totals[name] = sql


def reasons() -> dict[str, str]:
    return dict(sorted(_reasons.items()))


def totals() -> dict[str, str]:
    return dict(_totals)


def tenant_models() -> dict[str, type[models.Model]]:
    """Return every model whose rows belong to a tenant, by its label."""
    return {
        model._meta.label: model
        for model in apps.get_models()
        if model._meta.managed
        and not model._meta.proxy
        and any(each.name == "tenant" for each in model._meta.concrete_fields)
    }


def tables() -> list[Table]:
    """Return what is carried, in the order of the labels."""
    return [_table(label, model) for label, model in sorted(tenant_models().items()) if label not in _reasons]


def _table(label: str, model: type[models.Model]) -> Table:
    rule = _rules.get(label, Rule())
    fields: list[Any] = [
        each
        for each in model._meta.concrete_fields
        if each.column
        and not each.generated
        and each.name not in ("tenant", "pgh_id")
        and each.column not in rule.drawn
    ]
    secrets = tuple(each for each in fields if isinstance(each, SecretField))
    plain = [each for each in fields if each not in secrets]
    is_history = issubclass(model, TenantEventModel)
    order = ["pgh_id"] if is_history else [str(each.column) for each in model._meta.pk_fields]
    return Table(
        label=label,
        name=model._meta.db_table,
        columns=tuple(str(each.column) for each in plain),
        order=tuple(name for name in order if name != "tenant_id"),
        secrets=secrets,
        users=tuple(str(each.column) for each in plain if each.related_model is User),
        status=tuple(
            str(each.column) for each in plain if each.name in ("status", "state") and not is_history
        ),
        masked=tuple(str(each.column) for each in plain if isinstance(each, SealedField)),
        rule=rule,
    )


# A file that is whole and is not itself an export, nor an uploaded list, which may hold passwords.
KEPT_FILE = "{0}.completed_at IS NOT NULL AND {0}.app_label NOT IN ('tenants', 'imports')"


def kept_file(column: str) -> str:
    """Return the SQL for a key to a file: none where the file is not carried."""
    return (
        f"(SELECT f.id FROM files_storedfile AS f WHERE f.tenant_id = t.tenant_id AND f.id = t.{column} "  # noqa: S608
        f"AND {KEPT_FILE.format('f')})"
    )


leave_out("api.IdempotentAnswer", "Answers kept for a day for callers that repeat a request.")
leave_out("events.Event", "They were told where they happened, and are not told twice.")
leave_out("events.WebhookDelivery", "What was to be sent is sent by the installation it happened in.")
leave_out("ispauth.ApiKey", "A key would open two installations at once. Make new ones.")
carry("ispauth.ApiKeyHistory", Rule(values={"secret_hash": "''"}))
carry(
    "events.WebhookEndpoint",
    Rule(values={"claim_token": "NULL::uuid", "claimed_until": "NULL::timestamptz"}),
)
carry(
    "jobs.Job",
    Rule(
        where="t.kind <> 'ispcore.files.export_tenant'",
        values={
            "status": "CASE WHEN t.status IN ('queued', 'running') THEN 'cancelled' ELSE t.status END",
            "finished_at": "COALESCE(t.finished_at, t.updated_at)",
            "run_token": "NULL::uuid",
            "params": "t.params - 'password' - 'passphrase'",
        },
    ),
)
carry("files.StoredFile", Rule(where=KEPT_FILE.format("t")))
carry("files.FileChunk", Rule(where=f"{kept_file('file_id')} IS NOT NULL"))
