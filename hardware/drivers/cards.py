"""The boards of any device that answers ENTITY-MIB (RFC 6933, entPhysicalTable)."""

from hardware.drivers.cells import integer, text
from hardware.drivers.columns import Column, Pass, Table
from hardware.snmp.transport import Value

ENTITY = "1.3.6.1.2.1.47.1.1.1.1"
_MODULE = 9  # PhysicalClass module(9): a board that can be pulled.


def _is_module(value: Value) -> bool:
    return integer(value) == _MODULE


CARD_COLUMNS = (
    Column(Table.CARD, "is_module", f"{ENTITY}.5", Pass.CARDS, _is_module),
    Column(Table.CARD, "name", f"{ENTITY}.7", Pass.CARDS, text),
    Column(Table.CARD, "model", f"{ENTITY}.13", Pass.CARDS, text),
    Column(Table.CARD, "serial", f"{ENTITY}.11", Pass.CARDS, text),
)
