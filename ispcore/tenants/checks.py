"""Refuse to serve under a database role that row-level security does not bind."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection

ROLE_SQL = """
SELECT r.rolname,
       r.rolsuper,
       r.rolbypassrls,
       EXISTS (
           SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND pg_has_role(r.oid, c.relowner, 'MEMBER')
       )
FROM pg_roles r WHERE r.rolname = current_user
"""


class UnsafeRole(ImproperlyConfigured):
    """Raised when the runtime role could see every tenant's rows."""


def check_role() -> None:
    """Verify that this process's database role is bound by row-level security.

    Raises UnsafeRole for a superuser, a role that bypasses row-level security, or a member of the owner.
    """
    with connection.cursor() as cursor:
        cursor.execute(ROLE_SQL)
        name, is_superuser, bypasses, owns = cursor.fetchone()
    reasons = [
        reason
        for reason, applies in (
            ("is a superuser", is_superuser),
            ("bypasses row-level security", bypasses),
            ("owns the tables or is a member of their owner", owns),
        )
        if applies
    ]
    if reasons:
        raise UnsafeRole(
            f"The database role '{name}' {' and '.join(reasons)}, so it could see every tenant's rows. "
            "Set DATABASE_URL to the runtime role isp_app."
        )


def refuse_unsafe_role() -> None:
    """Stop a server that would run unsafely; a database that is merely away is not a reason to stop."""
    if not settings.SECRET_KEY_IS_SET:
        raise ImproperlyConfigured("Set SECRET_KEY: without it every restart would log everybody out.")
    try:
        check_role()
    except OperationalError:
        return
    finally:
        connection.close()
