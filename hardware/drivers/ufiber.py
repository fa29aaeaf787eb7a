"""Ubiquiti UFiber OLT: the ONU and port tables below 41112.1.5, as recorded from a UF-OLT with 29 ONUs.

Read-only by SNMP; provisioning is by the box's web interface or CLI.
"""

from typing import ClassVar

from hardware.drivers.base import Driver, Place
from hardware.drivers.cells import BadCellError, counter, enumerated, integer, is_up, power, text
from hardware.drivers.columns import Column, Pass, Table
from hardware.drivers.findings import RunStatus
from hardware.drivers.provisioning import Capability
from hardware.snmp.transport import Value

UFIBER = "1.3.6.1.4.1.41112.1.5"
ONUS, PORTS = f"{UFIBER}.6.2.1", f"{UFIBER}.7.2.1"

# The XGS model answers under Broadcom's number; only its description tells (LibreNMS os_detection).
_XGS_SYSTEM, _XGS_DESCRIPTION = "1.3.6.1.4.1.4413", "UISP Fiber OLT XGS"
# No light is no reading: offline ONUs show exactly 0 (recorded).
_DARK = (0,)
_RUN_STATES = {1: RunStatus.ONLINE, 2: RunStatus.OFFLINE}


def decode_serial(value: Value) -> str | None:
    """Write the serial like every other vendor's: UBNT20731f09 is UBNT20731F09."""
    serial = text(value)
    if serial is None or len(serial) != 12:
        raise BadCellError(f"not a serial: {value!r}"[:80])
    return serial.upper()


def decode_pon_port(value: Value) -> str | None:
    """Name the port by its number; 0 is an ONU that is on none, because it is offline (recorded)."""
    number = integer(value)
    if not 0 <= number < 256:
        raise BadCellError(f"not a port: {number}")
    return str(number) if number else None


class UfiberDriver(Driver):
    vendor: ClassVar[str] = "ufiber"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.OPTICS, Capability.COUNTERS})
    columns: ClassVar[tuple[Column, ...]] = (
        Column(Table.PORT, "name", f"{PORTS}.2", Pass.INVENTORY, text),
        Column(Table.PORT, "is_up", f"{PORTS}.3", Pass.STATUS, is_up),
        # Direction by sums: the PON ports' .6 add up to what the uplink's .7 received (recorded).
        Column(Table.PORT, "down_bytes", f"{PORTS}.6", Pass.STATUS, counter),
        Column(Table.PORT, "up_bytes", f"{PORTS}.7", Pass.STATUS, counter),
        Column(Table.ONU, "serial", f"{ONUS}.1", Pass.INVENTORY, decode_serial),
        Column(Table.ONU, "description", f"{ONUS}.2", Pass.INVENTORY, text),
        Column(
            Table.ONU,
            "run_status",
            f"{ONUS}.3",
            Pass.STATUS,
            enumerated(_RUN_STATES, otherwise=RunStatus.UNKNOWN),
        ),
        Column(Table.ONU, "model", f"{ONUS}.4", Pass.INVENTORY, text),
        Column(Table.ONU, "pon_port", f"{ONUS}.5", Pass.STATUS, decode_pon_port),
        Column(Table.ONU, "tx_power_dbm", f"{ONUS}.8", Pass.OPTICS, power(none=_DARK)),
        Column(Table.ONU, "rx_power_dbm", f"{ONUS}.9", Pass.OPTICS, power(none=_DARK)),
        # The larger of the two is taken for the direction to the subscriber, as for the ports.
        Column(Table.ONU, "down_bytes", f"{ONUS}.10", Pass.STATUS, counter),
        Column(Table.ONU, "up_bytes", f"{ONUS}.11", Pass.STATUS, counter),
    )

    def matches(self, sys_object_id: str, sys_descr: str) -> bool:
        if sys_object_id == UFIBER or sys_object_id.startswith(f"{UFIBER}."):
            return True
        return sys_object_id.startswith(_XGS_SYSTEM) and _XGS_DESCRIPTION in sys_descr

    def place_port(self, index: str, name: str | None) -> Place | None:
        """Know a PON port by its name: the table also holds eth0, lag1 and the uplinks."""
        number = (name or "").removeprefix("pon")
        return Place(index=number) if number.isdecimal() else None

    def place_onu(self, index: str) -> Place | None:
        """Decode the index 12.c1...c12, the serial's characters; there is no ONU id."""
        arcs = index.split(".")
        if (
            len(arcs) != 13
            or arcs[0] != "12"
            or not all(arc.isdecimal() and 32 < int(arc) < 127 for arc in arcs[1:])
        ):
            return None
        return Place(index="".join(chr(int(arc)) for arc in arcs[1:]).upper())

    def onu_row(self, index: str, serial: str) -> str | None:
        """Spell the serial as the box does: letters as they are, then the number in small hex (recorded)."""
        if len(index) != 12 or not index.isascii():
            return None
        return ".".join(["12", *(str(ord(letter)) for letter in index[:4] + index[4:].lower())])
