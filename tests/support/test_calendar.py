"""Working time: opening hours, weekends, holidays and the two days a year on which a clock is moved."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.services.calendar import Calendar, hours_of

LISBON = ZoneInfo("Europe/Lisbon")
NINE_TO_SIX = (9 * 60, 18 * 60)
OFFICE = Calendar(zone=LISBON, hours=(NINE_TO_SIX,) * 5 + (None, None), country="PT")
ALWAYS = Calendar(zone=LISBON, hours=((0, 24 * 60),) * 7)


def at(text, zone=LISBON):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-03-02 10:00", 2, "2026-03-02 12:00"),
        ("2026-03-02 10:00", 8, "2026-03-02 18:00"),
        ("2026-03-02 10:00", 9, "2026-03-03 10:00"),
        ("2026-03-02 07:00", 1, "2026-03-02 10:00"),
        ("2026-03-06 17:00", 2, "2026-03-09 10:00"),  # Friday to Monday.
        ("2026-03-07 12:00", 0, "2026-03-09 09:00"),
        ("2026-04-02 17:00", 2, "2026-04-06 10:00"),  # Good Friday.
        ("2026-12-24 17:00", 2, "2026-12-28 10:00"),  # Christmas on a Friday.
    ],
)
def test_adds_working_hours(start, hours, end):
    assert OFFICE.add(at(start), timedelta(hours=hours)) == at(end)


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-03-02 10:00", 3, "2026-03-05 10:00"),
        ("2026-03-05 10:30", 3, "2026-03-10 10:30"),
        ("2026-03-07 12:00", 3, "2026-03-12 09:00"),  # A Saturday counts from Monday's opening.
        ("2026-04-01 10:00", 3, "2026-04-07 10:00"),  # Good Friday and a weekend.
        ("2026-03-02 20:00", 1, "2026-03-04 09:00"),
        ("2026-03-27 10:00", 1, "2026-03-30 10:00"),  # The clock was put forward: still ten o'clock.
    ],
)
def test_adds_business_days(start, days, end):
    assert OFFICE.add_days(at(start), days) == at(end)


def test_the_day_a_clock_is_put_forward_has_23_hours():
    assert ALWAYS.between(at("2026-03-29 00:00"), at("2026-03-30 00:00")) == timedelta(hours=23)


def test_the_day_a_clock_is_put_back_has_25_hours():
    assert ALWAYS.between(at("2026-10-25 00:00"), at("2026-10-26 00:00")) == timedelta(hours=25)


def test_hours_around_a_moved_clock_are_real_ones():
    assert ALWAYS.between(at("2026-03-29 00:30"), at("2026-03-29 03:30")) == timedelta(hours=2)
    assert ALWAYS.add(at("2026-10-25 00:30"), timedelta(hours=3)) == at("2026-10-25 02:30")


def test_no_time_passes_on_a_weekend_or_backwards():
    assert OFFICE.between(at("2026-03-07 00:00"), at("2026-03-09 09:00")) == timedelta(0)
    assert OFFICE.between(at("2026-03-03 12:00"), at("2026-03-02 12:00")) == timedelta(0)


def test_a_holiday_of_one_part_of_a_country_is_a_day_off_there_alone():
    berlin = ZoneInfo("Europe/Berlin")
    bavaria = Calendar(zone=berlin, hours=OFFICE.hours, country="DE", subdivision="BY")
    hamburg = Calendar(zone=berlin, hours=OFFICE.hours, country="DE", subdivision="HH")
    corpus_christi = at("2026-06-04 10:00", berlin)

    assert not bavaria.works_on(corpus_christi.date())
    assert hamburg.works_on(corpus_christi.date())


MOMENTS = st.integers(0, 3 * 365 * 24 * 60).map(
    lambda minutes: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
SPANS = st.integers(0, 100 * 3600).map(lambda seconds: timedelta(seconds=seconds))
CALENDARS = st.sampled_from(
    [
        OFFICE,
        ALWAYS,
        Calendar(zone=ZoneInfo("America/New_York"), hours=((90, 210),) * 7),  # Open while clocks are moved.
        Calendar(zone=ZoneInfo("Asia/Kathmandu"), hours=(None,) * 6 + (NINE_TO_SIX,), country="NP"),
    ]
)


@given(CALENDARS, MOMENTS, SPANS)
def test_what_was_added_lies_between(calendar, moment, span):
    assert calendar.between(moment, calendar.add(moment, span)) == span


@given(CALENDARS, MOMENTS, SPANS)
def test_subtracting_takes_back_what_was_added(calendar, moment, span):
    later = calendar.add(moment, span)

    assert calendar.between(calendar.subtract(later, span), later) == span


@given(CALENDARS, MOMENTS, SPANS, SPANS)
def test_adding_twice_is_adding_the_sum(calendar, moment, one, other):
    assert calendar.add(calendar.add(moment, one), other) == calendar.add(moment, one + other)


def test_hours_are_read():
    assert hours_of("09:00-18:00") == NINE_TO_SIX
    assert hours_of("00:00-24:00") == (0, 1440)
    assert hours_of("") is None
    with pytest.raises(ValueError, match="18:00-09:00"):
        hours_of("18:00-09:00")
