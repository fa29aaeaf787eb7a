"""The address space's part of the dashboard."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats, timezone

from ipam.admin.filters import NEARLY, NOT_FINE
from ipam.admin.words import LEVEL_TONES, figures, percent_words
from ipam.models import Pool, PoolUsage, UsageLevel
from ipam.services import usage
from ispcore.admin import dashboard
from ispcore.admin.dashboard import Concern, Tile

CONCERNS_SHOWN = 6


def tiles(request: HttpRequest) -> list[Tile]:
    """Count the pools that hand out and are nearly full, as last counted."""
    levels = list(PoolUsage.objects.filter(pool__is_active=True).values_list("level", flat=True))
    if not levels:
        return []
    full = sum(level in NOT_FINE for level in levels)
    pools = reverse("admin:ipam_pool_changelist")
    return [
        Tile(
            "Pools nearly full",
            full,
            f"{pools}?level={NEARLY}&is_active__exact=1" if full else pools,
            hint=f"of {len(levels)}",
            tone="warning" if full else "good",
        )
    ]


def concerns(request: HttpRequest) -> list[Concern]:
    rows = PoolUsage.objects.filter(level__in=NOT_FINE, pool__is_active=True).select_related("pool")
    found = sorted(rows, key=lambda row: -list(UsageLevel).index(UsageLevel(row.level)))[:CONCERNS_SHOWN]
    counts = usage.counts_of_pools([row.pool_id for row in found])
    return [
        Concern(
            title=row.pool.name,
            detail=_detail(row.pool, counts[row.pool_id]),
            url=reverse("admin:ipam_pool_change", args=[row.pool_id]),
            at=row.level_since,
            at_label="since",
            word=f"pool {UsageLevel(row.level).label.lower()}",
            tone=LEVEL_TONES[UsageLevel(row.level)],
        )
        for row in found
    ]


def _detail(pool: Pool, counts: usage.Counts) -> str:
    used = counts.total - counts.free
    said = f"{figures(used)} of {figures(counts.total)} are used ({percent_words(used, counts.total)})."
    full_on = usage.runs_out_on(pool, at=timezone.now()) if counts.free else None
    return f"{said} At this pace full on {formats.date_format(full_on, 'j M')}." if full_on else said


dashboard.add_tiles(50, allowed="ipam.view_pool", read=tiles)
dashboard.add_concerns(50, allowed="ipam.view_pool", read=concerns)
