"""A second installation: another database of the same server, migrated and empty when the first test comes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.conf import settings
from django.db import connection, connections

from aaa.models import Nas, NasType
from aaa.services.nas import create_nas
from ispcore.files.tenant_export import restoring
from tests import servers

DATABASE = "elsewhere"


def make_database() -> None:
    """Copy the tests' database while it is empty: a fraction of the time that migrating takes."""
    name = connection.settings_dict["NAME"]
    for each in connections.all():
        each.close()
    with psycopg.connect(_url(servers.servers.admin_url, "postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        # A template may have no sessions. Who has one, a worker or FreeRADIUS, connects again.
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        admin.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {name} OWNER isp_owner")


def drop_database() -> None:
    with psycopg.connect(_url(servers.servers.admin_url, "postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")


@contextmanager
def elsewhere(*, as_owner: bool = False) -> Iterator[None]:
    """Let this process work in the other installation for a block."""
    before = {name: connection.settings_dict[name] for name in ("NAME", "USER", "PASSWORD")}
    owner = urlsplit(servers.servers.owner_url)
    there = {"NAME": DATABASE}
    if as_owner:
        there |= {"USER": str(owner.username), "PASSWORD": str(owner.password)}
    connection.close()
    connection.settings_dict.update(there)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


def restore(path: Path, passphrase: str = "") -> restoring.Restored:
    with elsewhere(as_owner=True):
        return restoring.restore(path, passphrase=passphrase, tell=lambda message: None)


@contextmanager
def owner_there() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(_url(servers.servers.owner_url, DATABASE), autocommit=True) as owner:
        yield owner


def tenants_there() -> list[str]:
    with owner_there() as owner:
        return [slug for (slug,) in owner.execute("SELECT slug FROM tenants_tenant ORDER BY slug")]


def command(*arguments: str, owner_of_elsewhere: bool = False) -> "subprocess.Popen[str]":
    """Start one of the two commands in a process of its own."""
    environment = dict(os.environ)
    if owner_of_elsewhere:
        environment["DATABASE_URL"] = _url(servers.servers.owner_url, DATABASE)
    return subprocess.Popen(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


def make_nas() -> Nas:
    return create_nas(name="BNG", address="10.9.0.1", secret="nas-secret-word", nas_type=NasType.MIKROTIK)


def _url(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))
