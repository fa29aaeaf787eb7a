"""Devices that number their ONUs as they like: where one belongs only the name of an interface says.

The row's number is kept at the end of the ONU's index, as in 0/2/1/#1179, so that it is found again by GET.
"""

import re
from abc import abstractmethod
from collections.abc import Collection
from typing import ClassVar

from hardware.drivers.base import Driver, Place
from hardware.drivers.columns import Column, ColumnReader, Pass, Table, arcs_of

_NUMBERS = 2**32  # ifIndex is 32 bits wide at most.


class NamedDriver(Driver):
    """An OLT whose ONU rows are joined with interfaces; those are rows of the port table, PON port or not."""

    # What a PON port's interface is called; the group is the port.
    port_name: ClassVar[re.Pattern[str]]

    def place_port(self, index: str, name: str | None) -> Place | None:
        number, found = arcs_of(index, 1), self.port_name.fullmatch(name or "")
        return Place(index=found[1], number=number[0]) if number and found else None

    @abstractmethod
    def place_named(self, row: str, name: str) -> Place | None:
        """Tell where a row belongs, by the name of the interface that `interface_of` says."""

    @abstractmethod
    def interface_columns(self, passes: Collection[Pass]) -> list[Column]:
        """Return what to read of an ONU's interface when the ONU is read alone; `interface` is its name."""

    def interface_of(self, row: str) -> str:
        """Return the number of the interface that tells where a row belongs."""
        return row

    def place_onu(self, index: str) -> Place | None:
        """Keep the number: nothing else can be made of it."""
        arcs = arcs_of(index, 1)
        return Place(index=f"#{arcs[0]}") if arcs and 0 < arcs[0] < _NUMBERS else None

    def onu_row(self, index: str, serial: str) -> str | None:
        _, mark, number = index.rpartition("#")
        arcs = arcs_of(number, 1) if mark else None
        return str(arcs[0]) if arcs and 0 < arcs[0] < _NUMBERS else None

    def _onu_columns(self, passes: Collection[Pass]) -> list[Column]:
        return self.interface_columns(passes) + super()._onu_columns(passes)

    def _place_row(self, run: ColumnReader, raw: str) -> Place | None:
        """Look the interface up; without its name nothing is said of the ONU."""
        if self.place_onu(raw) is None:
            return None
        interface = run.cells[Table.PORT].get(self.interface_of(raw), {})
        name = run.cells[Table.ONU][raw].get("interface", interface.get("name"))
        return self.place_named(raw, name) if isinstance(name, str) else None


def numbered(port: str, onu_id: int, row: str) -> Place:
    """Return the place of an ONU together with the number of its row."""
    return Place(index=f"{port}/{onu_id}/#{row}", pon_port=port, number=onu_id)
