"""ZTE C300, C320 and C600: two trees, whose phases are one apart."""

from hardware.drivers import AdminState, DownCause, RunStatus
from hardware.drivers.base import Place
from tests.hardware.drivers.golden.shape import Cell, Golden, Refused

_PORTS = [
    ("268435456", "gpon_1/2/1", Place("1/2/1", number=268435456)),  # Not what its number says.
    ("268435456", "gpon-olt_1/1/1", Place("1/1/1", number=268435456)),
    ("285279233", "gpon_olt-1/4/1", Place("1/4/1", number=285279233)),
    ("285279233", "xgpon_olt-1/4/16", Place("1/4/16", number=285279233)),
    ("269418496", "xgei_1/19/1", None),
    ("268632064", "gei_1/4/1", None),
    ("1", "gpon_onu-1/2/1:1", None),
    ("1", None, None),
]


def _cells(*, working: int, software: bool) -> list[Cell]:
    first = working - 3
    return [
        ("port.name", b"gpon_1/2/1", "gpon_1/2/1"),
        ("port.is_up", 1, True),
        ("port.is_up", 2, False),
        ("port.up_bytes", 12, 12),
        ("port.down_bytes", 13, 13),
        ("onu.serial", bytes.fromhex("5A544547C1234567"), "ZTEGC1234567"),
        ("onu.model", b"ZTE-F660", "ZTE-F660"),
        ("onu.description", b"ONU-1:50", "ONU-1:50"),
        ("onu.admin_state", 1, AdminState.ACTIVE),
        ("onu.admin_state", 2, AdminState.INACTIVE),
        ("onu.run_status", first - 1, RunStatus.UNKNOWN),
        *(
            (("onu.run_status", phase, RunStatus.OFFLINE))
            for phase in range(first, first + 7)
            if phase != working
        ),
        ("onu.run_status", working, RunStatus.ONLINE),
        ("onu.run_status", first + 7, RunStatus.UNKNOWN),
        *(("onu.last_down_cause", code, DownCause.LOS) for code in (2, 3, 4)),
        ("onu.last_down_cause", 8, DownCause.REGISTRATION),
        ("onu.last_down_cause", 9, DownCause.DYING_GASP),
        ("onu.last_down_cause", 12, DownCause.RESET),
        ("onu.last_down_cause", 77, DownCause.UNKNOWN),
        ("onu.last_down_cause", 0, None),
        ("onu.distance_m", 3793, 3793),
        ("onu.distance_m", 0, None),
        ("onu.up_bytes", 5, 5),
        ("onu.down_bytes", 6, 6),
        ("onu.rx_power_dbm", 3500, -23.0),
        ("onu.rx_power_dbm", 65535, None),
        ("onu.rx_power_dbm", 65036, -31.0),  # -500 in 16 bits.
        ("onu.rx_power_dbm", -500, -31.0),
        ("onu.tx_power_dbm", 16250, 2.5),
        ("onu.tx_power_dbm", 65535, None),
        ("onu.voltage_v", 165, 3.3),
        ("onu.voltage_v", 65535, None),
        ("onu.bias_ma", 7000, 14.0),
        ("onu.bias_ma", 65535, None),
        ("onu.temperature_c", 11264, 44.0),
        ("onu.temperature_c", 65280, -1.0),
        ("onu.temperature_c", 65535, None),
        ("onu.olt_rx_power_dbm", -21681, -21.68),
        *(("onu.olt_rx_power_dbm", none, None) for none in (-80000, 65535, 65535000)),
        ("waiting.serial", bytes.fromhex("48575443C62B52AF"), "HWTCC62B52AF"),
        ("waiting.equipment_id", b"HG8145X6-10", "HG8145X6-10"),
        *([("waiting.software", b"V5R022C00S266", "V5R022C00S266")] if software else []),
    ]


_REFUSED: list[Refused] = [
    ("onu.serial", b"1,ZTEGC1234567"),
    ("onu.rx_power_dbm", 65536),
    ("onu.rx_power_dbm", 32767),  # 35 dBm
    ("onu.rx_power_dbm", 40000),  # -81 dBm
    ("onu.temperature_c", -32768),  # -128 degrees
    ("onu.olt_rx_power_dbm", -2147483648),
    ("onu.run_status", b"working"),
    ("onu.distance_m", -7),
]
_OPTICS_ROWS = [
    (f"onu.{field}", index, row)
    for field in ("rx_power_dbm", "tx_power_dbm", "voltage_v", "bias_ma", "temperature_c")
    for index, row in (("268501248.11.1", "268501248.11"), ("268501248.11.2", None), ("268501248.1", None))
]
_ONUS_1082 = [
    ("285278465.1", Place("1/1/1/1", pon_port="1/1/1", number=1)),  # 0x11010101
    ("285278721.128", Place("1/2/1/128", pon_port="1/2/1", number=128)),
    ("268501248.1", None),  # The other tree's number.
    ("285278465.5000", None),
    ("285278465", None),
]
_WAITING_1082 = [("285279504.1", "1/5/16"), ("268501248.1", None), ("285279504", None)]

GOLDEN = {
    "zte-1012": Golden(
        cells=_cells(working=3, software=False),
        refused=_REFUSED,
        onus=[
            ("268501248.3", Place("1/1/1/3", pon_port="1/1/1", number=3)),  # 0x10010100
            ("268569088.1", Place("1/2/10/1", pon_port="1/2/10", number=1)),  # 0x10020A00
            ("285344000.1", Place("2/2/1/1", pon_port="2/2/1", number=1)),
            ("285278465.1", None),  # The other tree's number.
            ("268501248", None),
            ("268501248.1.1", None),
        ],
        ports=_PORTS,
        waiting=[("268569088.2", "1/2/10"), ("285279504.1", None), ("268569088", None)],
        rows=_OPTICS_ROWS,
    ),
    "zte-1082": Golden(
        cells=_cells(working=4, software=True),
        refused=_REFUSED,
        onus=_ONUS_1082,
        ports=_PORTS,
        waiting=_WAITING_1082,
        rows=_OPTICS_ROWS,
    ),
    "zte-c600": Golden(
        cells=_cells(working=4, software=True),
        refused=_REFUSED,
        onus=_ONUS_1082,
        ports=_PORTS,
        waiting=_WAITING_1082,
        rows=_OPTICS_ROWS,
    ),
}
