"""Statements as camt.053, the XML of ISO 20022, versions .02 to .13.

Elements are known by their local names: what differs between the versions is where a few of them lie, such as a
payer's name (`Dbtr/Nm` until .07, `Dbtr/Pty/Nm` since .08) and an entry's status (`Sts` until .07, `Sts/Cd` since).
Source: ISO 20022 message definitions, Bank-to-Customer Cash Management.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import IO, Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from billing.models import StatementFormat
from billing.services.bank.entries import MAX_LINES, Entry, Statement, StatementUnreadable

MAX_ELEMENTS = 1_000_000  # A statement of MAX_BYTES has some 500,000.
MAX_DEPTH = 100  # The deepest a bank writes is some 15.
OPENING, CLOSING = ("OPBD", "PRCD"), ("CLBD",)
NOT_GIVEN = frozenset({"NOTPROVIDED", "NONREF"})
OTHERS = {
    "BkToCstmrAcctRpt": "an account report (camt.052), whose movements may still change",
    "BkToCstmrDbtCdtNtfctn": "a notification (camt.054)",
    "CstmrCdtTrfInitn": "an order of payments (pain.001)",
    "CstmrDrctDbtInitn": "an order of direct debits (pain.008)",
}


def read_camt(stream: IO[bytes], *, account: str = "") -> Statement:
    """Read all statements of a file; each must add up from its opening to its closing balance.

    Only what is booked counts. Raises StatementUnreadable.
    """
    found = Statement(StatementFormat.CAMT053)
    seen = 0
    try:
        for head, entries in _statements(stream):
            _add(found, head, entries, given=account, first=not seen)
            seen += 1
    except ParseError as error:
        row, column = error.position
        why = f"The XML ends or breaks at line {row}, column {column}: the file was cut or changed."
        raise StatementUnreadable(why=why) from error
    except (DefusedXmlException, UnicodeError, LookupError, ValueError) as error:
        why = f"The XML is not one that a bank writes: {_said(error)}"
        raise StatementUnreadable(why=why) from error
    if not seen:
        raise StatementUnreadable(why="The XML holds no statement (camt.053).")
    return found


def _said(error: Exception) -> str:
    if isinstance(error, DefusedXmlException):
        return "it defines entities of its own, which may be an attack."
    return "its encoding is unknown, or not the one it names."


def _statements(stream: IO[bytes]) -> Iterator[tuple[list[Any], list[Entry]]]:
    """Yield each statement's head and its entries; an entry's elements are dropped once it is read."""
    stream.seek(0)
    head: list[Any] = []
    entries: list[Entry] = []
    depth: list[str] = []
    total = elements = 0
    for event, node in iterparse(stream, events=("start", "end"), forbid_dtd=True):
        name = _name(node)
        if event == "start":
            depth.append(name)
            elements += 1
            if elements > MAX_ELEMENTS or len(depth) > MAX_DEPTH:
                raise StatementUnreadable(why="The XML has more elements than a statement of a bank.")
            if len(depth) == 2 and name in OTHERS:
                why = f"This is {OTHERS[name]}. Give the bank's statement, camt.053."
                raise StatementUnreadable(why=why)
            continue
        depth.pop()
        if depth[-1:] == ["Stmt"]:
            if name == "Ntry":
                made = list(_entries(node, total))
                total += len(made)
                if total > MAX_LINES:
                    raise StatementUnreadable(why=f"The file has more than {MAX_LINES:,} lines. Split it.")
                entries += made
                node.clear()
            else:
                head.append(node)
        elif name == "Stmt":
            yield head, entries
            node.clear()
            head, entries = [], []


def _add(found: Statement, head: list[Any], entries: list[Entry], *, given: str, first: bool) -> None:
    account = next((node for node in head if _name(node) == "Acct"), None)
    number = _text(account, "Id", "IBAN") or _text(account, "Id", "Othr", "Id") or given
    balances = [node for node in head if _name(node) == "Bal"]
    opening, closing = _balance(balances, OPENING), _balance(balances, CLOSING)
    codes = {entry.currency for entry in entries}
    codes |= {each.get("Ccy", "") for node in balances if (each := _child(node, "Amt")) is not None} - {""}
    if named := _text(account, "Ccy"):
        codes.add(named)
    if len(codes) > 1:
        why = (
            f"The account {number or 'without number'} holds several currencies: {', '.join(sorted(codes))}."
        )
        raise StatementUnreadable(why=why)
    _check_sum(head, opening, closing, entries, number)
    for entry in entries:
        entry.account = number[:40]
    currency = codes.pop() if codes else ""
    if first:
        found.account, found.currency = number[:40], currency
        found.opening_balance, found.closing_balance = _value(opening), _value(closing)
    elif (found.account, found.currency) == (number[:40], currency):
        found.closing_balance = _value(closing)
    else:  # Several accounts: no one balance is that of the file.
        found.opening_balance = found.closing_balance = None
    for node in (opening, closing):
        day = _day(node)
        if day is not None:
            found.from_on = min(found.from_on or day, day)
            found.to_on = max(found.to_on or day, day)
    found.entries += entries


def _check_sum(head: list[Any], opening: Any, closing: Any, entries: list[Entry], number: str) -> None:
    where = f"The statement of {number}" if number else "The statement"
    paging = next((node for node in head if _name(node) == "StmtPgntn"), None)
    if closing is None and _text(paging, "LastPgInd") != "false":
        raise StatementUnreadable(why=f"{where} has no closing balance: the file was cut or changed.")
    if opening is None or closing is None:
        return
    moved = sum((entry.amount for entry in entries), Decimal(0))
    before, after = _value(opening) or Decimal(0), _value(closing) or Decimal(0)
    if before + moved != after:
        why = (
            f"{where} does not add up: {before} and movements of {moved} make {before + moved}, and its closing "
            f"balance is {after}. Movements are missing, or were changed."
        )
        raise StatementUnreadable(why=why)


def _entries(entry: Any, before: int) -> Iterator[Entry]:
    """Yield an entry's transactions, or the entry itself where they do not make up its amount."""
    status = _text(entry, "Sts", "Cd") or _text(entry, "Sts")
    if status not in ("BOOK", ""):  # Pending, or for information: the balance does not hold it.
        return
    whole, currency = _amount(entry, before + 1)
    booked_on = _day(_child(entry, "BookgDt")) or _day(_child(entry, "ValDt"))
    if booked_on is None:
        raise StatementUnreadable(why=f"Movement {before + 1} has no day.")
    is_reversal = _text(entry, "RvslInd") in ("true", "1")
    reference = _text(entry, "AcctSvcrRef")
    details = [
        each for group in entry if _name(group) == "NtryDtls" for each in group if _name(each) == "TxDtls"
    ]
    parts = [_part(each, whole, currency) for each in details] if len(details) > 1 else [whole]
    note = ""
    if len(details) > 1 and (None in parts or sum(each or 0 for each in parts) != whole):
        details, parts = [], [whole]
        note = "The bank joined several payments and does not say how much each was."
    for number, amount in enumerate(parts):
        if not amount:
            continue
        detail = details[number] if details else None
        yield Entry(
            line_number=before + number + 1,
            booked_on=booked_on,
            amount=amount,
            currency=currency,
            is_reversal=is_reversal,
            note=note,
            **_told(detail, credit=whole > 0, reference=reference, more=_text(entry, "AddtlNtryInf")),
        )


def _told(detail: Any, *, credit: bool, reference: str, more: str) -> dict[str, str]:
    """Return who the other side is and what they wrote."""
    other = "Dbtr" if credit else "Cdtr"
    parties = _child(detail, "RltdPties")
    remittance = _child(detail, "RmtInf")
    texts = [_own(node) for node in (remittance if remittance is not None else ()) if _name(node) == "Ustrd"]
    for node in remittance if remittance is not None else ():
        if _name(node) == "Strd":
            texts += [_text(node, "CdtrRefInf", "Ref"), _text(node, "RfrdDocInf", "Nb")]
            texts += [_text(node, "AddtlRmtInf")]
    end_to_end = _text(detail, "Refs", "EndToEndId")
    account = _path(parties, f"{other}Acct", "Id")
    own, number = _text(detail, "Refs", "AcctSvcrRef"), _text(detail, "Refs", "TxId")
    said = " ".join(filter(None, texts)) or _text(detail, "AddtlTxInf") or more
    return {
        "payer_name": _text(parties, other, "Nm") or _text(parties, other, "Pty", "Nm"),
        "payer_account": _text(account, "IBAN") or _text(account, "Othr", "Id"),
        "text": " ".join(said.split()),
        "end_to_end_id": "" if end_to_end.upper() in NOT_GIVEN else end_to_end,
        "servicer_reference": " ".join(dict.fromkeys(filter(None, (reference, own, number)))),
    }


def _part(detail: Any, whole: Decimal, currency: str) -> Decimal | None:
    """Return what one of several transactions moved, None when it is not told in the account's currency."""
    node = _child(detail, "Amt")
    if node is None:
        node = _path(detail, "AmtDtls", "TxAmt", "Amt")
    if node is None or node.get("Ccy") != currency:
        return None
    direction = _text(detail, "CdtDbtInd")
    amount = _decimal(_own(node))
    return -amount if (direction == "DBIT" if direction else whole < 0) else amount


def _amount(node: Any, number: int) -> tuple[Decimal, str]:
    amount = _child(node, "Amt")
    direction = _text(node, "CdtDbtInd")
    if amount is None or direction not in ("CRDT", "DBIT") or not amount.get("Ccy"):
        raise StatementUnreadable(why=f"Movement {number} has no amount, currency or direction.")
    value = _decimal(_own(amount))
    return (value if direction == "CRDT" else -value), amount.get("Ccy")


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise StatementUnreadable(why=f"“{text[:40]}” is no amount.") from None
    if not value.is_finite() or value < 0:
        raise StatementUnreadable(why=f"“{text[:40]}” is no amount.")
    return value


def _balance(balances: list[Any], kinds: tuple[str, ...]) -> Any:
    for kind in kinds:
        for node in balances:
            if _text(node, "Tp", "CdOrPrtry", "Cd") == kind:
                return node
    return None


def _value(balance: Any) -> Decimal | None:
    return None if balance is None else _amount(balance, 0)[0]


def _day(node: Any) -> date | None:
    text = _text(node, "Dt") or _text(node, "DtTm") or _text(node, "Dt", "Dt") or _text(node, "Dt", "DtTm")
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        raise StatementUnreadable(why=f"“{text[:40]}” is no day.") from None


def _name(node: Any) -> str:
    return str(node.tag).rpartition("}")[2]


def _child(node: Any, name: str) -> Any:
    return None if node is None else next((each for each in node if _name(each) == name), None)


def _path(node: Any, *names: str) -> Any:
    for name in names:
        node = _child(node, name)
    return node


def _own(node: Any) -> str:
    return "" if node is None or node.text is None else str(node.text).strip()


def _text(node: Any, *names: str) -> str:
    return _own(_path(node, *names))
