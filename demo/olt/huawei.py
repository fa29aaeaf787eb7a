"""A simulated Huawei SmartAX with GPON cards of 16 ports (HUAWEI-XPON-MIB, the GPON tree)."""

from dataclasses import dataclass
from datetime import datetime

from demo.olt import ber
from demo.olt.agent import (
    INCONSISTENT,
    NO_CREATION,
    NOT_WRITABLE,
    WRONG_LENGTH,
    WRONG_TYPE,
    WRONG_VALUE,
    Writes,
)
from demo.olt.device import SimulatedDevice, date_and_time
from demo.olt.onu import SimulatedOnu

XPON = "1.3.6.1.4.1.2011.6.128.1.1"
CONFIG, CONTROL, OPTICS, COUNTERS = f"{XPON}.2.43.1", f"{XPON}.2.46.1", f"{XPON}.2.51.1", f"{XPON}.4.23.1"
AUTOFIND = f"{XPON}.2.48.1"
INVALID = 2147483647
CREATE_AND_GO, DESTROY = 4, 6
PORTS_PER_CARD = 16
_LAST_UP = date_and_time(datetime(2026, 3, 1, 6, 30))  # noqa: DTZ001  The OLT's own local time.
_LAST_DOWN = date_and_time(datetime(2026, 3, 1, 6, 2))  # noqa: DTZ001


def if_index(port: int) -> int:
    """Return the ifIndex of a GPON port counted from 0 over the cards: type 125, shelf 0, slot 1 and up."""
    slot, number = divmod(port, PORTS_PER_CARD)
    return 125 << 25 | slot + 1 << 13 | number << 8


@dataclass(frozen=True, slots=True)
class WaitingUnit:
    """An ONU that is plugged in and that nobody has added; `row` is its place in the autofind table."""

    port: int
    serial: bytes
    row: int
    equipment_id: str = "EG8145V5"
    software: str = "V5R020C10S115"


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A VLAN of the network joined to a GEM port of an ONU."""

    index: int
    vlan: int
    port: int
    onu_id: int
    gem_port: int
    user_vlan: int


class HuaweiOlt(SimulatedDevice):
    """An MA5608T; ONUs can be described, created, deleted, (de)activated and rebooted by SET."""

    # Number to name, of what `ont add` may be told.
    line_profiles = {0: "line-profile_default_0", 10: "FTTH_100M", 20: "FTTH_300M"}
    service_profiles = {0: "srv-profile_default_0", 10: "bridge", 20: "router"}

    def __init__(self, *, onus: int, pon_ports: int, seed: int, name: str = "") -> None:
        self.waiting: dict[bytes, WaitingUnit] = {}
        self.service_ports: dict[int, ServicePort] = {}
        super().__init__(onus=onus, pon_ports=pon_ports, seed=seed, name=name)

    def plug_in(self, port: int, serial: bytes | None = None) -> WaitingUnit:
        """Let an unknown ONU appear on a port, in the autofind table and nowhere else."""
        serial = serial or self.serial_vendor + self._chance.randbytes(4)
        row = 1 + max((unit.row for unit in self.waiting.values() if unit.port == port), default=-1)
        unit = self.waiting[serial] = WaitingUnit(port, serial, row)
        index = f"{if_index(port)}.{row}"
        self.mib.put_octets(f"{AUTOFIND}.2.{index}", serial)
        self.mib.put_octets(f"{AUTOFIND}.6.{index}", unit.software.encode())
        self.mib.put_octets(f"{AUTOFIND}.7.{index}", unit.equipment_id.encode())
        return unit

    def unplug(self, serial: bytes) -> None:
        """Take an unknown ONU out of the autofind table; one that is not there is no matter."""
        if unit := self.waiting.pop(serial, None):
            for column in (2, 6, 7):
                self.mib.remove(f"{AUTOFIND}.{column}.{if_index(unit.port)}.{unit.row}")

    def join(self, *, port: int, onu_id: int, vlan: int, gem_port: int, user_vlan: int) -> ServicePort:
        """Give an ONU a service port under the first free number."""
        index = next(
            number for number in range(len(self.service_ports) + 1) if number not in self.service_ports
        )
        self.service_ports[index] = ServicePort(index, vlan, port, onu_id, gem_port, user_vlan)
        return self.service_ports[index]

    def service_ports_of(self, port: int, onu_id: int) -> list[ServicePort]:
        return [each for each in self.service_ports.values() if (each.port, each.onu_id) == (port, onu_id)]

    sys_descr = "Huawei Integrated Access Software"
    sys_object_id = "1.3.6.1.4.1.2011.2.248"
    serial_vendor = b"HWTC"

    def _put_port(self, port: int) -> None:
        index = if_index(port)
        onus = [onu for onu in self.onus.values() if onu.port == port]
        up = any(onu.online for onu in onus)
        received = sum(onu.up_bytes for onu in onus)
        self._put_interface(
            index,
            name=f"GPON 0/{port // PORTS_PER_CARD + 1}/{port % PORTS_PER_CARD}",
            descr="Huawei-MA5600-V800R018-GPON_UNI",
            kind=250,
            up=up,
            octets=received,
        )
        self.mib.put_integer(f"{XPON}.2.21.1.16.{index}", len(onus))
        for column, value in ((1, 34), (2, 322), (3, 32), (4, 711 - port), (5, INVALID)):
            self.mib.put_integer(f"{XPON}.2.23.1.{column}.{index}", value)
        self.mib.put_integer(f"{XPON}.4.21.1.15.{index}", received, ber.COUNTER64)
        self.mib.put_integer(f"{XPON}.4.21.1.30.{index}", received * 9, ber.COUNTER64)

    def _put_onu(self, onu: SimulatedOnu) -> None:
        self.unplug(onu.serial)
        index = f"{if_index(onu.port)}.{onu.onu_id}"
        put, text = self.mib.put_integer, self.mib.put_octets
        put(f"{CONFIG}.2.{index}", 1)
        text(f"{CONFIG}.3.{index}", onu.serial)
        text(f"{CONFIG}.7.{index}", onu.line_profile.encode())
        text(f"{CONFIG}.8.{index}", onu.service_profile.encode())
        text(f"{CONFIG}.9.{index}", onu.description.encode())
        put(f"{CONFIG}.10.{index}", 1)
        put(f"{CONTROL}.1.{index}", 1 if onu.active else 2)
        put(f"{CONTROL}.15.{index}", 1 if onu.online else 2)
        put(f"{CONTROL}.16.{index}", 2)
        put(f"{CONTROL}.18.{index}", 2)
        put(f"{CONTROL}.20.{index}", onu.distance_m if onu.online else -1)
        text(f"{CONTROL}.22.{index}", _LAST_UP)
        text(f"{CONTROL}.23.{index}", _LAST_DOWN)
        put(f"{CONTROL}.24.{index}", onu.down_cause)
        for column, value in (
            (1, onu.temperature_c),
            (2, onu.bias_ma),
            (3, round(onu.tx_dbm * 100)),
            (4, round(onu.rx_dbm * 100)),
            (5, onu.millivolts),
            (6, round(onu.olt_rx_dbm * 100) + 10_000),
        ):
            put(f"{OPTICS}.{column}.{index}", value if onu.online else INVALID)
        put(f"{COUNTERS}.3.{index}", onu.up_bytes, ber.COUNTER64)
        put(f"{COUNTERS}.4.{index}", onu.down_bytes, ber.COUNTER64)

    def _remove_onu(self, onu: SimulatedOnu) -> None:
        index = f"{if_index(onu.port)}.{onu.onu_id}"
        columns = {
            CONFIG: (2, 3, 7, 8, 9, 10),
            CONTROL: (1, 15, 16, 18, 20, 22, 23, 24),
            OPTICS: range(1, 7),
            COUNTERS: (3, 4),
        }
        for table, numbers in columns.items():
            for number in numbers:
                self.mib.remove(f"{table}.{number}.{index}")

    def write(self, pairs: Writes) -> tuple[int, int]:
        cells = [(_cell(oid), value) for oid, value in pairs]
        writes = [(cell, value) for cell, value in cells if cell]
        creating = {cell[1:] for cell, value in writes if _creates(cell, value)}
        serials = {cell[1:] for cell, _ in writes if cell[0] == f"{CONFIG}.3"}
        for position, (cell, value) in enumerate(cells, start=1):
            if cell is None:
                return NOT_WRITABLE, position
            if status := self._refusal(cell, value, creating):
                return status, position
            if _creates(cell, value) and cell[1:] not in serials:
                return INCONSISTENT, position
        for port, onu_id in creating:
            self.add_onu(port, onu_id=onu_id)
        for cell, value in writes:
            self._apply(cell, value)
        return 0, 0

    def _refusal(self, cell: tuple[str, int, int], value: int | bytes, creating: set[tuple[int, int]]) -> int:
        """Return the error-status this write deserves, 0 for none."""
        column, *key = cell
        if column not in _WRITABLE:
            return NOT_WRITABLE
        kind, allowed = _WRITABLE[column]
        if not isinstance(value, kind):
            return WRONG_TYPE
        if isinstance(value, bytes):
            if len(value) not in allowed:
                return WRONG_LENGTH
        elif value not in allowed:
            return WRONG_VALUE
        exists = (key[0], key[1]) in self.onus
        if column == f"{CONFIG}.10" and value == DESTROY and self.service_ports_of(*key):
            return INCONSISTENT
        if _creates(cell, value):
            taken = exists or not 0 <= key[0] < self.ports or not 0 <= key[1] < 128
            return INCONSISTENT if taken else 0
        return 0 if exists or tuple(key) in creating else NO_CREATION

    def _apply(self, cell: tuple[str, int, int], value: int | bytes) -> None:
        column, port, onu_id = cell
        onu = self.onus.get((port, onu_id))
        if onu is None:  # Deleted by the same PDU.
            return
        if column == f"{CONFIG}.3" and isinstance(value, bytes):
            onu.serial = value
        elif column == f"{CONFIG}.9" and isinstance(value, bytes):
            onu.description = value.decode(errors="replace")
        elif column == f"{CONFIG}.7" and isinstance(value, bytes):
            onu.line_profile = value.decode(errors="replace")
        elif column == f"{CONFIG}.8" and isinstance(value, bytes):
            onu.service_profile = value.decode(errors="replace")
        elif column == f"{CONFIG}.10" and value == DESTROY:
            self.remove_onu(port, onu_id)
            self.plug_in(port, onu.serial)
            return
        elif column == f"{CONTROL}.1":
            onu.active = onu.online = value == 1
            if not onu.online:
                onu.down_cause = 8  # Deactivated.
        elif column == f"{CONTROL}.2":
            onu.down_cause = 9  # Reset.
        self.put_onu(onu)
        self._put_port(port)


def _creates(cell: tuple[str, int, int], value: int | bytes) -> bool:
    return cell[0] == f"{CONFIG}.10" and value == CREATE_AND_GO


# Column to the type and the values, or lengths, that a SET may carry.
_WRITABLE: dict[str, tuple[type, range | tuple[int, ...]]] = {
    f"{CONFIG}.2": (int, range(1, 9)),
    f"{CONFIG}.3": (bytes, (8,)),
    f"{CONFIG}.6": (int, (1, 2)),
    f"{CONFIG}.7": (bytes, range(33)),
    f"{CONFIG}.8": (bytes, range(33)),
    f"{CONFIG}.9": (bytes, range(129)),
    f"{CONFIG}.10": (int, (CREATE_AND_GO, DESTROY)),
    f"{CONTROL}.1": (int, (1, 2)),
    f"{CONTROL}.2": (int, (1,)),
}


def _cell(oid: str) -> tuple[str, int, int] | None:
    """Split an ONU cell's OID into column, port and ONU id."""
    column, index, onu_id = ([*oid.rsplit(".", 2), "", ""])[:3]
    if not index.isdecimal() or not onu_id.isdigit():
        return None
    slot, number = int(index) >> 13 & 0x3F, int(index) >> 8 & 0x1F
    port = (slot - 1) * PORTS_PER_CARD + number
    return (column, port, int(onu_id)) if if_index(port) == int(index) else None
