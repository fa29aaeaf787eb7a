"""ISPCore: its tables, its functions and the FreeRADIUS configuration of deploy/freeradius, everything switched on."""

import io
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from bench.radius.packets import SECRET, password, station, user
from ispcore.embedded import Servers
from ispcore.embedded.freeradius import FreeRadius
from ispcore.embedded.keys import parse_env

if TYPE_CHECKING:
    from ispcore.tenants.models import Tenant

PLANS = 20
# Rows like the template's but for a few columns, whatever columns there are; millions of them in a statement.
LIKE = "INSERT INTO {into} ({names}) SELECT {values} FROM {table} AS t, {source} WHERE {where}"
COLUMNS = """
SELECT attname::text FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""


class Isp:
    name = "isp"

    def __init__(
        self, servers: Servers, directory: Path, tenant: "Tenant", *, threads: int, port: int
    ) -> None:
        self.servers, self.tenant, self.threads, self.port = servers, tenant, threads, port
        self.server = FreeRadius(directory, directory.parent / "isp.log", servers.home.account, {})

    @property
    def pid(self) -> int:
        return self.server.process.pid if self.server.process else 0

    def load(self, *, accounts: int, sessions: int) -> None:
        """Make one row of each kind as the application does, and the rest of them in SQL."""
        from django.utils import timezone

        from aaa.models import Account, Nas, ServiceProfile
        from aaa.models.sealing import seal
        from aaa.services.policies import create_policy
        from ispcore.tenants.context import tenant_context

        with tenant_context(self.tenant.pk):
            Nas.objects.create(name="Bench", address="127.0.0.1", secret=SECRET.decode(), nas_type="mikrotik")
            profile = ServiceProfile.objects.create(
                name="PPPoE", idle_timeout=900, framed_pool="pool", max_sessions=1
            )
            policies = [
                create_policy(name=f"{speed} Mbit/s", down_kbps=speed * 1000, up_kbps=speed * 1000)
                for speed in range(10, 10 * PLANS + 10, 10)
            ]
            expires = timezone.now() + timedelta(days=20)
            template = Account.objects.create(
                username="template", password="x", service_profile=profile, policy=policies[0],
                expires_at=expires, timezone="Africa/Cairo",
            )  # fmt: skip
        bound_to = f"aaa_account.password:{self.tenant.pk}"
        with psycopg.connect(self.servers.admin_url, dbname="ispcore") as connection:
            # History and keys are the application's business, not what is measured here.
            connection.execute("SET session_replication_role = replica")
            connection.execute(
                "CREATE TEMP TABLE one (n int, id uuid DEFAULT uuidv7(), name text, sealed text, key text)"
            )
            with connection.cursor().copy("COPY one (n, name, sealed, key) FROM STDIN") as copy:
                for number in range(accounts):
                    key = station(number).replace("-", "").lower()
                    copy.write_row((number, user(number), seal(password(number), bound_to=bound_to), key))
            connection.execute("CREATE TEMP TABLE plan AS SELECT row_number() OVER (ORDER BY down_kbps) - 1 AS p, id "
                               "FROM aaa_policy")  # fmt: skip
            self._copy(connection, "aaa_account", "one JOIN plan ON plan.p = one.n % 20", f"t.id = '{template.pk}'",
                       id="one.id", username="one.name", username_key="one.name", password="one.sealed",
                       policy_id="plan.id")  # fmt: skip
            self._copy(connection, "aaa_accountstate", "one", f"t.account_id = '{template.pk}'", id="uuidv7()",
                       account_id="one.id")  # fmt: skip
            self._sessions(connection, sessions)
        with psycopg.connect(self.servers.admin_url, dbname="ispcore", autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")

    def _sessions(self, connection: "psycopg.Connection[tuple[object, ...]]", sessions: int) -> None:
        """Give the first accounts an open session, and every account one that is past."""
        connection.execute(
            "SELECT aaa_accounting((SELECT id::text FROM aaa_nas), 'Start', 'template', '', 'template', "
            + ", ".join(["''"] * 19)
            + ")"
        )
        given: dict[str, str] = {
            "id": "uuidv7()", "account_id": "one.id", "unique_key": "uuidv7()", "acct_session_id": "'h' || one.n",
            "username": "one.name", "station": "one.key", "station_key": "one.key",
            "framed_ip": "'10.64.0.0'::inet + one.n",
        }  # fmt: skip
        self._copy(
            connection,
            "aaa_session",
            "one",
            f"t.acct_session_id = 'template' AND one.n < {sessions}",
            **given,
        )
        past = given | {"stopped_at": "now() - interval '1 day'", "ended_by": "'stop'"}
        self._copy(
            connection, "aaa_session", "one", "t.acct_session_id = 'template'", into="aaa_pastsession", **past
        )

    @staticmethod
    def _copy(
        connection: "psycopg.Connection[tuple[object, ...]]",
        table: str,
        source: str,
        where: str,
        into: str = "",
        **columns: str,
    ) -> None:
        """Insert rows like the template in `table`, but for these columns."""
        into = into or table
        names = [str(name) for (name,) in connection.execute(COLUMNS, [into])]
        values = [columns.get(name, f"t.{name}") for name in names]
        connection.execute(
            LIKE.format(
                into=into,
                names=", ".join(names),
                values=", ".join(values),
                table=table,
                source=source,
                where=where,
            )
        )

    def start(self) -> None:
        from django.core.management import call_command

        output = io.StringIO()
        os.environ["RADIUS_DATABASE_URL"] = self.servers.radius_url
        call_command(
            "radius_env", address="127.0.0.1", auth_port=self.port, acct_port=self.port + 1, threads=self.threads,
            nas_seconds=3600, stdout=output,
        )  # fmt: skip
        self.server.environment = parse_env(output.getvalue(), source="radius_env")
        self.server.start()

    def stop(self) -> None:
        self.server.stop()
