"""What staff see and click of the network. Split by noun."""

from hardware.admin import dashboard, olts, onus, runs

__all__ = ["dashboard", "olts", "onus", "runs"]
