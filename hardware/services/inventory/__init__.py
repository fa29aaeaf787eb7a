"""Store what was read of an OLT: whole tables in a handful of statements, whatever their size."""

from hardware.services.inventory.onus import Counts, Filing, complete_fields, store_onus
from hardware.services.inventory.ports import count_onus_per_port, store_ports
from hardware.services.inventory.waiting import store_waiting

__all__ = [
    "Counts",
    "Filing",
    "complete_fields",
    "count_onus_per_port",
    "store_onus",
    "store_ports",
    "store_waiting",
]
