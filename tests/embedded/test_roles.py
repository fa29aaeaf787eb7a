"""The database roles: exactly these attributes and rights, on our server and on somebody else's."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ispcore.embedded import EmbeddedError, Servers, prepare_database, roles
from ispcore.embedded.database import own_database
from ispcore.embedded.home import open_home
from ispcore.embedded.keys import load_keys
from ispcore.embedded.postgres import Postgres
from tests.embedded.scratch import scratch_directory

PASSWORDS = {role: f"secret-of-{role}" for role in roles.ROLE_NAMES}


@pytest.fixture
def foreign() -> Iterator[Postgres]:
    """A server without our roles, as an operator would point DATABASE_URL at."""
    with scratch_directory() as path:
        server = Postgres(open_home(path), load_keys(path)["POSTGRES_PASSWORD"], durable=False)
        server.start(die_with_parent=True)
        yield server
        server.stop()


def _execute(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _attributes(url: str) -> dict[object, tuple[object, ...]]:
    rows = _execute(
        url,
        "SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication, "
        "rolconfig"
        " FROM pg_roles WHERE rolname LIKE 'isp_%'",
    )
    return {row[0]: row[1:] for row in rows}


EXPECTED = {
    #              login super bypass createdb createrole replication
    "isp_owner": (True, False, True, True, False, False, None),
    "isp_app": (True, False, False, False, False, False, None),
    "isp_platform": (True, False, False, False, False, False, ["default_transaction_read_only=on"]),
    "isp_radius": (
        True, False, False, False, False, False,
        ["enable_seqscan=off", "plan_cache_mode=force_generic_plan", "jit=off"],
    ),
}  # fmt: skip


def test_roles_have_exactly_these_attributes(servers: Servers) -> None:
    assert _attributes(servers.admin_url) == EXPECTED
    assert (
        _execute(servers.admin_url, "SELECT 1 FROM pg_auth_members WHERE member::regrole::text LIKE 'isp_%'")
        == []
    )
    assert _execute(
        servers.owner_url, "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'public'"
    ) == [("isp_owner",)]


def test_each_role_may_do_its_work_and_no_more(servers: Servers) -> None:
    _execute(servers.owner_url, "CREATE TABLE item (id serial PRIMARY KEY)")

    _execute(servers.app_url, "INSERT INTO item DEFAULT VALUES")
    _execute(servers.app_url, "UPDATE item SET id = 5")
    assert _execute(servers.platform_url, "SELECT id FROM item") == [(5,)]
    for url, statement, error in [
        (servers.app_url, "CREATE TABLE other (id int)", psycopg.errors.InsufficientPrivilege),
        (servers.app_url, "TRUNCATE item", psycopg.errors.InsufficientPrivilege),
        (servers.app_url, "SET ROLE isp_owner", psycopg.errors.InsufficientPrivilege),
        (servers.platform_url, "DELETE FROM item", psycopg.errors.ReadOnlySqlTransaction),
        (servers.radius_url, "SELECT id FROM item", psycopg.errors.InsufficientPrivilege),
    ]:
        with pytest.raises(error):
            _execute(url, statement)
    assert _execute(servers.app_url, "SELECT id FROM item") == [(5,)]
    with (
        psycopg.connect(servers.platform_url, options="-c default_transaction_read_only=off") as writer,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        writer.execute("DELETE FROM item")


def test_new_database_is_prepared_like_the_first(servers: Servers) -> None:
    with psycopg.connect(servers.owner_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE another")
    owner, app = (url.replace("/ispcore", "/another") for url in (servers.owner_url, servers.app_url))

    prepare_database(owner)
    prepare_database(owner)

    _execute(owner, "CREATE TABLE item (id int)")
    _execute(app, "INSERT INTO item VALUES (1)")


def test_superuser_url_creates_roles_and_database(foreign: Postgres) -> None:
    given = {"DATABASE_URL": roles._with_database(foreign.url, "isp one")}

    first = own_database(given, PASSWORDS)
    second = own_database(given, PASSWORDS)

    assert first == second
    assert _attributes(foreign.url) == EXPECTED
    assert _execute(first["isp_app"], "SELECT current_user, current_database()") == [("isp_app", "isp one")]
    assert foreign.password not in "".join(first.values())


def test_createrole_administrator_suffices_when_it_may_bypass(foreign: Postgres) -> None:
    _execute(foreign.url, "CREATE ROLE chief LOGIN CREATEROLE CREATEDB BYPASSRLS PASSWORD 'x'")
    url = roles.url_for(foreign.url, role="chief", password="x", database="isp")

    urls = own_database({"DATABASE_URL": url}, PASSWORDS)

    assert own_database({"DATABASE_URL": url}, PASSWORDS) == urls
    _execute(urls["isp_owner"], "CREATE TABLE item (id int)")
    _execute(urls["isp_app"], "INSERT INTO item VALUES (1)")


def test_administrator_without_bypass_is_told_what_is_missing(foreign: Postgres) -> None:
    _execute(foreign.url, "CREATE ROLE clerk LOGIN CREATEROLE CREATEDB PASSWORD 'x'")
    url = roles.url_for(foreign.url, role="clerk", password="x", database="isp")

    with pytest.raises(EmbeddedError, match="cannot create the roles ISPCore needs"):
        own_database({"DATABASE_URL": url}, PASSWORDS)


def test_roles_of_another_installation_are_left_alone(foreign: Postgres) -> None:
    given = {"DATABASE_URL": roles._with_database(foreign.url, "isp")}
    urls = own_database(given, PASSWORDS)

    with pytest.raises(EmbeddedError, match="belongs to another installation"):
        own_database(given, dict.fromkeys(roles.ROLE_NAMES, "other"))

    assert _execute(urls["isp_app"], "SELECT 1") == [(1,)]


def test_database_with_tables_of_others_is_refused(foreign: Postgres) -> None:
    _execute(foreign.url, "CREATE TABLE theirs (id int)")

    with pytest.raises(EmbeddedError, match="already holds 1 tables of the role postgres"):
        own_database({"DATABASE_URL": foreign.url}, PASSWORDS)

    assert _execute(
        foreign.url, "SELECT datdba::regrole::text FROM pg_database WHERE datname = 'postgres'"
    ) == [("postgres",)]


def test_plain_role_is_used_as_it_is(foreign: Postgres) -> None:
    _execute(foreign.url, "CREATE ROLE plain LOGIN PASSWORD 'x'")
    url = roles.url_for(foreign.url, role="plain", password="x")

    assert own_database({"DATABASE_URL": url}, PASSWORDS) == {"isp_app": url}
    assert own_database({"DATABASE_URL": url, "DATABASE_OWNER_URL": "postgresql://o"}, PASSWORDS) == {
        "isp_app": url,
        "isp_owner": "postgresql://o",
    }
    assert _attributes(foreign.url) == {}


def test_unreachable_server_is_named_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://me:hidden@127.0.0.1:1/isp"

    with pytest.raises(EmbeddedError, match=r"Cannot log in to PostgreSQL at 127\.0\.0\.1:1") as caught:
        own_database({"DATABASE_URL": url}, PASSWORDS)

    assert "hidden" not in str(caught.value)
