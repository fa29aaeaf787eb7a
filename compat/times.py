"""Times as the seeds' pages show them: with milliseconds, UTC as `Z`."""

from datetime import datetime, tzinfo
from typing import Any

from django.http import HttpRequest

from ispcore.api.envelope import UTC


def zone_of(request: HttpRequest) -> tzinfo:
    """Return the zone a caller asked for in `X-Timezone`."""
    zone: tzinfo = getattr(request, "zone", UTC)
    return zone


def in_milliseconds(value: Any, zone: tzinfo) -> Any:
    """Return a body with every time within written in `zone`, such as `2024-12-17T09:06:42.779Z`."""
    if isinstance(value, datetime):
        text = value.astimezone(zone).isoformat(timespec="milliseconds")
        return f"{text.removesuffix('+00:00')}Z" if text.endswith("+00:00") else text
    if isinstance(value, dict):
        return {name: in_milliseconds(each, zone) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [in_milliseconds(each, zone) for each in value]
    return value
