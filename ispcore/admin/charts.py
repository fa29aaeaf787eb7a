"""A line over time, drawn on the server: it needs no script, prints, and reads in light and dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import formats, timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

WIDTH, HEIGHT = 560, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 48, 10, 26
GAP = timedelta(hours=6)  # A pause longer than this is not drawn through.

Point = tuple[datetime, float | None]


@dataclass(frozen=True)
class Zone:
    """A named range of values, shaded; `range` says it in words."""

    name: str
    range: str
    low: float
    high: float
    tone: str


@dataclass(frozen=True)
class _Frame:
    start: datetime
    end: datetime
    low: float
    high: float

    def x(self, at: datetime) -> float:
        span = (self.end - self.start).total_seconds() or 1
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - self.start).total_seconds() / span

    def y(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        return TOP + (HEIGHT - TOP - BOTTOM) * (self.high - inside) / (self.high - self.low)


def line(points: Sequence[Point], *, start: datetime, end: datetime, unit: str, zones: Sequence[Zone]) -> str:
    """Draw `points` between `start` and `end`, the zones behind; a None breaks the line."""
    values = [value for _, value in points if value is not None]
    if not values:
        return ""
    low = min(*values, min(zone.low for zone in zones)) if zones else min(values)
    high = max(*values, max(zone.high for zone in zones)) if zones else max(values)
    frame = _Frame(start, end, low - 1, high + 1)
    summary = (
        f"{len(values)} readings between {min(values):.1f} and {max(values):.1f} {unit}; "
        f"the last one {values[-1]:.1f} {unit}."
    ).replace("-", "−")
    legend = format_html_join(
        "",
        '<span><span class="isp-swatch isp-{}" aria-hidden="true"></span>{}</span>',
        [(zone.tone, f"{zone.name}: {zone.range}") for zone in zones],
    )
    return format_html(
        '<figure><svg class="isp-line-chart" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        "{}{}{}{}</svg>"
        '<figcaption><span class="isp-legend">{}</span><span class="isp-muted">{}</span></figcaption></figure>',
        WIDTH, HEIGHT, summary, _zones(frame, zones), _grid(frame), _days(frame), _curve(frame, points),
        legend, summary,
    )  # fmt: skip


def _zones(frame: _Frame, zones: Sequence[Zone]) -> SafeString:
    drawn = []
    for zone in zones:
        top, bottom = frame.y(zone.high), frame.y(zone.low)
        drawn.append((zone.tone, LEFT, f"{top:.1f}", WIDTH - LEFT - RIGHT, f"{bottom - top:.1f}"))
    shaded = format_html_join(
        "", '<rect class="isp-zone isp-{}" x="{}" y="{}" width="{}" height="{}"/>', drawn
    )
    names = format_html_join(
        "",
        '<text class="isp-zone-name isp-{}" x="{}" y="{}">{}</text>',
        [(z.tone, WIDTH - RIGHT + 6, f"{frame.y((z.low + z.high) / 2) + 4:.1f}", z.name) for z in zones],
    )
    return shaded + names


def _grid(frame: _Frame) -> SafeString:
    step = next(s for s in (1, 2, 5, 10, 20, 50, 1000) if (frame.high - frame.low) / s <= 7)
    first = int(frame.low // step + 1) * step
    ticks = range(first, int(frame.high) + 1, step)
    return format_html_join(
        "",
        '<line class="isp-grid" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>'
        '<text x="{3}" y="{4}" text-anchor="end">{5}</text>',
        [
            (
                LEFT,
                WIDTH - RIGHT,
                f"{frame.y(t):.1f}",
                LEFT - 6,
                f"{frame.y(t) + 4:.1f}",
                f"{t}".replace("-", "−"),
            )
            for t in ticks
        ],
    )


def _days(frame: _Frame) -> SafeString:
    """Mark midnights of a week, or every four hours of a day, in the current zone."""
    hours = 24 if frame.end - frame.start > timedelta(days=2) else 4
    at = timezone.localtime(frame.start).replace(minute=0, second=0, microsecond=0)
    marks = []
    while at <= frame.end:
        if frame.x(at) >= LEFT + 20 and timezone.localtime(at).hour % hours == 0:
            text = formats.date_format(timezone.localtime(at), "D j" if hours == 24 else "H:i")
            marks.append((f"{frame.x(at):.1f}", HEIGHT - 8, text))
        at += timedelta(hours=1)
    return format_html_join("", '<text x="{}" y="{}" text-anchor="middle">{}</text>', marks)


def _curve(frame: _Frame, points: Sequence[Point]) -> SafeString:
    path, last = [], None
    for at, value in points:
        if value is None:
            last = None
            continue
        joined = last is not None and at - last <= GAP
        path.append(f"{'L' if joined else 'M'}{frame.x(at):.1f} {frame.y(value):.1f}")
        last = at
    end = next((p for p in reversed(points) if p[1] is not None), None)
    dot = (
        format_html(
            '<circle class="isp-dot" cx="{}" cy="{}" r="3.5"/>',
            f"{frame.x(end[0]):.1f}",
            f"{frame.y(end[1]):.1f}",
        )
        if end and end[1] is not None
        else mark_safe("")
    )
    return format_html('<path class="isp-curve" d="{}"/>', " ".join(path)) + dot
