"""One rounding rule, the same in Python and in the database."""

from decimal import Decimal

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from ispcore import money

CURRENCIES = ["EUR", "USD", "JPY", "KRW", "KWD", "TND", "CLF", "XYZ"]


@pytest.mark.django_db
@given(
    amount=st.decimals(-(10**11), 10**11, places=10),
    currency=st.sampled_from(CURRENCIES),
)
def test_python_and_the_database_round_alike(amount: Decimal, currency: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT round(%s::numeric, minor_units(%s)), minor_units(%s)", [amount, currency, currency]
        )
        rounded, digits = cursor.fetchone()

    assert (rounded, digits) == (money.round_money(amount, currency), money.minor_units(currency))
    assert abs(rounded - amount) * 2 <= Decimal(1).scaleb(-digits)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("0.005", "EUR", "0.01"),
        ("-0.005", "EUR", "-0.01"),
        ("0.5", "JPY", "1"),
        ("-0.5", "JPY", "-1"),
        ("0.0005", "KWD", "0.001"),
        ("0.0049999999", "EUR", "0.00"),
    ],
)
def test_a_half_goes_away_from_zero(amount: str, currency: str, expected: str) -> None:
    assert money.round_money(Decimal(amount), currency) == Decimal(expected)
