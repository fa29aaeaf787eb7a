"""Reads that come before a tenant is bound."""

from uuid import UUID

from django.db import connection, transaction

from ispcore.tenants.models import Membership, Tenant, User


def grants_of(user: User) -> dict[UUID, str]:
    """Map the active tenants a user belongs to, to the role there, by tenant name."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Row-level security shows a membership to its user before any tenant is bound.
        cursor.execute("SELECT set_config('app.user_id', %s, true)", [str(user.pk)])
        rows = list(
            Membership.objects.filter(user=user, tenant__is_active=True)
            .order_by("tenant__name")
            .values_list("tenant_id", "role")
        )
        cursor.execute("SELECT set_config('app.user_id', '', true)")
    return dict(rows)


def find_tenant(slug_or_id: str) -> Tenant | None:
    """Return the active tenant of that slug or id."""
    try:
        return Tenant.objects.filter(is_active=True, pk=UUID(slug_or_id)).first()
    except ValueError:
        return Tenant.objects.filter(is_active=True, slug=slug_or_id).first()
