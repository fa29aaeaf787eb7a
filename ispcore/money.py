"""Amounts and their one rounding rule: half away from zero, to the minor unit of the currency.

Python and PostgreSQL round alike: `round_money` here, `round(amount, minor_units(currency))` there. An amount is a
Decimal with its currency beside it; a column of amounts holds whole minor units, which the database checks.
"""

from decimal import ROUND_HALF_UP, Decimal

# Digits after the point, where they are not two: ISO 4217, list one.
DIGITS = {
    0: ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
        "XOF", "XPF"),
    3: ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"),
    4: ("CLF", "UYW"),
}  # fmt: skip
_DIGITS_OF = {currency: digits for digits, currencies in DIGITS.items() for currency in currencies}
MOST_DIGITS = 18
DECIMALS = 4  # Of the columns: what CLF and UYW need.


def minor_units(currency: str) -> int:
    """Return how many digits a currency has after the point."""
    return _DIGITS_OF.get(currency, 2)


def round_money(amount: Decimal, currency: str) -> Decimal:
    """Round half away from zero to the currency's minor unit."""
    return amount.quantize(Decimal(1).scaleb(-minor_units(currency)), ROUND_HALF_UP)


def is_whole(amount: Decimal, currency: str) -> bool:
    """Tell whether an amount has no more digits than its currency."""
    return amount == round_money(amount, currency)
