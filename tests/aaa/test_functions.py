"""The database functions as a whole: who may call them, that they are the files' and open what Python seals."""

import base64
import os
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aaa.models import Account, Nas, sealing
from aaa.models.fields import station_key, username_key
from aaa.sql import CALLERS, LoadFunctions, digest
from ispcore.crypto import Undecryptable, key_ring
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from tests import servers
from tests.aaa.radius_role import radius_connection
from tests.factories import AccountFactory, NasFactory

# What an attribute can carry: text without NUL, which PostgreSQL's text cannot hold.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80)


def examples(number: int) -> Any:
    """Try so many; a connection serves them all."""
    return settings(
        max_examples=number, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )


@pytest.fixture
def owner() -> Any:
    """A connection of the functions' owner, with the key, to the tests' database."""
    options = f"-c isp.radius_key={sealing.connection_setting()}"
    database = connection.settings_dict["NAME"]
    with psycopg.connect(servers.servers.owner_url, dbname=database, autocommit=True, options=options) as raw:
        yield raw


def test_the_files_are_what_the_last_migration_loads():
    """Change a function, and this names the digest for the migration that brings it to installations."""
    loaded = [
        operation.digest
        for (app, _), migration in sorted(MigrationLoader(None).disk_migrations.items())
        if app == "aaa"
        for operation in migration.operations
        if isinstance(operation, LoadFunctions)
    ]

    assert loaded[-1] == digest(), f"add a migration of aaa with the operation LoadFunctions({digest()!r})"


@pytest.mark.django_db
class TestRights:
    def test_freeradius_may_call_its_five_functions_and_no_other(self, owner: Any) -> None:
        rows = owner.execute(
            "SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
            "AND has_function_privilege('isp_radius', oid, 'EXECUTE') AND prorettype <> 'trigger'::regtype "
            "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_proc.oid AND d.deptype IN ('e', 'i'))"
        ).fetchall()
        # The history triggers' own, which run with the rights of whoever calls them.
        helpers = {"_pgh_attach_context", "_pgtrigger_should_ignore"}

        assert {name for (name,) in rows} - helpers == set(CALLERS["isp_radius"])

    def test_the_application_cannot_call_them(self, owner: Any) -> None:
        rows = owner.execute(
            "SELECT proname::text FROM pg_proc WHERE proname ^@ 'aaa_' "
            "AND has_function_privilege('isp_app', oid, 'EXECUTE')"
        ).fetchall()

        assert {name for (name,) in rows} == set(CALLERS["isp_app"])

    def test_freeradius_has_no_right_on_any_table(self, owner: Any) -> None:
        rows = owner.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'p', 'v', 'S') AND (has_table_privilege("
            "'isp_radius', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') "
            "OR has_any_column_privilege('isp_radius', oid, 'SELECT, INSERT, UPDATE, REFERENCES'))"
        ).fetchall()

        assert rows == []

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT * FROM aaa_account",
            "SELECT secret FROM aaa_nas",
            "DELETE FROM aaa_session",
            "SELECT aaa_open('h1.k1.AAAA', 'aaa_nas.secret:x')",
            "SELECT aaa_move_closed(10)",
            "CREATE TABLE mine (id int)",
            "SET ROLE isp_owner",
            "SET ROLE isp_app",
        ],
    )
    def test_freeradius_is_refused_everything_else(self, statement: str) -> None:
        with radius_connection() as radius, pytest.raises(psycopg.errors.InsufficientPrivilege):
            radius.raw.execute(statement)

    def test_every_function_with_its_owners_rights_has_its_search_path_pinned(self, owner: Any) -> None:
        rows = owner.execute(
            "SELECT proname FROM pg_proc WHERE proname ^@ 'aaa_' AND prosecdef "
            "AND proconfig IS DISTINCT FROM ARRAY['search_path=public, pg_temp']"
        ).fetchall()

        assert rows == []


@pytest.mark.django_db
class TestSealing:
    @examples(60)
    @given(plain=TEXTS, bound_to=st.from_regex(r"[a-z_.]{1,30}:[0-9a-f-]{1,36}", fullmatch=True))
    def test_the_database_opens_what_python_seals(self, owner: Any, plain: str, bound_to: str) -> None:
        sealed = sealing.seal(plain, bound_to=bound_to)

        (opened,) = owner.execute("SELECT aaa_open(%s, %s)", [sealed, bound_to]).fetchone()

        assert opened == plain
        assert sealing.unseal(sealed, bound_to=bound_to) == plain

    def test_the_keystream_is_hmac_in_counter_mode(self) -> None:
        """Worked out with the standard library alone, from the formula and not from the code."""
        import hashlib
        import hmac

        nonce, plain = bytes(range(16)), b"x" * 40
        key = base64.b64decode(os.environ["RADIUS_SECRET_KEY"].partition(":")[2])
        blocks = [
            hmac.new(
                key,
                number.to_bytes(4, "big") + b"stream\0" + nonce + (320).to_bytes(4, "big"),
                hashlib.sha256,
            )
            for number in (1, 2)
        ]
        expected = bytes(a ^ b for a, b in zip(plain, b"".join(b.digest() for b in blocks), strict=False))

        assert sealing._xor(plain, key=key, nonce=nonce) == expected

    def test_two_seals_of_one_secret_differ(self) -> None:
        assert sealing.seal("same", bound_to="a.b:c") != sealing.seal("same", bound_to="a.b:c")

    @pytest.mark.parametrize("position", [0, 15, 16, 20, -33, -32, -1])
    def test_any_changed_byte_is_noticed(self, owner: Any, position: int) -> None:
        version, key_id, encoded = sealing.seal("a secret", bound_to="a.b:c").split(".")
        body = bytearray(base64.b64decode(encoded))
        body[position] ^= 1
        forged = f"{version}.{key_id}.{base64.b64encode(body).decode()}"

        with pytest.raises(Undecryptable):
            sealing.unseal(forged, bound_to="a.b:c")
        with pytest.raises(
            psycopg.errors.RaiseException, match="another key, or for another column or tenant"
        ):
            owner.execute("SELECT aaa_open(%s, 'a.b:c')", [forged])

    @pytest.mark.parametrize("bound_to", ["a.b:d", "a.c:c", "", "a.b:c "])
    def test_it_opens_for_its_own_column_and_tenant_only(self, owner: Any, bound_to: str) -> None:
        sealed = sealing.seal("a secret", bound_to="a.b:c")

        with pytest.raises(Undecryptable):
            sealing.unseal(sealed, bound_to=bound_to)
        with pytest.raises(psycopg.errors.RaiseException):
            owner.execute("SELECT aaa_open(%s, %s)", [sealed, bound_to])

    def test_keys_are_rotated(self, owner: Any) -> None:
        old = os.environ["RADIUS_SECRET_KEY"]
        new = "k2:" + base64.b64encode(os.urandom(32)).decode()
        sealed_before = sealing.seal("a secret", bound_to="a.b:c")
        try:
            key_ring.cache_clear()
            with override_settings(RADIUS_SECRET_KEY=f"{new},{old}"):
                sealed_after = sealing.seal("a secret", bound_to="a.b:c")
                owner.execute(
                    "SELECT set_config('isp.radius_key', %s, false)", [sealing.connection_setting()]
                )

                assert sealed_after.startswith("h1.k2.")
                for sealed in (sealed_before, sealed_after):
                    assert sealing.unseal(sealed, bound_to="a.b:c") == "a secret"
                    row = owner.execute("SELECT aaa_open(%s, 'a.b:c')", [sealed]).fetchone()
                    assert row == ("a secret",)
        finally:
            key_ring.cache_clear()

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("key", ["", "k9:00:00"])
    def test_without_the_key_nothing_opens(self, tenant: Tenant, key: str) -> None:
        with tenant_context(tenant.pk):
            nas = NasFactory()

        with (
            radius_connection(key=key) as radius,
            pytest.raises(psycopg.errors.RaiseException, match="no key named k1"),
        ):
            radius.client(nas.address)

    def test_the_tables_hold_no_clear_text_and_an_unchanged_secret_stays_as_it_is(
        self, tenant: Tenant
    ) -> None:
        def stored() -> list[str]:
            with connection.cursor() as cursor:
                cursor.execute("SELECT password FROM aaa_account UNION ALL SELECT secret FROM aaa_nas")
                return [value for (value,) in cursor.fetchall()]

        with tenant_context(tenant.pk):
            account, nas = AccountFactory(password="Straße 7"), NasFactory(secret="s3cret")
            before = stored()
            for row in (Account.objects.get(pk=account.pk), Nas.objects.get(pk=nas.pk)):
                row.save()
            after = stored()

            assert all(value.startswith("h1.k1.") for value in before)
            assert before == after
            assert Account.objects.get().password.reveal() == "Straße 7"


@pytest.mark.django_db
class TestSpellings:
    """What Python writes into a column and what the packet path compares with it."""

    @examples(200)
    @given(text=TEXTS)
    def test_user_names(self, owner: Any, text: str) -> None:
        (key,) = owner.execute("SELECT lower(%s::text COLLATE pg_unicode_fast)", [text]).fetchone()

        assert username_key(text) == key

    @examples(100)
    @given(text=TEXTS | st.from_regex(r"([0-9a-fA-F]{1,2}[:.-]?){4,7}", fullmatch=True))
    def test_stations(self, owner: Any, text: str) -> None:
        (key,) = owner.execute("SELECT aaa_station(%s)", [text]).fetchone()

        assert station_key(text) == key

    @pytest.mark.parametrize(
        ("station", "key"),
        [
            ("aa:bb:cc:00:11:22", "aabbcc001122"),
            ("AA-BB-CC-00-11-22", "aabbcc001122"),
            ("aabb.cc00.1122", "aabbcc001122"),
            ("AABBCC001122", "aabbcc001122"),
            (" aa:bb:cc:00:11:22 ", "aabbcc001122"),
            ("192.168.100.123", "192.168.100.123"),
            ("10.0.0.1", "10.0.0.1"),
            ("2001:DB8::1", "2001:db8::1"),
            ("", ""),
            ("+27 82 555", "+27 82 555"),
        ],
    )
    def test_a_mac_address_in_any_of_its_spellings(self, owner: Any, station: str, key: str) -> None:
        assert owner.execute("SELECT aaa_station(%s)", [station]).fetchone() == (key,)
        assert station_key(station) == key

    @pytest.mark.parametrize("extra", ["", ";active", ";active:9f3a/10.0.0.1"])
    def test_our_class_comes_back_as_text_or_as_octets(self, owner: Any, extra: str) -> None:
        ours = f"{uuid4()}{extra}"

        for given_back in (ours, "0x" + ours.encode().hex()):
            assert owner.execute("SELECT aaa_class(%s)", [given_back]).fetchone() == (ours,)

    @pytest.mark.parametrize("foreign", ["", "0x", "0xff", "staff", "0x" + "00" * 36, "x" * 253])
    def test_a_class_of_somebody_else_is_none(self, owner: Any, foreign: str) -> None:
        assert owner.execute("SELECT aaa_class(%s)", [foreign]).fetchone() == ("",)
