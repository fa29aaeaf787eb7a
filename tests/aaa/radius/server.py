"""The real FreeRADIUS with the configuration of deploy/freeradius, as tests run it."""

import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from django.core.management import call_command

from ispcore.embedded.freeradius import FreeRadius
from ispcore.embedded.keys import parse_env
from tests import servers

# So soon the server notices that a NAS was changed or removed.
NAS_SECONDS = 2
THREADS = 4


@dataclass(frozen=True, slots=True)
class Server:
    """The running server and its ports."""

    process: FreeRadius
    auth_port: int
    acct_port: int

    @property
    def log(self) -> str:
        return self.process.log.read_text(errors="replace")

    def spooled(self) -> list[str]:
        return sorted(path.name for path in (self.process.directory / "spool").iterdir())


@contextmanager
def running() -> Iterator[Server]:
    """Run the server on the tests' database until the block ends."""
    home = servers.servers.home
    auth_port, acct_port = free_ports()
    directory = home.root / "freeradius"
    process = FreeRadius(
        directory, home.logs / "freeradius.log", home.account, radius_environment(auth_port, acct_port)
    )
    process.start()
    try:
        yield Server(process, auth_port, acct_port)
    finally:
        process.stop()


def free_ports() -> tuple[int, int]:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
    ):
        for probe in (one, two):
            probe.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(two.getsockname()[1])


def radius_environment(auth_port: int, acct_port: int, url: str = "") -> dict[str, str]:
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADIUS_DATABASE_URL", url or servers.servers.radius_url)
        call_command(
            "radius_env", address="127.0.0.1", auth_port=auth_port, acct_port=acct_port, threads=THREADS,
            nas_seconds=NAS_SECONDS, stdout=output,
        )  # fmt: skip
    return parse_env(output.getvalue(), source="radius_env")
