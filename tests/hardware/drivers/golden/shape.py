"""The shape of a driver's worked examples."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hardware.drivers.base import Driver, Place
from hardware.snmp import Value

# A column, a cell of it and what it means; a meaning of None is "there is none".
Cell = tuple[str, Value, object]
# A column and a cell that cannot be.
Refused = tuple[str, Value]


@dataclass(frozen=True)
class Golden:
    """Worked examples of one driver."""

    cells: Sequence[Cell]
    refused: Sequence[Refused]
    # Raw index to the ONU's place; those with a place lead back to it by `onu_row`.
    onus: list[tuple[str, Place | None]]
    # Raw index and name to the port's place.
    ports: list[tuple[str, str | None, Place | None]]
    # Raw index of a waiting ONU's row to its PON port.
    waiting: list[tuple[str, str | None]] = field(default_factory=list)
    # Column whose table has another index: its index and the row it belongs to.
    rows: list[tuple[str, str, str | None]] = field(default_factory=list)


def named(driver: Driver) -> str:
    return f"{driver.vendor}-{driver.dialect}" if driver.dialect else driver.vendor
