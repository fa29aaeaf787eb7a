"""What the simulated vendors share: the system group, the ONUs and how tests change them."""

import random
from abc import ABC, abstractmethod
from datetime import datetime

from demo.olt import ber
from demo.olt.agent import Writes
from demo.olt.mib import Mib
from demo.olt.onu import SimulatedOnu, generate_onu, generate_onus

# GPON's usual split, and the ids HUAWEI-XPON-MIB knows: 0 to 127.
ONUS_PER_PORT = 128

SYSTEM = "1.3.6.1.2.1.1"
IF_TABLE = "1.3.6.1.2.1.2.2.1"
IF_X_TABLE = "1.3.6.1.2.1.31.1.1.1"


class SimulatedDevice(ABC):
    """An OLT that keeps its MIB in step with its ONUs; ONUs are addressed by (port, onu_id)."""

    sys_descr: str
    sys_object_id: str
    serial_vendor: bytes

    def __init__(self, *, onus: int, pon_ports: int, seed: int, name: str = "") -> None:
        if onus > pon_ports * ONUS_PER_PORT:
            raise ValueError(f"{onus} ONUs need more than {pon_ports} PON ports of {ONUS_PER_PORT}")
        self.mib = Mib()
        self.ports = pon_ports
        self._chance = random.Random(seed)
        self.onus: dict[tuple[int, int], SimulatedOnu] = {}
        self._put_system(name or f"olt-{seed}")
        for port in range(pon_ports):
            self._put_port(port)
        for onu in generate_onus(count=onus, ports=pon_ports, seed=seed, vendor=self.serial_vendor):
            self.put_onu(onu)
        for port in range(pon_ports):
            self._put_port(port)

    def put_onu(self, onu: SimulatedOnu) -> None:
        """Add the ONU, or show its new state."""
        self.onus[onu.port, onu.onu_id] = onu
        self._put_onu(onu)

    def add_onu(self, port: int, serial: bytes | None = None, onu_id: int | None = None) -> SimulatedOnu:
        """Add an online ONU, under the port's first free id unless told. Raises ValueError when it is full."""
        free = (number for number in range(ONUS_PER_PORT) if (port, number) not in self.onus)
        if onu_id is None:
            onu_id = next(free, None)
        if onu_id is None:
            raise ValueError(f"port {port} is full")
        onu = generate_onu(
            self._chance,
            port=port,
            onu_id=onu_id,
            serial=serial or self.serial_vendor + self._chance.randbytes(4),
        )
        onu.online = True
        self.put_onu(onu)
        self._put_port(port)
        return onu

    def remove_onu(self, port: int, onu_id: int) -> None:
        self._remove_onu(self.onus.pop((port, onu_id)))
        self._put_port(port)

    def set_onu_online(self, port: int, onu_id: int, *, online: bool, down_cause: int = 13) -> None:
        """Bring an ONU up or down; the cause is HUAWEI-XPON-MIB's, 13 being a power failure."""
        onu = self.onus[port, onu_id]
        onu.online = online
        if not online:
            onu.down_cause = down_cause
        self.put_onu(onu)
        self._put_port(port)

    @abstractmethod
    def write(self, pairs: Writes) -> tuple[int, int]:
        """Apply a SET; see `demo.olt.agent.Device`."""

    @abstractmethod
    def _put_onu(self, onu: SimulatedOnu) -> None: ...

    @abstractmethod
    def _remove_onu(self, onu: SimulatedOnu) -> None: ...

    @abstractmethod
    def _put_port(self, port: int) -> None: ...

    def _put_system(self, name: str) -> None:
        self.mib.put_octets(f"{SYSTEM}.1.0", self.sys_descr.encode())
        self.mib.put(f"{SYSTEM}.2.0", ber.encode_oid(self.sys_object_id))
        self.mib.put_integer(f"{SYSTEM}.3.0", 864_000_00, ber.TICKS)  # Ten days, in hundredths of a second.
        self.mib.put_octets(f"{SYSTEM}.5.0", name.encode())

    def _put_interface(self, index: int, *, name: str, descr: str, kind: int, up: bool, octets: int) -> None:
        self.mib.put_octets(f"{IF_TABLE}.2.{index}", descr.encode())
        self.mib.put_integer(f"{IF_TABLE}.3.{index}", kind)
        self.mib.put_integer(f"{IF_TABLE}.7.{index}", 1)
        self.mib.put_integer(f"{IF_TABLE}.8.{index}", 1 if up else 2)
        self.mib.put_octets(f"{IF_X_TABLE}.1.{index}", name.encode())
        self.mib.put_integer(f"{IF_X_TABLE}.6.{index}", octets, ber.COUNTER64)
        self.mib.put_integer(f"{IF_X_TABLE}.10.{index}", octets * 9, ber.COUNTER64)


def date_and_time(moment: datetime) -> bytes:
    """Encode DateAndTime in its short form (RFC 2579, section 2)."""
    return moment.year.to_bytes(2, "big") + bytes(
        (moment.month, moment.day, moment.hour, moment.minute, moment.second, 0)
    )
