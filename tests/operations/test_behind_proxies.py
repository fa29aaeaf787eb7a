"""The delivered PgBouncer and nginx between real processes: who belongs to whom, and what comes through."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests

from tests.api import installation
from tests.needs import require
from tests.operations import certificates, delivered
from tests.operations.production import PROJECT, SETTINGS

POOL = 3
# A restore is the owner's, whose connections go around the pooler.
AROUND = "ispcore/operations/backups/"
PROCESSES = 3
# Each of 8 threads of pooled.py goes 60 rounds, half of them for a provider with two OLTs and half for one with three.
# Zeros are left out: no foreign row, no setting that stayed, no row where no provider is bound.
EXPECTED = {"rows": 1200, "streamed": 1200, "rolled back": 480, "providers": 960}
SECOND_PROVIDER = """
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Tenant
from hardware.models import Olt

for slug, ip in (("north", "127.0.0.7"), ("south", "127.0.0.8")):
    tenant, _ = Tenant.objects.get_or_create(slug=slug, defaults={"name": slug.title()})
    with tenant_context(tenant.pk):
        Olt.objects.create(name=f"Second of {slug}", vendor="huawei", ip=ip, community="c")
        if slug == "south":
            Olt.objects.create(name="Third of south", vendor="huawei", ip="127.0.0.9", community="c")
            Olt.objects.create(name="Fourth of south", vendor="huawei", ip="127.0.0.10", community="c")
    print(tenant.pk)
"""


@dataclass
class Deployed:
    """A web process over PgBouncer, behind nginx."""

    installed: installation.Installation
    environment: dict[str, str]
    tenant_ids: list[str]
    certificate: Path
    plain: int
    secure: int
    web: int

    def get(self, path: str, **options: Any) -> requests.Response:
        url = f"https://127.0.0.1:{self.secure}{path}"
        return requests.get(url, verify=str(self.certificate), timeout=180, allow_redirects=False, **options)


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    require("pgbouncer", "nginx")
    # Not pytest's own, which only its account may enter.
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "data").mkdir()
        with installation.install(directory / "data") as installed:
            tenant_ids = installation.python(
                installed.environment, "manage.py", "shell", "--no-imports", "-c", SECOND_PROVIDER
            ).split()
            own = directory / "pgbouncer"
            own.mkdir()
            passwords = {
                str(urlsplit(installed.environment[url]).username): str(
                    urlsplit(installed.environment[url]).password
                )
                for url in ("DATABASE_URL", "DATABASE_PLATFORM_URL")
            }
            port = urlsplit(installed.environment["DATABASE_URL"]).port or 0
            with delivered.pgbouncer(own, server_port=port, passwords=passwords, pool=POOL) as pooler:
                environment = installed.environment | over(installed.environment, pooler)
                yield from served(directory, installed, environment, tenant_ids)


def over(environment: dict[str, str], port: int) -> dict[str, str]:
    """Return both addresses of the database with the pooler's port."""
    return {name: with_port(environment[name], port) for name in ("DATABASE_URL", "DATABASE_PLATFORM_URL")}


def with_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{port}"))


def served(
    directory: Path, installed: installation.Installation, environment: dict[str, str], tenant_ids: list[str]
) -> Iterator[Deployed]:
    certificate = certificates.write(directory)
    web, dead = delivered.free_port(), delivered.free_port()
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "ispcore.wsgi:application", "--host", "127.0.0.1",
        "--port", str(web), "--workers", "1", "--blocking-threads", "8",
    ]  # fmt: skip
    production = environment | {
        name: SETTINGS[name] for name in ("PUBLIC_URL", "ALLOWED_HOSTS", "TRUSTED_PROXIES")
    }
    with (
        delivered.process(command, log=directory / "web.log", port=web, env=production),
        delivered.nginx(directory, web_ports=[dead, web]) as (plain, secure),
    ):
        running = Deployed(installed, environment, tenant_ids, certificate, plain, secure, web)
        requests.get(f"http://127.0.0.1:{web}/health", timeout=180)  # It listens before it is ready.
        yield running


class TestPgBouncer:
    def test_two_providers_never_see_each_other_over_shared_connections(self, deployed):
        command = [sys.executable, "-m", "tests.operations.pooled", *deployed.tenant_ids]
        environment = os.environ | deployed.environment | {"DJANGO_SETTINGS_MODULE": "ispcore.settings"}
        running = [
            subprocess.Popen(
                command,
                env=environment,
                cwd=PROJECT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(PROCESSES)
        ]
        answers = [process.communicate(timeout=1800) for process in running]

        assert [process.returncode for process in running] == [0] * PROCESSES, answers[0][1][-3000:]
        found = [json.loads(out) for out, _ in answers]
        assert [one["seen"] for one in found] == [EXPECTED] * PROCESSES
        backends = [set(one["backends"]) for one in found]
        assert len(set.union(*backends)) <= POOL
        assert set.intersection(*backends), "no connection was used by all processes, so nothing was shown"

    def test_a_call_of_the_api_is_served_over_it(self, deployed):
        headers = {"Authorization": f"Bearer {deployed.installed.token}"}
        answer = deployed.get("/api/v1/hardware/olts", headers=headers)

        assert answer.status_code == 200, answer.text
        assert sorted(row["name"] for row in answer.json()["data"]) == ["Central", "Second of north"]


class TestNginx:
    def test_plain_http_is_sent_to_https(self, deployed):
        answer = requests.get(
            f"http://127.0.0.1:{deployed.plain}/admin/?a=1", timeout=30, allow_redirects=False
        )

        assert (answer.status_code, answer.headers["Location"]) == (301, "https://127.0.0.1/admin/?a=1")

    def test_a_page_comes_with_secure_cookies_and_hsts_once(self, deployed):
        answer = deployed.get("/admin/login/")

        assert answer.status_code == 200
        assert re.search(r"csrftoken=[^;]+;.*; Secure", answer.headers["Set-Cookie"])
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert answer.headers["X-Frame-Options"] == "DENY"

    def test_somebody_logs_in_through_it(self, deployed):
        url = f"https://127.0.0.1:{deployed.secure}"
        with requests.Session() as session:
            session.trust_env = False  # A bundle named in the environment would win over ours.
            session.verify = str(deployed.certificate)
            session.get(f"{url}/admin/login/", timeout=180)
            given = {"username": "admin@north.example", "password": "correct horse battery"}
            token = {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
            answer = session.post(
                f"{url}/admin/login/?next=/admin/",
                data=given | token,
                headers={"Origin": url, "Referer": f"{url}/admin/login/"},
                timeout=180,
                allow_redirects=False,
            )

        assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")
        assert re.search(r"sessionid=[^;]+;.*; Secure", answer.headers["Set-Cookie"])

    def test_a_dead_web_host_costs_no_answer(self, deployed):
        assert [deployed.get("/health").status_code for _ in range(20)] == [200] * 20

    def test_metrics_are_nobodys_from_outside(self, deployed):
        assert deployed.get("/metrics").status_code == 404

    def test_what_a_stranger_says_about_its_address_is_not_believed(self, deployed):
        claimed = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}
        direct = requests.get(
            f"http://127.0.0.1:{deployed.web}/admin/login/", timeout=180, allow_redirects=False
        )
        through = deployed.get("/admin/login/", headers=claimed)

        assert direct.status_code == 301
        assert through.status_code == 200


def test_no_lock_and_no_setting_outlives_a_transaction():
    """A session is nobody's behind a pooler: locks are those of a transaction, and so are settings."""
    apps = ("aaa", "billing", "compat", "hardware", "ipam", "ispcore", "subscribers", "support")
    session_wide = re.compile(r"pg_(try_)?advisory_lock|set_config\([^()]*,\s*false\)|\bLISTEN [a-z_]+;")
    code = [path for app in apps for path in (PROJECT / app).rglob("*.py")]

    assert len(code) > 300
    assert [
        name for name in map(str, code) if session_wide.search(Path(name).read_text()) and AROUND not in name
    ] == []
