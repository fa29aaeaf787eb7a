"""Who would be cut on a day and why, who is spared and why: the list a person sees is what the night does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, models

from billing.models import DunningPolicy
from billing.models.fields import day_words
from billing.services.dunning import calendar, debts, policies
from ispcore.money import round_money
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant
from subscribers.models import ServiceStatus, Subscription

MOST_LISTED = 200


class Verdict(models.TextChoices):
    CUT = "cut", "Will be cut"
    EXEMPTION = "exemption", "Spared: exempt"
    PROMISE = "promise", "Spared: promised to pay"
    DAY_OFF = "day_off", "Spared: no working day"
    MINIMUM_BALANCE = "minimum_balance", "Spared: owes too little"


# Each subscriber with running lines who owes something past the grace days, once for each currency.
_LISTED_SQL = """
listed AS (
    SELECT owing.subscriber_id, owing.currency, owing.since, owing.owed_past_grace AS amount, owing.policy_id,
           owing.minimum_balance, running.lines, spared.reason AS exemption, promised.until AS promised_until,
           promised.amount AS promised_amount,
           CASE WHEN spared.reason IS NOT NULL THEN 'exemption'
                WHEN promised.until IS NOT NULL THEN 'promise'
                WHEN owing.owed_past_grace <= owing.minimum_balance THEN 'minimum_balance'
                WHEN owing.policy_id = ANY (%(resting)s) THEN 'day_off'
                ELSE 'cut' END AS verdict
    FROM owing
    JOIN billing_dunningpolicy AS policy
        ON policy.tenant_id = %(tenant)s AND policy.id = owing.policy_id AND policy.suspends
    CROSS JOIN LATERAL (
        SELECT count(*)::int AS lines FROM subscribers_subscription AS line
        WHERE line.tenant_id = %(tenant)s AND line.subscriber_id = owing.subscriber_id AND line.status = 'active'
    ) AS running
    LEFT JOIN billing_exemption AS spared
        ON spared.tenant_id = %(tenant)s AND spared.subscriber_id = owing.subscriber_id AND spared.ended_at IS NULL
       AND (spared.until IS NULL OR spared.until >= %(on)s)
    LEFT JOIN billing_promise AS promised
        ON promised.tenant_id = %(tenant)s AND promised.subscriber_id = owing.subscriber_id
       AND promised.status = 'open' AND promised.until >= %(on)s
    WHERE owing.owed_past_grace > 0 AND running.lines > 0
)
"""
_WITH = f"WITH {debts.OVERDUE_SQL}, {_LISTED_SQL}"

_PAGE_SQL = f"""{_WITH}
SELECT listed.subscriber_id, customer.number, customer.full_name, listed.verdict, listed.amount, listed.currency,
       listed.since, listed.lines, listed.minimum_balance, listed.policy_id, listed.exemption, listed.promised_until,
       listed.promised_amount
FROM listed
JOIN subscribers_subscriber AS customer ON customer.tenant_id = %(tenant)s AND customer.id = listed.subscriber_id
WHERE (%(verdicts)s::text[] IS NULL OR listed.verdict = ANY (%(verdicts)s))
ORDER BY listed.since, listed.subscriber_id, listed.currency
LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608  (only the constants above are put in)

_TOTALS_SQL = f"""{_WITH}
SELECT verdict, currency, count(*)::int, sum(lines)::int, sum(amount) FROM listed
GROUP BY verdict, currency ORDER BY verdict, currency
"""  # noqa: S608  (only the constants above are put in)

_COUNT_SQL = f"""{_WITH}
SELECT count(*)::int, COALESCE(sum(lines), 0)::int
FROM (SELECT DISTINCT subscriber_id, lines FROM listed WHERE verdict = 'cut') AS cut
"""  # noqa: S608  (only the constants above are put in)

_CUT_SQL = f"""{_WITH}
SELECT DISTINCT subscriber_id FROM listed
WHERE verdict = 'cut' AND subscriber_id > %(after)s ORDER BY subscriber_id LIMIT %(limit)s
"""  # noqa: S608  (only the constants above are put in)

FIRST = UUID(int=0)


@dataclass(frozen=True)
class Row:
    """A subscriber on the list, for one currency: `amount` is owed past the grace days, `since` the oldest due date."""

    subscriber_id: UUID
    number: str
    name: str
    verdict: str
    amount: Decimal
    currency: str
    since: date
    lines: int
    why: str


@dataclass(frozen=True)
class Total:
    verdict: str
    currency: str
    subscribers: int
    lines: int
    amount: Decimal


def tonight(
    *, on: date, verdicts: Sequence[str] | None = None, limit: int = MOST_LISTED, offset: int = 0
) -> list[Row]:
    """List who would be cut on a day of the bound tenant's and who is spared, the oldest debt first."""
    resting = calendar.resting(_policies(), on=on)
    values = {
        **_values(on, resting),
        "verdicts": list(verdicts) if verdicts is not None else None,
        "limit": min(limit, MOST_LISTED),
        "offset": offset,
    }
    reasons = {policy.pk: why for policy, why in resting.items()}
    return [
        Row(
            subscriber_id,
            number,
            name,
            verdict,
            amount,
            currency,
            since,
            lines,
            why=_why(verdict, on, since, *terms, currency=currency, reasons=reasons),
        )
        for subscriber_id, number, name, verdict, amount, currency, since, lines, *terms in _fetch(
            _PAGE_SQL, values
        )
    ]


def totals(*, on: date) -> list[Total]:
    """Add up the list by verdict and currency; a subscriber who owes in two currencies counts in each."""
    return [Total(*row) for row in _fetch(_TOTALS_SQL, _values(on, calendar.resting(_policies(), on=on)))]


def count(*, on: date) -> tuple[int, int]:
    """Return how many subscribers, and lines of theirs, would be cut."""
    ((subscribers, lines),) = _fetch(_COUNT_SQL, _values(on, calendar.resting(_policies(), on=on)))
    return subscribers, lines


def to_cut(
    *, on: date, subscribers: Sequence[UUID] | None = None, after: UUID = FIRST, limit: int
) -> list[UUID]:
    """Return the next subscribers to cut, in the order of their keys; of `subscribers` only, when given."""
    values = _values(on, calendar.resting(_policies(), on=on), subscribers=subscribers)
    return [row[0] for row in _fetch(_CUT_SQL, {**values, "after": after, "limit": limit})]


def running_lines() -> int:
    """Return how many of the bound tenant's lines run."""
    return Subscription.objects.filter(status=ServiceStatus.ACTIVE).count()


def next_night(at: datetime) -> date:
    """Return the day of the bound tenant's whose cuts come next."""
    zone = Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant_id())
    local = at.astimezone(ZoneInfo(zone))
    return local.date() + timedelta(days=1) if local.time() >= policies.CUTS_AT else local.date()


def _policies() -> list[DunningPolicy]:
    return list(DunningPolicy.objects.filter(suspends=True))


def _values(
    on: date, resting: dict[DunningPolicy, str], *, subscribers: Sequence[UUID] | None = None
) -> dict[str, Any]:
    return {
        "tenant": current_tenant_id(),
        "on": on,
        "resting": [policy.pk for policy in resting],
        "subscribers": list(subscribers) if subscribers is not None else None,
    }


def _fetch(sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _why(
    verdict: str,
    on: date,
    since: date,
    minimum: Decimal,
    policy_id: UUID,
    exemption: str | None,
    promised_until: date | None,
    promised_amount: Decimal | None,
    *,
    currency: str,
    reasons: dict[UUID, str],
) -> str:
    """Say in a sentence why somebody is cut or spared."""
    match verdict:
        case Verdict.EXEMPTION:
            return f"Exempt: {exemption}"
        case Verdict.PROMISE if promised_amount is not None and promised_until is not None:
            return f"Promised {round_money(promised_amount, currency):f} {currency} until {day_words(promised_until)}"
        case Verdict.DAY_OFF:
            return f"{day_words(on)} is no working day: {reasons.get(policy_id, '')}"
        case Verdict.MINIMUM_BALANCE:
            return f"Owes no more than the minimum of {round_money(minimum, currency):f} {currency}"
        case _:
            days = (on - since).days
            return f"Due since {day_words(since)}, {days} day{'' if days == 1 else 's'}"
