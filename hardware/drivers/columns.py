"""Read MIB columns one after the other; keep account of what was read, what failed and what was nonsense."""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from hardware.drivers.cells import BadCellError
from hardware.snmp.errors import SnmpError, SnmpTimeout
from hardware.snmp.transport import Transport, Value

SYS_UPTIME = "1.3.6.1.2.1.1.3.0"  # SNMPv2-MIB

# Read in every pass, because without them nothing says which rows exist.
KEY_COLUMNS = frozenset({"port.name", "onu.serial"})


def as_it_is(index: str) -> str | None:
    return index


def arcs_of(index: str, count: int) -> tuple[int, ...] | None:
    """Return the numbers of a raw index of `count` arcs, None for any other."""
    arcs = index.split(".")
    if len(arcs) != count or not all(arc.isascii() and arc.isdecimal() and len(arc) <= 10 for arc in arcs):
        return None
    return tuple(map(int, arcs))


_PROGRESS_SECONDS = 1.0
# Answers of 36 octets a variable stay below one unfragmented datagram (see Target).
VARIABLES_PER_GET = 20

# Called with columns done, columns in all, and what is being read; what it raises aborts the discovery.
ProgressHook = Callable[[int, int, str], None]

# Stands for a cell that was answered and made no sense.
UNREADABLE = object()

Cells = dict[str, dict[str, object]]


class Pass(StrEnum):
    """How often a column is worth reading: status every few minutes, optics rarely, the rest on change."""

    INVENTORY = "inventory"
    STATUS = "status"
    OPTICS = "optics"
    WAITING = "waiting"  # ONUs the OLT sees and nobody has authorised.
    CARDS = "cards"


ALL_PASSES = frozenset(Pass)


class Table(StrEnum):
    PORT = "port"
    ONU = "onu"
    WAITING = "waiting"
    CARD = "card"


@dataclass(frozen=True, slots=True)
class Column:
    """One MIB column: the field it fills, when it is worth reading, how to decode a cell.

    `decode` raises BadCellError for a value the MIB does not allow. `patience` multiplies the timeout. Where a
    vendor indexes its tables differently, `row` turns this column's index into that of the table's key column
    (None: no row of ours) and `instance` does the reverse, for reading one row alone.
    """

    table: Table
    field: str
    oid: str
    reads: Pass
    decode: Callable[[Value], object]
    patience: float = 1.0
    row: Callable[[str], str | None] = as_it_is
    instance: Callable[[str], str | None] = as_it_is

    @property
    def name(self) -> str:
        return f"{self.table}.{self.field}"

    @property
    def is_key(self) -> bool:
        """Tell whether this column says which rows exist."""
        return self.name in KEY_COLUMNS


_TABLE_WORDS = {
    Table.PORT: "PON port",
    Table.ONU: "ONU",
    Table.WAITING: "waiting ONU",
    Table.CARD: "card",
}


def describe_column(name: str) -> str:
    """Name a column for people: `onu.rx_power_dbm` is "ONU rx power"."""
    table, _, field = name.partition(".")
    words = re.sub(r"_(dbm|c|v|ma|m)$", "", field).replace("_", " ")
    return f"{_TABLE_WORDS[Table(table)]} {words}"


@dataclass(frozen=True, slots=True)
class ColumnFailure:
    """A column that was not read to its end; the first `rows` rows of it were. `timed_out`: for want of an answer."""

    column: str
    rows: int
    reason: str
    timed_out: bool = False


class ColumnReader:
    """One discovery in progress; holds one row of decoded cells per port and ONU."""

    def __init__(self, transport: Transport, columns: list[Column], on_progress: ProgressHook | None) -> None:
        self.cells: dict[Table, Cells] = {table: {} for table in Table}
        self.complete: set[str] = set()
        self.failures: list[ColumnFailure] = []
        self.bad_cells: dict[str, int] = {}
        self._transport = transport
        self._columns = columns
        self._on_progress = on_progress
        self._rows: dict[str, int] = {}
        self._sets: dict[frozenset[str], frozenset[str]] = {}

    def complete_fields(self, table: Table) -> set[str]:
        return {
            column.field for column in self._columns if column.table == table and column.name in self.complete
        }

    def shared(self, names: frozenset[str]) -> frozenset[str]:
        """Return one set for all rows that were read alike, instead of thousands of equal ones."""
        return self._sets.setdefault(names, names)

    def read_all(self) -> None:
        for done, column in enumerate(self._columns):
            self._tell(done, f"Reading {describe_column(column.name)}")
            failure = self._read(done, column)
            if failure is None:
                self.complete.add(column.name)
                continue
            self.failures.append(failure)
            if not self._still_there():
                self.failures += [
                    ColumnFailure(rest.name, 0, "not asked: the OLT stopped answering")
                    for rest in self._columns[done + 1 :]
                ]
                break
        self._doubt_empty_columns()
        self._tell(len(self._columns), "Storing")

    def read_row(self, table: Table, row: str) -> None:
        """Read one row of a table by GET. Cells the device lacks stay out. Raises SnmpError."""
        self.read_rows(table, [row])

    def read_rows(self, table: Table, rows: Iterable[str]) -> None:
        """Read some rows of a table by GET, twenty cells a request. Cells the device lacks stay out.

        Raises SnmpError.
        """
        wanted: dict[str, list[tuple[Column, dict[str, object]]]] = {}  # Some cells tell two things.
        for row in rows:
            cells = self.cells[table].setdefault(row, {})
            for column in self._columns:
                if column.table == table and (instance := column.instance(row)) is not None:
                    wanted.setdefault(f"{column.oid}.{instance}", []).append((column, cells))
        oids = list(wanted)
        for start in range(0, len(oids), VARIABLES_PER_GET):
            self._tell(0, f"Reading single rows of the {_TABLE_WORDS[table]} table")
            for oid, value in self._transport.get(oids[start : start + VARIABLES_PER_GET]).items():
                if value is None:
                    continue
                for column, cells in wanted[oid]:
                    try:
                        cells[column.field] = column.decode(value)
                    except BadCellError:
                        self.bad_cells[column.name] = self.bad_cells.get(column.name, 0) + 1

    def _read(self, done: int, column: Column) -> ColumnFailure | None:
        rows = 0
        cells, name, decode, row_of = self.cells[column.table], column.field, column.decode, column.row
        told = time.monotonic()
        try:
            for raw, value in self._transport.walk(column.oid, patience=column.patience):
                index = row_of(raw)
                if index is None:
                    continue
                row = cells.get(index)
                if row is None:
                    row = cells[index] = {}
                try:
                    row[name] = decode(value)
                except BadCellError:
                    row[name] = UNREADABLE
                    self.bad_cells[column.name] = self.bad_cells.get(column.name, 0) + 1
                rows += 1
                # At every row: one that is asked for alone may take a slow device seconds.
                if time.monotonic() - told >= _PROGRESS_SECONDS:
                    self._tell(done, f"Reading {describe_column(column.name)}: {rows} rows")
                    told = time.monotonic()
        except SnmpError as error:
            return ColumnFailure(column.name, rows, str(error), timed_out=isinstance(error, SnmpTimeout))
        finally:
            self._rows[column.name] = rows
        return None

    def _doubt_empty_columns(self) -> None:
        """Take back the columns that ended without a row in a table that has rows: they say nothing of them.

        Firmware that lacks a column answers like that, and so does an OLT that is still starting.
        """
        for column in self._columns:
            if column.table == Table.WAITING:
                continue  # No ONU waits: the usual state, and no sign of trouble.
            if column.name in self.complete and not self._rows[column.name] and self.cells[column.table]:
                self.complete.discard(column.name)
                if column.is_key:
                    self.failures.append(ColumnFailure(column.name, 0, "empty, though the table has rows"))

    def _still_there(self) -> bool:
        """Ask for the uptime: a lost column is the column's fault if this is answered."""
        try:
            self._transport.get([SYS_UPTIME])
        except SnmpTimeout:
            return False
        except SnmpError:
            return True
        return True

    def _tell(self, done: int, message: str) -> None:
        if self._on_progress:
            self._on_progress(done, len(self._columns), message)
