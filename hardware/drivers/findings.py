"""What a driver hands back of a device: pure data, no database, no clock."""

from dataclasses import dataclass, field
from enum import StrEnum

from hardware.drivers.columns import ColumnFailure


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
