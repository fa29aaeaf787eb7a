"""C-Data FD16xx and FD12xx: one number per ONU, hundredths as units."""

from hardware.drivers import AdminState, DownCause, RunStatus
from hardware.drivers.base import Place
from tests.hardware.drivers.golden.shape import Cell, Golden, Refused

_PORTS = [
    ("1310721", "gpon 0/0/1", Place("0/0/1", number=1310721)),
    ("16780544", "pon0/0/1", Place("0/0/1", number=16780544)),
    ("16780544", "epon 0/0/16", Place("0/0/16", number=16780544)),
    ("524289", "ge 0/0/1", None),
    ("16778496", "ge0/0/5-uplink", None),
    ("16779520", "xge0/0/1", None),
    ("1", None, None),
]
_ONUS = [
    ("4718593", Place("0/0/1/1", pon_port="0/0/1", number=1)),  # 0x480001
    ("4722689", Place("0/0/2/1", pon_port="0/0/2", number=1)),
    ("4747392", Place("0/0/8/128", pon_port="0/0/8", number=128)),
    # Which port that is, its interface's name says; see test_cdata.py.
    ("16779266", Place("#16779266")),  # 0x1000802
    ("4718592", None),  # The port itself.
    ("16779264", None),
    ("1310721", None),
    ("4718593.0.0", None),
    ("0", None),
]
_SHARED_CELLS: list[Cell] = [
    ("port.name", b"gpon 0/0/1", "gpon 0/0/1"),
    ("port.is_up", 1, True),
    ("port.is_up", 2, False),
    ("port.up_bytes", 12, 12),
    ("port.down_bytes", 13, 13),
    ("onu.description", b"gpon 0/0/1 onu 1 Mill St 4", "Mill St 4"),
    ("onu.description", b"gpon 0/0/1 onu 1", None),
    ("onu.description", b"gpon 0/0/1 onu 12 \x00\x00", None),
    ("onu.description", b"Mill St 4", "Mill St 4"),
    ("onu.admin_state", 1, AdminState.ACTIVE),
    ("onu.admin_state", 2, AdminState.INACTIVE),
    ("onu.run_status", 1, RunStatus.ONLINE),
    ("onu.run_status", 2, RunStatus.OFFLINE),
    ("onu.run_status", 3, RunStatus.UNKNOWN),
    ("onu.distance_m", 14323, 14323),
    ("onu.distance_m", 0, None),
    ("onu.rx_power_dbm", -2495, -24.95),
    ("onu.rx_power_dbm", 65535, None),
    ("onu.rx_power_dbm", -4000, None),
    ("onu.rx_power_dbm", -1, None),
    ("onu.rx_power_dbm", b"-", None),
    ("onu.tx_power_dbm", 243, 2.43),
    ("onu.olt_rx_power_dbm", -1029, -10.29),
    ("onu.olt_rx_power_dbm", -4000, None),
]
_GPON_CELLS: list[Cell] = [
    *_SHARED_CELLS,
    ("onu.serial", bytes.fromhex("58504F4E502CEBD2"), "XPON502CEBD2"),
    ("onu.serial", b"XPON502CEBD2", "XPON502CEBD2"),
    ("onu.model", b"F609V5.3", "F609V5.3"),
    ("onu.last_down_cause", b"LOS", DownCause.LOS),
    ("onu.last_down_cause", b"losi", DownCause.LOS),
    ("onu.last_down_cause", b"dying-gasp", DownCause.DYING_GASP),
    ("onu.last_down_cause", b"deactive", DownCause.UNKNOWN),
    ("onu.last_down_cause", b"--", None),
    ("onu.last_down_cause", b"", None),
    ("onu.bias_ma", 1250, 12.5),
    ("onu.voltage_v", 316, 3.16),
    ("onu.voltage_v", 316_000, 3.16),  # Older firmware.
    ("onu.voltage_v", 65535, None),
    ("onu.temperature_c", 4550, 45.5),
    ("waiting.serial", bytes.fromhex("58504F4E502CEBD2"), "XPON502CEBD2"),
    ("waiting.equipment_id", b"F609V5.3", "F609V5.3"),
    ("waiting.software", b"V5.2.10", "V5.2.10"),
]
_REFUSED: list[Refused] = [
    ("onu.serial", b""),
    ("onu.rx_power_dbm", 2147483646),
    ("onu.rx_power_dbm", b"weak"),
]
_WAITING_REFUSED: list[Refused] = [*_REFUSED, ("onu.last_down_cause", 7), ("onu.voltage_v", 2**40)]
_OPTICS = ("rx_power_dbm", "tx_power_dbm", "bias_ma", "voltage_v", "temperature_c")


def _rows(fields, *, end: str, old_end: str) -> list:
    return [
        *((f"onu.{field}", f"4718593.{end}", "4718593") for field in fields),
        *((f"onu.{field}", f"16780546.{old_end}", "16780546") for field in fields),
        ("onu.rx_power_dbm", "4718593", None),
    ]


GOLDEN = {
    "cdata-gpon": Golden(
        cells=_GPON_CELLS,
        refused=_WAITING_REFUSED,
        onus=_ONUS,
        ports=_PORTS,
        rows=_rows(_OPTICS, end="0.0", old_end="0.0"),
    ),
    "cdata-gpon-port": Golden(
        cells=_GPON_CELLS,
        refused=_WAITING_REFUSED,
        onus=_ONUS,
        ports=_PORTS,
        rows=_rows(_OPTICS, end="0.1310721", old_end="0.16780544"),
    ),
    "cdata-epon": Golden(
        cells=[
            *_SHARED_CELLS,
            ("onu.serial", bytes.fromhex("E067B3ABCDEF"), "E067B3ABCDEF"),
        ],
        refused=_REFUSED,
        onus=_ONUS,
        ports=_PORTS,
        rows=_rows(_OPTICS[:2], end="0.0", old_end="0.0"),
    ),
}
