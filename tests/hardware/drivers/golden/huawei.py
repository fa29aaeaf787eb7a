"""Huawei SmartAX: examples of HUAWEI-XPON-MIB, mostly seen in recordings."""

from hardware.drivers import AdminState, DownCause, RunStatus
from hardware.drivers.base import Place
from tests.hardware.drivers.golden.shape import Golden

INVALID = 2147483647
_OPTICS = ("rx_power_dbm", "tx_power_dbm", "olt_rx_power_dbm", "voltage_v", "temperature_c", "bias_ma")

GOLDEN = {
    "huawei": Golden(
        cells=[
            ("port.name", b"GPON 0/1/0", "GPON 0/1/0"),
            ("port.is_up", 1, True),
            ("port.is_up", 2, False),
            ("port.onu_count", 35, 35),
            ("port.up_bytes", 136888321822, 136888321822),
            ("port.down_bytes", 722546186186, 722546186186),
            ("port.temperature_c", 28, 28),
            ("port.tx_power_dbm", 711, 7.11),
            ("port.tx_power_dbm", INVALID, None),
            ("onu.serial", bytes.fromhex("485754439A000FFF"), "HWTC9A000FFF"),
            ("onu.serial", bytes.fromhex("414E4F4E00000001"), "ANON00000001"),
            ("onu.serial", b"HWTCabcd", "HWTC61626364"),  # Printable by chance, still four octets.
            ("onu.serial", bytes(8), "0000000000000000"),
            ("onu.line_profile", b"line-profile_100M", "line-profile_100M"),
            ("onu.service_profile", b"", None),
            ("onu.service_profile", b"srv", "srv"),
            ("onu.description", b"Mill St 4", "Mill St 4"),
            ("onu.description", "Calle Ñ".encode("latin-1"), "Calle Ñ"),
            ("onu.description", "Calle Ñ".encode(), "Calle Ñ"),
            ("onu.description", b"a\x00b\r\n", "ab"),
            ("onu.description", b"", None),
            ("onu.admin_state", 1, AdminState.ACTIVE),
            ("onu.admin_state", 2, AdminState.INACTIVE),
            ("onu.run_status", 1, RunStatus.ONLINE),
            ("onu.run_status", 2, RunStatus.OFFLINE),
            ("onu.run_status", -1, RunStatus.UNKNOWN),
            ("onu.distance_m", 4321, 4321),
            ("onu.distance_m", 0, None),
            ("onu.distance_m", -1, None),
            ("onu.last_down_cause", 2, DownCause.LOS),
            ("onu.last_down_cause", 13, DownCause.DYING_GASP),
            ("onu.last_down_cause", 8, DownCause.ADMIN),
            ("onu.last_down_cause", 99, DownCause.UNKNOWN),
            ("onu.last_down_cause", -1, None),
            ("onu.up_bytes", 2**64 - 1, 2**64 - 1),
            ("onu.down_bytes", 0, 0),
            ("onu.rx_power_dbm", -1414, -14.14),
            ("onu.tx_power_dbm", 213, 2.13),
            ("onu.olt_rx_power_dbm", 8064, -19.36),
            ("onu.olt_rx_power_dbm", 8775, -12.25),
            ("onu.voltage_v", 3220, 3.22),
            ("onu.temperature_c", 41, 41),
            ("onu.bias_ma", 19, 19),
            *((f"onu.{field}", INVALID, None) for field in _OPTICS),
            ("waiting.serial", bytes.fromhex("485754439A000FFF"), "HWTC9A000FFF"),
            ("waiting.software", b"V5R019C00S050", "V5R019C00S050"),
            ("waiting.equipment_id", b"EG8145V5", "EG8145V5"),
        ],
        refused=[
            ("onu.rx_power_dbm", b"-14.14"),
            ("onu.rx_power_dbm", 65535),
            ("onu.distance_m", 2**31),
            ("onu.serial", b"HWTC"),
            ("onu.serial", 7),
            ("onu.up_bytes", -1),
            ("onu.description", 7),
        ],
        onus=[
            ("4194312192.3", Place("0/1/0/3", pon_port="0/1/0", number=3)),
            ("4194345216.14", Place("0/5/1/14", pon_port="0/5/1", number=14)),
            ("4194345216", None),
            ("4194345216.1.2", None),
            ("234938432.1", None),  # Ethernet 0/7/1
        ],
        ports=[
            ("4194312192", None, Place("0/1/0", number=4194312192)),
            ("234938432", "ethernet0/7/1", None),
        ],
        waiting=[("4194312192.1", "0/1/0"), ("264.1", None)],
    )
}
