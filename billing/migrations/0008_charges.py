import billing.models.fields
import django.core.validators
import django.db.models.deletion
import ispcore.tenants.fields
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from ispcore.tenants.rls import IsolateTenantTable

# How many of the days from `first` up to and without `until` are among `days`.
DAYS_SQL = """
CREATE FUNCTION billing_days(days datemultirange, first date, until date) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT COALESCE(sum(upper(part) - lower(part)), 0)::int
    FROM unnest(days * datemultirange(daterange(first, until))) AS part
$$;
"""

# FreeRADIUS' role has no business with money.
RIGHTS_SQL = """
REVOKE ALL ON FUNCTION minor_units, billing_day_in, billing_period, billing_periods, billing_days FROM PUBLIC;
GRANT EXECUTE ON FUNCTION minor_units, billing_day_in, billing_period, billing_periods, billing_days
TO isp_app, isp_platform;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0007_documents"),
        ("subscribers", "0010_words_can_be_truncated"),
        ("tenants", "0003_number_series"),
    ]

    operations = [
        migrations.CreateModel(
            name="LedgerCheck",
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
                ("checked_at", models.DateTimeField()),
                ("findings_count", models.PositiveIntegerField(default=0)),
            ],
            options={
                "verbose_name": "ledger check",
            },
        ),
        migrations.CreateModel(
            name="LedgerFinding",
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
                    "invariant",
                    models.CharField(
                        choices=[
                            ("balance", "A balance is the sum of its transfers"),
                            (
                                "open_amount",
                                "What is open of an invoice is its total less what is allocated to it",
                            ),
                            ("allocated", "What a payment has allocated is the sum of its allocations"),
                            (
                                "receivable",
                                "An invoice is booked with its total, and one made void with nothing",
                            ),
                            ("totals", "An invoice's sums are those of its items and their taxes"),
                            ("numbers", "Invoice numbers have no gaps"),
                            ("billed_once", "A day of a service is billed once"),
                            ("position", "A service is billed as far as its invoices go"),
                            ("shape", "A transfer moves a positive amount between two accounts"),
                        ],
                        max_length=11,
                    ),
                ),
                ("record", models.CharField(help_text="Which record.", max_length=120)),
                ("detail", models.CharField(help_text="What differs.", max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name="OveragePrice",
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
                    "price",
                    billing.models.fields.MoneyField(
                        decimal_places=4,
                        help_text="Per GB begun above the cap, before tax.",
                        max_digits=18,
                        validators=[django.core.validators.MinValueValidator(0)],
                    ),
                ),
                ("currency", billing.models.fields.CurrencyField(max_length=3)),
                (
                    "starts_on",
                    models.DateField(help_text="The first day of the first month that is charged."),
                ),
                (
                    "ends_on",
                    models.DateField(
                        blank=True, help_text="The first day of the first month without it.", null=True
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="OveragePriceHistory",
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
                    "price",
                    billing.models.fields.MoneyField(
                        decimal_places=4,
                        help_text="Per GB begun above the cap, before tax.",
                        max_digits=18,
                        validators=[django.core.validators.MinValueValidator(0)],
                    ),
                ),
                ("currency", billing.models.fields.CurrencyField(max_length=3)),
                (
                    "starts_on",
                    models.DateField(help_text="The first day of the first month that is charged."),
                ),
                (
                    "ends_on",
                    models.DateField(
                        blank=True, help_text="The first day of the first month without it.", null=True
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="oneoffcharge",
            name="created_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="oneoffcharge",
            name="changed_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="oneoffcharge",
            name="deleted_delete",
        ),
        migrations.AddField(
            model_name="oneoffcharge",
            name="kind",
            field=models.CharField(
                choices=[("one_off", "Charge"), ("late_fee", "Late fee")],
                default="one_off",
                editable=False,
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="oneoffchargehistory",
            name="kind",
            field=models.CharField(
                choices=[("one_off", "Charge"), ("late_fee", "Late fee")],
                default="one_off",
                editable=False,
                max_length=8,
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="oneoffcharge",
            trigger=pgtrigger.compiler.Trigger(
                name="created_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_oneoffchargehistory" ("amount", "cancelled_at", "charged", "created_at", "currency", "due_on", "id", "instalments", "kind", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "subscriber_id", "subscription_id", "tax_class", "tenant_id", "updated_at") VALUES (NEW."amount", NEW."cancelled_at", NEW."charged", NEW."created_at", NEW."currency", NEW."due_on", NEW."id", NEW."instalments", NEW."kind", NEW."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."subscriber_id", NEW."subscription_id", NEW."tax_class", NEW."tenant_id", NEW."updated_at"); RETURN NULL;',
                    hash="8d870c845915833ac264733da3bff16d4f0bd2d2",
                    operation="INSERT",
                    pgid="pgtrigger_created_insert_01cb4",
                    table="billing_oneoffcharge",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="oneoffcharge",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."cancelled_at" IS DISTINCT FROM (NEW."cancelled_at") OR OLD."charged" IS DISTINCT FROM (NEW."charged") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."due_on" IS DISTINCT FROM (NEW."due_on") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."instalments" IS DISTINCT FROM (NEW."instalments") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."subscriber_id" IS DISTINCT FROM (NEW."subscriber_id") OR OLD."subscription_id" IS DISTINCT FROM (NEW."subscription_id") OR OLD."tax_class" IS DISTINCT FROM (NEW."tax_class") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id"))',
                    func='INSERT INTO "billing_oneoffchargehistory" ("amount", "cancelled_at", "charged", "created_at", "currency", "due_on", "id", "instalments", "kind", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "subscriber_id", "subscription_id", "tax_class", "tenant_id", "updated_at") VALUES (NEW."amount", NEW."cancelled_at", NEW."charged", NEW."created_at", NEW."currency", NEW."due_on", NEW."id", NEW."instalments", NEW."kind", NEW."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."subscriber_id", NEW."subscription_id", NEW."tax_class", NEW."tenant_id", NEW."updated_at"); RETURN NULL;',
                    hash="1e30ca36f83a5ec0ecccc39d5915ebfa85e45962",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_bc9bb",
                    table="billing_oneoffcharge",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="oneoffcharge",
            trigger=pgtrigger.compiler.Trigger(
                name="deleted_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_oneoffchargehistory" ("amount", "cancelled_at", "charged", "created_at", "currency", "due_on", "id", "instalments", "kind", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "subscriber_id", "subscription_id", "tax_class", "tenant_id", "updated_at") VALUES (OLD."amount", OLD."cancelled_at", OLD."charged", OLD."created_at", OLD."currency", OLD."due_on", OLD."id", OLD."instalments", OLD."kind", OLD."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."subscriber_id", OLD."subscription_id", OLD."tax_class", OLD."tenant_id", OLD."updated_at"); RETURN NULL;',
                    hash="d56f269be881d8c8eb76e2472fdd347d2c7e9e96",
                    operation="DELETE",
                    pgid="pgtrigger_deleted_delete_438c3",
                    table="billing_oneoffcharge",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="oneoffcharge",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["one_off", "late_fee"])), name="one_off_charge_kind_known"
            ),
        ),
        migrations.AddField(
            model_name="ledgercheck",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.tenant",
            ),
        ),
        migrations.AddField(
            model_name="ledgerfinding",
            name="check_run",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="findings",
                to="billing.ledgercheck",
            ),
        ),
        migrations.AddField(
            model_name="ledgerfinding",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.tenant",
            ),
        ),
        migrations.AddField(
            model_name="overageprice",
            name="plan",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="overage_prices",
                to="subscribers.plan",
            ),
        ),
        migrations.AddField(
            model_name="overageprice",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.tenant",
            ),
        ),
        migrations.AddField(
            model_name="overagepricehistory",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="history",
                to="billing.overageprice",
            ),
        ),
        migrations.AddField(
            model_name="overagepricehistory",
            name="plan",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="subscribers.plan",
            ),
        ),
        migrations.AddField(
            model_name="overagepricehistory",
            name="tenant",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="tenants.tenant",
            ),
        ),
        migrations.AddIndex(
            model_name="ledgercheck",
            index=models.Index(fields=["tenant", "-checked_at", "-id"], name="ledger_check_newest"),
        ),
        migrations.AddIndex(
            model_name="ledgerfinding",
            index=models.Index(fields=["tenant", "check_run"], name="ledger_finding_by_check"),
        ),
        migrations.AddConstraint(
            model_name="ledgerfinding",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "invariant__in",
                        [
                            "balance",
                            "open_amount",
                            "allocated",
                            "receivable",
                            "totals",
                            "numbers",
                            "billed_once",
                            "position",
                            "shape",
                        ],
                    )
                ),
                name="ledger_finding_invariant_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="overageprice",
            constraint=models.UniqueConstraint(
                fields=("tenant", "plan", "starts_on"), name="overage_price_one_at_a_time"
            ),
        ),
        migrations.AddConstraint(
            model_name="overageprice",
            constraint=models.CheckConstraint(
                condition=models.Q(("price__gt", 0)), name="overage_price_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="overageprice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("starts_on__day", 1),
                    models.Q(
                        ("ends_on", None),
                        models.Q(("ends_on__day", 1), ("ends_on__gt", models.F("starts_on"))),
                        _connector="OR",
                    ),
                ),
                name="overage_price_of_whole_months",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="overageprice",
            trigger=pgtrigger.compiler.Trigger(
                name="created_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_overagepricehistory" ("created_at", "currency", "ends_on", "id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "price", "starts_on", "tenant_id", "updated_at") VALUES (NEW."created_at", NEW."currency", NEW."ends_on", NEW."id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."plan_id", NEW."price", NEW."starts_on", NEW."tenant_id", NEW."updated_at"); RETURN NULL;',
                    hash="c5ffed5fe5afde048e88df751c12a68a7ed7fdae",
                    operation="INSERT",
                    pgid="pgtrigger_created_insert_908a6",
                    table="billing_overageprice",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="overageprice",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."ends_on" IS DISTINCT FROM (NEW."ends_on") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."plan_id" IS DISTINCT FROM (NEW."plan_id") OR OLD."price" IS DISTINCT FROM (NEW."price") OR OLD."starts_on" IS DISTINCT FROM (NEW."starts_on") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id"))',
                    func='INSERT INTO "billing_overagepricehistory" ("created_at", "currency", "ends_on", "id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "price", "starts_on", "tenant_id", "updated_at") VALUES (NEW."created_at", NEW."currency", NEW."ends_on", NEW."id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."plan_id", NEW."price", NEW."starts_on", NEW."tenant_id", NEW."updated_at"); RETURN NULL;',
                    hash="90ba1272fb21a76c729e186e7a7ba241deb6d2d5",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_5e73d",
                    table="billing_overageprice",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="overageprice",
            trigger=pgtrigger.compiler.Trigger(
                name="deleted_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_overagepricehistory" ("created_at", "currency", "ends_on", "id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "plan_id", "price", "starts_on", "tenant_id", "updated_at") VALUES (OLD."created_at", OLD."currency", OLD."ends_on", OLD."id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."plan_id", OLD."price", OLD."starts_on", OLD."tenant_id", OLD."updated_at"); RETURN NULL;',
                    hash="3389f5f04417b039f291ef90f80eb41f91c5aaf6",
                    operation="DELETE",
                    pgid="pgtrigger_deleted_delete_6622c",
                    table="billing_overageprice",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="overagepricehistory",
            index=models.Index(
                fields=["tenant", "pgh_obj", "-pgh_id"], name="billing_ove_tenant__4685c8_idx"
            ),
        ),
        IsolateTenantTable("LedgerCheck"),
        IsolateTenantTable("LedgerFinding"),
        IsolateTenantTable("OveragePrice"),
        IsolateTenantTable("OveragePriceHistory", append_only=True),
        migrations.RunSQL(DAYS_SQL, "DROP FUNCTION billing_days"),
        migrations.RunSQL(RIGHTS_SQL, migrations.RunSQL.noop),
    ]
