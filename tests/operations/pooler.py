"""A real PgBouncer before the tests' PostgreSQL."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from ispcore.embedded.process import free_port
from tests import servers
from tests.needs import require
from tests.workers import wait_until


@contextmanager
def running(directory: Path, mode: str) -> Iterator[str]:
    """Run a real PgBouncer before the tests' PostgreSQL; the block gets its URL for isp_app."""
    (program,) = require("pgbouncer")
    app = urlsplit(servers.servers.app_url)
    port = free_port(directory / "pgbouncer.port")
    directory.chmod(0o755)
    (directory / "users.txt").write_text(f'"{app.username}" "{app.password}"\n')
    (directory / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={app.hostname} port={app.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\n"
        f"auth_file = {directory}/users.txt\npool_mode = {mode}\nstats_users = {app.username}\n"
    )
    command = [program, str(directory / "pgbouncer.ini")]
    if os.geteuid() == 0:
        command[1:1] = ["--user=nobody"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = servers.servers.app_url.replace(f":{app.port}/", f":{port}/")
        wait_until(lambda: _answers(url) or process.poll() is not None, 20)
        yield url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
