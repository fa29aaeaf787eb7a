"""What hardware does: one verb each. Split by noun; import from here."""

from hardware.services.discovery import (
    DeviceUnreachable,
    UnexpectedDevice,
    UnreadableDevice,
    discover_olt,
    request_discovery,
)
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
]
