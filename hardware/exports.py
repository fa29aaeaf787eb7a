"""What the files of OLTs and ONUs look like. An OLT's community is in none of them."""

from decimal import Decimal

from hardware.api import (
    DiscoveryRunViewSet,
    OltViewSet,
    OnuPresetViewSet,
    OnuViewSet,
    OutageViewSet,
    PonPortViewSet,
    ProvisioningJobViewSet,
    WaitingOnuViewSet,
)
from hardware.models import DownCause, OnuStatus, SnmpVersion, Vendor
from ispcore.files.exports import Column, Export, register, register_views
from ispcore.files.tenant_export.contents import Rule, carry

MOST_DIGITS = 15  # Of a number in a spreadsheet, which is a double.

_vendors, _versions = dict(Vendor.choices), dict(SnmpVersion.choices)
_statuses, _causes = dict(OnuStatus.choices), dict(DownCause.choices)


def counter(value: Decimal) -> int | str:
    """Give a Counter64 as a number, or as text where a spreadsheet would round it."""
    return int(value) if value < 10**MOST_DIGITS else str(value)


register(
    Export(
        name="olts",
        view=OltViewSet,
        columns=(
            Column("Name", "name", width=24),
            Column("Vendor", "vendor", show=_vendors.get, width=20),
            Column("Model", "model"),
            Column("IP address", "ip"),
            Column("SNMP port", "snmp_port", width=12),
            Column("SNMP version", "snmp_version", show=_versions.get, width=14),
            Column("Site", "site", width=24),
            Column("Notes", "notes", width=30),
            Column("System name", "sys_name"),
            Column("System description", "sys_descr", width=30),
            Column("Up for, seconds", "uptime_seconds"),
            Column("Last answer", "last_answer_at"),
            Column("Last error", "last_error", width=30),
            Column("Created", "created_at"),
            Column("Updated", "updated_at"),
            Column("ID", "id", width=38),
        ),
    )
)
register(
    Export(
        name="onus",
        view=OnuViewSet,
        columns=(
            Column("Serial", "serial"),
            Column("OLT", "olt__name", width=24),
            Column("PON port", "pon_port__index", width=12),
            Column("Index", "index", width=14),
            Column("Description", "description", width=30),
            Column("Model", "model"),
            Column("State", "status", show=_statuses.get, width=12),
            Column(
                "Last went down because of",
                "last_down_cause",
                show=lambda code: _causes.get(code, ""),
                width=28,
            ),
            Column("Distance, m", "distance_m", width=12),
            Column("Received (Rx), dBm", "rx_power_dbm"),
            Column("Sent (Tx), dBm", "tx_power_dbm"),
            Column("Received by the OLT, dBm", "olt_rx_power_dbm", width=26),
            Column("Temperature, °C", "temperature_c"),
            Column("Voltage, V", "voltage_v", width=12),
            Column("Laser bias, mA", "bias_ma"),
            Column("From the subscriber, bytes", "up_bytes", show=counter, width=26),
            Column("To the subscriber, bytes", "down_bytes", show=counter, width=26),
            Column("First seen", "first_seen_at"),
            Column("Last seen", "last_seen_at"),
            Column("Measured", "measured_at"),
            Column("Not listed since", "vanished_at"),
            Column("ID", "id", width=38),
        ),
    )
)
register_views(
    {
        "pon-ports": PonPortViewSet,
        "waiting-onus": WaitingOnuViewSet,
        "onu-presets": OnuPresetViewSet,
        "provisioning-jobs": ProvisioningJobViewSet,
        "outages": OutageViewSet,
        "discovery-runs": DiscoveryRunViewSet,
    }
)

# Of a whole provider's export.
carry("hardware.Reading", Rule(make_partition="make_reading_partition(%s)", partition_by="at"))
