"""Is the schema ready to be taken apart by tenant? What the database itself says; docs/scaling.md says what follows.

Two ways are asked about. A database for each group of tenants needs every row of a tenant's to name its tenant and to
point at no other tenant's. Tables distributed by `tenant_id` (Citus) need more: `tenant_id` in every primary key,
unique and exclusion constraint, in every foreign key between distributed tables, and a condition on it in every join.

What is not so stands here by name, with its reason. Each list is compared as a whole: what is mended must leave it, and
what is new must be thought about.
"""

import re
from typing import Any

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db

# Would be the same on every shard (a reference table), or stand beside the shards.
WITHOUT_A_TENANT = {
    "tenants_tenant": "the list of tenants itself",
    "tenants_user": "people; one may work for several tenants",
    "ispauth_authenticator": "a person's",
    "ispauth_externalidentity": "a person's",
    "ispauth_refreshtoken": "a person's",
    "ispauth_issuerlogout": "told by the log-in service before anybody is known",
    "django_session": "a browser's, before anybody is known",
    "aaa_reservation": "a place held for a minute, unlogged; its account is a UUID of one tenant",
    "jobs_scheduledrun": "what runs by the clock, for all tenants of a database",
    "auth_group": "Django's, empty: roles are in the code",
    "auth_group_permissions": "Django's, empty",
    "auth_permission": "Django's own list, the same in every database",
    "django_admin_log": "Django's, empty: histories are written by triggers",
    "django_content_type": "Django's own list, the same in every database",
    "django_migrations": "Django's own list, the same in every database",
    "pghistory_context": "of the library that writes the triggers, empty: the context is in each row",
}
SAME_ON_EVERY_SHARD = {"tenants_tenant", "tenants_user"}

# Unique over all tenants: what is known before the tenant is. On shards each goes to whoever chooses the shard.
UNIQUE_OVER_ALL = {
    ("aaa_nas", "nas_address_unique"): "the address of a packet says which tenant's NAS sent it",
    ("ispauth_apikey", "api_key_one_per_prefix"): "a key says which tenant it is for",
}
# A key (tenant_id, id) stands beside this one, and would be the primary key on shards.
KEYS_ALONE = {"id"}
# A number of the database's own, no key of anything; (tenant_id, pgh_id) would be the primary key on shards.
HISTORY_KEYS_ALONE = {"pgh_id"}
# Not refused across tenants only because a VRF is of one; on shards tenant_id has to be added to each.
EXCLUDED_BY_VRF = {
    "subnet_overlaps",
    "pool_range_overlaps",
    "address_prefix_overlaps",
    "cgnat_rule_inside_overlaps",
}
# It has tenant_id, as a range: on shards it has to be an equality, which takes the extension btree_gist.
EXCLUDED_BY_TENANT = {"cgnat_rule_public_overlaps"}

NOT_LED_BY_TENANT = {
    ("tenants_membership", "user_id"): "which tenants a person works for is asked before one is chosen",
    ("aaa_nas", "address"): "see UNIQUE_OVER_ALL",
    ("ispauth_apikey", "prefix"): "see UNIQUE_OVER_ALL",
}

# A provider lets another's customers dial in at its NASes: the one row that knows two tenants.
BETWEEN_TENANTS = {("aaa_nasrealm", "guest_id")}

# Functions whose business is to find the tenant, or to sweep all of them: they run on each shard for itself.
OF_ALL_TENANTS = {
    "aaa_client": "which tenant's NAS is at this address",
    "aaa_asked": "whose customer is meant: the NAS' tenant, or a guest's",
    "aaa_close_stale": "a sweep, once for all tenants",
    "aaa_move_closed": "a sweep, once for all tenants",
}
# Found by an id that a composite foreign key, or the same function, ties to the tenant already. On shards the condition
# on tenant_id has to be written as well.
FOUND_BY_ID = {
    ("aaa_accounting", "aaa_nas"),
    ("aaa_accounting", "aaa_nasrealm"),
    ("aaa_authorize", "aaa_serviceprofile"),
    ("aaa_authorize", "ipam_pool"),
    ("aaa_post_auth", "aaa_nas"),
    ("aaa_post_auth", "aaa_serviceprofile"),
}

REFERENCE = re.compile(
    r"\b(FROM|JOIN|UPDATE|INTO|,)\s+\"?(?:public\"?\.)?\"?([a-z_]+)\"?(?:\s+(?:AS\s+)?([a-z_]+))?"
)
NO_ALIAS = {"set", "where", "on", "values", "select", "left", "join", "for", "order", "loop"}
INSERTED = re.compile(r"\bINSERT INTO\s+\"?([a-z_]+)\"?(?:\s+AS\s+[a-z_]+)?\s*\(([^)]*)\)")


def read(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall()


def tenant_tables() -> set[str]:
    """Partitions are their parents'."""
    return {
        name
        for (name,) in read(
            """
            SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
              AND a.attname = 'tenant_id' AND a.attnotnull AND NOT a.attisdropped
            """
        )
    }


def indexes() -> list[tuple[str, str, bool, bool, list[str]]]:
    """Give table, name, is it the primary key, is it unique, and the columns of each index of a tenant's table.

    An expression stands as it is written.
    """
    return read(
        """
        SELECT c.relname, i.relname, x.indisprimary, x.indisunique,
               array(SELECT pg_get_indexdef(x.indexrelid, n, true)
                     FROM generate_series(1, x.indnkeyatts) AS n ORDER BY n)
        FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)
        """,
        sorted(tenant_tables()),
    )


def foreign_keys() -> list[tuple[str, list[str], str, list[str]]]:
    return read(
        """
        SELECT own.relname, names(c.conrelid, c.conkey), target.relname, names(c.confrelid, c.confkey)
        FROM pg_constraint c
        JOIN pg_class own ON own.oid = c.conrelid JOIN pg_class target ON target.oid = c.confrelid
        WHERE c.contype = 'f' AND c.conparentid = 0 AND c.connamespace = 'public'::regnamespace
        """.replace(
            "names(c.conrelid, c.conkey)",
            "array(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k(n, place)"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n ORDER BY k.place)",
        ).replace(
            "names(c.confrelid, c.confkey)",
            "array(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k(n, place)"
            " JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.n ORDER BY k.place)",
        )
    )


def functions() -> dict[str, str]:
    """Give the body of each function of ours, without its comments."""
    found = read(
        """
        SELECT proname || CASE WHEN proname ^@ 'pgtrigger_' THEN p.oid::text ELSE '' END, prosrc
        FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
        WHERE pronamespace = 'public'::regnamespace AND l.lanname IN ('sql', 'plpgsql')
        """
    )
    return {name: re.sub(r"--[^\n]*", "", body) for name, body in found}


def tables_not_bound(body: str, tables: set[str]) -> set[str]:
    """Return the tenant tables that a body reads or changes without a word about the tenant of that very row."""
    bare = set()
    for verb, table, alias in REFERENCE.findall(body):
        if table not in tables or verb == "INTO":
            continue
        name = table if not alias or alias in NO_ALIAS else alias
        # Without an alias a column stands alone.
        bound = rf"\b{name}\.tenant_id\b" if name != table else rf"\b{table}\b[^;]*[^.\w]tenant_id\b"
        if not re.search(bound, body):
            bare.add(table)
    return bare


def test_every_table_has_a_tenant_but_those_that_are_named():
    all_tables = {
        name
        for (name,) in read(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'p') AND NOT relispartition"
        )
    }

    assert len(tenant_tables()) > 150
    assert all_tables - tenant_tables() == set(WITHOUT_A_TENANT)


def test_every_table_of_tenants_has_a_unique_key_that_begins_with_the_tenant():
    """Which a row is found by on its shard, and which foreign keys point at."""
    keyed = {table for table, _, _, unique, columns in indexes() if unique and columns[0] == "tenant_id"}
    histories = {table for table, _, primary, _, columns in indexes() if primary and columns == ["pgh_id"]}

    assert tenant_tables() - keyed == histories - keyed
    assert {table for table in histories - keyed if not table.endswith("history")} == set()


def test_what_is_unique_is_unique_within_its_tenant():
    strays = {
        (table, name): columns
        for table, name, _, unique, columns in indexes()
        if unique and "tenant_id" not in columns
    }
    alone = {key: columns for key, columns in strays.items() if key not in UNIQUE_OVER_ALL}

    assert set(UNIQUE_OVER_ALL) <= set(strays)
    assert {columns[0] for columns in alone.values()} == KEYS_ALONE | HISTORY_KEYS_ALONE
    assert {len(columns) for columns in alone.values()} == {1}


def test_a_primary_key_is_the_id_or_begins_with_the_tenant():
    leading = {columns[0] for _, _, primary, _, columns in indexes() if primary}

    assert leading == {"tenant_id"} | KEYS_ALONE | HISTORY_KEYS_ALONE


def test_every_index_begins_with_the_tenant_but_those_that_are_named():
    exclusions = {name for (name,) in read("SELECT conname FROM pg_constraint WHERE contype = 'x'")}
    strays = {
        (table, columns[0])
        for table, name, _, _, columns in indexes()
        if columns[0] not in {"tenant_id", *KEYS_ALONE, *HISTORY_KEYS_ALONE} and name not in exclusions
    }

    assert strays == set(NOT_LED_BY_TENANT)


def test_what_may_not_overlap_is_told_apart_by_vrf():
    exclusions = dict(
        read(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'x' AND conparentid = 0"
        )
    )

    assert {name for name, text in exclusions.items() if "uuidrange(tenant_id" not in text} == EXCLUDED_BY_VRF
    assert {name for name, text in exclusions.items() if "uuidrange(tenant_id" in text} == EXCLUDED_BY_TENANT
    assert all("vrf_id" in exclusions[name] for name in EXCLUDED_BY_VRF)


def test_foreign_keys_between_tables_of_tenants_carry_the_tenant():
    tables = tenant_tables()
    between = [key for key in foreign_keys() if key[0] in tables and key[2] in tables]
    wrong = [key for key in between if key[1][0] != "tenant_id" or key[3][0] != "tenant_id"]

    assert len(between) > 100
    assert wrong == []


def test_other_foreign_keys_point_at_what_every_shard_would_have():
    tables = tenant_tables()
    elsewhere = [key for key in foreign_keys() if key[0] in tables and key[2] not in tables]
    two_tenants = {
        (table, own[0])
        for table, own, target, _ in elsewhere
        if target == "tenants_tenant" and own != ["tenant_id"]
    }

    assert {target for _, _, target, _ in elsewhere} == SAME_ON_EVERY_SHARD
    assert two_tenants == BETWEEN_TENANTS


def test_nothing_without_a_tenant_points_at_what_has_one():
    tables = tenant_tables()

    assert [key for key in foreign_keys() if key[0] not in tables and key[2] in tables] == []


def test_there_are_no_views():
    assert (
        read(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm', 'f')"
        )
        == []
    )


def test_functions_say_the_tenant_of_every_row_they_read_or_change():
    tables = tenant_tables()
    bare = {
        (name, table)
        for name, body in functions().items()
        if name not in OF_ALL_TENANTS
        for table in tables_not_bound(body, tables)
    }

    assert set(OF_ALL_TENANTS) <= set(functions())
    assert bare == FOUND_BY_ID


def test_functions_say_the_tenant_of_every_row_they_add():
    tables = tenant_tables()
    added = [
        (name, table, columns)
        for name, body in functions().items()
        for table, columns in INSERTED.findall(body)
        if table in tables
    ]

    assert len(added) > 60  # The histories' triggers among them.
    assert [(name, table) for name, table, columns in added if "tenant_id" not in columns] == []


@pytest.mark.parametrize(
    ("body", "bare"),
    [
        ("SELECT * FROM a AS one WHERE one.tenant_id = x AND one.id = y", set()),
        ("SELECT * FROM a AS one WHERE one.id = y", {"a"}),
        ("SELECT * FROM a AS one JOIN b ON b.id = one.b_id WHERE one.tenant_id = x", {"b"}),
        ("UPDATE a SET n = 1 WHERE tenant_id = x", set()),
        ("UPDATE a SET n = 1 WHERE id = x", {"a"}),
        ("INSERT INTO a (tenant_id) SELECT x", set()),
    ],
)
def test_the_rule_itself(body: str, bare: set[str]) -> None:
    assert tables_not_bound(body, {"a", "b"}) == bare
