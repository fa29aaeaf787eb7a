"""From nothing to a database with its roles, with the delivered commands and secrets in files."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from ispcore.embedded import Servers, start_servers
from tests.operations.delivered import DEPLOY
from tests.operations.production import manage

FILES = {
    "SECRET_KEY": "secret_key",
    "FIELD_ENCRYPTION_KEYS": "field_encryption_keys",
    "RADIUS_SECRET_KEY": "radius_secret_key",
    "DATABASE_URL": "database_url",
    "DATABASE_PLATFORM_URL": "database_platform_url",
    "DATABASE_OWNER_URL": "database_owner_url",
    "DATABASE_ADMIN_URL": "database_admin_url",
    "RADIUS_DATABASE_URL": "radius_database_url",
    "REDIS_URL": "redis_url",
}


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


def make_secrets(directory: Path, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, str(DEPLOY / "make_secrets.py"), "--directory", str(directory), *arguments],
        check=True,
    )


def settings(directory: Path, **others: str) -> dict[str, str]:
    """Return an environment that gives every secret by its file and none by its name."""
    return (
        dict.fromkeys(FILES, "")
        | {f"{name}_FILE": str(directory / file) for name, file in FILES.items()}
        | others
    )


def test_secrets_are_made_once_and_are_their_readers_alone(secrets):
    make_secrets(secrets)
    first = {path.name: path.read_text() for path in secrets.iterdir()}
    make_secrets(secrets)

    assert {path.name: path.read_text() for path in secrets.iterdir()} == first
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o400}
    assert len(set(first.values())) == len(first) - 1  # Two wait to be filled.
    assert first["database_admin_url"].startswith(
        f"postgresql://postgres:{first['postgres_password'].strip()}@"
    )
    assert first["redis_url"].split(":")[2].split("@")[0] == first["valkey_password"].split()[1]


def test_a_server_of_ones_own_gets_roles_and_database_and_a_second_time_nothing_changes(secrets, tmp_path):
    with start_servers(tmp_path / "data", durable=False) as servers:
        host = servers.admin_url.rpartition("@")[2].split("/")[0]
        clear(servers)
        make_secrets(secrets, "--database-host", host)
        (secrets / "database_admin_url").unlink()
        (secrets / "database_admin_url").write_text(servers.admin_url)

        first = manage("prepare_database", **settings(secrets))
        again = manage("prepare_database", **settings(secrets))
        checked = manage("check_roles", **settings(secrets))

        assert (first.returncode, first.stdout) == (
            0,
            "The database ispcore and its roles are in place.\n",
        ), first.stderr
        assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr
        assert checked.returncode == 0, checked.stderr
        with psycopg.connect((secrets / "database_owner_url").read_text().strip()) as owner:
            assert owner.execute("SELECT current_user, current_database()").fetchone() == (
                "isp_owner",
                "ispcore",
            )


def clear(servers: Servers) -> None:
    """Take away what the embedded server was given, so that it is as a new one."""
    with psycopg.connect(servers.admin_url.rpartition("/")[0] + "/postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE ispcore")
        for role in ("isp_app", "isp_platform", "isp_radius", "isp_owner"):
            connection.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"DATABASE_ADMIN_URL_FILE": ""},
            "Set DATABASE_ADMIN_URL to the address of a superuser of the server.",
        ),
        (
            {"DATABASE_OWNER_URL_FILE": "", "DATABASE_OWNER_URL": "postgresql://isp_app:x@127.0.0.1/ispcore"},
            "Set DATABASE_OWNER_URL to the address of the role isp_owner, with its password.",
        ),
    ],
)
def test_says_what_is_missing(secrets, given, message):
    make_secrets(secrets)

    refused = manage("prepare_database", **settings(secrets, **given))

    assert refused.returncode == 1
    assert message in refused.stderr
