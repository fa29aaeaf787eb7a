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
class Series:
    """One of several lines; `tone` is empty for the house's colour. `says` stands for what was not measured."""

    name: str
    points: Sequence[Point]
    tone: str = ""
    says: str = ""


@dataclass(frozen=True)
class Mark:
    """Something that happened at one moment; marks of one name share a row."""

    at: datetime
    name: str
    tone: str = ""


@dataclass(frozen=True)
class _Frame:
    start: datetime
    end: datetime
    low: float
    high: float
    height: int = HEIGHT

    def x(self, at: datetime) -> float:
        span = (self.end - self.start).total_seconds() or 1
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - self.start).total_seconds() / span

    def y(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        return TOP + (self.height - TOP - BOTTOM) * (self.high - inside) / (self.high - self.low)


def line(
    points: Sequence[Point],
    *,
    start: datetime,
    end: datetime,
    unit: str,
    zones: Sequence[Zone],
    marks: Sequence[Mark] = (),
) -> str:
    """Draw `points` between `start` and `end`, the zones behind; a None breaks the line."""
    return lines([Series("", points)], start=start, end=end, unit=unit, zones=zones, marks=marks)


def lines(
    series: Sequence[Series],
    *,
    start: datetime,
    end: datetime,
    unit: str,
    zones: Sequence[Zone] = (),
    marks: Sequence[Mark] = (),
    height: int = HEIGHT,
) -> str:
    """Draw lines over one time axis and say them in words; nothing when none has a value.

    Charts of the same `start` and `end` have the same axis, whatever stands on the other one.
    """
    values = [value for each in series for _, value in each.points if value is not None]
    if not values:
        return ""
    low = min(*values, min(zone.low for zone in zones)) if zones else min(values)
    high = max(*values, max(zone.high for zone in zones)) if zones else max(values)
    room = max(1.0, (high - low) / 20) if zones else max(0.5, (high - low) / 10)
    frame = _Frame(start, end, low - room, high + room, height)
    summary = " ".join(filter(None, (_summary(each, unit) for each in series)))
    named = [(f"isp-{z.tone}", f"{z.name}: {z.range}") for z in zones]
    named += [(f"isp-{each.tone or 'curve'}", each.name) for each in series if each.name]
    legend = format_html_join(
        "", '<span><span class="isp-swatch {}" aria-hidden="true"></span>{}</span>', named
    )
    return format_html(
        '<figure><svg class="isp-line-chart" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        "{}{}{}{}{}</svg>"
        '<figcaption><span class="isp-legend">{}</span><span class="isp-muted">{}</span></figcaption></figure>',
        WIDTH, height, summary, _zones(frame, zones), _grid(frame), _days(frame), _marks(frame, marks),
        format_html_join("", "{}", ((_curve(frame, each.points, each.tone),) for each in series)),
        legend, summary,
    )  # fmt: skip


def strip(marks: Sequence[Mark], *, start: datetime, end: datetime) -> str:
    """Draw what happened as dots, a row for each name, over the axis of the charts above."""
    names = list(dict.fromkeys(mark.name for mark in marks))
    if not names:
        return ""
    row = 18
    frame = _Frame(start, end, 0, 1, TOP + row * len(names) + BOTTOM)
    summary = "; ".join(f"{name}: {sum(mark.name == name for mark in marks)}" for name in names)
    rows = {name: TOP + row * number + row / 2 for number, name in enumerate(names)}
    guides = format_html_join(
        "",
        '<line class="isp-grid" x1="{}" x2="{}" y1="{}" y2="{}"/>',
        [(LEFT, WIDTH - RIGHT, y, y) for y in rows.values()],
    )
    dots = format_html_join(
        "",
        '<circle class="isp-happened isp-{}" cx="{}" cy="{}" r="4"><title>{}</title></circle>',
        [
            (
                mark.tone or "plain",
                f"{frame.x(mark.at):.1f}",
                rows[mark.name],
                f"{formats.date_format(timezone.localtime(mark.at), 'j M H:i')} {mark.name}",
            )
            for mark in marks
        ],
    )
    tones = {mark.name: mark.tone for mark in marks}
    legend = format_html_join(
        "",
        '<span><span class="isp-swatch isp-{}" aria-hidden="true"></span>{}</span>',
        [(tones[name] or "plain", f"{name} ({sum(mark.name == name for mark in marks)})") for name in names],
    )
    return format_html(
        '<figure><svg class="isp-line-chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg>'
        '<figcaption><span class="isp-legend">{}</span></figcaption></figure>',
        WIDTH, frame.height, summary, guides, _days(frame), dots, legend,
    )  # fmt: skip


def _summary(series: Series, unit: str) -> str:
    values = [value for _, value in series.points if value is not None]
    if not values or series.says:
        return series.says
    text = (
        f"{len(values)} readings between {min(values):.1f} and {max(values):.1f} {unit}; "
        f"the last one {values[-1]:.1f} {unit}."
    )
    return (f"{series.name}: {text}" if series.name else text).replace(" -", " −")


def _marks(frame: _Frame, marks: Sequence[Mark]) -> SafeString:
    return format_html_join(
        "",
        '<line class="isp-mark isp-{}" x1="{}" x2="{}" y1="{}" y2="{}"/>',
        [
            (
                mark.tone or "plain",
                f"{frame.x(mark.at):.1f}",
                f"{frame.x(mark.at):.1f}",
                TOP,
                frame.height - BOTTOM,
            )
            for mark in marks
        ],
    )


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
    lines_wanted = max(3, (frame.height - TOP - BOTTOM) // 28)
    span = (frame.high - frame.low) / lines_wanted
    step = next(s for n in range(10) for s in (10**n, 2 * 10**n, 5 * 10**n) if s >= span)
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
    """Mark every tenth or fifth midnight of a month, each of a week, or every four hours of a day, as it is here."""
    span = frame.end - frame.start
    hours = 24 if span > timedelta(days=2) else 4
    every = 10 if span > timedelta(days=40) else 5 if span > timedelta(days=10) else 1
    at = timezone.localtime(frame.start).replace(minute=0, second=0, microsecond=0)
    marks = []
    while at <= frame.end:
        local = timezone.localtime(at)
        is_marked = local.hour % hours == 0 and local.toordinal() % every == 0
        if frame.x(at) >= LEFT + 20 and is_marked:
            form = "H:i" if hours == 4 else "D j" if every == 1 else "j M"
            marks.append((f"{frame.x(at):.1f}", frame.height - 8, formats.date_format(local, form)))
        at += timedelta(hours=1)
    return format_html_join("", '<text x="{}" y="{}" text-anchor="middle">{}</text>', marks)


def _curve(frame: _Frame, points: Sequence[Point], tone: str = "") -> SafeString:
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
            '<circle class="isp-dot{}" cx="{}" cy="{}" r="3.5"/>',
            f" isp-{tone}" if tone else "",
            f"{frame.x(end[0]):.1f}",
            f"{frame.y(end[1]):.1f}",
        )
        if end and end[1] is not None
        else mark_safe("")
    )
    colour = f" isp-{tone}" if tone else ""
    return format_html('<path class="isp-curve{}" d="{}"/>', colour, " ".join(path)) + dot
