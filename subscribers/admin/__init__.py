"""What staff see and click of the customers. Split by noun."""

from subscribers.admin import (
    custom_fields,
    dashboard,
    imports,
    lines,
    plans,
    premises,
    profiles,
    subscribers,
    tabs,
    zones,
)

__all__ = [
    "custom_fields",
    "dashboard",
    "imports",
    "lines",
    "plans",
    "premises",
    "profiles",
    "subscribers",
    "tabs",
    "zones",
]
