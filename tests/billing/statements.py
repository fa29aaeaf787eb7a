"""What the tests of bank statements share: files as banks write them, and running the job in this process."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.models import BankLine, BankStatement
from billing.services import bank
from ispcore.jobs import services as jobs

NOW = datetime(2026, 3, 12, 9, tzinfo=UTC)
IBAN = "PT50000201231234567890154"
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001"


def take_in(content: bytes, name: str = "march.csv", **fields: Any) -> BankStatement:
    """Upload a statement and do what its worker does."""
    return perform(bank.request_reconciliation(name=name, content=[content], **fields))


def perform(statement: BankStatement) -> BankStatement:
    assert statement.job is not None
    jobs.perform(
        tenant_id=str(statement.tenant_id),
        job_id=str(statement.job.pk),
        work=lambda run: bank.reconcile(run, at=NOW),
    )
    statement.refresh_from_db()
    return statement


def told(statement: BankStatement) -> list[tuple[str, Decimal, str, str]]:
    """Day, amount, payer, state of each line, in the file's order."""
    lines = BankLine.objects.filter(statement=statement).order_by("line_number")
    return [(f"{each.booked_on:%m-%d}", each.amount, each.payer_name, each.state) for each in lines]


def csv(*rows: str, header: str = "Date;Amount;Name;Description") -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def entry(
    amount: str,
    *,
    day: str = "2026-03-10",
    direction: str = "CRDT",
    details: str = "",
    reference: str = "",
    status: str = "<Sts>BOOK</Sts>",
    reversal: bool = False,
    currency: str = "EUR",
) -> str:
    return (
        f'<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd>'
        f"{'<RvslInd>true</RvslInd>' if reversal else ''}{status}<BookgDt><Dt>{day}</Dt></BookgDt>"
        f"{f'<AcctSvcrRef>{reference}</AcctSvcrRef>' if reference else ''}"
        f"{f'<NtryDtls>{details}</NtryDtls>' if details else ''}</Ntry>"
    )


def transaction(
    name: str, text: str, *, amount: str = "", end_to_end: str = "NOTPROVIDED", version: int = 2
) -> str:
    payer = f"<Pty><Nm>{name}</Nm></Pty>" if version >= 8 else f"<Nm>{name}</Nm>"
    told = f'<Amt Ccy="EUR">{amount}</Amt>' if amount else ""
    return (
        f"<TxDtls><Refs><EndToEndId>{end_to_end}</EndToEndId></Refs>"
        f"{told}<RltdPties><Dbtr>{payer}</Dbtr><DbtrAcct><Id><IBAN>DE02120300000000202051</IBAN></Id></DbtrAcct></RltdPties>"
        f"<RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>"
    )


def camt(
    entries: Sequence[str],
    *,
    opening: str = "100.00",
    closing: str = "100.00",
    version: int = 2,
    account: str = IBAN,
) -> bytes:
    def balance(code: str, amount: str) -> str:
        return (
            f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{amount}</Amt>'
            "<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-10</Dt></Dt></Bal>"
        )

    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="{NAMESPACE}.{version:02d}"><BkToCstmrStmt>'
        f"<Stmt><Acct><Id><IBAN>{account}</IBAN></Id><Ccy>EUR</Ccy></Acct>{balance('OPBD', opening)}"
        f"{balance('CLBD', closing)}{''.join(entries)}</Stmt></BkToCstmrStmt></Document>"
    ).encode()
