"""Carry out one planned step at an OLT, by command line or by SNMP, and tell whether it has happened."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from django.conf import settings

from hardware.cli import (
    MASK,
    CliError,
    CliHostKeyChanged,
    CliLoginFailed,
    CliLost,
    CliSession,
    CliTarget,
    CliTimeout,
)
from hardware.drivers import CliStep, Driver, SnmpStep, Step
from hardware.models import CliProtocol, Olt
from hardware.services.devices import sentence_of
from hardware.snmp import SnmpError, SnmpRefused, SnmpTimeout, Target, open_transport
from hardware.snmp.transport import Transport, Value
from ispcore.errors import DomainError, RetryableError

SSH_PORT, TELNET_PORT = 22, 23  # IANA.
CONNECT_SECONDS = 15.0
COMMAND_SECONDS = 30.0  # Deleting the service ports of a full card takes an OLT some of this.
SNMP_SECONDS = 5.0
REASON_LENGTH = 300


class DeviceTimedOut(RetryableError):
    code = "device_timeout"
    message = "{reason}. What was done so far stands in the transcript; resume it, or roll it back."


class DeviceConnectionLost(RetryableError):
    code = "device_connection_lost"
    message = "{reason}. What was done so far stands in the transcript; resume it, or roll it back."


class DeviceLoginRefused(DomainError):
    code = "device_login_refused"
    message = "{reason}. Correct the OLT's command line user and password."


class DeviceHostKeyChanged(DomainError):
    code = "device_host_key_changed"
    message = "{reason}."


class DeviceRefused(DomainError):
    code = "device_refused"
    message = "The device refused at '{step}': {reason}"


class Conversation:
    """What is said to one OLT for one job; a session is opened when the first step needs it.

    Only the registration's address is ever connected to. `on_host_key` is told the key of a device that is met
    for the first time. Use it in a `with` block, with no transaction open.
    """

    def __init__(self, olt: Olt, driver: Driver, *, on_host_key: Callable[[str], None]) -> None:
        self._olt = olt
        self._driver = driver
        self._on_host_key = on_host_key
        self._stack = ExitStack()
        self._cli: CliSession | None = None
        self._snmp: Transport | None = None
        self._transcript = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def check(self, step: Step) -> tuple[bool | None, list[dict[str, str]]]:
        """Tell whether a step has happened, None when the device cannot tell, and what it listed.

        Raises the errors of `do`.
        """
        if isinstance(step, SnmpStep):
            return self._check_snmp(step), []
        if not step.check:
            return None, []
        rows = self._driver.read_answer(step.check, self._type(step, step.check))
        if rows is None:
            return None, []
        fits = any(step.done_when.items() <= row.items() for row in rows)
        return fits != step.gone, rows

    def do(self, step: Step) -> list[dict[str, str]]:
        """Carry a step out and return what the device said of it.

        Raises DeviceTimedOut, DeviceConnectionLost, DeviceLoginRefused, DeviceHostKeyChanged, DeviceRefused.
        """
        if isinstance(step, SnmpStep):
            self._set(step, step.pairs, has_happened=lambda: bool(self._check_snmp(step)))
            return []
        return self._type_all(step, step.commands, fine_if=step.done_if)

    def undo(self, step: Step) -> None:
        """Take a step back; what is not there is fine. Raises the errors of `do`."""
        if isinstance(step, SnmpStep):
            if step.undo:
                self._set(step, step.undo, has_happened=lambda: self._check_snmp(step) is False)
            return
        self._type_all(step, step.undo, fine_if=step.undone_if)

    def take_transcript(self) -> str:
        """Return what was said since the last call, masked."""
        said, self._transcript = self._transcript, ""
        if self._cli:
            said += self._cli.take_transcript()
        return said

    def _type_all(self, step: CliStep, commands: tuple[str, ...], *, fine_if: str) -> list[dict[str, str]]:
        told: list[dict[str, str]] = []
        for command in commands:
            answer = self._type(step, command)
            if _matches(step.refused_if, answer) and not _matches(fine_if, answer):
                raise DeviceRefused(step=step.name, reason=_said(answer, command))
            told += self._driver.read_answer(command, answer) or []
        return told

    def _type(self, step: CliStep, command: str) -> str:
        try:
            return self._session().send(command, secrets=step.secrets)
        except CliError as error:
            raise _domain_error(error, step) from error

    def _session(self) -> CliSession:
        if self._cli is None:
            olt = self._olt
            assert self._driver.cli_types is not None
            ssh, telnet = self._driver.cli_types
            is_ssh = olt.cli_protocol == CliProtocol.SSH
            self._cli = CliSession(
                CliTarget(
                    host=olt.ip,
                    port=olt.cli_port or (SSH_PORT if is_ssh else TELNET_PORT),
                    device_type=ssh if is_ssh else telnet,
                    username=olt.cli_username,
                    password=olt.cli_password.reveal(),
                    host_key=olt.cli_host_key,
                    prepare=self._driver.cli_prepare,
                    connect_seconds=CONNECT_SECONDS,
                    command_seconds=COMMAND_SECONDS,
                )
            )
            self._stack.callback(self._cli.close)
            if self._cli.host_key and not olt.cli_host_key:
                self._on_host_key(self._cli.host_key)
            self._note(f"Logged in to {olt.ip} as {olt.cli_username}.")
        return self._cli

    def _check_snmp(self, step: SnmpStep) -> bool | None:
        if not step.done_when:
            return None
        try:
            found = self._transport().get(list(step.done_when))
        except SnmpTimeout as error:
            raise DeviceTimedOut(reason=sentence_of(error)) from error
        except SnmpError as error:
            raise DeviceRefused(step=step.name, reason=sentence_of(error)) from error
        return found == step.done_when

    def _set(
        self, step: SnmpStep, pairs: tuple[tuple[str, Value], ...], *, has_happened: Callable[[], bool]
    ) -> None:
        self._note("\n".join(f"set {words}" for words in written(pairs)))
        try:
            self._transport().set(pairs)
        except SnmpTimeout as error:  # Its answer may be what was lost.
            self._note("no answer")
            if not has_happened():
                raise DeviceTimedOut(reason=sentence_of(error)) from error
        except SnmpRefused as error:
            self._note(f"refused: {error.status}")
            raise DeviceRefused(step=step.name, reason=sentence_of(error)) from error
        except SnmpError as error:
            raise DeviceConnectionLost(reason=sentence_of(error)) from error
        else:
            self._note("noError")

    def _transport(self) -> Transport:
        if self._snmp is None:
            target = Target(
                host=self._olt.ip,
                port=self._olt.snmp_port,
                community=self._olt.write_community.reveal(),
                version=self._olt.snmp_version,
                timeout_seconds=SNMP_SECONDS,
            )
            self._snmp = self._stack.enter_context(open_transport(target, backend=settings.SNMP_BACKEND))
        return self._snmp

    def _note(self, line: str) -> None:
        self._transcript += line + "\n"


def words_of(step: Step) -> dict[str, object]:
    """Say a step in words, secrets masked: its name, what is sent, and what takes it back."""
    if isinstance(step, SnmpStep):
        sent, undo = written(step.pairs), written(step.undo)
    else:
        sent, undo = _masked(step.commands, step.secrets), _masked(step.undo, step.secrets)
    return {"name": step.name, "commands": sent, "undo": undo}


def written(pairs: tuple[tuple[str, Value], ...]) -> list[str]:
    """Write variables for people: octets as text where they are text."""
    return [f"{oid} = {_readable(value)}" for oid, value in pairs]


def _readable(value: Value) -> str:
    if isinstance(value, bytes):
        text = value.decode("latin-1")
        return f'"{text}"' if text.isascii() and text.isprintable() else f"0x{value.hex().upper()}"
    return str(value)


def _masked(commands: tuple[str, ...], secrets: tuple[str, ...]) -> list[str]:
    masked = list(commands)
    for secret in filter(None, secrets):
        masked = [command.replace(secret, MASK) for command in masked]
    return masked


def _matches(pattern: str, answer: str) -> bool:
    return bool(pattern) and re.search(pattern, answer, re.IGNORECASE | re.MULTILINE) is not None


def _said(answer: str, command: str) -> str:
    """Return the device's own words, without the echo of the command."""
    lines = [line.strip() for line in answer.splitlines() if line.strip() and line.strip() != command]
    return " ".join(lines)[:REASON_LENGTH] or "it said nothing"


def _domain_error(error: CliError, step: CliStep) -> DomainError:
    kinds: dict[type[CliError], type[DomainError]] = {
        CliTimeout: DeviceTimedOut,
        CliLost: DeviceConnectionLost,
        CliLoginFailed: DeviceLoginRefused,
        CliHostKeyChanged: DeviceHostKeyChanged,
    }
    return kinds.get(type(error), DeviceRefused)(step=step.name, reason=sentence_of(error))
