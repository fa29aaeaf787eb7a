"""NASes, and the wholesale realms they carry for other providers."""

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from aaa.models import Nas, NasRealm
from ispcore.errors import DomainError, NotRegistered
from ispcore.tenants.context import current_tenant_id, tenant_context
from ispcore.tenants.models import Tenant
from ispcore.tenants.selectors import find_tenant
from subscribers.models import Zone

MIRRORED = (
    "nas_type",
    "octets_mode",
    "swaps_octets",
    "coa_port",
    "require_message_authenticator",
    "is_active",
)


class ZoneUnknown(NotRegistered):
    message = "There is no such zone."
    field = "zone_id"


class NasAddressTaken(DomainError):
    code = "duplicate_nas_address"
    message = "{address} is that of another NAS in this installation, which may be another provider's."
    field = "address"


class NasIsAMirror(DomainError):
    code = "nas_is_a_mirror"
    message = "{name} stands for another provider's NAS that carries your customers. They change it, not you."


class GuestUnknown(NotRegistered):
    message = "There is no such provider."
    field = "guest"


class GuestIsOwner(DomainError):
    code = "guest_is_owner"
    message = "A NAS carries its own provider's customers without a realm of theirs."
    field = "guest"


class RealmUnknown(NotRegistered):
    message = "There is no such wholesale realm."


class RealmTaken(DomainError):
    code = "duplicate_nas_realm"
    message = "{nas} carries {realm} already."
    field = "realm"


@transaction.atomic
def create_nas(**fields: Any) -> Nas:
    """Register a NAS. Its secret is stored encrypted; its CoA port is its type's unless given.

    Raises ZoneUnknown, NasAddressTaken.
    """
    _check_zone(fields)
    return _save(Nas(**fields))


@transaction.atomic
def change_nas(*, nas_id: UUID, **fields: Any) -> Nas:
    """Change a NAS; what is not given stays. Its mirrors with other providers follow.

    Raises ZoneUnknown, NasAddressTaken, NasIsAMirror.
    """
    nas = _locked(nas_id)
    _check_zone(fields)
    if "nas_type" in fields and fields["nas_type"] != nas.nas_type and "coa_port" not in fields:
        fields["coa_port"] = 0  # That of the new type.
    for name, value in fields.items():
        setattr(nas, name, value)
    nas = _save(nas)
    for realm in NasRealm.objects.filter(nas=nas):
        with tenant_context(realm.guest_id):
            Nas.objects.filter(pk=realm.guest_nas_id).update(
                **{name: getattr(nas, name) for name in MIRRORED}
            )
    return nas


@transaction.atomic
def remove_nas(*, nas_id: UUID) -> None:
    """Delete a NAS with the realms it carries and their mirrors. Sessions that ran on it stay on record.

    Raises NasIsAMirror.
    """
    nas = _locked(nas_id)
    for realm in list(NasRealm.objects.filter(nas=nas)):
        _drop_mirror(realm)
    nas.delete()


@transaction.atomic
def grant_realm(*, nas_id: UUID, realm: str, guest: str) -> NasRealm:
    """Let another provider's customers, `user@realm`, log in through this NAS. For platform staff.

    `guest` is a slug or an id. The guest gets a mirror of the NAS, by which its sessions are seen there. Raises
    GuestUnknown, GuestIsOwner, RealmTaken, NasIsAMirror.
    """
    nas = _locked(nas_id)
    found: Tenant | None = find_tenant(guest)
    if found is None:
        raise GuestUnknown
    if found.pk == current_tenant_id():
        raise GuestIsOwner
    if NasRealm.objects.filter(nas=nas, realm=realm.lower()).exists():
        raise RealmTaken(nas=nas.name, realm=realm.lower())
    owner = Tenant.objects.get(pk=current_tenant_id())
    values = {name: getattr(nas, name) for name in MIRRORED}
    with tenant_context(found.pk):
        mirror = Nas.objects.filter(mirror_of=nas.pk).first()
        if mirror is None:
            name = f"{nas.name} of {owner.name}"[:80]
            if Nas.objects.filter(name=name).exists():
                name = f"{name[:70]} {str(nas.pk)[-8:]}"
            mirror = Nas.objects.create(name=name, mirror_of=nas.pk, secret="", **values)
    granted: NasRealm = NasRealm.objects.create(
        nas=nas, realm=realm.lower(), guest=found, guest_nas_id=mirror.pk
    )
    return granted


@transaction.atomic
def withdraw_realm(*, nas_id: UUID, realm_id: UUID) -> None:
    """Carry a realm no longer. Raises RealmUnknown."""
    nas = _locked(nas_id)
    realm: NasRealm | None = NasRealm.objects.filter(nas=nas, pk=realm_id).first()
    if realm is None:
        raise RealmUnknown
    _drop_mirror(realm)
    realm.delete()


def _drop_mirror(realm: NasRealm) -> None:
    others = NasRealm.objects.filter(guest_nas_id=realm.guest_nas_id).exclude(pk=realm.pk)
    if not others.exists():
        with tenant_context(realm.guest_id):
            Nas.objects.filter(pk=realm.guest_nas_id).delete()


def _locked(nas_id: UUID) -> Nas:
    nas: Nas = Nas.objects.select_for_update(of=("self",)).get(pk=nas_id)
    if nas.mirror_of is not None:
        raise NasIsAMirror(name=nas.name)
    return nas


def _check_zone(fields: dict[str, Any]) -> None:
    if fields.get("zone_id") and not Zone.objects.filter(pk=fields["zone_id"]).exists():
        raise ZoneUnknown


def _save(nas: Nas) -> Nas:
    """Store a NAS. That its address is another tenant's is learned from the database alone, which sees them all."""
    try:
        with transaction.atomic():
            nas.save()
    except IntegrityError as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        if getattr(diagnosis, "constraint_name", "") == "nas_address_unique":
            raise NasAddressTaken(address=nas.address) from error
        raise
    return nas
