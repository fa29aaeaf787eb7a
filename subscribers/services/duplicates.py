"""What no two customers of a provider may share, and how two who claim it at once take turns."""

import hashlib
from collections.abc import Collection
from typing import Protocol

from django.db import connection
from django.db.models import QuerySet

from ispcore.errors import DomainError
from ispcore.tenants.context import current_tenant_id
from subscribers.models import DuplicateRule, Subscriber, SubscriberSettings, SubscriberStatus


class DuplicateSubscriber(DomainError):
    code = "duplicate_subscriber"
    message = "A subscriber with the provided {what} already exists."


class DuplicateExternalId(DuplicateSubscriber):
    field = "external_id"


class DuplicateDocument(DuplicateSubscriber):
    field = "document"


class DuplicateEmail(DuplicateSubscriber):
    field = "email"


class DuplicatePhone(DuplicateSubscriber):
    field = "phone"


# What a tenant may ask to be unique -> the column it is compared by, and the refusal.
RULES: dict[str, tuple[str, type[DuplicateSubscriber]]] = {
    DuplicateRule.DOCUMENT: ("document_normal", DuplicateDocument),
    DuplicateRule.EMAIL: ("email_lower", DuplicateEmail),
    DuplicateRule.PHONE: ("phone_e164", DuplicatePhone),
}
REFUSALS: dict[str, type[DuplicateSubscriber]] = {"external_id": DuplicateExternalId, **dict(RULES.values())}


class Claimant(Protocol):
    """What claims are told by: a record, or what is going to be one."""

    @property
    def status(self) -> str: ...


def refuse_duplicates(subscriber: Subscriber, settings: SubscriberSettings, columns: set[str]) -> None:
    """Refuse when another customer has what this one now claims in `columns`."""
    claims = claims_of(subscriber, settings, columns)
    _take_turns(claims)
    for column, value in claims:
        if _has_another(column, value, besides=subscriber):
            refusal = REFUSALS[column]
            raise refusal(what=refusal.field)


def claims_of(
    subscriber: Claimant, settings: SubscriberSettings, columns: Collection[str]
) -> list[tuple[str, str]]:
    """Return, as column and value, what no other customer may have besides this one."""
    wanted = ["external_id"]
    if subscriber.status != SubscriberStatus.INACTIVE:
        wanted += [RULES[rule][0] for rule in settings.duplicate_rules]
    values = ((column, getattr(subscriber, column)) for column in wanted if column in columns)
    return [(column, value) for column, value in values if value]


def holders_of(column: str, values: Collection[str]) -> QuerySet[Subscriber]:
    """Narrow to the customers who hold what is claimed: whoever left keeps an external id, and nothing else."""
    rows: QuerySet[Subscriber] = Subscriber.objects.filter(**{f"{column}__in": values})
    return rows if column == "external_id" else rows.exclude(status=SubscriberStatus.INACTIVE)


def _has_another(column: str, value: str, *, besides: Subscriber) -> bool:
    """Tell whether somebody else is among `holders_of`; in SQL, because every customer is asked about."""
    who_left = "" if column == "external_id" else "AND status <> %(inactive)s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT EXISTS (SELECT FROM subscribers_subscriber
                           WHERE tenant_id = %(tenant)s AND "{column}" = %(value)s AND id <> %(id)s {who_left})
            """,  # noqa: S608  (a name of REFUSALS)
            {
                "tenant": current_tenant_id(),
                "value": value,
                "id": besides.pk,
                "inactive": SubscriberStatus.INACTIVE.value,
            },
        )
        (found,) = cursor.fetchone()
    return bool(found)


def take_all_turns() -> None:
    """Let nobody else of this tenant claim anything until the transaction ends: for many claims at once.

    One lock instead of thousands, of which a server has a fixed number. Lock the rows that change before.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_lock_key("", "")])


def _take_turns(claims: list[tuple[str, str]]) -> None:
    """Let claims of one value take turns, so that of two at once the second sees the first.

    The locks end with the transaction. They are taken in one order: two transactions never wait for each other.
    """
    if not claims:
        return
    keys = sorted(_lock_key(column, value) for column, value in claims)
    locks = ["SELECT pg_advisory_xact_lock_shared(%s)", *["SELECT pg_advisory_xact_lock(%s)"] * len(keys)]
    with connection.cursor() as cursor:  # In one round trip, one after the other.
        cursor.execute("; ".join(locks), [_lock_key("", ""), *keys])


def _lock_key(column: str, value: str) -> int:
    name = f"subscriber:{current_tenant_id()}:{column}:{value}"
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
