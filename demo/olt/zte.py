"""Simulated ZTE OLTs: a C300 with the tables below 1012, a C320 and a C600 with those below 1082."""

from dataclasses import dataclass

from demo.olt import ber
from demo.olt.agent import INCONSISTENT, NO_CREATION, NOT_WRITABLE, WRONG_TYPE, WRONG_VALUE, Writes
from demo.olt.device import ONUS_PER_PORT, SimulatedDevice
from demo.olt.onu import SimulatedOnu

ZTE = "1.3.6.1.4.1.3902"
PORTS_PER_CARD = 16
CREATE_AND_GO, DESTROY = 4, 6
INVALID = 65535
_LAST_UP, _LAST_DOWN = b"2026-03-01 06:30:00", b"2026-03-01 06:02:00"
# HUAWEI-XPON-MIB's causes, which simulated ONUs carry, as ZTE counts them: LOS, LOFi, power off, reboot.
_CAUSES = {1: 2, 3: 4, 13: 9, 9: 12}


@dataclass(frozen=True, slots=True)
class Tree:
    """Where a tree keeps its columns, and how it counts phases."""

    config: str
    serial: int
    state: str
    working: int
    optics: str
    ranging: str
    olt_rx: str
    counters: tuple[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of an ONU's row; those of the optics carry one more arc."""
        return (
            *(f"{self.config}.{column}" for column in (1, 2, 3, self.serial, 9)),
            *(f"{self.state}.{column}" for column in (1, 4, 5, 6, 7)),
            f"{self.ranging}.2",
            self.olt_rx,
            *self.counters,
        )


BELOW_1012 = Tree(
    config=f"{ZTE}.1012.3.28.1.1",
    serial=5,
    state=f"{ZTE}.1012.3.28.2.1",
    working=3,
    optics=f"{ZTE}.1012.3.50.12.1.1",
    ranging=f"{ZTE}.1012.3.11.4.1",
    olt_rx=f"{ZTE}.1015.1010.11.2.1.2",
    counters=(f"{ZTE}.1015.1010.5.56.1.1.2", f"{ZTE}.1015.1010.5.56.1.1.3"),
)
BELOW_1082 = Tree(
    config=f"{ZTE}.1082.500.10.2.3.3.1",
    serial=6,
    state=f"{ZTE}.1082.500.10.2.3.8.1",
    working=4,
    optics=f"{ZTE}.1082.500.20.2.2.2.1",
    ranging=f"{ZTE}.1082.500.10.2.3.10.1",
    olt_rx=f"{ZTE}.1082.500.1.2.4.2.1.2",
    counters=(f"{ZTE}.1082.500.4.2.2.2.1.1", f"{ZTE}.1082.500.4.2.2.2.1.44"),
)
REBOOT = f"{ZTE}.1082.500.20.2.1.10.1.1"
_OPTICS = (10, 14, 17, 18, 19)


class ZteC300Olt(SimulatedDevice):
    """A C300 of firmware 1.2 with GPON cards from slot 2 on; ONUs can be created, named and deleted by SET."""

    sys_descr = "C300, ZTE ZXA10, Software Version: V1.2.5P3"
    sys_object_id = f"{ZTE}.1015.300.3.1"
    serial_vendor = b"ZTEG"
    tree = BELOW_1012
    # Serial, equipment and software of the ONUs nobody has authorised.
    waiting: tuple[str, ...] = (f"{ZTE}.1012.3.13.3.1.2", f"{ZTE}.1012.3.13.3.1.10", "")
    first_slot = 2
    ids_from = 1

    def port_index(self, port: int) -> int:
        """Return the number the vendor's tables give a port counted from 0 over the cards."""
        slot, number = self._place(port)
        return 1 << 28 | slot << 16 | number << 8

    def if_index(self, port: int) -> int:
        """Return the ifIndex: cards in the order they were put in, whatever their slot."""
        card, number = divmod(port, PORTS_PER_CARD)
        return 1 << 28 | card << 16 | number << 8

    def if_name(self, port: int) -> str:
        slot, number = self._place(port)
        return f"gpon_1/{slot}/{number}"

    def add_waiting(self, port: int, serial: bytes, *, number: int = 1, model: bytes = b"F660V5.2") -> None:
        """Show an ONU that nobody has authorised."""
        row = f"{self.port_index(port)}.{number}"
        for column, value in zip(self.waiting, (serial, model, b"V5.2.10P4T26"), strict=True):
            if column:
                self.mib.put_octets(f"{column}.{row}", value)

    def write(self, pairs: Writes) -> tuple[int, int]:
        for position, (oid, value) in enumerate(pairs, start=1):
            if status := self._refusal(oid, value):
                return status, position
        for oid, value in pairs:
            self._apply(oid, value)
        return 0, 0

    def _place(self, port: int) -> tuple[int, int]:
        card, number = divmod(port, PORTS_PER_CARD)
        return card + self.first_slot, number + 1

    def _cell(self, oid: str) -> tuple[str, int, int] | None:
        """Split an ONU cell's OID into column, port and ONU id as they are counted here."""
        column, index, onu_id = ([*oid.rsplit(".", 2), "", ""])[:3]
        ports = {str(self.port_index(port)): port for port in range(self.ports)}
        if index not in ports or not onu_id.isdecimal():
            return None
        return column, ports[index], int(onu_id) - self.ids_from

    def _refusal(self, oid: str, value: int | bytes) -> int:
        """Return the error-status this write deserves, 0 for none."""
        cell = self._cell(oid)
        if cell is None or cell[0] not in self._writable():
            return NOT_WRITABLE
        column, port, onu_id = cell
        kind, allowed = self._writable()[column]
        if not isinstance(value, kind):
            return WRONG_TYPE
        if isinstance(value, int) and value not in allowed:
            return WRONG_VALUE
        exists = (port, onu_id) in self.onus
        if column == f"{self.tree.config}.9" and value == CREATE_AND_GO:
            return INCONSISTENT if exists or not 0 <= onu_id < ONUS_PER_PORT else 0
        return 0 if exists else NO_CREATION

    def _writable(self) -> dict[str, tuple[type, tuple[int, ...]]]:
        config = self.tree.config
        return {
            f"{config}.1": (bytes, ()),
            f"{config}.2": (bytes, ()),
            f"{config}.3": (bytes, ()),
            f"{config}.5": (bytes, ()),
            f"{config}.9": (int, (CREATE_AND_GO, DESTROY)),
            f"{config}.12": (int, tuple(range(1, 11))),
        }

    def _apply(self, oid: str, value: int | bytes) -> None:
        cell = self._cell(oid)
        if cell is None:
            return
        column, port, onu_id = cell
        if column == f"{self.tree.config}.9":
            if value == CREATE_AND_GO:
                onu = self.add_onu(port, bytes(8), onu_id=onu_id)
                onu.online, onu.description = False, f"ONU-{onu_id + self.ids_from}:50"
                self.put_onu(onu)
            elif (port, onu_id) in self.onus:
                self.remove_onu(port, onu_id)
            return
        onu = self.onus[port, onu_id]
        if column == f"{self.tree.config}.5" and isinstance(value, bytes):
            onu.serial = value
        elif column == f"{self.tree.config}.2" and isinstance(value, bytes):
            onu.description = value.decode(errors="replace")
        self.put_onu(onu)

    def _put_port(self, port: int) -> None:
        onus = [onu for onu in self.onus.values() if onu.port == port]
        self._put_interface(
            self.if_index(port),
            name=self.if_name(port),
            descr=self.if_name(port),
            kind=250,
            up=any(onu.online for onu in onus),
            octets=sum(onu.up_bytes for onu in onus),
        )

    def _row(self, onu: SimulatedOnu) -> str:
        return f"{self.port_index(onu.port)}.{onu.onu_id + self.ids_from}"

    def _put_onu(self, onu: SimulatedOnu) -> None:
        tree, row = self.tree, self._row(onu)
        put, text = self.mib.put_integer, self.mib.put_octets
        text(f"{tree.config}.1.{row}", b"ZTE-F660")
        text(f"{tree.config}.2.{row}", onu.description.encode())
        text(f"{tree.config}.3.{row}", b"$$zone$$1$$")
        text(f"{tree.config}.{tree.serial}.{row}", onu.serial)
        put(f"{tree.config}.9.{row}", 1)
        put(f"{tree.state}.1.{row}", 1 if onu.active else 2)
        # Working; else dying gasp or LOS, as it went.
        down = tree.working + (1 if onu.down_cause == 13 else -2)
        put(f"{tree.state}.4.{row}", tree.working if onu.online else down)
        text(f"{tree.state}.5.{row}", _LAST_UP)
        text(f"{tree.state}.6.{row}", _LAST_DOWN)
        put(f"{tree.state}.7.{row}", _CAUSES.get(onu.down_cause, 1))
        put(f"{tree.ranging}.2.{row}", onu.distance_m if onu.online else 0)
        put(tree.olt_rx + f".{row}", round(onu.olt_rx_dbm * 1000) if onu.online else -80_000)
        put(f"{tree.counters[0]}.{row}", onu.up_bytes, ber.COUNTER64)
        put(f"{tree.counters[1]}.{row}", onu.down_bytes, ber.COUNTER64)
        for column, value in (
            (10, _sixteen_bits(onu.rx_dbm)),
            (14, _sixteen_bits(onu.tx_dbm)),
            (17, onu.millivolts // 20),
            (18, onu.bias_ma * 500),
            (19, onu.temperature_c * 256),
        ):
            put(f"{tree.optics}.{column}.{row}.1", value if onu.online else INVALID)

    def _remove_onu(self, onu: SimulatedOnu) -> None:
        row = self._row(onu)
        for column in self.tree.columns:
            self.mib.remove(f"{column}.{row}")
        for number in _OPTICS:
            self.mib.remove(f"{self.tree.optics}.{number}.{row}.1")


class ZteC320Olt(ZteC300Olt):
    """A C320 of firmware 2.1 with its cards from slot 1 on; ONUs can be restarted by SET."""

    sys_descr = "C320 Version V2.1.0 Software, Copyright (c) by ZTE Corporation Compiled"
    sys_object_id = f"{ZTE}.1082.1001.320.2.1"
    tree = BELOW_1082
    waiting = tuple(f"{ZTE}.1082.500.10.2.2.5.1.{column}" for column in (2, 7, 8))
    first_slot = 1

    def port_index(self, port: int) -> int:
        slot, number = self._place(port)
        return 0x1101 << 16 | slot << 8 | number

    def _writable(self) -> dict[str, tuple[type, tuple[int, ...]]]:
        return {REBOOT: (int, (1,))}

    def _apply(self, oid: str, value: int | bytes) -> None:
        if cell := self._cell(oid):
            onu = self.onus[cell[1:]]
            onu.down_cause = 9  # Reset.
            self.put_onu(onu)


class ZteC600Olt(ZteC320Olt):
    """A C600: the ifIndex is the number the vendor's tables give the port."""

    sys_descr = "ZXA10 C600, ZTE ZXA10 Software Version: V1.2.2"
    sys_object_id = f"{ZTE}.1082.1001.600.1.1"
    waiting = tuple(f"{ZTE}.1082.500.2.2.11.2.1.{column}" for column in (2, 8, 10))

    def if_index(self, port: int) -> int:
        return self.port_index(port)

    def if_name(self, port: int) -> str:
        slot, number = self._place(port)
        return f"gpon_olt-1/{slot}/{number}"


def _sixteen_bits(dbm: float) -> int:
    """Write dBm in steps of 0.002 from -30."""
    return round((dbm + 30) / 0.002) & 0xFFFF
