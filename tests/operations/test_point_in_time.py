"""Back to a moment between two backups: WAL archive, base backup, disaster, recovery. As docs/backups.md has it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from billing.models import Invoice
from ispcore.embedded import Servers, start_servers
from ispcore.embedded.postgres import Postgres
from ispcore.embedded.process import run_as
from ispcore.operations.backups import figures
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests.billing.issued import make_customer, make_issued
from tests.billing.paying import receive
from tests.embedded.scratch import scratch_directory
from tests.operations.elsewhere import (
    command,
    connected,
    contents_of,
    outcome,
    owner_here,
    wait_for,
    working_on,
)

pytestmark = [
    pytest.mark.django_db(databases=["default", "platform"], transaction=True),
    pytest.mark.timeout(600),  # A server is filled, copied and recovered.
]


def bill(tenant: Tenant, *, amount: str) -> None:
    """A new customer is billed and pays half of it."""
    with tenant_context(tenant.pk):
        customer = make_customer()
        make_issued(customer, amount)
        receive(customer, "5.00")


def give_to_server(servers: Servers, *paths: Path) -> None:
    if servers.home.account is not None:
        for path in paths:
            os.chown(path, servers.home.account.uid, servers.home.account.gid)


@contextmanager
def archiving_server() -> Iterator[tuple[Servers, Postgres, Path]]:
    """A server that keeps every piece of its log and a folder with what it kept."""
    with scratch_directory() as path, start_servers(path / "data") as running:
        archive = path / "archive"
        archive.mkdir()
        give_to_server(running, archive)
        with connected(running.admin_url) as admin:
            admin.execute("ALTER SYSTEM SET archive_mode = on")
            admin.execute(
                f'ALTER SYSTEM SET archive_command = \'test ! -f "{archive}/%f" && cp "%p" "{archive}/%f"\''
            )
        postgres = Postgres(running.home, running.keys["POSTGRES_PASSWORD"])
        postgres.stop()
        postgres.start(die_with_parent=True)
        try:
            yield running, postgres, archive
        finally:
            postgres.stop()


def take_base_backup(servers: Servers, target: Path) -> None:
    rules = servers.home.root / "pg_hba.conf"
    rules.write_text(rules.read_text() + "host replication postgres 127.0.0.1/32 scram-sha-256\n")
    with connected(servers.admin_url) as admin:
        loaded = admin.execute("SELECT pg_conf_load_time()").fetchone()
        admin.execute("SELECT pg_reload_conf()")  # Returns before the server has read them.
    wait_for(lambda: loaded_at(servers) != loaded)
    target.mkdir(mode=0o700)
    give_to_server(servers, target)
    for program, *arguments in (
        ("pg_basebackup", f"--dbname={servers.admin_url}", "--checkpoint=fast", "--pgdata", str(target)),
        ("pg_verifybackup", str(target)),
    ):
        done = run_as(servers.home.account, [str(servers.home.postgres_bin / program), *arguments])
        assert done.returncode == 0, done.stdout


def loaded_at(servers: Servers) -> Any:
    """Return when the settings were read, as a new connection is told."""
    with connected(servers.admin_url) as admin:
        return admin.execute("SELECT pg_conf_load_time()").fetchone()


def archive_all(admin_url: str) -> None:
    """End the piece of the log that is being written, and wait until it is in the archive."""
    with connected(admin_url) as admin:
        row = admin.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
        assert row is not None
        wait_for(
            lambda: bool(
                admin.execute(
                    "SELECT 1 FROM pg_stat_archiver WHERE last_archived_wal >= %s", [row[0]]
                ).fetchall()
            )
        )


def recover(servers: Servers, postgres: Postgres, *, base: Path, archive: Path, moment: datetime) -> None:
    postgres.stop()
    postgres.directory.rename(postgres.directory.with_name("lost"))
    shutil.move(base, postgres.directory)
    with (postgres.directory / "postgresql.auto.conf").open("a") as settings:
        settings.write(
            f'restore_command = \'cp "{archive}/%f" "%p"\'\n'
            f"recovery_target_time = '{moment.isoformat()}'\n"
            "recovery_target_action = promote\n"
        )
    signal = postgres.directory / "recovery.signal"
    signal.touch()
    give_to_server(servers, signal)
    postgres.start(die_with_parent=True)
    with connected(postgres.url) as admin:
        wait_for(lambda: admin.execute("SELECT pg_is_in_recovery()").fetchone() == (False,))


def lasting_contents(owner: Any) -> dict[str, tuple[int, int]]:
    """Return contents without those of unlogged tables: a recovery empties them, and log-ins fill them again."""
    unlogged = owner.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'"
    ).fetchall()
    assert unlogged == [("aaa_reservation",)]
    return {table: found for table, found in contents_of(owner).items() if table != "public.aaa_reservation"}


def totals_of(owner: Any, tenant: Tenant) -> dict[str, dict[str, str]]:
    return figures.read_totals(owner)[tenant.slug]


def test_the_moment_before_a_disaster_comes_back(
    tenant: Tenant, other_tenant: Tenant, tmp_path: Path
) -> None:
    for each in (tenant, other_tenant):
        bill(each, amount="10.00")
    assert outcome(command("backup", "--folder", str(tmp_path), owner_url=owner_here()))[0] == 0
    (backup,) = tmp_path.glob("*Z")
    with archiving_server() as (running, postgres, archive):
        status, said = outcome(command("restore", str(backup), owner_url=running.owner_url))
        assert status == 0, said
        base = running.home.root / "base"
        take_base_backup(running, base)
        with working_on(running.app_url):
            for amount in ("20.00", "30.00"):
                bill(tenant, amount=amount)
        with connected(running.owner_url) as owner:
            wanted = lasting_contents(owner)
            row = owner.execute("SELECT clock_timestamp()").fetchone()
            assert row is not None
            with working_on(running.app_url):
                bill(tenant, amount="40.00")
            owner.execute("DROP TABLE billing_payment CASCADE")
        archive_all(running.admin_url)

        recover(running, postgres, base=base, archive=archive, moment=row[0])

        with connected(running.owner_url) as owner:
            assert lasting_contents(owner) == wanted
            assert totals_of(owner, tenant) == {
                "Booked": {"EUR": "75.0000"},
                "Customers' balances": {"EUR": "45.0000"},
                "Open invoices": {"EUR": "45.0000"},
                "Payments": {"EUR": "15.0000"},
                "Receivable by the ledger": {"EUR": "45.0000"},
            }
            assert totals_of(owner, other_tenant)["Payments"] == {"EUR": "5.0000"}
        with working_on(running.app_url):
            told = StringIO()
            call_command("check_ledger", stdout=told)
            assert told.getvalue().splitlines() == ["north: all adds up", "south: all adds up"]
            bill(tenant, amount="50.00")
            with tenant_context(tenant.pk):
                numbers = sorted(Invoice.objects.values_list("number", flat=True))
        # The lost invoice's number was given again: whoever recovers has to see to it.
        assert [int(number.rpartition("-")[2]) for number in numbers] == [1, 2, 3, 4]
