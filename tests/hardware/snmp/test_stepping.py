"""Order and pace of a walk."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.snmp import SnmpNonIncreasing
from hardware.snmp.stepping import CLEAN_ANSWERS_TO_GROW, Pace, check_increasing

INDEXES = st.lists(
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4).map(tuple), min_size=1, max_size=12
)


def _text(index: tuple[int, ...]) -> str:
    return ".".join(map(str, index))


@given(INDEXES)
def test_increasing_indexes_pass(indexes):
    ordered = sorted(set(indexes))

    check_increasing("", [_text(index) for index in ordered])


@given(INDEXES)
def test_anything_else_is_refused(indexes):
    if all(one < two for one, two in itertools.pairwise(indexes)):
        return
    with pytest.raises(SnmpNonIncreasing):
        check_increasing("", [_text(index) for index in indexes])


@pytest.mark.parametrize(
    ("before", "after"), [("9", "10"), ("1.2", "1.10"), ("1.2", "1.2.0"), ("1.99", "2.1")]
)
def test_numbers_count_and_not_letters(before, after):
    check_increasing(before, [after])
    with pytest.raises(SnmpNonIncreasing):
        check_increasing(after, [before])


def test_pace_halves_down_to_single_rows():
    pace = Pace(25)
    sizes = []
    for _ in range(5):
        pace.lost()
        sizes.append(pace.size)

    assert sizes == [12, 6, 3, 1, 1]


def test_pace_goes_to_single_rows_before_the_last_try():
    pace = Pace(25)

    pace.lost(last_try=True)

    assert pace.size == 1


def test_pace_grows_back_after_clean_answers():
    pace = Pace(25)
    pace.lost()

    for _ in range(CLEAN_ANSWERS_TO_GROW):
        pace.answered()

    assert pace.size == 24


def test_a_size_lost_right_after_growing_is_not_tried_again():
    pace = Pace(25)
    pace.lost()
    for _ in range(CLEAN_ANSWERS_TO_GROW):
        pace.answered()

    pace.lost()
    for _ in range(10 * CLEAN_ANSWERS_TO_GROW):
        pace.answered()

    assert pace.size == 12
