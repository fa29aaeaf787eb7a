"""Usage by the account's own days and hours: clocks that change, midnights that do not exist, sums that are exact."""

import zoneinfo
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import servers

UTC = zoneinfo.ZoneInfo("UTC")
# Whole, half and quarter hours; clocks that change at midnight, by half an hour, in winter; days that were skipped.
ZONES = [
    "UTC", "Africa/Johannesburg", "Africa/Cairo", "America/New_York", "America/Santiago", "America/St_Johns",
    "Asia/Kathmandu", "Asia/Kolkata", "Asia/Beirut", "Australia/Lord_Howe", "Europe/Dublin", "Pacific/Apia",
    "Pacific/Chatham",
]  # fmt: skip


@pytest.fixture
def owner(db: None) -> Iterator[Any]:
    """The functions' owner, whose every test is rolled back."""
    database = connection.settings_dict["NAME"]
    with psycopg.connect(servers.servers.owner_url, dbname=database) as raw:
        raw.execute(
            "SELECT aaa_make_partition('aaa_hourlyusage', month::date) FROM (SELECT * FROM generate_series("
            "'2026-09-01'::date, '2027-03-01', '1 month') UNION SELECT * FROM generate_series("
            "now() - interval '4 months', now() + interval '8 months', '1 month')) AS months (month)"
        )
        yield raw
        raw.rollback()


def split(
    owner: Any, zone: str, since: datetime, till: datetime, octets: tuple[int, int, int, int]
) -> tuple[dict[date, tuple[int, ...]], dict[datetime, tuple[int, ...]]]:
    tenant, account = str(uuid4()), str(uuid4())
    owner.execute("SET TIME ZONE 'UTC'")
    owner.execute(
        "SELECT aaa_add_usage(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [tenant, account, zone, since, till, *octets],
    )
    tables = []
    for table, column in (("aaa_dailyusage", "day"), ("aaa_hourlyusage", "hour")):
        rows = owner.execute(
            f"SELECT {column}, in4_bytes, out4_bytes, in6_bytes, out6_bytes FROM {table} "
            "WHERE tenant_id = %s AND account_id = %s ORDER BY 1",
            [tenant, account],
        ).fetchall()
        tables.append({key: tuple(values) for key, *values in rows})
    return tables[0], tables[1]


def local_day(moment: datetime, zone: str) -> date:
    return moment.astimezone(zoneinfo.ZoneInfo(zone)).date()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zone=st.sampled_from(ZONES),
    since=st.integers(-80 * 86400, 200 * 86400),
    seconds=st.integers(0, 5 * 86400),
    octets=st.tuples(*[st.integers(0, 2**50)] * 4),
)
def test_the_parts_are_the_whole_in_any_zone(
    owner: Any, zone: str, since: Any, seconds: int, octets: tuple[int, int, int, int]
) -> None:
    since = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=since)
    till = since + timedelta(seconds=seconds)

    days, hours = split(owner, zone, since, till, octets)

    assert tuple(map(sum, zip(*days.values(), strict=True))) == octets
    assert min(days) == local_day(since, zone)
    assert max(days) in (local_day(till, zone), local_day(till - timedelta(microseconds=1), zone))
    assert len(days) <= seconds // 82800 + 2
    # An hour belongs to one day, so the days are the sums of their hours.
    by_day: dict[date, list[int]] = {}
    for hour, values in hours.items():
        assert hour.astimezone(zoneinfo.ZoneInfo(zone)).minute in (
            0,
            30,
        )  # 30: the odd hour of Lord Howe's change
        day = by_day.setdefault(local_day(max(hour, since), zone), [0, 0, 0, 0])
        by_day[local_day(max(hour, since), zone)] = [a + b for a, b in zip(day, values, strict=True)]
    assert {day: tuple(values) for day, values in by_day.items()} == days


def test_midnight_splits_by_elapsed_time_and_the_rest_is_the_last_days(owner: Any) -> None:
    midnight = datetime(2026, 11, 10, 22, tzinfo=UTC)  # 00:00 in Cairo

    days, hours = split(
        owner,
        "Africa/Cairo",
        midnight - timedelta(seconds=100),
        midnight + timedelta(seconds=200),
        (1000, 100, 1, 0),
    )

    assert days == {date(2026, 11, 10): (333, 33, 0, 0), date(2026, 11, 11): (667, 67, 1, 0)}
    assert hours == {midnight - timedelta(hours=1): (333, 33, 0, 0), midnight: (667, 67, 1, 0)}


def test_what_is_counted_at_midnight_sharp_was_used_before(owner: Any) -> None:
    midnight = datetime(2026, 11, 10, 22, tzinfo=UTC)

    days, _ = split(owner, "Africa/Cairo", midnight - timedelta(seconds=300), midnight, (10, 20, 0, 0))

    assert days == {date(2026, 11, 10): (10, 20, 0, 0)}


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", date(2026, 11, 1), 25),
        ("America/New_York", date(2027, 3, 14), 23),
        ("Africa/Cairo", date(2026, 10, 29), 25),  # Back at midnight: 23:00 comes twice.
        ("America/Santiago", date(2026, 9, 6), 23),  # There is no 00:00.
        ("Asia/Kathmandu", date(2026, 11, 10), 24),
        ("Europe/Dublin", date(2026, 10, 25), 25),
    ],
)
def test_a_day_has_as_many_hours_as_its_clocks_say(owner: Any, zone: str, day: date, hours: int) -> None:
    here = zoneinfo.ZoneInfo(zone)
    begins = datetime(day.year, day.month, day.day, tzinfo=here).astimezone(UTC)
    if local_day(begins - timedelta(seconds=1), zone) == day:
        begins -= timedelta(hours=1)
    ends = begins + timedelta(hours=hours)
    octets = (hours * 1000, 0, 0, 0)

    days, by_hour = split(owner, zone, begins, ends, octets)

    assert days == {day: octets}
    # Hourly rows are kept for a quarter; of older days there are none.
    assert set(by_hour.values()) <= {(1000, 0, 0, 0)}
    assert len(by_hour) in (0, hours)


def test_hours_older_than_a_quarter_are_not_kept(owner: Any) -> None:
    now = datetime.now(UTC)

    days, hours = split(owner, "UTC", now - timedelta(days=120), now - timedelta(days=119), (2400, 0, 0, 0))

    assert sum(values[0] for values in days.values()) == 2400
    assert hours == {}


def test_the_same_day_again_is_added_to_it(owner: Any) -> None:
    tenant, account, noon = str(uuid4()), str(uuid4()), datetime(2026, 11, 10, 12, tzinfo=UTC)
    for _ in range(3):
        owner.execute(
            "SELECT aaa_add_usage(%s, %s, 'UTC', %s, %s, 1, 2, 3, 4)",
            [tenant, account, noon, noon + timedelta(seconds=300)],
        )

    row = owner.execute(
        "SELECT day, in4_bytes, out4_bytes, in6_bytes, out6_bytes FROM aaa_dailyusage WHERE account_id = %s",
        [account],
    ).fetchall()

    assert row == [(date(2026, 11, 10), 3, 6, 9, 12)]


def test_a_zone_the_database_does_not_know_is_refused_before_packets_come(owner: Any) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="Mars/Phobos"):
        owner.execute("SELECT aaa_hour(now(), 'Mars/Phobos')")
