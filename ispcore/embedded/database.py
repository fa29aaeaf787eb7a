"""Decide which database and Redis an installation uses: the embedded servers or the operator's own."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ispcore.embedded import roles
from ispcore.embedded.home import Home
from ispcore.embedded.postgres import Postgres
from ispcore.embedded.process import EmbeddedError
from ispcore.embedded.servers import DATABASE, describe_roles, hold, require_keys, role_passwords
from ispcore.embedded.valkey import Valkey

# The keys the processes get; those of the servers stay with who starts them.
OF_THE_APPLICATION = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "RADIUS_SECRET_KEY")


@dataclass(frozen=True, slots=True, repr=False)
class Backends:
    """The addresses the processes get, and who may migrate."""

    environment: dict[str, str]
    owner_url: str | None


@contextlib.contextmanager
def open_backends(home: Home, given: Mapping[str, str]) -> Iterator[Backends]:
    """Start the embedded servers that are needed, for the block, and return the addresses of all.

    `DATABASE_URL` and `REDIS_URL` in `given` point at servers of the operator's own. Servers that a killed
    run left behind are adopted and, because the data directory is ours, stopped at the end as well.
    Raises EmbeddedError with what to do.
    """
    keys = require_keys(home)
    environment = {name: given.get(name) or keys[name] for name in OF_THE_APPLICATION}
    environment["ISP_DATA_DIR"] = str(home.data_dir)
    with contextlib.ExitStack() as stack:
        with hold(home.data_dir / "start.lock", wait=True):
            environment["REDIS_URL"] = given.get("REDIS_URL") or _valkey(home, keys, stack)
            if given.get("DATABASE_URL"):
                urls = own_database(given, role_passwords(keys))
            else:
                urls = _postgres(home, keys, stack)
        environment["DATABASE_URL"] = urls[roles.APP]
        if roles.PLATFORM in urls:
            environment["DATABASE_PLATFORM_URL"] = urls[roles.PLATFORM]
        yield Backends(environment, urls.get(roles.OWNER))


def _valkey(home: Home, keys: Mapping[str, str], stack: contextlib.ExitStack) -> str:
    valkey = Valkey(home, keys["VALKEY_PASSWORD"])
    stack.callback(valkey.stop)
    valkey.start(die_with_parent=True)
    return valkey.url


def _postgres(home: Home, keys: Mapping[str, str], stack: contextlib.ExitStack) -> dict[str, str]:
    postgres = Postgres(home, keys["POSTGRES_PASSWORD"])
    stack.callback(postgres.stop)
    postgres.start(die_with_parent=True)
    return describe_roles(postgres.url, DATABASE, role_passwords(keys), ours=True)


def own_database(given: Mapping[str, str], passwords: Mapping[str, str]) -> dict[str, str]:
    """Return the URL of each role on the operator's server.

    An administrator's DATABASE_URL (superuser or CREATEROLE) creates the roles and is not passed on; any
    other
    is the runtime role and used as it is.
    Raises EmbeddedError when the server refuses, or the URL names no database.
    """
    url = given["DATABASE_URL"]
    database = unquote(urlsplit(url).path.lstrip("/"))
    if not database:
        raise EmbeddedError("DATABASE_URL names no database: end it with /ispcore, for instance.")
    if roles.may_create_roles(url):
        return describe_roles(url, database, passwords, ours=False)
    urls = {roles.APP: url}
    if given.get("DATABASE_OWNER_URL"):
        urls[roles.OWNER] = given["DATABASE_OWNER_URL"]
    if given.get("DATABASE_PLATFORM_URL"):
        urls[roles.PLATFORM] = given["DATABASE_PLATFORM_URL"]
    return urls
