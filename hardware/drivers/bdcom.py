"""BDCOM: the GPON tree 3320.10 of the GP series, the EPON tree 3320.101 of the P33xx and P36xx.

An ONU is a sub-interface: GPON0/2:1 is ONU 1 of port 0/2, and its number is any (recorded from a GP3600-16B, as are
the counts by port). The rest is what deployed tools read (switcher-core, ABillS); "unverified" where only they or
the MIB say so.
"""

import re
from collections.abc import Callable, Collection, Iterator
from typing import ClassVar

from hardware.drivers.base import Driver, Place
from hardware.drivers.cells import (
    counter,
    enumerated,
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
from hardware.drivers.findings import DownCause, OnuInfo, PonPortInfo, RunStatus, SystemInfo, WaitingOnu
from hardware.drivers.named import NamedDriver, numbered
from hardware.drivers.provisioning import Capability, OnuPlace, Preset, SnmpStep, Step
from hardware.snmp.transport import Transport, Value

BDCOM = "1.3.6.1.4.1.3320"
SYSTEMS = f"{BDCOM}.1"
GPON, EPON = f"{BDCOM}.10", f"{BDCOM}.101"
IF_TABLE, IF_X_TABLE = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"

# The serials that may come up, by port and ONU number: .3 serial, .5 RowStatus (MIB; deleting is deployed).
BINDINGS, CREATE_AND_GO, DESTROY = f"{GPON}.2.6.1", 4, 6
GPON_REBOOT, EPON_REBOOT = f"{GPON}.3.2.1.4", f"{EPON}.10.1.1.29"
# The number an ONU has on its port, by port and address; setting it to 0 removes the ONU (deployed).
EPON_BINDINGS = f"{EPON}.11.1.1.2"

_MODEL = re.compile(r"\b(?:GP|P3)[0-9]{3,4}[0-9A-Z-]{0,12}")
_ONU_NAME = re.compile(r"[GE]PON([0-9]{1,2}/[0-9]{1,2}):([0-9]{1,3})")
_SERIAL, _ADDRESS = re.compile("[A-Z0-9]{4}[0-9A-F]{8}"), re.compile("[0-9A-F]{12}")

# No reading: of an ONU that is off, or that has no such sensor.
_NONE = (0, 2**31, 2**31 - 1, -(2**31), -65535, 65535)
# Authenticated, registered, deregistered, auto-configured, lost, standby: only the fourth forwards.
_STATES = dict.fromkeys((0, 1, 2, 4, 5), RunStatus.OFFLINE) | {3: RunStatus.ONLINE}
_DOWN_CAUSES = {
    **dict.fromkeys((6, 7, 8, 16, 19), DownCause.LOS),  # PON LOS, LCDG, LOS, SFi, LOKi
    **dict.fromkeys((3, 14), DownCause.ADMIN),
    **dict.fromkeys((9, 10, 11, 13), DownCause.REGISTRATION),  # OMCI, password and ranging failures.
    1: DownCause.DYING_GASP,
    2: DownCause.ROGUE,  # Its laser is always on.
    12: DownCause.RESET,
}
_UNKNOWN_SERIAL = 1

_tenths = power(0.1, none=_NONE)
_degrees = scaled(1 / 256, low=-60, high=150, none=_NONE)


def decode_decimetres(value: Value) -> int | None:
    """Turn tenths of a metre into metres (switcher-core); 0 is none. Raises BadCellError."""
    tenths = whole(high=1_000_000, none=(-1, *_NONE))(value)
    return None if tenths is None else tenths // 10


def row_of_one_arc(index: str) -> str | None:
    """Take this column only where it is indexed by the ONU's interface, as the others are."""
    return index if arcs_of(index, 1) else None


def _port(field: str, oid: str, reads: Pass, decode: Callable[[Value], object]) -> Column:
    return Column(Table.PORT, field, oid, reads, decode)


def _onu(field: str, oid: str, reads: Pass, decode: Callable[[Value], object]) -> Column:
    return Column(Table.ONU, field, oid, reads, decode)


# Of every interface: what an ONU's own is called, and what went through it, is read here as well.
_INTERFACES = (
    _port("name", f"{IF_TABLE}.2", Pass.INVENTORY, text),
    _port("alias", f"{IF_X_TABLE}.18", Pass.INVENTORY, text),
    _port("is_up", f"{IF_TABLE}.8", Pass.STATUS, is_up),
    _port("up_bytes", f"{IF_X_TABLE}.6", Pass.STATUS, counter),
    _port("down_bytes", f"{IF_X_TABLE}.10", Pass.STATUS, counter),
)
_ONU_FIELDS = {
    "name": "interface",
    "alias": "description",
    "up_bytes": "up_bytes",
    "down_bytes": "down_bytes",
}
_GPON_COLUMNS = (
    *_INTERFACES,
    _port("active_count", f"{GPON}.2.1.1.4", Pass.STATUS, whole(high=4096)),
    _port("inactive_count", f"{GPON}.2.1.1.5", Pass.STATUS, whole(high=4096)),
    _port("temperature_c", f"{GPON}.2.2.1.2", Pass.OPTICS, _degrees),
    _port("tx_power_dbm", f"{GPON}.2.2.1.5", Pass.OPTICS, _tenths),
    _onu("serial", f"{GPON}.3.3.1.2", Pass.INVENTORY, written_serial),
    _onu("model", f"{GPON}.3.1.1.9", Pass.INVENTORY, text),
    _onu("run_status", f"{GPON}.3.3.1.4", Pass.STATUS, enumerated(_STATES, otherwise=RunStatus.UNKNOWN)),
    _onu("distance_m", f"{GPON}.3.1.1.33", Pass.STATUS, decode_decimetres),
    _onu(
        "last_down_cause",
        f"{GPON}.3.1.1.35",
        Pass.STATUS,
        enumerated(_DOWN_CAUSES, otherwise=DownCause.UNKNOWN, none=(0,)),
    ),
    _onu("rx_power_dbm", f"{GPON}.3.4.1.2", Pass.OPTICS, _tenths),
    _onu("tx_power_dbm", f"{GPON}.3.4.1.3", Pass.OPTICS, _tenths),
    # Its index is unverified.
    Column(Table.ONU, "olt_rx_power_dbm", f"{GPON}.2.3.1.3", Pass.OPTICS, _tenths, row=row_of_one_arc),
    Column(Table.WAITING, "serial", f"{GPON}.2.8.1.6", Pass.WAITING, written_serial),
    Column(Table.WAITING, "reason", f"{GPON}.2.8.1.5", Pass.WAITING, integer),
)
_EPON_COLUMNS = (
    *_INTERFACES,
    # A P3310C has these, other models may not (switcher-core).
    _port("tx_power_dbm", f"{EPON}.107.1.3", Pass.OPTICS, _tenths),
    _port("temperature_c", f"{EPON}.107.1.6", Pass.OPTICS, _degrees),
    _onu("serial", f"{EPON}.10.1.1.3", Pass.INVENTORY, mac_serial),
    _onu("model", f"{EPON}.10.1.1.2", Pass.INVENTORY, text),
    _onu("run_status", f"{EPON}.10.1.1.26", Pass.STATUS, enumerated(_STATES, otherwise=RunStatus.UNKNOWN)),
    _onu("distance_m", f"{EPON}.10.1.1.27", Pass.STATUS, whole(high=100_000, none=(-1, *_NONE))),
    _onu("temperature_c", f"{EPON}.10.5.1.2", Pass.OPTICS, _degrees),
    _onu("voltage_v", f"{EPON}.10.5.1.3", Pass.OPTICS, scaled(0.0001, low=0, high=50, none=_NONE)),
    _onu("rx_power_dbm", f"{EPON}.10.5.1.5", Pass.OPTICS, _tenths),
    _onu("tx_power_dbm", f"{EPON}.10.5.1.6", Pass.OPTICS, _tenths),
    Column(Table.ONU, "olt_rx_power_dbm", f"{EPON}.108.1.3", Pass.OPTICS, _tenths, row=row_of_one_arc),
)


class BdcomDriver(NamedDriver):
    """What both share; the one that is listed, and tells which of them a device needs."""

    vendor: ClassVar[str] = "bdcom"
    port_name: ClassVar[re.Pattern[str]] = re.compile(r"[GE]PON([0-9]{1,2}/[0-9]{1,2})")
    columns: ClassVar[tuple[Column, ...]] = _GPON_COLUMNS
    is_told_by_system: ClassVar[bool] = True
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.OPTICS, Capability.COUNTERS, Capability.REBOOT}
    )
    # Writes the ONU's interface to restart it, as deployed tools do.
    reboot: ClassVar[tuple[str, int]] = (GPON_REBOOT, 1)

    def matches(self, sys_object_id: str, sys_descr: str) -> bool:
        """Know an OLT by its model: BDCOM's switches and routers have sysObjectIDs alike."""
        return sys_object_id.startswith(f"{SYSTEMS}.") and bool(_MODEL.search(sys_descr))

    def model(self, sys_object_id: str, sys_descr: str) -> str | None:
        found = _MODEL.search(sys_descr)
        return found[0] if found else None

    def variants(self) -> tuple[Driver, ...]:
        return (BdcomGponDriver(), BdcomEponDriver())

    def choose(self, transport: Transport, system: SystemInfo, *, remembered: str = "") -> Driver:
        """Tell GPON by the model, which the description names."""
        model = self.model(system.sys_object_id, system.sys_descr) or ""
        return BdcomGponDriver() if model.startswith("GP") else BdcomEponDriver()

    def place_named(self, row: str, name: str) -> Place | None:
        found = _ONU_NAME.fullmatch(name)
        return numbered(found[1], int(found[2]), row) if found else None

    def interface_columns(self, passes: Collection[Pass]) -> list[Column]:
        return [
            _onu(_ONU_FIELDS[column.field], column.oid, column.reads, column.decode)
            for column in _INTERFACES
            if column.field in _ONU_FIELDS and (column.is_key or column.reads in passes)
        ]

    def _build_onus(self, run: ColumnReader) -> Iterator[OnuInfo]:
        """Add what was read of each ONU's interface."""
        for raw, cells in run.cells[Table.ONU].items():
            interface = run.cells[Table.PORT].get(raw, {})
            for source, field in _ONU_FIELDS.items():
                if source in interface:
                    cells.setdefault(field, interface[source])
        return super()._build_onus(run)

    def plan_reboot(self, place: OnuPlace) -> tuple[Step, ...]:
        row = self.onu_row(place.index, place.serial)
        if row is None:
            raise ValueError(f"ONU {place.serial[:40]} has not been read yet: discover the OLT first")
        oid, value = self.reboot
        name = f"Restart ONU {place.onu_id} of port {place.pon_port}"
        return (SnmpStep(name, ((f"{oid}.{row}", value),)),)


class BdcomGponDriver(BdcomDriver):
    """A GP3600 or other of the GP series."""

    dialect: ClassVar[str] = "gpon"
    capabilities: ClassVar[frozenset[Capability]] = BdcomDriver.capabilities | {
        Capability.WAITING,
        Capability.AUTHORIZE,
        Capability.UNAUTHORIZE,
    }

    def _build_ports(self, run: ColumnReader) -> Iterator[PonPortInfo]:
        """Add up the ONUs that are on and those that are off."""
        for cells in run.cells[Table.PORT].values():
            active, inactive = cells.get("active_count"), cells.get("inactive_count")
            if isinstance(active, int) and isinstance(inactive, int):
                cells["onu_count"] = active + inactive
        return super()._build_ports(run)

    def _build_waiting(self, run: ColumnReader) -> Iterator[WaitingOnu]:
        """Look the ports' names up; leave out ONUs that are known and kept off for another reason."""
        for raw, cells in run.cells[Table.WAITING].items():
            arcs = arcs_of(raw, 2)
            name = run.cells[Table.PORT].get(str(arcs[0]), {}).get("name") if arcs else None
            port = self.place_port("0", name) if isinstance(name, str) else None
            if port and cells.get("reason", _UNKNOWN_SERIAL) == _UNKNOWN_SERIAL:
                cells["pon_port"] = port.index
        return super()._build_waiting(run)

    def plan_authorize(self, place: OnuPlace, preset: Preset) -> tuple[Step, ...]:
        """Bind the serial to a number on its port (MIB; unverified)."""
        if preset.vlan is not None or preset.native_vlan_port is not None:
            raise ValueError("no VLAN can be set on this OLT from here: leave it out")
        if not _SERIAL.fullmatch(place.serial):
            raise ValueError(
                f"{place.serial[:40]!r} is no ONU serial: four letters and eight hexadecimal digits, such as "
                "HWTC12345678"
            )
        row = _binding(place)
        serial = f"{place.serial[:4]}:{place.serial[4:]}".encode()
        return (
            SnmpStep(
                f"Add the ONU as number {place.onu_id} of port {place.pon_port}",
                ((f"{BINDINGS}.3.{row}", serial), (f"{BINDINGS}.5.{row}", CREATE_AND_GO)),
                undo=((f"{BINDINGS}.5.{row}", DESTROY),),
                done_when={f"{BINDINGS}.3.{row}": serial},
            ),
        )

    def plan_unauthorize(self, place: OnuPlace) -> tuple[Step, ...]:
        """Take the binding away, as a deployed tool does."""
        row = _binding(place)
        return (
            SnmpStep(
                f"Delete ONU {place.onu_id} of port {place.pon_port}",
                ((f"{BINDINGS}.5.{row}", DESTROY),),
                done_when={f"{BINDINGS}.3.{row}": None},
            ),
        )


class BdcomEponDriver(BdcomDriver):
    """A P3310, P3608, P3612 or P3616."""

    dialect: ClassVar[str] = "epon"
    columns: ClassVar[tuple[Column, ...]] = _EPON_COLUMNS
    capabilities: ClassVar[frozenset[Capability]] = BdcomDriver.capabilities | {Capability.UNAUTHORIZE}
    onu_numbers: ClassVar[range] = range(1, 65)
    reboot: ClassVar[tuple[str, int]] = (EPON_REBOOT, 0)

    def plan_unauthorize(self, place: OnuPlace) -> tuple[Step, ...]:
        """Take the address off its port, as a deployed tool does."""
        if not _ADDRESS.fullmatch(place.serial):
            raise ValueError(f"{place.serial[:40]!r} is no MAC address: twelve hexadecimal digits")
        address = ".".join(map(str, bytes.fromhex(place.serial)))
        oid = f"{EPON_BINDINGS}.{place.port_number}.{address}"
        return (
            SnmpStep(
                f"Delete ONU {place.onu_id} of port {place.pon_port}", ((oid, 0),), done_when={oid: None}
            ),
        )


def _binding(place: OnuPlace) -> str:
    return f"{place.port_number}.{place.onu_id}"
