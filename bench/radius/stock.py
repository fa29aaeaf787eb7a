"""Debian's FreeRADIUS as its package sets it up, with its own SQL schema and queries.

EAP is off: it needs certificates and is not measured.
"""

import os
import re
import shutil
import tempfile
import time
from pathlib import Path

import psycopg

from bench.radius.packets import SECRET
from ispcore.embedded import Servers, roles
from ispcore.embedded.freeradius import find_freeradius
from ispcore.embedded.process import last_lines, spawn

PACKAGED = Path("/etc/freeradius/3.0")
SCHEMA = PACKAGED / "mods-config/sql/main/postgresql/schema.sql"
START_SECONDS = 30
LOAD = """
INSERT INTO radcheck (username, attribute, op, value)
SELECT 'user' || lpad(i::text, 7, '0'), 'Cleartext-Password', ':=', 'pw' || lpad(i::text, 7, '0')
FROM generate_series(0, {accounts} - 1) AS i;
INSERT INTO radusergroup (username, groupname, priority)
SELECT 'user' || lpad(i::text, 7, '0'), 'plan' || i % 20, 1 FROM generate_series(0, {accounts} - 1) AS i;
INSERT INTO radgroupreply (groupname, attribute, op, value)
SELECT 'plan' || p, name, '=', replace(value, '@', (p + 1)::text)
FROM generate_series(0, 19) AS p,
     (VALUES ('Mikrotik-Rate-Limit', '@0M/@0M'), ('Acct-Interim-Interval', '300'), ('Framed-Pool', 'pool@'),
             ('Idle-Timeout', '900')) AS given (name, value);
INSERT INTO radacct (acctsessionid, acctuniqueid, username, nasipaddress, nasportid, nasporttype, acctstarttime,
                     acctupdatetime, acctstoptime, acctsessiontime, acctinputoctets, acctoutputoctets, callingstationid,
                     framedipaddress)
SELECT 'h' || i || '-' || past, md5('h' || i || '-' || past), 'user' || lpad(i::text, 7, '0'), '127.0.0.1',
       'eth1.' || i % 4000, 'Ethernet', now() - make_interval(days => past + 1), now() - make_interval(days => past),
       CASE WHEN past > 0 THEN now() - make_interval(days => past) END, 86400, 1000000, 2000000, '02-00-00-00-00-00',
       '10.64.0.0'::inet + i
FROM generate_series(0, 1) AS past, generate_series(0, CASE past WHEN 0 THEN {open} ELSE {accounts} END - 1) AS i;
"""


class Stock:
    name = "stock"

    def __init__(self, servers: Servers, *, threads: int, port: int) -> None:
        self.servers, self.threads, self.port = servers, threads, port
        self.directory: Path | None = None
        self.pid = 0

    @staticmethod
    def missing() -> str:
        """Say why it cannot run here; empty when it can."""
        return "" if SCHEMA.exists() else f"{SCHEMA} is missing: apt install freeradius freeradius-postgresql"

    def load(self, *, accounts: int, sessions: int) -> None:
        admin = self.servers.admin_url
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("CREATE ROLE radius LOGIN PASSWORD 'radpass'")
            connection.execute("CREATE DATABASE radius OWNER radius")
        with psycopg.connect(
            roles.url_for(admin, role="radius", password="radpass", database="radius")
        ) as own:
            own.execute(SCHEMA.read_text())
            own.execute(LOAD.format(accounts=accounts, open=sessions))
        with psycopg.connect(admin, dbname="radius", autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")

    def start(self) -> None:
        # The package's configuration does not quote paths, and that of the scratch directory has a space.
        self.directory = Path(tempfile.mkdtemp(prefix="isp-stock-"))
        raddb = self.directory / "raddb"
        shutil.copytree(PACKAGED, raddb, symlinks=True)
        (raddb / "mods-enabled/eap").unlink()
        (raddb / "sites-enabled/inner-tunnel").unlink()
        for name in ("run", "log"):
            (self.directory / name).mkdir()
        self._edit(
            raddb / "radiusd.conf",
            (r"^logdir = .*", f"logdir = {self.directory}/log"),
            (r"^raddbdir = .*", f"raddbdir = {raddb}"),
            (r"^run_dir = .*", f"run_dir = {self.directory}/run"),
            (r"^(\s*(?:start|max|max_spare)_servers = ).*", rf"\g<1>{self.threads}"),
            (r"^max_requests = .*", "max_requests = 131072"),
            (r"^\s*(?:user|group) = freerad$", ""),  # The servers' own account runs it.
        )
        port = psycopg.conninfo.conninfo_to_dict(self.servers.admin_url)["port"]
        database = f"host=127.0.0.1 port={port} dbname=radius user=radius password=radpass"
        (raddb / "mods-enabled/sql").unlink(missing_ok=True)
        shutil.copy(raddb / "mods-available/sql", raddb / "mods-enabled/sql")
        self._edit(
            raddb / "mods-enabled/sql",
            (r'dialect = "sqlite"', 'dialect = "postgresql"'),
            (r'driver = "rlm_sql_null"', 'driver = "rlm_sql_postgresql"'),
            (r"^\tradius_db = .*", f'\tradius_db = "{database}"'),
        )
        self._edit(
            raddb / "sites-available/default", (r"^\teap \{\n(?:.*\n)*?\t\}\n", ""), (r"^\s*eap\s*$", "")
        )
        self._listen(raddb / "sites-available/default")
        (raddb / "clients.conf").write_text(
            f'client bench {{\n ipaddr = 127.0.0.1\n secret = "{SECRET.decode()}"\n'
            " require_message_authenticator = no\n}\n"
        )
        log = self.directory / "stock.log"
        account = self.servers.home.account
        if account is not None:
            for path in [self.directory, *self.directory.rglob("*")]:
                os.chown(path, account.uid, account.gid, follow_symlinks=False)
        process = spawn(
            [find_freeradius(), "-f", "-l", "stdout", "-d", str(raddb)],
            log=log, account=account, env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"}, cwd=Path("/"),
        )  # fmt: skip
        self.pid, self._process = process.pid, process
        deadline = time.monotonic() + START_SECONDS
        while b"Ready to process" not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"The stock FreeRADIUS does not start:\n{last_lines(log)}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self.pid:
            self._process.terminate()
            self._process.wait(20)
        if self.directory is not None:
            shutil.rmtree(self.directory)

    def _listen(self, site: Path) -> None:
        """Take two listeners on the loopback for those of the package."""
        text, kept = site.read_text(), ""
        while (found := re.search(r"(?m)^listen \{", text)) is not None:
            kept += text[: found.start()]
            depth, end = 1, found.end()
            for line in text[found.end() :].splitlines(keepends=True):
                code = line.partition("#")[0]
                depth += code.count("{") - code.count("}")
                end += len(line)
                if depth == 0:
                    break
            text = text[end:]
        listeners = "".join(
            f"listen {{\n type = {kind}\n ipaddr = 127.0.0.1\n port = {self.port + offset}\n}}\n"
            for offset, kind in enumerate(("auth", "acct"))
        )
        kept += text
        site.write_text(kept.replace("server default {\n", "server default {\n" + listeners, 1))

    @staticmethod
    def _edit(path: Path, *changes: tuple[str, str]) -> None:
        text = path.read_text()
        for pattern, replacement in changes:
            text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
        path.write_text(text)
