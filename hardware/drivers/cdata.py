"""C-Data FD16xx and FD12xx: the GPON tables below 17409.2.8.4, the EPON tables below 17409.2.3.4.

An ONU is one number. Firmware V3 packs 18, its port and its own number into it (recorded); older firmware the
number of the port's interface and its own (switcher-core, Ubilling), so that only the interface's name tells which
port that is. OIDs are those of NSCRTV-FTTX-GPON-MIB as deployed tools read them; "unverified" where only they say so.
"""

import re
from collections.abc import Callable, Collection, Iterator
from typing import ClassVar

from hardware.drivers.base import Driver, Place, first_index
from hardware.drivers.cells import (
    counter,
    enumerated,
    gpon_serial,
    integer,
    is_up,
    mac_serial,
    power,
    scaled,
    text,
    whole,
    written_serial,
)
from hardware.drivers.columns import Column, ColumnReader, Pass, Table, arcs_of
from hardware.drivers.findings import AdminState, DownCause, RunStatus, SystemInfo, WaitingOnu
from hardware.drivers.named import NamedDriver, numbered
from hardware.drivers.provisioning import Capability, OnuPlace, Preset, SnmpStep, Step, serial_octets
from hardware.snmp.transport import Transport, Value

CDATA = "1.3.6.1.4.1.17409"
GPON, EPON = f"{CDATA}.2.8.4", f"{CDATA}.2.3.4"
OLT_RX = f"{CDATA}.2.3.3.6.1.2"
IF_TABLE, IF_X_TABLE = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"

# What authorises: .2 serial, .6 line and .7 service profile by number, .8 RowStatus (MIB; rows recorded).
AUTHORISED, CREATE_AND_GO, DESTROY = f"{GPON}.6.1.1", 4, 6

# 34592 is the FD11xx's; its tables are others and not read here.
_MODEL = re.compile(r"\bFD1[26][0-9]{2}[0-9A-Z-]{0,20}")
_ONU_NAME = re.compile(r"[ge]?pon ?[0-9/]{5,8} onu [0-9]{1,4} ?(.*)")

# No reading: the ONU is off, or the module sees less than it can say (-40.00); an FD1608S says -1 (deployed).
_NONE = (65535, -1, -4000, 2**31 - 1)
_V3, _OLD = 18, 1
_STATES = {1: RunStatus.ONLINE, 2: RunStatus.OFFLINE}
_ADMIN_STATES = {1: AdminState.ACTIVE, 2: AdminState.INACTIVE}
_DOWN_CAUSES = {"los": DownCause.LOS, "losi": DownCause.LOS, "dying-gasp": DownCause.DYING_GASP}
_NOTHING = ("", "-", "--")

_power = power(none=_NONE)
_hundredths_of_volts = scaled(0.01, low=0, high=50, none=_NONE)
_hundred_thousandths_of_volts = scaled(0.00001, low=0, high=50, none=_NONE)


def decode_v3(number: int) -> tuple[int, int] | None:
    """Return port and ONU of a V3 number: 6 bits of 18, 6 of port less one, 12 of ONU; 4718593 is 1 and 1."""
    if number >> 18 != _V3 or not number & 0xFFF:
        return None
    return (number >> 12 & 0x3F) + 1, number & 0xFFF


def encode_v3(port: int, onu: int) -> int:
    """Undo `decode_v3`."""
    return _V3 << 18 | (port - 1) << 12 | onu


def decode_old(number: int) -> tuple[int, int] | None:
    """Return the port's interface and the ONU of an old number: 16779266 is ONU 2 of interface 16779264."""
    if number >> 24 != _OLD or not number & 0xFF:
        return None
    return number & ~0xFF, number & 0xFF


def decode_serial(value: Value) -> str:
    """Decode eight octets (recorded), or the same written out. Raises BadCellError."""
    if isinstance(value, bytes) and len(value) == 8:
        return gpon_serial(value)
    return written_serial(value)


def decode_down_cause(value: Value) -> DownCause | None:
    """Decode the word; "--" is an ONU that never went down. Raises BadCellError."""
    word = (text(value) or "").lower()
    return None if word in _NOTHING else _DOWN_CAUSES.get(word, DownCause.UNKNOWN)


def decode_name(value: Value) -> str | None:
    """Take the position off: "gpon 0/0/1 onu 1 Mill St 4" is "Mill St 4". Raises BadCellError."""
    name = text(value)
    found = _ONU_NAME.fullmatch(name or "")
    return (found[1].strip() or None) if found else name


def decode_volts(value: Value) -> float | None:
    """Decode hundredths of a volt (recorded), or of old firmware a thousandth of those. Raises BadCellError."""
    return (
        _hundredths_of_volts if integer(value) < 5000 or value in _NONE else _hundred_thousandths_of_volts
    )(value)


def row_of_optics(index: str) -> str | None:
    """Take off what follows the ONU's number: a card and a port, which firmware fills as it likes."""
    arcs = arcs_of(index, 3)
    return str(arcs[0]) if arcs else None


def instance_of_optics(row: str) -> str | None:
    return f"{row}.0.0"


def instance_by_port(row: str) -> str | None:
    """Append the port's interface, 0x140000 and its number, as an FD1601S does (deployed)."""
    arcs = arcs_of(row, 1)
    if arcs is None:
        return None
    if v3 := decode_v3(arcs[0]):
        return f"{row}.0.{0x140000 + v3[0]}"
    old = decode_old(arcs[0])
    return f"{row}.0.{old[0]}" if old else None


def row_by_port(index: str) -> str | None:
    """Take off the same; None where the number is no ONU's."""
    row = row_of_optics(index)
    return row if row and instance_by_port(row) else None


def _or_dash(decode: Callable[[Value], float | None]) -> Callable[[Value], float | None]:
    def decode_or_dash(value: Value) -> float | None:
        if isinstance(value, bytes) and text(value) in (None, *_NOTHING):
            return None
        return decode(value)

    return decode_or_dash


_PORT_COLUMNS = (
    Column(Table.PORT, "name", f"{IF_TABLE}.2", Pass.INVENTORY, text),
    Column(Table.PORT, "is_up", f"{IF_TABLE}.8", Pass.STATUS, is_up),
    Column(Table.PORT, "up_bytes", f"{IF_X_TABLE}.6", Pass.STATUS, counter),
    Column(Table.PORT, "down_bytes", f"{IF_X_TABLE}.10", Pass.STATUS, counter),
)


def _onu(field: str, oid: str, reads: Pass, decode: Callable[[Value], object]) -> Column:
    return Column(Table.ONU, field, oid, reads, decode)


def _optics(table: str, instance: Callable[[str], str | None], *, small: float) -> tuple[Column, ...]:
    """Return the optics' columns; `small` is the unit of bias and temperature."""

    row = row_by_port if instance is instance_by_port else row_of_optics

    def reading(field: str, column: int, decode: Callable[[Value], float | None]) -> Column:
        oid = f"{table}.{column}"
        return Column(Table.ONU, field, oid, Pass.OPTICS, _or_dash(decode), row=row, instance=instance)

    return (
        reading("rx_power_dbm", 4, _power),
        reading("tx_power_dbm", 5, _power),
        reading("bias_ma", 6, scaled(small, low=0, high=500, none=_NONE)),
        reading("voltage_v", 7, decode_volts),
        reading("temperature_c", 8, scaled(small, low=-60, high=150, none=_NONE)),
    )


def _gpon_columns(instance: Callable[[str], str | None]) -> tuple[Column, ...]:
    onu = f"{GPON}.1.1"
    return (
        *_PORT_COLUMNS,
        _onu("serial", f"{onu}.3", Pass.INVENTORY, decode_serial),
        _onu("description", f"{onu}.2", Pass.INVENTORY, decode_name),
        _onu("model", f"{onu}.6", Pass.INVENTORY, text),
        _onu("admin_state", f"{onu}.8", Pass.INVENTORY, enumerated(_ADMIN_STATES)),
        _onu("run_status", f"{onu}.7", Pass.STATUS, enumerated(_STATES, otherwise=RunStatus.UNKNOWN)),
        # Taken for metres (switcher-core).
        _onu("distance_m", f"{onu}.9", Pass.STATUS, whole(high=100_000, none=(-1, 0))),
        _onu("last_down_cause", f"{onu}.103", Pass.STATUS, decode_down_cause),
        *_optics(f"{GPON}.4.1", instance, small=0.01),
        _onu("olt_rx_power_dbm", OLT_RX, Pass.OPTICS, _or_dash(_power)),
        Column(Table.WAITING, "serial", f"{GPON}.7.1.3", Pass.WAITING, decode_serial),
        Column(Table.WAITING, "equipment_id", f"{GPON}.7.1.2", Pass.WAITING, text),
        Column(Table.WAITING, "software", f"{GPON}.7.1.8", Pass.WAITING, text),
    )


# All deployed and unverified; where optics count in other units than GPON's they are left out.
_EPON_COLUMNS = (
    *_PORT_COLUMNS,
    _onu("serial", f"{EPON}.1.1.7", Pass.INVENTORY, mac_serial),
    _onu("description", f"{EPON}.1.1.2", Pass.INVENTORY, decode_name),
    _onu("admin_state", f"{EPON}.1.1.9", Pass.INVENTORY, enumerated(_ADMIN_STATES)),
    _onu("run_status", f"{EPON}.1.1.8", Pass.STATUS, enumerated(_STATES, otherwise=RunStatus.UNKNOWN)),
    _onu("distance_m", f"{EPON}.1.1.15", Pass.STATUS, whole(high=100_000, none=(-1, 0))),
    *_optics(f"{EPON}.2.1", instance_of_optics, small=0.01)[:2],
    _onu("olt_rx_power_dbm", OLT_RX, Pass.OPTICS, _or_dash(_power)),
)


class CdataDriver(NamedDriver):
    """What all share; the one that is listed, and asks the device which tables it fills."""

    vendor: ClassVar[str] = "cdata"
    port_name: ClassVar[re.Pattern[str]] = re.compile(r"[ge]?pon ?([0-9]{1,2}/[0-9]{1,2}/[0-9]{1,2})")
    columns: ClassVar[tuple[Column, ...]] = _gpon_columns(instance_of_optics)
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.OPTICS, Capability.COUNTERS})

    def matches(self, sys_object_id: str, sys_descr: str) -> bool:
        """Know it by the enterprise: the description is the host's name, or "olt" (recorded)."""
        return sys_object_id == CDATA or sys_object_id.startswith(f"{CDATA}.")

    def model(self, sys_object_id: str, sys_descr: str) -> str | None:
        found = _MODEL.search(sys_descr)
        return found[0] if found else None

    def variants(self) -> tuple[Driver, ...]:
        return (CdataGponDriver(), CdataGponByPortDriver(), CdataEponDriver())

    def choose(self, transport: Transport, system: SystemInfo, *, remembered: str = "") -> Driver:
        """Ask for the first ONU of either kind, and how its optics are numbered."""
        if driver := next((driver for driver in self.variants() if driver.dialect == remembered), None):
            return driver
        if first_index(transport, f"{GPON}.1.1.3") is None and first_index(transport, f"{EPON}.1.1.7"):
            return CdataEponDriver()
        optics = arcs_of(first_index(transport, f"{GPON}.4.1.4") or "", 3)
        return CdataGponByPortDriver() if optics and optics[2] else CdataGponDriver()

    def place_onu(self, index: str) -> Place | None:
        """Decode a V3 number, where ports are 0/0/1 and on; of an old one keep the number."""
        arcs = arcs_of(index, 1)
        if arcs is None or arcs[0] >> 18 != _V3:
            return super().place_onu(index) if arcs and decode_old(arcs[0]) else None
        if (found := decode_v3(arcs[0])) is None:
            return None
        port = f"0/0/{found[0]}"
        return Place(index=f"{port}/{found[1]}", pon_port=port, number=found[1])

    def onu_row(self, index: str, serial: str) -> str | None:
        if "#" in index:
            return super().onu_row(index, serial)
        parts = arcs_of(index.replace("/", "."), 4) if "." not in index else None
        if parts is None or parts[:2] != (0, 0) or not 0 < parts[2] <= 64 or not 0 < parts[3] < 4096:
            return None
        return str(encode_v3(parts[2], parts[3]))

    def interface_of(self, row: str) -> str:
        arcs = arcs_of(row, 1)
        old = decode_old(arcs[0]) if arcs else None
        return str(old[0]) if old else row

    def place_named(self, row: str, name: str) -> Place | None:
        arcs = arcs_of(row, 1)
        old = decode_old(arcs[0]) if arcs else None
        port = self.place_port("0", name)
        return numbered(port.index, old[1], row) if old and port else None

    def interface_columns(self, passes: Collection[Pass]) -> list[Column]:
        return [
            Column(Table.ONU, "interface", f"{IF_TABLE}.2", Pass.INVENTORY, text, instance=self.interface_of)
        ]

    def _place_row(self, run: ColumnReader, raw: str) -> Place | None:
        place = self.place_onu(raw)
        return place if place and place.pon_port else super()._place_row(run, raw)


class CdataGponDriver(CdataDriver):
    """GPON; ONUs are authorised and removed by SET, no VLAN can be set and none restarted."""

    dialect: ClassVar[str] = "gpon"
    capabilities: ClassVar[frozenset[Capability]] = CdataDriver.capabilities | {
        Capability.WAITING,
        Capability.AUTHORIZE,
        Capability.UNAUTHORIZE,
    }
    preset_fields: ClassVar[frozenset[str]] = frozenset({"line_profile", "service_profile"})

    def _build_waiting(self, run: ColumnReader) -> Iterator[WaitingOnu]:
        """Tell the ports as those of authorised ONUs: the number is built alike (MIB; unverified)."""
        for raw, cells in run.cells[Table.WAITING].items():
            place = self.place_onu(raw)
            if place and place.pon_port:
                cells["pon_port"] = place.pon_port
            elif place:
                name = run.cells[Table.PORT].get(self.interface_of(raw), {}).get("name")
                named = self.place_named(raw, name) if isinstance(name, str) else None
                cells["pon_port"] = named and named.pon_port
        return super()._build_waiting(run)

    def plan_authorize(self, place: OnuPlace, preset: Preset) -> tuple[Step, ...]:
        """Create the row whole (MIB; unverified); profiles are named by their numbers."""
        profiles = (preset.line_profile, preset.service_profile)
        if not all(re.fullmatch("[0-9]{1,5}", profile) for profile in profiles):
            raise ValueError("a line and a service profile are needed, by their numbers")
        if preset.vlan is not None or preset.native_vlan_port is not None:
            raise ValueError("no VLAN can be set on this OLT from here: leave it out")
        serial = serial_octets(place.serial, example="XPON502CEBD2")
        row = _row(place)
        return (
            SnmpStep(
                f"Add the ONU as number {place.onu_id} of port {place.pon_port}",
                (
                    (f"{AUTHORISED}.2.{row}", serial),
                    (f"{AUTHORISED}.6.{row}", int(profiles[0])),
                    (f"{AUTHORISED}.7.{row}", int(profiles[1])),
                    (f"{AUTHORISED}.8.{row}", CREATE_AND_GO),
                ),
                undo=((f"{AUTHORISED}.8.{row}", DESTROY),),
                done_when={f"{AUTHORISED}.2.{row}": serial},
            ),
        )

    def plan_unauthorize(self, place: OnuPlace) -> tuple[Step, ...]:
        """Destroy the row (MIB; unverified)."""
        row = _row(place)
        return (
            SnmpStep(
                f"Delete ONU {place.onu_id} of port {place.pon_port}",
                ((f"{AUTHORISED}.8.{row}", DESTROY),),
                done_when={f"{AUTHORISED}.2.{row}": None},
            ),
        )


class CdataGponByPortDriver(CdataGponDriver):
    """The same where the optics' index ends with the port's interface."""

    dialect: ClassVar[str] = "gpon-port"
    columns: ClassVar[tuple[Column, ...]] = _gpon_columns(instance_by_port)


class CdataEponDriver(CdataDriver):
    """EPON; read only."""

    dialect: ClassVar[str] = "epon"
    columns: ClassVar[tuple[Column, ...]] = _EPON_COLUMNS


def _row(place: OnuPlace) -> int:
    """Number an ONU as its port's interface is: an old box's begins with 1 in eight bits."""
    port = place.port_number
    if port >> 24 == _OLD and not port & 0xFF and 0 < place.onu_id < 256:
        return port | place.onu_id
    number = place.pon_port.removeprefix("0/0/")
    if arcs_of(number, 1) is None or not 0 < int(number) <= 64 or not 0 < place.onu_id < 4096:
        raise ValueError(f"{place.pon_port[:40]!r} is no PON port here: 0/0/port, such as 0/0/1")
    return encode_v3(int(number), place.onu_id)
