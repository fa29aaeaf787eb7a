"""Who an issuer's subject is here, and what the issuer's claims let them do."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from ispcore import audit
from ispcore.auth.models import ExternalIdentity
from ispcore.errors import DomainError
from ispcore.tenants.context import tenant_context
from ispcore.tenants.models import Membership, Tenant, User
from ispcore.tenants.roles import STAFF_ROLES, Role
from ispcore.tenants.selectors import grants_of

log = structlog.get_logger(__name__)

# Tokens of large directories list thousands of groups; what stands behind these is not looked at.
MAX_CLAIM_VALUES = 500
MAX_NAME = 120
MAX_ADDRESS = 254  # RFC 5321 §4.5.3.1.3.
_GRANT = re.compile(r"(?P<slug>[a-z][a-z0-9-]{0,39}):(?P<role>[a-z_]{1,32})\Z")


class NobodyHere(DomainError):
    code = "permission_denied"
    message = (
        "Your account at the log-in service is not known here, and it carries no role for any provider. "
        "Ask an administrator."
    )
    status = 403


class AddressTaken(DomainError):
    code = "permission_denied"
    message = (
        "There is an account with your e-mail address already. Log in to it with its password and link it under "
        "Your account, or ask an administrator."
    )
    status = 403


class AddressNotProven(DomainError):
    code = "permission_denied"
    message = "The log-in service does not vouch for your e-mail address, so no account was made."
    status = 403


class SwitchedOff(DomainError):
    code = "permission_denied"
    message = "This account is switched off."
    status = 403


class NoStaffRole(DomainError):
    code = "permission_denied"
    message = "This account has no staff role with any provider. Ask an administrator to give you one."
    status = 403


class SubjectTaken(DomainError):
    code = "subject_taken"
    message = "That account of the log-in service belongs to somebody else here."


def arrive(*, claims: Mapping[str, Any], ip: str | None, request_id: str) -> User:
    """Return the person whom checked claims speak of, with the roles they carry. Safe to repeat.

    Found by (issuer, subject) alone: an e-mail address can be claimed by somebody else. Somebody new gets an
    account when the claims carry a role and a proven address that nobody has here. With OIDC_ROLES_CLAIM set, the
    claims decide about all of a person's staff roles; nothing in them ever makes platform staff.

    Must not run inside a transaction: what the claims take away stays taken when the person is refused. Raises
    NobodyHere, AddressTaken, AddressNotProven, SwitchedOff or NoStaffRole.
    """
    wanted = roles_in(claims)
    user = _find(claims["sub"]) or _make(claims, wanted)
    if not user.is_active:
        raise SwitchedOff
    if settings.OIDC_ROLES_CLAIM:
        set_roles(user=user, wanted=wanted, ip=ip, request_id=request_id)
    if not user.is_platform_staff and not STAFF_ROLES & set(grants_of(user).values()):
        raise NoStaffRole
    return user


def link(*, user: User, subject: str) -> ExternalIdentity:
    """Let the issuer's subject log in as `user`. Safe to repeat. Raises SubjectTaken."""
    identity, is_new = ExternalIdentity.objects.get_or_create(
        issuer=settings.OIDC_ISSUER, subject=subject, defaults={"user": user}
    )
    if identity.user_id != user.pk:
        raise SubjectTaken
    if is_new:
        log.info("identity_linked", user_id=str(user.pk))
    return identity


def unlink(*, user: User) -> int:
    """Forget all subjects of the issuer that log in as `user`; returns how many. Safe to repeat."""
    deleted, _ = ExternalIdentity.objects.filter(user=user, issuer=settings.OIDC_ISSUER).delete()
    return deleted


def remove_link(*, identity_id: UUID) -> None:
    """Forget one subject that logs in as somebody. Safe to repeat."""
    for identity in ExternalIdentity.objects.filter(pk=identity_id):
        identity.delete()
        log.info("identity_unlinked", user_id=str(identity.user_id))


def roles_in(claims: Mapping[str, Any]) -> dict[UUID, str]:
    """Read `<tenant's short name>:<role>` from the claim OIDC_ROLES_CLAIM; returns a role per active tenant.

    Whatever reads otherwise is another program's and passed over; of two roles with one tenant the one that stands
    first in the role table counts. A claim's name may be a path, `realm_access.roles`.
    """
    wanted: dict[str, set[str]] = {}
    for value in _values(claims)[:MAX_CLAIM_VALUES]:
        found = _GRANT.match(value) if isinstance(value, str) else None
        if found and found["role"] in STAFF_ROLES:
            wanted.setdefault(found["slug"], set()).add(found["role"])
    active = Tenant.objects.filter(is_active=True, slug__in=wanted).values_list("pk", "slug")
    return {pk: next(role.value for role in Role if role in wanted[slug]) for pk, slug in active}


@transaction.atomic
def set_roles(*, user: User, wanted: Mapping[UUID, str], ip: str | None, request_id: str) -> None:
    """Make a person's staff roles with active tenants exactly those given. Safe to repeat.

    What they are as a customer stays. The history of each change names the log-in as its author.
    """
    User.objects.select_for_update().get(pk=user.pk)  # Of two log-ins at once the later claims stay.
    held = grants_of(user)
    with audit.acting(user_id=user.pk, ip=ip, request_id=request_id, by="log-in service"):
        for tenant_id, role in wanted.items():
            if held.get(tenant_id) != role:
                with tenant_context(tenant_id):
                    Membership.objects.update_or_create(
                        tenant_id=tenant_id, user=user, defaults={"role": role}
                    )
        for tenant_id in held.keys() - wanted.keys():
            if held[tenant_id] in STAFF_ROLES:
                with tenant_context(tenant_id):
                    Membership.objects.filter(tenant_id=tenant_id, user=user).delete()


def _values(claims: Mapping[str, Any]) -> list[Any]:
    name = settings.OIDC_ROLES_CLAIM
    if not name:
        return []
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, list) else [found]


def _find(subject: str) -> User | None:
    identities = ExternalIdentity.objects.select_related("user")
    identity = identities.filter(issuer=settings.OIDC_ISSUER, subject=subject).first()
    return identity.user if identity else None


def _make(claims: Mapping[str, Any], wanted: Mapping[UUID, str]) -> User:
    if not wanted:
        raise NobodyHere
    email = _proven_address(claims)
    name = claims.get("name")
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                email=email, full_name=name[:MAX_NAME] if isinstance(name, str) and name.isprintable() else ""
            )
            link(user=user, subject=claims["sub"])
            return user
    except (IntegrityError, SubjectTaken) as error:
        # Another tab was faster, or the address is somebody's: then this is not for a log-in to decide.
        found = _find(claims["sub"])
        if found is None:
            raise AddressTaken from error
        return found


def _proven_address(claims: Mapping[str, Any]) -> str:
    email = claims.get("email")
    try:
        if claims.get("email_verified") is not True or not isinstance(email, str) or len(email) > MAX_ADDRESS:
            raise AddressNotProven
        validate_email(email)
    except ValidationError as error:
        raise AddressNotProven from error
    return email.strip().lower()
