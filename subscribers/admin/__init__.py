"""What staff see and click of the customers. Split by noun."""

from subscribers.admin import (
    custom_fields,
    dashboard,
    imports,
    lines,
    own_tabs,
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
    "own_tabs",
    "plans",
    "premises",
    "profiles",
    "subscribers",
    "tabs",
    "zones",
]
