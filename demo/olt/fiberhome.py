"""A simulated FiberHome AN5516 (GEPON-OLT-COMMON-MIB)."""

from demo.olt.agent import INCONSISTENT, NO_CREATION, NOT_WRITABLE, WRONG_TYPE, WRONG_VALUE, Writes
from demo.olt.device import ONUS_PER_PORT, SimulatedDevice
from demo.olt.onu import SimulatedOnu

FIBERHOME = "1.3.6.1.4.1.5875.800.3"
ONUS, OPTICS, PORTS = f"{FIBERHOME}.10.1.1", f"{FIBERHOME}.9.3.3.1", f"{FIBERHOME}.9.3.4.1"
OLT_RX, DISTANCE = f"{FIBERHOME}.9.3.7.1.2", f"{FIBERHOME}.9.6.1.1.1"
WAITING = f"{FIBERHOME}.11.1.1"
WHITE_LIST, CREATE_AND_GO, DESTROY = f"{FIBERHOME}.1.5.1", 4, 6
PORTS_PER_CARD = 8
FIRST_SLOT = 11


def port_index(port: int) -> int:
    """Return the PON index of a port counted from 0 over the cards: slot << 25 | pon << 19."""
    card, number = divmod(port, PORTS_PER_CARD)
    return (FIRST_SLOT + card) << 25 | (number + 1) << 19


class FiberhomeOlt(SimulatedDevice):
    """An AN5516-01 with GPON cards from slot 11 on; ONU ids begin at 1."""

    sys_descr = "AN5516-01"
    sys_object_id = "1.3.6.1.4.1.5875.800.1001.11"
    serial_vendor = b"FHTT"

    def add_waiting(self, port: int, serial: bytes, *, number: int = 1) -> None:
        """Show an ONU that nobody has authorised; `serial` is text here."""
        card, pon = divmod(port, PORTS_PER_CARD)
        self.mib.put_integer(f"{WAITING}.2.{number}", FIRST_SLOT + card)
        self.mib.put_integer(f"{WAITING}.3.{number}", pon + 1)
        self.mib.put_octets(f"{WAITING}.5.{number}", serial)
        self.mib.put_octets(f"{WAITING}.6.{number}", b"")
        self.mib.put_octets(f"{WAITING}.7.{number}", serial)

    def _put_port(self, port: int) -> None:
        index = port_index(port)
        card, number = divmod(port, PORTS_PER_CARD)
        onus = [onu for onu in self.onus.values() if onu.port == port]
        put, text = self.mib.put_integer, self.mib.put_octets
        text(f"{PORTS}.2.{index}", f"PON {FIRST_SLOT + card}/{number + 1}".encode())
        put(f"{PORTS}.5.{index}", 1 if any(onu.online for onu in onus) else 0)
        put(f"{PORTS}.8.{index}", 412 - port)
        put(f"{PORTS}.11.{index}", 3875)
        put(f"{PORTS}.12.{index}", len(onus))

    def _put_onu(self, onu: SimulatedOnu) -> None:
        index, onu_id = self._index(onu), onu.onu_id + 1
        card, number = divmod(onu.port, PORTS_PER_CARD)
        put, text = self.mib.put_integer, self.mib.put_octets
        put(f"{ONUS}.2.{index}", FIRST_SLOT + card)
        put(f"{ONUS}.3.{index}", number + 1)
        put(f"{ONUS}.4.{index}", onu_id)
        put(f"{ONUS}.5.{index}", 703)
        text(f"{ONUS}.7.{index}", onu.description.encode())
        text(f"{ONUS}.8.{index}", b"")
        text(f"{ONUS}.9.{index}", b"")
        text(f"{ONUS}.10.{index}", onu.serial_text.encode())
        # 1 online, 2 without power, 0 without light.
        put(f"{ONUS}.11.{index}", 1 if onu.online else 2 if onu.down_cause == 13 else 0)
        for column, value in (
            (6, round(onu.rx_dbm * 100)),
            (7, round(onu.tx_dbm * 100)),
            (8, onu.millivolts // 10),
            (9, onu.bias_ma * 100),
            (10, onu.temperature_c * 100),
        ):
            put(f"{OPTICS}.{column}.{index}", value if onu.online else 0)
        put(f"{OPTICS}.11.{index}", 1 if onu.online else 0)
        put(f"{OLT_RX}.{port_index(onu.port)}.{onu_id}", round(onu.olt_rx_dbm * 100) if onu.online else 0)
        put(f"{DISTANCE}.{index}", onu.distance_m if onu.online else 0)

    def _remove_onu(self, onu: SimulatedOnu) -> None:
        index = self._index(onu)
        for table, numbers in ((ONUS, (2, 3, 4, 5, 7, 8, 9, 10, 11)), (OPTICS, range(6, 12))):
            for number in numbers:
                self.mib.remove(f"{table}.{number}.{index}")
        self.mib.remove(f"{OLT_RX}.{port_index(onu.port)}.{onu.onu_id + 1}")
        self.mib.remove(f"{DISTANCE}.{index}")

    def _index(self, onu: SimulatedOnu) -> int:
        return port_index(onu.port) | (onu.onu_id + 1) << 8

    def write(self, pairs: Writes) -> tuple[int, int]:
        """Put serials on the white list or take them off: whole rows, named by their onuIndex."""
        cells = dict(pairs)
        for position, (oid, value) in enumerate(pairs, start=1):
            if status := self._refusal(oid, value, cells):
                return status, position
        for oid, value in pairs:
            column, _, row = oid.rpartition(".")
            if column != f"{WHITE_LIST}.8":
                continue
            port, onu_id = self._place(row) or (0, 0)
            if value == DESTROY:
                self.remove_onu(port, onu_id)
            else:
                self.add_onu(port, _octets(cells[f"{WHITE_LIST}.6.{row}"]), onu_id=onu_id)
        return 0, 0

    def _refusal(self, oid: str, value: int | bytes, cells: dict[str, int | bytes]) -> int:
        """Return the error-status this write deserves, 0 for none."""
        column, _, row = oid.rpartition(".")
        key = self._place(row)
        if key is None or column not in {f"{WHITE_LIST}.{number}" for number in range(2, 9)}:
            return NOT_WRITABLE
        if isinstance(value, bytes) != column.endswith((".6", ".7")):
            return WRONG_TYPE
        if not column.endswith(".8"):
            return 0
        if value not in (CREATE_AND_GO, DESTROY):
            return WRONG_VALUE
        if value == DESTROY:
            return 0 if key in self.onus else NO_CREATION
        whole = all(f"{WHITE_LIST}.{number}.{row}" in cells for number in (2, 3, 4, 5, 6))
        return INCONSISTENT if key in self.onus or not whole else 0

    def _place(self, row: str) -> tuple[int, int] | None:
        """Return port and ONU id as they are counted here."""
        index = int(row) if row.isdecimal() else 0
        ports = {port_index(port): port for port in range(self.ports)}
        port, onu_id = ports.get(index & ~0x7FFFF), (index >> 8 & 0x7FF) - 1
        return (port, onu_id) if port is not None and 0 <= onu_id < ONUS_PER_PORT else None


def _octets(serial: int | bytes) -> bytes:
    """Turn FHTT12345678 into its four letters and four octets."""
    text = serial if isinstance(serial, bytes) else b""
    return text[:4] + bytes.fromhex(text[4:].decode())
