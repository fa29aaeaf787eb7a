"""Files that mean harm, small and large: refused in words before they fill the memory."""

import io
import resource
import zipfile
from collections.abc import Iterable

import pytest

from billing.services.bank import camt, csv_files
from billing.services.bank.entries import StatementUnreadable
from ipam.services.imports import netbox
from ipam.services.imports.entries import SubnetEntry
from ispcore.files import tables
from tests.subscribers.importing import xlsx_of

MIB = 1024 * 1024
ROOM_KIB = 300 * 1024  # That a refusal may take; without the bounds the workbooks here take gigabytes.
MAIN = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
SHEET, STYLES = "xl/worksheets/sheet1.xml", "xl/styles.xml"


def workbook_with(part: str, pieces: Iterable[bytes]) -> io.BytesIO:
    """A workbook of two rows, of which one part is another."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(xlsx_of([["name"], ["Maria"]]))) as usual,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name in usual.namelist():
            with archive.open(name, "w", force_zip64=True) as written:
                for piece in pieces if name == part else [usual.read(name)]:
                    written.write(piece)
    return made


def sheet_of(*inner: bytes) -> list[bytes]:
    return [b"<worksheet %s><sheetData>" % MAIN, *inner, b"</sheetData></worksheet>"]


def read(stream: io.BytesIO) -> list[tables.RawRow]:
    with tables.read_rows(stream, tables.find_shape(stream)) as rows:
        return list(rows)


def most_memory_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


WORKBOOKS = {
    "a row of cells without end": (SHEET, sheet_of(b"<row>", *[b"<c/>" * (MIB // 4)] * 40, b"</row>")),
    "a cell of 40 MiB": (
        SHEET,
        sheet_of(b'<row><c t="inlineStr"><is><t>', *[b"x" * MIB] * 40, b"</t></is></c></row>"),
    ),
    "elements that are no rows": (SHEET, sheet_of(*[b"<a/>" * (MIB // 4)] * 40)),
    "elements in one another": (SHEET, sheet_of(*[b"<a>" * (MIB // 3)] * 40)),
    "styles without end": (
        STYLES,
        [b"<styleSheet %s>" % MAIN, *[b"<a/>" * (MIB // 4)] * 40, b"</styleSheet>"],
    ),
    "entities": (SHEET, [b'<!DOCTYPE l [<!ENTITY a "aa">]>', *sheet_of(b"<row><c><v>&a;</v></c></row>")]),
}  # fmt: skip


@pytest.mark.parametrize("name", WORKBOOKS)
def test_a_workbook_that_means_harm_is_refused_in_little_memory(name):
    stream = workbook_with(*WORKBOOKS[name])
    before = most_memory_kib()

    with pytest.raises(tables.UnreadableFile, match="workbook cannot be read"):
        read(stream)

    assert most_memory_kib() - before < ROOM_KIB


@pytest.mark.parametrize("start", [b"", b"name\n"])
def test_a_csv_row_without_end_is_refused(start):
    with pytest.raises(tables.UnreadableFile, match="more than 1,000,000 characters"):
        read(io.BytesIO(start + b"a," * MIB))


def test_a_csv_cell_of_10_mib_is_refused():
    with pytest.raises(tables.UnreadableFile, match="more than 1,000,000 characters"):
        read(io.BytesIO(b'name\n"' + b"x" * 10 * MIB + b'"\n'))


@pytest.mark.parametrize(
    "content",
    [
        b"<Document>" + b"<a>" * MIB,
        b"<Document><BkToCstmrStmt><Stmt>" + b"<a/>" * (2 * MIB) + b"</Stmt></BkToCstmrStmt></Document>",
    ],
)
def test_a_statement_of_more_elements_than_a_bank_writes_is_refused(content):
    with pytest.raises(StatementUnreadable, match="more elements than a statement"):
        camt.read_camt(io.BytesIO(content))


def test_a_statement_with_a_row_without_end_is_refused():
    with pytest.raises(StatementUnreadable, match="more than 1,000,000 characters"):
        csv_files.read_csv(io.BytesIO(b"Date;Amount\n" + b";" * (2 * MIB)), account="", currency="EUR")


@pytest.mark.parametrize("content", [b"{[]: []}", b"[" * MIB, b'{"prefixes": [' + b"9" * 5000 + b"]}"])
def test_json_that_netbox_never_writes_is_refused(content):
    with pytest.raises(tables.UnreadableFile):
        netbox.read_lookup(io.BytesIO(content))


def test_half_a_surrogate_pair_becomes_text_that_can_be_stored():
    stream = io.BytesIO(b'{"prefixes": [{"id": 1, "prefix": "10.0.0.0/8", "description": "\\ud800"}]}')

    [entry] = netbox.entries_of(stream, netbox.read_lookup(stream))

    assert isinstance(entry, SubnetEntry)
    assert (entry.details["name"], entry.values["description"]) == ("?", "?")
