"""What staff do about a customer's log-in: send a link, end log-ins, close the access and open it again."""

from datetime import datetime
from uuid import UUID, uuid4

from django.db import transaction

from ispcore import audit
from ispcore.errors import DomainError
from ispcore.jobs.models import Job
from subscribers.models import Subscriber
from subscribers.services.customers import lock_subscriber
from support.models import PortalAccount, PortalLink
from support.services.portal import access


class NoAddress(DomainError):
    code = "subscriber_without_email"
    message = "{name} has no e-mail address: enter it first."


class SharedAddress(DomainError):
    code = "email_shared"
    message = "{email} is not {name}'s alone: who shares an address cannot log in. Give each their own."


@transaction.atomic
def invite(*, subscriber_id: UUID, user_id: UUID | None, ip: str | None, request_id: str) -> PortalAccount:
    """Let a worker send a customer a log-in link, and keep a record of the account they will open. Safe to repeat.

    Raises SubscriberUnknown, NoAddress, SharedAddress, AccessClosed.
    """
    customer = lock_subscriber(subscriber_id)
    _check(customer)
    account: PortalAccount = PortalAccount.objects.get_or_create(subscriber=customer)[0]
    _send(customer, user_id=user_id, ip=ip, request_id=request_id)
    return account


@transaction.atomic
def send_link(*, account_id: UUID, user_id: UUID | None, ip: str | None, request_id: str) -> Job:
    """Let a worker send another log-in link; an earlier one ends. Raises NoAddress, SharedAddress, AccessClosed."""
    account = _lock(account_id)
    _check(account.subscriber)
    return _send(account.subscriber, user_id=user_id, ip=ip, request_id=request_id)


@transaction.atomic
def end_log_ins(*, account_id: UUID, user_id: UUID | None, ip: str | None, request_id: str) -> None:
    """End every log-in of a customer to the portal; a link or the password lets in again. Safe to repeat."""
    account = _lock(account_id)
    access.log_out(account_id=account.pk)
    _record("ended the portal log-ins", account.subscriber, user_id=user_id, ip=ip, request_id=request_id)


@transaction.atomic
def close_access(*, account_id: UUID, at: datetime) -> PortalAccount:
    """Let a customer in no more, neither to the portal nor to the API; links that are out end. Safe to repeat."""
    account = _lock(account_id)
    if account.closed_at is None:
        access.take_from(account)
        PortalLink.objects.filter(subscriber=account.subscriber_id).delete()
        account.user, account.closed_at, account.session_stamp = None, at, uuid4()
        account.save(update_fields=["user", "closed_at", "session_stamp", "updated_at"])
    return account


@transaction.atomic
def open_access(*, account_id: UUID) -> PortalAccount:
    """Let a customer whose access was closed ask for links again. Safe to repeat."""
    account = _lock(account_id)
    account.closed_at = None
    account.save(update_fields=["closed_at", "updated_at"])
    return account


def _lock(account_id: UUID) -> PortalAccount:
    """Return an account, locked behind its customer, as `access.enter` locks them."""
    lock_subscriber(PortalAccount.objects.values_list("subscriber_id", flat=True).get(pk=account_id))
    rows = PortalAccount.objects.select_for_update(of=("self",)).select_related("subscriber", "user")
    found: PortalAccount = rows.get(pk=account_id)
    return found


def _check(customer: Subscriber) -> None:
    if not customer.email_lower:
        raise NoAddress(name=customer.full_name)
    if access.customer_of_address(customer.email_lower) != customer:
        raise SharedAddress(name=customer.full_name, email=customer.email)
    if access.is_closed(customer.pk):
        raise access.AccessClosed(name=customer.full_name)


def _send(customer: Subscriber, *, user_id: UUID | None, ip: str | None, request_id: str) -> Job:
    _record("sent a portal log-in link", customer, user_id=user_id, ip=ip, request_id=request_id)
    return access.request_link(email=customer.email_lower)


def _record(
    action: str, customer: Subscriber, *, user_id: UUID | None, ip: str | None, request_id: str
) -> None:
    detail = f"{customer.number} {customer.full_name}"[:200]
    audit.record(action=action, detail=detail, user_id=user_id, ip=ip, request_id=request_id)
