"""The files of deploy/ with the paths and ports of a test in the place of an installation's."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.needs import require

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def replaced(name: str, values: Mapping[str, str]) -> str:
    """Return the text of a delivered file with each of these pieces replaced; each has to be in it."""
    text = (DEPLOY / name).read_text()
    for old, new in values.items():
        assert old in text, f"deploy/{name} has no {old}"
        text = text.replace(old, new)
    return text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def process(
    command: list[str], *, log: Path, port: int, env: Mapping[str, str] = os.environ
) -> Iterator[None]:
    """Run a server for a block, from when it listens; it is stopped by its id at the end."""
    with log.open("wb") as output:
        running = subprocess.Popen(command, stdout=output, stderr=output, env=dict(env), cwd=DEPLOY.parent)
        try:
            deadline = time.monotonic() + 120
            while not listens(port):
                assert running.poll() is None, log.read_text()[-3000:]
                assert time.monotonic() < deadline, f"{command[0]} does not listen"
                time.sleep(0.05)
            yield
        finally:
            running.terminate()
            running.wait(30)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def pgbouncer(directory: Path, *, server_port: int, passwords: Mapping[str, str], pool: int) -> Iterator[int]:
    """Run PgBouncer with the delivered configuration and connections for `pool` transactions a role; yield its port."""
    (program,) = require("pgbouncer")
    port = free_port()
    users = directory / "userlist.txt"
    users.write_text("".join(f'"{role}" "{password}"\n' for role, password in passwords.items()))
    configuration = directory / "pgbouncer.ini"
    configuration.write_text(
        replaced(
            "pgbouncer/pgbouncer.ini",
            {
                "port=5432": f"port={server_port}",
                "listen_port = 6432": f"listen_port = {port}",
                "/etc/pgbouncer/userlist.txt": str(users),
                "default_pool_size = 40": f"default_pool_size = {pool}",
                "reserve_pool_size = 5": "reserve_pool_size = 0",
            },
        )
    )
    # It refuses to be root, and what is only root's could not be read by who it then is.
    account = ["--user", "nobody"] if os.geteuid() == 0 else []
    for path in (directory, users, configuration):
        path.chmod(0o755)
    with process([program, *account, str(configuration)], log=directory / "pgbouncer.log", port=port):
        yield port


@contextlib.contextmanager
def nginx(directory: Path, *, web_ports: list[int]) -> Iterator[tuple[int, int]]:
    """Run nginx with the delivered configuration before these web processes; yield its plain and its TLS port."""
    (program,) = require("nginx")
    plain, secure = free_port(), free_port()
    configuration = write_nginx(directory, plain=plain, secure=secure, web_ports=web_ports)
    checked = subprocess.run(
        [program, "-t", "-c", str(configuration)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    command = [program, "-c", str(configuration), "-g", "daemon off;"]
    with process(command, log=directory / "nginx.log", port=secure):
        yield plain, secure


def write_nginx(directory: Path, *, plain: int, secure: int, web_ports: list[int]) -> Path:
    """Write nginx.conf around the delivered files, which it includes as a package's does."""
    (directory / "proxy.conf").write_text((DEPLOY / "nginx/proxy.conf").read_text())
    servers = "\n".join(f"    server 127.0.0.1:{port} max_fails=1 fail_timeout=5s;" for port in web_ports)
    upstream = replaced(
        "nginx/upstream.conf", {"    server 127.0.0.1:8000 max_fails=1 fail_timeout=5s;": servers}
    )
    (directory / "upstream.conf").write_text(upstream)
    (directory / "ispcore.conf").write_text(
        replaced(
            "nginx/ispcore.conf",
            {
                "    listen [::]:80 default_server;\n": "",
                "    listen [::]:443 ssl http2 default_server;\n": "",
                "listen 80 default_server": f"listen 127.0.0.1:{plain} default_server",
                "listen 443 ssl http2 default_server": f"listen 127.0.0.1:{secure} ssl http2 default_server",
                "/etc/ispcore/tls/": f"{directory}/",
                "/etc/ispcore/nginx/": f"{directory}/",
            },
        )
    )
    temporary = "".join(
        f"    {name}_temp_path {directory}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = directory / "nginx.conf"
    main.write_text(
        f"pid {directory}/nginx.pid;\nerror_log {directory}/error.log;\nevents {{}}\nhttp {{\n"
        f"    access_log {directory}/access.log;\n{temporary}"
        f"    include {directory}/upstream.conf;\n    include {directory}/ispcore.conf;\n}}\n"
    )
    return main
