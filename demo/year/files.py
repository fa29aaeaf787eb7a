"""Bank statements as banks write them."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from ispcore.money import minor_units

if TYPE_CHECKING:
    from demo.year.paying import BankTransfer

FEES = Decimal(12)
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"


def csv(transfers: Sequence["BankTransfer"], *, currency: str, fees_on: date) -> bytes:
    """Write a CSV file: what came in, and the bank's fees."""
    rows = [f"{each.day};{each.amount:.2f};{each.person.name};{each.text};{currency}" for each in transfers]
    rows.append(f"{fees_on};-{FEES:.2f};Bank;Fees;{currency}")
    return "\n".join(["Date;Amount;Name;Description;Currency", *rows, ""]).encode()


def camt(transfers: Sequence["BankTransfer"], *, currency: str, fees_on: date) -> bytes:
    """Write an ISO 20022 camt.053.001.02 file: what came in, and the bank's fees."""
    digits = minor_units(currency)
    entries = [
        _entry(f"{each.amount:.{digits}f}", currency, each.day, "CRDT", each.person.name, each.text)
        for each in transfers
    ]
    entries.append(_entry(f"{FEES:.{digits}f}", currency, fees_on, "DBIT", "Bank", "Fees"))
    opening, closing = Decimal(1000), 1000 + sum((each.amount for each in transfers), -FEES)
    balances = "".join(
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="{currency}">{amount:.{digits}f}</Amt>'
        f"<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{fees_on}</Dt></Dt></Bal>"
        for code, amount in (("OPBD", opening), ("CLBD", closing))
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="{NAMESPACE}"><BkToCstmrStmt><Stmt>'
        f"<Acct><Id><IBAN>PT50000201231234567890154</IBAN></Id><Ccy>{currency}</Ccy></Acct>{balances}"
        f"{''.join(entries)}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def _entry(amount: str, currency: str, day: date, direction: str, name: str, text: str) -> str:
    return (
        f'<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd><Sts>BOOK</Sts>'
        f"<BookgDt><Dt>{day}</Dt></BookgDt><NtryDtls><TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>"
        f"<RltdPties><Dbtr><Nm>{name}</Nm></Dbtr></RltdPties><RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls></NtryDtls>"
        "</Ntry>"
    )
