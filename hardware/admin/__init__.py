"""What staff see and click of the network. Split by noun."""

from hardware.admin import (
    customers,
    dashboard,
    limits,
    olts,
    onus,
    outages,
    presets,
    provisioning,
    runs,
    waiting,
)

__all__ = [
    "customers",
    "dashboard",
    "limits",
    "olts",
    "onus",
    "outages",
    "presets",
    "provisioning",
    "runs",
    "waiting",
]
