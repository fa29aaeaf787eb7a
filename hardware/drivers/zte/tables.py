"""The columns of ZTE's two trees."""

from collections.abc import Callable

from hardware.drivers.cards import CARD_COLUMNS
from hardware.drivers.cells import counter, enumerated, gpon_serial, is_up, power, scaled, text, whole
from hardware.drivers.columns import Column, Pass, Table
from hardware.drivers.findings import AdminState, DownCause
from hardware.drivers.zte.cells import (
    DOWN_CAUSES,
    NO_OLT_RX,
    NO_OPTICS,
    decode_celsius,
    decode_onu_power,
    instance_of_optics,
    row_of_optics,
    run_status,
)
from hardware.snmp.transport import Value

ZTE = "1.3.6.1.4.1.3902"
IF_TABLE, IF_X_TABLE = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"

# ZTE-AN-GPON-MIB as firmware 1.2 has it, on some boxes 2.1 too.
V1_CONFIG, V1_STATE = f"{ZTE}.1012.3.28.1.1", f"{ZTE}.1012.3.28.2.1"
V1_OPTICS, V1_RANGING = f"{ZTE}.1012.3.50.12.1.1", f"{ZTE}.1012.3.11.4.1"
V1_OLT_RX, V1_COUNTERS = f"{ZTE}.1015.1010.11.2.1.2", f"{ZTE}.1015.1010.5.56.1.1"
V1_WAITING = f"{ZTE}.1012.3.13.3.1"

# The same as firmware 2.1 and the C6xx have it.
V2_CONFIG, V2_STATE = f"{ZTE}.1082.500.10.2.3.3.1", f"{ZTE}.1082.500.10.2.3.8.1"
V2_OPTICS, V2_RANGING = f"{ZTE}.1082.500.20.2.2.2.1", f"{ZTE}.1082.500.10.2.3.10.1"
V2_OLT_RX, V2_COUNTERS = f"{ZTE}.1082.500.1.2.4.2.1.2", f"{ZTE}.1082.500.4.2.2.2.1"
V2_REBOOT = f"{ZTE}.1082.500.20.2.1.10.1.1"
# Below 1082 the C3xx and the C6xx list the ONUs that nobody has authorised in different tables.
C320_WAITING, C600_WAITING = f"{ZTE}.1082.500.10.2.2.5.1", f"{ZTE}.1082.500.2.2.11.2.1"

# Every ONU is asked over the fibre for these.
OPTICS_PATIENCE = 3.0

Decoder = Callable[[Value], float | None]

_ADMIN_STATES = {1: AdminState.ACTIVE, 2: AdminState.INACTIVE}

_down_cause = enumerated(DOWN_CAUSES, otherwise=DownCause.UNKNOWN, none=(0, -1))


# The ifIndex cannot be computed from the slot (recorded): ports are known by their name.
_PORTS = (
    Column(Table.PORT, "name", f"{IF_X_TABLE}.1", Pass.INVENTORY, text),
    Column(Table.PORT, "is_up", f"{IF_TABLE}.8", Pass.STATUS, is_up),
    Column(Table.PORT, "up_bytes", f"{IF_X_TABLE}.6", Pass.STATUS, counter),
    Column(Table.PORT, "down_bytes", f"{IF_X_TABLE}.10", Pass.STATUS, counter),
)


def _onus(
    *,
    config: str,
    serial: int,
    state: str,
    working: int,
    ranging: str,
    counters: tuple[str, str],
    optics: str,
    olt_rx: str,
) -> tuple[Column, ...]:
    def reading(field: str, column: int, decode: Decoder) -> Column:
        return Column(
            Table.ONU,
            field,
            f"{optics}.{column}",
            Pass.OPTICS,
            decode,
            OPTICS_PATIENCE,
            row_of_optics,
            instance_of_optics,
        )

    return (
        Column(Table.ONU, "serial", f"{config}.{serial}", Pass.INVENTORY, gpon_serial),
        Column(Table.ONU, "model", f"{config}.1", Pass.INVENTORY, text),
        # The name; the description beside it holds other systems' notes, parted by "$$" (Cacti #2867).
        Column(Table.ONU, "description", f"{config}.2", Pass.INVENTORY, text),
        Column(Table.ONU, "admin_state", f"{state}.1", Pass.INVENTORY, enumerated(_ADMIN_STATES)),
        Column(Table.ONU, "run_status", f"{state}.4", Pass.STATUS, run_status(working)),
        Column(Table.ONU, "last_down_cause", f"{state}.7", Pass.STATUS, _down_cause),
        Column(Table.ONU, "distance_m", f"{ranging}.2", Pass.STATUS, whole(high=100_000, none=(-1, 0))),
        Column(Table.ONU, "up_bytes", counters[0], Pass.STATUS, counter),
        Column(Table.ONU, "down_bytes", counters[1], Pass.STATUS, counter),
        reading("rx_power_dbm", 10, decode_onu_power),
        reading("tx_power_dbm", 14, decode_onu_power),
        # Steps of 20 mV and 2 uA (switcher-core; unverified).
        reading("voltage_v", 17, scaled(0.02, low=0, high=50, none=(NO_OPTICS,))),
        reading("bias_ma", 18, scaled(0.002, low=0, high=500, none=(NO_OPTICS,))),
        reading("temperature_c", 19, decode_celsius),
        Column(Table.ONU, "olt_rx_power_dbm", olt_rx, Pass.OPTICS, power(0.001, none=NO_OLT_RX)),
    )


def _waiting(table: str, *, serial: int, equipment_id: int, software: int | None) -> tuple[Column, ...]:
    columns = [
        Column(Table.WAITING, "serial", f"{table}.{serial}", Pass.WAITING, gpon_serial),
        Column(Table.WAITING, "equipment_id", f"{table}.{equipment_id}", Pass.WAITING, text),
    ]
    if software is not None:
        columns.append(Column(Table.WAITING, "software", f"{table}.{software}", Pass.WAITING, text))
    return tuple(columns)


_V1_ONUS = _onus(
    config=V1_CONFIG,
    serial=5,
    state=V1_STATE,
    working=3,
    ranging=V1_RANGING,
    # Which of the two comes from the subscriber is unverified.
    counters=(f"{V1_COUNTERS}.2", f"{V1_COUNTERS}.3"),
    optics=V1_OPTICS,
    olt_rx=V1_OLT_RX,
)
_V2_ONUS = _onus(
    config=V2_CONFIG,
    serial=6,
    state=V2_STATE,
    working=4,
    ranging=V2_RANGING,
    # zxAnPonOnuIfRxOctets, TxOctets: taken as the OLT's side of the ONU's interface (unverified).
    counters=(f"{V2_COUNTERS}.1", f"{V2_COUNTERS}.44"),
    optics=V2_OPTICS,
    olt_rx=V2_OLT_RX,
)

C300_COLUMNS = (
    *_PORTS,
    *_V1_ONUS,
    *_waiting(V1_WAITING, serial=2, equipment_id=10, software=None),
    *CARD_COLUMNS,
)
C320_V2_COLUMNS = (
    *_PORTS,
    *_V2_ONUS,
    *_waiting(C320_WAITING, serial=2, equipment_id=7, software=8),
    *CARD_COLUMNS,
)
C600_COLUMNS = (
    *_PORTS,
    *_V2_ONUS,
    *_waiting(C600_WAITING, serial=2, equipment_id=8, software=10),
    *CARD_COLUMNS,
)
