"""One command-line session through netmiko: deadlines, confirmations, a masked record of what was said."""

import io
import logging
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from hardware.cli.errors import (
    CliError,
    CliHostKeyChanged,
    CliLoginFailed,
    CliLost,
    CliRefused,
    CliTimeout,
)

MASK = "••••••••"
LOGOUT_SECONDS = 2.0
POLL_SECONDS = 0.02
TAIL = 400  # Characters in which a prompt is looked for.
LONGEST_ANSWER = 2_000_000  # A device that never stops talking.

# What a device asks in the middle of an answer, and what it is told.
_CONFIRM = r"\([yY]/[nN]\)(?:\s?\[[yYnN]\])?\s?:?\s*$"
_MORE = r"--+\s?More[^\r\n]*--+\s*$"
_PARAMETERS = r"\{\s?<cr>[^\r\n]*\}:\s*$"


@dataclass(frozen=True, slots=True)
class CliTarget:
    """Where a command line is, and how patient to be with it.

    `device_type` is netmiko's name; one that ends in `_telnet` is spoken to over Telnet. `host_key` is the
    key the device showed when it was first met, as `CliSession.host_key` wrote it; empty takes any.
    """

    host: str
    port: int
    device_type: str
    username: str
    password: str = field(repr=False)
    host_key: str = ""
    prepare: tuple[str, ...] = ()
    connect_seconds: float = 15.0
    command_seconds: float = 30.0


class CliSession:
    """A logged-in session; use it in a `with` block, from one thread.

    Raises CliTimeout, CliLost, CliLoginFailed, CliHostKeyChanged, CliRefused while it opens.
    """

    def __init__(self, target: CliTarget) -> None:
        self.target = target
        self.host_key = ""
        self._said = io.BytesIO()
        self._taken = 0
        self._secrets = [target.password] if target.password else []
        self._is_broken = True
        self._connection = self._connect()
        self._prompt = rf"[\r\n]{re.escape(self._connection.base_prompt)}[^\r\n]{{0,80}}[>#]\s*$"
        self._expected = "|".join((self._prompt, _CONFIRM, _MORE, _PARAMETERS))
        self._is_broken = False
        try:
            for command in target.prepare:
                self.send(command)
        except CliError:
            self.close()
            raise
        self.take_transcript()  # Of the log-in nothing is kept.

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, command: str, *, secrets: tuple[str, ...] = ()) -> str:
        """Type a command and return what came before the next prompt, its echo included.

        Confirmations are answered with yes: a driver plans no command it does not mean. Typed once; after
        CliLost or CliTimeout its outcome is unknown. Raises CliTimeout, CliLost.
        """
        self._secrets += [secret for secret in secrets if secret and secret not in self._secrets]
        if "\n" in command or "\r" in command:
            raise ValueError("a command is one line")
        deadline = time.monotonic() + self.target.command_seconds
        answer = ""
        typed = command + self._connection.RETURN
        try:
            self._connection.clear_buffer()
            while True:
                self._connection.write_channel(typed)
                answer += self._read(deadline, command)
                if re.search(_CONFIRM, answer[-TAIL:]):
                    typed = "y" + self._connection.RETURN
                elif re.search(_MORE, answer[-TAIL:]):
                    answer = re.sub(_MORE, "", answer)
                    typed = " "
                elif re.search(_PARAMETERS, answer[-TAIL:]):
                    typed = self._connection.RETURN
                else:
                    return re.sub(self._prompt, "", answer)
        except CliError:
            self._is_broken = True
            raise
        except (OSError, EOFError) as error:
            self._is_broken = True
            raise self._lost(command) from error

    def take_transcript(self) -> str:
        """Return what was said since the last call, secrets masked."""
        raw = self._said.getvalue()[self._taken :] if not self._said.closed else b""
        self._taken += len(raw)
        return self.mask(raw.decode("utf-8", "replace").replace("\r\n", "\n").replace("\x00", ""))

    def mask(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def close(self) -> None:
        """Log out, or hang up on a device that no longer answers; safe to repeat."""
        with suppress(Exception):
            if not self._is_broken:
                self._connection.read_timeout_override = LOGOUT_SECONDS
                self._connection.disconnect()
            _hang_up(self._connection)
        self._is_broken = True

    def _connect(self) -> Any:
        from netmiko import ConnectHandler  # Takes a second to load, which only the network worker needs.

        target = self.target
        connection = ConnectHandler(
            device_type=target.device_type,
            host=target.host,
            port=target.port,
            username=target.username,
            password=target.password,
            conn_timeout=target.connect_seconds,
            auth_timeout=target.connect_seconds,
            banner_timeout=target.connect_seconds,
            read_timeout_override=target.command_seconds,
            session_log=self._said,
            auto_connect=False,
        )
        connection.key_policy = _KeyPolicy(self)
        try:
            self._log_in(connection)
        except BaseException:
            _hang_up(connection)
            raise
        return connection

    def _log_in(self, connection: Any) -> None:
        from netmiko.exceptions import (
            NetmikoAuthenticationException,
            NetmikoTimeoutException,
            ReadException,
            ReadTimeout,
        )
        from paramiko.ssh_exception import SSHException

        target = self.target
        where = f"{target.host}:{target.port}"
        try:
            connection._open()  # What its constructor does with auto_connect, which takes no key policy.
            connection.enable()
        except CliError:
            raise
        except NetmikoAuthenticationException as error:
            raise CliLoginFailed(f"{where} refused the user {target.username} or its password") from error
        except ReadTimeout as error:
            raise CliTimeout(f"{where} took the log-in and then showed no prompt") from error
        except NetmikoTimeoutException as error:
            raise CliTimeout(f"{where} did not accept a connection") from error
        except (ReadException, SSHException, EOFError, OSError) as error:
            raise CliLost(f"{where} cut the connection during the log-in") from error
        except ValueError as error:
            raise CliRefused(f"{where} does not let {target.username} configure it") from error

    def _read(self, deadline: float, command: str) -> str:
        """Return what the device says up to a prompt or a question.

        Not netmiko's read_until_pattern, which waits out its time on a connection that was cut.
        """
        from netmiko.exceptions import ReadException

        answer = ""
        while not re.search(self._expected, answer[-TAIL:]):
            was_open = self._is_open()
            try:
                chunk = self._connection.read_channel()
            except ReadException as error:
                raise self._lost(command) from error
            answer += chunk
            if not chunk and not was_open:
                raise self._lost(command)
            if len(answer) > LONGEST_ANSWER or time.monotonic() > deadline:
                raise CliTimeout(
                    f"{self.target.host}:{self.target.port} showed no prompt within "
                    f"{self.target.command_seconds:g} seconds after: {self.mask(command)}"
                )
            if not chunk:
                time.sleep(POLL_SECONDS)
        return answer

    def _is_open(self) -> bool:
        if self._connection.protocol != "ssh":
            return True  # Reading tells.
        channel = self._connection.remote_conn
        return not channel.closed and channel.transport.is_active()

    def _lost(self, command: str) -> CliLost:
        return CliLost(
            f"{self.target.host}:{self.target.port} cut the connection after: {self.mask(command)}"
        )


def _hang_up(connection: Any) -> None:
    """Close what netmiko leaves open when it fails, its filter of log lines included."""
    logging.getLogger("netmiko").removeFilter(connection._secrets_filter)
    with suppress(Exception):
        if connection.protocol == "ssh":
            connection.paramiko_cleanup()
        else:
            connection.remote_conn.close()


class _KeyPolicy:
    """Trust a key on first use; afterwards take that one alone (paramiko's MissingHostKeyPolicy)."""

    def __init__(self, session: CliSession) -> None:
        self._session = session

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        shown = f"{key.get_name()} {key.fingerprint}"
        known = self._session.target.host_key
        if known and known != shown:
            target = self._session.target
            raise CliHostKeyChanged(
                f"{target.host}:{target.port} shows the host key {shown}, and showed {known} before. "
                "If the device was replaced or given a new key, clear the stored key of the OLT; if not, "
                "something else answers in its place. Nothing was sent to it"
            )
        self._session.host_key = shown
