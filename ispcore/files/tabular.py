"""Tables as files, CSV and XLSX, written row by row: memory stays the same for any number of rows.

A program that opens such a file may run a cell that begins like a formula. Whoever fills in a form must not be
able to run something on the desk of whoever opens the list, so every text is made harmless by `safe_cell`.
"""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any
from xml.sax.saxutils import escape

from ispcore.errors import DomainError

CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

# ECMA-376 part 1, 18.3.1.73 and 18.3.1.4; Microsoft, "Excel specifications and limits".
MAX_XLSX_ROWS = 1_048_576
MAX_XLSX_CELL = 32_767
FIRST_YEAR = 1900  # Later ones only: day 60 of a workbook is a 29 February 1900 that never was.
PIECE_BYTES = 64 * 1024

# OWASP, "CSV Injection": what a spreadsheet may take for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0, production 2.

_DAY_ZERO = date(1899, 12, 30)
_DAY, _MOMENT = 2, 3  # The cell styles of a day and of a time.

RowWriter = Callable[[Iterable[Any]], None]


class TooManyRows(DomainError):
    code = "too_many_rows"
    message = "An XLSX sheet holds {most} rows. Choose CSV, or narrow the list."
    status = 422


def safe_cell(text: str) -> str:
    """Return the text as no spreadsheet runs it: what begins like a formula gets a ' in front."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def plain_cell(text: str) -> str:
    """Return what `safe_cell` was given, so that a file of ours can be read again."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def csv_writer(stream: IO[bytes], *, bom: bool = True) -> AbstractContextManager[RowWriter]:
    """Give a function that writes one row; UTF-8 with a byte order mark, by which Excel knows it.

    Texts are made safe, times and days become ISO 8601, None an empty cell. The stream stays open. Without
    `bom` there is no mark: programs mostly take it for a part of the first header.
    """
    return _csv(stream, bom)


def xlsx_writer(stream: IO[bytes], *, widths: Sequence[int] = ()) -> AbstractContextManager[RowWriter]:
    """Give a function that writes one row of a workbook's only sheet; the first row stands out and stays.

    Numbers stay numbers; days and times stay such, as the clock showed them, for a workbook knows no time zone;
    all else becomes text as in `csv_writer`. `widths` are those of the columns, in characters. The stream need
    not be seekable and stays open. Raises TooManyRows.
    """
    return _xlsx(stream, widths)


WRITERS: dict[str, Callable[..., AbstractContextManager[RowWriter]]] = {
    "csv": csv_writer,
    "xlsx": xlsx_writer,
}
MEDIA_TYPES = {"csv": CSV_TYPE, "xlsx": XLSX_TYPE}


def pieces_of(rows: Iterable[Iterable[Any]], *, file_format: str) -> Iterator[bytes]:
    """Yield a file of the rows in pieces while they are read; `file_format` is a name in WRITERS."""
    sink = _Sink()
    with WRITERS[file_format](sink) as write_row:
        for row in rows:
            write_row(row)
            if sink.size >= PIECE_BYTES:
                yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        self.size += len(data)
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return taken


@contextmanager
def _csv(stream: IO[bytes], bom: bool) -> Iterator[RowWriter]:
    encoding = "utf-8-sig" if bom else "utf-8"
    text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="", write_through=True)
    rows = csv.writer(text)

    def write_row(cells: Iterable[Any]) -> None:
        rows.writerow([_cell(cell) for cell in cells])

    try:
        yield write_row
    finally:
        text.detach()


@contextmanager
def _xlsx(stream: IO[bytes], widths: Sequence[int]) -> Iterator[RowWriter]:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in _PARTS.items():
            book.writestr(name, _XML + content)
        with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write((_XML + _SHEET_HEAD + _columns(widths) + "<sheetData>").encode())
            count = 0

            def write_row(cells: Iterable[Any]) -> None:
                nonlocal count
                count += 1
                if count > MAX_XLSX_ROWS:
                    raise TooManyRows(most=MAX_XLSX_ROWS)
                style = ' s="1"' if count == 1 else ""
                content = "".join(_xlsx_cell(cell, style) for cell in cells)
                sheet.write(f"<row>{content}</row>".encode())

            yield write_row
            sheet.write(_SHEET_TAIL.encode())


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float, Decimal)):
        return value
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return safe_cell(str(value))


def _xlsx_cell(value: Any, style: str) -> str:
    if isinstance(value, date) and value.year > FIRST_YEAR:
        is_moment = isinstance(value, datetime)
        return f'<c s="{_MOMENT if is_moment else _DAY}"><v>{_serial(value)}</v></c>'
    value = _cell(value)
    if value == "":
        return f"<c{style}/>"
    if not isinstance(value, str):
        return f"<c{style}><v>{value}</v></c>"
    text = escape(_NOT_XML.sub("\ufffd", value)[:MAX_XLSX_CELL])
    return f'<c t="inlineStr"{style}><is><t xml:space="preserve">{text}</t></is></c>'


def _serial(value: date) -> str:
    """Count the days since the workbook's day 0, a time as their fraction (ECMA-376 part 1, 18.17.4)."""
    days = (date(value.year, value.month, value.day) - _DAY_ZERO).days
    if not isinstance(value, datetime):
        return str(days)
    return f"{days + (value.hour * 3600 + value.minute * 60 + value.second) / 86_400:.9f}"


def _columns(widths: Sequence[int]) -> str:
    if not widths:
        return '<cols><col min="1" max="200" width="18" customWidth="1"/></cols>'
    columns = "".join(
        f'<col min="{n}" max="{n}" width="{width}" customWidth="1"/>' for n, width in enumerate(widths, 1)
    )
    return f"<cols>{columns}</cols>"


# The least a workbook has: ECMA-376 part 1, 18.2 and 18.3; part 2, 9.
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SHEETML = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEETML}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_SHEETML}.worksheet+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_SHEETML}.styles+xml"/>'
        "</Types>"
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>"
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
        '<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/>'
        "</Relationships>"
    ),
    "xl/styles.xml": (
        f'<styleSheet xmlns="{_MAIN}">'
        '<numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
        '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
        '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
        '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        "<borders><border><left/><right/><top/><bottom/><diagonal/></border></borders>"
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        '<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
        '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
        "</styleSheet>"
    ),
}
_SHEET_HEAD = (
    f'<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
    '<sheetFormatPr defaultRowHeight="15"/>'
)
_SHEET_TAIL = "</sheetData></worksheet>"
