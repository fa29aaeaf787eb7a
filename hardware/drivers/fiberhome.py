"""FiberHome AN5516, the authorised list, optics and white list of GEPON-OLT-COMMON-MIB.

OIDs and encodings come from that MIB; powers in hundredths of a dBm are what several deployed tools read.
Nothing here is recorded: every scale is unverified on a device.
"""

from collections.abc import Callable, Iterator
from typing import ClassVar

from hardware.drivers.base import Driver, Place
from hardware.drivers.cards import CARD_COLUMNS
from hardware.drivers.cells import BadCellError, enumerated, integer, power, scaled, text, whole
from hardware.drivers.columns import Column, ColumnReader, Pass, Table, arcs_of
from hardware.drivers.findings import DownCause, RunStatus, WaitingOnu
from hardware.drivers.provisioning import Capability, OnuPlace, Preset, SnmpStep, Step, cli_word
from hardware.snmp.transport import Value

SYSTEMS = "1.3.6.1.4.1.5875.800.1001"
FIBERHOME = "1.3.6.1.4.1.5875.800.3"
ONUS, ONU_OPTICS, PORTS = f"{FIBERHOME}.10.1.1", f"{FIBERHOME}.9.3.3.1", f"{FIBERHOME}.9.3.4.1"
# Empty until the measurement, .9.3.6.1.1, is switched on (MIB).
OLT_RX = f"{FIBERHOME}.9.3.7.1.2"
DISTANCE, WAITING = f"{FIBERHOME}.9.6.1.1.1", f"{FIBERHOME}.11.1.1"

# The serials that may come up, onuSnListFor5516Table: unverified, deployed tools write opaque blobs elsewhere.
WHITE_LIST, CREATE_AND_GO, DESTROY = f"{FIBERHOME}.1.5.1", 4, 6

# sysObjectID below `SYSTEMS`: 11 is AN5516-01, -04B and -06, 12 AN5516-04 (recorded).
_MODELS = ("11", "12")
# No light, no reading (deployed tools).
_DARK = (0,)
OPTICS_PATIENCE = 3.0

_ONLINE = 1
# FiberHome's description of the interface for the 5516: cut fibre, online, no power, offline. The MIB knows
# 0 and 1 alone, and 0 there means all of the rest.
_RUN_STATES = {0: RunStatus.OFFLINE, 1: RunStatus.ONLINE, 2: RunStatus.OFFLINE, 3: RunStatus.OFFLINE}
_DOWN_CAUSES = {0: DownCause.LOS, 2: DownCause.DYING_GASP}


def decode_port(number: int) -> str | None:
    """Return slot/pon of a PON index, slot << 25 | pon << 19, None for any other."""
    slot, pon = number >> 25, number >> 19 & 0x3F
    if number >> 31 or number & 0x7FFFF or not slot or not pon:
        return None
    return f"{slot}/{pon}"


def encode_port(port: str) -> int | None:
    """Undo `decode_port`; None for a port the number has no room for."""
    slot, _, pon = port.partition("/")
    if arcs_of(slot, 1) is None or arcs_of(pon, 1) is None:
        return None
    if not (0 < int(slot) < 64 and 0 < int(pon) < 64):
        return None
    return int(slot) << 25 | int(pon) << 19


def decode_serial(value: Value) -> str:
    """Write a GPON serial, or an EPON ONU's address, in capitals. Raises BadCellError."""
    serial = text(value)
    if serial is None or not (serial.isascii() and serial.isalnum()) or len(serial) > 32:
        raise BadCellError(f"not a serial: {value!r}"[:80])
    return serial.upper()


def decode_number(value: Value) -> int:
    """Decode a slot or a PON. Raises BadCellError."""
    number = integer(value)
    if not 0 < number < 64:
        raise BadCellError(f"not a slot or PON: {number}")
    return number


def row_of_olt_rx(index: str) -> str | None:
    """Turn ponIndex.onu into the onuIndex of the other tables."""
    arcs = arcs_of(index, 2)
    if arcs is None or decode_port(arcs[0]) is None or not 0 < arcs[1] < 2048:
        return None
    return str(arcs[0] | arcs[1] << 8)


def instance_of_olt_rx(row: str) -> str | None:
    arcs = arcs_of(row, 1)
    return f"{arcs[0] & ~0x7FFFF}.{arcs[0] >> 8 & 0x7FF}" if arcs else None


def _is_up(value: Value) -> bool:
    return integer(value) == _ONLINE


def _optics(field: str, column: int, decode: Callable[[Value], float | None]) -> Column:
    return Column(Table.ONU, field, f"{ONU_OPTICS}.{column}", Pass.OPTICS, decode, OPTICS_PATIENCE)


_HUNDREDTHS_OF_A_DEGREE = scaled(0.01, low=-60, high=150, none=_DARK)
_PORT_COLUMNS = (
    Column(Table.PORT, "name", f"{PORTS}.2", Pass.INVENTORY, text),
    Column(Table.PORT, "is_up", f"{PORTS}.5", Pass.STATUS, _is_up),
    Column(Table.PORT, "onu_count", f"{PORTS}.12", Pass.STATUS, whole(high=4096)),
    Column(Table.PORT, "tx_power_dbm", f"{PORTS}.8", Pass.OPTICS, power(none=_DARK)),
    Column(Table.PORT, "temperature_c", f"{PORTS}.11", Pass.OPTICS, _HUNDREDTHS_OF_A_DEGREE),
)
_ONU_COLUMNS = (
    Column(Table.ONU, "serial", f"{ONUS}.10", Pass.INVENTORY, decode_serial),
    Column(Table.ONU, "description", f"{ONUS}.7", Pass.INVENTORY, text),
    Column(
        Table.ONU,
        "run_status",
        f"{ONUS}.11",
        Pass.STATUS,
        enumerated(_RUN_STATES, otherwise=RunStatus.UNKNOWN),
    ),
    # The same cell again: it tells why, as long as the ONU is down.
    Column(
        Table.ONU,
        "last_down_cause",
        f"{ONUS}.11",
        Pass.STATUS,
        enumerated(_DOWN_CAUSES, otherwise=DownCause.UNKNOWN, none=(_ONLINE,)),
    ),
    Column(Table.ONU, "distance_m", DISTANCE, Pass.STATUS, whole(high=100_000, none=_DARK)),
    _optics("rx_power_dbm", 6, power(none=_DARK)),
    _optics("tx_power_dbm", 7, power(none=_DARK)),
    _optics("voltage_v", 8, scaled(0.01, low=0, high=50, none=_DARK)),
    _optics("bias_ma", 9, scaled(0.01, low=0, high=500, none=_DARK)),
    _optics("temperature_c", 10, _HUNDREDTHS_OF_A_DEGREE),
    Column(
        Table.ONU,
        "olt_rx_power_dbm",
        OLT_RX,
        Pass.OPTICS,
        power(none=_DARK),
        OPTICS_PATIENCE,
        row_of_olt_rx,
        instance_of_olt_rx,
    ),
)
_WAITING_COLUMNS = (
    Column(Table.WAITING, "serial", f"{WAITING}.5", Pass.WAITING, decode_serial),
    Column(Table.WAITING, "slot", f"{WAITING}.2", Pass.WAITING, decode_number),
    Column(Table.WAITING, "pon", f"{WAITING}.3", Pass.WAITING, decode_number),
)


class FiberhomeDriver(Driver):
    """Authorises by the white list alone; no VLAN can be set."""

    vendor: ClassVar[str] = "fiberhome"
    columns: ClassVar[tuple[Column, ...]] = _PORT_COLUMNS + _ONU_COLUMNS + _WAITING_COLUMNS + CARD_COLUMNS
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.OPTICS,
            Capability.CARDS,
            Capability.WAITING,
            Capability.AUTHORIZE,
            Capability.UNAUTHORIZE,
        }
    )
    preset_fields: ClassVar[frozenset[str]] = frozenset({"onu_type"})

    def matches(self, sys_object_id: str, sys_descr: str) -> bool:
        known = any(
            sys_object_id == f"{SYSTEMS}.{model}" or sys_object_id.startswith(f"{SYSTEMS}.{model}.")
            for model in _MODELS
        )
        return known or (sys_object_id.startswith("1.3.6.1.4.1.5875.") and sys_descr.startswith("AN5516"))

    def model(self, sys_object_id: str, sys_descr: str) -> str | None:
        """Take the description for it: it is exactly the model's name (recorded)."""
        return sys_descr.strip()[:80] if sys_descr.startswith("AN5") else None

    def place_port(self, index: str, name: str | None) -> Place | None:
        """Decode a PON index; the table also holds other ports."""
        arcs = arcs_of(index, 1)
        port = decode_port(arcs[0]) if arcs else None
        return Place(index=port, number=arcs[0]) if arcs and port else None

    def place_onu(self, index: str) -> Place | None:
        """Decode slot << 25 | pon << 19 | onu << 8: 370672896 is ONU 5 of PON 3 in slot 11."""
        arcs = arcs_of(index, 1)
        if arcs is None or arcs[0] & 0xFF:
            return None
        onu_id, port = arcs[0] >> 8 & 0x7FF, decode_port(arcs[0] & ~0x7FFFF)
        return Place(index=f"{port}/{onu_id}", pon_port=port, number=onu_id) if port and onu_id else None

    def onu_row(self, index: str, serial: str) -> str | None:
        port, _, onu_id = index.rpartition("/")
        number = encode_port(port)
        if number is None or arcs_of(onu_id, 1) is None or not 0 < int(onu_id) < 2048:
            return None
        return str(number | int(onu_id) << 8)

    def _build_waiting(self, run: ColumnReader) -> Iterator[WaitingOnu]:
        """Join slot and PON, which are columns of their own."""
        for cells in run.cells[Table.WAITING].values():
            slot, pon = cells.pop("slot", None), cells.pop("pon", None)
            if isinstance(slot, int) and isinstance(pon, int):
                cells["pon_port"] = f"{slot}/{pon}"
        return super()._build_waiting(run)

    def plan_authorize(self, place: OnuPlace, preset: Preset) -> tuple[Step, ...]:
        """Put the serial on the white list (unverified); `onu_type` is the type's number."""
        if not (preset.onu_type.isascii() and preset.onu_type.isdecimal()) or len(preset.onu_type) > 9:
            raise ValueError("an ONU type is needed, by its number")
        if preset.vlan is not None or preset.native_vlan_port is not None:
            raise ValueError("no VLAN can be set on this OLT from here: leave it out")
        row, serial = self._row(place), cli_word(place.serial, longest=32).encode()
        slot, pon = map(int, place.pon_port.split("/"))
        return (
            SnmpStep(
                f"Add the ONU as number {place.onu_id} of port {place.pon_port}",
                (
                    (f"{WHITE_LIST}.2.{row}", slot),
                    (f"{WHITE_LIST}.3.{row}", pon),
                    (f"{WHITE_LIST}.4.{row}", place.onu_id),
                    (f"{WHITE_LIST}.5.{row}", int(preset.onu_type)),
                    (f"{WHITE_LIST}.6.{row}", serial),
                    (f"{WHITE_LIST}.8.{row}", CREATE_AND_GO),
                ),
                undo=((f"{WHITE_LIST}.8.{row}", DESTROY),),
                done_when={f"{ONUS}.10.{row}": serial},
            ),
        )

    def plan_unauthorize(self, place: OnuPlace) -> tuple[Step, ...]:
        """Take the serial off the white list (unverified): the device refuses where others put it there."""
        row = self._row(place)
        return (
            SnmpStep(
                f"Delete ONU {place.onu_id} of port {place.pon_port}",
                ((f"{WHITE_LIST}.8.{row}", DESTROY),),
                done_when={f"{ONUS}.10.{row}": None},
            ),
        )

    def _row(self, place: OnuPlace) -> str:
        """Return the onuIndex; the white list's own numbers are free to choose, and this one is found again."""
        row = self.onu_row(f"{place.pon_port}/{place.onu_id}", place.serial)
        if row is None:
            raise ValueError(f"{place.pon_port[:40]!r} is no PON port here: slot/PON, such as 11/3")
        return row
