"""A chart of bars as SVG figures: drawn on the server, so that a page needs no script."""

from collections.abc import Sequence
from typing import Any

from support.services.portal.own import UsedDay
from support.services.portal.words import Words

WIDTH, HEIGHT = 600, 160


def usage_chart(days: Sequence[UsedDay], words: Words) -> dict[str, Any]:
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
                "title": ", ".join(
                    (
                        words.short_day(day.day),
                        words.say("down", size=words.size(day.down_bytes)),
                        words.say("up", size=words.size(day.up_bytes)),
                    )
                ),
            }
        )
    return {
        "bars": bars,
        "most": words.size(most),
        "first": words.short_day(days[0].day),
        "last": words.short_day(days[-1].day),
    }
