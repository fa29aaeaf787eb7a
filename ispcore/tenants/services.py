"""Who works for a tenant, and as what."""

from functools import cache
from uuid import UUID
from zoneinfo import available_timezones

from django.db import transaction

from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.models import Membership, User


class AlreadyMember(DomainError):
    code = "already_member"
    message = "{email} already works here; change the role instead."
    field = "email"


class PasswordNeeded(DomainError):
    code = "password_needed"
    message = "{email} has no account yet: choose a first password."
    field = "password"


class OwnMembership(DomainError):
    code = "own_membership"
    message = "Nobody changes or removes their own role. Ask another administrator."


class NoSuchMember(NotRegistered):
    message = "This person does not work here."


def check_new_member(*, email: str, has_password: bool) -> User | None:
    """Return the account `email` has already, if any. Raises AlreadyMember or PasswordNeeded."""
    email = email.strip().lower()
    user = User.objects.filter(email=email).first()
    if user is None and not has_password:
        raise PasswordNeeded(email=email)
    if user and Membership.objects.filter(tenant_id=current_tenant_id(), user=user).exists():
        raise AlreadyMember(email=email)
    return user


@transaction.atomic
def add_member(*, email: str, full_name: str, role: str, password: str) -> Membership:
    """Give a person a role with the bound tenant.

    An account that exists keeps its name and password: it may belong to another tenant's staff too. Raises
    AlreadyMember or PasswordNeeded.
    """
    user = check_new_member(email=email, has_password=bool(password))
    if user is None:
        user = User.objects.create_user(email=email, password=password, full_name=full_name)
    return Membership.objects.create(tenant_id=current_tenant_id(), user=user, role=role)


@transaction.atomic
def change_role(*, membership_id: UUID, role: str, by: UUID) -> Membership:
    """Give a member another role; it counts from their next request. Raises OwnMembership, NoSuchMember."""
    membership = _lock_of_another(membership_id, by)
    membership.role = role
    membership.save(update_fields=["role"])
    return membership


@transaction.atomic
def remove_member(*, membership_id: UUID, by: UUID) -> None:
    """End a person's work here; the account stays. Raises OwnMembership, NoSuchMember."""
    _lock_of_another(membership_id, by).delete()


@cache
def known_timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def _lock_of_another(membership_id: UUID, by: UUID) -> Membership:
    mine = Membership.objects.filter(tenant_id=current_tenant_id())
    membership = mine.select_for_update(of=("self",)).filter(pk=membership_id).first()
    if membership is None:
        raise NoSuchMember
    if membership.user_id == by:  # So that a tenant cannot lose its last administrator by a slip.
        raise OwnMembership
    return membership
