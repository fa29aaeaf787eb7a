"""A statement's life: it comes as a file, is taken in whole or refused, matched, and what is certain is booked."""

from collections.abc import Iterable
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import IO, Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, Q
from django.utils.text import get_valid_filename

from billing.models import BankLine, BankStatement, BankSuggestion, LineState, StatementStatus
from billing.services.bank import camt, csv_files, matching, pairing
from billing.services.bank.entries import MAX_BYTES, Entry, Statement, StatementUnreadable, checked, keyed
from ispcore.errors import DomainError
from ispcore.files.models import StoredFile
from ispcore.files.services import open_file, write_file
from ispcore.jobs import services as jobs
from subscribers.models import BillingProfile
from subscribers.services.periods import local_date

KIND = "billing.reconcile_statement"
KEPT_FROM_ALL = "imports"  # No role may view it: an uploaded file is for the job alone.
KEPT_FOR = timedelta(days=30)
ROWS_AT_ONCE = 1_000
WENT_OUT = "Money that went out."
TAKEN_BACK = "The bank took a payment back. Find the payment and enter it as bounced."
GIVEN_BACK = "The bank took back a movement of ours. Pair it by hand if a customer paid."


class StatementKnown(DomainError):
    code = "duplicate_statement"
    message = "This very file was taken in already, as “{name}” on {day}. Nothing is booked twice."
    field = "file"


class StatementTooLarge(DomainError):
    code = "request_too_large"
    message = f"The file is larger than {MAX_BYTES // 1024 // 1024} MiB. Ask the bank for a shorter time."
    status = 413
    field = "file"


@transaction.atomic
def request_reconciliation(
    *,
    name: str,
    content: Iterable[bytes],
    account: str = "",
    currency: str = "",
    user_id: UUID | None = None,
) -> BankStatement:
    """Keep a statement's file and start the job that reads, matches and books it.

    `account` and `currency` are those of a file that names none. Safe to repeat: the same content is refused
    while it is being taken in and after. Raises StatementTooLarge, StatementKnown.
    """
    shown_name = (get_valid_filename(name) if name.strip(". ") else "")[-200:] or "statement"
    with write_file(
        name=shown_name,
        media_type="application/octet-stream",
        app_label=KEPT_FROM_ALL,
        keep_for=KEPT_FOR,
        user_id=user_id,
    ) as (file, stream):
        _copy(content, stream)
    _refuse_known(file.sha256)
    try:
        with transaction.atomic():
            made: BankStatement = BankStatement.objects.create(
                name=name.strip()[-200:] or "statement",
                file=file,
                sha256=file.sha256,
                account="".join(account.split())[:40].upper(),
                currency=currency.upper(),
                created_by_id=user_id,
            )
    except IntegrityError:
        _refuse_known(file.sha256)  # It came a second time in the meantime.
        raise
    made.job = jobs.enqueue(
        kind=KIND,
        subject=f"bank_statement:{made.pk}",
        label=f"Bank statement {made.name}"[:200],
        params={"statement_id": str(made.pk)},
        queue="billing",
        user_id=user_id,
    )
    made.save(update_fields=["job", "updated_at"])
    return made


def reconcile(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Take a statement in, look for who paid each line, and book what is certain. Returns the counts.

    The lines are stored in one transaction or not at all. Matching goes batch by batch and booking line by line,
    each in a transaction of its own: a worker that takes the job up goes on where the last one stopped. Raises
    StatementUnreadable.
    """
    statement_id = UUID(run.params["statement_id"])
    try:
        with run.tenant():
            run.hold()
            statement = _lock(statement_id)
            if statement.status == StatementStatus.READING:
                run.progress(0, 0, "Reading the file")
                _take_in(statement, at=at)
    except DomainError as error:
        with run.tenant():
            run.hold()
            _fail(_lock(statement_id), error, at=at)
        raise
    _match(run, statement_id, at=at)
    _book(run, statement_id, at=at)
    with run.tenant():
        run.hold()
        statement = _lock(statement_id)
        if statement.status == StatementStatus.MATCHING:
            file_id, statement.file = statement.file_id, None
            statement.status, statement.finished_at = StatementStatus.DONE, at
            statement.save()
            StoredFile.objects.filter(pk=file_id).delete()
        return _counts(statement)


def _copy(content: Iterable[bytes], stream: IO[bytes]) -> None:
    size = 0
    for piece in content:
        size += len(piece)
        if size > MAX_BYTES:
            raise StatementTooLarge
        stream.write(piece)


def _refuse_known(sha256: str) -> None:
    known = BankStatement.objects.filter(sha256=sha256).exclude(status=StatementStatus.FAILED).first()
    if known is not None:
        raise StatementKnown(name=known.name, day=local_date(known.created_at))


def _lock(pk: UUID) -> BankStatement:
    found: BankStatement = (
        BankStatement.objects.select_related("file").select_for_update(of=("self",)).get(pk=pk)
    )
    return found


def _take_in(statement: BankStatement, *, at: datetime) -> None:
    if statement.file is None:
        raise StatementUnreadable(why="The file is no longer kept. Upload it again.")
    with open_file(statement.file, scope=nullcontext) as stream:
        told = checked(_read(stream, statement), today=local_date(at))
    for name in ("file_format", "from_on", "to_on", "opening_balance", "closing_balance"):
        setattr(statement, name, getattr(told, name))
    statement.account, statement.currency = told.account or statement.account, told.currency
    BankLine.objects.bulk_create(
        (_line(statement, entry, key, ordinal, at) for entry, key, ordinal in keyed(told.entries)),
        batch_size=ROWS_AT_ONCE,
        ignore_conflicts=True,
    )
    statement.lines_known = len(told.entries) - BankLine.objects.filter(statement=statement).count()
    statement.status = StatementStatus.MATCHING
    statement.save()


def _read(stream: IO[bytes], statement: BankStatement) -> Statement:
    start = stream.read(512).lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00")
    stream.seek(0)
    if not start:
        raise StatementUnreadable(why="The file is empty.")
    if start.startswith(b"<"):
        return camt.read_camt(stream, account=statement.account)
    currency = statement.currency or _only_currency()
    return csv_files.read_csv(stream, account=statement.account, currency=currency)


def _only_currency() -> str:
    """Return the currency all customers are billed in, where it is one."""
    codes = list(BillingProfile.objects.order_by().values_list("currency", flat=True).distinct()[:2])
    return codes[0] if len(codes) == 1 else ""


def _line(statement: BankStatement, entry: Entry, key: str, ordinal: int, at: datetime) -> BankLine:
    line = BankLine(
        statement=statement,
        account=entry.account,
        line_number=entry.line_number,
        booked_on=entry.booked_on,
        amount=entry.amount,
        currency=entry.currency,
        payer_name=entry.payer_name[:200],
        payer_account="".join(entry.payer_account.split())[:40],
        text=entry.text[:500],
        end_to_end_id=entry.end_to_end_id[:80],
        servicer_reference=entry.servicer_reference[:80],
        is_reversal=entry.is_reversal,
        content_key=key,
        ordinal=ordinal,
        note=entry.note,
    )
    if entry.amount < 0:
        line.state, line.note = LineState.IGNORED, TAKEN_BACK if entry.is_reversal else WENT_OUT
    elif entry.is_reversal:
        line.note = GIVEN_BACK
    if line.note:
        line.examined_at = at  # A person looks at it first.
    return line


def _match(run: jobs.Run, statement_id: UUID, *, at: datetime) -> None:
    done = 0
    while True:
        with run.tenant():
            run.hold()
            matched = matching.match_batch(statement_id=statement_id, at=at)
        if not matched:
            return
        done += matched
        run.progress(done, done, "Looking for who paid")


def _book(run: jobs.Run, statement_id: UUID, *, at: datetime) -> None:
    with run.tenant():
        certain = list(
            BankSuggestion.objects.filter(
                line__statement_id=statement_id, line__state=LineState.SUGGESTED, is_certain=True
            ).order_by("line__line_number")
        )
    for number, suggestion in enumerate(certain, 1):
        try:
            with run.tenant():
                run.hold()
                pairing.pair(
                    line_id=suggestion.line_id,
                    subscriber_id=suggestion.subscriber_id,
                    invoice_id=suggestion.invoice_id,
                    payment_id=suggestion.payment_id,
                    rule=suggestion.rule,
                    at=at,
                )
        except DomainError as refusal:
            with run.tenant():
                run.hold()
                pairing.leave_to_a_person(line_id=suggestion.line_id, why=str(refusal))
        run.progress(number, len(certain), "Booking")


def _fail(statement: BankStatement, error: DomainError, *, at: datetime) -> None:
    statement.status, statement.finished_at = StatementStatus.FAILED, at
    statement.message = str(error)[:500]
    statement.save()


def _counts(statement: BankStatement) -> dict[str, Any]:
    counted = BankLine.objects.filter(statement=statement).aggregate(
        **{state.value: Count("pk", filter=Q(state=state)) for state in LineState}
    )
    return {"statement_id": str(statement.pk), **counted, "known": statement.lines_known}
