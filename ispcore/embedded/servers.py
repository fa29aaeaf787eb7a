"""Both servers of one data directory, with the URLs to reach them."""

import contextlib
import fcntl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ispcore.embedded import roles
from ispcore.embedded.home import Home, open_home
from ispcore.embedded.keys import load_keys
from ispcore.embedded.postgres import Postgres
from ispcore.embedded.process import EmbeddedError
from ispcore.embedded.valkey import Valkey

DATABASE = "ispcore"


@dataclass(frozen=True, slots=True, repr=False)
class Servers:
    """The running servers and how each role reaches them."""

    home: Home
    keys: dict[str, str]
    admin_url: str
    owner_url: str
    app_url: str
    platform_url: str
    radius_url: str
    redis_url: str

    def environment(self) -> dict[str, str]:
        """Return what a runtime process needs; the owner's URL is not among it."""
        return {
            "DATABASE_URL": self.app_url,
            "DATABASE_PLATFORM_URL": self.platform_url,
            "REDIS_URL": self.redis_url,
            "SECRET_KEY": self.keys["SECRET_KEY"],
            "FIELD_ENCRYPTION_KEYS": self.keys["FIELD_ENCRYPTION_KEYS"],
            "RADIUS_SECRET_KEY": self.keys["RADIUS_SECRET_KEY"],
            "ISP_DATA_DIR": str(self.home.data_dir),
        }


def role_passwords(keys: Mapping[str, str]) -> dict[str, str]:
    """Return the password of each database role."""
    return {role: keys[f"{role.upper()}_PASSWORD"] for role in roles.ROLE_NAMES}


def require_keys(home: Home) -> dict[str, str]:
    """Return the secrets, refusing to invent new ones for a database that already exists.

    Raises EmbeddedError then: the old field encryption key is what its encrypted columns were written with.
    """
    if (home.root / "postgres" / "PG_VERSION").exists() and not (home.data_dir / "secrets.env").exists():
        raise EmbeddedError(
            f"{home.root / 'postgres'} holds a database, but {home.data_dir / 'secrets.env'} is missing. "
            f"Restore that file, or remove {home.root / 'postgres'} to start with an empty database."
        )
    return load_keys(home.data_dir)


@contextlib.contextmanager
def hold(path: Path, *, wait: bool, refusal: str = "") -> Iterator[None]:
    """Hold a lock file for the block; the kernel frees it when the process ends, however it ends.

    Raises EmbeddedError with `refusal` when somebody else holds it and `wait` is false.
    """
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise EmbeddedError(refusal) from error
        yield


@contextlib.contextmanager
def start_servers(data_dir: Path, *, durable: bool = True) -> Iterator[Servers]:
    """Run PostgreSQL and Valkey on `data_dir` for the block, on free loopback ports, with all roles in place.

    A server that already runs on the directory is adopted, and left running at the end. `durable=False`
    trades the safety of the data for speed: for tests.
    Raises EmbeddedError with what to do when a server cannot start.
    """
    home = open_home(data_dir)
    keys = require_keys(home)
    postgres = Postgres(home, keys["POSTGRES_PASSWORD"], durable=durable)
    valkey = Valkey(home, keys["VALKEY_PASSWORD"], durable=durable)
    with contextlib.ExitStack() as stack:
        with hold(home.data_dir / "start.lock", wait=True):
            if postgres.start(die_with_parent=True):
                stack.callback(postgres.stop)
            if valkey.start(die_with_parent=True):
                stack.callback(valkey.stop)
            servers = describe(home, keys, postgres, valkey)
        yield servers


def launch(data_dir: Path) -> Servers:
    """Start the servers so that they outlive this process; `halt` stops them.

    Safe to repeat: running servers are adopted.
    Raises EmbeddedError with what to do when a server cannot start.
    """
    home = open_home(data_dir)
    keys = require_keys(home)
    postgres = Postgres(home, keys["POSTGRES_PASSWORD"])
    valkey = Valkey(home, keys["VALKEY_PASSWORD"])
    with hold(home.data_dir / "start.lock", wait=True):
        postgres.start(die_with_parent=False)
        valkey.start(die_with_parent=False)
        return describe(home, keys, postgres, valkey)


def halt(data_dir: Path) -> list[str]:
    """Stop whichever server runs on the data directory and return their names. Safe to repeat."""
    home = open_home(data_dir)
    stopped = []
    for name, server in (("Valkey", Valkey(home, "")), ("PostgreSQL", Postgres(home, ""))):
        if server.running_pid() is not None:
            server.stop()
            stopped.append(name)
    return stopped


def describe(home: Home, keys: dict[str, str], postgres: Postgres, valkey: Valkey) -> Servers:
    """Create roles and database where they are missing, and return all URLs."""
    url = describe_roles(postgres.url, DATABASE, role_passwords(keys), ours=True)
    return Servers(
        home=home,
        keys=keys,
        admin_url=postgres.url,
        owner_url=url[roles.OWNER],
        app_url=url[roles.APP],
        platform_url=url[roles.PLATFORM],
        radius_url=url[roles.RADIUS],
        redis_url=valkey.url,
    )


def describe_roles(
    admin_url: str, database: str, passwords: Mapping[str, str], *, ours: bool
) -> dict[str, str]:
    """Create roles and database on a server where they are missing, and return the URL of each role.

    Safe to repeat. Raises EmbeddedError when the server belongs to another installation.
    """
    roles.ensure_roles(admin_url, passwords=passwords, ours=ours)
    roles.ensure_database(admin_url, database=database, owner_password=passwords[roles.OWNER])
    return {
        role: roles.url_for(admin_url, role=role, password=passwords[role], database=database)
        for role in roles.ROLE_NAMES
    }
