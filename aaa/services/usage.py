"""How much was used, per hour, day or month, in any time zone.

Days are kept in each account's own zone, split at its midnight to the second of the report; hours are kept for a
quarter, beginning where the account's hours do. So a day or a month is exact in the account's zone for ever, and in
another zone while its hours are kept and begin at the same minute. Where that is not so, days stand where most of
them lies, and the answer says that it is not exact.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from aaa.models import Account
from aaa.services.sweeping import HOURLY_USAGE_DAYS
from ispcore.errors import DomainError
from ispcore.tenants.context import current_tenant_id

STEPS = ("hour", "day", "month")
MOST_ROWS = {"hour": 31 * 24, "day": 366 * 3, "month": 12 * 20}


class TooLong(DomainError):
    code = "validation_error"
    message = "From {start} until {end} are more than {most} {step}s. Ask for less at once."
    status = 422
    field = "from"


@dataclass(frozen=True)
class Row:
    """What was used in one step: `start` is a date, or the moment an hour began."""

    start: date | datetime
    in4_bytes: int
    out4_bytes: int
    in6_bytes: int
    out6_bytes: int


@dataclass(frozen=True)
class Usage:
    """Rows in order of time, without those in which nothing was used."""

    rows: list[Row]
    is_exact: bool


# An hour belongs to the step in which it began, there.
HOURS_SQL = """
SELECT {bucket} AS start, sum(in4_bytes)::bigint, sum(out4_bytes)::bigint, sum(in6_bytes)::bigint,
       sum(out6_bytes)::bigint
FROM aaa_hourlyusage
WHERE tenant_id = %(tenant)s AND account_id = ANY (%(ids)s) AND hour >= %(since)s AND hour < %(until)s
GROUP BY 1 ORDER BY 1
"""
BUCKETS = {
    "hour": "date_trunc('hour', hour, %(zone)s)",
    "day": "(hour AT TIME ZONE %(zone)s)::date",
    "month": "date_trunc('month', hour AT TIME ZONE %(zone)s)::date",
}
DAYS_SQL = """
SELECT {bucket} AS start, sum(in4_bytes)::bigint, sum(out4_bytes)::bigint, sum(in6_bytes)::bigint,
       sum(out6_bytes)::bigint
FROM aaa_dailyusage
WHERE tenant_id = %(tenant)s AND account_id = ANY (%(ids)s) AND day >= %(since)s AND day < %(until)s
GROUP BY 1 ORDER BY 1
"""


def usage_of(
    account_ids: Collection[UUID], *, step: str, zone: ZoneInfo, since: date, until: date, at: datetime
) -> Usage:
    """Return what these accounts used per hour, day or month of `zone`, from `since` up to and without `until`.

    Constant queries. Raises TooLong.
    """
    most = MOST_ROWS[step]
    days = (until - since).days
    if {"hour": days * 24, "day": days, "month": days / 28}[step] > most:
        raise TooLong(start=since, end=until, most=most, step=step)
    ids = sorted(account_ids)
    if not ids or days <= 0:
        return Usage([], True)
    zones = {ZoneInfo(name) for name in _zones(ids)}
    if step != "hour" and zones == {zone}:
        return Usage(_days(ids, step, since, until), True)
    begin, end = (datetime.combine(day, time(), tzinfo=zone) for day in (since, until))
    kept = begin.astimezone(UTC) >= (at - timedelta(days=HOURLY_USAGE_DAYS)).astimezone(UTC)
    if step == "hour" or kept:
        aligned = all(_hours_begin_alike(own, zone, begin, end) for own in zones)
        return Usage(_hours(ids, step, zone, begin, end), kept and aligned)
    return Usage(_days(ids, step, since, until), False)


def _zones(ids: list[UUID]) -> Iterable[str]:
    return Account.objects.filter(pk__in=ids).order_by().values_list("timezone", flat=True).distinct()


def _days(ids: list[UUID], step: str, since: date, until: date) -> list[Row]:
    bucket = "day" if step == "day" else "date_trunc('month', day)::date"
    return _rows(DAYS_SQL.format(bucket=bucket), {"ids": ids, "since": since, "until": until})


def _hours(ids: list[UUID], step: str, zone: ZoneInfo, begin: datetime, end: datetime) -> list[Row]:
    return _rows(
        HOURS_SQL.format(bucket=BUCKETS[step]),
        {"ids": ids, "since": begin, "until": end, "zone": zone.key},
    )


def _rows(sql: str, values: dict[str, Any]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {**values, "tenant": current_tenant_id()})
        return [Row(*row) for row in cursor.fetchall()]


def _hours_begin_alike(one: ZoneInfo, other: ZoneInfo, begin: datetime, end: datetime) -> bool:
    """Tell whether hours of both zones begin at the same minute, at both ends of a time."""
    return all(
        ((_offset(one, moment) - _offset(other, moment)) % timedelta(hours=1)) == timedelta()
        for moment in (begin, end)
    )


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
