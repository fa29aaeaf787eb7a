"""Simulated C-Data OLTs: two FD16xx of firmware V3, one older, and an EPON one; each numbers its ONUs by itself."""

from demo.olt.agent import INCONSISTENT, NO_CREATION, NOT_WRITABLE, WRONG_TYPE, WRONG_VALUE, Writes
from demo.olt.device import SimulatedDevice
from demo.olt.onu import SimulatedOnu

CDATA = "1.3.6.1.4.1.17409"
GPON, EPON = f"{CDATA}.2.8.4", f"{CDATA}.2.3.4"
OLT_RX = f"{CDATA}.2.3.3.6.1.2"
AUTHORISED, CREATE_AND_GO, DESTROY = f"{GPON}.6.1.1", 4, 6
INVALID = 65535
# HUAWEI-XPON-MIB's causes, which simulated ONUs carry, in C-Data's words.
_CAUSES = {1: b"LOS", 3: b"losi", 13: b"dying-gasp"}


class CdataBox(SimulatedDevice):
    """What all share: ports are interfaces, and an ONU has one number."""

    sys_descr = "olt"
    sys_object_id = CDATA
    kind = "gpon "

    def port_number(self, port: int) -> int:
        """Return the ifIndex of a port counted from 0."""
        return 0x140000 + port + 1

    def number(self, port: int, onu_id: int) -> int:
        """Return the number of an ONU; both are counted from 0."""
        return 18 << 18 | port << 12 | onu_id + 1

    def _put_port(self, port: int) -> None:
        onus = [onu for onu in self.onus.values() if onu.port == port]
        name = f"{self.kind}0/0/{port + 1}"
        self._put_interface(
            self.port_number(port),
            name=name,
            descr=name,
            kind=117,
            up=any(onu.online for onu in onus),
            octets=sum(onu.up_bytes for onu in onus),
        )


class CdataOlt(CdataBox):
    """An FD1608S of firmware V3: port and number of an ONU are packed behind 18."""

    serial_vendor = b"XPON"

    def optics_end(self, onu: SimulatedOnu) -> str:
        """Return what the optics' index has after the ONU's number."""
        return "0.0"

    def add_waiting(self, port: int, serial: bytes, *, number: int = 1) -> None:
        """Show an ONU that nobody has authorised."""
        row = self.number(port, number + 63)
        self.mib.put_octets(f"{GPON}.7.1.2.{row}", b"F609V5.3")
        self.mib.put_octets(f"{GPON}.7.1.3.{row}", serial)
        self.mib.put_octets(f"{GPON}.7.1.8.{row}", b"V5.2.10")

    def _put_onu(self, onu: SimulatedOnu) -> None:
        row = self.number(onu.port, onu.onu_id)
        put, text = self.mib.put_integer, self.mib.put_octets
        position = f"{self.kind}0/0/{onu.port + 1} onu {onu.onu_id + 1} "
        text(f"{GPON}.1.1.2.{row}", (position + onu.description).encode())
        text(f"{GPON}.1.1.3.{row}", onu.serial)
        text(f"{GPON}.1.1.6.{row}", b"F609V5.3")
        put(f"{GPON}.1.1.7.{row}", 1 if onu.online else 2)
        put(f"{GPON}.1.1.8.{row}", 1 if onu.active else 2)
        put(f"{GPON}.1.1.9.{row}", onu.distance_m if onu.online else 0)
        text(f"{GPON}.1.1.103.{row}", _CAUSES.get(onu.down_cause, b"--"))
        for column, value in (
            (4, round(onu.rx_dbm * 100)),
            (5, round(onu.tx_dbm * 100)),
            (6, onu.bias_ma * 100),
            (7, self._volts(onu)),
            (8, onu.temperature_c * 100),
        ):
            put(f"{GPON}.4.1.{column}.{row}.{self.optics_end(onu)}", value if onu.online else INVALID)
        put(f"{OLT_RX}.{row}", round(onu.olt_rx_dbm * 100) if onu.online else -4000)
        text(f"{AUTHORISED}.2.{row}", onu.serial)
        put(f"{AUTHORISED}.6.{row}", 1)
        put(f"{AUTHORISED}.7.{row}", 1)
        put(f"{AUTHORISED}.8.{row}", 1)

    def _volts(self, onu: SimulatedOnu) -> int:
        return onu.millivolts // 10

    def _remove_onu(self, onu: SimulatedOnu) -> None:
        row = self.number(onu.port, onu.onu_id)
        for column in (2, 3, 6, 7, 8, 9, 103):
            self.mib.remove(f"{GPON}.1.1.{column}.{row}")
        for column in range(4, 9):
            self.mib.remove(f"{GPON}.4.1.{column}.{row}.{self.optics_end(onu)}")
        for column in (2, 6, 7, 8):
            self.mib.remove(f"{AUTHORISED}.{column}.{row}")
        self.mib.remove(f"{OLT_RX}.{row}")

    def write(self, pairs: Writes) -> tuple[int, int]:
        """Create rows whole, or destroy them."""
        cells = dict(pairs)
        for position, (oid, value) in enumerate(pairs, start=1):
            if status := self._refusal(oid, value, cells):
                return status, position
        for oid, value in pairs:
            column, _, row = oid.rpartition(".")
            if column != f"{AUTHORISED}.8":
                continue
            port, onu_id = self._place(row) or (0, 0)
            if value == DESTROY:
                self.remove_onu(port, onu_id)
            else:
                serial = cells[f"{AUTHORISED}.2.{row}"]
                self.add_onu(port, serial if isinstance(serial, bytes) else b"", onu_id=onu_id)
        return 0, 0

    def _refusal(self, oid: str, value: int | bytes, cells: dict[str, int | bytes]) -> int:
        """Return the error-status this write deserves, 0 for none."""
        column, _, row = oid.rpartition(".")
        if column not in {f"{AUTHORISED}.{number}" for number in (2, 6, 7, 8)}:
            return NOT_WRITABLE
        key = self._place(row)
        if key is None:
            return NO_CREATION
        if isinstance(value, bytes) != column.endswith(".2"):
            return WRONG_TYPE
        if not column.endswith(".8"):
            return 0
        if value not in (CREATE_AND_GO, DESTROY):
            return WRONG_VALUE
        if value == DESTROY:
            return 0 if key in self.onus else NO_CREATION
        whole = all(f"{AUTHORISED}.{number}.{row}" in cells for number in (2, 6, 7))
        return INCONSISTENT if key in self.onus or not whole else 0

    def _place(self, row: str) -> tuple[int, int] | None:
        """Return port and ONU id as they are counted here."""
        numbers = ((port, onu_id) for port in range(self.ports) for onu_id in range(128))
        return next((key for key in numbers if str(self.number(*key)) == row), None)


class CdataByPortOlt(CdataOlt):
    """An FD1601S of firmware V3: the optics' index ends with the port's interface."""

    def optics_end(self, onu: SimulatedOnu) -> str:
        return f"0.{self.port_number(onu.port)}"


class OldBox(CdataBox):
    """Older firmware: PON ports come after twelve others."""

    sys_descr = "olt-mill-street"
    kind = "pon"

    def port_number(self, port: int) -> int:
        return 1 << 24 | 13 + port << 8

    def number(self, port: int, onu_id: int) -> int:
        return self.port_number(port) | onu_id + 1


class CdataOldOlt(OldBox, CdataOlt):
    """An FD1608S of older firmware, whose voltages are a thousand times as large."""

    def _volts(self, onu: SimulatedOnu) -> int:
        return onu.millivolts * 100


class CdataEponOlt(OldBox):
    """An FD1208S: ONUs are known by their address; read only."""

    serial_vendor = b"\xe0\x67"

    def _put_onu(self, onu: SimulatedOnu) -> None:
        row = self.number(onu.port, onu.onu_id)
        put, text = self.mib.put_integer, self.mib.put_octets
        text(f"{EPON}.1.1.2.{row}", onu.description.encode())
        text(f"{EPON}.1.1.7.{row}", onu.serial)
        put(f"{EPON}.1.1.8.{row}", 1 if onu.online else 2)
        put(f"{EPON}.1.1.9.{row}", 1 if onu.active else 2)
        put(f"{EPON}.1.1.15.{row}", onu.distance_m if onu.online else 0)
        put(f"{EPON}.2.1.4.{row}.0.0", round(onu.rx_dbm * 100) if onu.online else INVALID)
        put(f"{EPON}.2.1.5.{row}.0.0", round(onu.tx_dbm * 100) if onu.online else INVALID)
        put(f"{OLT_RX}.{row}", round(onu.olt_rx_dbm * 100) if onu.online else -4000)

    def _remove_onu(self, onu: SimulatedOnu) -> None:
        row = self.number(onu.port, onu.onu_id)
        for column in (2, 7, 8, 9, 15):
            self.mib.remove(f"{EPON}.1.1.{column}.{row}")
        for column in (4, 5):
            self.mib.remove(f"{EPON}.2.1.{column}.{row}.0.0")
        self.mib.remove(f"{OLT_RX}.{row}")

    def write(self, pairs: Writes) -> tuple[int, int]:
        return NOT_WRITABLE, 1
