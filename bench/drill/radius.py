"""Two FreeRADIUS nodes with the project's configuration; each spools on its own disk."""

import shutil
import subprocess

from bench.drill.databases import Databases
from bench.drill.network import Host
from bench.drill.settings import PROJECT, Installation
from ispcore.embedded import roles
from ispcore.embedded.freeradius import CONFIGURATION, find_freeradius
from ispcore.embedded.keys import parse_env


def set_up(installation: Installation, databases: Databases, host: Host) -> None:
    own = host.directory / "radius"
    own.mkdir(mode=0o711)
    shutil.copytree(CONFIGURATION, own / "config")
    for name in ("run", "spool"):
        (own / name).mkdir(mode=0o700)
        installation.own(own / name)
    printed = subprocess.run(
        installation.python("manage.py", "radius_env", "--address", host.address, "--config", str(own / "config"),
                            "--run", str(own / "run"), "--spool", str(own / "spool")),
        env=installation.application_environment(own) | {"RADIUS_DATABASE_URL": databases.url(roles.RADIUS)},
        cwd=PROJECT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        **parse_env(printed, source="radius_env"),
    }
    host.add("freeradius", [find_freeradius(), "-f", "-l", "stdout", "-d", str(own / "config")], environment,
             installation.home.account)  # fmt: skip


def spooled(host: Host) -> int:
    """Return how many bytes of accounting wait on this node's disk."""
    return sum(path.stat().st_size for path in (host.directory / "radius" / "spool").glob("accounting-*"))


def refused(host: Host) -> int:
    """Return how many bytes of accounting the database would not take."""
    return sum(path.stat().st_size for path in (host.directory / "radius" / "spool").glob("refused-*"))
