"""The three kinds of ZTE, and how to tell which one a device is."""

import re
from typing import ClassVar

from hardware.drivers.base import Driver, Place
from hardware.drivers.columns import Column, arcs_of
from hardware.drivers.findings import SystemInfo
from hardware.drivers.provisioning import Capability, OnuPlace, Preset, Step
from hardware.drivers.zte import cells, plans, tables
from hardware.snmp.errors import SnmpTimeout
from hardware.snmp.transport import Transport

# Firmware 1.2 has sysObjectIDs below the first, 2.1 and the C6xx below the second (the latter recorded).
_V1_SYSTEMS, _V2_SYSTEMS = f"{tables.ZTE}.1015.", f"{tables.ZTE}.1082.1001."
_MODEL = re.compile(r"\bC(300|320|350|6\d0)\b")
_MODEL_ARC = re.compile(rf"{re.escape(tables.ZTE)}\.(?:1015|1082\.1001)\.(300|320|350|6\d0)\.")
# gpon_1/2/1, gpon-olt_1/1/1 and gpon_olt-1/1/1 (recorded); other PON generations are named alike.
_PORT_NAME = re.compile(r"[a-z]*pon(?:-olt_|_olt-|_)(\d{1,3}/\d{1,3}/\d{1,3})")

_READS = frozenset({Capability.OPTICS, Capability.COUNTERS, Capability.CARDS, Capability.WAITING})
_PLANS = frozenset({Capability.AUTHORIZE, Capability.UNAUTHORIZE})


class ZteDriver(Driver):
    """What the three share; the one that is listed, and asks the device which of them it needs."""

    vendor: ClassVar[str] = "zte"
    columns: ClassVar[tuple[Column, ...]] = tables.C320_V2_COLUMNS
    capabilities: ClassVar[frozenset[Capability]] = _READS | _PLANS
    preset_fields: ClassVar[frozenset[str]] = frozenset({"onu_type", "tcont_profile", "vlan"})
    cli_types: ClassVar[tuple[str, str] | None] = ("zte_zxros", "zte_zxros_telnet")
    cli_prepare: ClassVar[tuple[str, ...]] = ("conf t",)
    naming: ClassVar[plans.Naming] = plans.C300
    numbering: ClassVar[cells.Numbering] = cells.BELOW_1082

    def matches(self, sys_object_id: str, sys_descr: str) -> bool:
        if sys_object_id.startswith((_V1_SYSTEMS, _V2_SYSTEMS)):
            return True
        return sys_object_id.startswith(f"{tables.ZTE}.") and bool(_MODEL.search(sys_descr))

    def model(self, sys_object_id: str, sys_descr: str) -> str | None:
        found = _MODEL.search(sys_descr) or _MODEL_ARC.match(sys_object_id)
        return f"C{found[1]}" if found else None

    def variants(self) -> tuple[Driver, ...]:
        return (ZteC300Driver(), ZteC320V2Driver(), ZteC600Driver())

    def choose(self, transport: Transport, system: SystemInfo, *, remembered: str = "") -> Driver:
        """Ask a C300 or C320 for the first serial of either tree: firmware does not tell reliably."""
        if (self.model(system.sys_object_id, system.sys_descr) or "").startswith("C6"):
            return ZteC600Driver()
        likely: list[Driver] = [ZteC300Driver(), ZteC320V2Driver()]
        if driver := next((driver for driver in likely if driver.dialect == remembered), None):
            return driver
        if system.sys_object_id.startswith(_V2_SYSTEMS):
            likely.reverse()
        silence: SnmpTimeout | None = None
        for driver in likely:
            try:
                if driver.lists_onus(transport):
                    return driver
            except SnmpTimeout as timeout:
                silence = timeout
        if silence:
            raise silence
        return likely[0]

    def place_port(self, index: str, name: str | None) -> Place | None:
        """Know a PON port by its name; the ifIndex tells nothing."""
        number = arcs_of(index, 1)
        found = _PORT_NAME.fullmatch(name or "")
        return Place(index=found[1], number=number[0]) if found and number else None

    def place_onu(self, index: str) -> Place | None:
        return self.numbering.place_onu(index)

    def onu_row(self, index: str, serial: str) -> str | None:
        return self.numbering.onu_row(index)

    def place_waiting(self, index: str) -> str | None:
        """Decode port.n of the table of ONUs nobody has authorised."""
        arcs = arcs_of(index, 2)
        return self.numbering.decode(arcs[0]) if arcs else None

    def plan_authorize(self, place: OnuPlace, preset: Preset) -> tuple[Step, ...]:
        return plans.authorize(self.naming, place, preset)

    def plan_unauthorize(self, place: OnuPlace) -> tuple[Step, ...]:
        return plans.unauthorize(self.naming, place)

    def read_answer(self, command: str, answer: str) -> list[dict[str, str]] | None:
        return plans.read_answer(command, answer)

    def _row(self, place: OnuPlace) -> str:
        row = self.onu_row(f"{place.pon_port}/{place.onu_id}", place.serial)
        if row is None:
            raise ValueError(f"{place.pon_port[:40]!r} is no PON port here: shelf/slot/port, such as 1/2/1")
        return row


class ZteC300Driver(ZteDriver):
    """A C300 or C320 that answers the tables below 1012."""

    dialect: ClassVar[str] = "1012"
    columns: ClassVar[tuple[Column, ...]] = tables.C300_COLUMNS
    numbering: ClassVar[cells.Numbering] = cells.BELOW_1012

    def without_cli(self) -> Driver:
        return ZteC300BySnmp()


class ZteC300BySnmp(ZteC300Driver):
    """The same without a command line: ONUs come and go by RowStatus, but no VLAN can be set."""

    preset_fields: ClassVar[frozenset[str]] = frozenset({"onu_type"})
    cli_types: ClassVar[tuple[str, str] | None] = None
    cli_prepare: ClassVar[tuple[str, ...]] = ()

    def plan_authorize(self, place: OnuPlace, preset: Preset) -> tuple[Step, ...]:
        return plans.snmp_authorize(place, preset, config=tables.V1_CONFIG, row=self._row(place))

    def plan_unauthorize(self, place: OnuPlace) -> tuple[Step, ...]:
        return plans.snmp_unauthorize(place, config=tables.V1_CONFIG, row=self._row(place))


class ZteC320V2Driver(ZteDriver):
    """A C300 or C320 that answers the tables below 1082."""

    dialect: ClassVar[str] = "1082"
    capabilities: ClassVar[frozenset[Capability]] = _READS | _PLANS | {Capability.REBOOT}

    def plan_reboot(self, place: OnuPlace) -> tuple[Step, ...]:
        return plans.snmp_reboot(place, reboot=tables.V2_REBOOT, row=self._row(place))


class ZteC600Driver(ZteC320V2Driver):
    """A C600, C610, C620 or C650: the tables below 1082 and other names at the command line."""

    dialect: ClassVar[str] = "c600"
    is_told_by_system: ClassVar[bool] = True
    columns: ClassVar[tuple[Column, ...]] = tables.C600_COLUMNS
    naming: ClassVar[plans.Naming] = plans.C600
