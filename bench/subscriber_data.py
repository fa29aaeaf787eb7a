"""Tenants full of subscribers, written set-based.

By the superuser with `session_replication_role = replica`: no history rows and no foreign-key checks, and
secondary indexes are made after the rows. What is measured afterwards has all of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import psycopg
from django.db.models import Model

FIRST = "Ana Bruno Carla Diogo Elsa Filipe Gloria Hugo Ines Joao Katia Luis Maria Nuno Olga Pedro Rita Sara Tiago Vera"
LAST = (
    "Silva Santos Ferreira Pereira Oliveira Costa Rodrigues Martins Sousa Fernandes Goncalves Gomes Lopes "
    "Marques Alves Almeida Ribeiro Pinto Carvalho Teixeira Moreira Correia Mendes Nunes Soares Vieira "
    "Monteiro Cardoso Rocha Raposo Neves Coelho Cruz Cunha Pires Ramos Reis Simoes Antunes Matos"
)
CITIES = "Lisboa Porto Braga Coimbra Faro Evora Aveiro Leiria Setubal Viseu"
SERVICES_PER_100 = 120
PREMISE_WORDS = """ARRAY(
    SELECT DISTINCT word FROM string_to_table(
        translate(lower(concat_ws(' ', s.address_line1, s.city, s.postal_code)), '-', ' '), ' ') AS word)"""


@contextmanager
def loader(admin_url: str, database: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect as the superuser, with neither history triggers nor foreign-key checks."""
    url = urlunsplit(urlsplit(admin_url)._replace(path=f"/{database}"))
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in (
            "session_replication_role = replica",
            "synchronous_commit = off",
            "maintenance_work_mem = '512MB'",
            "work_mem = '256MB'",
            "enable_nestloop = off",
        ):
            connection.execute(f"SET {setting}")
        yield connection


def fill(admin_url: str, database: str, tenants: dict[UUID, int]) -> None:
    """Give each tenant so many subscribers, with words, about 1.2 services each, premises, plans and a zone."""
    from ispcore.tenants.models import NumberSeries
    from subscribers.models import Plan, Premise, PremiseWord, Subscriber, SubscriberWord, Subscription, Zone

    with loader(admin_url, database) as connection:
        connection.execute("CREATE TEMPORARY TABLE wanted (tenant uuid, count integer)")
        with connection.cursor() as cursor, cursor.copy("COPY wanted FROM STDIN") as copy:
            for tenant, count in tenants.items():
                copy.write_row((tenant, count))
        connection.execute("ANALYZE wanted")
        with indexes_afterwards(connection, SubscriberWord, Subscriber, Subscription, Premise, PremiseWord):
            insert(
                connection, Zone, "wanted", tenant_id="tenant", name="'Centre'", id="uuidv7()",
            )  # fmt: skip
            insert(
                connection,
                Plan,
                "wanted, generate_series(1, 5) AS n",
                tenant_id="tenant",
                code="'FIBRE-' || n",
                name="'Fibre ' || n * 100",
                down_kbps="n * 100000",
                up_kbps="n * 50000",
                price="20 + n * 5",
                currency="'EUR'",
                period="'month'",
            )
            _subscribers(connection, Subscriber)
            _words(connection, SubscriberWord)
            insert(
                connection,
                Premise,
                "wanted JOIN subscribers_subscriber AS s ON s.tenant_id = wanted.tenant",
                tenant_id="tenant",
                id="uuidv7(s.created_at - now())",
                zone_id="(SELECT z.id FROM subscribers_zone AS z WHERE z.tenant_id = tenant)",
                address_line1="s.address_line1",
                address_key="lower(regexp_replace(s.address_line1, '^Rua', 'r'))",
                city="s.city",
                postal_code="s.postal_code",
                country="'PT'",
                created_at="s.created_at",
                address_words=PREMISE_WORDS,
            )
            insert(
                connection,
                PremiseWord,
                "wanted JOIN subscribers_premise AS p ON p.tenant_id = wanted.tenant, unnest(p.address_words) AS word",
                tenant_id="tenant",
                premise_id="p.id",
                word="word",
            )
            _services(connection, Subscription)
            for kind, most in (("subscriber", "count"), ("service", "count * 2")):
                insert(
                    connection, NumberSeries, "wanted", tenant_id="tenant", kind=f"'{kind}'",
                    next_value=f"{most} + 1",
                )  # fmt: skip
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def _subscribers(connection: psycopg.Connection[Any], model: type[Model]) -> None:
    first, last, cities = (f"'{{{','.join(names.split())}}}'::text[]" for names in (FIRST, LAST, CITIES))
    source = f"""
        (SELECT tenant, n, (n * 7919::bigint) %% 999983 AS r,
                now() - (count - n) * interval '3 years' / count AS at,
                ({first})[1 + (n * 7919::bigint) %% 20] AS first_name,
                ({last})[1 + (n * 104729::bigint / 7) %% 40] AS last_name,
                ({cities})[1 + (n * 31) %% 10] AS town
         FROM wanted, generate_series(1, count) AS n) AS made
    """.replace("%%", "%")
    insert(
        connection,
        model,
        source,
        tenant_id="tenant",
        id="uuidv7(at - now())",
        created_at="at",
        updated_at="at",
        number="'SUB-' || lpad(n::text, greatest(6, length(n::text)), '0')",
        external_id="'EXT' || n",
        full_name="first_name || ' ' || last_name",
        email="lower(first_name || '.' || last_name || n || '@example.net')",
        email_lower="lower(first_name || '.' || last_name || n || '@example.net')",
        phone="'9' || (20000000 + n)",
        phone_e164="'+3519' || (20000000 + n)",
        status="CASE WHEN n % 50 = 0 THEN 'suspended' WHEN n % 20 = 0 THEN 'prospect' WHEN n % 15 = 0"
        " THEN 'inactive' ELSE 'active' END",
        address_line1="'Rua ' || last_name || ' ' || 1 + r % 300",
        city="town",
        postal_code="(1000 + r % 9000) || '-' || lpad((r % 1000)::text, 3, '0')",
        country="'PT'",
        document_type="'tax_id'",
        document_number="'PT' || (200000000 + n)",
        document_normal="'PT' || (200000000 + n)",
        tags="CASE WHEN n % 1000 = 0 THEN ARRAY['vip'] WHEN n % 10 = 0 THEN ARRAY['business'] ELSE ARRAY[]::text[] END",
    )


def _words(connection: psycopg.Connection[Any], model: type[Model]) -> None:
    source = """
        wanted JOIN subscribers_subscriber AS s ON s.tenant_id = wanted.tenant
        CROSS JOIN LATERAL (
            SELECT DISTINCT word FROM string_to_table(translate(
                lower(concat_ws(' ', s.number, ltrim(substr(s.number, 5), '0'), s.full_name, s.phone_e164, s.phone,
                      s.document_normal, s.email, s.external_id, s.address_line1, s.postal_code, s.city)),
                '@.+-', '    '), ' ') AS word WHERE word <> ''
            UNION ALL SELECT '#' || tag FROM unnest(s.tags) AS tag
        ) AS words
    """
    insert(connection, model, source, tenant_id="tenant", subscriber_id="s.id", word="word")


def _services(connection: psycopg.Connection[Any], model: type[Model]) -> None:
    source = f"""
        (SELECT wanted.tenant, s.id AS subscriber, s.created_at AS at, p.id AS premise, plan.id AS plan, k,
                row_number() OVER (PARTITION BY wanted.tenant ORDER BY s.id, k) AS n
         FROM wanted
         JOIN subscribers_subscriber AS s ON s.tenant_id = wanted.tenant
         JOIN LATERAL generate_series(
             1, CASE WHEN right(s.number, 2)::int < {SERVICES_PER_100 - 100} THEN 2 ELSE 1 END) AS k ON true
         JOIN subscribers_premise AS p ON p.tenant_id = wanted.tenant AND p.created_at = s.created_at
         JOIN subscribers_plan AS plan ON plan.tenant_id = wanted.tenant
              AND plan.code = 'FIBRE-' || 1 + right(s.number, 1)::int % 5
        ) AS made
    """
    insert(
        connection,
        model,
        source,
        tenant_id="tenant",
        id="uuidv7(at - now())",
        created_at="at",
        updated_at="at",
        number="n",
        subscriber_id="subscriber",
        plan_id="plan",
        premise_id="premise",
        status="CASE WHEN n % 50 = 0 THEN 'suspended' WHEN n % 20 = 0 THEN 'pending_installation'"
        " WHEN n % 15 = 0 THEN 'terminated' ELSE 'active' END",
        isp_reference="'REF' || n",
        provisioned_at="at",
        terminated_at="CASE WHEN n % 15 = 0 AND n % 20 <> 0 AND n % 50 <> 0 THEN at + (now() - at) / 2 END",
    )


def insert(
    connection: psycopg.Connection[Any], model: type[Model], source: str, /, **expressions: str
) -> None:
    """INSERT … SELECT; columns that are not named get the model's default."""
    # A key of several columns is none itself.
    fields = [field for field in model._meta.local_fields if field.column]
    columns = {field.column: _default(field) for field in fields} | expressions
    names, values = ", ".join(f'"{name}"' for name in columns), ", ".join(columns.values())
    table = f'"{model._meta.db_table}"'
    connection.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {source}")
    connection.execute(f"ANALYZE {table}")


def _default(field: Any) -> str:
    if field.primary_key:
        return "uuidv7()"
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return "now()"
    if field.name == "tenant" or (value := field.get_default()) is None:
        return "NULL"
    if isinstance(value, dict | list):
        return "'{}'"  # The empty object and the empty array are written alike.
    return f"'{value}'"


@contextmanager
def indexes_afterwards(connection: psycopg.Connection[Any], *models: type[Model]) -> Iterator[None]:
    """Drop the indexes that no foreign key needs for the block: row by row they take most of its time."""
    tables = [model._meta.db_table for model in models]
    rows = connection.execute(
        """
        SELECT index.indexrelid::regclass::text, pg_get_indexdef(index.indexrelid)
        FROM pg_index AS index
        WHERE index.indrelid = ANY(%s::regclass[])
          AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = index.indexrelid)
        """,
        [tables],
    ).fetchall()
    constraints = connection.execute(
        """
        SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
        FROM pg_constraint AS own
        WHERE conrelid = ANY(%s::regclass[]) AND contype = 'u'
          AND NOT EXISTS (SELECT FROM pg_constraint AS other
                          WHERE other.conindid = own.conindid AND other.contype = 'f')
        """,
        [tables],
    ).fetchall()
    for name, _ in rows:
        connection.execute(f"DROP INDEX {name}")
    for table, name, _ in constraints:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    yield
    for _, definition in rows:
        # Of a partitioned table: on all partitions.
        connection.execute(definition.replace(" ON ONLY ", " ON "))
    for table, name, definition in constraints:
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


def make_people(count: int) -> tuple[UUID, dict[UUID, int], Any]:
    """Make a tenant for `count` subscribers and its administrator; what is still to be filled is the second."""
    from ispcore.tenants.context import tenant_context
    from ispcore.tenants.models import Membership, Tenant, User

    tenant, is_new = Tenant.objects.get_or_create(slug=f"size-{count}", name=f"With {count:,} subscribers")
    user, _ = User.objects.get_or_create(email=f"admin-{count}@bench.example")
    with tenant_context(tenant.pk):
        Membership.objects.get_or_create(tenant=tenant, user=user, role="administrator")
    return tenant.pk, {tenant.pk: count} if is_new else {}, user
