"""Reading the rows of a file, CSV or XLSX, one after the other: memory stays the same for any number of rows.

Whoever made the file is not trusted: its size, rows, columns and cells are bounded, and so is what an XLSX
file unpacks to.
"""

import csv
import io
import zipfile
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import IO, Any
from xml.etree.ElementTree import ParseError

from openpyxl.reader.excel import ExcelReader
from openpyxl.xml.constants import SHARED_STRINGS

from ispcore.errors import DomainError
from ispcore.files.parts import Archive, Strings
from ispcore.files.tabular import plain_cell

MAX_FILE_BYTES = 50 * 1024 * 1024
MAX_ROWS = 500_000
MAX_COLUMNS = 100
MAX_CELL = 4_000
MAX_HEADER = 80
MAX_UNPACKED_BYTES = 500 * 1024 * 1024
MAX_PARTS = 1_000
MAX_RECORD = 1_000_000  # Characters; a row of the widest cells has 400,000, with quotation marks twice that.
MAX_SHEET_ROWS = 1_048_576  # Microsoft, "Excel specifications and limits".
SAMPLE_CHARACTERS = 64 * 1024
SAMPLE_RECORDS = 20
PIECE_BYTES = 256 * 1024

# The name a user may choose -> Python's. The first three are found out; the others are old programs' own.
ENCODINGS = {
    "utf-8": "utf-8-sig",
    "utf-16": "utf-16",
    "windows-1252": "cp1252",
    "iso-8859-15": "iso8859_15",
    "cp850": "cp850",
    "macroman": "mac_roman",
}
ENCODING_NAMES = tuple(ENCODINGS)
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
NUL_MARK = "\u2400"  # The symbol for NUL: the csv module stops at the character itself.
SPREADSHEET_ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"})


class UnreadableFile(DomainError):
    code = "file_unreadable"
    message = "{why}"
    status = 422
    field = "file"


class WrongColumns(DomainError):
    code = "wrong_columns"
    message = "{why}"
    status = 422
    field = "file"


class FileTooLarge(DomainError):
    code = "request_too_large"
    message = f"The file is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB. Split it, or save it as CSV."
    status = 413
    field = "file"


class TooManyRowsToImport(DomainError):
    code = "too_many_rows"
    message = f"The file has more than {MAX_ROWS:,} rows. Split it."
    status = 422
    field = "file"


@dataclass(frozen=True)
class Shape:
    """How a file is to be read, and what its first lines hold."""

    file_format: str
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    rows_about: int


@dataclass(frozen=True)
class RawRow:
    """A row's cells as texts, as many as the header has; `problem` says why they are not."""

    number: int  # As a spreadsheet counts: the header is row 1.
    cells: tuple[str, ...]
    problem: str = ""


def find_shape(stream: IO[bytes], *, encoding: str = "") -> Shape:
    """Find out how a file is to be read, reading all of a CSV file and the beginning of an XLSX one.

    `encoding` is a name in ENCODINGS, or empty: then UTF-8, or UTF-16 with its mark, else Windows-1252. Raises
    UnreadableFile, WrongColumns.
    """
    stream.seek(0)
    start = stream.read(8)
    if start.startswith(b"PK\x03\x04"):
        with _records_of_xlsx(stream) as records:
            return Shape("xlsx", "", "", _header(records), 0)
    _refuse_other_formats(start)
    found, lines = find_encoding(stream, encoding)
    delimiter = _find_delimiter(stream, found)
    with _records_of_csv(stream, found, delimiter) as records:
        return Shape("csv", found, delimiter, _header(records), max(0, lines - 1))


@contextmanager
def read_rows(stream: IO[bytes], shape: Shape) -> Iterator[Iterator[RawRow]]:
    """Give the rows below the header, without the empty ones.

    A row with cells that do not fit comes with its problem. Raises TooManyRowsToImport, UnreadableFile and
    WrongColumns while it is read.
    """
    stream.seek(0)
    opened = (
        _records_of_xlsx(stream)
        if shape.file_format == "xlsx"
        else _records_of_csv(stream, shape.encoding, shape.delimiter)
    )
    with opened as records:
        if _header(records) != shape.columns:
            raise WrongColumns(why="The file's columns are no longer those that were found when it came.")
        yield _rows(records, len(shape.columns), exact=shape.file_format == "csv")


Record = tuple[int, list[str], str]


def _rows(records: Iterator[Record], width: int, *, exact: bool) -> Iterator[RawRow]:
    count = 0
    for number, cells, problem in records:
        if not problem and not any(cells):
            continue
        count += 1
        if count > MAX_ROWS:
            raise TooManyRowsToImport
        if not problem:
            while len(cells) > width and not cells[-1]:
                cells.pop()
            if not exact:  # A sheet has no empty cells at the end of a row.
                cells.extend([""] * (width - len(cells)))
            problem = _problem_of(cells, width)
        fitted = tuple(cell[:MAX_CELL] for cell in cells[:MAX_COLUMNS])
        yield RawRow(number, fitted + ("",) * (width - len(fitted)), problem)


def _problem_of(cells: list[str], width: int) -> str:
    if len(cells) != width:
        more = "more" if len(cells) > width else "fewer"
        return f"The row has {len(cells)} cells, {more} than the {width} columns of the header."
    for position, cell in enumerate(cells, 1):
        if len(cell) > MAX_CELL:
            return f"Cell {position} has more than {MAX_CELL:,} characters."
        if NUL_MARK in cell:
            return f"Cell {position} holds a NUL character."
    return ""


def _header(records: Iterator[Record]) -> tuple[str, ...]:
    names: list[str] = []
    for _, cells, problem in records:
        if problem:
            raise UnreadableFile(why=f"The header cannot be read: {problem}")
        if any(cells):
            names = [cell.strip() for cell in cells]
            break
    while names and not names[-1]:
        names.pop()
    if not names:
        raise WrongColumns(why="The file is empty: its first row must name the columns.")
    if len(names) > MAX_COLUMNS:
        raise WrongColumns(why=f"The file has more than {MAX_COLUMNS} columns.")
    _refuse_bad_names(names)
    return tuple(names)


def _refuse_bad_names(names: list[str]) -> None:
    seen: dict[str, int] = {}
    for position, name in enumerate(names, 1):
        if not name:
            raise WrongColumns(why=f"Column {position} has no name in the first row.")
        if len(name) > MAX_HEADER or NUL_MARK in name:
            raise WrongColumns(
                why=f"The name of column {position} is no name. Does the first row hold the columns' names?"
            )
        first = seen.setdefault(name.casefold(), position)
        if first != position:
            raise WrongColumns(
                why=f"Columns {first} and {position} have the same name, “{name}”. Rename or remove one of them."
            )


# --- CSV


def _refuse_other_formats(start: bytes) -> None:
    if start.startswith(b"\xd0\xcf\x11\xe0"):  # MS-CFB 2.2: what .xls and encrypted .xlsx files begin with.
        raise UnreadableFile(why="This is an old .xls or a protected workbook. Save it as .xlsx or CSV.")
    if start.startswith(b"%PDF"):
        raise UnreadableFile(why="This is a PDF. Give a CSV or an XLSX file.")


def find_encoding(stream: IO[bytes], wanted: str = "") -> tuple[str, int]:
    """Return the encoding's name in ENCODINGS and about how many lines there are. Raises UnreadableFile."""
    stream.seek(0)
    start = stream.read(4)
    found = wanted
    if not found and start.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        found = "utf-16"
    if found:
        lines = _try_encoding(stream, found)
        if lines is None:
            raise UnreadableFile(why=f"The file is not written in {found}. Choose another encoding.")
        return found, lines
    for name in ("utf-8", "windows-1252"):
        lines = _try_encoding(stream, name)
        if lines is not None:
            return name, lines
        if start.startswith(BOM_UTF8):
            break
    why = "The file is written neither in UTF-8 nor in Windows-1252. Save it as “CSV UTF-8”."
    raise UnreadableFile(why=why)


def _try_encoding(stream: IO[bytes], name: str) -> int | None:
    stream.seek(0)
    decoder = getincrementaldecoder(ENCODINGS[name])()
    lines, last = 0, ""
    nuls = characters = 0
    try:
        while piece := stream.read(PIECE_BYTES):
            text = decoder.decode(piece)
            lines += text.count("\n") or text.count("\r")
            nuls += text.count("\x00")
            characters += len(text)
            last = text[-1:] or last
        decoder.decode(b"", True)
    except UnicodeError:
        return None
    if nuls > characters // 4:
        why = "The file holds mostly NUL characters: it is UTF-16 without its mark, or no text. Save it as CSV UTF-8."
        raise UnreadableFile(why=why)
    return lines + (last not in ("", "\n", "\r"))


def _find_delimiter(stream: IO[bytes], encoding: str) -> str:
    """Choose the character that splits most of the first records as it splits the header."""
    with _text_of(stream, encoding) as text:
        sample = text.read(SAMPLE_CHARACTERS).replace("\x00", NUL_MARK)
    best, best_score = ",", (0, 0)
    for delimiter in DELIMITERS:
        widths = []
        try:
            for record in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
                if record:
                    widths.append(len(record))
                if len(widths) == SAMPLE_RECORDS:
                    break
        except csv.Error:
            pass
        if widths and widths[0] > 1:
            score = (sum(width == widths[0] for width in widths), widths[0])
            if score > best_score:
                best, best_score = delimiter, score
    return best


@contextmanager
def _text_of(stream: IO[bytes], encoding: str) -> Iterator[io.TextIOWrapper]:
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding=ENCODINGS[encoding], newline="")
    try:
        yield text
    finally:
        text.detach()


@contextmanager
def _records_of_csv(stream: IO[bytes], encoding: str, delimiter: str) -> Iterator[Iterator[Record]]:
    with _text_of(stream, encoding) as text:
        yield _csv_records(text, delimiter)


class _Lines:
    """A text's lines, of which one record may take no more than `left` characters."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.left = MAX_RECORD

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._text.readline(self.left + 1)
        self.left -= len(line)
        if self.left < 0:
            raise UnreadableFile(
                why=f"A row has more than {MAX_RECORD:,} characters. Is a quotation mark missing?"
            )
        if not line:
            raise StopIteration
        return line.replace("\x00", NUL_MARK)


def _csv_records(text: io.TextIOWrapper, delimiter: str) -> Iterator[Record]:
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter)
    number = 0
    while True:
        number += 1
        lines.left = MAX_RECORD
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, [], f"The row cannot be read: {error}. Is a quotation mark missing?"
        except UnicodeError:
            raise UnreadableFile(why=f"The file is not what it was when it came, at row {number}.") from None
        else:
            yield number, [plain_cell(cell.strip(" \r\n")) for cell in cells], ""


# --- XLSX


class _Book(ExcelReader):  # type: ignore[misc]
    def read_strings(self) -> None:
        part = self.package.find(SHARED_STRINGS)
        if part is not None:
            self.shared_strings = Strings(lambda: self.archive.open_strings(part.PartName[1:]))


@contextmanager
def _records_of_xlsx(stream: IO[bytes]) -> Iterator[Iterator[Record]]:
    broken = (
        "The workbook cannot be read. Open it in a spreadsheet program, save it again, or save it as CSV."
    )
    try:
        _refuse_bombs(stream)
        stream.seek(0)
        book = _Book(stream, read_only=True, keep_links=False, data_only=True)
        book.archive = Archive(stream)
        book.read()
        sheets = [sheet for sheet in book.wb.worksheets if sheet.sheet_state == "visible"]
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        OSError,
        ParseError,
        TypeError,
        AttributeError,
    ) as error:
        raise UnreadableFile(why=broken) from error
    if not sheets:
        raise UnreadableFile(why="The workbook has no sheet.")
    records = _xlsx_records(sheets[0], book.archive, broken)
    try:
        yield records
    finally:
        records.close()
        book.archive.close()


def _refuse_bombs(stream: IO[bytes]) -> None:
    with zipfile.ZipFile(stream) as archive:
        parts = archive.infolist()
    # zipfile reads no more of a part than its directory says, so what the directory says is the bound.
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED_BYTES:
        raise UnreadableFile(
            why=f"The workbook unpacks to more than {MAX_UNPACKED_BYTES // 1024 // 1024} MiB. Save it as CSV."
        )


def _xlsx_records(sheet: Any, archive: Archive, broken: str) -> Any:
    sheet.reset_dimensions()  # Some programs write wrong ones.
    try:
        for number, values in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS + 1, values_only=True), 1):
            archive.sheet.begin()
            if number > MAX_SHEET_ROWS:
                raise UnreadableFile(why="The sheet has more rows than a spreadsheet can have.")
            cells = [_cell_text(value) for value in values]
            while cells and not cells[-1]:
                cells.pop()
            if any(cell in SPREADSHEET_ERRORS for cell in cells):
                position = next(n for n, cell in enumerate(cells, 1) if cell in SPREADSHEET_ERRORS)
                yield number, cells, f"Cell {position} holds the spreadsheet's error {cells[position - 1]}."
            else:
                yield number, cells, ""
    except (zipfile.BadZipFile, ParseError, ValueError, KeyError, TypeError, IndexError, EOFError) as error:
        raise UnreadableFile(why=broken) from error


def _cell_text(value: Any) -> str:
    """Write a cell as a person reads it: a phone number is no 351912345678.0."""
    if value is None:
        return ""
    if isinstance(value, str):
        return plain_cell(value.replace("\x00", NUL_MARK).strip(" \r\n"))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 10**15 else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(timespec="seconds")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value)
