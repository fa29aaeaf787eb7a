"""What hardware does: one verb each. Split by noun; import from here."""

from hardware.services.devices import (
    DeviceUnreachable,
    NotSupportedByDevice,
    UnexpectedDevice,
    UnreadableDevice,
)
from hardware.services.discovery import discover_olt, request_discovery, request_sync
from hardware.services.olts import (
    AmbiguousOlt,
    OltDisagrees,
    OltHasOnus,
    OltNotRegistered,
    find_olt,
    make_reading_partitions,
    remove_olt,
)

__all__ = [
    "AmbiguousOlt",
    "DeviceUnreachable",
    "NotSupportedByDevice",
    "OltDisagrees",
    "OltHasOnus",
    "OltNotRegistered",
    "UnexpectedDevice",
    "UnreadableDevice",
    "discover_olt",
    "find_olt",
    "make_reading_partitions",
    "remove_olt",
    "request_discovery",
    "request_sync",
]
