"""Logging in: by a link that comes by e-mail and works once, or by a password."""

import hashlib
import secrets
import smtplib
from datetime import datetime, timedelta
from email.utils import formataddr
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.db import transaction
from django.urls import reverse

from billing.services.documents.identity import billing_identity
from ispcore.errors import DomainError, RetryableError
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Membership, Tenant, User
from ispcore.tenants.roles import STAFF_ROLES, Role
from ispcore.tenants.selectors import grants_of
from subscribers.models import Subscriber, SubscriberStatus
from subscribers.services.customers import lock_subscriber
from support.models import PortalAccount, PortalLink
from support.services.portal.words import words_in

KIND = "support.send_portal_link"
VALID_FOR = timedelta(minutes=15)
SECRET_BYTES = 32


class LinkOver(DomainError):
    code = "link_expired"
    message = "This link was used before, or is older than 15 minutes. Ask for a new one."
    status = 410


class LogInRefused(DomainError):
    code = "log_in_refused"
    message = "The e-mail address or the password is wrong. Check both, or let us send you a link."
    status = 422


class PersonSwitchedOff(DomainError):
    code = "person_switched_off"
    message = "This log-in is switched off. Please call us."


class AccessClosed(DomainError):
    code = "portal_access_closed"
    message = "{name} has no access to the portal: it was closed. Open it first."


class PasswordOfStaff(DomainError):
    code = "password_of_staff"
    message = "You work with this address too: change your password on the staff site."


class WeakPassword(DomainError):
    """`codes` are those of Django's validators."""

    code = "validation_error"
    message = "{why}"
    status = 422
    field = "password"


class LinkNotSent(RetryableError):
    message = "The mail server did not take the link: {why}. The customer may ask for another."


def request_link(*, email: str, language: str = "") -> Job:
    """Let a worker send a log-in link to whoever has this address; `language` is that of the page they asked on.

    The same is done for an address nobody has, so that neither the answer nor its time tells who is a customer.
    """
    email = email.strip().lower()
    known = hashlib.sha256(email.encode()).hexdigest()[:32]
    return jobs.enqueue(
        kind=KIND,
        params={"email": email, "language": language},
        label="Log-in link of the portal",
        subject=f"portal:{known}",
    )


def send_link(run: jobs.Run, *, at: datetime) -> dict[str, Any]:
    """Send the link of a job; an earlier one ends. Repeated, it sends another one. Raises LinkNotSent.

    An address that several customers share lets nobody in: which of them asked cannot be told.
    """
    with run.tenant():
        run.hold()
        customer = customer_of_address(str(run.params["email"]))
        if customer is None or is_closed(customer.pk):
            return {"sent": False}
        letter = _letter(customer, new_link(customer, at=at), str(run.params.get("language", "")))
    try:
        letter.send()
    except (smtplib.SMTPException, OSError) as error:
        raise LinkNotSent(why=str(error)[:200]) from error
    return {"sent": True}


@transaction.atomic
def enter(*, secret: str, at: datetime, language: str = "") -> PortalAccount:
    """Log in by a link, which is used up; the first one opens the account, in that language.

    Raises LinkOver, PersonSwitchedOff.
    """
    customer = lock_subscriber(find_link(secret=secret, at=at).subscriber_id)
    link = find_link(
        secret=secret, at=at
    )  # Again: another may have used it, or staff closed the access meanwhile.
    unused = PortalLink.objects.filter(pk=link.pk, used_at=None)
    if not unused.update(used_at=at, updated_at=at):
        raise LinkOver  # A newer link was asked for at this moment.
    account = _open_account(customer, link.email)
    account.last_login_at = at
    account.language = account.language or language
    account.save(update_fields=["last_login_at", "language", "updated_at"])
    return account


def find_link(*, secret: str, at: datetime) -> PortalLink:
    """Return a link that may still be used, and leave it so. Raises LinkOver."""
    rows = PortalLink.objects.select_related("subscriber")
    link: PortalLink | None = rows.filter(secret_hash=hash_of(secret)).first()
    if link is None or not is_fresh(link, at=at):
        raise LinkOver
    return link


def is_fresh(link: PortalLink, *, at: datetime) -> bool:
    """Tell whether a link may be used: not yet used, not too old, still the customer's address, and not closed."""
    is_theirs = link.subscriber.email_lower == link.email
    return link.used_at is None and at < link.expires_at and is_theirs and not is_closed(link.subscriber_id)


@transaction.atomic
def log_in(*, email: str, password: str, at: datetime) -> PortalAccount:
    """Log in by password. What is wrong cannot be told apart, and costs the same. Raises LogInRefused."""
    user = ModelBackend().authenticate(None, username=email, password=password)
    account = PortalAccount.objects.filter(user=user).first() if isinstance(user, User) else None
    if account is None:
        raise LogInRefused
    account.last_login_at = at
    account.save(update_fields=["last_login_at", "updated_at"])
    found: PortalAccount = account
    return found


def find_account(*, account_id: UUID, stamp: UUID) -> PortalAccount | None:
    """Return the account a log-in is for, while that log-in holds."""
    rows = PortalAccount.objects.select_related("subscriber__billing_profile", "user")
    found: PortalAccount | None = rows.filter(
        pk=account_id, session_stamp=stamp, user__is_active=True
    ).first()
    return found


def is_closed(subscriber_id: UUID) -> bool:
    """Tell whether staff closed a customer's access."""
    rows = PortalAccount.objects.filter(subscriber=subscriber_id, closed_at__isnull=False)
    return bool(rows.exists())


def set_language(*, account_id: UUID, language: str) -> None:
    """Choose the language of the pages, and of what the customer is told. Safe to repeat."""
    PortalAccount.objects.filter(pk=account_id).update(language=words_in(language).language)


def language_of(customer: Subscriber) -> str:
    """Return the language a customer chose; else the provider's."""
    rows = PortalAccount.objects.filter(subscriber=customer).values_list("language", flat=True)
    return rows.first() or str(billing_identity().language)


def log_out(*, account_id: UUID) -> None:
    """End every log-in of an account to the portal, on all devices."""
    PortalAccount.objects.filter(pk=account_id).update(session_stamp=uuid4())


@transaction.atomic
def set_password(*, account_id: UUID, password: str) -> PortalAccount:
    """Choose the password, also for the API; other log-ins end. Raises WeakPassword, PasswordOfStaff.

    Whoever is staff somewhere is refused: a customer's mailbox must not open the staff site.
    """
    account: PortalAccount = (
        PortalAccount.objects.select_for_update(of=("self",)).select_related("user").get(pk=account_id)
    )
    user = account.user
    if user is None or user.is_platform_staff or STAFF_ROLES & {*grants_of(user).values()}:
        raise PasswordOfStaff
    try:
        validate_password(password, user)
    except ValidationError as error:
        codes = [str(each.code) for each in error.error_list]
        raise WeakPassword(why=" ".join(error.messages), codes=codes) from error
    user.set_password(password)
    user.save(update_fields=["password"])
    account.session_stamp = uuid4()
    account.save(update_fields=["session_stamp", "updated_at"])
    return account


def customer_of_address(email: str) -> Subscriber | None:
    """Return the one customer of an address: those who left count only where nobody else has it."""
    if not email:
        return None
    rows = Subscriber.objects.filter(email_lower=email)
    for found in (rows.exclude(status=SubscriberStatus.INACTIVE), rows):
        first = list(found.order_by("pk")[:2])
        if first:
            return first[0] if len(first) == 1 else None
    return None


def new_link(customer: Subscriber, *, at: datetime) -> str:
    """Return the address of a new link, which is told to nobody yet; an earlier one ends."""
    PortalLink.objects.filter(subscriber=customer).delete()
    secret = secrets.token_urlsafe(SECRET_BYTES)
    PortalLink.objects.create(
        subscriber=customer,
        email=customer.email_lower,
        secret_hash=hash_of(secret),
        expires_at=at + VALID_FOR,
    )
    slug = Tenant.objects.values_list("slug", flat=True).get(pk=current_tenant_id())
    return f"{settings.PUBLIC_URL}{reverse('portal-enter', args=[slug, secret])}"


def _letter(customer: Subscriber, link: str, language: str) -> EmailMessage:
    identity = billing_identity()
    name = identity.legal_name or Tenant.objects.values_list("name", flat=True).get(pk=current_tenant_id())
    chosen = PortalAccount.objects.filter(subscriber=customer).values_list("language", flat=True).first()
    words = words_in(chosen or language or identity.language)
    minutes = int(VALID_FOR.total_seconds() // 60)
    values = {"name": customer.full_name, "provider": name, "link": link, "minutes": minutes}
    return EmailMessage(
        # No isolates: a mail program takes them for a part of the link.
        subject=words["letter_subject"].format(**values),
        body=words["letter"].format(**values),
        from_email=formataddr((name, settings.DEFAULT_FROM_EMAIL)),
        to=[customer.email],
        reply_to=[identity.email] if identity.email else None,
    )


def _open_account(customer: Subscriber, email: str) -> PortalAccount:
    """Return the account of a customer's present address; the person of an address they had before loses it."""
    user, _ = User.objects.get_or_create(
        email=email, defaults={"full_name": customer.full_name[:120], "password": make_password(None)}
    )
    if not user.is_active:
        raise PersonSwitchedOff
    PortalAccount.objects.filter(user=user).exclude(subscriber=customer).delete()
    Membership.objects.get_or_create(
        tenant_id=current_tenant_id(), user=user, defaults={"role": Role.CUSTOMER}
    )
    account: PortalAccount = PortalAccount.objects.get_or_create(
        subscriber=customer, defaults={"user": user}
    )[0]
    if account.user_id != user.pk:
        take_from(account)
        account.user, account.session_stamp = user, uuid4()
        account.save(update_fields=["user", "session_stamp", "updated_at"])
    return account


def take_from(account: PortalAccount) -> None:
    """Let the person of an account be nobody's customer any more."""
    Membership.objects.filter(
        tenant_id=current_tenant_id(), user=account.user_id, role=Role.CUSTOMER
    ).delete()


def hash_of(secret: str) -> bytes:
    """Return what is kept of a link."""
    return hashlib.sha256(secret.encode()).digest()
