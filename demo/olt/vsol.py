"""Simulated VSOL OLTs: a V1600G and a V1600D, whose tables have nothing in common but PON.ONU as their index."""

from demo.olt import ber
from demo.olt.agent import NO_CREATION, NOT_WRITABLE, WRONG_TYPE, WRONG_VALUE, Writes
from demo.olt.device import IF_TABLE, IF_X_TABLE, SimulatedDevice
from demo.olt.onu import SimulatedOnu

V1600 = "1.3.6.1.4.1.37950.1.1"
GPON, EPON = f"{V1600}.6.1.1", f"{V1600}.5.12"
PORT_OPTICS, OTHER_PORT_OPTICS = f"{V1600}.5.10.13.1.1", f"{V1600}.5.10.13.7.1"
ACTION_PON, ACTION_ONU, ACTION = f"{GPON}.5.1.0", f"{GPON}.5.2.0", f"{GPON}.5.3.0"
REBOOT, DELETE, ENABLE, DISABLE = 1, 2, 3, 4
_ETHERNET_PORTS = 4
_ONU_INTERFACES = 1000
# HUAWEI-XPON-MIB's causes, which simulated ONUs carry, as the phase an ONU is in: LOS, dying gasp.
_PHASES = {1: 1, 3: 1, 13: 4, 7: 7}
_WORKING, _OFFLINE = 3, 6


class VsolOlt(SimulatedDevice):
    """What both share: interfaces for ports and ONUs, and the optics of a port as text with its unit."""

    sys_object_id = f"{V1600}.5.10.14.1"
    kind = "GPON"
    port_tx = f"{PORT_OPTICS}.5"

    def __init__(self, *, onus: int, pon_ports: int, seed: int, name: str = "") -> None:
        super().__init__(onus=onus, pon_ports=pon_ports, seed=seed, name=name)
        for number in range(1, _ETHERNET_PORTS + 1):
            self._put_interface(number, name=f"GE0/{number}", descr=" ", kind=6, up=number == 1, octets=0)

    def onu_name(self, onu: SimulatedOnu) -> str:
        return f"{self.kind}{onu.port + 1:02}ONU{onu.onu_id + 1}"

    def _row(self, onu: SimulatedOnu) -> str:
        return f"{onu.port + 1}.{onu.onu_id + 1}"

    def _if_index(self, onu: SimulatedOnu) -> int:
        return _ONU_INTERFACES + onu.port * 256 + onu.onu_id

    def _put_port(self, port: int) -> None:
        onus = [onu for onu in self.onus.values() if onu.port == port]
        self._put_interface(
            _ETHERNET_PORTS + 1 + port,
            name=f"{self.kind}0/{port + 1}",
            descr=" ",
            kind=1,
            up=any(onu.online for onu in onus),
            octets=sum(onu.up_bytes for onu in onus),
        )
        number = port + 1
        self.mib.put_integer(f"{PORT_OPTICS}.1.{number}", number)
        self.mib.put_octets(f"{PORT_OPTICS}.2.{number}", b"27.84 .C")
        self.mib.put_octets(f"{PORT_OPTICS}.3.{number}", b"3.22 V")
        self.mib.put_octets(f"{PORT_OPTICS}.4.{number}", b"7.01 mA")
        self.mib.put_octets(f"{self.port_tx}.{number}", b"6.56 dbm")

    def _put_onu_interface(self, onu: SimulatedOnu) -> None:
        name = self.onu_name(onu)
        self._put_interface(
            self._if_index(onu), name=name, descr=name, kind=1, up=onu.online, octets=onu.up_bytes
        )

    def _remove_row(self, onu: SimulatedOnu, columns: tuple[str, ...]) -> None:
        for column in columns:
            self.mib.remove(f"{column}.{self._row(onu)}")
        for number in (2, 3, 7, 8):
            self.mib.remove(f"{IF_TABLE}.{number}.{self._if_index(onu)}")
        for number in (1, 6, 10):
            self.mib.remove(f"{IF_X_TABLE}.{number}.{self._if_index(onu)}")


_GPON_ROW = (
    *(f"{GPON}.{column}" for column in ("2.1.5", "4.1.14", "4.1.24", "1.1.5", "12.1.3")),
    *(f"{GPON}.3.1.{column}" for column in range(3, 8)),
)


class VsolGponOlt(VsolOlt):
    """A V1600G: an ONU is restarted, removed, enabled and disabled by SET of three shared scalars."""

    sys_descr = "V1600G1-B"
    serial_vendor = b"GPON"
    port_tx = f"{OTHER_PORT_OPTICS}.5"

    def _put_port(self, port: int) -> None:
        super()._put_port(port)
        count = sum(onu.port == port for onu in self.onus.values())
        self.mib.put_integer(f"{GPON}.18.1.2.{port + 1}", count)

    def _put_onu(self, onu: SimulatedOnu) -> None:
        row = self._row(onu)
        put, text = self.mib.put_integer, self.mib.put_octets
        text(f"{GPON}.2.1.5.{row}", onu.serial_text.encode())
        text(f"{GPON}.4.1.14.{row}", b"V2802GW")
        text(f"{GPON}.4.1.24.{row}", onu.description.encode())
        put(f"{GPON}.1.1.5.{row}", _WORKING if onu.online else _PHASES.get(onu.down_cause, _OFFLINE))
        put(f"{GPON}.12.1.3.{row}", onu.distance_m if onu.online else 0)
        for column, value in (
            (3, f"{onu.temperature_c:.2f}"),
            (4, f"{onu.millivolts / 1000:.2f}"),
            (5, f"{onu.bias_ma:.2f}"),
            (6, f"{onu.tx_dbm:.2f}"),
            (7, f"{onu.rx_dbm:.2f}"),
        ):
            text(f"{GPON}.3.1.{column}.{row}", value.encode() if onu.online else b"-")
        self._put_onu_interface(onu)

    def _remove_onu(self, onu: SimulatedOnu) -> None:
        self._remove_row(onu, _GPON_ROW)

    def write(self, pairs: Writes) -> tuple[int, int]:
        cells = dict(pairs)
        for position, (oid, value) in enumerate(pairs, start=1):
            if oid not in (ACTION_PON, ACTION_ONU, ACTION):
                return NOT_WRITABLE, position
            if not isinstance(value, int):
                return WRONG_TYPE, position
        pon, number, action = (cells.get(oid) for oid in (ACTION_PON, ACTION_ONU, ACTION))
        if action not in (REBOOT, DELETE, ENABLE, DISABLE):
            return WRONG_VALUE, len(pairs)
        key = (int(pon or 0) - 1, int(number or 0) - 1)
        if key not in self.onus:
            return NO_CREATION, len(pairs)
        if action == DELETE:
            self.remove_onu(*key)
            return 0, 0
        onu = self.onus[key]
        onu.online = action != DISABLE
        onu.down_cause = 9 if action == REBOOT else 7
        self.put_onu(onu)
        return 0, 0


class VsolEponOlt(VsolOlt):
    """A V1600D: ONUs are known by their address, powers come in two units."""

    sys_descr = "V1600D"
    kind = "EPON"
    serial_vendor = b"\x00\x1d"
    list = f"{EPON}.1.29.1"

    def onu_name(self, onu: SimulatedOnu) -> str:
        return f"EPON0/{onu.port + 1}:{onu.onu_id + 1}"

    def add_waiting(self, port: int, serial: bytes, *, number: int = 1) -> None:
        """Show an ONU that nobody has authorised; `serial` is its address."""
        self.mib.put_integer(f"{EPON}.1.13.1.2.{number}", port + 1)
        self.mib.put_octets(f"{EPON}.1.13.1.3.{number}", serial.hex(":").encode())

    def _put_onu(self, onu: SimulatedOnu) -> None:
        row = self._row(onu)
        put, text = self.mib.put_integer, self.mib.put_octets
        put(f"{self.list}.4.{row}", 1 if onu.online else 0)
        text(f"{self.list}.5.{row}", onu.serial.hex(":").encode())
        text(f"{self.list}.9.{row}", onu.description.encode())
        self._put_details(onu, row)
        put(f"{EPON}.1.20.1.3.{row}", onu.up_bytes, ber.COUNTER64)
        put(f"{EPON}.1.20.1.10.{row}", onu.down_bytes, ber.COUNTER64)
        for column, value in (
            (3, f"{onu.temperature_c:.2f} C"),
            (4, f"{onu.millivolts / 1000:.2f} V"),
            (5, f"{onu.bias_ma:.2f} mA"),
            (6, _two_units(onu.tx_dbm)),
            (7, _two_units(onu.rx_dbm)),
        ):
            text(f"{EPON}.2.1.8.1.{column}.{row}", value.encode() if onu.online else b"N/A")
        self._put_onu_interface(onu)

    def _put_details(self, onu: SimulatedOnu, row: str) -> None:
        self.mib.put_octets(f"{self.list}.6.{row}", b"V2801")
        self.mib.put_integer(f"{self.list}.15.{row}", 1 if onu.down_cause == 13 else 0)
        self.mib.put_integer(f"{self.list}.17.{row}", onu.distance_m if onu.online else 0)

    def _remove_onu(self, onu: SimulatedOnu) -> None:
        columns = (
            *(f"{self.list}.{column}" for column in (4, 5, 6, 9, 15, 17)),
            *(f"{EPON}.1.20.1.{column}" for column in (3, 10)),
            *(f"{EPON}.2.1.8.1.{column}" for column in range(3, 8)),
        )
        self._remove_row(onu, columns)

    def write(self, pairs: Writes) -> tuple[int, int]:
        return NOT_WRITABLE, 1


class VsolOtherEponOlt(VsolEponOlt):
    """A V1600D2, whose firmware fills another list with less in it."""

    list = f"{EPON}.1.25.1"

    def _put_details(self, onu: SimulatedOnu, row: str) -> None:
        """Say nothing more."""


def _two_units(dbm: float) -> str:
    """Write a power as "0.03 mW (-14.61 dBm)"."""
    return f"{10 ** (dbm / 10):.2f} mW ({dbm:.2f} dBm)"
