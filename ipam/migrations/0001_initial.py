import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import ipam.models.fields
import ispcore.tenants.fields
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

from ispcore.tenants.rls import IsolateTenantTable

# A range of one value stands for "equal" in an exclusion constraint; btree_gist, an extension, is not needed.
TYPES_SQL = """
CREATE TYPE uuidrange AS RANGE (subtype = uuid);
CREATE TYPE inetrange AS RANGE (subtype = inet);
"""

SUBNET_SQL = """
ALTER TABLE ipam_subnet
    ADD CONSTRAINT subnet_bounds_of_its_network CHECK (
        first_address = set_masklen(network::inet, CASE family(network) WHEN 4 THEN 32 ELSE 128 END)
        AND last_address = set_masklen(broadcast(network), CASE family(network) WHEN 4 THEN 32 ELSE 128 END)),
    ADD CONSTRAINT subnet_gateway_inside CHECK (
        gateway <<= network AND masklen(gateway) = CASE family(gateway) WHEN 4 THEN 32 ELSE 128 END),
    ADD CONSTRAINT subnet_as_a_parent UNIQUE (tenant_id, id, network, vrf_id),
    ADD CONSTRAINT subnet_follows_its_parent FOREIGN KEY (tenant_id, parent_id, parent_network, vrf_id)
        REFERENCES ipam_subnet (tenant_id, id, network, vrf_id) ON UPDATE CASCADE,
    ADD CONSTRAINT subnet_within_its_parent CHECK (network << parent_network),
    ADD CONSTRAINT subnet_overlaps EXCLUDE USING gist (
        uuidrange(COALESCE(parent_id, vrf_id), COALESCE(parent_id, vrf_id), '[]') WITH &&,
        (network::inet) inet_ops WITH &&
    ) DEFERRABLE INITIALLY IMMEDIATE;
"""

POOL_RANGE_SQL = """
ALTER TABLE ipam_poolrange
    ADD CONSTRAINT pool_range_fits_its_pool FOREIGN KEY (tenant_id, pool_id, vrf_id, family, prefix_length)
        REFERENCES ipam_pool (tenant_id, id, vrf_id, family, prefix_length),
    ADD CONSTRAINT pool_range_follows_its_subnet FOREIGN KEY (tenant_id, subnet_id, subnet_network, vrf_id)
        REFERENCES ipam_subnet (tenant_id, id, network, vrf_id) ON UPDATE CASCADE,
    ADD CONSTRAINT pool_range_of_its_family CHECK (
        family(first) = family AND masklen(first) = CASE family WHEN 4 THEN 32 ELSE 128 END
        AND family(last) = family AND masklen(last) = CASE family WHEN 4 THEN 32 ELSE 128 END),
    ADD CONSTRAINT pool_range_within_its_subnet CHECK (first <<= subnet_network AND last <<= subnet_network),
    ADD CONSTRAINT pool_range_aligned CHECK (
        host(network(set_masklen(first, prefix_length))) = host(first)
        AND host(broadcast(set_masklen(last, prefix_length))) = host(last)),
    ADD CONSTRAINT pool_range_frontier_inside CHECK (next_address BETWEEN first AND last),
    ADD CONSTRAINT pool_range_overlaps EXCLUDE USING gist (
        uuidrange(vrf_id, vrf_id, '[]') WITH &&, inetrange(first, last, '[]') WITH &&);
"""

ADDRESS_SQL = """
ALTER TABLE ipam_address SET (fillfactor = 80);
ALTER TABLE ipam_address ADD CONSTRAINT address_prefix_overlaps EXCLUDE USING gist (
    uuidrange(vrf_id, vrf_id, '[]') WITH &&, address inet_ops WITH &&
) WHERE (masklen(address) < CASE family(address) WHEN 4 THEN 32 ELSE 128 END);
REVOKE DELETE ON ipam_pastassignment FROM isp_app;
"""

CGNAT_SQL = """
ALTER TABLE ipam_cgnatrule
    ADD CONSTRAINT cgnat_rule_of_ipv4 CHECK (
        family(inside_first) = 4 AND family(inside_last) = 4 AND family(public_first) = 4 AND family(public_last) = 4
        AND masklen(inside_first) = 32 AND masklen(inside_last) = 32
        AND masklen(public_first) = 32 AND masklen(public_last) = 32),
    ADD CONSTRAINT cgnat_rule_public_is_enough CHECK (
        (inside_last - inside_first) / NULLIF((65536 - first_port) / NULLIF(ports_per_line, 0), 0)
        <= public_last - public_first),
    ADD CONSTRAINT cgnat_rule_inside_overlaps EXCLUDE USING gist (
        uuidrange(vrf_id, vrf_id, '[]') WITH &&, inetrange(inside_first, inside_last, '[]') WITH &&,
        tstzrange(valid_from, valid_until) WITH &&),
    ADD CONSTRAINT cgnat_rule_public_overlaps EXCLUDE USING gist (
        uuidrange(tenant_id, tenant_id, '[]') WITH &&, inetrange(public_first, public_last, '[]') WITH &&,
        tstzrange(valid_from, valid_until) WITH &&);
"""

# One row a statement and pool, however many addresses it changed: nothing is shared, so nobody waits.
USAGE_SQL = """
CREATE FUNCTION count_addresses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO ipam_usagedelta (tenant_id, id, pool_id, subnet_id, reserved, assigned, quarantined)
        SELECT tenant_id, uuidv7(), pool_id, subnet_id, sum(reserved), sum(assigned), sum(quarantined)
        FROM (
            SELECT tenant_id, pool_id, subnet_id, (state = 'reserved')::int AS reserved,
                   (state = 'assigned')::int AS assigned, (state = 'quarantined')::int AS quarantined
            FROM now_there
            UNION ALL
            SELECT tenant_id, pool_id, subnet_id, -(state = 'reserved')::int,
                   -(state = 'assigned')::int, -(state = 'quarantined')::int
            FROM was_there
        ) AS changed
        GROUP BY tenant_id, pool_id, subnet_id
        HAVING sum(reserved) <> 0 OR sum(assigned) <> 0 OR sum(quarantined) <> 0;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO ipam_usagedelta (tenant_id, id, pool_id, subnet_id, reserved, assigned, quarantined)
        SELECT tenant_id, uuidv7(), pool_id, subnet_id, count(*) FILTER (WHERE state = 'reserved'),
               count(*) FILTER (WHERE state = 'assigned'), count(*) FILTER (WHERE state = 'quarantined')
        FROM now_there WHERE state <> 'free' GROUP BY tenant_id, pool_id, subnet_id;
    ELSE
        INSERT INTO ipam_usagedelta (tenant_id, id, pool_id, subnet_id, reserved, assigned, quarantined)
        SELECT tenant_id, uuidv7(), pool_id, subnet_id, -count(*) FILTER (WHERE state = 'reserved'),
               -count(*) FILTER (WHERE state = 'assigned'), -count(*) FILTER (WHERE state = 'quarantined')
        FROM was_there WHERE state <> 'free' GROUP BY tenant_id, pool_id, subnet_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER count_new AFTER INSERT ON ipam_address
REFERENCING NEW TABLE AS now_there FOR EACH STATEMENT EXECUTE FUNCTION count_addresses();
CREATE TRIGGER count_changed AFTER UPDATE ON ipam_address
REFERENCING OLD TABLE AS was_there NEW TABLE AS now_there FOR EACH STATEMENT EXECUTE FUNCTION count_addresses();
CREATE TRIGGER count_gone AFTER DELETE ON ipam_address
REFERENCING OLD TABLE AS was_there FOR EACH STATEMENT EXECUTE FUNCTION count_addresses();
"""

# Handing out the next address, as one call: its statements are planned once a connection, not at each request.
# It returns no address where the line or the pool refuses one too: `ipam.services.allocation` then says why.
TAKE_SQL = """
CREATE FUNCTION ipam_take(p_tenant uuid, p_pool uuid, p_subnet uuid, p_family int, p_length int, p_line uuid,
                          p_holder text, p_hostname text, p_at timestamptz, p_user uuid, p_waits boolean,
                          OUT is_new boolean, OUT taken ipam_address)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    chosen uuid;
BEGIN
    -- The requests for one line take turns: two at once get the same address.
    IF p_line IS NOT NULL THEN
        PERFORM FROM subscribers_subscription
        WHERE tenant_id = p_tenant AND id = p_line AND status NOT IN ('terminated', 'cancelled') FOR NO KEY UPDATE;
        IF NOT FOUND THEN RETURN; END IF;
    END IF;
    IF p_pool IS NOT NULL THEN
        PERFORM FROM ipam_pool
        WHERE tenant_id = p_tenant AND id = p_pool AND is_active
          AND family = COALESCE(p_family, family) AND prefix_length = COALESCE(p_length, prefix_length);
        IF NOT FOUND THEN RETURN; END IF;
    END IF;

    is_new := false;
    IF p_line IS NOT NULL AND p_pool IS NOT NULL THEN
        SELECT * INTO taken FROM ipam_address
        WHERE tenant_id = p_tenant AND subscription_id = p_line AND pool_id = p_pool;
    ELSIF p_line IS NOT NULL THEN
        SELECT * INTO taken FROM ipam_address
        WHERE tenant_id = p_tenant AND subscription_id = p_line AND pool_id IS NULL AND subnet_id = p_subnet LIMIT 1;
    END IF;
    IF taken.id IS NOT NULL THEN RETURN; END IF;

    -- The longest free, by the index of free rows alone. Rows that others are about to take are skipped, or at last
    -- waited for: whoever holds them may yet give them back.
    IF p_pool IS NULL THEN
        SELECT id INTO chosen FROM ipam_address
        WHERE tenant_id = p_tenant AND pool_id IS NULL AND subnet_id = p_subnet AND state = 'free'
        ORDER BY free_since, address LIMIT 1 FOR UPDATE SKIP LOCKED;
        IF chosen IS NULL AND p_waits THEN
            SELECT id INTO chosen FROM ipam_address
            WHERE tenant_id = p_tenant AND pool_id IS NULL AND subnet_id = p_subnet AND state = 'free'
            ORDER BY free_since, address LIMIT 1 FOR UPDATE;
        END IF;
    ELSE
        SELECT id INTO chosen FROM ipam_address
        WHERE tenant_id = p_tenant AND pool_id = p_pool AND state = 'free'
          AND (p_subnet IS NULL OR subnet_id = p_subnet)
        ORDER BY free_since, address LIMIT 1 FOR UPDATE SKIP LOCKED;
        IF chosen IS NULL AND p_waits THEN
            SELECT id INTO chosen FROM ipam_address
            WHERE tenant_id = p_tenant AND pool_id = p_pool AND state = 'free'
              AND (p_subnet IS NULL OR subnet_id = p_subnet)
            ORDER BY free_since, address LIMIT 1 FOR UPDATE;
        END IF;
    END IF;
    IF chosen IS NULL THEN RETURN; END IF;

    is_new := true;
    UPDATE ipam_address AS free
    SET state = 'assigned', subscription_id = p_line, assigned_to = p_holder, hostname = p_hostname,
        free_since = NULL, assigned_at = p_at, updated_at = p_at, changed_by_id = p_user
    WHERE free.tenant_id = p_tenant AND free.id = chosen RETURNING free.* INTO taken;
    INSERT INTO events_event (id, tenant_id, created_at, updated_at, name, payload)
    VALUES (uuidv7(), p_tenant, p_at, p_at, 'ipam.address_assigned',
            jsonb_build_object('address_id', taken.id, 'subscription_id', COALESCE(p_line::text, '')));
END
$$;
REVOKE ALL ON FUNCTION ipam_take FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ipam_take TO isp_app;
"""


def leave_deltas_unchecked(apps, schema_editor):
    """Name the tenant's key of the counts without checking it: a trigger writes them for rows that were checked."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'ipam_usagedelta'::regclass AND contype = 'f'"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'ALTER TABLE ipam_usagedelta ALTER CONSTRAINT "{name}" NOT ENFORCED')


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("files", "0001_initial"),
        ("jobs", "0001_initial"),
        ("subscribers", "0010_words_can_be_truncated"),
        ("tenants", "0003_number_series"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Vrf",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ispcore.tenants.fields.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("name", models.CharField(help_text="For example 'default' or 'management'.", max_length=80)),
                (
                    "rd",
                    models.CharField(
                        blank=True,
                        help_text="As routers know it, such as 64500:1; may be empty.",
                        max_length=26,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^(\\d{1,10}|\\d{1,3}(\\.\\d{1,3}){3}):\\d{1,10}\\Z",
                                "A route distinguisher is an AS number or an IPv4 address, a colon and a number, such as 64500:1.",
                            )
                        ],
                        verbose_name="route distinguisher",
                    ),
                ),
                ("description", models.CharField(blank=True, max_length=200)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "VRF",
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "name"), name="vrf_name_unique_per_tenant"),
                    models.UniqueConstraint(
                        condition=models.Q(("rd", ""), _negated=True),
                        fields=("tenant", "rd"),
                        name="vrf_rd_unique_per_tenant",
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="created_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "ipam_vrfhistory" ("created_at", "description", "id", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rd", "tenant_id", "updated_at") VALUES (NEW."created_at", NEW."description", NEW."id", NEW."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."rd", NEW."tenant_id", NEW."updated_at"); RETURN NULL;',
                            hash="f4b34dc2ba57b76f2c78b4931aa9226f0b859d4e",
                            operation="INSERT",
                            pgid="pgtrigger_created_insert_cf49a",
                            table="ipam_vrf",
                            when="AFTER",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="changed_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."description" IS DISTINCT FROM (NEW."description") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."rd" IS DISTINCT FROM (NEW."rd") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id"))',
                            func='INSERT INTO "ipam_vrfhistory" ("created_at", "description", "id", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rd", "tenant_id", "updated_at") VALUES (NEW."created_at", NEW."description", NEW."id", NEW."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."rd", NEW."tenant_id", NEW."updated_at"); RETURN NULL;',
                            hash="2e239ba7ba6b8716499ac94aa3751086fa0566af",
                            operation="UPDATE",
                            pgid="pgtrigger_changed_update_63a83",
                            table="ipam_vrf",
                            when="AFTER",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="deleted_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "ipam_vrfhistory" ("created_at", "description", "id", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rd", "tenant_id", "updated_at") VALUES (OLD."created_at", OLD."description", OLD."id", OLD."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."rd", OLD."tenant_id", OLD."updated_at"); RETURN NULL;',
                            hash="399e8695107963b63f0eb063f37de7de374bf65c",
                            operation="DELETE",
                            pgid="pgtrigger_deleted_delete_879d3",
                            table="ipam_vrf",
                            when="AFTER",
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Pool",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ispcore.tenants.fields.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("name", models.CharField(help_text="Plans name it as their pool.", max_length=80)),
                (
                    "kind",
                    models.CharField(
                        choices=[("address", "Single addresses"), ("prefix", "Delegated prefixes")],
                        default="address",
                        max_length=8,
                    ),
                ),
                ("family", models.PositiveSmallIntegerField(choices=[(4, "IPv4"), (6, "IPv6")], default=4)),
                (
                    "prefix_length",
                    models.PositiveSmallIntegerField(
                        help_text="Of each delegated prefix, such as 56; 32 or 128 where single addresses are handed out."
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("dynamic", "Dynamic"),
                            ("static", "Static"),
                            ("cgnat", "CGNAT, inside"),
                            ("management", "Management"),
                        ],
                        default="dynamic",
                        max_length=10,
                    ),
                ),
                (
                    "hold_seconds",
                    models.PositiveIntegerField(
                        default=86400,
                        help_text="A released address rests so long before it has a new holder; 0: not at all.",
                        validators=[django.core.validators.MaxValueValidator(31622400)],
                        verbose_name="rest after release, seconds",
                    ),
                ),
                (
                    "warn_percent",
                    models.PositiveSmallIntegerField(
                        default=80,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="warn at, percent",
                    ),
                ),
                (
                    "critical_percent",
                    models.PositiveSmallIntegerField(
                        default=95,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="critical at, percent",
                    ),
                ),
                (
                    "dns_servers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=ipam.models.fields.InetField(),
                        blank=True,
                        default=list,
                        help_text="At most 4; empty: those of the subnet.",
                        size=4,
                        verbose_name="DNS servers",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Switched off it hands out nothing; what is assigned stays.",
                        verbose_name="hands out addresses",
                    ),
                ),
                ("notes", models.TextField(blank=True, max_length=2000)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "vrf",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pools",
                        to="ipam.vrf",
                        verbose_name="VRF",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "vrf"], name="pool_by_vrf")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "name"), name="pool_name_unique_per_tenant"),
                    models.UniqueConstraint(
                        fields=("tenant", "id", "vrf", "family", "prefix_length"), name="pool_shape"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["address", "prefix"])), name="pool_kind_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("purpose__in", ["dynamic", "static", "cgnat", "management"])),
                        name="pool_purpose_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("family", 4), ("kind", "address"), ("prefix_length", 32)),
                            models.Q(("family", 6), ("kind", "address"), ("prefix_length", 128)),
                            models.Q(("family", 4), ("kind", "prefix"), ("prefix_length__range", (8, 31))),
                            models.Q(("family", 6), ("kind", "prefix"), ("prefix_length__range", (16, 127))),
                            _connector="OR",
                        ),
                        name="pool_length_fits_its_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("warn_percent__gte", 1),
                            ("warn_percent__lte", models.F("critical_percent")),
                            ("critical_percent__lte", 100),
                        ),
                        name="pool_thresholds_in_order",
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="created_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "ipam_poolhistory" ("created_at", "critical_percent", "dns_servers", "family", "hold_seconds", "id", "is_active", "kind", "name", "notes", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "prefix_length", "purpose", "tenant_id", "updated_at", "vrf_id", "warn_percent") VALUES (NEW."created_at", NEW."critical_percent", NEW."dns_servers", NEW."family", NEW."hold_seconds", NEW."id", NEW."is_active", NEW."kind", NEW."name", NEW."notes", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."prefix_length", NEW."purpose", NEW."tenant_id", NEW."updated_at", NEW."vrf_id", NEW."warn_percent"); RETURN NULL;',
                            hash="f665d42d034a522a11c4b3984946aa6e715899a1",
                            operation="INSERT",
                            pgid="pgtrigger_created_insert_901c6",
                            table="ipam_pool",
                            when="AFTER",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="changed_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."critical_percent" IS DISTINCT FROM (NEW."critical_percent") OR OLD."dns_servers" IS DISTINCT FROM (NEW."dns_servers") OR OLD."family" IS DISTINCT FROM (NEW."family") OR OLD."hold_seconds" IS DISTINCT FROM (NEW."hold_seconds") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."is_active" IS DISTINCT FROM (NEW."is_active") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."notes" IS DISTINCT FROM (NEW."notes") OR OLD."prefix_length" IS DISTINCT FROM (NEW."prefix_length") OR OLD."purpose" IS DISTINCT FROM (NEW."purpose") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id") OR OLD."vrf_id" IS DISTINCT FROM (NEW."vrf_id") OR OLD."warn_percent" IS DISTINCT FROM (NEW."warn_percent"))',
                            func='INSERT INTO "ipam_poolhistory" ("created_at", "critical_percent", "dns_servers", "family", "hold_seconds", "id", "is_active", "kind", "name", "notes", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "prefix_length", "purpose", "tenant_id", "updated_at", "vrf_id", "warn_percent") VALUES (NEW."created_at", NEW."critical_percent", NEW."dns_servers", NEW."family", NEW."hold_seconds", NEW."id", NEW."is_active", NEW."kind", NEW."name", NEW."notes", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."prefix_length", NEW."purpose", NEW."tenant_id", NEW."updated_at", NEW."vrf_id", NEW."warn_percent"); RETURN NULL;',
                            hash="bf63f56c99efe2ae3b4e6efdb60508a083b1577a",
                            operation="UPDATE",
                            pgid="pgtrigger_changed_update_efc11",
                            table="ipam_pool",
                            when="AFTER",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="deleted_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "ipam_poolhistory" ("created_at", "critical_percent", "dns_servers", "family", "hold_seconds", "id", "is_active", "kind", "name", "notes", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "prefix_length", "purpose", "tenant_id", "updated_at", "vrf_id", "warn_percent") VALUES (OLD."created_at", OLD."critical_percent", OLD."dns_servers", OLD."family", OLD."hold_seconds", OLD."id", OLD."is_active", OLD."kind", OLD."name", OLD."notes", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."prefix_length", OLD."purpose", OLD."tenant_id", OLD."updated_at", OLD."vrf_id", OLD."warn_percent"); RETURN NULL;',
                            hash="df12cc01301db403a19e0f4885d8f984c7e22c43",
                            operation="DELETE",
                            pgid="pgtrigger_deleted_delete_a7df0",
                            table="ipam_pool",
                            when="AFTER",
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Exclusion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ispcore.tenants.fields.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("first", ipam.models.fields.InetField()),
                ("last", ipam.models.fields.InetField()),
                ("reason", models.CharField(blank=True, help_text="For example 'routers'.", max_length=120)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "pool",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="exclusions",
                        to="ipam.pool",
                    ),
                ),
            ],
            options={
                "ordering": ["first"],
                "indexes": [models.Index(fields=["tenant", "pool", "first"], name="exclusion_by_pool")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("first__lte", models.F("last"))), name="exclusion_in_order"
                    )
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="created_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "ipam_exclusionhistory" ("created_at", "first", "id", "last", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "pool_id", "reason", "tenant_id", "updated_at") VALUES (NEW."created_at", NEW."first", NEW."id", NEW."last", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."pool_id", NEW."reason", NEW."tenant_id", NEW."updated_at"); RETURN NULL;',
                            hash="14afaeb6a4a5a209e0f63cde0c787966248d0164",
                            operation="INSERT",
                            pgid="pgtrigger_created_insert_62a43",
                            table="ipam_exclusion",
                            when="AFTER",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="changed_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."first" IS DISTINCT FROM (NEW."first") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."last" IS DISTINCT FROM (NEW."last") OR OLD."pool_id" IS DISTINCT FROM (NEW."pool_id") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id"))',
                            func='INSERT INTO "ipam_exclusionhistory" ("created_at", "first", "id", "last", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "pool_id", "reason", "tenant_id", "updated_at") VALUES (NEW."created_at", NEW."first", NEW."id", NEW."last", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."pool_id", NEW."reason", NEW."tenant_id", NEW."updated_at"); RETURN NULL;',
                            hash="8ef2665eba08e5301ad1765f8a81319290f047fe",
                            operation="UPDATE",
                            pgid="pgtrigger_changed_update_60deb",
                            table="ipam_exclusion",
                            when="AFTER",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="deleted_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "ipam_exclusionhistory" ("created_at", "first", "id", "last", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "pool_id", "reason", "tenant_id", "updated_at") VALUES (OLD."created_at", OLD."first", OLD."id", OLD."last", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."pool_id", OLD."reason", OLD."tenant_id", OLD."updated_at"); RETURN NULL;',
                            hash="79d3f07b56b0565925abb603f0dc346aa7d76dd1",
                            operation="DELETE",
                            pgid="pgtrigger_deleted_delete_d6b3e",
                            table="ipam_exclusion",
                            when="AFTER",
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CgnatRule",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ispcore.tenants.fields.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("name", models.CharField(max_length=80)),
                ("inside_first", ipam.models.fields.InetField()),
                ("inside_last", ipam.models.fields.InetField()),
                ("public_first", ipam.models.fields.InetField()),
                ("public_last", ipam.models.fields.InetField()),
                (
                    "first_port",
                    models.PositiveIntegerField(
                        default=1024,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(65535),
                        ],
                    ),
                ),
                (
                    "ports_per_line",
                    models.PositiveIntegerField(
                        default=2016,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(65535),
                        ],
                    ),
                ),
                ("valid_from", models.DateTimeField()),
                ("valid_until", models.DateTimeField(blank=True, help_text="Empty: still valid.", null=True)),
                ("note", models.CharField(blank=True, max_length=200)),
                (
                    "created_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "pool",
                    ispcore.tenants.fields.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        help_text="Of the inside.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cgnat_rules",
                        to="ipam.pool",
                    ),
                ),
                (
                    "vrf",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ipam.vrf",
                        verbose_name="inside VRF",
                    ),
                ),
            ],
            options={
                "verbose_name": "CGNAT rule",
                "indexes": [
                    models.Index(
                        fields=["tenant", "public_first", "public_last"], name="cgnat_rule_by_public"
                    ),
                    models.Index(fields=["tenant", "vrf", "inside_first"], name="cgnat_rule_by_inside"),
                    models.Index(fields=["tenant", "pool"], name="cgnat_rule_by_pool"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("inside_first__lte", models.F("inside_last")),
                            ("public_first__lte", models.F("public_last")),
                        ),
                        name="cgnat_rule_ranges_in_order",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("first_port__range", (1, 65535)),
                            ("ports_per_line__gte", 1),
                            (
                                "ports_per_line__lte",
                                django.db.models.expressions.CombinedExpression(
                                    models.Value(65536), "-", models.F("first_port")
                                ),
                            ),
                        ),
                        name="cgnat_rule_ports_in_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_until", None),
                            ("valid_until__gt", models.F("valid_from")),
                            _connector="OR",
                        ),
                        name="cgnat_rule_valid_for_a_time",
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="created_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "ipam_cgnatrulehistory" ("created_at", "created_by_id", "first_port", "id", "inside_first", "inside_last", "name", "note", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "pool_id", "ports_per_line", "public_first", "public_last", "tenant_id", "updated_at", "valid_from", "valid_until", "vrf_id") VALUES (NEW."created_at", NEW."created_by_id", NEW."first_port", NEW."id", NEW."inside_first", NEW."inside_last", NEW."name", NEW."note", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."pool_id", NEW."ports_per_line", NEW."public_first", NEW."public_last", NEW."tenant_id", NEW."updated_at", NEW."valid_from", NEW."valid_until", NEW."vrf_id"); RETURN NULL;',
                            hash="efacdccee4dcef9b2d5210d6496d1d6c5f12402b",
                            operation="INSERT",
                            pgid="pgtrigger_created_insert_6319c",
                            table="ipam_cgnatrule",
                            when="AFTER",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="changed_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."created_by_id" IS DISTINCT FROM (NEW."created_by_id") OR OLD."first_port" IS DISTINCT FROM (NEW."first_port") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."inside_first" IS DISTINCT FROM (NEW."inside_first") OR OLD."inside_last" IS DISTINCT FROM (NEW."inside_last") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."note" IS DISTINCT FROM (NEW."note") OR OLD."pool_id" IS DISTINCT FROM (NEW."pool_id") OR OLD."ports_per_line" IS DISTINCT FROM (NEW."ports_per_line") OR OLD."public_first" IS DISTINCT FROM (NEW."public_first") OR OLD."public_last" IS DISTINCT FROM (NEW."public_last") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id") OR OLD."valid_from" IS DISTINCT FROM (NEW."valid_from") OR OLD."valid_until" IS DISTINCT FROM (NEW."valid_until") OR OLD."vrf_id" IS DISTINCT FROM (NEW."vrf_id"))',
                            func='INSERT INTO "ipam_cgnatrulehistory" ("created_at", "created_by_id", "first_port", "id", "inside_first", "inside_last", "name", "note", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "pool_id", "ports_per_line", "public_first", "public_last", "tenant_id", "updated_at", "valid_from", "valid_until", "vrf_id") VALUES (NEW."created_at", NEW."created_by_id", NEW."first_port", NEW."id", NEW."inside_first", NEW."inside_last", NEW."name", NEW."note", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."pool_id", NEW."ports_per_line", NEW."public_first", NEW."public_last", NEW."tenant_id", NEW."updated_at", NEW."valid_from", NEW."valid_until", NEW."vrf_id"); RETURN NULL;',
                            hash="b97aa5443c2ff8c8cb023f8cd7b28d31a3937267",
                            operation="UPDATE",
                            pgid="pgtrigger_changed_update_74dda",
                            table="ipam_cgnatrule",
                            when="AFTER",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="deleted_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "ipam_cgnatrulehistory" ("created_at", "created_by_id", "first_port", "id", "inside_first", "inside_last", "name", "note", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "pool_id", "ports_per_line", "public_first", "public_last", "tenant_id", "updated_at", "valid_from", "valid_until", "vrf_id") VALUES (OLD."created_at", OLD."created_by_id", OLD."first_port", OLD."id", OLD."inside_first", OLD."inside_last", OLD."name", OLD."note", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."pool_id", OLD."ports_per_line", OLD."public_first", OLD."public_last", OLD."tenant_id", OLD."updated_at", OLD."valid_from", OLD."valid_until", OLD."vrf_id"); RETURN NULL;',
                            hash="68f47c09cd62b920e3fa9930c40bf304c9616bfe",
                            operation="DELETE",
                            pgid="pgtrigger_deleted_delete_0917a",
                            table="ipam_cgnatrule",
                            when="AFTER",
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PoolUsage",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ispcore.tenants.fields.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "total",
                    models.DecimalField(
                        decimal_places=0,
                        default=0,
                        help_text="What its ranges hold and it may hand out.",
                        max_digits=40,
                    ),
                ),
                ("reserved", models.BigIntegerField(default=0)),
                ("assigned", models.BigIntegerField(default=0)),
                ("quarantined", models.BigIntegerField(default=0)),
                (
                    "level",
                    models.CharField(
                        choices=[
                            ("ok", "Fine"),
                            ("warning", "Nearly full"),
                            ("critical", "Critical"),
                            ("full", "Full"),
                        ],
                        default="ok",
                        max_length=8,
                    ),
                ),
                ("level_since", models.DateTimeField(null=True)),
                (
                    "pool",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="usage",
                        to="ipam.pool",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "level"], name="pool_usage_by_level")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "pool"), name="pool_usage_one_per_pool"),
                    models.CheckConstraint(
                        condition=models.Q(("level__in", ["ok", "warning", "critical", "full"])),
                        name="pool_usage_level_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Subnet",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ispcore.tenants.fields.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "network",
                    ipam.models.fields.CidrField(help_text="For example 203.0.113.0/24 or 2001:db8::/40."),
                ),
                (
                    "parent_network",
                    ipam.models.fields.CidrField(
                        editable=False,
                        help_text="The parent's network, kept equal by a foreign key.",
                        null=True,
                    ),
                ),
                ("first_address", ipam.models.fields.FirstAddressField(editable=False)),
                ("last_address", ipam.models.fields.LastAddressField(editable=False)),
                (
                    "next_address",
                    ipam.models.fields.InetField(
                        editable=False,
                        help_text="The first address of which no row was made, for what is handed out of no pool.",
                        null=True,
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=80)),
                ("site", models.CharField(blank=True, help_text="Where it is routed.", max_length=80)),
                (
                    "vlan_id",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="IEEE 802.1Q, 1 to 4094.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(4094),
                        ],
                        verbose_name="VLAN",
                    ),
                ),
                (
                    "gateway",
                    ipam.models.fields.InetField(
                        blank=True, help_text="The router's address in it; never handed out.", null=True
                    ),
                ),
                (
                    "dns_servers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=ipam.models.fields.InetField(),
                        blank=True,
                        default=list,
                        help_text="At most 4.",
                        size=4,
                        verbose_name="DNS servers",
                    ),
                ),
                ("notes", models.TextField(blank=True, max_length=2000)),
                (
                    "parent",
                    ispcore.tenants.fields.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="children",
                        to="ipam.subnet",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "zone",
                    ispcore.tenants.fields.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="subnets",
                        to="subscribers.zone",
                    ),
                ),
                (
                    "vrf",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="subnets",
                        to="ipam.vrf",
                        verbose_name="VRF",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["tenant", "vrf", "first_address", "last_address"], name="subnet_by_address"
                    ),
                    models.Index(fields=["tenant", "parent"], name="subnet_by_parent"),
                    models.Index(fields=["tenant", "zone"], name="subnet_by_zone"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "vrf", "network"), name="subnet_network_unique_per_vrf"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("vlan_id", None), ("vlan_id__range", (1, 4094)), _connector="OR"),
                        name="subnet_vlan_in_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("parent", None), ("parent_network", None)),
                            models.Q(("parent__isnull", False), ("parent_network__isnull", False)),
                            _connector="OR",
                        ),
                        name="subnet_parent_with_network",
                    ),
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="created_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "ipam_subnethistory" ("created_at", "dns_servers", "first_address", "gateway", "id", "last_address", "name", "network", "next_address", "notes", "parent_id", "parent_network", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "site", "tenant_id", "updated_at", "vlan_id", "vrf_id", "zone_id") VALUES (NEW."created_at", NEW."dns_servers", NEW."first_address", NEW."gateway", NEW."id", NEW."last_address", NEW."name", NEW."network", NEW."next_address", NEW."notes", NEW."parent_id", NEW."parent_network", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."site", NEW."tenant_id", NEW."updated_at", NEW."vlan_id", NEW."vrf_id", NEW."zone_id"); RETURN NULL;',
                            hash="060015708d19a6b297a1afe3677d99e62cb9e5e5",
                            operation="INSERT",
                            pgid="pgtrigger_created_insert_971e6",
                            table="ipam_subnet",
                            when="AFTER",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="changed_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."dns_servers" IS DISTINCT FROM (NEW."dns_servers") OR OLD."gateway" IS DISTINCT FROM (NEW."gateway") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."network" IS DISTINCT FROM (NEW."network") OR OLD."notes" IS DISTINCT FROM (NEW."notes") OR OLD."parent_id" IS DISTINCT FROM (NEW."parent_id") OR OLD."site" IS DISTINCT FROM (NEW."site") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id") OR OLD."vlan_id" IS DISTINCT FROM (NEW."vlan_id") OR OLD."vrf_id" IS DISTINCT FROM (NEW."vrf_id") OR OLD."zone_id" IS DISTINCT FROM (NEW."zone_id"))',
                            func='INSERT INTO "ipam_subnethistory" ("created_at", "dns_servers", "first_address", "gateway", "id", "last_address", "name", "network", "next_address", "notes", "parent_id", "parent_network", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "site", "tenant_id", "updated_at", "vlan_id", "vrf_id", "zone_id") VALUES (NEW."created_at", NEW."dns_servers", NEW."first_address", NEW."gateway", NEW."id", NEW."last_address", NEW."name", NEW."network", NEW."next_address", NEW."notes", NEW."parent_id", NEW."parent_network", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."site", NEW."tenant_id", NEW."updated_at", NEW."vlan_id", NEW."vrf_id", NEW."zone_id"); RETURN NULL;',
                            hash="c419f42be0bbb6e9dbce8262b9762ebcd6ea128b",
                            operation="UPDATE",
                            pgid="pgtrigger_changed_update_cbd0b",
                            table="ipam_subnet",
                            when="AFTER",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="deleted_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "ipam_subnethistory" ("created_at", "dns_servers", "first_address", "gateway", "id", "last_address", "name", "network", "next_address", "notes", "parent_id", "parent_network", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "site", "tenant_id", "updated_at", "vlan_id", "vrf_id", "zone_id") VALUES (OLD."created_at", OLD."dns_servers", OLD."first_address", OLD."gateway", OLD."id", OLD."last_address", OLD."name", OLD."network", OLD."next_address", OLD."notes", OLD."parent_id", OLD."parent_network", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."site", OLD."tenant_id", OLD."updated_at", OLD."vlan_id", OLD."vrf_id", OLD."zone_id"); RETURN NULL;',
                            hash="f2ebd9a6a8b717b9dc238e10190c37f067cfdf53",
                            operation="DELETE",
                            pgid="pgtrigger_deleted_delete_19bf9",
                            table="ipam_subnet",
                            when="AFTER",
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PoolRange",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ispcore.tenants.fields.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("first", ipam.models.fields.InetField()),
                ("last", ipam.models.fields.InetField()),
                ("next_address", ipam.models.fields.InetField(editable=False, null=True)),
                (
                    "family",
                    models.PositiveSmallIntegerField(choices=[(4, "IPv4"), (6, "IPv6")], editable=False),
                ),
                ("prefix_length", models.PositiveSmallIntegerField(editable=False)),
                ("subnet_network", ipam.models.fields.CidrField(editable=False)),
                (
                    "pool",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="ranges",
                        to="ipam.pool",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "subnet",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pool_ranges",
                        to="ipam.subnet",
                    ),
                ),
                (
                    "vrf",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ipam.vrf",
                    ),
                ),
            ],
            options={
                "ordering": ["first"],
                "indexes": [
                    models.Index(fields=["tenant", "pool", "first"], name="pool_range_by_pool"),
                    models.Index(fields=["tenant", "subnet"], name="pool_range_by_subnet"),
                    models.Index(fields=["tenant", "vrf", "first", "last"], name="pool_range_by_address"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("first__lte", models.F("last"))), name="pool_range_in_order"
                    )
                ],
                "triggers": [
                    pgtrigger.compiler.Trigger(
                        name="created_insert",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "ipam_poolrangehistory" ("created_at", "family", "first", "id", "last", "next_address", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "pool_id", "prefix_length", "subnet_id", "subnet_network", "tenant_id", "updated_at", "vrf_id") VALUES (NEW."created_at", NEW."family", NEW."first", NEW."id", NEW."last", NEW."next_address", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."pool_id", NEW."prefix_length", NEW."subnet_id", NEW."subnet_network", NEW."tenant_id", NEW."updated_at", NEW."vrf_id"); RETURN NULL;',
                            hash="e6dd4a29b2928b824d8bf0edf3c493532a17b1a2",
                            operation="INSERT",
                            pgid="pgtrigger_created_insert_d76ba",
                            table="ipam_poolrange",
                            when="AFTER",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="changed_update",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."family" IS DISTINCT FROM (NEW."family") OR OLD."first" IS DISTINCT FROM (NEW."first") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."last" IS DISTINCT FROM (NEW."last") OR OLD."pool_id" IS DISTINCT FROM (NEW."pool_id") OR OLD."prefix_length" IS DISTINCT FROM (NEW."prefix_length") OR OLD."subnet_id" IS DISTINCT FROM (NEW."subnet_id") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id") OR OLD."vrf_id" IS DISTINCT FROM (NEW."vrf_id"))',
                            func='INSERT INTO "ipam_poolrangehistory" ("created_at", "family", "first", "id", "last", "next_address", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "pool_id", "prefix_length", "subnet_id", "subnet_network", "tenant_id", "updated_at", "vrf_id") VALUES (NEW."created_at", NEW."family", NEW."first", NEW."id", NEW."last", NEW."next_address", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."pool_id", NEW."prefix_length", NEW."subnet_id", NEW."subnet_network", NEW."tenant_id", NEW."updated_at", NEW."vrf_id"); RETURN NULL;',
                            hash="3b2939ab49167c6a197ee5fab8ce2de69a3df84f",
                            operation="UPDATE",
                            pgid="pgtrigger_changed_update_3fac1",
                            table="ipam_poolrange",
                            when="AFTER",
                        ),
                    ),
                    pgtrigger.compiler.Trigger(
                        name="deleted_delete",
                        sql=pgtrigger.compiler.UpsertTriggerSql(
                            func='INSERT INTO "ipam_poolrangehistory" ("created_at", "family", "first", "id", "last", "next_address", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "pool_id", "prefix_length", "subnet_id", "subnet_network", "tenant_id", "updated_at", "vrf_id") VALUES (OLD."created_at", OLD."family", OLD."first", OLD."id", OLD."last", OLD."next_address", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."pool_id", OLD."prefix_length", OLD."subnet_id", OLD."subnet_network", OLD."tenant_id", OLD."updated_at", OLD."vrf_id"); RETURN NULL;',
                            hash="fe7a05579b7a742e937ccd89ae4b72a975894dcc",
                            operation="DELETE",
                            pgid="pgtrigger_deleted_delete_be03e",
                            table="ipam_poolrange",
                            when="AFTER",
                        ),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Address",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ispcore.tenants.fields.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "address",
                    ipam.models.fields.InetField(
                        help_text="An address, or a delegated prefix with its mask."
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("free", "Free"),
                            ("reserved", "Reserved"),
                            ("assigned", "Assigned"),
                            ("quarantined", "Resting"),
                        ],
                        default="free",
                        max_length=11,
                    ),
                ),
                (
                    "assigned_to",
                    models.CharField(
                        blank=True,
                        help_text="What holds it when no line does, such as a router's loopback.",
                        max_length=120,
                    ),
                ),
                (
                    "reserved_for",
                    models.CharField(blank=True, help_text="Why it is kept back.", max_length=120),
                ),
                ("hostname", models.CharField(blank=True, max_length=253)),
                ("note", models.CharField(blank=True, max_length=200)),
                (
                    "free_since",
                    models.DateTimeField(
                        help_text="The longest free goes first, so that each rests as long as it can.",
                        null=True,
                    ),
                ),
                ("assigned_at", models.DateTimeField(null=True)),
                (
                    "quarantined_until",
                    models.DateTimeField(help_text="Until then it rests after its last holder.", null=True),
                ),
                (
                    "changed_by",
                    models.ForeignKey(
                        db_index=False,
                        help_text="Who last gave, kept back or took it; empty: the system.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "subscription",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="The line that holds it.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="addresses",
                        to="subscribers.subscription",
                        verbose_name="service",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "pool",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="addresses",
                        to="ipam.pool",
                    ),
                ),
                (
                    "subnet",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="addresses",
                        to="ipam.subnet",
                    ),
                ),
                (
                    "vrf",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="addresses",
                        to="ipam.vrf",
                        verbose_name="VRF",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "addresses",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "free")),
                        fields=["tenant", "pool", "free_since", "address"],
                        name="address_next_free",
                    ),
                    models.Index(
                        condition=models.Q(("state", "quarantined")),
                        fields=["tenant", "quarantined_until"],
                        name="address_rest_ends",
                    ),
                    models.Index(fields=["tenant", "address", "id"], name="address_by_address"),
                    models.Index(fields=["tenant", "pool", "address", "id"], name="address_by_pool"),
                    models.Index(fields=["tenant", "subnet", "address", "id"], name="address_by_subnet"),
                    models.Index(
                        condition=models.Q(("state__in", ["reserved", "quarantined"])),
                        fields=["tenant", "state", "address"],
                        name="address_by_rare_state",
                    ),
                    models.Index(
                        condition=models.Q(("hostname", ""), _negated=True),
                        fields=["tenant", "hostname", "id"],
                        name="address_by_hostname",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "vrf", "address"), name="address_once_per_vrf"),
                    models.UniqueConstraint(
                        condition=models.Q(("subscription__isnull", False)),
                        fields=("tenant", "subscription", "pool"),
                        name="address_one_per_service_and_pool",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("state", "assigned"),
                                models.Q(
                                    ("subscription__isnull", False),
                                    models.Q(("assigned_to", ""), _negated=True),
                                    _connector="XOR",
                                ),
                            ),
                            models.Q(
                                models.Q(("state", "assigned"), _negated=True),
                                ("assigned_to", ""),
                                ("subscription", None),
                            ),
                            _connector="OR",
                        ),
                        name="address_holder_fits_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("assigned_at", None),
                                ("free_since__isnull", False),
                                ("quarantined_until", None),
                                ("state", "free"),
                            ),
                            models.Q(
                                ("assigned_at", None),
                                ("free_since", None),
                                ("quarantined_until", None),
                                ("state", "reserved"),
                            ),
                            models.Q(
                                ("assigned_at__isnull", False),
                                ("free_since", None),
                                ("quarantined_until", None),
                                ("state", "assigned"),
                            ),
                            models.Q(
                                ("assigned_at", None),
                                ("free_since", None),
                                ("quarantined_until__isnull", False),
                                ("state", "quarantined"),
                            ),
                            _connector="OR",
                        ),
                        name="address_times_fit_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state", "reserved"), ("reserved_for", ""), _connector="OR"),
                        name="address_reserved_for_fits_state",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SubnetUsage",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ispcore.tenants.fields.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("reserved", models.BigIntegerField(default=0)),
                ("assigned", models.BigIntegerField(default=0)),
                ("quarantined", models.BigIntegerField(default=0)),
                (
                    "subnet",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="usage",
                        to="ipam.subnet",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "subnet"), name="subnet_usage_one_per_subnet")
                ]
            },
        ),
        migrations.CreateModel(
            name="UsageDelta",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("id", models.UUIDField(default=ispcore.tenants.fields.new_id, editable=False)),
                ("pool_id", models.UUIDField(null=True)),
                ("subnet_id", models.UUIDField(null=True)),
                ("reserved", models.IntegerField(default=0)),
                ("assigned", models.IntegerField(default=0)),
                ("quarantined", models.IntegerField(default=0)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="UsageSample",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ispcore.tenants.fields.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("at", models.DateTimeField()),
                ("total", models.DecimalField(decimal_places=0, max_digits=40)),
                ("reserved", models.BigIntegerField()),
                ("assigned", models.BigIntegerField()),
                ("quarantined", models.BigIntegerField()),
                (
                    "pool",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="samples",
                        to="ipam.pool",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "pool", "at"), name="usage_sample_one_per_hour")
                ]
            },
        ),
        migrations.CreateModel(
            name="SubnetHistory",
            fields=[
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                (
                    "id",
                    models.UUIDField(default=ispcore.tenants.fields.new_id, editable=False, serialize=False),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "network",
                    ipam.models.fields.CidrField(help_text="For example 203.0.113.0/24 or 2001:db8::/40."),
                ),
                (
                    "parent_network",
                    ipam.models.fields.CidrField(
                        editable=False,
                        help_text="The parent's network, kept equal by a foreign key.",
                        null=True,
                    ),
                ),
                ("first_address", ipam.models.fields.FirstAddressField(editable=False)),
                ("last_address", ipam.models.fields.LastAddressField(editable=False)),
                (
                    "next_address",
                    ipam.models.fields.InetField(
                        editable=False,
                        help_text="The first address of which no row was made, for what is handed out of no pool.",
                        null=True,
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=80)),
                ("site", models.CharField(blank=True, help_text="Where it is routed.", max_length=80)),
                (
                    "vlan_id",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="IEEE 802.1Q, 1 to 4094.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(4094),
                        ],
                        verbose_name="VLAN",
                    ),
                ),
                (
                    "gateway",
                    ipam.models.fields.InetField(
                        blank=True, help_text="The router's address in it; never handed out.", null=True
                    ),
                ),
                (
                    "dns_servers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=ipam.models.fields.InetField(),
                        blank=True,
                        default=list,
                        help_text="At most 4.",
                        size=4,
                        verbose_name="DNS servers",
                    ),
                ),
                ("notes", models.TextField(blank=True, max_length=2000)),
                (
                    "parent",
                    ispcore.tenants.fields.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="ipam.subnet",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="history",
                        to="ipam.subnet",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "zone",
                    ispcore.tenants.fields.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="subscribers.zone",
                    ),
                ),
                (
                    "vrf",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="ipam.vrf",
                        verbose_name="VRF",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(
                        fields=["tenant", "pgh_obj", "-pgh_id"], name="ipam_subnet_tenant__a74d90_idx"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ispcore.tenants.fields.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "seen_in",
                    models.CharField(
                        choices=[("sessions", "Live sessions"), ("arp", "ARP list"), ("dhcp", "DHCP leases")],
                        max_length=8,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("running", "Running"), ("done", "Done"), ("failed", "Failed")],
                        default="running",
                        max_length=7,
                    ),
                ),
                ("message", models.CharField(blank=True, max_length=500)),
                ("addresses_seen", models.PositiveIntegerField(default=0)),
                ("drifts_found", models.PositiveIntegerField(default=0)),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "file",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="files.storedfile",
                    ),
                ),
                (
                    "job",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="jobs.job",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "vrf",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="ipam.vrf",
                        verbose_name="VRF",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "-started_at"], name="reconciliation_newest"),
                    models.Index(fields=["tenant", "vrf"], name="reconciliation_by_vrf"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["running", "done", "failed"])),
                        name="reconciliation_status_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PoolRangeHistory",
            fields=[
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                (
                    "id",
                    models.UUIDField(default=ispcore.tenants.fields.new_id, editable=False, serialize=False),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("first", ipam.models.fields.InetField()),
                ("last", ipam.models.fields.InetField()),
                ("next_address", ipam.models.fields.InetField(editable=False, null=True)),
                (
                    "family",
                    models.PositiveSmallIntegerField(choices=[(4, "IPv4"), (6, "IPv6")], editable=False),
                ),
                ("prefix_length", models.PositiveSmallIntegerField(editable=False)),
                ("subnet_network", ipam.models.fields.CidrField(editable=False)),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="history",
                        to="ipam.poolrange",
                    ),
                ),
                (
                    "pool",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="ipam.pool",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "subnet",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="ipam.subnet",
                    ),
                ),
                (
                    "vrf",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="ipam.vrf",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(
                        fields=["tenant", "pgh_obj", "-pgh_id"], name="ipam_poolra_tenant__4f7083_idx"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PoolHistory",
            fields=[
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                (
                    "id",
                    models.UUIDField(default=ispcore.tenants.fields.new_id, editable=False, serialize=False),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("name", models.CharField(help_text="Plans name it as their pool.", max_length=80)),
                (
                    "kind",
                    models.CharField(
                        choices=[("address", "Single addresses"), ("prefix", "Delegated prefixes")],
                        default="address",
                        max_length=8,
                    ),
                ),
                ("family", models.PositiveSmallIntegerField(choices=[(4, "IPv4"), (6, "IPv6")], default=4)),
                (
                    "prefix_length",
                    models.PositiveSmallIntegerField(
                        help_text="Of each delegated prefix, such as 56; 32 or 128 where single addresses are handed out."
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("dynamic", "Dynamic"),
                            ("static", "Static"),
                            ("cgnat", "CGNAT, inside"),
                            ("management", "Management"),
                        ],
                        default="dynamic",
                        max_length=10,
                    ),
                ),
                (
                    "hold_seconds",
                    models.PositiveIntegerField(
                        default=86400,
                        help_text="A released address rests so long before it has a new holder; 0: not at all.",
                        validators=[django.core.validators.MaxValueValidator(31622400)],
                        verbose_name="rest after release, seconds",
                    ),
                ),
                (
                    "warn_percent",
                    models.PositiveSmallIntegerField(
                        default=80,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="warn at, percent",
                    ),
                ),
                (
                    "critical_percent",
                    models.PositiveSmallIntegerField(
                        default=95,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="critical at, percent",
                    ),
                ),
                (
                    "dns_servers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=ipam.models.fields.InetField(),
                        blank=True,
                        default=list,
                        help_text="At most 4; empty: those of the subnet.",
                        size=4,
                        verbose_name="DNS servers",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Switched off it hands out nothing; what is assigned stays.",
                        verbose_name="hands out addresses",
                    ),
                ),
                ("notes", models.TextField(blank=True, max_length=2000)),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="history",
                        to="ipam.pool",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "vrf",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="ipam.vrf",
                        verbose_name="VRF",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(
                        fields=["tenant", "pgh_obj", "-pgh_id"], name="ipam_poolhi_tenant__a778e4_idx"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PastAssignment",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ispcore.tenants.fields.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("address", ipam.models.fields.InetField()),
                ("assigned_to", models.CharField(blank=True, max_length=120)),
                ("hostname", models.CharField(blank=True, max_length=253)),
                ("began_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField()),
                ("reason", models.CharField(blank=True, max_length=120)),
                (
                    "ended_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "subscription",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="past_addresses",
                        to="subscribers.subscription",
                        verbose_name="service",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "pool",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="ipam.pool",
                    ),
                ),
                (
                    "vrf",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ipam.vrf",
                        verbose_name="VRF",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "vrf", "address", "-ended_at"], name="past_by_address"),
                    models.Index(fields=["tenant", "subscription", "-ended_at"], name="past_by_service"),
                    models.Index(fields=["tenant", "pool"], name="past_by_pool"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ended_at__gte", models.F("began_at"))),
                        name="past_assignment_in_order",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("subscription__isnull", False),
                            models.Q(("assigned_to", ""), _negated=True),
                            _connector="XOR",
                        ),
                        name="past_assignment_has_holder",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Drift",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ispcore.tenants.fields.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("address", ipam.models.fields.InetField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("used_but_free", "Used, and free in the book"),
                            ("used_by_other", "Used by another than its holder"),
                            ("assigned_not_seen", "Assigned, and not seen"),
                            ("unknown_address", "In no subnet"),
                        ],
                        max_length=17,
                    ),
                ),
                (
                    "seen_as",
                    models.CharField(blank=True, help_text="A user name, a MAC address.", max_length=120),
                ),
                ("seen_at", models.DateTimeField(null=True)),
                (
                    "repair",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("reserved", "Kept back"),
                            ("assigned", "Assigned to who uses it"),
                            ("dismissed", "Dismissed"),
                        ],
                        max_length=9,
                    ),
                ),
                ("repaired_at", models.DateTimeField(null=True)),
                (
                    "holder",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="The line it is assigned to.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="subscribers.subscription",
                    ),
                ),
                (
                    "record",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="The address in the book.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="drifts",
                        to="ipam.address",
                    ),
                ),
                (
                    "repaired_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "seen_subscription",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="The line that was seen using it.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="subscribers.subscription",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "reconciliation",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="drifts",
                        to="ipam.reconciliation",
                    ),
                ),
                (
                    "vrf",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="ipam.vrf",
                        verbose_name="VRF",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "record"], name="drift_by_record"),
                    models.Index(
                        condition=models.Q(("repaired_at", None)),
                        fields=["tenant", "kind", "-id"],
                        name="drift_open",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "reconciliation", "vrf", "address", "kind"),
                        name="drift_once_per_reconciliation",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "kind__in",
                                ["used_but_free", "used_by_other", "assigned_not_seen", "unknown_address"],
                            )
                        ),
                        name="drift_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("repair", ""), ("repaired_at", None)),
                            models.Q(("repaired_at__isnull", False), models.Q(("repair", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="drift_repair_has_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CgnatRuleHistory",
            fields=[
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                (
                    "id",
                    models.UUIDField(default=ispcore.tenants.fields.new_id, editable=False, serialize=False),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("name", models.CharField(max_length=80)),
                ("inside_first", ipam.models.fields.InetField()),
                ("inside_last", ipam.models.fields.InetField()),
                ("public_first", ipam.models.fields.InetField()),
                ("public_last", ipam.models.fields.InetField()),
                (
                    "first_port",
                    models.PositiveIntegerField(
                        default=1024,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(65535),
                        ],
                    ),
                ),
                (
                    "ports_per_line",
                    models.PositiveIntegerField(
                        default=2016,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(65535),
                        ],
                    ),
                ),
                ("valid_from", models.DateTimeField()),
                ("valid_until", models.DateTimeField(blank=True, help_text="Empty: still valid.", null=True)),
                ("note", models.CharField(blank=True, max_length=200)),
                (
                    "created_by",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="history",
                        to="ipam.cgnatrule",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "pool",
                    ispcore.tenants.fields.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        help_text="Of the inside.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="ipam.pool",
                    ),
                ),
                (
                    "vrf",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="ipam.vrf",
                        verbose_name="inside VRF",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(
                        fields=["tenant", "pgh_obj", "-pgh_id"], name="ipam_cgnatr_tenant__46e6f8_idx"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BookImport",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ispcore.tenants.fields.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("name", models.CharField(help_text="The file's name.", max_length=200)),
                (
                    "file_format",
                    models.CharField(
                        choices=[("csv", "CSV of addresses"), ("netbox", "JSON export of NetBox")],
                        max_length=6,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("uploaded", "Uploaded"),
                            ("checking", "Checking"),
                            ("checked", "Checked"),
                            ("importing", "Importing"),
                            ("imported", "Imported"),
                            ("failed", "Failed"),
                        ],
                        default="uploaded",
                        max_length=9,
                    ),
                ),
                ("rows_total", models.PositiveIntegerField(default=0)),
                ("rows_created", models.PositiveIntegerField(default=0)),
                ("rows_updated", models.PositiveIntegerField(default=0)),
                ("rows_skipped", models.PositiveIntegerField(default=0)),
                ("rows_bad", models.PositiveIntegerField(default=0)),
                ("message", models.CharField(blank=True, max_length=500)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "file",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="files.storedfile",
                    ),
                ),
                (
                    "job",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="jobs.job",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "vrf",
                    ispcore.tenants.fields.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        help_text="Of rows that name none.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="ipam.vrf",
                        verbose_name="VRF",
                    ),
                ),
            ],
            options={
                "verbose_name": "address import",
                "indexes": [models.Index(fields=["tenant", "-created_at"], name="book_import_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                ["uploaded", "checking", "checked", "importing", "imported", "failed"],
                            )
                        ),
                        name="book_import_status_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="VrfHistory",
            fields=[
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                (
                    "id",
                    models.UUIDField(default=ispcore.tenants.fields.new_id, editable=False, serialize=False),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("name", models.CharField(help_text="For example 'default' or 'management'.", max_length=80)),
                (
                    "rd",
                    models.CharField(
                        blank=True,
                        help_text="As routers know it, such as 64500:1; may be empty.",
                        max_length=26,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^(\\d{1,10}|\\d{1,3}(\\.\\d{1,3}){3}):\\d{1,10}\\Z",
                                "A route distinguisher is an AS number or an IPv4 address, a colon and a number, such as 64500:1.",
                            )
                        ],
                        verbose_name="route distinguisher",
                    ),
                ),
                ("description", models.CharField(blank=True, max_length=200)),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="history",
                        to="ipam.vrf",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(
                        fields=["tenant", "pgh_obj", "-pgh_id"], name="ipam_vrfhis_tenant__8266e4_idx"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BookImportRow",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=ispcore.tenants.fields.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "row_number",
                    models.PositiveIntegerField(
                        help_text="As a spreadsheet counts; in JSON the object's number."
                    ),
                ),
                ("field", models.CharField(blank=True, max_length=60)),
                ("message", models.CharField(max_length=300)),
                ("values", models.JSONField(default=dict, help_text="The row as it was given.")),
                (
                    "of_import",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="bad_rows",
                        to="ipam.bookimport",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "of_import", "row_number"), name="book_import_row_once"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="ExclusionHistory",
            fields=[
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                (
                    "id",
                    models.UUIDField(default=ispcore.tenants.fields.new_id, editable=False, serialize=False),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("first", ipam.models.fields.InetField()),
                ("last", ipam.models.fields.InetField()),
                ("reason", models.CharField(blank=True, help_text="For example 'routers'.", max_length=120)),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="history",
                        to="ipam.exclusion",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "pool",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="ipam.pool",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(
                        fields=["tenant", "pgh_obj", "-pgh_id"], name="ipam_exclus_tenant__a3410f_idx"
                    )
                ],
            },
        ),
        IsolateTenantTable("Vrf"),
        IsolateTenantTable("Subnet"),
        IsolateTenantTable("Pool"),
        IsolateTenantTable("PoolRange"),
        IsolateTenantTable("Exclusion"),
        IsolateTenantTable("Address"),
        IsolateTenantTable("PastAssignment"),
        IsolateTenantTable("UsageDelta"),
        IsolateTenantTable("PoolUsage"),
        IsolateTenantTable("SubnetUsage"),
        IsolateTenantTable("UsageSample"),
        IsolateTenantTable("CgnatRule"),
        IsolateTenantTable("Reconciliation"),
        IsolateTenantTable("Drift"),
        IsolateTenantTable("BookImport"),
        IsolateTenantTable("BookImportRow"),
        IsolateTenantTable("VrfHistory", append_only=True),
        IsolateTenantTable("SubnetHistory", append_only=True),
        IsolateTenantTable("PoolHistory", append_only=True),
        IsolateTenantTable("PoolRangeHistory", append_only=True),
        IsolateTenantTable("ExclusionHistory", append_only=True),
        IsolateTenantTable("CgnatRuleHistory", append_only=True),
        migrations.RunSQL(TYPES_SQL, "DROP TYPE inetrange; DROP TYPE uuidrange;"),
        migrations.RunSQL(SUBNET_SQL, migrations.RunSQL.noop),
        migrations.RunSQL(POOL_RANGE_SQL, migrations.RunSQL.noop),
        migrations.RunSQL(ADDRESS_SQL, migrations.RunSQL.noop),
        migrations.RunSQL(CGNAT_SQL, migrations.RunSQL.noop),
        migrations.RunSQL(USAGE_SQL, "DROP FUNCTION count_addresses() CASCADE"),
        migrations.RunSQL(TAKE_SQL, "DROP FUNCTION ipam_take"),
        migrations.RunPython(leave_deltas_unchecked, migrations.RunPython.noop),
    ]
