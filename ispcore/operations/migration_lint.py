"""Refuse migrations that would lock a big table for long, or break the release that still runs beside them.

squawk (https://squawkhq.com/docs/rules) knows PostgreSQL's locks and reads the SQL; what it cannot know is added
here: changes of data, partitioned tables, and what Python does. docs/adr/0021-migrations-are-linted-as-sql.md
says why. docs/upgrades.md shows the way that is asked for instead.
"""

import bisect
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import sqlparse
from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.state import ProjectState

from ispcore.operations import migration_sql

# The newest migration of each app when the linter came: up to there they were written before the first release, and
# run on empty tables only. What comes after runs on tables that are in use. Never moved forward.
BASELINE = {
    "aaa": "0002_states_come_with_accounts",
    "billing": "0002_proven_tenants",
    "events": "0002_webhooks",
    "files": "0001_initial",
    "hardware": "0001_squashed_0005_onu_management_address",
    "ipam": "0001_initial",
    "api": "0001_initial",
    "ispauth": "0003_issuer_log_out",
    "jobs": "0001_initial",
    "subscribers": "0011_holds_and_plan_changes_of_a_service",
    "support": "0001_initial",
    "tenants": "0003_number_series",
}
# Tables that PostgreSQL keeps in parts; a test holds this against the database.
PARTITIONED = ("aaa_authattempt", "aaa_hourlyusage", "aaa_pastsession", "hardware_reading")

NEXT_RELEASE = "The release that still runs uses it. Do it one release after the code stopped using it"
NOT_VALID = (
    "Use AddConstraintNotValid (django.contrib.postgres.operations), and ValidateConstraint in a migration of its "
    "own after it"
)
# squawk's rule: what to do instead. Its other rules are of style.
RULES = {
    "require-concurrent-index-creation": "Use AddIndexConcurrently (django.contrib.postgres.operations) in a "
    "migration with atomic = False; for db_index or a foreign key set db_index=False and name the index in Meta",
    "require-concurrent-index-deletion": "Use RemoveIndexConcurrently (django.contrib.postgres.operations) in a "
    "migration with atomic = False",
    "require-concurrent-reindex": "Write REINDEX … CONCURRENTLY in a migration with atomic = False",
    "require-concurrent-partition-detach": "Write DETACH PARTITION … CONCURRENTLY with atomic = False",
    "constraint-missing-not-valid": NOT_VALID,
    "adding-foreign-key-constraint": "Add the column with db_constraint=False and an index built CONCURRENTLY; then "
    "RunSQL 'ALTER TABLE … ADD CONSTRAINT … FOREIGN KEY … NOT VALID', and VALIDATE CONSTRAINT in a migration of its "
    "own after it. A column that is new and empty has nothing to scan: allow it and say so",
    "disallowed-unique-constraint": "Build a unique index CONCURRENTLY (RunSQL, atomic = False), then RunSQL 'ALTER "
    "TABLE … ADD CONSTRAINT … UNIQUE USING INDEX …' with the constraint in state_operations",
    "adding-serial-primary-key-field": "Build a unique index CONCURRENTLY, then ADD PRIMARY KEY USING INDEX",
    "adding-field-with-default": "The default is computed for each row, which writes the table anew. Add the column "
    "empty, fill it by a data change (docs/upgrades.md), then set the default. now() and its like are computed once: "
    "allow them and say so",
    "adding-required-field": "Rows that are there, and the release that still runs, have no value for it: give "
    "db_default= or null=True",
    "ban-drop-default": "Django keeps a default to itself, so the release that still runs cannot insert: give "
    "db_default= in place of default=",
    "adding-not-nullable-field": "RunSQL 'ALTER TABLE … ADD CONSTRAINT … NOT NULL column NOT VALID', and VALIDATE "
    "CONSTRAINT in a migration of its own after it, with the field in state_operations",
    "changing-column-type": "Add a column of the new type, fill it by a data change (docs/upgrades.md), and read it "
    "from the next release on. A longer varchar, or text, changes no row: allow it and say so",
    "renaming-column": f"{NEXT_RELEASE}; until then keep the name in the database by db_column=",
    "renaming-table": f"{NEXT_RELEASE}; until then keep the name in the database by db_table",
    "ban-drop-column": f"{NEXT_RELEASE} (RemoveField in state_operations first; a column it must fill needs a "
    "db_default before)",
    "ban-drop-table": f"{NEXT_RELEASE} (DeleteModel in state_operations first)",
    "ban-truncate-cascade": "Name the tables that lose their rows",
    "syntax-error": "squawk cannot read this SQL",
}
CHANGES_DATA = (
    "It holds its locks until the last row is done. Register a data change (docs/upgrades.md), which a worker does in "
    "batches; where it touches a handful of rows only, allow it and say so"
)
PYTHON = f"Nobody sees what Python does to a table. {CHANGES_DATA}"
ON_PARTITIONS = "Use AddIndexToPartitions (ispcore.operations.partitions) in a migration with atomic = False"
ALONE = (
    "A migration with atomic = False waits for locks without a limit, and is left half done when it fails: only what "
    "is CONCURRENTLY belongs in it. Move the rest into another one"
)
NOT_ATOMIC = "Set atomic = False on the migration: PostgreSQL does nothing CONCURRENTLY inside a transaction"

WRITES = re.compile(r"(UPDATE|DELETE|MERGE|DO|WITH|COPY|CALL|INSERT\b.*\bSELECT)\b", re.I | re.S)
INDEX_ON = re.compile(
    r"CREATE\s+(?:UNIQUE\s+)?INDEX\s.*?\bON\s+(?P<only>ONLY\s+)?(?:public\.)?\"?(?P<table>\w+)", re.I | re.S
)
CREATED = re.compile(r"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?\"?(\w+)", re.I)
ALTERED = re.compile(r"ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?\"?(\w+)", re.I)
CONCURRENT = re.compile(r"(CREATE|DROP|REINDEX|ALTER\s+TABLE)\b[^$]*\bCONCURRENTLY\b", re.I)
MAY_STAND_ALONE = re.compile(r"\bCONCURRENTLY\b|\bON\s+ONLY\b|^SET\s|^RESET\s", re.I)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one migration."""

    migration: str
    rule: str
    what: str
    instead: str


class LinterMissing(Exception):
    """Raised where the program squawk is not installed."""


def lint_project() -> list[Finding]:
    """Return what is wrong with the project's migrations after the baseline. Needs no database."""
    loader = MigrationLoader(None, replace_migrations=False)
    old = {key for app, name in BASELINE.items() for key in loader.graph.forwards_plan((app, name))}
    findings = []
    for key in sorted(set(loader.graph.nodes) - old):
        migration = loader.graph.nodes[key]
        # What replaces others runs on empty tables only, and packages have rules of their own.
        if migration is not None and _is_ours(migration) and not migration.replaces:
            findings += lint(migration, loader.project_state(key, at_end=False))
    return findings


def lint(migration: Migration, state: ProjectState) -> list[Finding]:
    """Return what is wrong with one migration that would be applied to `state`.

    `lint_allows` on the migration, `{rule: reason}`, lets a rule pass; one that allows nothing is itself wrong.
    """
    written = migration_sql.write_sql(migration, state)
    statements = [s for text in written.statements for s in sqlparse.split(text) if s.strip(" ;\n")]
    found = [("python", what, PYTHON) for what in written.unwritten]
    found += _lint_sql(statements, in_transaction=migration.atomic)
    allowed: dict[str, str] = getattr(migration, "lint_allows", {})
    name = f"{migration.app_label}.{migration.name}"
    findings = [Finding(name, *one) for one in found if one[0] not in allowed]
    unused = set(allowed) - {rule for rule, _, _ in found}
    return findings + [
        Finding(name, "unused-allowance", rule, "Take it out of lint_allows") for rule in sorted(unused)
    ]


def _lint_sql(statements: list[str], *, in_transaction: bool) -> list[tuple[str, str, str]]:
    """Return (rule, statement, what to do instead) for what is wrong with the statements of one migration."""
    found = []
    made = {match[1] for statement in statements if (match := CREATED.match(statement))}
    for rule, statement in _ask_squawk(statements, in_transaction=in_transaction):
        altered = ALTERED.match(statement)
        is_new = altered is not None and altered[1] in made  # Django adds keys to what it has just made.
        if not is_new and not _is_on_partitions(statement):
            found.append((rule, statement, RULES[rule]))
    for statement in statements:
        if WRITES.match(statement):
            found.append(("data-change", statement, CHANGES_DATA))
        index = INDEX_ON.match(statement)
        if index and index["table"] in PARTITIONED and not index["only"]:
            found.append(("index-on-partitioned", statement, ON_PARTITIONS))
        if in_transaction and CONCURRENT.match(statement):
            found.append(("concurrently-in-transaction", statement, NOT_ATOMIC))
        if not in_transaction and not MAY_STAND_ALONE.search(statement):
            found.append(("not-alone", statement, ALONE))
    return found


def _ask_squawk(statements: list[str], *, in_transaction: bool) -> list[tuple[str, str]]:
    """Return (rule, statement) for each of RULES that squawk finds broken."""
    program = shutil.which("squawk", path=str(Path(sys.executable).parent)) or shutil.which("squawk")
    if program is None:
        raise LinterMissing("squawk is not installed: pip install -r requirements-dev.txt")
    command = [program, "--reporter", "json", "--pg-version", "18.0", "--stdin-filepath", "migration.sql"]
    text = "".join(f"{statement}\n" for statement in statements)
    result = subprocess.run(  # noqa: S603  (our own arguments)
        [*command, *(["--assume-in-transaction"] if in_transaction else [])],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    ends = list(accumulate(statement.count("\n") + 1 for statement in statements))
    return [
        (one["rule_name"], statements[min(bisect.bisect_right(ends, one["line"]), len(statements) - 1)])
        for one in json.loads(result.stdout or "[]")
        if one["rule_name"] in RULES
    ]


def _is_on_partitions(statement: str) -> bool:
    """Tell whether it makes an index on a partitioned table, for which the rule is ours."""
    index = INDEX_ON.match(statement)
    return index is not None and index["table"] in PARTITIONED


def _is_ours(migration: Migration) -> bool:
    path = Path(sys.modules[migration.__module__].__file__ or "")
    inside = path.is_relative_to(settings.BASE_DIR)
    return inside and not path.relative_to(settings.BASE_DIR).parts[0].startswith(".")
