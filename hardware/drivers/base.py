"""What every OLT driver hands back, and the reading they all share: columns in, dataclasses out.

Drivers know devices and nothing else: no database, no clock, no settings.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import ClassVar

from hardware.drivers.cells import text
from hardware.drivers.columns import (
    ALL_PASSES,
    SYS_UPTIME,
    UNREADABLE,
    Column,
    ColumnReader,
    Pass,
    ProgressHook,
    Table,
)
from hardware.drivers.findings import CardInfo, Discovery, OnuInfo, PonPortInfo, SystemInfo, WaitingOnu
from hardware.drivers.provisioning import Capability, NotSupportedByDevice, OnuPlace, Preset, Step
from hardware.snmp.errors import SnmpError, SnmpTimeout
from hardware.snmp.transport import Transport, Value

# SNMPv2-MIB, the system group.
SYS_DESCR = "1.3.6.1.2.1.1.1.0"
SYS_OBJECT_ID = "1.3.6.1.2.1.1.2.0"
SYS_NAME = "1.3.6.1.2.1.1.5.0"


class DriverError(Exception):
    """The device answered, but not as the OLT this driver knows."""


# None here is no news: an ONU that is off still belongs to the port it was last on.
_NO_NEWS_WHEN_NONE = ("run_status", "pon_port")


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

    def lists_onus(self, transport: Transport) -> bool:
        """Tell whether this tree's list of ONUs has a row. Raises SnmpTimeout."""
        serial = next(column for column in self.columns if column.table == Table.ONU and column.is_key)
        return first_index(transport, serial.oid) is not None

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


def first_index(transport: Transport, oid: str) -> str | None:
    """Return the index of a column's first row, None where there is none. Raises SnmpTimeout."""
    try:
        return next((index for index, _ in transport.walk(oid)), None)
    except SnmpTimeout:
        raise
    except SnmpError:
        return None


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
