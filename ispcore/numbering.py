"""Human numbers, counted per tenant and kind."""

from django.db import connection

from ispcore.tenants.context import current_tenant_id
from ispcore.tenants.fields import new_id


def draw(kind: str, *, count: int = 1) -> range:
    """Take the next `count` numbers of a series, which begins at 1.

    Locks the series until the transaction ends, so draw late in it. A transaction that is rolled back gives
    its numbers back: there are no gaps.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO tenants_numberseries AS series (id, tenant_id, created_at, updated_at, kind, next_value)
            VALUES (%(id)s, %(tenant)s, now(), now(), %(kind)s, 1 + %(count)s)
            ON CONFLICT (tenant_id, kind) DO UPDATE
            SET next_value = series.next_value + %(count)s, updated_at = now()
            RETURNING next_value
            """,
            {"id": new_id(), "tenant": current_tenant_id(), "kind": kind, "count": count},
        )
        (after,) = cursor.fetchone()
    return range(after - count, after)
