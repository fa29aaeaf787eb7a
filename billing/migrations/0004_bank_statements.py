import billing.models.fields
import django.db.models.deletion
import ispcore.tenants.fields
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from ispcore.tenants.rls import IsolateTenantTable
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0003_payments"),
        ("files", "0001_initial"),
        ("jobs", "0001_initial"),
        ("subscribers", "0010_words_can_be_truncated"),
        ("tenants", "0003_number_series"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BankLine",
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
                ("account", models.CharField(blank=True, max_length=40)),
                ("line_number", models.PositiveIntegerField()),
                ("booked_on", models.DateField()),
                ("amount", billing.models.fields.MoneyField(decimal_places=4, max_digits=18)),
                ("currency", billing.models.fields.CurrencyField(max_length=3)),
                ("payer_name", models.CharField(blank=True, max_length=200)),
                ("payer_account", models.CharField(blank=True, max_length=40)),
                ("text", models.CharField(blank=True, help_text="What the payer wrote.", max_length=500)),
                ("end_to_end_id", models.CharField(blank=True, max_length=80)),
                (
                    "servicer_reference",
                    models.CharField(blank=True, help_text="The bank's own.", max_length=80),
                ),
                (
                    "is_reversal",
                    models.BooleanField(default=False, help_text="Takes back an earlier movement."),
                ),
                ("content_key", models.CharField(max_length=32)),
                (
                    "ordinal",
                    models.PositiveSmallIntegerField(default=0, help_text="Its place among equal lines."),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("unmatched", "Nobody found"),
                            ("suggested", "To be confirmed"),
                            ("matched", "Booked"),
                            ("ignored", "Left out"),
                        ],
                        default="unmatched",
                        max_length=9,
                    ),
                ),
                ("examined_at", models.DateTimeField(help_text="When payers were looked for.", null=True)),
                (
                    "note",
                    models.CharField(blank=True, help_text="Why it waits, or was left out.", max_length=200),
                ),
                (
                    "rule",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("invoice_number", "Invoice number"),
                            ("payment_reference", "Reference of a payment"),
                            ("subscriber_number", "Customer number"),
                            ("name", "Name of the payer"),
                            ("by_hand", "By hand"),
                        ],
                        help_text="How it was matched.",
                        max_length=17,
                    ),
                ),
                (
                    "pairings",
                    models.PositiveSmallIntegerField(
                        default=0, help_text="How often it was paired and booked."
                    ),
                ),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "payment",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bank_lines",
                        to="billing.payment",
                    ),
                ),
                (
                    "settled_by",
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
            ],
        ),
        migrations.CreateModel(
            name="BankStatement",
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
                ("sha256", models.CharField(help_text="Hex digest of the content.", max_length=64)),
                (
                    "file_format",
                    models.CharField(
                        blank=True, choices=[("csv", "CSV"), ("camt053", "camt.053")], max_length=7
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("reading", "Being read"),
                            ("matching", "Being matched"),
                            ("done", "Done"),
                            ("failed", "Refused"),
                        ],
                        default="reading",
                        max_length=8,
                    ),
                ),
                ("message", models.CharField(blank=True, help_text="Why it was refused.", max_length=500)),
                (
                    "account",
                    models.CharField(blank=True, help_text="IBAN or number of our account.", max_length=40),
                ),
                ("currency", billing.models.fields.CurrencyField(blank=True, max_length=3)),
                ("from_on", models.DateField(null=True)),
                ("to_on", models.DateField(help_text="The last day it tells of.", null=True)),
                (
                    "opening_balance",
                    billing.models.fields.MoneyField(decimal_places=4, max_digits=18, null=True),
                ),
                (
                    "closing_balance",
                    billing.models.fields.MoneyField(decimal_places=4, max_digits=18, null=True),
                ),
                (
                    "lines_known",
                    models.PositiveIntegerField(
                        default=0, help_text="Lines that an earlier statement of the account had already."
                    ),
                ),
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
            ],
        ),
        migrations.CreateModel(
            name="BankLineHistory",
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
                ("account", models.CharField(blank=True, max_length=40)),
                ("line_number", models.PositiveIntegerField()),
                ("booked_on", models.DateField()),
                ("amount", billing.models.fields.MoneyField(decimal_places=4, max_digits=18)),
                ("currency", billing.models.fields.CurrencyField(max_length=3)),
                ("payer_name", models.CharField(blank=True, max_length=200)),
                ("payer_account", models.CharField(blank=True, max_length=40)),
                ("text", models.CharField(blank=True, help_text="What the payer wrote.", max_length=500)),
                ("end_to_end_id", models.CharField(blank=True, max_length=80)),
                (
                    "servicer_reference",
                    models.CharField(blank=True, help_text="The bank's own.", max_length=80),
                ),
                (
                    "is_reversal",
                    models.BooleanField(default=False, help_text="Takes back an earlier movement."),
                ),
                ("content_key", models.CharField(max_length=32)),
                (
                    "ordinal",
                    models.PositiveSmallIntegerField(default=0, help_text="Its place among equal lines."),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("unmatched", "Nobody found"),
                            ("suggested", "To be confirmed"),
                            ("matched", "Booked"),
                            ("ignored", "Left out"),
                        ],
                        default="unmatched",
                        max_length=9,
                    ),
                ),
                ("examined_at", models.DateTimeField(help_text="When payers were looked for.", null=True)),
                (
                    "note",
                    models.CharField(blank=True, help_text="Why it waits, or was left out.", max_length=200),
                ),
                (
                    "rule",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("invoice_number", "Invoice number"),
                            ("payment_reference", "Reference of a payment"),
                            ("subscriber_number", "Customer number"),
                            ("name", "Name of the payer"),
                            ("by_hand", "By hand"),
                        ],
                        help_text="How it was matched.",
                        max_length=17,
                    ),
                ),
                (
                    "pairings",
                    models.PositiveSmallIntegerField(
                        default=0, help_text="How often it was paired and booked."
                    ),
                ),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "payment",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="billing.payment",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="history",
                        to="billing.bankline",
                    ),
                ),
                (
                    "settled_by",
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
                    "statement",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="billing.bankstatement",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddField(
            model_name="bankline",
            name="statement",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="billing.bankstatement",
            ),
        ),
        migrations.CreateModel(
            name="BankStatementHistory",
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
                ("name", models.CharField(help_text="The file's name.", max_length=200)),
                ("sha256", models.CharField(help_text="Hex digest of the content.", max_length=64)),
                (
                    "file_format",
                    models.CharField(
                        blank=True, choices=[("csv", "CSV"), ("camt053", "camt.053")], max_length=7
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("reading", "Being read"),
                            ("matching", "Being matched"),
                            ("done", "Done"),
                            ("failed", "Refused"),
                        ],
                        default="reading",
                        max_length=8,
                    ),
                ),
                ("message", models.CharField(blank=True, help_text="Why it was refused.", max_length=500)),
                (
                    "account",
                    models.CharField(blank=True, help_text="IBAN or number of our account.", max_length=40),
                ),
                ("currency", billing.models.fields.CurrencyField(blank=True, max_length=3)),
                ("from_on", models.DateField(null=True)),
                ("to_on", models.DateField(help_text="The last day it tells of.", null=True)),
                (
                    "opening_balance",
                    billing.models.fields.MoneyField(decimal_places=4, max_digits=18, null=True),
                ),
                (
                    "closing_balance",
                    billing.models.fields.MoneyField(decimal_places=4, max_digits=18, null=True),
                ),
                (
                    "lines_known",
                    models.PositiveIntegerField(
                        default=0, help_text="Lines that an earlier statement of the account had already."
                    ),
                ),
                ("finished_at", models.DateTimeField(null=True)),
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
                    "file",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="files.storedfile",
                    ),
                ),
                (
                    "job",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="jobs.job",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="history",
                        to="billing.bankstatement",
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
            },
        ),
        migrations.CreateModel(
            name="BankSuggestion",
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
                    "rule",
                    models.CharField(
                        choices=[
                            ("invoice_number", "Invoice number"),
                            ("payment_reference", "Reference of a payment"),
                            ("subscriber_number", "Customer number"),
                            ("name", "Name of the payer"),
                            ("by_hand", "By hand"),
                        ],
                        max_length=17,
                    ),
                ),
                ("reason", models.CharField(help_text="In words.", max_length=200)),
                ("is_certain", models.BooleanField(default=False, help_text="Booked without asking.")),
                (
                    "invoice",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="billing.invoice",
                    ),
                ),
                (
                    "line",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="suggestions",
                        to="billing.bankline",
                    ),
                ),
                (
                    "payment",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="One booked before the statement came.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="billing.payment",
                    ),
                ),
                (
                    "subscriber",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="subscribers.subscriber",
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
        ),
        migrations.AddIndex(
            model_name="bankstatement",
            index=models.Index(fields=["tenant", "-created_at"], name="bank_statement_newest"),
        ),
        migrations.AddConstraint(
            model_name="bankstatement",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "failed"), _negated=True),
                fields=("tenant", "sha256"),
                name="bank_statement_content_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="bankstatement",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["reading", "matching", "done", "failed"])),
                name="bank_statement_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="bankstatement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("file_format", ""), ("file_format__in", ["csv", "camt053"]), _connector="OR"
                ),
                name="bank_statement_format_known",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bankstatement",
            trigger=pgtrigger.compiler.Trigger(
                name="created_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_bankstatementhistory" ("account", "closing_balance", "created_at", "created_by_id", "currency", "file_format", "file_id", "finished_at", "from_on", "id", "job_id", "lines_known", "message", "name", "opening_balance", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "sha256", "status", "tenant_id", "to_on", "updated_at") VALUES (NEW."account", NEW."closing_balance", NEW."created_at", NEW."created_by_id", NEW."currency", NEW."file_format", NEW."file_id", NEW."finished_at", NEW."from_on", NEW."id", NEW."job_id", NEW."lines_known", NEW."message", NEW."name", NEW."opening_balance", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."sha256", NEW."status", NEW."tenant_id", NEW."to_on", NEW."updated_at"); RETURN NULL;',
                    hash="c3e0beba2c9c764520c3efe2989281534da9df32",
                    operation="INSERT",
                    pgid="pgtrigger_created_insert_c855e",
                    table="billing_bankstatement",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bankstatement",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."account" IS DISTINCT FROM (NEW."account") OR OLD."closing_balance" IS DISTINCT FROM (NEW."closing_balance") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."created_by_id" IS DISTINCT FROM (NEW."created_by_id") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."file_id" IS DISTINCT FROM (NEW."file_id") OR OLD."file_format" IS DISTINCT FROM (NEW."file_format") OR OLD."finished_at" IS DISTINCT FROM (NEW."finished_at") OR OLD."from_on" IS DISTINCT FROM (NEW."from_on") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."job_id" IS DISTINCT FROM (NEW."job_id") OR OLD."lines_known" IS DISTINCT FROM (NEW."lines_known") OR OLD."message" IS DISTINCT FROM (NEW."message") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."opening_balance" IS DISTINCT FROM (NEW."opening_balance") OR OLD."sha256" IS DISTINCT FROM (NEW."sha256") OR OLD."status" IS DISTINCT FROM (NEW."status") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id") OR OLD."to_on" IS DISTINCT FROM (NEW."to_on"))',
                    func='INSERT INTO "billing_bankstatementhistory" ("account", "closing_balance", "created_at", "created_by_id", "currency", "file_format", "file_id", "finished_at", "from_on", "id", "job_id", "lines_known", "message", "name", "opening_balance", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "sha256", "status", "tenant_id", "to_on", "updated_at") VALUES (NEW."account", NEW."closing_balance", NEW."created_at", NEW."created_by_id", NEW."currency", NEW."file_format", NEW."file_id", NEW."finished_at", NEW."from_on", NEW."id", NEW."job_id", NEW."lines_known", NEW."message", NEW."name", NEW."opening_balance", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."sha256", NEW."status", NEW."tenant_id", NEW."to_on", NEW."updated_at"); RETURN NULL;',
                    hash="9249febdea48383d44f4269adb9e40e3842deaff",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_9e204",
                    table="billing_bankstatement",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bankstatement",
            trigger=pgtrigger.compiler.Trigger(
                name="deleted_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_bankstatementhistory" ("account", "closing_balance", "created_at", "created_by_id", "currency", "file_format", "file_id", "finished_at", "from_on", "id", "job_id", "lines_known", "message", "name", "opening_balance", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "sha256", "status", "tenant_id", "to_on", "updated_at") VALUES (OLD."account", OLD."closing_balance", OLD."created_at", OLD."created_by_id", OLD."currency", OLD."file_format", OLD."file_id", OLD."finished_at", OLD."from_on", OLD."id", OLD."job_id", OLD."lines_known", OLD."message", OLD."name", OLD."opening_balance", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."sha256", OLD."status", OLD."tenant_id", OLD."to_on", OLD."updated_at"); RETURN NULL;',
                    hash="9e08f28e1e4450767d35b023455bf3e02e653fd2",
                    operation="DELETE",
                    pgid="pgtrigger_deleted_delete_28626",
                    table="billing_bankstatement",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="banklinehistory",
            index=models.Index(
                fields=["tenant", "pgh_obj", "-pgh_id"], name="billing_ban_tenant__6c0de2_idx"
            ),
        ),
        migrations.AddIndex(
            model_name="bankline",
            index=models.Index(fields=["tenant", "statement", "line_number"], name="bank_line_by_statement"),
        ),
        migrations.AddIndex(
            model_name="bankline",
            index=models.Index(fields=["tenant", "statement", "state"], name="bank_line_by_state"),
        ),
        migrations.AddIndex(
            model_name="bankline",
            index=models.Index(
                condition=models.Q(("state__in", ["unmatched", "suggested"])),
                fields=["tenant", "-id"],
                name="bank_line_waiting",
            ),
        ),
        migrations.AddConstraint(
            model_name="bankline",
            constraint=models.UniqueConstraint(
                fields=("tenant", "account", "content_key", "ordinal"), name="bank_line_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="bankline",
            constraint=models.UniqueConstraint(
                condition=models.Q(("payment__isnull", False)),
                fields=("tenant", "payment"),
                name="bank_line_one_per_payment",
            ),
        ),
        migrations.AddConstraint(
            model_name="bankline",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount", 0), _negated=True), name="bank_line_moves_money"
            ),
        ),
        migrations.AddConstraint(
            model_name="bankline",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["unmatched", "suggested", "matched", "ignored"])),
                name="bank_line_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="bankline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rule", ""),
                    (
                        "rule__in",
                        ["invoice_number", "payment_reference", "subscriber_number", "name", "by_hand"],
                    ),
                    _connector="OR",
                ),
                name="bank_line_rule_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="bankline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount__gt", 0), ("payment__isnull", False), ("state", "matched")),
                    models.Q(models.Q(("state", "matched"), _negated=True), ("payment", None)),
                    _connector="OR",
                ),
                name="bank_line_matched_with_payment",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bankline",
            trigger=pgtrigger.compiler.Trigger(
                name="created_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_banklinehistory" ("account", "amount", "booked_on", "content_key", "created_at", "currency", "end_to_end_id", "examined_at", "id", "is_reversal", "line_number", "note", "ordinal", "pairings", "payer_account", "payer_name", "payment_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rule", "servicer_reference", "settled_at", "settled_by_id", "state", "statement_id", "tenant_id", "text", "updated_at") VALUES (NEW."account", NEW."amount", NEW."booked_on", NEW."content_key", NEW."created_at", NEW."currency", NEW."end_to_end_id", NEW."examined_at", NEW."id", NEW."is_reversal", NEW."line_number", NEW."note", NEW."ordinal", NEW."pairings", NEW."payer_account", NEW."payer_name", NEW."payment_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."rule", NEW."servicer_reference", NEW."settled_at", NEW."settled_by_id", NEW."state", NEW."statement_id", NEW."tenant_id", NEW."text", NEW."updated_at"); RETURN NULL;',
                    hash="43ec316d40fe7fa089333bbb9d6e024521c15a8e",
                    operation="INSERT",
                    pgid="pgtrigger_created_insert_e8d6f",
                    table="billing_bankline",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bankline",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."account" IS DISTINCT FROM (NEW."account") OR OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."booked_on" IS DISTINCT FROM (NEW."booked_on") OR OLD."content_key" IS DISTINCT FROM (NEW."content_key") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."end_to_end_id" IS DISTINCT FROM (NEW."end_to_end_id") OR OLD."examined_at" IS DISTINCT FROM (NEW."examined_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."is_reversal" IS DISTINCT FROM (NEW."is_reversal") OR OLD."line_number" IS DISTINCT FROM (NEW."line_number") OR OLD."note" IS DISTINCT FROM (NEW."note") OR OLD."ordinal" IS DISTINCT FROM (NEW."ordinal") OR OLD."pairings" IS DISTINCT FROM (NEW."pairings") OR OLD."payer_account" IS DISTINCT FROM (NEW."payer_account") OR OLD."payer_name" IS DISTINCT FROM (NEW."payer_name") OR OLD."payment_id" IS DISTINCT FROM (NEW."payment_id") OR OLD."rule" IS DISTINCT FROM (NEW."rule") OR OLD."servicer_reference" IS DISTINCT FROM (NEW."servicer_reference") OR OLD."settled_at" IS DISTINCT FROM (NEW."settled_at") OR OLD."settled_by_id" IS DISTINCT FROM (NEW."settled_by_id") OR OLD."state" IS DISTINCT FROM (NEW."state") OR OLD."statement_id" IS DISTINCT FROM (NEW."statement_id") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id") OR OLD."text" IS DISTINCT FROM (NEW."text"))',
                    func='INSERT INTO "billing_banklinehistory" ("account", "amount", "booked_on", "content_key", "created_at", "currency", "end_to_end_id", "examined_at", "id", "is_reversal", "line_number", "note", "ordinal", "pairings", "payer_account", "payer_name", "payment_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rule", "servicer_reference", "settled_at", "settled_by_id", "state", "statement_id", "tenant_id", "text", "updated_at") VALUES (NEW."account", NEW."amount", NEW."booked_on", NEW."content_key", NEW."created_at", NEW."currency", NEW."end_to_end_id", NEW."examined_at", NEW."id", NEW."is_reversal", NEW."line_number", NEW."note", NEW."ordinal", NEW."pairings", NEW."payer_account", NEW."payer_name", NEW."payment_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."rule", NEW."servicer_reference", NEW."settled_at", NEW."settled_by_id", NEW."state", NEW."statement_id", NEW."tenant_id", NEW."text", NEW."updated_at"); RETURN NULL;',
                    hash="7cc84c8d98933d5ae24836b7fed022351b67723e",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_5efae",
                    table="billing_bankline",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bankline",
            trigger=pgtrigger.compiler.Trigger(
                name="deleted_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_banklinehistory" ("account", "amount", "booked_on", "content_key", "created_at", "currency", "end_to_end_id", "examined_at", "id", "is_reversal", "line_number", "note", "ordinal", "pairings", "payer_account", "payer_name", "payment_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "rule", "servicer_reference", "settled_at", "settled_by_id", "state", "statement_id", "tenant_id", "text", "updated_at") VALUES (OLD."account", OLD."amount", OLD."booked_on", OLD."content_key", OLD."created_at", OLD."currency", OLD."end_to_end_id", OLD."examined_at", OLD."id", OLD."is_reversal", OLD."line_number", OLD."note", OLD."ordinal", OLD."pairings", OLD."payer_account", OLD."payer_name", OLD."payment_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."rule", OLD."servicer_reference", OLD."settled_at", OLD."settled_by_id", OLD."state", OLD."statement_id", OLD."tenant_id", OLD."text", OLD."updated_at"); RETURN NULL;',
                    hash="0015c370b4a1b6ca56f6ec1fbcb3873435d42c1b",
                    operation="DELETE",
                    pgid="pgtrigger_deleted_delete_a8ad7",
                    table="billing_bankline",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="bankstatementhistory",
            index=models.Index(
                fields=["tenant", "pgh_obj", "-pgh_id"], name="billing_ban_tenant__b0b116_idx"
            ),
        ),
        migrations.AddIndex(
            model_name="banksuggestion",
            index=models.Index(fields=["tenant", "subscriber"], name="bank_suggestion_by_subscriber"),
        ),
        migrations.AddIndex(
            model_name="banksuggestion",
            index=models.Index(fields=["tenant", "invoice"], name="bank_suggestion_by_invoice"),
        ),
        migrations.AddIndex(
            model_name="banksuggestion",
            index=models.Index(fields=["tenant", "payment"], name="bank_suggestion_by_payment"),
        ),
        migrations.AddConstraint(
            model_name="banksuggestion",
            constraint=models.UniqueConstraint(
                fields=("tenant", "line", "subscriber"), name="bank_suggestion_subscriber_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="banksuggestion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "rule__in",
                        ["invoice_number", "payment_reference", "subscriber_number", "name", "by_hand"],
                    )
                ),
                name="bank_suggestion_rule_known",
            ),
        ),
        IsolateTenantTable("BankStatement"),
        IsolateTenantTable("BankLine"),
        IsolateTenantTable("BankSuggestion"),
        IsolateTenantTable("BankStatementHistory", append_only=True),
        IsolateTenantTable("BankLineHistory", append_only=True),
    ]
