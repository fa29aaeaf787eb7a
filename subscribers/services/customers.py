"""A customer's record and its life: one owner of its status, of what look-ups compare, and of duplicates."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from ispcore import numbering
from ispcore.errors import DomainError, NotRegistered
from ispcore.events.services import publish
from ispcore.tenants.context import current_tenant_id
from subscribers import normal
from subscribers.models import (
    BillingProfile,
    DocumentType,
    DuplicateRule,
    Hold,
    HoldReason,
    ServiceStatus,
    Subscriber,
    SubscriberSettings,
    SubscriberStatus,
    SubscriberWord,
    Subscription,
)
from subscribers.services import lines

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
    "document_number": "", "metadata": {}, "tags": [],
}  # fmt: skip
WRITABLE = frozenset({"full_name", *BLANK})
NORMALISED = ("email_lower", "phone_e164", "document_normal")
MOST_SEARCHED_WORDS = 8
FEWEST_PHONE_DIGITS = 6
PHONE_PUNCTUATION = "+()-./ "


class SubscriberNotFound(NotRegistered):
    message = "There is no such subscriber."


class BillingProfileNotFound(NotRegistered):
    message = "There is no such billing profile."
    field = "billing_profile_id"


class TransitionNotAllowed(DomainError):
    code = "transition_not_allowed"
    message = "A subscriber that is {from_status} cannot become {to_status}."


class InvalidPhone(DomainError):
    code = "validation_error"
    message = "This is no phone number; begin with + and the country code."
    status = 422
    field = "phone"


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
) -> Subscriber:
    """Register a customer under the next number. With an `external_id` it is safe to repeat: refused.

    Raises DuplicateSubscriber, BillingProfileNotFound, InvalidPhone.
    """
    subscriber = Subscriber(
        full_name=full_name, status=status, external_id=external_id, email=email, phone=phone,
        billing_profile_id=billing_profile_id, address_line1=address_line1, address_line2=address_line2,
        city=city, state=state, postal_code=postal_code, country=country, document_type=document_type,
        document_number=document_number, metadata=dict(metadata or {}), tags=_tidy(tags or []),
    )  # fmt: skip
    settings = subscriber_settings()
    _normalise(subscriber, settings)
    _require_billing_profile(billing_profile_id)
    _refuse_duplicates(subscriber, settings, {"external_id", *NORMALISED})
    (number,) = numbering.draw("subscriber")
    subscriber.number = f"SUB-{number:06d}"
    subscriber.save(force_insert=True)
    _write_words(subscriber)
    publish("subscribers.subscriber_created", subscriber_id=str(subscriber.pk))
    return subscriber


@transaction.atomic
def update_subscriber(*, subscriber_id: UUID, **changes: Any) -> Subscriber:
    """Change the fields given, by the names `create_subscriber` has; the status has its own functions.

    Safe to repeat: what does not change anything writes nothing. Raises SubscriberNotFound,
    DuplicateSubscriber, BillingProfileNotFound, InvalidPhone, and TypeError for a field that is none.
    """
    if unknown := sorted(set(changes) - WRITABLE):
        raise TypeError(f"not a subscriber's: {unknown}")
    subscriber = lock_subscriber(subscriber_id)
    if "tags" in changes:
        changes["tags"] = _tidy(changes["tags"])
    before = {name: getattr(subscriber, name) for name in (*WRITABLE, *NORMALISED)}
    for name, value in changes.items():
        setattr(subscriber, name, value)
    settings = subscriber_settings()
    _normalise(subscriber, settings, keep_phone="phone" not in changes)
    changed = {name for name, value in before.items() if getattr(subscriber, name) != value}
    if not changed:
        return subscriber
    if "billing_profile_id" in changed:
        _require_billing_profile(subscriber.billing_profile_id)
    _refuse_duplicates(subscriber, settings, changed)
    subscriber.save(update_fields=[*sorted(changed), "updated_at"])
    _write_words(subscriber)
    publish("subscribers.subscriber_changed", subscriber_id=str(subscriber.pk))
    return subscriber


@transaction.atomic
def activate_subscriber(*, subscriber_id: UUID, at: datetime, user_id: UUID | None = None) -> Subscriber:
    """Make a customer active, and lift every hold of their lines. Ended lines stay ended.

    Raises SubscriberNotFound, TransitionNotAllowed, and DuplicateSubscriber for one who comes back while
    another has taken what the provider's duplicate rules keep apart.
    """
    subscriber = lock_subscriber(subscriber_id)
    comes_back = subscriber.status == SubscriberStatus.INACTIVE
    _move(subscriber, SubscriberStatus.ACTIVE)
    if comes_back:
        _refuse_duplicates(subscriber, subscriber_settings(), {*NORMALISED})
    held = Hold.objects.filter(subscription__subscriber=subscriber, released_at=None)
    for line, reason in held.order_by("subscription_id", "id").values_list("subscription_id", "reason"):
        lines.release_hold(subscription_id=line, reason=reason, at=at, user_id=user_id)
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
    """Bar every running line of an active customer for a reason. `until`, when given, is after `at`.

    Raises SubscriberNotFound, TransitionNotAllowed.
    """
    subscriber = lock_subscriber(subscriber_id)
    _move(subscriber, SubscriberStatus.SUSPENDED)
    for line in _lines_in(subscriber, ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED):
        lines.open_hold(subscription_id=line, reason=reason, at=at, until=until, note=note, user_id=user_id)
    return subscriber


@transaction.atomic
def deactivate_subscriber(*, subscriber_id: UUID, at: datetime, user_id: UUID | None = None) -> Subscriber:
    """End a customer's lines and keep all that was; lines that wait for installation are cancelled.

    Raises SubscriberNotFound, TransitionNotAllowed.
    """
    subscriber = lock_subscriber(subscriber_id)
    _move(subscriber, SubscriberStatus.INACTIVE)
    for line in _lines_in(subscriber, ServiceStatus.PENDING_INSTALLATION):
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


def subscriber_settings() -> SubscriberSettings:
    """Return what the provider wants of its records; the defaults when nothing was ever set."""
    found: SubscriberSettings | None = SubscriberSettings.objects.first()
    return found or SubscriberSettings()


def search_subscribers(rows: QuerySet[Subscriber], text: str) -> QuerySet[Subscriber]:
    """Narrow to customers of whom every word of `text` begins some word; text without a word finds none."""
    words = normal.words_of(text)[:MOST_SEARCHED_WORDS]
    digits = "".join(words)
    if digits.isdigit() and len(digits) >= FEWEST_PHONE_DIGITS and not text.strip(PHONE_PUNCTUATION + digits):
        words = [digits]  # A phone number in groups.
    if not words:
        return rows.none()
    for word in words:
        named = SubscriberWord.objects.filter(subscriber=OuterRef("pk"), word__prefix=word)
        rows = rows.filter(Exists(named))
    return rows


def _lines_in(subscriber: Subscriber, *statuses: str) -> list[UUID]:
    rows = Subscription.objects.filter(subscriber=subscriber, status__in=statuses)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def _move(subscriber: Subscriber, to_status: str) -> None:
    if to_status not in TRANSITIONS[subscriber.status]:
        before, after = SubscriberStatus(subscriber.status).label, SubscriberStatus(to_status).label
        raise TransitionNotAllowed(from_status=before.lower(), to_status=after.lower())
    subscriber.status = to_status
    subscriber.save(update_fields=["status", "updated_at"])
    publish("subscribers.subscriber_status_changed", subscriber_id=str(subscriber.pk))


def _tidy(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tag.strip().lower() for tag in tags))


def _normalise(subscriber: Subscriber, settings: SubscriberSettings, *, keep_phone: bool = False) -> None:
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


def _refuse_duplicates(subscriber: Subscriber, settings: SubscriberSettings, columns: set[str]) -> None:
    """Refuse when another customer has what this one now claims in `columns`.

    Claims of one value take turns by an advisory lock that ends with the transaction, so that of two at
    once the second sees the first. They are locked in one order: two transactions never wait for each other.
    """
    claims: list[tuple[str, type[DuplicateSubscriber], Q]] = []
    if "external_id" in columns and subscriber.external_id:
        claims.append(("external_id", DuplicateExternalId, Q(external_id=subscriber.external_id)))
    if subscriber.status != SubscriberStatus.INACTIVE:
        for rule in settings.duplicate_rules:
            column, refusal = RULES[rule]
            if column in columns and (value := getattr(subscriber, column)):
                same = Q(**{column: value}) & ~Q(status=SubscriberStatus.INACTIVE)
                claims.append((column, refusal, same))
    _take_turns([(column, getattr(subscriber, column)) for column, _, _ in claims])
    for _, refusal, same in claims:
        if Subscriber.objects.filter(same).exclude(pk=subscriber.pk).exists():
            raise refusal(what=refusal.field)


def _take_turns(claims: list[tuple[str, str]]) -> None:
    keys = sorted(
        int.from_bytes(
            hashlib.blake2b(
                f"subscriber:{current_tenant_id()}:{column}:{value}".encode(), digest_size=8
            ).digest(),
            "big",
            signed=True,
        )
        for column, value in claims
    )
    with connection.cursor() as cursor:
        for key in keys:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def _write_words(subscriber: Subscriber) -> None:
    """Make the customer's words those of the record, writing only the difference."""
    words = set(
        normal.words_of(
            subscriber.number, subscriber.number.removeprefix("SUB-").lstrip("0"), subscriber.full_name,
            subscriber.phone_e164, normal.national_digits(subscriber.phone_e164), subscriber.document_normal,
            subscriber.email, subscriber.external_id, subscriber.address_line1, subscriber.address_line2,
            subscriber.postal_code, subscriber.city, subscriber.state,
        )
    )  # fmt: skip
    rows = SubscriberWord.objects.filter(subscriber=subscriber)
    known = set(rows.values_list("word", flat=True))
    if known - words:
        rows.filter(word__in=known - words).delete()
    SubscriberWord.objects.bulk_create(
        SubscriberWord(subscriber=subscriber, word=word) for word in sorted(words - known)
    )
