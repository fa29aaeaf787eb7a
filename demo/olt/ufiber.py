"""A simulated Ubiquiti UFiber OLT; read-only, its ONUs indexed by their serial's text."""

from demo.olt import ber
from demo.olt.agent import NOT_WRITABLE, Writes
from demo.olt.device import SimulatedDevice
from demo.olt.onu import SimulatedOnu

UFIBER = "1.3.6.1.4.1.41112.1.5"
ONUS = f"{UFIBER}.6.2.1"
PORTS = f"{UFIBER}.7.2.1"
_FIRST_PON = 2  # The port table begins with eth0 and lag1.


class UfiberOlt(SimulatedDevice):
    """A UF-OLT: `pon1` is port 0 here."""

    sys_descr = "EdgeOS v4.4.2.4598.220304.1412"
    sys_object_id = UFIBER
    serial_vendor = b"UBNT"

    def __init__(self, *, onus: int, pon_ports: int, seed: int, name: str = "") -> None:
        super().__init__(onus=onus, pon_ports=pon_ports, seed=seed, name=name)
        self.mib.put_octets(f"{UFIBER}.1.1.0", b"UFiber OLT")
        for row, port_name in enumerate(("eth0", "lag1")):
            self._put_port_row(row, port_name, up=False, down_bytes=0, up_bytes=0)

    def _put_port(self, port: int) -> None:
        onus = [onu for onu in self.onus.values() if onu.port == port]
        self._put_port_row(
            port + _FIRST_PON,
            f"pon{port + 1}",
            up=any(onu.online for onu in onus),
            down_bytes=sum(onu.down_bytes for onu in onus),
            up_bytes=sum(onu.up_bytes for onu in onus),
        )

    def _put_port_row(self, row: int, name: str, *, up: bool, down_bytes: int, up_bytes: int) -> None:
        self.mib.put_integer(f"{PORTS}.1.{row}", row)
        self.mib.put_octets(f"{PORTS}.2.{row}", name.encode())
        self.mib.put_integer(f"{PORTS}.3.{row}", 1 if up else 2)
        self.mib.put_integer(f"{PORTS}.6.{row}", down_bytes, ber.COUNTER64)
        self.mib.put_integer(f"{PORTS}.7.{row}", up_bytes, ber.COUNTER64)

    def _put_onu(self, onu: SimulatedOnu) -> None:
        index, serial = _index(onu), _serial(onu)
        put, text = self.mib.put_integer, self.mib.put_octets
        text(f"{ONUS}.1.{index}", serial)
        text(f"{ONUS}.2.{index}", onu.description.encode())
        put(f"{ONUS}.3.{index}", 1 if onu.online else 2)
        text(f"{ONUS}.4.{index}", b"NanoG")
        put(f"{ONUS}.5.{index}", onu.port + 1 if onu.online else 0)
        put(f"{ONUS}.6.{index}", 86_400_00 if onu.online else 0, ber.TICKS)
        put(f"{ONUS}.7.{index}", 172_800_00 if onu.online else 0, ber.TICKS)
        put(f"{ONUS}.8.{index}", round(onu.tx_dbm * 100) if onu.online else 0)
        put(f"{ONUS}.9.{index}", round(onu.rx_dbm * 100) if onu.online else 0)
        put(f"{ONUS}.10.{index}", onu.down_bytes if onu.online else 0, ber.COUNTER64)
        put(f"{ONUS}.11.{index}", onu.up_bytes if onu.online else 0, ber.COUNTER64)

    def _remove_onu(self, onu: SimulatedOnu) -> None:
        for column in range(1, 12):
            self.mib.remove(f"{ONUS}.{column}.{_index(onu)}")

    def write(self, pairs: Writes) -> tuple[int, int]:
        return NOT_WRITABLE, 1


def _serial(onu: SimulatedOnu) -> bytes:
    return onu.serial[:4] + onu.serial[4:].hex().encode()


def _index(onu: SimulatedOnu) -> str:
    """Return the table index: the length 12 and the serial's characters."""
    return ".".join(map(str, (12, *_serial(onu))))
