"""Migrations wait for no lock for long, and an index grows on a partitioned table while it is in use."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from ispcore.operations.management.commands import migrate
from ispcore.operations.partitions import AddIndexToPartitions
from tests import servers
from tests.conftest import _as_owner

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def blocker(monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection[Any]]:
    """Somebody's long transaction on a table that the last migration of `jobs` is said to change."""
    loader = MigrationLoader(None)
    migration = loader.graph.nodes["aaa", "0002_states_come_with_accounts"]
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "100ms")
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 0.05)
    with _as_owner(), psycopg.connect(servers.servers.owner_url) as other:
        other.execute("LOCK TABLE aaa_accountstate IN ROW EXCLUSIVE MODE")
        recorder = MigrationRecorder(connection)
        recorder.record_unapplied("aaa", migration.name)  # What it does may be done twice.
        yield other
        recorder.record_applied("aaa", migration.name)


def test_a_migration_gives_up_a_lock_and_says_what_to_do(
    blocker: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "TRIES", 2)

    with pytest.raises(CommandError, match="stayed locked for 2 tries of 100ms"):
        call_command("migrate", "aaa", verbosity=0)

    assert ("aaa", "0002_states_come_with_accounts") not in MigrationRecorder(connection).applied_migrations()


def test_a_migration_tries_again_until_the_lock_is_free(
    blocker: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: blocker.rollback())

    call_command("migrate", "aaa", verbosity=0)

    assert ("aaa", "0002_states_come_with_accounts") in MigrationRecorder(connection).applied_migrations()
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


@pytest.fixture
def measured() -> Iterator[ProjectState]:
    """A partitioned table of two partitions, and Django's picture of it."""
    state = ProjectState()
    migrations.CreateModel(
        "Measured", [("id", models.BigAutoField(primary_key=True)), ("at", models.DateField())]
    ).state_forwards("shop", state)
    with _as_owner(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE shop_measured (id bigint, at date) PARTITION BY RANGE (at)")
        for month in (1, 2):
            cursor.execute(
                f"CREATE TABLE shop_measured_{month} PARTITION OF shop_measured "
                f"FOR VALUES FROM ('2026-0{month}-01') TO ('2026-0{month + 1}-01')"
            )
        yield state
        cursor.execute("DROP TABLE shop_measured")


def _add_index(state: ProjectState) -> None:
    migration: Any = migrations.Migration("0002_index", "shop")
    migration.atomic = False
    migration.operations = [AddIndexToPartitions("measured", models.Index(fields=["at"], name="measured_at"))]
    with connections["default"].schema_editor(atomic=False) as editor:
        migration.apply(state.clone(), editor)


def _indexes() -> dict[str, bool]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
            "WHERE i.indrelid IN (SELECT relid FROM pg_partition_tree('shop_measured'))"
        )
        return dict(cursor.fetchall())


def test_an_index_grows_on_each_partition_and_twice_is_as_good_as_once(measured: ProjectState) -> None:
    _add_index(measured)
    first = _indexes()
    _add_index(measured)

    assert first == _indexes()
    assert first == {
        "measured_at": True,
        "shop_measured_1_measured_at": True,
        "shop_measured_2_measured_at": True,
    }


def test_an_index_that_was_cut_off_is_built_anew(measured: ProjectState) -> None:
    with psycopg.connect(servers.servers.owner_url) as other:
        other.execute(
            "INSERT INTO shop_measured VALUES (1, '2026-01-05')"
        )  # Stays open: the build waits for it.
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
            with pytest.raises(OperationalError):
                cursor.execute(
                    'CREATE INDEX CONCURRENTLY "shop_measured_1_measured_at" ON shop_measured_1 (at)'
                )
            cursor.execute("RESET lock_timeout")
    assert _indexes() == {"shop_measured_1_measured_at": False}

    _add_index(measured)

    assert set(_indexes().values()) == {True}
    assert len(_indexes()) == 3
