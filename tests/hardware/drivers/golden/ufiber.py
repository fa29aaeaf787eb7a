"""Ubiquiti UFiber: examples of its own tables, as recorded."""

from hardware.drivers import RunStatus
from hardware.drivers.base import Place
from tests.hardware.drivers.golden.shape import Golden

GOLDEN = {
    "ufiber": Golden(
        cells=[
            ("port.name", b"pon1", "pon1"),
            ("port.is_up", 1, True),
            ("port.is_up", 2, False),
            ("port.down_bytes", 12, 12),
            ("port.up_bytes", 11, 11),
            ("onu.serial", b"UBNT20731f09", "UBNT20731F09"),
            ("onu.description", b"Mill St 4", "Mill St 4"),
            ("onu.run_status", 1, RunStatus.ONLINE),
            ("onu.run_status", 2, RunStatus.OFFLINE),
            ("onu.run_status", 3, RunStatus.UNKNOWN),
            ("onu.model", b"NanoG", "NanoG"),
            ("onu.pon_port", 5, "5"),
            ("onu.pon_port", 0, None),
            ("onu.tx_power_dbm", 228, 2.28),
            ("onu.rx_power_dbm", -2481, -24.81),
            ("onu.rx_power_dbm", 0, None),
            ("onu.down_bytes", 9, 9),
            ("onu.up_bytes", 1, 1),
        ],
        refused=[("onu.serial", b""), ("onu.pon_port", -3)],
        onus=[
            ("12.85.66.78.84.50.48.55.51.49.102.48.57", Place("UBNT20731F09")),
            ("11.85.66.78.84.50.48.55.51.49.102.48", None),
        ],
        ports=[("2", "pon1", Place("1")), ("0", "eth0", None)],
    )
}
