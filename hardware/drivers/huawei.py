"""Huawei SmartAX MA56xx/MA58xx, the GPON tree of HUAWEI-XPON-MIB.

OIDs and encodings come from that MIB unless a comment says otherwise; "recorded" means seen in a real
device's answers, "unverified" that it was not.
"""

from collections.abc import Callable
from typing import ClassVar

from hardware.drivers import huawei_plans as plans
from hardware.drivers.base import Driver, Place
from hardware.drivers.cards import CARD_COLUMNS
from hardware.drivers.cells import (
    celsius,
    counter,
    enumerated,
    gpon_serial,
    is_up,
    power,
    scaled,
    text,
    whole,
)
from hardware.drivers.columns import Column, Pass, Table
from hardware.drivers.findings import AdminState, DownCause, RunStatus
from hardware.drivers.provisioning import Capability, OnuPlace, Preset, Step
from hardware.snmp.transport import Value

HUAWEI = "1.3.6.1.4.1.2011"
XPON = f"{HUAWEI}.6.128.1.1"
ONT_CONFIG, ONT_CONTROL, ONT_OPTICS = f"{XPON}.2.43.1", f"{XPON}.2.46.1", f"{XPON}.2.51.1"
PORT_STATE, PORT_OPTICS = f"{XPON}.2.21.1", f"{XPON}.2.23.1"
ONT_COUNTERS, PORT_COUNTERS = f"{XPON}.4.23.1", f"{XPON}.4.21.1"
AUTOFIND = f"{XPON}.2.48.1"
IF_OPER_STATUS, IF_NAME = "1.3.6.1.2.1.2.2.1.8", "1.3.6.1.2.1.31.1.1.1.1"

# Stands in every optics column for an ONU that is off or cannot be read (recorded).
INVALID = 2147483647
# The OLT fetches these from each ONU over OMCI, which takes it seconds for a full port.
OPTICS_PATIENCE = 3.0

# The top seven bits of an ifIndex (recorded for GPON; EPON and XG-PON as NOC's MA5600T profile has them).
_PON_TYPES = {125: "GPON", 126: "EPON", 127: "XG-PON"}

# sysObjectID below `HUAWEI`, of the models other projects detect; the rest are matched by sysDescr.
_MODELS = {"2.115": "MA5680T", "2.123": "MA5603T", "2.248": "MA5608T"}
_SYSTEMS = ("2.80.8", "2.115", "2.123", "2.133", "2.248")
_DESCRIPTION = "Huawei Integrated Access Software"

# -1 is a failed query; RowStatus, in another column, is not the online state.
_RUN_STATES = {1: RunStatus.ONLINE, 2: RunStatus.OFFLINE}
_ADMIN_STATES = {1: AdminState.ACTIVE, 2: AdminState.INACTIVE}
_DOWN_CAUSES = {
    **dict.fromkeys((1, 2, 3, 4, 5, 6, 15), DownCause.LOS),  # LOS, LOSi, LOFi, SFi, LOAi, LOAMi, LOKi
    **dict.fromkeys((7, 8, 30), DownCause.ADMIN),  # Deactivated, and shut down by the operator.
    **dict.fromkeys((9, 31, 32, 33), DownCause.RESET),
    **dict.fromkeys((10, 11), DownCause.REGISTRATION),  # Registered anew, failed to come back.
    13: DownCause.DYING_GASP,
    37: DownCause.ROGUE,
}


def decode_if_index(if_index: int) -> str | None:
    """Return shelf/slot/port of a PON interface, None for any other: 0xFA002000 is 0/1/0 (recorded)."""
    if if_index >> 25 not in _PON_TYPES:
        return None
    return f"{if_index >> 19 & 0x3F}/{if_index >> 13 & 0x3F}/{if_index >> 8 & 0x1F}"


def encode_if_index(shelf: int, slot: int, port: int, *, pon_type: int = 125) -> int:
    """Return the ifIndex of a PON interface: 0/1/0 is 0xFA002000 (recorded)."""
    return pon_type << 25 | shelf << 19 | slot << 13 | port << 8


def _below(oid: str, root: str) -> bool:
    return oid == root or oid.startswith(f"{root}.")


def _optics(field: str, column: int, decode: Callable[[Value], float | None]) -> Column:
    return Column(Table.ONU, field, f"{ONT_OPTICS}.{column}", Pass.OPTICS, decode, OPTICS_PATIENCE)


_PORT_COLUMNS = (
    Column(Table.PORT, "name", IF_NAME, Pass.INVENTORY, text),
    Column(Table.PORT, "is_up", IF_OPER_STATUS, Pass.STATUS, is_up),
    Column(Table.PORT, "onu_count", f"{PORT_STATE}.16", Pass.STATUS, whole(high=4096)),
    # Not ifHCIn/OutOctets: older firmware leaves them at 0 (recorded on V800R018).
    Column(Table.PORT, "up_bytes", f"{PORT_COUNTERS}.15", Pass.STATUS, counter),
    Column(Table.PORT, "down_bytes", f"{PORT_COUNTERS}.30", Pass.STATUS, counter),
    Column(Table.PORT, "temperature_c", f"{PORT_OPTICS}.1", Pass.OPTICS, celsius(none=(INVALID,))),
    Column(Table.PORT, "tx_power_dbm", f"{PORT_OPTICS}.4", Pass.OPTICS, power(none=(INVALID,))),
)
_ONU_COLUMNS = (
    Column(Table.ONU, "serial", f"{ONT_CONFIG}.3", Pass.INVENTORY, gpon_serial),
    Column(Table.ONU, "line_profile", f"{ONT_CONFIG}.7", Pass.INVENTORY, text),
    Column(Table.ONU, "service_profile", f"{ONT_CONFIG}.8", Pass.INVENTORY, text),
    Column(Table.ONU, "description", f"{ONT_CONFIG}.9", Pass.INVENTORY, text),
    Column(Table.ONU, "admin_state", f"{ONT_CONTROL}.1", Pass.INVENTORY, enumerated(_ADMIN_STATES)),
    Column(
        Table.ONU,
        "run_status",
        f"{ONT_CONTROL}.15",
        Pass.STATUS,
        enumerated(_RUN_STATES, otherwise=RunStatus.UNKNOWN),
    ),
    Column(Table.ONU, "distance_m", f"{ONT_CONTROL}.20", Pass.STATUS, whole(high=100_000, none=(0, -1))),
    Column(
        Table.ONU,
        "last_down_cause",
        f"{ONT_CONTROL}.24",
        Pass.STATUS,
        enumerated(_DOWN_CAUSES, otherwise=DownCause.UNKNOWN, none=(-1,)),
    ),
    Column(Table.ONU, "up_bytes", f"{ONT_COUNTERS}.3", Pass.STATUS, counter),
    Column(Table.ONU, "down_bytes", f"{ONT_COUNTERS}.4", Pass.STATUS, counter),
    _optics("temperature_c", 1, celsius(none=(INVALID,))),
    # The MIB says mA; the CLI of the same kind of box shows about a third of it (unverified).
    _optics("bias_ma", 2, scaled(1, low=0, high=500, none=(INVALID,))),
    _optics("tx_power_dbm", 3, power(none=(INVALID,))),
    _optics("rx_power_dbm", 4, power(none=(INVALID,))),
    _optics("voltage_v", 5, scaled(0.001, low=0, high=50, none=(INVALID,))),
    # Shifted by 10000 so that it is never negative: 8064 is -19.36 dBm (recorded).
    _optics("olt_rx_power_dbm", 6, power(offset=10_000, none=(INVALID,))),
)
_WAITING_COLUMNS = (
    Column(Table.WAITING, "serial", f"{AUTOFIND}.2", Pass.WAITING, gpon_serial),
    Column(Table.WAITING, "software", f"{AUTOFIND}.6", Pass.WAITING, text),
    Column(Table.WAITING, "equipment_id", f"{AUTOFIND}.7", Pass.WAITING, text),
)


class HuaweiDriver(Driver):
    vendor: ClassVar[str] = "huawei"
    columns: ClassVar[tuple[Column, ...]] = _PORT_COLUMNS + _ONU_COLUMNS + _WAITING_COLUMNS + CARD_COLUMNS
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.OPTICS,
            Capability.COUNTERS,
            Capability.CARDS,
            Capability.WAITING,
            Capability.AUTHORIZE,
            Capability.UNAUTHORIZE,
            Capability.REBOOT,
        }
    )
    optics_by_onu: ClassVar[bool] = True
    onu_numbers: ClassVar[range] = range(128)
    preset_fields: ClassVar[frozenset[str]] = frozenset({"line_profile", "service_profile", "vlan"})
    cli_types: ClassVar[tuple[str, str] | None] = ("huawei_smartax", "huawei_olt_telnet")
    # netmiko types `undo smart` and a bare `scroll`; some firmware still pages, at 512 lines the most.
    cli_prepare: ClassVar[tuple[str, ...]] = ("scroll 512", "config")

    def matches(self, sys_object_id: str, sys_descr: str) -> bool:
        known = any(_below(sys_object_id, f"{HUAWEI}.{system}") for system in _SYSTEMS)
        return known or (_below(sys_object_id, HUAWEI) and _DESCRIPTION in sys_descr)

    def model(self, sys_object_id: str, sys_descr: str) -> str | None:
        return next(
            (name for system, name in _MODELS.items() if _below(sys_object_id, f"{HUAWEI}.{system}")), None
        )

    def place_port(self, index: str, name: str | None) -> Place | None:
        if not index.isdecimal() or (port := decode_if_index(int(index))) is None:
            return None
        return Place(index=port, number=int(index))

    def place_onu(self, index: str) -> Place | None:
        """Decode ifIndex.ontId: 4194312192.3 is ONU 0/1/0/3 (recorded)."""
        if_index, _, onu_id = index.partition(".")
        if not onu_id.isdecimal():
            return None
        port = self.place_port(if_index, None)
        return port and Place(index=f"{port.index}/{onu_id}", pon_port=port.index, number=int(onu_id))

    def onu_row(self, index: str, serial: str) -> str | None:
        parts = index.split("/")
        if len(parts) != 4 or not all(part.isdecimal() for part in parts):
            return None
        shelf, slot, port, onu_id = map(int, parts)
        return f"{encode_if_index(shelf, slot, port)}.{onu_id}"

    def place_waiting(self, index: str) -> str | None:
        """Decode ifIndex.n of the autofind table."""
        place = self.place_port(index.partition(".")[0], None)
        return place.index if place else None

    def without_cli(self) -> Driver:
        return HuaweiBySnmp()

    def plan_authorize(self, place: OnuPlace, preset: Preset) -> tuple[Step, ...]:
        return plans.cli_authorize(place, preset)

    def plan_unauthorize(self, place: OnuPlace) -> tuple[Step, ...]:
        return plans.cli_unauthorize(place)

    def plan_reboot(self, place: OnuPlace) -> tuple[Step, ...]:
        return plans.cli_reboot(place)

    def read_answer(self, command: str, answer: str) -> list[dict[str, str]] | None:
        return plans.read_answer(command, answer)


class HuaweiBySnmp(HuaweiDriver):
    """The same device without a command line: what HUAWEI-XPON-MIB says can be SET (unverified)."""

    preset_fields: ClassVar[frozenset[str]] = frozenset({"line_profile", "service_profile"})
    cli_types: ClassVar[tuple[str, str] | None] = None

    def plan_authorize(self, place: OnuPlace, preset: Preset) -> tuple[Step, ...]:
        return plans.snmp_authorize(place, preset, config=ONT_CONFIG, row=self._row(place))

    def plan_unauthorize(self, place: OnuPlace) -> tuple[Step, ...]:
        return plans.snmp_unauthorize(place, config=ONT_CONFIG, row=self._row(place))

    def plan_reboot(self, place: OnuPlace) -> tuple[Step, ...]:
        return plans.snmp_reboot(place, control=ONT_CONTROL, row=self._row(place))

    def _row(self, place: OnuPlace) -> str:
        row = self.onu_row(f"{place.pon_port}/{place.onu_id}", place.serial)
        if row is None:
            raise ValueError(f"{place.pon_port[:40]!r} is no PON port here: shelf/slot/port, such as 0/1/0")
        return row
