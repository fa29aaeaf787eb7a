"""FiberHome AN5516: one number says slot, PON and ONU."""

from hardware.drivers import DownCause, RunStatus
from hardware.drivers.base import Place
from tests.hardware.drivers.golden.shape import Golden

GOLDEN = {
    "fiberhome": Golden(
        cells=[
            ("port.name", b"PON 11/1", "PON 11/1"),
            ("port.is_up", 1, True),
            ("port.is_up", 0, False),
            ("port.onu_count", 32, 32),
            ("port.tx_power_dbm", 412, 4.12),
            ("port.tx_power_dbm", 0, None),
            ("port.temperature_c", 3875, 38.75),
            ("onu.serial", b"FHTT12345678", "FHTT12345678"),
            ("onu.serial", b"fhtt12345abc", "FHTT12345ABC"),
            ("onu.description", b"Mill St 4", "Mill St 4"),
            ("onu.run_status", 0, RunStatus.OFFLINE),
            ("onu.run_status", 1, RunStatus.ONLINE),
            ("onu.run_status", 2, RunStatus.OFFLINE),
            ("onu.run_status", 3, RunStatus.OFFLINE),
            ("onu.run_status", 9, RunStatus.UNKNOWN),
            ("onu.last_down_cause", 0, DownCause.LOS),
            ("onu.last_down_cause", 1, None),
            ("onu.last_down_cause", 2, DownCause.DYING_GASP),
            ("onu.last_down_cause", 3, DownCause.UNKNOWN),
            ("onu.distance_m", 1234, 1234),
            ("onu.distance_m", 0, None),
            ("onu.rx_power_dbm", -2260, -22.6),
            ("onu.rx_power_dbm", 0, None),
            ("onu.tx_power_dbm", 243, 2.43),
            ("onu.voltage_v", 328, 3.28),
            ("onu.bias_ma", 1250, 12.5),
            ("onu.temperature_c", 4550, 45.5),
            ("onu.olt_rx_power_dbm", -2410, -24.1),
            ("waiting.serial", b"FHTT12345678", "FHTT12345678"),
            ("waiting.slot", 11, 11),
            ("waiting.pon", 3, 3),
        ],
        refused=[
            ("onu.serial", b""),
            ("onu.serial", b"FHTT 1234"),
            ("onu.rx_power_dbm", 2147483647),
            ("waiting.slot", 0),
            ("waiting.pon", 64),
        ],
        onus=[
            ("370672896", Place("11/3/5", pon_port="11/3", number=5)),
            ("369623296", Place("11/1/1", pon_port="11/1", number=1)),
            ("606089728", Place("18/4/50", pon_port="18/4", number=50)),
            ("606089733", None),  # Its Ethernet port 5.
            ("369623040", None),  # The PON itself.
            ("0", None),
            ("370672896.1", None),
        ],
        ports=[
            ("369623040", "PON 11/1", Place("11/1", number=369623040)),
            ("369623296", None, None),
            ("1", None, None),
        ],
        rows=[
            ("onu.olt_rx_power_dbm", "370671616.5", "370672896"),
            ("onu.olt_rx_power_dbm", "370671617.5", None),
            ("onu.olt_rx_power_dbm", "370671616", None),
        ],
    )
}
