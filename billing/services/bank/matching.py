"""Who may have paid a line: looked up for many lines at once, judged line by line.

Certain is what two facts agree on: a number that was written, and the amount or the payer's name. A number alone may
be mistyped and a name alone is somebody else's as well: those wait for a person.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from billing.models import (
    BankLine,
    BankSuggestion,
    BillingSettings,
    Invoice,
    InvoiceKind,
    InvoiceStatus,
    LineState,
    MatchRule,
    Payment,
    PaymentMethod,
    PaymentStatus,
    SubscriberBalance,
)
from billing.services.bank import references
from ispcore.tenants.context import current_tenant_id
from subscribers.models import Subscriber

BATCH = 500
MOST_SUGGESTIONS = 5
OPEN = (InvoiceStatus.ISSUED, InvoiceStatus.PARTLY_PAID)
STRENGTH = [
    MatchRule.PAYMENT_REFERENCE,
    MatchRule.INVOICE_NUMBER,
    MatchRule.SUBSCRIBER_NUMBER,
    MatchRule.NAME,
]
# A word of more customers than this tells nobody from another; the rarest word of a name leads to who has them all.
MOST_OF_A_WORD = 5_000

NAMED_SQL = """
WITH said AS MATERIALIZED (SELECT * FROM unnest(%(lines)s::uuid[], %(words)s::text[]) AS said(line, word)),
counted AS MATERIALIZED (
    SELECT each.word, (
        SELECT count(*) FROM (
            SELECT FROM subscribers_subscriberword AS known
            WHERE known.tenant_id = %(tenant)s AND known.word = each.word LIMIT %(most)s + 1
        ) AS few
    ) AS times
    FROM (SELECT DISTINCT word FROM said) AS each
), rarest AS MATERIALIZED (
    SELECT DISTINCT ON (said.line) said.line, said.word, counted.times
    FROM said JOIN counted USING (word)
    ORDER BY said.line, counted.times, said.word
)
SELECT rarest.line, known.subscriber_id
FROM rarest
JOIN subscribers_subscriberword AS known ON known.tenant_id = %(tenant)s AND known.word = rarest.word
WHERE rarest.times <= %(most)s AND NOT EXISTS (
    SELECT FROM said
    WHERE said.line = rarest.line AND NOT EXISTS (
        SELECT FROM subscribers_subscriberword AS other
        WHERE other.tenant_id = %(tenant)s AND other.word = said.word AND other.subscriber_id = known.subscriber_id
    )
)
"""


@dataclass
class _Candidate:
    """What speaks for one subscriber having paid one line."""

    rules: set[str] = field(default_factory=set)
    invoices: list[Invoice] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)


@dataclass
class _Known:
    """What is known of all subscribers who come into question."""

    subscribers: dict[UUID, Subscriber]
    balances: dict[tuple[UUID, str], Decimal]
    open_amounts: dict[tuple[UUID, str, Decimal], Invoice]


def match_batch(*, statement_id: UUID, at: datetime) -> int:
    """Look for who paid the next lines of a statement; return how many lines were looked at, 0 at the end.

    Runs in the caller's transaction, in the same number of statements for any number of lines. Lines that a person
    settled meanwhile are left alone.
    """
    lines = list(
        BankLine.objects.filter(statement_id=statement_id, state=LineState.UNMATCHED, examined_at=None)
        .select_for_update(of=("self",))
        .order_by("line_number")[:BATCH]
    )
    if not lines:
        return 0
    found = _candidates(lines)
    known = _look_up(lines, {pk for each in found.values() for pk in each})
    suggestions = []
    for line in lines:
        made = _judge(line, found[line.pk], known)
        suggestions += made
        line.examined_at = line.updated_at = at
        line.state = LineState.SUGGESTED if made else LineState.UNMATCHED
    BankSuggestion.objects.bulk_create(suggestions, ignore_conflicts=True)
    BankLine.objects.bulk_update(lines, ["examined_at", "updated_at", "state"])
    return len(lines)


def _candidates(lines: Sequence[BankLine]) -> dict[UUID, dict[UUID, _Candidate]]:
    found: dict[UUID, dict[UUID, _Candidate]] = {line.pk: defaultdict(_Candidate) for line in lines}
    _by_invoice(lines, found)
    _by_subscriber(lines, found)
    _by_payment(lines, found)
    _by_name(lines, found)
    return found


def _by_invoice(lines: Sequence[BankLine], found: dict[UUID, dict[UUID, _Candidate]]) -> None:
    settings = BillingSettings.objects.first()
    prefix = settings.invoice_prefix if settings else "INV"
    wanted = {line.pk: references.invoice_numbers(_texts(line), prefix) for line in lines}
    numbers = set().union(*wanted.values())
    rows = Invoice.objects.filter(number__in=numbers, kind=InvoiceKind.INVOICE) if numbers else ()
    invoices = {invoice.number: invoice for invoice in rows}
    for line in lines:
        for number in sorted(wanted[line.pk] & invoices.keys()):
            candidate = found[line.pk][invoices[number].subscriber_id]
            candidate.rules.add(MatchRule.INVOICE_NUMBER)
            candidate.invoices.append(invoices[number])


def _by_subscriber(lines: Sequence[BankLine], found: dict[UUID, dict[UUID, _Candidate]]) -> None:
    wanted = {line.pk: references.subscriber_numbers(_texts(line)) for line in lines}
    numbers = set().union(*wanted.values())
    rows = Subscriber.objects.filter(number__in=numbers).values_list("number", "pk") if numbers else ()
    keys = dict(rows)
    for line in lines:
        for number in wanted[line.pk] & keys.keys():
            found[line.pk][keys[number]].rules.add(MatchRule.SUBSCRIBER_NUMBER)


def _by_payment(lines: Sequence[BankLine], found: dict[UUID, dict[UUID, _Candidate]]) -> None:
    """Find payments that somebody entered before the bank told of them: they are not booked again."""
    wanted = {line.pk: references.payment_references(_texts(line)) for line in lines}
    words = set().union(*wanted.values())
    rows = Payment.objects.filter(
        reference__in=words, method=PaymentMethod.BANK, status=PaymentStatus.RECEIVED, bank_lines=None
    )
    payments = {payment.reference: payment for payment in rows} if words else {}
    for line in lines:
        for reference in wanted[line.pk] & payments.keys():
            payment = payments[reference]
            if (payment.amount, payment.currency) == (line.amount, line.currency):
                candidate = found[line.pk][payment.subscriber_id]
                candidate.rules.add(MatchRule.PAYMENT_REFERENCE)
                candidate.payments.append(payment)


def _by_name(lines: Sequence[BankLine], found: dict[UUID, dict[UUID, _Candidate]]) -> None:
    said = [(line.pk, word) for line in lines for word in references.name_words(line.payer_name)]
    if not said:
        return
    values: dict[str, Any] = {
        "tenant": current_tenant_id(),
        "lines": [line for line, _ in said],
        "words": [word for _, word in said],
        "most": MOST_OF_A_WORD,
    }
    with connection.cursor() as cursor:
        cursor.execute(NAMED_SQL, values)
        for line, subscriber in cursor.fetchall():
            found[line][subscriber].rules.add(MatchRule.NAME)


def _look_up(lines: Sequence[BankLine], keys: Iterable[UUID]) -> _Known:
    wanted = list(keys)
    balances = SubscriberBalance.objects.filter(subscriber__in=wanted)
    invoices = Invoice.objects.filter(
        subscriber__in=wanted,
        kind=InvoiceKind.INVOICE,
        status__in=OPEN,
        open_amount__in={line.amount for line in lines},
    ).order_by("-due_on", "-pk")
    return _Known(
        subscribers={each.pk: each for each in Subscriber.objects.filter(pk__in=wanted)},
        balances={(each.subscriber_id, each.currency): each.balance for each in balances},
        open_amounts={(each.subscriber_id, each.currency, each.open_amount): each for each in invoices},
    )


def _judge(line: BankLine, candidates: dict[UUID, _Candidate], known: _Known) -> list[BankSuggestion]:
    """Return the best suggestions for a line; at most one is certain."""
    numbered = [pk for pk, each in candidates.items() if each.rules & set(STRENGTH[:3])]
    judged = []
    for pk, candidate in candidates.items():
        subscriber = known.subscribers[pk]
        same_amount = _same_amount(line, pk, candidate, known)
        same_name = references.same_name(line.payer_name, subscriber.full_name)
        if candidate.rules == {MatchRule.NAME} and not same_name:
            continue  # Its words are of a street or an e-mail address.
        rule = next(each for each in STRENGTH if each in candidate.rules)
        certain = numbered == [pk] and (bool(candidate.payments) or same_amount or same_name)
        certain = certain and len(candidate.payments) < 2
        judged.append(
            (not certain, not same_amount, STRENGTH.index(rule), subscriber.number, candidate, subscriber)
        )
    judged.sort(key=lambda each: each[:4])
    return [
        BankSuggestion(
            line=line,
            subscriber=subscriber,
            invoice=_invoice_of(line, candidate, known, subscriber.pk),
            payment=candidate.payments[0] if len(candidate.payments) == 1 else None,
            rule=STRENGTH[place],
            reason=_reason(line, candidate, STRENGTH[place], same_amount=not other_amount),
            is_certain=not uncertain,
        )
        for uncertain, other_amount, place, _, candidate, subscriber in judged[:MOST_SUGGESTIONS]
    ]


def _same_amount(line: BankLine, subscriber: UUID, candidate: _Candidate, known: _Known) -> bool:
    """Tell whether the amount is what the invoices named have open, what all does, or what one invoice does."""
    named = sum((each.open_amount for each in candidate.invoices if _is_open(each, line)), Decimal(0))
    return (
        line.amount in (named, known.balances.get((subscriber, line.currency)))
        or (subscriber, line.currency, line.amount) in known.open_amounts
    )


def _is_open(invoice: Invoice, line: BankLine) -> bool:
    return invoice.status in OPEN and invoice.currency == line.currency


def _invoice_of(line: BankLine, candidate: _Candidate, known: _Known, subscriber: UUID) -> Invoice | None:
    """Return the one invoice a line is for: the one named, or the one with this amount."""
    named = [each for each in candidate.invoices if _is_open(each, line)]
    if candidate.invoices:
        return named[0] if len(named) == 1 else None
    return known.open_amounts.get((subscriber, line.currency, line.amount))


def _reason(line: BankLine, candidate: _Candidate, rule: str, *, same_amount: bool) -> str:
    """Say why in one sentence."""
    words = {
        MatchRule.PAYMENT_REFERENCE: "A payment with this reference was entered already",
        MatchRule.SUBSCRIBER_NUMBER: "The customer's number is written",
        MatchRule.NAME: "The payer has this name",
    }
    if rule == MatchRule.INVOICE_NUMBER:
        paid = [each.number for each in candidate.invoices if not _is_open(each, line)]
        text = f"Invoice {', '.join(each.number for each in candidate.invoices)[:120]} is written"
        if len(paid) == len(candidate.invoices):
            return f"{text}, and not open any more."[:200]
        if paid:
            text += "; not all are open"
    else:
        text = words[MatchRule(rule)]
    if rule != MatchRule.PAYMENT_REFERENCE:
        text += (
            ", and the amount is what is open"
            if same_amount
            else ", but the amount is another than what is open"
        )
    return f"{text}."[:200]


def _texts(line: BankLine) -> list[str]:
    return [text for text in (line.text, line.end_to_end_id) if text]
