"""Simulated BDCOM OLTs: a GP3600 and a P3310, whose ONUs are sub-interfaces under numbers of no order."""

from itertools import count

from demo.olt import ber
from demo.olt.agent import INCONSISTENT, NO_CREATION, NOT_WRITABLE, WRONG_TYPE, WRONG_VALUE, Writes
from demo.olt.device import IF_TABLE, IF_X_TABLE, ONUS_PER_PORT, SimulatedDevice
from demo.olt.onu import SimulatedOnu

BDCOM = "1.3.6.1.4.1.3320"
GPON, EPON = f"{BDCOM}.10", f"{BDCOM}.101"
BINDINGS, CREATE_AND_GO, DESTROY = f"{GPON}.2.6.1", 4, 6
GPON_REBOOT, EPON_REBOOT, EPON_BINDINGS = f"{GPON}.3.2.1.4", f"{EPON}.10.1.1.29", f"{EPON}.11.1.1.2"
_FIRST_ETHERNET, _FIRST_PORT, _FIRST_ONU = 97, 110, 1179
_ONLINE, _LOST = 3, 4
# HUAWEI-XPON-MIB's causes, which simulated ONUs carry, as BDCOM counts them: LOS, power off, reboot, admin.
_CAUSES = {1: 8, 3: 8, 13: 1, 9: 12, 7: 3}
NO_READING = -65535


class BdcomOlt(SimulatedDevice):
    """What both share: the interfaces of ports and ONUs."""

    kind = "GPON"
    # Columns of an ONU's row in the vendor's tables.
    row: tuple[str, ...] = ()

    def __init__(self, *, onus: int, pon_ports: int, seed: int, name: str = "") -> None:
        self._numbers: dict[tuple[int, int], int] = {}
        self._free = count(_FIRST_ONU)
        super().__init__(onus=onus, pon_ports=pon_ports, seed=seed, name=name)
        for number in range(1, 9):
            self._put_named(_FIRST_ETHERNET + number - 1, f"GigaEthernet0/{number}", up=number == 1)

    def port_number(self, port: int) -> int:
        """Return the ifIndex of a port counted from 0."""
        return _FIRST_PORT + port

    def number(self, onu: SimulatedOnu) -> int:
        """Return the ifIndex of an ONU: the next that was free when it came."""
        key = (onu.port, onu.onu_id)
        if key not in self._numbers:
            self._numbers[key] = next(self._free)
        return self._numbers[key]

    def _put_named(
        self, number: int, name: str, *, up: bool, alias: str = "", received: int = 0, sent: int = 0
    ) -> None:
        self._put_interface(number, name=name, descr=name, kind=1, up=up, octets=received)
        self.mib.put_integer(f"{IF_X_TABLE}.10.{number}", sent, ber.COUNTER64)
        self.mib.put_octets(f"{IF_X_TABLE}.18.{number}", alias.encode())

    def _put_port(self, port: int) -> None:
        onus = [onu for onu in self.onus.values() if onu.port == port]
        self._put_named(
            self.port_number(port),
            f"{self.kind}0/{port + 1}",
            up=any(onu.online for onu in onus),
            received=sum(onu.up_bytes for onu in onus),
            sent=sum(onu.down_bytes for onu in onus),
        )
        self._put_port_details(self.port_number(port), onus)

    def _put_port_details(self, number: int, onus: list[SimulatedOnu]) -> None:
        raise NotImplementedError

    def _put_onu(self, onu: SimulatedOnu) -> None:
        number = self.number(onu)
        self._put_named(
            number,
            f"{self.kind}0/{onu.port + 1}:{onu.onu_id + 1}",
            up=onu.online,
            alias=onu.description,
            received=onu.up_bytes,
            sent=onu.down_bytes,
        )
        self._put_details(onu, number)

    def _put_details(self, onu: SimulatedOnu, number: int) -> None:
        raise NotImplementedError

    def _remove_onu(self, onu: SimulatedOnu) -> None:
        number = self._numbers.pop((onu.port, onu.onu_id))
        for column in (2, 3, 7, 8):
            self.mib.remove(f"{IF_TABLE}.{column}.{number}")
        for column in (1, 6, 10, 18):
            self.mib.remove(f"{IF_X_TABLE}.{column}.{number}")
        for oid in self.row:
            self.mib.remove(f"{oid}.{number}")

    def _reboot(self, number: str) -> int:
        """Restart the ONU of that interface; return the error-status, 0 for none."""
        keys = {str(number): key for key, number in self._numbers.items()}
        if number not in keys:
            return NO_CREATION
        onu = self.onus[keys[number]]
        onu.down_cause = 9
        self.put_onu(onu)
        return 0


class BdcomGponOlt(BdcomOlt):
    """A GP3600: ONUs are bound, unbound and restarted by SET."""

    sys_descr = "BDCOM(tm) GP3600-16B Software, Version 10.3.0D Build 74104"
    sys_object_id = f"{BDCOM}.1.390.0"
    serial_vendor = b"GPON"
    row = tuple(
        f"{GPON}.{column}"
        for column in (
            "3.3.1.2",
            "3.3.1.4",
            "3.1.1.9",
            "3.1.1.33",
            "3.1.1.35",
            "3.4.1.2",
            "3.4.1.3",
            "2.3.1.3",
        )
    )

    def add_waiting(self, port: int, serial: bytes, *, number: int = 1, reason: int = 1) -> None:
        """Show an ONU that is kept off, by default because nobody has authorised it."""
        row = f"{self.port_number(port)}.{number}"
        self.mib.put_integer(f"{GPON}.2.8.1.5.{row}", reason)
        self.mib.put_octets(f"{GPON}.2.8.1.6.{row}", _with_colon(serial))

    def _put_port_details(self, number: int, onus: list[SimulatedOnu]) -> None:
        online = sum(onu.online for onu in onus)
        self.mib.put_integer(f"{GPON}.2.1.1.4.{number}", online)
        self.mib.put_integer(f"{GPON}.2.1.1.5.{number}", len(onus) - online)
        self.mib.put_integer(f"{GPON}.2.2.1.2.{number}", 34 * 256)
        self.mib.put_integer(f"{GPON}.2.2.1.5.{number}", 45)

    def _put_details(self, onu: SimulatedOnu, number: int) -> None:
        put, text = self.mib.put_integer, self.mib.put_octets
        text(f"{GPON}.3.3.1.2.{number}", _with_colon(onu.serial))
        put(f"{GPON}.3.3.1.4.{number}", _ONLINE if onu.online else _LOST)
        text(f"{GPON}.3.1.1.9.{number}", b"GP1702-1G")
        put(f"{GPON}.3.1.1.33.{number}", onu.distance_m * 10 if onu.online else 0)
        put(f"{GPON}.3.1.1.35.{number}", _CAUSES.get(onu.down_cause, 0))
        for column, dbm in (("3.4.1.2", onu.rx_dbm), ("3.4.1.3", onu.tx_dbm), ("2.3.1.3", onu.olt_rx_dbm)):
            put(f"{GPON}.{column}.{number}", round(dbm * 10) if onu.online else NO_READING)
        text(f"{BINDINGS}.3.{self._binding(onu)}", _with_colon(onu.serial))
        put(f"{BINDINGS}.5.{self._binding(onu)}", 1)

    def _remove_onu(self, onu: SimulatedOnu) -> None:
        super()._remove_onu(onu)
        for column in (3, 5):
            self.mib.remove(f"{BINDINGS}.{column}.{self._binding(onu)}")

    def _binding(self, onu: SimulatedOnu) -> str:
        return f"{self.port_number(onu.port)}.{onu.onu_id + 1}"

    def write(self, pairs: Writes) -> tuple[int, int]:
        cells = dict(pairs)
        for position, (oid, value) in enumerate(pairs, start=1):
            column, _, number = oid.rpartition(".")
            if column == GPON_REBOOT:
                status = self._reboot(number) if value == 1 else WRONG_VALUE
                return (status, position) if status else (0, 0)
            if status := self._refusal(oid, value, cells):
                return status, position
        for oid, value in pairs:
            column, port, number = oid.rsplit(".", 2)
            key = (int(port) - _FIRST_PORT, int(number) - 1)
            if column == f"{BINDINGS}.5" and value == DESTROY:
                self.remove_onu(*key)
            elif column == f"{BINDINGS}.5":
                serial = cells[f"{BINDINGS}.3.{port}.{number}"]
                self.add_onu(key[0], _octets(serial), onu_id=key[1])
        return 0, 0

    def _refusal(self, oid: str, value: int | bytes, cells: dict[str, int | bytes]) -> int:
        """Return the error-status this write deserves, 0 for none."""
        column, port, number = ([*oid.rsplit(".", 2), "", ""])[:3]
        if column not in (f"{BINDINGS}.3", f"{BINDINGS}.5"):
            return NOT_WRITABLE
        if isinstance(value, bytes) != column.endswith(".3"):
            return WRONG_TYPE
        key = (int(port) - _FIRST_PORT, int(number) - 1)
        if not 0 <= key[0] < self.ports or not 0 <= key[1] < ONUS_PER_PORT:
            return NO_CREATION
        if value == DESTROY:
            return 0 if key in self.onus else NO_CREATION
        if value == CREATE_AND_GO:
            return INCONSISTENT if key in self.onus or f"{BINDINGS}.3.{port}.{number}" not in cells else 0
        return WRONG_VALUE if isinstance(value, int) else 0


class BdcomEponOlt(BdcomOlt):
    """A P3310: ONUs are known by their address."""

    sys_descr = "BDCOM(tm) P3310C Software, Version 10.1.0E Build 28164"
    sys_object_id = f"{BDCOM}.1.294.0"
    kind = "EPON"
    serial_vendor = b"\xfc\xfa"
    row = tuple(
        f"{EPON}.{column}"
        for column in (
            *("10.1.1.2", "10.1.1.3", "10.1.1.26", "10.1.1.27"),
            *("10.5.1.2", "10.5.1.3", "10.5.1.5", "10.5.1.6", "108.1.3"),
        )
    )

    def _put_port_details(self, number: int, onus: list[SimulatedOnu]) -> None:
        self.mib.put_integer(f"{EPON}.107.1.3.{number}", 45)
        self.mib.put_integer(f"{EPON}.107.1.6.{number}", 34 * 256)

    def _put_details(self, onu: SimulatedOnu, number: int) -> None:
        put, text = self.mib.put_integer, self.mib.put_octets
        text(f"{EPON}.10.1.1.2.{number}", b"1501")
        text(f"{EPON}.10.1.1.3.{number}", onu.serial)
        put(f"{EPON}.10.1.1.26.{number}", _ONLINE if onu.online else 2)
        put(f"{EPON}.10.1.1.27.{number}", onu.distance_m if onu.online else 0)
        put(f"{EPON}.10.5.1.2.{number}", onu.temperature_c * 256 if onu.online else NO_READING)
        put(f"{EPON}.10.5.1.3.{number}", onu.millivolts * 10 if onu.online else NO_READING)
        for column, dbm in (("10.5.1.5", onu.rx_dbm), ("10.5.1.6", onu.tx_dbm), ("108.1.3", onu.olt_rx_dbm)):
            put(f"{EPON}.{column}.{number}", round(dbm * 10) if onu.online else NO_READING)
        put(f"{EPON_BINDINGS}.{self._binding(onu)}", onu.onu_id + 1)

    def _remove_onu(self, onu: SimulatedOnu) -> None:
        super()._remove_onu(onu)
        self.mib.remove(f"{EPON_BINDINGS}.{self._binding(onu)}")

    def _binding(self, onu: SimulatedOnu) -> str:
        return ".".join(map(str, (self.port_number(onu.port), *onu.serial)))

    def write(self, pairs: Writes) -> tuple[int, int]:
        (oid, value), *rest = pairs
        if rest:
            return NOT_WRITABLE, 2
        if value != 0:
            return WRONG_VALUE, 1
        column, _, number = oid.rpartition(".")
        if column == EPON_REBOOT:
            status = self._reboot(number)
            return (status, 1) if status else (0, 0)
        bound = {f"{EPON_BINDINGS}.{self._binding(onu)}": key for key, onu in self.onus.items()}
        if oid not in bound:
            return NO_CREATION if oid.startswith(EPON_BINDINGS) else NOT_WRITABLE, 1
        self.remove_onu(*bound[oid])
        return 0, 0


def _with_colon(serial: bytes) -> bytes:
    """Write a serial as the box shows it: HWTC:12345678."""
    return serial[:4] + b":" + serial[4:].hex().upper().encode()


def _octets(serial: int | bytes) -> bytes:
    """Undo `_with_colon`."""
    text = serial if isinstance(serial, bytes) else b""
    return text[:4] + bytes.fromhex(text[5:].decode())
