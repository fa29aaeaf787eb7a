"""Days and amounts as banks write them: which way, is decided for the whole file and not cell by cell."""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

from ispcore.money import minor_units

_SPACES = re.compile(r"[\s\u00a0\u202f\u2009'’]+")
_CURRENCY = re.compile(r"^([(+-]*)[^\d.,()+-]+|[^\d.,()+-]+\.?([)-]*)$")  # `€ 5`, `-$5`, `5 kr.`
_AMOUNT = re.compile(r"[+-]?\d[\d.,]*")
_YEAR_FIRST = re.compile(r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})(?:[T ].*)?")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})(?:[T ,].*)?")
_CODE = re.compile(r"\b[A-Z]{3}\b")
_SIGNS = {"€": "EUR", "£": "GBP"}  # A $ is of many countries.


class Unclear(ValueError):
    """A cell that is no day or no amount, or a file that writes them in two ways."""


def currency_in(text: str) -> str:
    """Return the currency that stands beside an amount, or nothing."""
    if found := _CODE.search(text.upper()):
        return found[0]
    return next((code for sign, code in _SIGNS.items() if sign in text), "")


def decimal_mark(texts: Iterable[str], currency: str) -> str:
    """Tell what stands before the minor units in all these amounts: a point or a comma.

    Raises Unclear when some have a point there and others a comma.
    """
    marks = set()
    for text in texts:
        bare = _bare(text)
        last = max(bare.rfind("."), bare.rfind(","))
        if last < 0:
            continue
        mark, other = bare[last], "," if bare[last] == "." else "."
        digits = len(bare) - last - 1
        if bare.count(mark) > 1:
            marks.add(other)
        elif other in bare or digits != 3 or minor_units(currency) == 3:
            marks.add(mark)
    if len(marks) > 1:
        raise Unclear("Some amounts have a point before their last digits and others a comma.")
    return marks.pop() if marks else "."


def amount_of(text: str, mark: str) -> Decimal:
    """Read an amount: `1.234,56`, `1 234.56`, `(12.00)`, `12,00-`, `€ 12.00`. Raises Unclear."""
    bare = _bare(text)
    negative = bare.startswith("-")
    bare = bare.lstrip("+-").replace("," if mark == "." else ".", "").replace(mark, ".")
    try:
        value = Decimal(bare)
    except InvalidOperation:
        raise Unclear(f"“{text[:40]}” is no amount.") from None
    return -value if negative else value


def _bare(text: str) -> str:
    bare = _CURRENCY.sub(r"\1\2", _SPACES.sub("", text.replace("\u2212", "-")))
    negative = (bare.startswith("(") and bare.endswith(")")) or bare.endswith("-") or bare.startswith("-")
    bare = bare.strip("()+-").strip(".,")
    if not _AMOUNT.fullmatch(bare) or not any(each.isdigit() for each in text):
        raise Unclear(f"“{text[:40]}” is no amount.")
    return f"-{bare}" if negative else bare


def days_of(texts: Sequence[str]) -> list[date]:
    """Read days written in one way: year first, or day or month first, whichever makes days of all of them.

    The day comes first where both would. Raises Unclear.
    """
    for day, month in ((0, 1), (1, 0)):
        try:
            return [_day(text, day, month) for text in texts]
        except Unclear as error:
            if (day, month) == (1, 0):
                raise
            first = error
    raise first


def _day(text: str, day: int, month: int) -> date:
    found = text.strip()
    try:
        if match := _YEAR_FIRST.fullmatch(found):
            return date(int(match[1]), int(match[2]), int(match[3]))
        if match := _YEAR_LAST.fullmatch(found):
            year = int(match[3])
            parts = int(match[1]), int(match[2])
            return date(year if year > 99 else 2000 + year, parts[month], parts[day])
    except ValueError:
        pass
    raise Unclear(f"“{found[:40]}” is no day.")
