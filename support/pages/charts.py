"""A chart of bars as SVG figures: drawn on the server, so that a page needs no script."""

from collections.abc import Sequence
from typing import Any

from support.services.portal.own import UsedDay

WIDTH, HEIGHT = 600, 160
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
STEP = 1000  # ISO 80000-13: providers sell decimal units.


def size(count: int) -> str:
    """Write a number of bytes for people: 1.5 GB."""
    value, unit = float(count), 0
    while value >= STEP and unit < len(UNITS) - 1:
        value, unit = value / STEP, unit + 1
    return f"{value:.1f} {UNITS[unit]}" if unit else f"{count} B"


def usage_chart(days: Sequence[UsedDay]) -> dict[str, Any]:
    """Return a bar per day, what came down below and what went up on top; nothing when nothing was used."""
    most = max((day.down_bytes + day.up_bytes for day in days), default=0)
    if not most:
        return {}
    wide = WIDTH / len(days)
    bars = []
    for number, day in enumerate(days):
        down, up = (round(count / most * HEIGHT, 1) for count in (day.down_bytes, day.up_bytes))
        bars.append(
            {
                "x": f"{number * wide + 1:.1f}",
                "width": f"{wide - 2:.1f}",
                "down_y": f"{HEIGHT - down:.1f}",
                "down": f"{down:.1f}",
                "up_y": f"{HEIGHT - down - up:.1f}",
                "up": f"{up:.1f}",
                "title": f"{day.day:%d %b}: {size(day.down_bytes)} down, {size(day.up_bytes)} up",
            }
        )
    ends = f"{days[0].day:%d %b}", f"{days[-1].day:%d %b}"
    return {"bars": bars, "most": size(most), "first": ends[0], "last": ends[1]}
