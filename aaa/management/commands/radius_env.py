from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from psycopg.conninfo import conninfo_to_dict

from aaa.models.sealing import connection_setting
from ispcore.environment import read_secret

# What libpq takes from the environment (its documentation, "Environment Variables").
LIBPQ = {
    "host": "PGHOST",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}


class Command(BaseCommand):
    help = (
        "Print the environment of FreeRADIUS (deploy/freeradius), for a file that only root can read: it holds the key "
        "of all RADIUS secrets. Reads RADIUS_DATABASE_URL, the URL of the role isp_radius, and RADIUS_SECRET_KEY."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--address", default="*", help="IPv4 address to listen on (default: all)")
        parser.add_argument("--auth-port", type=int, default=1812)
        parser.add_argument("--acct-port", type=int, default=1813)
        parser.add_argument("--threads", type=int, default=8)
        parser.add_argument(
            "--nas-seconds", type=int, default=60, help="how long a changed or removed NAS may live on"
        )
        parser.add_argument("--config", default="/etc/ispcore/freeradius")
        parser.add_argument("--run", default="/run/freeradius")
        parser.add_argument("--spool", default="/var/spool/ispcore-radius")

    def handle(self, *args: Any, **options: Any) -> None:
        url = read_secret("RADIUS_DATABASE_URL")
        if not url:
            raise CommandError("Set RADIUS_DATABASE_URL: postgresql://isp_radius:PASSWORD@HOST:5432/ispcore")
        given = {name: value for name, value in conninfo_to_dict(url).items() if value is not None}
        unknown = sorted(given.keys() - LIBPQ.keys())
        if unknown:
            raise CommandError(
                f"RADIUS_DATABASE_URL has what FreeRADIUS' host is not told: {', '.join(unknown)}."
            )
        lines = {
            "RADIUS_ADDRESS": options["address"],
            "RADIUS_AUTH_PORT": options["auth_port"],
            "RADIUS_ACCT_PORT": options["acct_port"],
            "RADIUS_THREADS": options["threads"],
            # One for the thread that reads packets and asks who sent them, one to spare.
            "RADIUS_CONNECTIONS": options["threads"] + 2,
            "RADIUS_NAS_SECONDS": options["nas_seconds"],
            "RADIUS_CONFIG": options["config"],
            "RADIUS_RUN": options["run"],
            "RADIUS_SPOOL": options["spool"],
            **{LIBPQ[name]: value for name, value in given.items()},
            "PGOPTIONS": f"-c isp.radius_key={connection_setting()}",
        }
        for name, value in lines.items():
            if "'" in str(value) or "\n" in str(value):
                raise CommandError(f"{name} holds a quote or a line break, which the file cannot.")
            self.stdout.write(f"{name}='{value}'")
