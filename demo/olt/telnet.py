"""The simulated command line over Telnet (RFC 854): the same shell behind a log-in prompt, no options spoken."""

import asyncio
import re
from contextlib import suppress
from typing import Any

from demo.olt.huawei_cli import HuaweiCli
from demo.olt.huawei_shell import Cut, Shell

# Interpret As Command, and the one or two octets after it (RFC 854).
_COMMANDS = re.compile(rb"\xff(?:[\xfb-\xfe].|.)", re.DOTALL)


class HuaweiTelnet(HuaweiCli):
    """A Telnet server on `host:port` for one device; everything else as over SSH."""

    _listener: asyncio.Server | None = None

    async def start(self) -> None:
        self._listener = await asyncio.start_server(self._serve_telnet, self.host, self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._listener:
            self._listener.close()
            self.hang_up()
            await self._listener.wait_closed()
            while self.connections:
                await asyncio.sleep(0.01)

    async def _serve_telnet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer.transport)
        line = _Line(reader, writer)
        try:
            shell = Shell(self, line)
            if not self.rebooting and await self._lets_in(shell, line):
                await shell.run()
        except (Cut, OSError):
            writer.transport.abort()
        finally:
            with suppress(Exception):
                writer.close()
                await writer.wait_closed()
            self.connections.discard(writer.transport)

    async def _lets_in(self, shell: Shell, line: "_Line") -> bool:
        line.write("\r\n>>User name:")
        username = await shell.read_line()
        line.write(">>User password:")
        password = await shell.read_line(is_secret=True)
        self.logins += 1
        if (username.strip(), password.strip()) == (self.username, self.password):
            return True
        line.write("  Username or password invalid.\r\n")
        return False


class _Line:
    """What a shell types through: text in, text out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.stdin: Any = self
        self.stdout: Any = self

    async def read(self, size: int) -> str:
        """Return what was typed, without Telnet's own commands; "" at the end."""
        while chunk := await self._reader.read(size):
            typed = _COMMANDS.sub(b"", chunk).replace(b"\r\n", b"\n").replace(b"\r\x00", b"\n")
            if typed:
                return typed.decode(errors="replace")
        return ""

    def write(self, text: str) -> None:
        self._writer.write(text.encode())
