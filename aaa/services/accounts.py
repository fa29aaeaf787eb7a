"""Accounts: made, changed, switched off, purged. What they follow is settled by `aaa.services.settling`."""

import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from aaa.models import Account, OverCap, Policy, ServiceProfile, VirtualServer
from aaa.services import addresses, settling
from aaa.services.differing import act_on_differences
from aaa.services.settings import radius_settings, username_for
from ipam.models import Pool
from ispcore import audit
from ispcore.errors import DomainError, NotRegistered
from ispcore.events.services import publish
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Tenant
from subscribers.models import ServiceStatus, Subscription

# 57 letters and digits without 0, O, 1, l and I: 16 of them are 93 bits, and can be read out over the telephone.
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
PASSWORD_LENGTH = 16
STARTED = (ServiceStatus.PENDING_INSTALLATION, ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED)
MOST_NAMES = 50


class ProfileUnknown(NotRegistered):
    message = "There is no such policy."
    field = "profile_id"


class ThrottleProfileUnknown(NotRegistered):
    message = "There is no such policy."
    field = "throttle_profile_id"


class RadiusServiceUnknown(NotRegistered):
    message = "There is no such RADIUS service."
    field = "service_id"


class VirtualUnknown(NotRegistered):
    message = "There is no such virtual server."
    field = "virtual_id"


class PoolUnknown(NotRegistered):
    message = "There is no such address pool."
    field = "pool_id"


class LineUnknown(NotRegistered):
    message = "There is no such service."
    field = "subscription_id"


class AccountUnknown(NotRegistered):
    message = "There is no such account."
    field = "account_id"


class ThrottleNeedsPolicy(DomainError):
    code = "throttle_needs_policy"
    message = "To slow an account down over its cap, `throttle_profile_id` must say to which policy."
    status = 422
    field = "throttle_profile_id"


class NameTaken(DomainError):
    code = "duplicate_account_username"
    message = "No free user name was found for service {number}: {username} and those after it are taken."
    field = "username"


_KEYS: dict[str, tuple[Any, type[NotRegistered]]] = {
    "policy_id": (Policy, ProfileUnknown),
    "throttle_policy_id": (Policy, ThrottleProfileUnknown),
    "service_profile_id": (ServiceProfile, RadiusServiceUnknown),
    "virtual_id": (VirtualServer, VirtualUnknown),
    "pool_id": (Pool, PoolUnknown),
    "subscription_id": (Subscription, LineUnknown),
}


def make_password() -> str:
    """Return a random password that can be read out."""
    return "".join(secrets.choice(ALPHABET) for _ in range(PASSWORD_LENGTH))


@transaction.atomic
def create_account(
    *, at: datetime, password: str = "", user_id: UUID | None = None, **fields: Any
) -> Account:
    """Make an account; without a password it gets a random one. A static address is kept back in the address plan.

    Raises the refusals of unknown records, ThrottleNeedsPolicy, AddressNotFree; a user name that exists, in any case,
    is refused by the database.
    """
    _refuse_unknown(fields)
    account = Account(password=password or make_password(), **fields)
    _check(account)
    account.save(force_insert=True)
    addresses.keep_back(account, at=at, user_id=user_id)
    return _settled(account, at=at)


@transaction.atomic
def change_account(*, account_id: UUID, at: datetime, user_id: UUID | None = None, **fields: Any) -> Account:
    """Change an account; what is not given stays, an empty password too. Its live session follows.

    Raises as `create_account`, and AccountUnknown.
    """
    account = lock_account(account_id)
    _refuse_unknown(fields)
    before = account.static_ip4
    if not fields.get("password"):
        fields.pop("password", None)
    for name, value in fields.items():
        setattr(account, name, value)
    _check(account)
    account.save()
    if account.static_ip4 != before:
        if before:
            addresses.give_back([account], [before], at=at, user_id=user_id)
        addresses.keep_back(account, at=at, user_id=user_id)
    return _settled(account, at=at)


@transaction.atomic
def purge_accounts(*, account_ids: Collection[UUID], at: datetime) -> int:
    """Delete accounts with their state and top-ups; return how many. Safe to repeat.

    Their sessions and usage stay; who is online is disconnected. A static address is free again.
    """
    rows = list(
        Account.objects.filter(pk__in=list(account_ids)).order_by("pk").select_for_update(of=("self",))
    )
    static = [account for account in rows if account.static_ip4]
    addresses.give_back(static, [account.static_ip4 for account in static], at=at)
    keys = [account.pk for account in rows]
    Account.objects.filter(pk__in=keys).delete()
    act_on_differences(at=at, account_ids=keys)
    return len(keys)


def lock_account(account_id: UUID) -> Account:
    """Return the account, locked until the transaction ends. Raises AccountUnknown."""
    found: Account | None = (
        Account.objects.select_for_update(of=("self",), no_key=True).filter(pk=account_id).first()
    )
    if found is None:
        raise AccountUnknown
    return found


def reveal_password(account: Account, *, user_id: UUID | None, ip: str | None, request_id: str) -> str:
    """Return an account's password, and write down who saw it."""
    audit.record(
        action="revealed RADIUS password",
        detail=f"account {account.username}"[:200],
        user_id=user_id,
        ip=ip,
        request_id=request_id,
    )
    password: str = account.password.reveal()
    return password


@transaction.atomic
def create_account_of_line(*, subscription_id: UUID, at: datetime) -> Account | None:
    """Make the account of a new service when the provider wants that. Safe to repeat, and to run twice at once.

    None when accounts are not made with services, the line has one, or it is over. Raises NameTaken.
    """
    settings = radius_settings()
    if not settings.creates_accounts or settings.service_profile_id is None:
        return None
    line: Subscription | None = (
        Subscription.objects.select_for_update(of=("self",))
        .select_related("subscriber")
        .filter(pk=subscription_id, status__in=STARTED)
        .first()
    )
    if line is None or Account.objects.filter(subscription=line).exists():
        return None
    wanted = username_for(settings.username_template, number=line.number, subscriber=line.subscriber.number)
    account: Account = Account.objects.create(
        username=_free_username(wanted, line.number),
        name=line.subscriber.full_name[:120],
        password=make_password(),
        timezone=_zone(),
        service_profile_id=settings.service_profile_id,
        subscription=line,
    )
    return _settled(account, at=at)


def _settled(account: Account, *, at: datetime) -> Account:
    settling.settle([account.pk], at=at)
    account.refresh_from_db()
    publish("aaa.account_changed", account_id=str(account.pk))
    return account


def _refuse_unknown(fields: dict[str, Any]) -> None:
    for name, (model, refusal) in _KEYS.items():
        if fields.get(name) and not model.objects.filter(pk=fields[name]).exists():
            raise refusal


def _check(account: Account) -> None:
    if account.over_cap == OverCap.THROTTLE and account.throttle_policy_id is None:
        raise ThrottleNeedsPolicy


def _free_username(wanted: str, number: int) -> str:
    """Return the name of the template, or with -2, -3 … behind it where others have it."""
    names = [wanted, *(f"{wanted}-{n}" for n in range(2, MOST_NAMES))]
    keys = [name.lower() for name in names]
    taken = set(Account.objects.filter(username_key__in=keys).values_list("username_key", flat=True))
    free = next((name for name in names if name.lower() not in taken), None)
    if free is None:
        raise NameTaken(number=number, username=wanted)
    return free


def _zone() -> str:
    name: str = Tenant.objects.values_list("timezone", flat=True).get(pk=current_tenant_id())
    return name
