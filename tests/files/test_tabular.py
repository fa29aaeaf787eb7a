"""Files that others open: what is in them, and that nothing in them runs."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from openpyxl import load_workbook

from ispcore.files import tabular


def sheet_of(content: bytes) -> Any:
    return load_workbook(io.BytesIO(content)).active


ROWS: list[list[Any]] = [
    ["Name", "When", "Amount", "Left"],
    ["José <&> \"Ltd\"; 'x'", datetime(2026, 3, 1, 12, tzinfo=UTC), Decimal("-3.50"), None],
    ['=HYPERLINK("http://x.example")', date(2026, 3, 1), 7, True],
]


@pytest.mark.parametrize("first", "=+-@\t\r")
def test_what_begins_like_a_formula_is_made_text_and_can_be_undone(first):
    assert tabular.safe_cell(f"{first}1+1") == f"'{first}1+1"
    assert tabular.plain_cell(f"'{first}1+1") == f"{first}1+1"


@pytest.mark.parametrize("text", ["", "Jane", "'quoted'", "a=b", "1-2"])
def test_other_text_stays_as_it_is(text):
    assert tabular.safe_cell(text) == text
    assert tabular.plain_cell(text) == text


def test_a_csv_file_says_its_encoding_and_keeps_what_it_was_given():
    content = b"".join(tabular.pieces_of(ROWS, file_format="csv"))

    assert content.startswith(b"\xef\xbb\xbfName,")
    assert list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))) == [
        ["Name", "When", "Amount", "Left"],
        ["José <&> \"Ltd\"; 'x'", "2026-03-01T12:00:00+00:00", "-3.50", ""],
        ['\'=HYPERLINK("http://x.example")', "2026-03-01", "7", "yes"],
    ]


def test_an_xlsx_file_opens_with_numbers_as_numbers_and_formulas_as_text():
    content = b"".join(tabular.pieces_of(ROWS, file_format="xlsx"))

    sheet = sheet_of(content)
    assert [list(row) for row in sheet.values] == [
        ["Name", "When", "Amount", "Left"],
        ["José <&> \"Ltd\"; 'x'", datetime(2026, 3, 1, 12), -3.5, None],  # noqa: DTZ001
        ['\'=HYPERLINK("http://x.example")', datetime(2026, 3, 1), 7, "yes"],  # noqa: DTZ001
    ]
    assert (sheet["B2"].number_format, sheet["B3"].number_format) == (
        r"yyyy\-mm\-dd\ hh:mm:ss",
        r"yyyy\-mm\-dd",
    )
    assert (sheet["A3"].data_type, sheet["A1"].font.bold, sheet.freeze_panes) == ("s", True, "A2")


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_text_that_no_file_can_hold_is_replaced(file_format):
    content = b"".join(tabular.pieces_of([["a\ud800b"], ["c\x00d"]], file_format=file_format))

    if file_format == "xlsx":
        assert [row[0] for row in sheet_of(content).values] == [
            "a\ufffdb",
            "c\ufffdd",
        ]
    else:
        assert content.splitlines() == [b"\xef\xbb\xbfa?b", b"c\x00d"]


def test_pieces_come_while_the_rows_are_read():
    pieces = tabular.pieces_of((["x" * 1000] for _ in range(1000)), file_format="csv")

    assert tabular.PIECE_BYTES <= len(next(pieces)) < 2 * tabular.PIECE_BYTES


def test_a_sheet_that_cannot_hold_more_says_so(monkeypatch):
    monkeypatch.setattr(tabular, "MAX_XLSX_ROWS", 1)

    with pytest.raises(tabular.TooManyRows, match="Choose CSV"):
        list(tabular.pieces_of([["a"], ["b"]], file_format="xlsx"))


def test_a_csv_file_for_programs_has_no_mark():
    stream = io.BytesIO()

    with tabular.csv_writer(stream, bom=False) as write_row:
        write_row(["José"])

    assert stream.getvalue() == "José\r\n".encode()


def test_a_sheet_has_the_widths_it_is_given_and_keeps_days_before_its_calendar():
    stream = io.BytesIO()

    with tabular.xlsx_writer(stream, widths=[10, 40]) as write_row:
        write_row(["Born", "Name"])
        write_row([date(1899, 12, 31), "Jane"])

    sheet = sheet_of(stream.getvalue())
    assert [sheet.column_dimensions[name].width for name in "AB"] == [10, 40]
    assert [cell.value for cell in sheet[2]] == ["1899-12-31", "Jane"]
