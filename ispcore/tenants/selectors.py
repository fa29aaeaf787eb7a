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


def find_member(user_id: UUID) -> tuple[User, dict[UUID, str]] | None:
    """Return a user with their grants (see `grants_of`), in one round trip: every API call asks for them.

    What is sent at once is one transaction, in which the setting holds.
    """
    columns = [field.column for field in User._meta.concrete_fields]
    shown = ", ".join(f'person."{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT set_config('app.user_id', %(user)s, true);
            SELECT {shown}, membership.tenant_id, membership.role
            FROM tenants_user AS person
            LEFT JOIN (tenants_membership AS membership
                       JOIN tenants_tenant AS tenant ON tenant.id = membership.tenant_id AND tenant.is_active)
            ON membership.user_id = person.id
            WHERE person.id = %(user)s
            ORDER BY tenant.name;
            SELECT set_config('app.user_id', '', true);
            """,  # noqa: S608  (names of columns)
            {"user": str(user_id)},
        )
        cursor.nextset()
        rows = cursor.fetchall()
    if not rows:
        return None
    user: User = User.from_db("default", [f.attname for f in User._meta.concrete_fields], rows[0][:-2])
    return user, {tenant_id: role for *_, tenant_id, role in rows if tenant_id is not None}


def find_tenant(slug_or_id: str) -> Tenant | None:
    """Return the active tenant of that slug or id."""
    try:
        return Tenant.objects.filter(is_active=True, pk=UUID(slug_or_id)).first()
    except ValueError:
        return Tenant.objects.filter(is_active=True, slug=slug_or_id).first()
