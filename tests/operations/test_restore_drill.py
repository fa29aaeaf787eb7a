"""The drill: two providers with something of everything, backed up while they work, and restored elsewhere."""

import base64
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from psycopg.rows import dict_row

from aaa.models import Account, Nas
from aaa.models.sealing import connection_setting
from billing.models import Payment
from demo import access, addresses, billing, customers, dialler
from hardware.models import Olt
from ispcore.crypto import Undecryptable, key_ring
from ispcore.embedded import Servers
from ispcore.events.models import Event, WebhookEndpoint
from ispcore.events.services import feed
from ispcore.events.services.endpoints import create_webhook
from ispcore.files.models import StoredFile
from ispcore.files.services import open_file, write_file
from ispcore.operations import pulse
from ispcore.operations.backups import figures, positions
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant, User
from ispcore.tenants.roles import Role
from subscribers.models import Subscriber
from tests import servers
from tests.aaa.online import make_account, make_nas, make_session
from tests.aaa.radius_role import Radius
from tests.billing.issued import make_customer, make_issued
from tests.billing.paying import receive
from tests.client import Api
from tests.factories import OltFactory
from tests.operations.elsewhere import (
    command,
    connected,
    contents_of,
    in_database,
    outcome,
    owner_here,
    second_servers,
    wait_for,
    working_on,
)

pytestmark = [
    pytest.mark.django_db(databases=["default", "platform"], transaction=True),
    pytest.mark.timeout(600),  # Each drill starts several processes and makes all tables.
]
ROWS = 150_000  # So many that a process is still at it when it is killed.
FAR_AHEAD = 9_000_000_000  # More transactions than a new server has counted.
CONTENT = os.urandom(600_000)


@pytest.fixture(scope="module")
def second(django_db_setup: None) -> Iterator[Servers]:
    with second_servers() as running:
        yield running


@pytest.fixture
def rich(tenant: Tenant, other_tenant: Tenant, make_user: Callable[..., User]) -> User:
    """Fill `tenant` as the demo is filled and `other_tenant` with a little; returns the administrator of the first."""
    at = timezone.now()
    with tenant_context(tenant.pk):
        customers.load(count=40, currency="EUR", at=at)
        addresses.load(at=at, whole=True)
        access.load(at=at)
        billing.load(at=at)
        create_webhook(url="https://hooks.example/isp")
        OltFactory(community="snmp-community")
    for each in (tenant, other_tenant):
        with write_file(
            name="scan.pdf",
            media_type="application/pdf",
            app_label="support",
            scope=partial(tenant_context, each.pk),
        ) as (_, stream):
            stream.write(CONTENT)
        with tenant_context(each.pk):
            nas = make_nas(None)
            make_session(nas, make_account(f"{each.slug}-jane", password="jane-password"), "81000001")
    with tenant_context(other_tenant.pk):
        make_issued(make_customer(full_name="Fiona Foreigner"), "19.90")
    with connected(owner_here()) as owner:
        owner.execute("UPDATE events_event SET xid = %s", [FAR_AHEAD])
    return make_user("ada", {tenant: Role.ADMINISTRATOR})


@contextmanager
def a_writer(tenant: Tenant) -> Iterator[None]:
    """Somebody who is billed and pays, again and again, while the block runs."""
    stop, failures = threading.Event(), []

    def work() -> None:
        try:
            while not stop.is_set():
                with tenant_context(tenant.pk):
                    customer = make_customer()
                    make_issued(customer, "12.34")
                    receive(customer, "12.34")
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert failures == []


@contextmanager
def the_backups_moment() -> Iterator[psycopg.Connection[Any]]:
    """See the tests' database as the backup that runs sees it."""
    url = in_database(servers.servers.admin_url, connection.settings_dict["NAME"])
    with connected(url) as admin:
        wait_for(lambda: bool(admin.execute("SELECT pg_ls_dir('pg_snapshots')").fetchall()))
        row = admin.execute("SELECT pg_ls_dir('pg_snapshots')").fetchone()
        assert row is not None
        admin.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        admin.execute(f"SET TRANSACTION SNAPSHOT '{row[0]}'")
        yield admin


def restored_as(second: Servers, name: str) -> str:
    return in_database(second.owner_url, name)


def the_backup(folder: Path) -> Path:
    (found,) = folder.glob("*Z")
    return found


def payments_of(tenant: Tenant) -> int:
    with tenant_context(tenant.pk):
        return Payment.objects.count()


def test_all_of_one_moment_comes_back_elsewhere(
    rich: User, tenant: Tenant, other_tenant: Tenant, second: Servers, tmp_path: Path
) -> None:
    with tenant_context(tenant.pk):
        secret = WebhookEndpoint.objects.get().secret
        account = Account.objects.filter(blocked_reason="", username=dialler.user_name(1)).get()
        nas = Nas.objects.order_by("created_at")[0]
    before = payments_of(tenant)
    with a_writer(tenant):
        wait_for(lambda: payments_of(tenant) > before + 2)
        process = command("backup", "--folder", str(tmp_path), owner_url=owner_here())
        with the_backups_moment() as moment:
            wanted = contents_of(moment)
            rights = figures.read_rights(moment)
        status, said = outcome(process)
        assert status == 0, said
        at_the_end = payments_of(tenant)
        wait_for(lambda: payments_of(tenant) > at_the_end)

    target = restored_as(second, "drill")
    status, said = outcome(command("restore", str(the_backup(tmp_path)), owner_url=target))

    assert status == 0, said
    assert positions.RENUMBERED in said
    assert before + 2 < wanted["public.billing_payment"][0] <= at_the_end + 1
    with connected(target) as owner:
        assert contents_of(owner) == wanted
        assert figures.read_rights(owner) == rights
        unguarded = owner.execute(
            "SELECT relname FROM pg_class AS c JOIN pg_attribute AS a ON attrelid = c.oid AND attname = 'tenant_id' "
            "WHERE relkind IN ('r', 'p') AND NOT relispartition AND NOT (relrowsecurity AND relforcerowsecurity)"
        ).fetchall()
        assert unguarded == []
    with working_on(in_database(second.app_url, "drill")):
        assert_it_works(rich, tenant, other_tenant, secret)
    assert_radius_answers(in_database(second.radius_url, "drill"), nas, account)


def assert_it_works(admin: User, tenant: Tenant, other_tenant: Tenant, secret: Any) -> None:
    """The money adds up, row-level security holds, secrets open, files are whole and the API answers."""
    told = StringIO()
    call_command("check_ledger", stdout=told)
    assert told.getvalue().splitlines() == ["north: all adds up", "south: all adds up"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM billing_payment")
        assert cursor.fetchone() == (0,)
    for each in (tenant, other_tenant):
        with tenant_context(each.pk):
            (file,) = StoredFile.objects.filter(name="scan.pdf")
            with open_file(file) as stream:
                assert stream.read() == CONTENT
    with tenant_context(tenant.pk):
        assert WebhookEndpoint.objects.get().secret == secret
        assert not Subscriber.objects.filter(full_name="Fiona Foreigner").exists()
        expected = Subscriber.objects.count()
        told_of = feed.read(position=feed.Position(), limit=1000)
        assert len(told_of.events) == min(1000, Event.objects.count()) > 0
    answer = Api(admin).get("subscribers")
    assert (answer.status_code, 0 < len(answer.json()["data"]) <= expected) == (200, True)


def assert_radius_answers(url: str, nas: Nas, account: Account) -> None:
    options = f"-c isp.radius_key={connection_setting()}"
    with psycopg.connect(url, autocommit=True, row_factory=dict_row, options=options) as raw:
        radius = Radius(raw)
        refused = radius.log_in(nas.pk, account.username, password="not this")
        accepted = radius.log_in(nas.pk, account.username, password=dialler.password(1))
    assert (refused["reason"], accepted["reason"]) == ("password", "")


def test_secrets_do_not_open_with_other_keys(
    tenant: Tenant, second: Servers, tmp_path: Path, settings: Any
) -> None:
    with tenant_context(tenant.pk):
        OltFactory(community="snmp-community")
    began = time.time()
    assert outcome(command("backup", "--folder", str(tmp_path), owner_url=owner_here()))[0] == 0
    assert began <= (pulse.backup_taken_at() or 0) <= time.time()
    backup, target = the_backup(tmp_path), restored_as(second, "other_keys")
    other = "k1:" + base64.b64encode(os.urandom(32)).decode()
    in_the_files = b"".join(path.read_bytes() for path in backup.rglob("*") if path.is_file())

    refused = outcome(command("restore", str(backup), owner_url=target, FIELD_ENCRYPTION_KEYS=other))

    assert refused[0] == 1
    assert "FIELD_ENCRYPTION_KEYS: the key k1 is another one" in refused[1]
    with connected(second.admin_url) as admin:
        made = admin.execute("SELECT datname FROM pg_database WHERE datname LIKE 'other_keys%'").fetchall()
        assert made == []
    for setting in ("FIELD_ENCRYPTION_KEYS", "RADIUS_SECRET_KEY", "SECRET_KEY"):
        key = str(getattr(settings, setting)).partition(":")[2] or settings.SECRET_KEY
        assert key.encode() not in in_the_files

    told = outcome(
        command("restore", str(backup), "--without-keys", owner_url=target, FIELD_ENCRYPTION_KEYS=other)
    )

    assert told[0] == 0, told[1]
    with working_on(in_database(second.app_url, "other_keys")), tenant_context(tenant.pk):
        assert Olt.objects.get().community.reveal() == "snmp-community"
        settings.FIELD_ENCRYPTION_KEYS = other
        key_ring.cache_clear()
        try:
            with pytest.raises(Undecryptable):
                Olt.objects.get()
        finally:
            key_ring.cache_clear()


def test_what_is_killed_leaves_nothing_that_looks_whole(
    tenant: Tenant, second: Servers, tmp_path: Path
) -> None:
    with tenant_context(tenant.pk), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO subscribers_zone (id, tenant_id, name, created_at, updated_at) "
            "SELECT uuidv7(), %s, 'Zone ' || n || md5(n::text), now(), now() FROM generate_series(1, %s) AS n",
            [tenant.pk, ROWS],
        )
    target = restored_as(second, "killed")

    def drafts() -> list[Path]:
        return list(tmp_path.glob("*.part/dump/*.dat.gz"))

    process = command("backup", "--folder", str(tmp_path), owner_url=owner_here())
    wait_for(lambda: bool(drafts()))
    process.kill()
    process.communicate()

    (draft,) = tmp_path.glob("*.part")
    assert list(tmp_path.glob("*Z")) == []
    status, said = outcome(command("restore", str(draft), "--check", owner_url=target))
    assert (status, "is no backup" in said) == (1, True)

    status, said = outcome(command("backup", "--folder", str(tmp_path), owner_url=owner_here()))
    assert (status, draft.exists()) == (0, False), said
    backup = the_backup(tmp_path)
    assert json.loads((backup / "manifest.json").read_text())["tables"]["public.subscribers_zone"] == ROWS

    with connected(second.admin_url) as admin:

        def rows_come_in() -> bool:
            return bool(
                admin.execute(
                    "SELECT 1 FROM pg_stat_activity WHERE datname = 'killed_restoring' AND query LIKE 'COPY %'"
                ).fetchall()
            )

        process = command("restore", str(backup), owner_url=target)
        wait_for(rows_come_in)
        process.kill()
        process.communicate()

        names = "SELECT datname FROM pg_database WHERE datname LIKE 'killed%' ORDER BY 1"
        assert admin.execute(names).fetchall() == [("killed_restoring",)]
        status, said = outcome(command("restore", str(backup), owner_url=target))
        assert status == 0, said
        assert admin.execute(names).fetchall() == [("killed",)]

    with connected(target) as owner:
        assert owner.execute("SELECT count(*) FROM subscribers_zone").fetchone() == (ROWS,)

    status, said = outcome(command("restore", str(backup), owner_url=target))
    assert (status, "is not empty, so nothing was restored" in said) == (1, True)

    with connected(target) as somebody:
        status, said = outcome(command("restore", str(backup), "--replace", owner_url=target))
        assert (status, "is in use: 1 of isp_owner" in said) == (1, True)
        somebody.execute("CREATE TABLE made_since ()")

    status, said = outcome(command("restore", str(backup), "--replace", owner_url=target))
    assert status == 0, said
    with connected(second.admin_url) as admin:
        kept, found = (name for (name,) in admin.execute(names).fetchall()[::-1])
    assert (found, kept.startswith("killed_before_")) == ("killed", True)
    for name, has_what_came_since in ((kept, True), (found, False)):
        with connected(restored_as(second, name)) as owner:
            assert owner.execute("SELECT to_regclass('made_since') IS NOT NULL").fetchone() == (
                has_what_came_since,
            )


def test_every_column_that_numbers_transactions_is_known() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND column_name ~ 'xid$' AND table_name !~ 'history$'"
        )
        assert dict(cursor.fetchall()) == positions.NUMBERED
