"""A whole installation of its own on throwaway servers that a test may stop: databases, data, web server."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from ispcore.embedded import Servers, start_servers
from ispcore.embedded.postgres import Postgres
from ispcore.embedded.process import free_port
from ispcore.embedded.valkey import Valkey

PROJECT = Path(__file__).resolve().parents[2]

MAKE_DATA = """
from django.utils import timezone
from ispcore.auth import access_tokens
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Membership, Tenant, User
from hardware.models import Olt

tenant = Tenant.objects.create(slug="north", name="North")
user = User.objects.create_user(email="admin@north.example", password="correct horse battery")
with tenant_context(tenant.pk):
    Membership.objects.create(tenant=tenant, user=user, role="administrator")
    olt = Olt.objects.create(name="Central", vendor="huawei", ip="127.0.0.1", community="c")
print(olt.pk, access_tokens.mint(user_id=user.pk, at=timezone.now()), sep="\\n")
"""


@dataclass
class Installation:
    """The running installation; `postgres` and `valkey` can be stopped and started again on the same ports."""

    url: str
    token: str
    olt_id: str
    postgres: Postgres
    valkey: Valkey
    environment: dict[str, str]

    def call(self, verb: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return requests.request(verb, self.url + path, headers=headers, timeout=30, **options)

    def wait_for(self, path: str, status: int, *, seconds: float = 20) -> requests.Response:
        """Ask until the answer has this status, and return it."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(requests.ConnectionError):
                response = self.call("GET", path)
                if response.status_code == status:
                    return response
            if time.monotonic() > deadline:
                raise AssertionError(f"{path} did not become {status} in {seconds} s")
            time.sleep(0.1)


@contextlib.contextmanager
def install(directory: Path, *, workers: int = 1) -> Iterator[Installation]:
    with start_servers(directory, durable=False) as servers:
        environment = os.environ | servers.environment()
        python(environment | {"DATABASE_URL": servers.owner_url}, "manage.py", "migrate", "--verbosity", "0")
        olt_id, token = python(environment, "manage.py", "shell", "--no-imports", "-c", MAKE_DATA).split()
        port = free_port(directory / "web.port")
        command = [
            sys.executable, "-m", "granian", "--interface", "wsgi", "ispcore.wsgi:application", "--host", "127.0.0.1",
            "--port", str(port), "--workers", str(workers), "--blocking-threads", "4",
        ]  # fmt: skip
        postgres, valkey = _both(servers)
        with contextlib.ExitStack() as stack:
            log = stack.enter_context((directory / "web.log").open("w"))
            # What a test started again is ours to collect; stopping what runs no more does nothing.
            stack.callback(postgres.stop)
            stack.callback(valkey.stop)
            web = subprocess.Popen(
                command, cwd=PROJECT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
            stack.callback(web.wait)
            stack.callback(web.terminate)
            running = Installation(f"http://127.0.0.1:{port}", token, olt_id, postgres, valkey, environment)
            running.wait_for("/ready", 200, seconds=180)  # However long it takes on a busy machine.
            yield running


def _both(servers: Servers) -> tuple[Postgres, Valkey]:
    return (
        Postgres(servers.home, servers.keys["POSTGRES_PASSWORD"], durable=False),
        Valkey(servers.home, servers.keys["VALKEY_PASSWORD"], durable=False),
    )


def python(environment: dict[str, str], *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, *arguments], cwd=PROJECT, env=environment, check=True, capture_output=True, text=True
    ).stdout
