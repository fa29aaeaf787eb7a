"""Reads across models: whether a NAS is heard of, and the newest of what the packet path writes."""

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Count, Q, Sum

from aaa.models import AuthAttempt, Nas, Session
from ispcore import sums

Position = tuple[datetime, UUID]  # The last row's moment and id.

SILENT_AFTER = timedelta(hours=1)
# Log-ins seen, and no accounting for so long before and after them: it is not switched on, or goes elsewhere.
APART = timedelta(minutes=30)
WINDOW = timedelta(hours=1)


class Verdict(models.TextChoices):
    """What a NAS' packets say of it."""

    NEVER_SEEN = "never_seen", "Never heard of"
    OK = "ok", "Log-ins and accounting arrive"
    NO_ACCOUNTING = "no_accounting", "Log-ins seen, accounting not seen"
    SILENT = "silent", "Silent for an hour"
    INACTIVE = "inactive", "Switched off here"


@dataclass(frozen=True)
class Health:
    verdict: Verdict
    last_packet_at: datetime | None
    open_sessions: int
    accepts: int
    rejects: int

    @property
    def reject_rate(self) -> float | None:
        """Return which share of the last hour's log-ins was refused, 0 to 1; None without any."""
        tried = self.accepts + self.rejects
        return round(self.rejects / tried, 3) if tried else None


def open_by_nas() -> list[tuple[UUID | None, int]]:
    """Count open sessions by NAS, the fullest first; of a large provider the counts may be a minute old."""
    return [(UUID(nas) if nas else None, count) for nas, count in sums.read(OPEN_BY_NAS)]


def _count_open() -> tuple[list[tuple[str, int]], int]:
    rows = Session.objects.filter(stopped_at=None).order_by().values_list("nas").annotate(count=Count("id"))
    found = [(str(nas or ""), count) for nas, count in rows.order_by("-count")]
    return found, sum(count for _, count in found)


OPEN_BY_NAS = sums.add(sums.Sum("aaa.open_by_nas", _count_open, seconds=60))


def health_of(nases: Collection[Nas], *, at: datetime) -> dict[UUID, Health]:
    """Map each NAS to how it is doing. Two queries, however many there are."""
    ids = [nas.pk for nas in nases]
    tried = {
        row["nas"]: row
        for row in AuthAttempt.objects.filter(at__gte=at - WINDOW, nas__in=ids)
        .order_by()
        .values("nas")
        .annotate(
            accepts=Sum("times", filter=Q(accepted=True)), rejects=Sum("times", filter=Q(accepted=False))
        )
    }
    open_now = dict(
        Session.objects.filter(stopped_at=None, nas__in=ids)
        .order_by()
        .values_list("nas")
        .annotate(count=Count("id"))
    )
    found = {}
    for nas in nases:
        row = tried.get(nas.pk, {})
        found[nas.pk] = Health(
            verdict=verdict_of(nas, at),
            last_packet_at=max(filter(None, (nas.last_auth_at, nas.last_acct_at)), default=None),
            open_sessions=open_now.get(nas.pk, 0),
            accepts=row.get("accepts") or 0,
            rejects=row.get("rejects") or 0,
        )
    return found


def verdict_of(nas: Nas, at: datetime) -> Verdict:
    """Judge a NAS by when its packets were seen last."""
    if not nas.is_active:
        return Verdict.INACTIVE
    last = max(filter(None, (nas.last_auth_at, nas.last_acct_at)), default=None)
    if last is None:
        return Verdict.NEVER_SEEN
    if nas.last_auth_at is not None and (
        nas.last_acct_at is None or nas.last_acct_at < nas.last_auth_at - APART
    ):
        return Verdict.NO_ACCOUNTING
    return Verdict.SILENT if last < at - SILENT_AFTER else Verdict.OK


def newest(
    sources: Sequence[models.QuerySet[Any]], *, moment: str, before: Position | None, size: int
) -> tuple[list[Any], str]:
    """Return one page, merged from `sources` by the column `moment` and id, newest first, and the next one's cursor.

    Each source is read by a range of its index, so that no page costs more than the first. The cursor is empty on
    the last page.
    """
    rows: list[Any] = []
    for source in sources:
        if before:
            at, key = before
            source = source.filter(
                Q(**{f"{moment}__lt": at}) | Q(**{moment: at, "id__lt": key}), **{f"{moment}__lte": at}
            )
        rows += source.order_by(f"-{moment}", "-id")[: size + 1]
    rows.sort(key=lambda row: (getattr(row, moment), row.id), reverse=True)
    more, rows = len(rows) > size, rows[:size]
    if not more:
        return rows, ""
    place = f"{getattr(rows[-1], moment).isoformat()}|{rows[-1].id.hex}"
    return rows, base64.urlsafe_b64encode(place.encode()).decode()


def position_of(cursor: str) -> Position:
    """Return where the rows of a page end; raises ValueError for a cursor that no page gave."""
    try:
        at, _, key = base64.b64decode(cursor, altchars=b"-_", validate=True).decode().partition("|")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError(at)
        return moment, UUID(key)
    except OverflowError as error:
        raise ValueError(cursor) from error
