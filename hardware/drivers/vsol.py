"""VSOL V1600: the GPON tree .6.1.1 of the V1600G, the EPON tree .5.12 of every other V1600.

Both are indexed by PON and ONU number. Optics of the EPON tree, port optics, names and interfaces are as recorded
from a V1600D2; the rest is what deployed tools read (switcher-core, ABillS) and unverified where a comment says so.
"""

import re
from collections.abc import Callable, Iterator
from typing import ClassVar

from hardware.drivers.base import Driver, Place
from hardware.drivers.cells import (
    counter,
    enumerated,
    integer,
    is_up,
    mac_serial,
    quantity,
    text,
    whole,
    written_serial,
)
from hardware.drivers.columns import Column, ColumnReader, Pass, Table, arcs_of
from hardware.drivers.findings import DownCause, PonPortInfo, RunStatus, SystemInfo
from hardware.drivers.provisioning import Capability, OnuPlace, SnmpStep, Step
from hardware.snmp.transport import Transport, Value

VSOL = "1.3.6.1.4.1.37950"
V1600 = f"{VSOL}.1.1"
GPON, EPON = f"{V1600}.6.1.1", f"{V1600}.5.12"
PORT_OPTICS = f"{V1600}.5.10.13.1.1"
# The same as some firmware has it (switcher-core; unverified).
OTHER_PORT_OPTICS = f"{V1600}.5.10.13.7.1"
IF_OPER_STATUS, IF_X_TABLE = "1.3.6.1.2.1.2.2.1.8", "1.3.6.1.2.1.31.1.1.1"

# What is to be done to which ONU: shared by all who write, so everything goes in one PDU (switcher-core).
ACTION_PON, ACTION_ONU, ACTION = f"{GPON}.5.1.0", f"{GPON}.5.2.0", f"{GPON}.5.3.0"
REBOOT, DELETE = 1, 2

# All models share one sysObjectID (recorded): the description tells GPON from EPON.
_MODEL = re.compile(r"\bV16[0-9]{2}[0-9A-Z-]{0,20}")
_IS_GPON = re.compile(r"\bV16[0-9]{2}X?G")
# EPON0/1 (recorded); a GPON box calls its ONUs GPON01ONU1.
_PORT_NAME = re.compile(r"[EG]PON0?/?([0-9]{1,2})")
_LARGEST_PON, _LARGEST_ONU = 64, 255

_WORKING = 3
# Logging, LOS, syncMib, working, dying gasp, authFailed, offline, deactivated, configFailed (V1600G's MIB).
_PHASES = dict.fromkeys(range(9), RunStatus.OFFLINE) | {_WORKING: RunStatus.ONLINE}
_PHASE_CAUSES = {
    1: DownCause.LOS,
    4: DownCause.DYING_GASP,
    5: DownCause.REGISTRATION,
    7: DownCause.ADMIN,
}
_EPON_STATES = {0: RunStatus.OFFLINE, 1: RunStatus.ONLINE}
_EPON_CAUSES = {0: DownCause.LOS, 1: DownCause.DYING_GASP}
# No light: exactly 0 or the lowest a module can say.
_DARK = (0.0, -40.0)

_power = quantity(low=-60, high=20, none=_DARK)
_celsius, _volts, _milliamperes = (
    quantity(low=-60, high=150),
    quantity(low=0, high=50),
    quantity(low=0, high=500),
)
_metres = whole(high=100_000, none=(0, -1))
_written_metres = quantity(low=0, high=100_000, none=(0.0, -1.0))


def decode_distance(value: Value) -> int | None:
    """Decode metres, as a number or written out. Raises BadCellError."""
    if isinstance(value, bytes):
        written = _written_metres(value)
        return None if written is None else int(written)
    return _metres(value)


def decode_pon(value: Value) -> str:
    """Name a PON port by its number. Raises BadCellError."""
    return f"0/{integer(whole(high=_LARGEST_PON)(value) or 0)}"


def row_of_pon(index: str) -> str | None:
    """Set a port's optics apart from the interfaces, whose numbers are others; see `_build_ports`."""
    return f"pon.{index}" if arcs_of(index, 1) else None


def instance_of_pon(row: str) -> str | None:
    return row.removeprefix("pon.") if row.startswith("pon.") and arcs_of(row[4:], 1) else None


def _port(field: str, oid: str, reads: Pass, decode: Callable[[Value], object]) -> Column:
    return Column(Table.PORT, field, oid, reads, decode, row=row_of_pon, instance=instance_of_pon)


def _onu(field: str, oid: str, reads: Pass, decode: Callable[[Value], object]) -> Column:
    return Column(Table.ONU, field, oid, reads, decode)


def _optics(table: str) -> tuple[Column, ...]:
    return (
        _onu("temperature_c", f"{table}.3", Pass.OPTICS, _celsius),
        _onu("voltage_v", f"{table}.4", Pass.OPTICS, _volts),
        _onu("bias_ma", f"{table}.5", Pass.OPTICS, _milliamperes),
        _onu("tx_power_dbm", f"{table}.6", Pass.OPTICS, _power),
        _onu("rx_power_dbm", f"{table}.7", Pass.OPTICS, _power),
    )


_PORT_COLUMNS = (
    Column(Table.PORT, "name", f"{IF_X_TABLE}.1", Pass.INVENTORY, text),
    Column(Table.PORT, "is_up", IF_OPER_STATUS, Pass.STATUS, is_up),
    Column(Table.PORT, "up_bytes", f"{IF_X_TABLE}.6", Pass.STATUS, counter),
    Column(Table.PORT, "down_bytes", f"{IF_X_TABLE}.10", Pass.STATUS, counter),
    _port("temperature_c", f"{PORT_OPTICS}.2", Pass.OPTICS, _celsius),
    _port("tx_power_dbm", f"{PORT_OPTICS}.5", Pass.OPTICS, _power),
    _port("other_tx_power_dbm", f"{OTHER_PORT_OPTICS}.5", Pass.OPTICS, _power),
)
_GPON_COLUMNS = (
    *_PORT_COLUMNS,
    _port("onu_count", f"{GPON}.18.1.2", Pass.STATUS, whole(high=4096)),
    _onu("serial", f"{GPON}.2.1.5", Pass.INVENTORY, written_serial),
    _onu("model", f"{GPON}.4.1.14", Pass.INVENTORY, text),
    _onu("description", f"{GPON}.4.1.24", Pass.INVENTORY, text),
    _onu("run_status", f"{GPON}.1.1.5", Pass.STATUS, enumerated(_PHASES, otherwise=RunStatus.UNKNOWN)),
    # The same cell again: it tells why, as long as the ONU is down.
    _onu(
        "last_down_cause",
        f"{GPON}.1.1.5",
        Pass.STATUS,
        enumerated(_PHASE_CAUSES, otherwise=DownCause.UNKNOWN, none=(_WORKING,)),
    ),
    _onu("distance_m", f"{GPON}.12.1.3", Pass.STATUS, decode_distance),
    # Plain decimals (recorded). There are V1600Gs without these columns (LibreNMS #19850).
    *_optics(f"{GPON}.3.1"),
)


def _epon_columns(table: str) -> tuple[Column, ...]:
    return (
        *_PORT_COLUMNS,
        _onu("serial", f"{table}.5", Pass.INVENTORY, mac_serial),
        _onu("description", f"{table}.9", Pass.INVENTORY, text),
        _onu("run_status", f"{table}.4", Pass.STATUS, enumerated(_EPON_STATES, otherwise=RunStatus.UNKNOWN)),
        # ABillS reads them as the ONU's bytes in and out; unverified.
        _onu("up_bytes", f"{EPON}.1.20.1.3", Pass.STATUS, counter),
        _onu("down_bytes", f"{EPON}.1.20.1.10", Pass.STATUS, counter),
        *_optics(f"{EPON}.2.1.8.1"),
        Column(Table.WAITING, "serial", f"{EPON}.1.13.1.3", Pass.WAITING, mac_serial),
        Column(Table.WAITING, "pon_port", f"{EPON}.1.13.1.2", Pass.WAITING, decode_pon),
    )


# The list of ONUs as switcher-core reads it, and as ABillS does; a V1600D2 has names in the second (recorded).
_LIST, _OTHER_LIST = f"{EPON}.1.29.1", f"{EPON}.1.25.1"
_OTHER_EPON_COLUMNS = _epon_columns(_OTHER_LIST)
_EPON_COLUMNS = (
    *_epon_columns(_LIST),
    _onu("model", f"{_LIST}.6", Pass.INVENTORY, text),
    _onu(
        "last_down_cause",
        f"{_LIST}.15",
        Pass.STATUS,
        enumerated(_EPON_CAUSES, otherwise=DownCause.UNKNOWN, none=(-1,)),
    ),
    _onu("distance_m", f"{_LIST}.17", Pass.STATUS, decode_distance),
)


class VsolDriver(Driver):
    """What the trees share; the one that is listed, and tells which of them a device needs."""

    vendor: ClassVar[str] = "vsol"
    columns: ClassVar[tuple[Column, ...]] = _GPON_COLUMNS
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.OPTICS, Capability.COUNTERS})

    def matches(self, sys_object_id: str, sys_descr: str) -> bool:
        return sys_object_id == VSOL or sys_object_id.startswith(f"{VSOL}.")

    def model(self, sys_object_id: str, sys_descr: str) -> str | None:
        found = _MODEL.search(sys_descr)
        return found[0] if found else None

    def variants(self) -> tuple[Driver, ...]:
        return (VsolGponDriver(), VsolEponDriver(), VsolOtherEponDriver())

    def choose(self, transport: Transport, system: SystemInfo, *, remembered: str = "") -> Driver:
        """Tell GPON by the description; ask an EPON box which of two lists of ONUs it fills."""
        if _IS_GPON.search(system.sys_descr):
            return VsolGponDriver()
        epon: tuple[Driver, ...] = (VsolEponDriver(), VsolOtherEponDriver())
        if driver := next((driver for driver in epon if driver.dialect == remembered), None):
            return driver
        return next((driver for driver in epon if driver.lists_onus(transport)), epon[0])

    def place_port(self, index: str, name: str | None) -> Place | None:
        """Know a PON port by its interface's name."""
        number, found = arcs_of(index, 1), _PORT_NAME.fullmatch(name or "")
        return Place(index=f"0/{int(found[1])}", number=number[0]) if number and found else None

    def place_onu(self, index: str) -> Place | None:
        """Decode PON and ONU: 1.16 is ONU 16 of port 0/1."""
        arcs = arcs_of(index, 2)
        if arcs is None or not 0 < arcs[0] <= _LARGEST_PON or not 0 < arcs[1] <= _LARGEST_ONU:
            return None
        return Place(index=f"0/{arcs[0]}/{arcs[1]}", pon_port=f"0/{arcs[0]}", number=arcs[1])

    def onu_row(self, index: str, serial: str) -> str | None:
        parts = arcs_of(index.replace("/", "."), 3) if "." not in index else None
        return f"{parts[1]}.{parts[2]}" if parts and parts[0] == 0 else None

    def _build_ports(self, run: ColumnReader) -> Iterator[PonPortInfo]:
        """Join what is known of an interface and of a PON's number by the interface's name."""
        rows = run.cells[Table.PORT]
        for raw, cells in list(rows.items()):
            name = cells.get("name")
            if place := self.place_port(raw, name if isinstance(name, str) else None):
                cells |= rows.pop(f"pon.{place.index.removeprefix('0/')}", {})
                if "other_tx_power_dbm" in cells:
                    cells.setdefault("tx_power_dbm", cells["other_tx_power_dbm"])
        return super()._build_ports(run)


class VsolGponDriver(VsolDriver):
    """A V1600G: ONUs are restarted and removed by SET; no way to authorise one by SET is known."""

    dialect: ClassVar[str] = "gpon"
    is_told_by_system: ClassVar[bool] = True
    capabilities: ClassVar[frozenset[Capability]] = VsolDriver.capabilities | {
        Capability.UNAUTHORIZE,
        Capability.REBOOT,
    }

    def plan_unauthorize(self, place: OnuPlace) -> tuple[Step, ...]:
        row, pairs = self._action(place, DELETE)
        return (
            SnmpStep(
                f"Delete ONU {place.onu_id} of port {place.pon_port}",
                pairs,
                done_when={f"{GPON}.2.1.5.{row}": None},
            ),
        )

    def plan_reboot(self, place: OnuPlace) -> tuple[Step, ...]:
        _, pairs = self._action(place, REBOOT)
        return (SnmpStep(f"Restart ONU {place.onu_id} of port {place.pon_port}", pairs),)

    def _action(self, place: OnuPlace, action: int) -> tuple[str, tuple[tuple[str, Value], ...]]:
        row = self.onu_row(f"{place.pon_port}/{place.onu_id}", place.serial)
        placed = self.place_onu(row) if row else None
        if row is None or placed is None:
            raise ValueError(f"{place.pon_port[:40]!r} is no PON port here: 0/port, such as 0/1")
        pon = int(row.partition(".")[0])
        return row, ((ACTION_PON, pon), (ACTION_ONU, place.onu_id), (ACTION, action))


class VsolEponDriver(VsolDriver):
    """Any other V1600; read only, since how deployed tools write its lists is not documented well enough."""

    dialect: ClassVar[str] = "epon"
    columns: ClassVar[tuple[Column, ...]] = _EPON_COLUMNS
    capabilities: ClassVar[frozenset[Capability]] = VsolDriver.capabilities | {Capability.WAITING}


class VsolOtherEponDriver(VsolEponDriver):
    """The same where the firmware fills the other list."""

    dialect: ClassVar[str] = "epon-25"
    columns: ClassVar[tuple[Column, ...]] = _OTHER_EPON_COLUMNS
