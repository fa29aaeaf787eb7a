"""Files as people have them: encodings, delimiters, headers, workbooks, and files that mean harm."""

import io
import zipfile
from datetime import datetime

import pytest

from ispcore.files import tables, tabular
from tests.subscribers.importing import csv_of, xlsx_of

DAY = datetime(2026, 1, 31)  # noqa: DTZ001  (A workbook knows no time zone.)
ROWS = [["Nome", "Cidade"], ["José Conceição", "São Paulo"], ['Say "hi"\nthere', "A;B,C|D"]]


def shape_of(content: bytes, encoding: str = "") -> tables.Shape:
    return tables.find_shape(io.BytesIO(content), encoding=encoding)


def read(content: bytes, encoding: str = "") -> list[tables.RawRow]:
    stream = io.BytesIO(content)
    shape = tables.find_shape(stream, encoding=encoding)
    with tables.read_rows(stream, shape) as rows:
        return list(rows)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    ("written", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("cp1252", "windows-1252")],
)
def test_encoding_and_delimiter_are_found_out(written, found, delimiter):
    content = csv_of(ROWS, encoding=written, delimiter=delimiter)

    shape = shape_of(content)

    assert (shape.encoding, shape.delimiter, shape.columns) == (found, delimiter, ("Nome", "Cidade"))
    assert [row.cells for row in read(content)] == [tuple(row) for row in ROWS[1:]]


def test_an_encoding_can_be_chosen():
    content = csv_of([["name"], ["João"]], encoding="cp850")

    assert read(content)[0].cells != ("João",)
    assert read(content, "cp850")[0].cells == ("João",)
    with pytest.raises(tables.UnreadableFile, match="not written in utf-8"):
        read(content, "utf-8")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"name,Name\n", "Columns 1 and 2 have the same name"),
        (b"name,,city\n", "Column 2 has no name"),
        (b"n" * 81 + b"\n", "is no name"),
        (b",".join(b"c%d" % n for n in range(101)), "more than 100 columns"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused_in_words(content, why):
    with pytest.raises(tables.WrongColumns, match=why):
        shape_of(content)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old .xls"),
        (b"%PDF-1.7 and more", "PDF"),
        (b"n\x00a\x00m\x00e\x00\n\x00", "mostly NUL"),
        (b"name\n\x81\x8d\n", "neither in UTF-8 nor in Windows-1252"),
        (b"PK\x03\x04 and no more", "cannot be read"),
    ],
)
def test_what_is_no_table_is_refused_in_words(content, why):
    with pytest.raises(tables.UnreadableFile, match=why):
        shape_of(content)


def test_rows_that_do_not_fit_are_told_and_the_others_go_on():
    content = b'name,city\nA,B\nC\nD,E,F\n\nG\x00,H\n"' + b"x" * 4001 + b'",I\nJ,K,,\nL,M\n'

    rows = read(content)

    assert [(row.number, row.problem) for row in rows] == [
        (2, ""),
        (3, "The row has 1 cells, fewer than the 2 columns of the header."),
        (4, "The row has 3 cells, more than the 2 columns of the header."),
        (6, "Cell 1 holds a NUL character."),
        (7, "Cell 1 has more than 4,000 characters."),
        (8, ""),
        (9, ""),
    ]


def test_a_quotation_mark_without_end_does_not_fill_the_memory():
    rows = read(b'name\nA\n"B\n' + b"C\n" * 200_000)

    assert rows[0].problem == ""
    assert "quotation mark" in rows[1].problem
    assert all(len(row.cells[0]) <= tables.MAX_CELL for row in rows)


def test_too_many_rows_are_refused(monkeypatch):
    monkeypatch.setattr(tables, "MAX_ROWS", 3)

    with pytest.raises(tables.TooManyRowsToImport):
        read(b"name\n" + b"A\n" * 4)


def test_what_our_own_files_made_harmless_is_read_as_it_was():
    content = b"".join(tabular.pieces_of([["phone"], ["+351912345678"]], file_format="csv"))

    assert b"'+351" in content
    assert read(content)[0].cells == ("+351912345678",)


def test_a_workbooks_cells_become_text_as_people_read_them():
    content = xlsx_of(
        [
            ["name", "phone", "day", "moment", "share", "sure", "sum"],
            ["Zé", 351912345678.0, DAY, DAY.replace(hour=9, minute=30), 1.5, True, "=1+1"],
            [],
            ["short"],
        ]
    )

    shape, rows = shape_of(content), read(content)

    assert (shape.file_format, shape.encoding) == ("xlsx", "")
    assert rows[0].cells == ("Zé", "351912345678", "2026-01-31", "2026-01-31T09:30:00", "1.5", "yes", "")
    assert [(row.number, row.cells[0], row.problem) for row in rows] == [(2, "Zé", ""), (4, "short", "")]


def test_a_workbook_of_ours_is_read_back():
    content = b"".join(tabular.pieces_of([["name", "n"], ["=A1", 7]], file_format="xlsx"))

    assert read(content)[0].cells == ("=A1", "7")


def test_a_workbook_that_unpacks_without_end_is_refused():
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(501):
            part.write(b" " * 1024 * 1024)

    assert len(stream.getvalue()) < 1024 * 1024
    with pytest.raises(tables.UnreadableFile, match="unpacks to more than 500 MiB"):
        shape_of(stream.getvalue())
