"""VSOL V1600G and V1600D: PON.ONU as the index, powers and temperatures as text."""

from hardware.drivers import DownCause, RunStatus
from hardware.drivers.base import Place
from tests.hardware.drivers.golden.shape import Cell, Golden, Refused

_PORTS = [
    ("5", "EPON0/1", Place("0/1", number=5)),
    ("14", "EPON0/10", Place("0/10", number=14)),
    ("5", "GPON01", Place("0/1", number=5)),
    ("8", "EPON0/1:1", None),
    ("8", "GPON01ONU1", None),
    ("1", "GE0/1", None),
    ("pon.1", None, None),
    ("7", "vlan1200", None),
]
_PORT_CELLS: list[Cell] = [
    ("port.name", b"EPON0/1", "EPON0/1"),
    ("port.is_up", 1, True),
    ("port.is_up", 2, False),
    ("port.up_bytes", 12, 12),
    ("port.down_bytes", 13, 13),
    ("port.temperature_c", b"27.84 .C", 27.84),
    ("port.tx_power_dbm", b"6.56 dbm", 6.56),
    ("port.tx_power_dbm", b"0.000", None),
    ("port.other_tx_power_dbm", b"6.560", 6.56),
]
_PORT_ROWS = [
    ("port.temperature_c", "1", "pon.1"),
    ("port.tx_power_dbm", "16", "pon.16"),
    ("port.other_tx_power_dbm", "16", "pon.16"),
    ("port.tx_power_dbm", "1.1", None),
]
_ONUS = [
    ("1.1", Place("0/1/1", pon_port="0/1", number=1)),
    ("16.128", Place("0/16/128", pon_port="0/16", number=128)),
    ("0.1", None),
    ("1.0", None),
    ("1", None),
    ("1.1.1", None),
]
_TEXT_OPTICS = [
    ("onu.temperature_c", b"30.67 C", 30.67),
    ("onu.voltage_v", b"3.27 V", 3.27),
    ("onu.bias_ma", b"11.65 mA", 11.65),
    ("onu.tx_power_dbm", b"2.38 mW (3.77 dBm)", 3.77),
    ("onu.rx_power_dbm", b"0.03 mW (-14.61 dBm)", -14.61),
    ("onu.rx_power_dbm", b"0.00 mW (-27.45 dBm)", -27.45),
    ("onu.rx_power_dbm", b"0.00 mW (-inf dBm)", None),
    ("onu.rx_power_dbm", b"N/A", None),
    ("onu.rx_power_dbm", b"", None),
]
_REFUSED: list[Refused] = [
    ("onu.serial", b""),
    ("onu.serial", 5),
    ("onu.rx_power_dbm", b"0.03 mW (6553.5 dBm)"),
    ("onu.rx_power_dbm", b"1.2.3"),
    ("onu.rx_power_dbm", b"-14.61 dBm or so"),
    ("onu.rx_power_dbm", -14),
]
_EPON_CELLS: list[Cell] = [
    *_PORT_CELLS,
    ("onu.serial", b"00:1d:20:aB:cd:ef", "001D20ABCDEF"),
    ("onu.serial", bytes.fromhex("001D20ABCDEF"), "001D20ABCDEF"),
    ("onu.description", b"Mill St 4", "Mill St 4"),
    ("onu.run_status", 1, RunStatus.ONLINE),
    ("onu.run_status", 0, RunStatus.OFFLINE),
    ("onu.run_status", 2, RunStatus.UNKNOWN),
    ("onu.up_bytes", 5, 5),
    ("onu.down_bytes", 6, 6),
    *_TEXT_OPTICS,
    ("waiting.serial", b"00:1d:20:ab:cd:ef", "001D20ABCDEF"),
    ("waiting.pon_port", 2, "0/2"),
]

GOLDEN = {
    "vsol-gpon": Golden(
        cells=[
            *_PORT_CELLS,
            ("port.onu_count", 32, 32),
            ("onu.serial", b"GPON00112233", "GPON00112233"),
            ("onu.serial", b"gpon001122ab", "GPON001122AB"),
            ("onu.model", b"V2802GW", "V2802GW"),
            ("onu.description", b"Mill St 4", "Mill St 4"),
            *(("onu.run_status", phase, RunStatus.OFFLINE) for phase in range(9) if phase != 3),
            ("onu.run_status", 3, RunStatus.ONLINE),
            ("onu.run_status", 9, RunStatus.UNKNOWN),
            ("onu.last_down_cause", 1, DownCause.LOS),
            ("onu.last_down_cause", 3, None),
            ("onu.last_down_cause", 4, DownCause.DYING_GASP),
            ("onu.last_down_cause", 5, DownCause.REGISTRATION),
            ("onu.last_down_cause", 7, DownCause.ADMIN),
            ("onu.last_down_cause", 6, DownCause.UNKNOWN),
            ("onu.distance_m", 1234, 1234),
            ("onu.distance_m", b"1234", 1234),
            ("onu.distance_m", 0, None),
            ("onu.distance_m", b"-", None),
            ("onu.temperature_c", b"44.25", 44.25),
            ("onu.voltage_v", b"3.30", 3.3),
            ("onu.bias_ma", b"12.10", 12.1),
            ("onu.tx_power_dbm", b"2.51", 2.51),
            ("onu.rx_power_dbm", b"-12.34", -12.34),
            ("onu.rx_power_dbm", b"-19.32(dBm)", -19.32),
            ("onu.rx_power_dbm", b"(dBm)", None),
            ("onu.rx_power_dbm", b"-40.00", None),
            ("onu.rx_power_dbm", b"0.000", None),
            ("onu.rx_power_dbm", b"-", None),
        ],
        refused=_REFUSED,
        onus=_ONUS,
        ports=_PORTS,
        rows=[*_PORT_ROWS, ("port.onu_count", "1", "pon.1")],
    ),
    "vsol-epon": Golden(
        cells=[
            *_EPON_CELLS,
            ("onu.model", b"V2801", "V2801"),
            ("onu.last_down_cause", 0, DownCause.LOS),
            ("onu.last_down_cause", 1, DownCause.DYING_GASP),
            ("onu.last_down_cause", 7, DownCause.UNKNOWN),
            ("onu.distance_m", 1234, 1234),
        ],
        refused=[*_REFUSED, ("waiting.pon_port", 65)],
        onus=_ONUS,
        ports=_PORTS,
        rows=_PORT_ROWS,
    ),
    "vsol-epon-25": Golden(cells=_EPON_CELLS, refused=_REFUSED, onus=_ONUS, ports=_PORTS, rows=_PORT_ROWS),
}
