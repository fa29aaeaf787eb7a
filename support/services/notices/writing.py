"""Writing down who is told what: a row per customer and way, before anything is sent."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from billing.services.documents.identity import billing_identity
from billing.services.documents.languages import Words, words_of
from ispcore.jobs import services as jobs
from subscribers.models import Subscriber
from support.models import Channel, MassMessage, Notice, NoticeStatus, PortalAccount, Purpose
from support.services.notices import consent, stopping, templates
from support.services.notices.templates import Text
from support.services.settings import tenant_zone

KIND = "support.send_notices"
SUBJECT = (
    "notices"  # One worker at a time sends a provider's: what another left half-way, that one never ends.
)
BATCH = 500
NO_ADDRESS = {
    Channel.EMAIL: "The customer has no e-mail address.",
    Channel.SMS: "The customer has no phone number that can be dialled from anywhere.",
    Channel.WHATSAPP: "The customer has no phone number that can be dialled from anywhere.",
}
_NEEDED = ("id", "full_name", "number", "email", "phone_e164", "marketing_consent_at")


@transaction.atomic
def write(
    *,
    kind: str,
    source: str,
    subscribers: QuerySet[Subscriber],
    values: Callable[[Words], Mapping[str, str]],
    at: datetime,
) -> int:
    """Write what these customers are told of an event, once in each way; return how many rows are new.

    Each is told in the language they chose in the portal, else in the provider's. `values` fills the placeholders.
    Safe to repeat: the database refuses a second row of the same event, customer and way.
    """
    identity = billing_identity()
    told: dict[str, tuple[Sequence[Text], Mapping[str, str]]] = {}
    written, after = 0, None
    while True:
        rows = subscribers.order_by("pk").only(*_NEEDED)
        people = list((rows.filter(pk__gt=after) if after else rows)[:BATCH])
        if not people:
            break
        after = people[-1].pk
        languages = languages_of(people, usual=identity.language)
        speaking = defaultdict(list)
        for each in people:
            speaking[languages[each.pk]].append(each)
        for language, speakers in speaking.items():
            if language not in told:
                texts = templates.texts_of(kind, language=language, usual=identity.language)
                told[language] = texts, dict(values(words_of(language))) | {"provider": identity.legal_name}
            own, filled = told[language]
            written += write_rows(speakers, texts=own, kind=kind, source=source, values=filled, at=at)
    if written:
        request_sending()
    return written


def languages_of(people: Sequence[Subscriber], *, usual: str) -> dict[UUID, str]:
    """Return the language each chose in the portal, else the `usual` one; one query for all."""
    rows = PortalAccount.objects.filter(subscriber__in=people).exclude(language="")
    return dict.fromkeys([each.pk for each in people], usual) | dict(
        rows.values_list("subscriber_id", "language")
    )


def write_rows(
    people: Sequence[Subscriber],
    *,
    texts: Sequence[Text],
    kind: str,
    source: str,
    values: Mapping[str, str],
    at: datetime,
    purpose: str = Purpose.SERVICE,
    mass_message: MassMessage | None = None,
) -> int:
    """Write the rows of one batch in one statement; return how many are new."""
    send_after = consent.loud_from(at, settings=consent.notice_settings(), zone=tenant_zone())
    is_offer = purpose == Purpose.MARKETING
    languages = languages_of(people, usual=billing_identity().language) if is_offer else {}
    rows = []
    for text in texts:
        refused = consent.refusals(people, channel=text.channel, purpose=purpose)
        for each in people:
            address = each.email if text.channel == Channel.EMAIL else each.phone_e164
            own = dict(values) | {"customer": each.full_name, "customer_number": each.number}
            subject, body = text.filled(own)
            if is_offer and text.channel == Channel.EMAIL:
                body = f"{body.rstrip()}\n\n-- \n{stopping.footer(each.pk, languages[each.pk])}\n"
            why = refused.get(each.pk, "") or ("" if address else NO_ADDRESS[Channel(text.channel)])
            rows.append(
                Notice(
                    subscriber=each,
                    kind=kind,
                    source=source,
                    channel=text.channel,
                    purpose=purpose,
                    address=address,
                    subject=subject[:400],
                    body=body,
                    mass_message=mass_message,
                    status=NoticeStatus.SKIPPED if why else NoticeStatus.WAITING,
                    detail=why,
                    written_at=at,
                    send_after=send_after,
                )
            )
    known = set(
        Notice.objects.filter(kind=kind, source=source, subscriber__in=people).values_list(
            "channel", "subscriber_id"
        )
    )
    new = [each for each in rows if (each.channel, each.subscriber_id) not in known]
    Notice.objects.bulk_create(new, ignore_conflicts=True, batch_size=BATCH)
    return len(new)


def request_sending() -> Any:
    """Let a worker send what may go out; while one does, it is returned instead of a second."""
    return jobs.enqueue(kind=KIND, params={}, label="Send notices", subject=SUBJECT)
