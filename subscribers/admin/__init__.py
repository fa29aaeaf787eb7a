"""What staff see and click of the customers. Split by noun."""

from subscribers.admin import dashboard, lines, plans, premises, profiles, subscribers, tabs, zones

__all__ = ["dashboard", "lines", "plans", "premises", "profiles", "subscribers", "tabs", "zones"]
