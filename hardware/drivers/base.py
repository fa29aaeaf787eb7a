"""What every OLT driver hands back, and the reading they all share: columns in, dataclasses out.

Drivers know devices and nothing else: no database, no clock, no settings.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import ClassVar

from hardware.drivers.cells import text
from hardware.drivers.columns import (
    ALL_PASSES,
    SYS_UPTIME,
    UNREADABLE,
    Column,
    ColumnFailure,
    ColumnReader,
    Pass,
    ProgressHook,
    Table,
)
from hardware.drivers.provisioning import Capability, NotSupportedByDevice, OnuPlace, Preset, Step
from hardware.snmp.transport import Transport, Value

# SNMPv2-MIB, the system group.
SYS_DESCR = "1.3.6.1.2.1.1.1.0"
SYS_OBJECT_ID = "1.3.6.1.2.1.1.2.0"
SYS_NAME = "1.3.6.1.2.1.1.5.0"


class DriverError(Exception):
    """The device answered, but not as the OLT this driver knows."""


class RunStatus(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


class DownCause(StrEnum):
    """Why an ONU went down last, the vendors' dozens of codes folded into what staff act on."""

    LOS = "los"
    DYING_GASP = "dying_gasp"
    ADMIN = "admin"
    RESET = "reset"
    REGISTRATION = "registration"
    ROGUE = "rogue"
    UNKNOWN = "unknown"


class AdminState(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"


# None here is no news: an ONU that is off still belongs to the port it was last on.
_NO_NEWS_WHEN_NONE = ("run_status", "pon_port")


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """SNMPv2-MIB's system group; `model` where the vendor's sysObjectID tells it."""

    sys_descr: str
    sys_object_id: str
    sys_name: str
    uptime_seconds: int | None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class PonPortInfo:
    """One PON port; `index` is shelf/slot/port, or the port number on a box without shelves.

    `read` names the fields the device answered for, where None means it has no value; any other field was not
    read and says nothing.
    """

    index: str
    if_index: int | None = None
    name: str | None = None
    is_up: bool | None = None
    onu_count: int | None = None
    tx_power_dbm: float | None = None
    temperature_c: float | None = None
    up_bytes: int | None = None
    down_bytes: int | None = None
    read: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OnuInfo:
    """One ONU; `index` is the PON port and the ONU id, or the serial where the device has no ids.

    Powers in dBm as measured at the ONU, `olt_rx_power_dbm` at the OLT for this ONU. `up_bytes` come from
    the subscriber, `down_bytes` go there. `read` names the fields the device answered for, where None means
    it has no value (an offline ONU has no power); any other field was not read and says nothing.
    """

    index: str
    pon_port: str | None = None
    onu_id: int | None = None
    serial: str | None = None
    description: str | None = None
    model: str | None = None
    vendor_id: str | None = None
    admin_state: AdminState | None = None
    line_profile: str | None = None
    service_profile: str | None = None
    run_status: RunStatus = RunStatus.UNKNOWN
    last_down_cause: DownCause | None = None
    rx_power_dbm: float | None = None
    tx_power_dbm: float | None = None
    olt_rx_power_dbm: float | None = None
    temperature_c: float | None = None
    voltage_v: float | None = None
    bias_ma: float | None = None
    distance_m: int | None = None
    up_bytes: int | None = None
    down_bytes: int | None = None
    read: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class WaitingOnu:
    """An ONU the OLT sees on a port and nobody has authorised."""

    pon_port: str
    serial: str
    equipment_id: str | None = None
    software: str | None = None
    vendor_id: str | None = None


@dataclass(frozen=True, slots=True)
class CardInfo:
    """A board in a slot, as ENTITY-MIB (RFC 6933) lists its modules."""

    index: str
    name: str | None = None
    model: str | None = None
    serial: str | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """What one discovery saw, in full or in part.

    `read_columns` are the columns read to their end, named `onu.serial`, `port.name` and so on. Only when
    `onus_complete` may an ONU that is not listed be taken for gone. `bad_cells` counts, by column, the values
    that made no sense; their fields count as not read.
    """

    system: SystemInfo
    ports: list[PonPortInfo] = field(default_factory=list)
    onus: list[OnuInfo] = field(default_factory=list)
    waiting: list[WaitingOnu] = field(default_factory=list)
    cards: list[CardInfo] = field(default_factory=list)
    dialect: str = ""
    read_columns: frozenset[str] = frozenset()
    failures: tuple[ColumnFailure, ...] = ()
    bad_cells: dict[str, int] = field(default_factory=dict)

    @property
    def onus_complete(self) -> bool:
        unknown = self.bad_cells.keys() & {"onu.serial", "onu.index"}
        return "onu.serial" in self.read_columns and not unknown

    @property
    def ports_complete(self) -> bool:
        return "port.name" in self.read_columns


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table row belongs: the index staff know, and what else the raw index tells."""

    index: str
    pon_port: str | None = None
    number: int | None = None  # ifIndex of a port, ONU id of an ONU.


class Driver(ABC):
    """One vendor's OLT. Stateless: one instance serves all threads."""

    vendor: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    # Which of a vendor's table trees this driver reads; empty where there is one.
    dialect: ClassVar[str] = ""
    # Whether the system group alone says that the device has this dialect.
    is_told_by_system: ClassVar[bool] = False
    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    # The device fetches optics from each ONU: ask for a few at a time, spread out, and never walk them unasked.
    optics_by_onu: ClassVar[bool] = False
    # Bits of its byte counters: where they wrap.
    counter_width: ClassVar[int] = 64
    # Which numbers an ONU may have on its port.
    onu_numbers: ClassVar[range] = range(1, 129)
    # Fields of a Preset that authorising here needs.
    preset_fields: ClassVar[frozenset[str]] = frozenset()
    # netmiko's names of this device over SSH and Telnet; empty where steps never type at a command line.
    cli_types: ClassVar[tuple[str, str] | None] = None
    # Typed after the log-in, so that every step begins where its commands are understood.
    cli_prepare: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def matches(self, sys_object_id: str, sys_descr: str) -> bool:
        """Tell whether the system group is this vendor's."""

    @abstractmethod
    def place_port(self, index: str, name: str | None) -> Place | None:
        """Tell a port by its row's raw index and name; None for a row that is no PON port."""

    @abstractmethod
    def place_onu(self, index: str) -> Place | None:
        """Decode an ONU row's raw index; None for one that cannot be."""

    def choose(self, transport: Transport, system: SystemInfo, *, remembered: str = "") -> "Driver":
        """Return the driver of the table tree this device answers; `remembered` is the dialect it had last.

        Asks the device only where the system group does not tell and nothing is remembered. Raises SnmpError.
        """
        return self

    def variants(self) -> "tuple[Driver, ...]":
        """Return every driver that `choose` may return."""
        return (self,)

    def onu_row(self, index: str, serial: str) -> str | None:
        """Return the raw index of an ONU's row in the key column: the reverse of `place_onu`."""
        return None

    def plan_authorize(self, place: OnuPlace, preset: Preset) -> tuple[Step, ...]:
        """Plan how the device is told to serve an ONU, in order. Raises NotSupportedByDevice, ValueError."""
        raise NotSupportedByDevice

    def plan_unauthorize(self, place: OnuPlace) -> tuple[Step, ...]:
        """Plan how an ONU is removed, what depends on it first. Raises NotSupportedByDevice."""
        raise NotSupportedByDevice

    def plan_reboot(self, place: OnuPlace) -> tuple[Step, ...]:
        """Plan an ONU's restart. Raises NotSupportedByDevice."""
        raise NotSupportedByDevice

    def without_cli(self) -> "Driver":
        """Return the driver that plans for a device with a write community and no command line."""
        return self

    def read_answer(self, command: str, answer: str) -> list[dict[str, str]] | None:
        """Return what a command line's answer to `command` lists, row by row; None when it is not understood.

        The names every driver uses: `pon_port`, `onu_id`, `serial`, `service_port`, `vlan`, `gem_port`.
        """
        return None

    def model(self, sys_object_id: str, sys_descr: str) -> str | None:
        """Name the model, where the system group tells it."""
        return None

    def read_system(self, transport: Transport) -> SystemInfo:
        """Read the system group. Raises SnmpError; DriverError when another vendor answers."""
        system = read_system(transport)
        if not self.matches(system.sys_object_id, system.sys_descr):
            raise DriverError(f"{system.sys_object_id} ({system.sys_descr[:60]}) is not a {self.vendor} OLT")
        return SystemInfo(
            sys_descr=system.sys_descr,
            sys_object_id=system.sys_object_id,
            sys_name=system.sys_name,
            uptime_seconds=system.uptime_seconds,
            model=self.model(system.sys_object_id, system.sys_descr),
        )

    def discover(
        self,
        transport: Transport,
        on_progress: ProgressHook | None = None,
        passes: Collection[Pass] = ALL_PASSES,
        *,
        dialect: str = "",
    ) -> Discovery:
        """Read the columns of `passes`, one after the other; a column that fails does not stop the rest.

        Serials and port names are read in every pass. When the device falls silent altogether, what was read
        so far is returned and the rest recorded as failed. `dialect` is the one remembered of this device.

        Raises SnmpError when not even the system group is answered, DriverError when another vendor answers,
        and whatever `on_progress` raises.
        """
        system = self.read_system(transport)
        return self.choose(transport, system, remembered=dialect).read_tables(
            transport, system, on_progress, passes
        )

    def read_tables(
        self,
        transport: Transport,
        system: SystemInfo,
        on_progress: ProgressHook | None,
        passes: Collection[Pass],
        *,
        tables: Collection[Table] = frozenset(Table),
    ) -> Discovery:
        """Read the columns of `passes` of the device that `system` described; see `discover`.

        `tables` narrows it further, to the PON ports for instance.
        """
        wanted = [
            column
            for column in self.columns
            if column.table in tables and (column.reads in passes or column.is_key)
        ]
        run = ColumnReader(transport, wanted, on_progress)
        run.read_all()
        onus = list(self._build_onus(run))
        # Read to the end, yet without news of every ONU: not to be taken for complete.
        partial = {f"onu.{name}" for name in _NO_NEWS_WHEN_NONE if any(name not in onu.read for onu in onus)}
        return Discovery(
            system=system,
            ports=list(self._build_ports(run)),
            onus=onus,
            waiting=list(self._build_waiting(run)),
            cards=list(self._build_cards(run)),
            # Tables without a row tell no tree from another: nothing to remember.
            dialect=self.dialect if onus or self.is_told_by_system else "",
            read_columns=frozenset(run.complete - partial),
            failures=tuple(run.failures),
            bad_cells=run.bad_cells,
        )

    def read_onu(
        self,
        transport: Transport,
        *,
        index: str,
        serial: str,
        passes: Collection[Pass] = (Pass.STATUS, Pass.OPTICS),
    ) -> OnuInfo | None:
        """Read one ONU by GET, some twenty variables a request; None when the device has no such row any more.

        Call it on the driver `choose` returned. Raises SnmpError.
        """
        row = self.onu_row(index, serial)
        if row is None:
            return None
        run = ColumnReader(transport, self._onu_columns(passes), None)
        run.read_row(Table.ONU, row)
        found = next(iter(self._build_onus(run)), None)
        return found if found is not None and found.serial == serial else None

    def read_optics(
        self, transport: Transport, onus: Iterable[tuple[str, str]], on_progress: ProgressHook | None = None
    ) -> list[OnuInfo]:
        """Read the optics of some ONUs, named by index and serial, by GET; those that moved are left out.

        Call it on the driver `choose` returned. Raises SnmpError, and whatever `on_progress` raises.
        """
        serials = {row: serial for index, serial in onus if (row := self.onu_row(index, serial)) is not None}
        run = ColumnReader(transport, self._onu_columns((Pass.OPTICS,)), on_progress)
        run.read_rows(Table.ONU, serials)
        wanted = set(serials.values())
        return [onu for onu in self._build_onus(run) if onu.serial in wanted]

    def _onu_columns(self, passes: Collection[Pass]) -> list[Column]:
        return [
            column
            for column in self.columns
            if column.table == Table.ONU and (column.is_key or column.reads in passes)
        ]

    def _build_ports(self, run: ColumnReader) -> Iterator[PonPortInfo]:
        complete = run.complete_fields(Table.PORT)
        for raw, cells in run.cells[Table.PORT].items():
            name = cells.get("name")
            if place := self.place_port(raw, name if isinstance(name, str) else None):
                known = _readable(dict.fromkeys(complete) | cells, _PORT_FIELDS)
                yield PonPortInfo(
                    index=place.index,
                    if_index=place.number,
                    read=run.shared(frozenset(known)),
                    **known,  # type: ignore[arg-type]  # A column decodes to what its field holds.
                )

    def _build_onus(self, run: ColumnReader) -> Iterator[OnuInfo]:
        complete = run.complete_fields(Table.ONU)
        for raw, cells in run.cells[Table.ONU].items():
            place = self._place_row(run, raw)
            if place is None:
                run.bad_cells["onu.index"] = run.bad_cells.get("onu.index", 0) + 1
                continue
            known = _readable(dict.fromkeys(complete) | cells, _ONU_FIELDS)
            for name in _NO_NEWS_WHEN_NONE:
                if known.get(name) is None:
                    known.pop(name, None)
            if isinstance(serial := known.get("serial"), str):
                known["vendor_id"] = serial[:4]
            if place.pon_port is not None:
                known["pon_port"] = place.pon_port
            yield OnuInfo(
                index=place.index,
                onu_id=place.number,
                read=run.shared(frozenset(known)),
                **known,  # type: ignore[arg-type]  # As above.
            )

    def _place_row(self, run: ColumnReader, raw: str) -> Place | None:
        """Tell where an ONU's row belongs; a driver whose index does not say asks what else was read."""
        return self.place_onu(raw)

    def place_waiting(self, index: str) -> str | None:
        """Return the PON port of a waiting ONU's row; None for a row that is none."""
        return None

    def _build_waiting(self, run: ColumnReader) -> Iterator[WaitingOnu]:
        for raw, cells in run.cells[Table.WAITING].items():
            known = _readable(cells, _WAITING_FIELDS)
            port = known.pop("pon_port", None) or self.place_waiting(raw)
            if isinstance(port, str) and isinstance(known.get("serial"), str):
                yield WaitingOnu(pon_port=port, **known)  # type: ignore[arg-type]  # As in `_build_ports`.

    def _build_cards(self, run: ColumnReader) -> Iterator[CardInfo]:
        for raw, cells in run.cells[Table.CARD].items():
            known = _readable(cells, _CARD_FIELDS)
            if cells.get("is_module", True):
                yield CardInfo(index=raw, **known)  # type: ignore[arg-type]  # As in `_build_ports`.


def _readable(cells: dict[str, object], wanted: frozenset[str]) -> dict[str, object]:
    """Leave out what made no sense, and cells that only help to make out others."""
    return {name: value for name, value in cells.items() if value is not UNREADABLE and name in wanted}


_PORT_FIELDS, _ONU_FIELDS, _WAITING_FIELDS, _CARD_FIELDS = (
    frozenset(field.name for field in fields(kind)) - {"index", "read"}
    for kind in (PonPortInfo, OnuInfo, WaitingOnu, CardInfo)
)


def read_system(transport: Transport) -> SystemInfo:
    """Read the system group of any device.

    Raises SnmpError; DriverError when the device has no sysObjectID.
    """
    answer = transport.get([SYS_DESCR, SYS_OBJECT_ID, SYS_UPTIME, SYS_NAME])
    object_id, ticks = answer[SYS_OBJECT_ID], answer[SYS_UPTIME]
    if not isinstance(object_id, str):
        raise DriverError("the device does not say what it is: no sysObjectID")
    return SystemInfo(
        sys_descr=_text_or_empty(answer[SYS_DESCR]),
        sys_object_id=object_id,
        sys_name=_text_or_empty(answer[SYS_NAME]),
        uptime_seconds=ticks // 100 if isinstance(ticks, int) and ticks >= 0 else None,
    )


def _text_or_empty(value: Value | None) -> str:
    return (text(value) or "") if isinstance(value, bytes) else ""
