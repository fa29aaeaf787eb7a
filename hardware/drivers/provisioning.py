"""What it takes to change a device: steps a driver plans and a service carries out, one after the other."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from hardware.snmp.transport import Value

# What no command line of these vendors gives a meaning of its own; quotes, `?`, `;`, `|`, `!` and backslash have one.
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/:@+=,#%()-]*")
_SERIAL = re.compile("[A-Z0-9]{4}[0-9A-F]{8}|[0-9A-F]{16}")
_TEXT = re.compile(rf"{_WORD.pattern}(?: [A-Za-z0-9._/:@+=,#%()-]+)*")


class Capability(StrEnum):
    """What a driver can do with its device; the API refuses the rest with `not_supported_by_device`."""

    OPTICS = "optics"
    COUNTERS = "counters"
    CARDS = "cards"
    WAITING = "waiting"
    AUTHORIZE = "authorize"
    UNAUTHORIZE = "unauthorize"
    REBOOT = "reboot"


class NotSupportedByDevice(Exception):
    """The driver knows no way to do this on its device."""


@dataclass(frozen=True, slots=True)
class SnmpStep:
    """Write `pairs` in one PDU; `undo` takes it back.

    `done_when` maps an OID to the value that proves the step has happened: read first, so that a repeated step
    is not sent again, and read after a lost answer. Without it, a step whose answer was lost is sent again only
    if it is `repeatable`: sending it twice comes to the same.
    """

    name: str
    pairs: tuple[tuple[str, Value], ...]
    undo: tuple[tuple[str, Value], ...] = ()
    done_when: dict[str, Value | None] = field(default_factory=dict)
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class CliStep:
    """Type `commands` at the device's command line; `undo` takes it back.

    Patterns are regular expressions, of any case, over several lines. An answer that matches `refused_if`
    ends the job, unless it also matches `done_if` (typing) or `undone_if` (taking back): then what was wanted
    is so already.

    `check` is a command that shows whether the step has happened, read before typing and after a lost answer:
    when one of the rows that `Driver.read_answer` makes of it holds all of `done_when`, or with `gone` when
    none does. Without a `check`, a step whose answer was lost is typed again only if it is `repeatable`:
    typing it twice comes to the same. An empty `undo` means that taking back an earlier step takes this along.
    """

    name: str
    commands: tuple[str, ...]
    undo: tuple[str, ...] = ()
    done_if: str = ""
    refused_if: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    check: str = ""
    done_when: dict[str, str] = field(default_factory=dict)
    gone: bool = False
    undone_if: str = ""
    repeatable: bool = False


Step = SnmpStep | CliStep


@dataclass(frozen=True, slots=True)
class Preset:
    """How a vendor's OLT is told to serve an ONU; which fields a driver needs it says in `preset_fields`."""

    line_profile: str = ""
    service_profile: str = ""
    vlan: int | None = None
    user_vlan: int | None = None
    gem_port: int = 1
    onu_type: str = ""
    tcont_profile: str = ""
    native_vlan_port: int | None = None


@dataclass(frozen=True, slots=True)
class OnuPlace:
    """Which ONU is meant: its PON port as staff know it, its id on that port, and its serial.

    `index` is what the driver last said of it, which is how some find its row again; empty for a new one.
    """

    pon_port: str
    onu_id: int
    serial: str
    if_index: int | None = None
    description: str = ""
    index: str = ""

    @property
    def port_number(self) -> int:
        """The number of the port's interface, where no name tells it. Raises ValueError before it was read."""
        if self.if_index is None:
            raise ValueError(f"port {self.pon_port[:40]!r} has not been read yet: discover the OLT first")
        return self.if_index


def serial_octets(serial: str, *, example: str) -> bytes:
    """Return what a device keeps of a serial as on the label (ITU-T G.984.3): HWTC9A000FFF is 48 57 54 43 9A 00 0F FF.

    Sixteen hexadecimal digits are the octets themselves. Raises ValueError, which shows an `example` of the vendor's.
    """
    if not _SERIAL.fullmatch(serial):
        raise ValueError(
            f"{serial[:40]!r} is no ONU serial: four letters and eight hexadecimal digits, such as {example}"
        )
    return bytes.fromhex(serial) if len(serial) == 16 else serial[:4].encode() + bytes.fromhex(serial[4:])


def cli_word(value: str, *, longest: int = 64) -> str:
    """Return `value` unchanged if it is one word a command line takes as it stands.

    Letters and digits of ASCII and `._-/:@+=,#%()`: nothing that ends a line, asks for help, quotes or chains
    commands. Raises ValueError.
    """
    return _typeable(_WORD, value, longest, "no spaces")


def cli_text(value: str, *, longest: int = 64) -> str:
    """Return `value` unchanged if it is words, one space apart, that may be typed between quotes; see `cli_word`.

    Raises ValueError.
    """
    return _typeable(_TEXT, value, longest, "single spaces")


def _typeable(pattern: re.Pattern[str], value: str, longest: int, spaces: str) -> str:
    if len(value) > longest:
        raise ValueError(f"{value[:20]!r}... is too long for a command line: at most {longest} characters")
    if not pattern.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot be typed at a command line: letters, digits and ._-/:@+=,#%() only, {spaces}, "
            "beginning with a letter or digit"
        )
    return value
