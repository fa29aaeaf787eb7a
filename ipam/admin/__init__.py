"""What staff see and click of the address space. Split by noun."""

from ipam.admin import (
    addresses,
    cgnat,
    customers,
    dashboard,
    imports,
    look_up,
    pools,
    reconciliations,
    subnets,
    vrfs,
)

__all__ = [
    "addresses",
    "cgnat",
    "customers",
    "dashboard",
    "imports",
    "look_up",
    "pools",
    "reconciliations",
    "subnets",
    "vrfs",
]
