"""Decode single cells; one that cannot be what its MIB says raises BadCellError and becomes None.

Bounds are physical, so that a device gone mad cannot hand on a number that no column of ours holds.
"""

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import TypeVar

from hardware.snmp.transport import Value

Meaning = TypeVar("Meaning")

_COUNTER64 = 2**64
# Text columns of the MIBs read here hold at most 128 characters; some firmware forgets.
_LONGEST_TEXT = 255
# "0.03 mW (-14.61 dBm)", "-19.32(dBm)", "30.67 C", "27.84 .C" (recorded), and the ways to write that there is none.
_IN_BRACKETS = re.compile(r"\(\s*([-+]?(?:[0-9.]+|inf)\s*dbm)\s*\)")
_QUANTITY = re.compile(
    r"([-+]?[0-9]{1,6}(?:\.[0-9]{1,6})?|[-+]?inf|nan|n/?a|null|-{0,3})\s*[.(]?[a-z]{0,3}\)?"
)


class BadCellError(ValueError):
    """The device put a value into a cell that does not belong there."""


def _remembering(decode: Callable[[Value], Meaning]) -> Callable[[Value], Meaning]:
    """Keep results: thousands of ONUs share a few hundred readings, and looking one up is cheaper."""
    return lru_cache(maxsize=4096)(decode)


def integer(value: Value) -> int:
    if not isinstance(value, int):
        raise BadCellError(f"not a number: {value!r}"[:80])
    return value


def is_up(value: Value) -> bool:
    """Tell whether a port is up; as IF-MIB's ifOperStatus has it, vendors' own columns say up with 1."""
    return integer(value) == 1


def text(value: Value) -> str | None:
    """Decode UTF-8, or Latin-1 where it is not; without control characters, None when nothing is left."""
    if not isinstance(value, bytes):
        raise BadCellError(f"not text: {value!r}"[:80])
    try:
        decoded = value.decode()
    except UnicodeDecodeError:
        decoded = value.decode("latin-1")
    if not decoded.isprintable():  # PostgreSQL refuses NUL, and a browser the other control characters.
        decoded = "".join(letter for letter in decoded if letter.isprintable())
    return decoded.strip()[:_LONGEST_TEXT] or None


def gpon_serial(value: Value) -> str:
    """Write a serial as staff read it on the label: 4 letters, then 4 octets in hex (ITU-T G.984.3, recorded).

    48 57 54 43 9A 00 0F FF is HWTC9A000FFF. Raises BadCellError.
    """
    if not isinstance(value, bytes) or len(value) != 8:
        raise BadCellError(f"not a serial: {value!r}"[:80])
    vendor = value[:4].decode("latin-1")
    if not (vendor.isascii() and vendor.isalnum()):
        # Some vendors put no letters there; sixteen hex digits are how the CLI shows any serial.
        return value.hex().upper()
    return vendor + value[4:].hex().upper()


def written_serial(value: Value) -> str:
    """Decode a serial that comes as text: "HWTC:12345678" is HWTC12345678. Raises BadCellError."""
    serial = (text(value) or "").replace(":", "").replace("-", "")
    if not (serial.isascii() and serial.isalnum()) or not 8 <= len(serial) <= 32:
        raise BadCellError(f"not a serial: {value!r}"[:80])
    return serial.upper()


def mac_serial(value: Value) -> str:
    """Write an EPON ONU's address, which is its serial, as twelve hex digits. Raises BadCellError."""
    if isinstance(value, bytes) and len(value) == 6:
        return value.hex().upper()
    digits = re.sub("[:. -]", "", text(value) or "").upper()
    if not re.fullmatch("[0-9A-F]{12}", digits):
        raise BadCellError(f"not a MAC address: {value!r}"[:80])
    return digits


def counter(value: Value) -> int:
    """Decode a byte counter."""
    number = integer(value)
    if not 0 <= number < _COUNTER64:
        raise BadCellError(f"not a counter: {number}")
    return number


def scaled(
    factor: float, *, low: float, high: float, offset: int = 0, none: Collection[int] = ()
) -> Callable[[Value], float | None]:
    """Return a decoder of (value - offset) * factor, rounded to 0.01; values in `none` mean there is none."""

    def decode(value: Value) -> float | None:
        number = integer(value)
        if number in none:
            return None
        result = round((number - offset) * factor, 2)
        if not low <= result <= high:
            raise BadCellError(f"out of range: {number}")
        return result

    return _remembering(decode)


def power(
    factor: float = 0.01, *, offset: int = 0, none: Collection[int] = ()
) -> Callable[[Value], float | None]:
    """Return a decoder of optical power in dBm."""
    return scaled(factor, low=-60, high=20, offset=offset, none=none)


def celsius(*, none: Collection[int] = ()) -> Callable[[Value], float | None]:
    """Return a decoder of whole degrees."""
    return scaled(1, low=-60, high=150, none=none)


def whole(*, high: int, none: Collection[int] = ()) -> Callable[[Value], int | None]:
    """Return a decoder of a number from 0 to `high`; the values in `none` mean there is none."""

    def decode(value: Value) -> int | None:
        number = integer(value)
        if number in none:
            return None
        if not 0 <= number <= high:
            raise BadCellError(f"out of range: {number}")
        return number

    return _remembering(decode)


def enumerated(
    meanings: Mapping[int, Meaning], *, otherwise: Meaning | None = None, none: Collection[int] = ()
) -> Callable[[Value], Meaning | None]:
    """Return a decoder of a coded value; codes that `meanings` does not list are `otherwise`."""

    def decode(value: Value) -> Meaning | None:
        number = integer(value)
        return None if number in none else meanings.get(number, otherwise)

    return _remembering(decode)


def quantity(*, low: float, high: float, none: Collection[float] = ()) -> Callable[[Value], float | None]:
    """Return a decoder of a number written out, with or without its unit; of two, the one in dBm.

    "0.03 mW (-14.61 dBm)" is -14.61. Values in `none` mean there is none, as "-", "N/A" and "-inf" do.
    """

    def decode(value: Value) -> float | None:
        words = (text(value) or "").lower()
        if inner := _IN_BRACKETS.search(words):
            words = inner[1]
        found = _QUANTITY.fullmatch(words)
        if not found:
            raise BadCellError(f"not a quantity: {value!r}"[:80])
        if not found[1][-1:].isdecimal():
            return None
        number = round(float(found[1]), 2)
        if number in none:
            return None
        if not low <= number <= high:
            raise BadCellError(f"out of range: {number}")
        return number

    return _remembering(decode)
