"""How ZTE numbers its PON ports, and how it writes readings."""

from collections.abc import Callable
from dataclasses import dataclass

from hardware.drivers.base import Place
from hardware.drivers.cells import BadCellError, integer
from hardware.drivers.columns import arcs_of
from hardware.drivers.findings import DownCause, RunStatus
from hardware.snmp.transport import Value

# What an optics column holds for an ONU that is off or cannot be read (switcher-core, Ubilling).
NO_OPTICS = 65535
# The same for the OLT's own measurement (Ubilling).
NO_OLT_RX = (-80_000, 65_535, 65_535_000)

DOWN_CAUSES = {
    **dict.fromkeys((2, 3, 4), DownCause.LOS),  # LOS, LOSi, LOFi
    8: DownCause.REGISTRATION,  # Authentication failed.
    9: DownCause.DYING_GASP,
    12: DownCause.RESET,
}


def decode_port_1012(number: int) -> str | None:
    """Return shelf/slot/port as the tables below 1012 and 1015.1010 number it.

    0x10010100 is 1/1/1, 0x10020A00 is 1/2/10 (recorded): a nibble 1, the shelf less one, slot, port, 0.
    """
    if number >> 28 != 1 or number & 0xFF:
        return None
    return f"{(number >> 24 & 0xF) + 1}/{number >> 16 & 0xFF}/{number >> 8 & 0xFF}"


def encode_port_1012(port: str) -> int | None:
    """Undo `decode_port_1012`; None for a port the number has no room for."""
    if (parts := _three(port)) is None or not 1 <= parts[0] <= 16 or max(parts[1:]) > 255:
        return None
    return 1 << 28 | (parts[0] - 1) << 24 | parts[1] << 16 | parts[2] << 8


def decode_port_1082(number: int) -> str | None:
    """Return shelf/slot/port as the tables below 1082 number it: 0x11010201 is 1/2/1 (recorded)."""
    if number >> 24 != 0x11:
        return None
    return f"{number >> 16 & 0xFF}/{number >> 8 & 0xFF}/{number & 0xFF}"


def encode_port_1082(port: str) -> int | None:
    """Undo `decode_port_1082`; None for a port the number has no room for."""
    if (parts := _three(port)) is None or max(parts) > 255:
        return None
    return 0x11 << 24 | parts[0] << 16 | parts[1] << 8 | parts[2]


def _three(port: str) -> tuple[int, ...] | None:
    return arcs_of(port.replace("/", "."), 3) if "." not in port else None


# More than any PON generation has (ITU-T G.9807.1 knows 1023).
ONU_IDS = 1024


@dataclass(frozen=True, slots=True)
class Numbering:
    """How one tree numbers its ports."""

    decode: Callable[[int], str | None]
    encode: Callable[[str], int | None]

    def place_onu(self, index: str) -> Place | None:
        """Decode port.onuId."""
        arcs = arcs_of(index, 2)
        if arcs is None or arcs[1] >= ONU_IDS or (port := self.decode(arcs[0])) is None:
            return None
        return Place(index=f"{port}/{arcs[1]}", pon_port=port, number=arcs[1])

    def onu_row(self, index: str) -> str | None:
        port, _, onu_id = index.rpartition("/")
        number = self.encode(port)
        if number is None or arcs_of(onu_id, 1) is None:
            return None
        return f"{number}.{int(onu_id)}"


BELOW_1012 = Numbering(decode_port_1012, encode_port_1012)
BELOW_1082 = Numbering(decode_port_1082, encode_port_1082)


def row_of_optics(index: str) -> str | None:
    """Take off the number of the ONU's PON interface, which is always 1."""
    return index.removesuffix(".1") if index.count(".") == 2 and index.endswith(".1") else None


def instance_of_optics(row: str) -> str | None:
    return f"{row}.1"


def decode_onu_power(value: Value) -> float | None:
    """Decode 16 bits in steps of 0.002 dB from -30 dBm: 3500 is -23 dBm, 65535 none.

    The steps are the MIB's; where they start is what deployed tools use (switcher-core, Ubilling).
    """
    number = integer(value)
    if number == NO_OPTICS:
        return None
    if not -0x8000 <= number < 0x10000:
        raise BadCellError(f"not 16 bits: {number}")
    result = round((number - 0x10000 if number > 0x7FFF else number) * 0.002 - 30, 2)
    if not -60 <= result <= 20:
        raise BadCellError(f"out of range: {number}")
    return result


def decode_celsius(value: Value) -> float | None:
    """Decode 16 bits of 1/256 degree (switcher-core; unverified): 11264 is 44."""
    number = integer(value)
    if number == NO_OPTICS:
        return None
    if not -0x8000 <= number < 0x10000:
        raise BadCellError(f"not 16 bits: {number}")
    result = round((number - 0x10000 if number > 0x7FFF else number) / 256, 1)
    if not -60 <= result <= 150:
        raise BadCellError(f"out of range: {number}")
    return result


def run_status(working: int) -> Callable[[Value], RunStatus]:
    """Return a decoder of the phase, of whose seven values in a row one is `working`.

    Below 1012 they count from 0 (logging, LOS, syncMib, working, dying gasp, authFailed, offline), below 1082
    from 1.
    """
    first = working - 3

    def decode(value: Value) -> RunStatus:
        number = integer(value)
        if number == working:
            return RunStatus.ONLINE
        return RunStatus.OFFLINE if first <= number <= first + 6 else RunStatus.UNKNOWN

    return decode
