"""Statements as CSV: the header is looked for below the bank's preamble, in each of the usual delimiters."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import IO

from billing.models import StatementFormat
from billing.services.bank import columns, figures
from billing.services.bank.entries import MAX_LINES, Entry, Statement, StatementUnreadable
from billing.services.bank.figures import Unclear
from ispcore.files import tables

PREAMBLE_ROWS = 40  # What a bank writes above its columns: the account, its owner, the days.
NOTHING = frozenset({"", "-", "0", "0.00", "0,00"})


@dataclass(frozen=True)
class Row:
    number: int  # As a spreadsheet counts: from 1, the preamble included.
    cells: dict[str, str]


def read_csv(stream: IO[bytes], *, account: str, currency: str) -> Statement:
    """Read a CSV statement; `account` and `currency` are those of a file that names none.

    With a column of balances every one of them must follow from the one before. Raises StatementUnreadable.
    """
    rows = list(_rows(_text_of(stream)))
    if not rows:
        raise StatementUnreadable(why="The file has no line below its header.")
    statement = Statement(StatementFormat.CSV)
    code = _one_currency(rows) or currency
    if not code:
        raise StatementUnreadable(why="The file names no currency. Choose it beside the file.")
    statement.currency = code
    days = _all(rows, "booked_on", figures.days_of)
    amounts = _amounts(rows, code)
    for row, day, amount in zip(rows, days, amounts, strict=True):
        if amount:
            statement.entries.append(
                _entry(row, day, amount, row.cells.get("currency", "").upper() or code, account)
            )
    _check_balances(statement, rows, amounts)
    accounts = {entry.account for entry in statement.entries}
    statement.account = accounts.pop() if len(accounts) == 1 else ""
    return statement


def _text_of(stream: IO[bytes]) -> str:
    try:
        encoding, _ = tables.find_encoding(stream)
    except tables.UnreadableFile as error:
        raise StatementUnreadable(why=str(error)) from error
    stream.seek(0)
    return stream.read().decode(tables.ENCODINGS[encoding])


def _rows(text: str) -> Iterator[Row]:
    """Yield the rows below the header, each cell under its field's name; empty rows are left out."""
    if "\x00" in text:
        raise StatementUnreadable(why="The file holds NUL characters: it is damaged, or no CSV file.")
    if any(len(line) > tables.MAX_RECORD for line in io.StringIO(text, newline="")):
        raise StatementUnreadable(why=f"A row has more than {tables.MAX_RECORD:,} characters.")
    delimiter, header, found = _find_header(text)
    records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    width, count = 0, 0
    try:
        for number, cells in enumerate(records, 1):
            if number == header:
                width = len(cells)
            if number <= header or not any(cell.strip() for cell in cells):
                continue
            if (len(cells) < width and any(cells[len(cells) :])) or len(cells) < _needed(found):
                why = f"Row {number} ends in the middle: the file was cut, or a quotation mark is missing."
                raise StatementUnreadable(why=why)
            count += 1
            if count > MAX_LINES:
                raise StatementUnreadable(why=f"The file has more than {MAX_LINES:,} lines. Split it.")
            yield Row(
                number,
                {
                    field: " ".join(" ".join(cells[at] for at in places if at < len(cells)).split())
                    for field, places in found.items()
                },
            )
    except csv.Error as error:
        raise StatementUnreadable(why=f"A row cannot be read: {error}.") from error


def _needed(found: columns.Columns) -> int:
    """Return how many cells a row has at least: up to its last day, amount or balance."""
    wanted = ("booked_on", "amount", "credit", "debit", "balance")
    return 1 + max(places[0] for field, places in found.items() if field in wanted)


def _find_header(text: str) -> tuple[str, int, dict[str, list[int]]]:
    """Return the delimiter, the number of the header's row, and which columns are which."""
    best: tuple[int, str, int, dict[str, list[int]]] | None = None
    for delimiter in tables.DELIMITERS:
        records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            for number, cells in zip(range(1, PREAMBLE_ROWS + 1), records, strict=False):
                found = columns.find_columns(cells)
                if found and (best is None or len(found) > best[0]):
                    best = len(found), delimiter, number, found
        except csv.Error:
            continue
    if best is None:
        why = (
            f"No row among the first {PREAMBLE_ROWS} names a column for the day and one for the amount. "
            "Give the columns the names Date, Amount, Name, Description and Reference."
        )
        raise StatementUnreadable(why=why)
    return best[1], best[2], best[3]


def _one_currency(rows: Sequence[Row]) -> str:
    codes = {row.cells["currency"].upper() for row in rows if row.cells.get("currency")}
    if not codes:
        texts = (row.cells.get("amount") or row.cells.get("credit", "") for row in rows)
        codes = {code for code in map(figures.currency_in, texts) if code}
    if len(codes) > 1:
        why = f"The file holds several currencies: {', '.join(sorted(codes))[:80]}. An account has one; split the file."
        raise StatementUnreadable(why=why)
    code = codes.pop() if codes else ""
    if code and not (len(code) == 3 and code.isascii() and code.isalpha()):
        raise StatementUnreadable(why=f"“{code[:20]}” is no currency.")
    return code


def _all(rows: Sequence[Row], field: str, read: Callable[[list[str]], list[date]]) -> list[date]:
    try:
        return read([row.cells[field] for row in rows])
    except Unclear as error:
        bad = next(row for row in rows if _fails(read, row.cells[field]))
        raise StatementUnreadable(why=f"Row {bad.number}: {error}") from error


def _fails(read: Callable[[list[str]], list[date]], text: str) -> bool:
    try:
        read([text])
    except Unclear:
        return True
    return False


def _amounts(rows: Sequence[Row], currency: str) -> list[Decimal]:
    fields = [field for field in ("amount", "credit", "debit", "balance") if field in rows[0].cells]
    texts = [row.cells[field] for row in rows for field in fields if row.cells[field] not in NOTHING]
    row = rows[0]
    try:
        mark = figures.decimal_mark(texts, currency)
        found = []
        for row in rows:
            found.append(_amount(row, mark))
    except Unclear as error:
        bad = next((each for each in rows if _is_odd(each, fields)), row)
        raise StatementUnreadable(why=f"Row {bad.number}: {error}") from error
    return found


def _is_odd(row: Row, fields: Sequence[str]) -> bool:
    try:
        for field in fields:
            if row.cells[field] not in NOTHING:
                figures.amount_of(row.cells[field], ".")
    except Unclear:
        return not any(each.isdigit() for field in fields for each in row.cells[field])
    return False


def _amount(row: Row, mark: str) -> Decimal:
    cells = row.cells
    if "amount" in cells:
        amount = _read(cells["amount"], mark)
        direction = cells.get("direction", "").casefold().strip(".")
        if direction in columns.DEBIT_WORDS:
            return -abs(amount)
        return abs(amount) if direction in columns.CREDIT_WORDS else amount
    return abs(_read(cells.get("credit", ""), mark)) - abs(_read(cells.get("debit", ""), mark))


def _read(text: str, mark: str) -> Decimal:
    return Decimal(0) if text in NOTHING else figures.amount_of(text, mark)


def _entry(row: Row, day: date, amount: Decimal, currency: str, account: str) -> Entry:
    cells = row.cells
    return Entry(
        line_number=row.number,
        booked_on=day,
        amount=amount,
        currency=currency,
        payer_name=cells.get("payer_name", ""),
        payer_account=cells.get("payer_account", ""),
        text=cells.get("text", ""),
        end_to_end_id=cells.get("end_to_end_id", ""),
        servicer_reference=cells.get("servicer_reference", ""),
        account=cells.get("account", "").replace(" ", "") or account,
    )


def _check_balances(statement: Statement, rows: Sequence[Row], amounts: Sequence[Decimal]) -> None:
    """Let every balance follow from its neighbour, oldest or newest first, or refuse the file."""
    texts = [row.cells.get("balance", "") for row in rows]
    if not all(texts):
        return
    try:
        mark = figures.decimal_mark(texts, statement.currency)
        balances = [figures.amount_of(text, mark) for text in texts]
    except Unclear as error:
        raise StatementUnreadable(why=f"A balance cannot be read: {error}") from error
    oldest_first = list(zip(rows, amounts, balances, strict=True))
    for ordered in (oldest_first, oldest_first[::-1]):
        if _first_wrong(ordered) is None:
            statement.opening_balance = ordered[0][2] - ordered[0][1]
            statement.closing_balance = ordered[-1][2]
            return
    why = (
        f"The balance of row {_first_wrong(oldest_first)} does not follow from the row before it: rows are "
        "missing, were changed, or the file was cut."
    )
    raise StatementUnreadable(why=why)


def _first_wrong(ordered: Sequence[tuple[Row, Decimal, Decimal]]) -> int | None:
    """Return the number of the first row whose balance does not follow from the one before it."""
    return next(
        (
            row.number
            for (_, _, before), (row, amount, after) in pairwise(ordered)
            if before + amount != after
        ),
        None,
    )
