"""BDCOM GP3600 and P3310: sub-interfaces as ONUs, tenths and 256ths as units."""

from hardware.drivers import DownCause, RunStatus
from hardware.drivers.base import Place
from tests.hardware.drivers.golden.shape import Cell, Golden

_PORTS = [
    ("111", "GPON0/2", Place("0/2", number=111)),
    ("125", "GPON0/16", Place("0/16", number=125)),
    ("9", "EPON0/1", Place("0/1", number=9)),
    ("1179", "GPON0/2:1", None),
    ("97", "GigaEthernet0/1", None),
    ("105", "TGigaEthernet0/1", None),
    ("111", None, None),
]
# The number alone says nothing; see test_bdcom.py for what the interface's name adds.
_ONUS = [("1179", Place("#1179")), ("0", None), ("1179.1", None), ("", None)]
_INTERFACE_CELLS: list[Cell] = [
    ("port.name", b"GPON0/2", "GPON0/2"),
    ("port.alias", b"Mill St 4", "Mill St 4"),
    ("port.alias", b"", None),
    ("port.is_up", 1, True),
    ("port.is_up", 2, False),
    ("port.up_bytes", 12, 12),
    ("port.down_bytes", 13, 13),
    ("port.temperature_c", 34 * 256, 34.0),
    ("port.temperature_c", -65535, None),
    ("port.tx_power_dbm", 45, 4.5),
    ("port.tx_power_dbm", 2147483648, None),
]
_ONU_CELLS: list[Cell] = [
    *(("onu.run_status", state, RunStatus.OFFLINE) for state in (0, 1, 2, 4, 5)),
    ("onu.run_status", 3, RunStatus.ONLINE),
    ("onu.run_status", 6, RunStatus.UNKNOWN),
    ("onu.rx_power_dbm", -226, -22.6),
    ("onu.rx_power_dbm", -65535, None),
    ("onu.rx_power_dbm", 2147483648, None),
    ("onu.rx_power_dbm", -2147483648, None),
    ("onu.rx_power_dbm", 0, None),
    ("onu.tx_power_dbm", 24, 2.4),
    ("onu.olt_rx_power_dbm", -241, -24.1),
]

GOLDEN = {
    "bdcom-gpon": Golden(
        cells=[
            *_INTERFACE_CELLS,
            ("port.active_count", 43, 43),
            ("port.inactive_count", 8, 8),
            *_ONU_CELLS,
            ("onu.serial", b"HWTC:12345678", "HWTC12345678"),
            ("onu.serial", b"HWTC12345678", "HWTC12345678"),
            ("onu.model", b"GP1702-1G", "GP1702-1G"),
            ("onu.distance_m", 12345, 1234),
            ("onu.distance_m", 0, None),
            *(("onu.last_down_cause", code, DownCause.LOS) for code in (6, 7, 8, 16, 19)),
            *(("onu.last_down_cause", code, DownCause.ADMIN) for code in (3, 14)),
            *(("onu.last_down_cause", code, DownCause.REGISTRATION) for code in (9, 10, 11, 13)),
            ("onu.last_down_cause", 1, DownCause.DYING_GASP),
            ("onu.last_down_cause", 2, DownCause.ROGUE),
            ("onu.last_down_cause", 12, DownCause.RESET),
            ("onu.last_down_cause", 5, DownCause.UNKNOWN),
            ("onu.last_down_cause", 0, None),
            ("waiting.serial", b"HWTC:12345678", "HWTC12345678"),
            ("waiting.reason", 1, 1),
        ],
        refused=[
            ("onu.serial", b"HWTC"),
            ("onu.serial", b"HWTC\x12\x34\x56\x78"),
            ("onu.rx_power_dbm", 65536),
            ("onu.distance_m", 4294967295),
        ],
        onus=_ONUS,
        ports=_PORTS,
        rows=[("onu.olt_rx_power_dbm", "111.1", None)],
    ),
    "bdcom-epon": Golden(
        cells=[
            *_INTERFACE_CELLS,
            *_ONU_CELLS,
            ("onu.serial", bytes.fromhex("FCFA20ABCDEF"), "FCFA20ABCDEF"),
            ("onu.model", b"1501", "1501"),
            ("onu.distance_m", 1234, 1234),
            ("onu.distance_m", 0, None),
            ("onu.temperature_c", 11264, 44.0),
            ("onu.voltage_v", 33_000, 3.3),
        ],
        refused=[("onu.serial", b"FCFA2"), ("onu.rx_power_dbm", 65536)],
        onus=_ONUS,
        ports=_PORTS,
        rows=[("onu.olt_rx_power_dbm", "111.1", None)],
    ),
}
