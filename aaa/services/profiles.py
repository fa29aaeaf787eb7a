"""Virtual servers and RADIUS services: what accounts have in common."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Model, QuerySet

from aaa.models import Account, ServiceProfile, VirtualServer
from ispcore.errors import DomainError
from ispcore.events.services import publish
from ispcore.tenants.base import changed, locked, what_protects


class VirtualServerInUse(DomainError):
    code = "virtual_server_in_use"
    message = "{name} still has {count} accounts. Move them to another virtual server first."


class ServiceProfileInUse(DomainError):
    code = "service_profile_in_use"
    message = "{name} is still used: by {users}. Change those first."


def create_virtual_server(**fields: Any) -> VirtualServer:
    """Add a virtual server."""
    server: VirtualServer = VirtualServer.objects.create(**_lower_realm(fields))
    return server


@transaction.atomic
def change_virtual_server(*, virtual_server_id: UUID, **fields: Any) -> VirtualServer:
    """Change a virtual server; what is not given stays."""
    return changed(locked(VirtualServer, virtual_server_id), _lower_realm(fields))


@transaction.atomic
def remove_virtual_server(*, virtual_server_id: UUID) -> None:
    """Delete a virtual server without accounts.

    Raises VirtualServerInUse.
    """
    server = locked(VirtualServer, virtual_server_id)
    count = Account.objects.filter(virtual=server).count()
    if count:
        raise VirtualServerInUse(name=server.name, count=count)
    server.delete()


def create_service_profile(**fields: Any) -> ServiceProfile:
    """Add a RADIUS service."""
    profile: ServiceProfile = ServiceProfile.objects.create(**fields)
    return profile


@transaction.atomic
def change_service_profile(*, service_profile_id: UUID, **fields: Any) -> ServiceProfile:
    """Change a RADIUS service; what is not given stays. Timers count from the next log-in, pools at once."""
    profile = changed(locked(ServiceProfile, service_profile_id), fields)
    publish("aaa.profile_changed", service_profile_id=str(profile.pk))
    return profile


@transaction.atomic
def remove_service_profile(*, service_profile_id: UUID) -> None:
    """Delete a RADIUS service that nothing names.

    Raises ServiceProfileInUse.
    """
    profile = locked(ServiceProfile, service_profile_id)
    users = names_of_users(profile)
    if users:
        raise ServiceProfileInUse(name=profile.name, users=users)
    profile.delete()


def names_of_users(record: Model) -> str:
    """Say what protects a record from being deleted, as '3 accounts and 1 voucher batch'; '' when nothing does."""
    users: dict[type[Model], QuerySet[Any]] = {}
    for rows in what_protects(record):
        # A record that names it twice is one.
        users[rows.model] = users[rows.model] | rows if rows.model in users else rows
    found = []
    for model, rows in users.items():
        if count := rows.count():
            names = model._meta.verbose_name if count == 1 else model._meta.verbose_name_plural
            found.append(f"{count} {names}")
    return " and ".join(found)


def _lower_realm(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "realm": fields["realm"].lower()} if "realm" in fields else fields
