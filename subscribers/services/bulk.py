"""Customers and lines by the hundred: what the single verbs do, in a fixed number of statements.

The callers have checked each value, and have the claims to themselves (`customers.take_all_turns`).
"""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from django.db import connection

from ispcore import numbering
from ispcore.events.services import publish_each
from ispcore.tenants.context import current_tenant_id
from subscribers.models import Premise, Subscriber, SubscriberWord, Subscription
from subscribers.services import customers

Words = Mapping[UUID, set[str]]


def create_subscribers(subscribers: Sequence[Subscriber]) -> None:
    """Register normalised customers under the next numbers, in order, as `customers.create_subscriber` does."""
    if not subscribers:
        return
    for subscriber, number in zip(
        subscribers, numbering.draw("subscriber", count=len(subscribers)), strict=True
    ):
        subscriber.number = f"SUB-{number:06d}"
    Subscriber.objects.bulk_create(subscribers)
    _add_words({subscriber.pk: customers.words_of(subscriber) for subscriber in subscribers})
    publish_each(
        "subscribers.subscriber_created",
        [{"subscriber_id": str(subscriber.pk)} for subscriber in subscribers],
    )


def save_subscribers(subscribers: Sequence[Subscriber], *, fields: Collection[str]) -> None:
    """Write locked customers whose `fields` changed, as `customers.update_subscriber` does."""
    if not subscribers:
        return
    Subscriber.objects.bulk_create(
        subscribers,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[*sorted(fields), "updated_at"],
    )
    _replace_words({subscriber.pk: customers.words_of(subscriber) for subscriber in subscribers})
    publish_each(
        "subscribers.subscriber_changed",
        [{"subscriber_id": str(subscriber.pk)} for subscriber in subscribers],
    )


def create_services(lines: Sequence[Subscription], premises: Sequence[Premise]) -> None:
    """Register premises and the lines at them, as `lines.create_service` and `activate_service` do.

    The caller has seen that the customers are locked and not inactive, and that the plans are sold.
    """
    if not lines:
        return
    Premise.objects.bulk_create(premises)
    for line, number in zip(lines, numbering.draw("service", count=len(lines)), strict=True):
        line.number = number
    Subscription.objects.bulk_create(lines)
    publish_each(
        "subscribers.subscription_status_changed", [{"subscription_id": str(line.pk)} for line in lines]
    )


def _replace_words(words: Words) -> None:
    known: dict[UUID, set[str]] = {}
    rows = SubscriberWord.objects.filter(subscriber__in=list(words)).values_list("subscriber_id", "word")
    for subscriber_id, word in rows:
        known.setdefault(subscriber_id, set()).add(word)
    gone = {pk: known.get(pk, set()) - wanted for pk, wanted in words.items()}
    ids, texts = _columns(gone)
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                DELETE FROM subscribers_subscriberword AS old
                USING unnest(%s::uuid[], %s::text[]) AS gone (subscriber_id, word)
                WHERE old.tenant_id = %s AND old.subscriber_id = gone.subscriber_id AND old.word = gone.word
                """,
                [ids, texts, current_tenant_id()],
            )
    _add_words({pk: wanted - known.get(pk, set()) for pk, wanted in words.items()})


def _add_words(words: Words) -> None:
    """Insert by arrays: a model object for each of ten thousand words would cost more than the rest."""
    ids, texts = _columns(words)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO subscribers_subscriberword (id, tenant_id, created_at, updated_at, subscriber_id, word)
            SELECT uuidv7(), %s, now(), now(), subscriber_id, word
            FROM unnest(%s::uuid[], %s::text[]) AS given (subscriber_id, word)
            """,
            [current_tenant_id(), ids, texts],
        )


def _columns(words: Words) -> tuple[list[UUID], list[str]]:
    pairs = [(pk, word) for pk, each in words.items() for word in sorted(each)]
    return [pk for pk, _ in pairs], [word for _, word in pairs]
