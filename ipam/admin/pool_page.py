"""What a pool's page shows: how full it is, over time and by state, and when it runs out."""

from datetime import datetime, time, timedelta
from typing import Any

from django.urls import reverse
from django.utils import formats, timezone

from ipam import selectors
from ipam.admin.words import LEVEL_TONES, figures, level_pill, percent_words, what_of
from ipam.models import Pool, UsageLevel, UsageSample
from ipam.services import pools, usage
from ispcore.admin import charts, links
from ispcore.admin.charts import Series, Zone
from ispcore.admin.formats import duration, moment, pill

HISTORY = timedelta(days=30)
LOOKAHEAD = timedelta(days=30)  # How far the chart goes on; a later day is said in words.
EVERY = timedelta(hours=6)  # Points of the line ahead: no further apart than a chart joins.
RANGES_SHOWN = 50


def context(pool: Pool) -> dict[str, Any]:
    """Read one pool's page; its chart reads a month of hourly samples."""
    now = timezone.now()
    counts = usage.counts_of_pools([pool.pk])[pool.pk]
    full_on = usage.runs_out_on(pool, at=now) if counts.free else None
    samples = list(
        UsageSample.objects.filter(pool=pool, at__gte=now - HISTORY).order_by("at")
        .values_list("at", "total", "reserved", "assigned", "quarantined")
    )  # fmt: skip
    stored = next(iter(pool.usage.all()), None)
    level = usage.level_of(counts, pool, before=stored.level if stored else UsageLevel.OK)
    return {
        "level": _level(pool, counts, level),
        "what": what_of(pool),
        "facts": _facts(pool, counts),
        "tiles": _tiles(pool, counts),
        "chart": _chart(pool, counts, samples, full_on, now),
        "forecast": _forecast(counts, full_on, now),
        "forecast_tone": LEVEL_TONES[level] if not counts.free else _haste(full_on, now),
        "level_since": moment(stored.level_since) if stored and stored.level_since else "",
        "ranges": [
            {
                "range": str(part),
                "subnet": links.link(
                    reverse("admin:ipam_subnet_change", args=[part.subnet_id]), str(part.subnet)
                ),
            }
            for part in pool.ranges.select_related("subnet").order_by("first")[:RANGES_SHOWN]
        ],
        "exclusions": [(str(each), each.reason) for each in pool.exclusions.order_by("first")[:RANGES_SHOWN]],
        "addresses_url": addresses_url(pool),
        "waiting": selectors.waiting_lines(pool).count() if not counts.free or not pool.is_active else 0,
    }


def addresses_url(pool: Pool, **more: str) -> str:
    query = "".join(f"&{name}={value}" for name, value in more.items())
    return f"{reverse('admin:ipam_address_changelist')}?pool__id__exact={pool.pk}{query}"


def _level(pool: Pool, counts: usage.Counts, level: str) -> str:
    if not pool.is_active:
        return pill("Switched off")
    return level_pill(level) if counts.total else pill("No range", "info")


def _facts(pool: Pool, counts: usage.Counts) -> list[tuple[str, Any]]:
    free = pools.next_free([pool])
    used = counts.total - counts.free
    return [
        ("Hands out", what_of(pool)),
        ("Purpose", pool.get_purpose_display()),
        ("VRF", links.link(links.url_of("vrf", pool.vrf_id), pool.vrf.name)),
        ("Used", f"{figures(used)} of {figures(counts.total)} ({percent_words(used, counts.total)})"),
        ("Next free", free.get(pool.pk, "nothing left")),
        ("Rest after release", duration(pool.hold_seconds) if pool.hold_seconds else "none"),
        ("Nearly full, critical", f"from {pool.warn_percent} %, from {pool.critical_percent} %"),
        ("DNS servers", ", ".join(pool.dns_servers) or "those of the subnet"),
    ]


def _tiles(pool: Pool, counts: usage.Counts) -> list[dict[str, Any]]:
    states = (
        ("Assigned", counts.assigned, "assigned", "good"),
        ("Reserved", counts.reserved, "reserved", "warning"),
        ("Resting", counts.quarantined, "quarantined", "info"),
    )
    tiles = [
        {
            "label": label,
            "value": figures(count),
            "tone": tone if count else "plain",
            "url": addresses_url(pool, state__exact=state),
        }
        for label, count, state, tone in states
    ]
    return [
        *tiles,
        {"label": "Free", "value": figures(counts.free), "tone": "plain" if counts.free else "danger"},
    ]


def _chart(pool: Pool, counts: usage.Counts, samples: list[Any], full_on: Any, now: datetime) -> str:
    """Draw how much was used in percent, and the way to full where that is near."""
    points: list[charts.Point] = [
        (at, min(100.0, 100 * (reserved + assigned + resting) / float(total)) if total else None)
        for at, total, reserved, assigned, resting in samples
    ]
    if not points:
        return ""
    points.append((now, counts.used_percent))
    series = [Series("Used", points)]
    begin, end = points[0][0], now
    if full_on:
        full = timezone.make_aware(datetime.combine(full_on, time(12)))
        end = min(full, now + LOOKAHEAD)
        ahead = _line_ahead(now, counts.used_percent, full, end)
        if ahead:
            day = formats.date_format(full_on, "j M Y")
            series.append(Series("At this pace", ahead, "ahead", says=f"At this pace it is full on {day}."))
    zones = [
        Zone("Fine", f"below {pool.warn_percent} %", 0, pool.warn_percent, "good"),
        Zone("Warning", f"from {pool.warn_percent} %", pool.warn_percent, pool.critical_percent, "warning"),
        Zone("Critical", f"from {pool.critical_percent} %", pool.critical_percent, 100, "danger"),
    ]
    zones = [zone for zone in zones if zone.high > zone.low]
    return charts.lines(series, start=begin, end=max(end, now), unit="%", zones=zones)


def _line_ahead(now: datetime, used: float, full: datetime, end: datetime) -> list[charts.Point]:
    seconds = (full - now).total_seconds()
    if seconds <= 0:
        return []
    points: list[charts.Point] = []
    at = now
    while at < end:
        points.append((at, used + (100 - used) * (at - now).total_seconds() / seconds))
        at += EVERY
    return [*points, (end, used + (100 - used) * (end - now).total_seconds() / seconds)]


def _forecast(counts: usage.Counts, full_on: Any, now: datetime) -> str:
    if not counts.total:
        return "It has no range yet, and so nothing to hand out. Give it one below."
    if not counts.free:
        return "It is full: nobody gets an address until one is released, or a range is added below."
    if full_on is None:
        return "It does not grow, or is not watched for long enough to say when it runs out."
    left = (full_on - timezone.localdate(now)).days
    day = formats.date_format(full_on, "j M Y")
    if left <= 0:
        return "At the pace of the last 30 days it runs out today."
    return f"At the pace of the last 30 days it runs out on {day}, in {left} day{'s' if left > 1 else ''}."


def _haste(full_on: Any, now: datetime) -> str:
    if full_on is None:
        return "plain"
    left = (full_on - timezone.localdate(now)).days
    return "danger" if left <= 7 else "warning" if left <= 60 else "info"
