"""The command line of a simulated Huawei SmartAX over SSH: the views, the paging and the questions of one."""

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from demo.olt.huawei import HuaweiOlt
from demo.olt.huawei_shell import Cut, Shell

FAULTS = ("silent", "cut-before", "cut-after", "reboot", "ask-parameters", "page")
REBOOT_SECONDS = 1.0


@dataclass
class CliFault:
    """`kind=beginning of a command`: what goes wrong, once, at the first such command."""

    kind: str
    command: str = ""

    @classmethod
    def parse(cls, text: str) -> "CliFault | None":
        """Raises ValueError for a kind that is not one of `FAULTS`."""
        if not text:
            return None
        kind, _, command = text.partition("=")
        if kind not in FAULTS:
            raise ValueError(f"unknown fault {kind}; there are {', '.join(FAULTS)}")
        return cls(kind, command)


class HuaweiCli:
    """An SSH server on `host:port` for one device; port 0 takes any free one, which `port` then is.

    The host key is read from `host_key`, made there first if it is missing; without a path it is made for
    this server alone. `commands` counts what was typed, by command.
    """

    def __init__(
        self,
        device: HuaweiOlt,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        username: str = "isp",
        password: str = "isp-olt",  # noqa: S107  (a simulated device's)
        host_key: Path | None = None,
        fault: str = "",
    ) -> None:
        self.device = device
        self.host, self.port = host, port
        self.username, self.password = username, password
        self.fault = CliFault.parse(fault)
        self.commands: list[str] = []
        self.logins = 0
        self.rebooting = False
        self._host_key = host_key
        self._server: asyncssh.SSHAcceptor | None = None
        self.connections: set[Any] = set()

    async def start(self) -> None:
        key = (
            _read_or_make(self._host_key) if self._host_key else asyncssh.generate_private_key("ssh-ed25519")
        )
        self._server = await asyncssh.listen(
            self.host,
            self.port,
            server_host_keys=[key],
            server_factory=lambda: _Door(self),
            process_factory=self._serve,
            line_editor=False,
            allow_scp=False,
        )
        self.port = self._server.get_port()

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            self.hang_up()
            await self._server.wait_closed()
            while self.connections:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0)  # Lets the transports close their sockets.

    def hang_up(self) -> None:
        for connection in list(self.connections):
            connection.abort()

    def reboot(self) -> None:
        """Cut every session and take no new one for a second."""
        self.rebooting = True
        self.hang_up()
        asyncio.get_running_loop().call_later(REBOOT_SECONDS, setattr, self, "rebooting", False)

    def take_fault(self, command: str, *kinds: str) -> str:
        """Return the fault that this command meets, and forget it; it happens once."""
        if self.fault and self.fault.kind in kinds and command.startswith(self.fault.command):
            kind, self.fault = self.fault.kind, None
            return kind
        return ""

    async def _serve(self, process: Any) -> None:
        try:
            await Shell(self, process).run()
        except (Cut, asyncssh.Error, OSError):
            with suppress(Exception):
                process.channel.get_connection().abort()
        finally:
            with suppress(Exception):
                process.exit(0)


class _Door(asyncssh.SSHServer):
    def __init__(self, cli: HuaweiCli) -> None:
        self._cli = cli

    def connection_made(self, conn: Any) -> None:
        self._connection = conn
        self._cli.connections.add(conn)
        if self._cli.rebooting:
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cli.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._cli.logins += 1
        return (username, password) == (self._cli.username, self._cli.password)


def _read_or_make(path: Path) -> asyncssh.SSHKey:
    if not path.exists():
        key = asyncssh.generate_private_key("ssh-ed25519")
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.export_private_key())
    return asyncssh.read_private_key(path)
