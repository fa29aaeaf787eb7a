"""A customer's record and its life: one owner of its status and of what look-ups compare."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.expressions import RawSQL

from ispcore import numbering
from ispcore.errors import DomainError, NotRegistered
from ispcore.events.services import publish
from ispcore.tenants.context import current_tenant_id
from subscribers import normal
from subscribers.models import (
    BillingProfile,
    DocumentType,
    Hold,
    HoldReason,
    ServiceStatus,
    Subscriber,
    SubscriberSettings,
    SubscriberStatus,
    SubscriberWord,
    Subscription,
)
from subscribers.services import duplicates, holds, lines
from subscribers.services.custom_fields import clean_custom_fields, share_definitions
from subscribers.services.settings import subscriber_settings

# From -> to. What is not here is refused. Whoever leaves may do so from anywhere.
TRANSITIONS: dict[str, frozenset[str]] = {
    SubscriberStatus.PROSPECT: frozenset({SubscriberStatus.ACTIVE, SubscriberStatus.INACTIVE}),
    SubscriberStatus.ACTIVE: frozenset({SubscriberStatus.SUSPENDED, SubscriberStatus.INACTIVE}),
    SubscriberStatus.SUSPENDED: frozenset({SubscriberStatus.ACTIVE, SubscriberStatus.INACTIVE}),
    SubscriberStatus.INACTIVE: frozenset({SubscriberStatus.ACTIVE}),
}

BLANK: dict[str, Any] = {
    "external_id": "", "email": "", "phone": "", "billing_profile_id": None, "address_line1": "",
    "address_line2": "", "city": "", "state": "", "postal_code": "", "country": "", "document_type": "",
    "document_number": "", "metadata": {}, "tags": [], "terms_accepted_at": None, "marketing_consent_at": None,
}  # fmt: skip
WRITABLE = frozenset({"full_name", "custom_fields", *BLANK})
NORMALISED = ("email_lower", "phone_e164", "document_normal")
MOST_SEARCHED_WORDS = 8
FEWEST_PHONE_DIGITS = 6
MOST_FOUND = 5_000
VERY_FEW = 500
FEW = 100_000  # Words read at once in some hundredths of a second.
PHONE_PUNCTUATION = "+()-./ "
MAX_TAG = 40  # Subscriber.tags
TAG_MARK = "#"  # Begins a tag among the words; no word of a text has it.


class SubscriberNotFound(NotRegistered):
    message = "There is no such subscriber."


class BillingProfileNotFound(NotRegistered):
    message = "There is no such billing profile."
    field = "billing_profile_id"


class TransitionNotAllowed(DomainError):
    code = "transition_not_allowed"
    message = "A subscriber that is {from_status} cannot become {to_status}."


class SubscriberOnHold(DomainError):
    code = "subscriber_on_hold"
    message = (
        "The subscriber is on hold for {left}. Lift that at the services first, or name in `reasons` all that shall "
        "be lifted: {all}."
    )
    field = "reasons"


class InvalidPhone(DomainError):
    code = "validation_error"
    message = "This is no phone number; begin with + and the country code."
    status = 422
    field = "phone"


@transaction.atomic
def create_subscriber(
    *,
    full_name: str,
    status: str = SubscriberStatus.PROSPECT,
    external_id: str = "",
    email: str = "",
    phone: str = "",
    billing_profile_id: UUID | None = None,
    address_line1: str = "",
    address_line2: str = "",
    city: str = "",
    state: str = "",
    postal_code: str = "",
    country: str = "",
    document_type: str = "",
    document_number: str = "",
    metadata: Mapping[str, Any] | None = None,
    tags: list[str] | None = None,
    custom_fields: Mapping[str, Any] | None = None,
    terms_accepted_at: datetime | None = None,
    marketing_consent_at: datetime | None = None,
) -> Subscriber:
    """Register a customer under the next number. With an `external_id` it is safe to repeat: refused.

    Raises DuplicateSubscriber, BillingProfileNotFound, InvalidPhone, InvalidCustomFields.
    """
    share_definitions()
    subscriber = Subscriber(
        full_name=full_name, status=status, external_id=external_id, email=email, phone=phone,
        billing_profile_id=billing_profile_id, address_line1=address_line1, address_line2=address_line2,
        city=city, state=state, postal_code=postal_code, country=country, document_type=document_type,
        document_number=document_number, metadata=dict(metadata or {}), tags=tidy_tags(tags or []),
        custom_fields=clean_custom_fields(custom_fields or {}, partial=False),
        terms_accepted_at=terms_accepted_at, marketing_consent_at=marketing_consent_at,
    )  # fmt: skip
    settings = subscriber_settings()
    normalise(subscriber, settings)
    _require_billing_profile(billing_profile_id)
    duplicates.refuse_duplicates(subscriber, settings, {"external_id", *NORMALISED})
    (number,) = numbering.draw("subscriber")
    subscriber.number = f"SUB-{number:06d}"
    subscriber.save(force_insert=True)
    add_words({subscriber.pk: words_of(subscriber)})
    publish("subscribers.subscriber_created", subscriber_id=str(subscriber.pk))
    return subscriber


@transaction.atomic
def update_subscriber(*, subscriber_id: UUID, **changes: Any) -> Subscriber:
    """Change the fields given, by the names `create_subscriber` has; the status has its own functions.

    Of `custom_fields` those given change, and None takes one away. Safe to repeat: what does not change anything
    writes nothing. Raises SubscriberNotFound, DuplicateSubscriber, BillingProfileNotFound, InvalidPhone,
    InvalidCustomFields, and TypeError for a field that is none.
    """
    if unknown := sorted(set(changes) - WRITABLE):
        raise TypeError(f"not a subscriber's: {unknown}")
    subscriber = lock_subscriber(subscriber_id)
    if "tags" in changes:
        changes["tags"] = tidy_tags(changes["tags"])
    if "custom_fields" in changes:
        share_definitions()
        stored = subscriber.custom_fields
        given = clean_custom_fields(changes["custom_fields"], partial=True, stored=stored)
        merged = {**stored, **given}
        changes["custom_fields"] = {key: value for key, value in merged.items() if value is not None}
    before = {name: getattr(subscriber, name) for name in (*WRITABLE, *NORMALISED)}
    for name, value in changes.items():
        setattr(subscriber, name, value)
    settings = subscriber_settings()
    normalise(subscriber, settings, keep_phone="phone" not in changes)
    changed = {name for name, value in before.items() if getattr(subscriber, name) != value}
    if not changed:
        return subscriber
    if "billing_profile_id" in changed:
        _require_billing_profile(subscriber.billing_profile_id)
    duplicates.refuse_duplicates(subscriber, settings, changed)
    subscriber.save(update_fields=[*sorted(changed), "updated_at"])
    _write_words(subscriber)
    publish("subscribers.subscriber_changed", subscriber_id=str(subscriber.pk))
    return subscriber


@transaction.atomic
def activate_subscriber(
    *,
    subscriber_id: UUID,
    at: datetime,
    reasons: Collection[str] | None = None,
    user_id: UUID | None = None,
) -> Subscriber:
    """Make a customer active, and lift the holds of their lines. Ended lines stay ended.

    `reasons` are the holds to lift; without them, all but abuse and fraud, which somebody has to name. A customer
    with any other hold open is refused and nothing is lifted: paying, say, never lifts a bar for abuse.

    Raises SubscriberNotFound, TransitionNotAllowed, SubscriberOnHold, and DuplicateSubscriber for one who comes
    back while another has taken what the provider's duplicate rules keep apart.
    """
    subscriber = lock_subscriber(subscriber_id)
    comes_back = subscriber.status == SubscriberStatus.INACTIVE
    _refuse_unless_allowed(subscriber, SubscriberStatus.ACTIVE)
    barred = Hold.objects.filter(subscription=OuterRef("pk"), released_at=None)
    held_lines = _locked(Subscription.objects.filter(Exists(barred), subscriber=subscriber))
    held = holds.open_reasons(subscriber_id)
    lifted = {*HoldReason.values} - holds.DECIDED_BY_NAME if reasons is None else {*reasons}
    if left := [reason for reason in held if reason not in lifted]:
        raise SubscriberOnHold(left=holds.names_of(left), all=", ".join(held))
    _move(subscriber, SubscriberStatus.ACTIVE)
    if comes_back:
        duplicates.refuse_duplicates(subscriber, subscriber_settings(), {*NORMALISED})
    holds.release_holds(held_lines, at=at, user_id=user_id, reasons=lifted)
    return subscriber


@transaction.atomic
def suspend_subscriber(
    *,
    subscriber_id: UUID,
    at: datetime,
    reason: str = HoldReason.STAFF,
    until: datetime | None = None,
    note: str = "",
    user_id: UUID | None = None,
) -> Subscriber:
    """Suspend an active customer and bar every running line for a reason. `until`, when given, is after `at`.

    The suspension ends at `until`, also of a customer without a line, or with the last hold of their lines,
    whichever comes first; see `holds.release_ended_holds`.

    Raises SubscriberNotFound, TransitionNotAllowed.
    """
    subscriber = lock_subscriber(subscriber_id)
    _move(subscriber, SubscriberStatus.SUSPENDED, suspended_until=until)
    running = Subscription.objects.filter(
        subscriber=subscriber, status__in=(ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)
    )
    holds.hold_lines(_locked(running), reason=reason, at=at, until=until, note=note, user_id=user_id)
    return subscriber


@transaction.atomic
def deactivate_subscriber(*, subscriber_id: UUID, at: datetime, user_id: UUID | None = None) -> Subscriber:
    """End a customer's lines and keep all that was; lines never installed, drafts included, are cancelled.

    Raises SubscriberNotFound, TransitionNotAllowed.
    """
    subscriber = lock_subscriber(subscriber_id)
    _move(subscriber, SubscriberStatus.INACTIVE)
    for line in _lines_in(subscriber, ServiceStatus.DRAFT, ServiceStatus.PENDING_INSTALLATION):
        lines.cancel_service(subscription_id=line, at=at, user_id=user_id)
    for line in _lines_in(subscriber, ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED):
        lines.terminate_service(subscription_id=line, at=at, user_id=user_id)
    return subscriber


def lock_subscriber(subscriber_id: UUID) -> Subscriber:
    """Return the customer, locked until the transaction ends. Raises SubscriberNotFound."""
    found: Subscriber | None = (
        Subscriber.objects.select_for_update(of=("self",)).filter(pk=subscriber_id).first()
    )
    if found is None:
        raise SubscriberNotFound
    return found


def search_subscribers(rows: QuerySet[Subscriber], text: str) -> QuerySet[Subscriber]:
    """Narrow to customers of whom every word of `text` begins some word; text without a word finds none."""
    words = normal.words_of(text)[:MOST_SEARCHED_WORDS]
    digits = "".join(words)
    if digits.isdigit() and len(digits) >= FEWEST_PHONE_DIGITS and not text.strip(PHONE_PUNCTUATION + digits):
        words = [digits]  # A phone number in groups.
    if not words:
        return rows.none()
    rows, words = _narrowed_by_few(rows, words)
    for word in words:
        rows = rows.filter(Exists(_words_that_begin(word).filter(subscriber=OuterRef("pk"))))
    return rows


def _narrowed_by_few(rows: QuerySet[Subscriber], words: list[str]) -> tuple[QuerySet[Subscriber], list[str]]:
    """Narrow to customers who have all those words that few have; return the other words as well.

    Left to itself the planner, which takes a prefix for a rare word, would read customer after customer and
    ask for each word. What few have is read from the index at once; where all words are common, customers
    who have them are soon met.
    """
    # One word that hardly anybody has is enough: nobody waits for the others to be counted.
    few, common = _told_apart(words, VERY_FEW)
    if not few and len(words) > 1:
        few, common = _told_apart(words, FEW)
    if not few:
        return rows, words
    both = few[0].intersection(*few[1:]) if len(few) > 1 else few[0]
    found = list(both.values_list("subscriber_id", flat=True)[: MOST_FOUND + 1])
    if len(found) > MOST_FOUND:
        return rows, words
    # As one array: thousands of single values would cost more to write down than to look up.
    return rows.filter(pk__in=RawSQL("SELECT unnest(%s::uuid[])", [found])), common


def _told_apart(words: list[str], most: int) -> tuple[list[Any], list[str]]:
    """Return the customers of each word that at most so many have, and the other words."""
    few, common = [], []
    for word in words:
        having = _words_that_begin(word).order_by().values("subscriber_id")[: most + 1]
        if having.count() <= most:
            few.append(having)
        else:
            common.append(word)
    return few, common


def _words_that_begin(word: str) -> QuerySet[SubscriberWord]:
    found: QuerySet[SubscriberWord] = SubscriberWord.objects.filter(word__prefix=word)
    return found


def tagged(rows: QuerySet[Subscriber], tag: str) -> QuerySet[Subscriber]:
    """Narrow to customers with a tag, in any case; served by the index of the words."""
    (wanted,) = tidy_tags([tag])
    return rows.filter(
        Exists(SubscriberWord.objects.filter(subscriber=OuterRef("pk"), word=TAG_MARK + wanted))
    )


def _locked(lines: QuerySet[Subscription]) -> list[Subscription]:
    return list(lines.order_by("pk").select_for_update(of=("self",)))


def _lines_in(subscriber: Subscriber, *statuses: str) -> list[UUID]:
    rows = Subscription.objects.filter(subscriber=subscriber, status__in=statuses)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def _refuse_unless_allowed(subscriber: Subscriber, to_status: str) -> None:
    if to_status not in TRANSITIONS[subscriber.status]:
        before, after = SubscriberStatus(subscriber.status).label, SubscriberStatus(to_status).label
        raise TransitionNotAllowed(from_status=before.lower(), to_status=after.lower())


def _move(subscriber: Subscriber, to_status: str, *, suspended_until: datetime | None = None) -> None:
    _refuse_unless_allowed(subscriber, to_status)
    subscriber.status, subscriber.suspended_until = to_status, suspended_until
    subscriber.save(update_fields=["status", "suspended_until", "updated_at"])
    publish("subscribers.subscriber_status_changed", subscriber_id=str(subscriber.pk))


def tidy_tags(tags: list[str]) -> list[str]:
    # A few letters are longer in lower case.
    return list(dict.fromkeys(tag.strip().lower()[:MAX_TAG] for tag in tags))


def normalise(subscriber: Subscriber, settings: SubscriberSettings, *, keep_phone: bool = False) -> None:
    """Fill the columns that look-ups compare.

    A phone that was not given anew keeps its form: the provider's country may have changed since.
    """
    subscriber.email_lower = normal.email_lower(subscriber.email)
    subscriber.document_normal = normal.document_normal(subscriber.document_number)
    if not subscriber.document_number:
        subscriber.document_type = ""
    elif not subscriber.document_type:
        subscriber.document_type = DocumentType.OTHER
    if keep_phone:
        return
    subscriber.phone_e164 = normal.phone_to_e164(subscriber.phone, region=settings.phone_region)
    if subscriber.phone and not subscriber.phone_e164:
        raise InvalidPhone


def _require_billing_profile(billing_profile_id: UUID | None) -> None:
    if billing_profile_id and not BillingProfile.objects.filter(pk=billing_profile_id).exists():
        raise BillingProfileNotFound


def words_of(subscriber: Subscriber) -> set[str]:
    """Return all a customer is found by: the words of the record, and its tags with their mark."""
    words = normal.words_of(
        subscriber.number, subscriber.number.removeprefix("SUB-").lstrip("0"), subscriber.full_name,
        subscriber.phone_e164, normal.national_digits(subscriber.phone_e164), subscriber.document_normal,
        subscriber.email, subscriber.external_id, subscriber.address_line1, subscriber.address_line2,
        subscriber.postal_code, subscriber.city, subscriber.state,
    )  # fmt: skip
    return {*words, *(TAG_MARK + tag for tag in subscriber.tags)}


def _write_words(subscriber: Subscriber) -> None:
    """Make the customer's words those of the record, writing only the difference."""
    words = words_of(subscriber)
    rows = SubscriberWord.objects.filter(subscriber=subscriber)
    known = set(rows.values_list("word", flat=True))
    if known - words:
        rows.filter(word__in=known - words).delete()
    add_words({subscriber.pk: words - known})


def add_words(words: Mapping[UUID, Collection[str]]) -> None:
    """Let customers be found by more words, in one statement; by none that they have."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO subscribers_subscriberword (id, tenant_id, created_at, updated_at, subscriber_id, word)
            SELECT uuidv7(), %s, now(), now(), given.subscriber_id::uuid, one.word
            FROM json_each(%s) AS given (subscriber_id, words), json_array_elements_text(given.words) AS one (word)
            """,
            [
                current_tenant_id(),
                orjson.dumps({str(pk): sorted(each) for pk, each in words.items()}).decode(),
            ],
        )
