import django.db.models.deletion
import ispcore.tenants.fields
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

from ispcore.tenants.rls import IsolateTenantTable


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0005_dunning"),
        ("jobs", "0001_initial"),
        ("subscribers", "0010_words_can_be_truncated"),
        ("tenants", "0003_number_series"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BillingIdentity",
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
                    "legal_name",
                    models.CharField(
                        help_text="As it is registered; also the holder of the account.", max_length=120
                    ),
                ),
                ("tax_id", models.CharField(blank=True, max_length=40, verbose_name="tax number")),
                (
                    "address",
                    models.TextField(
                        blank=True, help_text="As on a letter, up to five lines.", max_length=300
                    ),
                ),
                (
                    "email",
                    models.EmailField(
                        blank=True,
                        help_text="Where customers' answers to a sent invoice go, and what invoices show.",
                        max_length=254,
                        verbose_name="e-mail",
                    ),
                ),
                ("phone", models.CharField(blank=True, max_length=40)),
                (
                    "iban",
                    models.CharField(
                        blank=True,
                        help_text="ISO 13616. Invoices in euro then carry a code that banking apps read (EPC069-12).",
                        max_length=34,
                        verbose_name="IBAN",
                    ),
                ),
                (
                    "bic",
                    models.CharField(
                        blank=True,
                        help_text="ISO 9362; not needed within the EEA.",
                        max_length=11,
                        verbose_name="BIC",
                    ),
                ),
                ("bank_name", models.CharField(blank=True, max_length=80)),
                (
                    "language",
                    models.CharField(
                        choices=[
                            ("en", "English"),
                            ("es", "Español"),
                            ("pt", "Português"),
                            ("ar", "العربية"),
                        ],
                        default="en",
                        help_text="Of invoices, e-mails and the payment page.",
                        max_length=2,
                    ),
                ),
                (
                    "note",
                    models.CharField(blank=True, help_text="Printed below each invoice.", max_length=300),
                ),
                (
                    "sends_invoices",
                    models.BooleanField(
                        default=False,
                        help_text="Each one once, when it is issued.",
                        verbose_name="send invoices by e-mail",
                    ),
                ),
                ("logo", models.BinaryField(blank=True, default=bytes, editable=True)),
            ],
            options={
                "verbose_name_plural": "billing identity",
            },
        ),
        migrations.CreateModel(
            name="BillingIdentityHistory",
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
                    "legal_name",
                    models.CharField(
                        help_text="As it is registered; also the holder of the account.", max_length=120
                    ),
                ),
                ("tax_id", models.CharField(blank=True, max_length=40, verbose_name="tax number")),
                (
                    "address",
                    models.TextField(
                        blank=True, help_text="As on a letter, up to five lines.", max_length=300
                    ),
                ),
                (
                    "email",
                    models.EmailField(
                        blank=True,
                        help_text="Where customers' answers to a sent invoice go, and what invoices show.",
                        max_length=254,
                        verbose_name="e-mail",
                    ),
                ),
                ("phone", models.CharField(blank=True, max_length=40)),
                (
                    "iban",
                    models.CharField(
                        blank=True,
                        help_text="ISO 13616. Invoices in euro then carry a code that banking apps read (EPC069-12).",
                        max_length=34,
                        verbose_name="IBAN",
                    ),
                ),
                (
                    "bic",
                    models.CharField(
                        blank=True,
                        help_text="ISO 9362; not needed within the EEA.",
                        max_length=11,
                        verbose_name="BIC",
                    ),
                ),
                ("bank_name", models.CharField(blank=True, max_length=80)),
                (
                    "language",
                    models.CharField(
                        choices=[
                            ("en", "English"),
                            ("es", "Español"),
                            ("pt", "Português"),
                            ("ar", "العربية"),
                        ],
                        default="en",
                        help_text="Of invoices, e-mails and the payment page.",
                        max_length=2,
                    ),
                ),
                (
                    "note",
                    models.CharField(blank=True, help_text="Printed below each invoice.", max_length=300),
                ),
                (
                    "sends_invoices",
                    models.BooleanField(
                        default=False,
                        help_text="Each one once, when it is issued.",
                        verbose_name="send invoices by e-mail",
                    ),
                ),
                ("logo", models.BinaryField(blank=True, default=bytes, editable=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="InvoiceMail",
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
                ("to", models.EmailField(max_length=254)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Waits"),
                            ("sending", "Being sent"),
                            ("sent", "Sent"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=7,
                    ),
                ),
                ("problem", models.CharField(blank=True, max_length=300)),
                ("sent_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "e-mail",
            },
        ),
        migrations.AddField(
            model_name="billingidentity",
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
            model_name="billingidentityhistory",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="history",
                to="billing.billingidentity",
            ),
        ),
        migrations.AddField(
            model_name="billingidentityhistory",
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
        migrations.AddField(
            model_name="invoicemail",
            name="created_by",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="invoicemail",
            name="invoice",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="mails",
                to="billing.invoice",
            ),
        ),
        migrations.AddField(
            model_name="invoicemail",
            name="job",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="jobs.job",
            ),
        ),
        migrations.AddField(
            model_name="invoicemail",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.tenant",
            ),
        ),
        migrations.AddConstraint(
            model_name="billingidentity",
            constraint=models.UniqueConstraint(fields=("tenant",), name="billing_identity_one_per_tenant"),
        ),
        migrations.AddConstraint(
            model_name="billingidentity",
            constraint=models.CheckConstraint(
                condition=models.Q(("language__in", ["en", "es", "pt", "ar"])),
                name="billing_identity_language_known",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="billingidentity",
            trigger=pgtrigger.compiler.Trigger(
                name="created_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_billingidentityhistory" ("address", "bank_name", "bic", "created_at", "email", "iban", "id", "language", "legal_name", "logo", "note", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "phone", "sends_invoices", "tax_id", "tenant_id", "updated_at") VALUES (NEW."address", NEW."bank_name", NEW."bic", NEW."created_at", NEW."email", NEW."iban", NEW."id", NEW."language", NEW."legal_name", NEW."logo", NEW."note", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."phone", NEW."sends_invoices", NEW."tax_id", NEW."tenant_id", NEW."updated_at"); RETURN NULL;',
                    hash="29fada6ea0325ded6feb121c5cfb1da31d3c70ff",
                    operation="INSERT",
                    pgid="pgtrigger_created_insert_291aa",
                    table="billing_billingidentity",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="billingidentity",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."address" IS DISTINCT FROM (NEW."address") OR OLD."bank_name" IS DISTINCT FROM (NEW."bank_name") OR OLD."bic" IS DISTINCT FROM (NEW."bic") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."email" IS DISTINCT FROM (NEW."email") OR OLD."iban" IS DISTINCT FROM (NEW."iban") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."language" IS DISTINCT FROM (NEW."language") OR OLD."legal_name" IS DISTINCT FROM (NEW."legal_name") OR OLD."logo" IS DISTINCT FROM (NEW."logo") OR OLD."note" IS DISTINCT FROM (NEW."note") OR OLD."phone" IS DISTINCT FROM (NEW."phone") OR OLD."sends_invoices" IS DISTINCT FROM (NEW."sends_invoices") OR OLD."tax_id" IS DISTINCT FROM (NEW."tax_id") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id"))',
                    func='INSERT INTO "billing_billingidentityhistory" ("address", "bank_name", "bic", "created_at", "email", "iban", "id", "language", "legal_name", "logo", "note", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "phone", "sends_invoices", "tax_id", "tenant_id", "updated_at") VALUES (NEW."address", NEW."bank_name", NEW."bic", NEW."created_at", NEW."email", NEW."iban", NEW."id", NEW."language", NEW."legal_name", NEW."logo", NEW."note", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."phone", NEW."sends_invoices", NEW."tax_id", NEW."tenant_id", NEW."updated_at"); RETURN NULL;',
                    hash="c7249cad5aac84131002f7445189345ff6f7898f",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_5547c",
                    table="billing_billingidentity",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="billingidentity",
            trigger=pgtrigger.compiler.Trigger(
                name="deleted_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_billingidentityhistory" ("address", "bank_name", "bic", "created_at", "email", "iban", "id", "language", "legal_name", "logo", "note", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "phone", "sends_invoices", "tax_id", "tenant_id", "updated_at") VALUES (OLD."address", OLD."bank_name", OLD."bic", OLD."created_at", OLD."email", OLD."iban", OLD."id", OLD."language", OLD."legal_name", OLD."logo", OLD."note", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."phone", OLD."sends_invoices", OLD."tax_id", OLD."tenant_id", OLD."updated_at"); RETURN NULL;',
                    hash="7669e43fd9a94114ea325acf24e4d05935699c62",
                    operation="DELETE",
                    pgid="pgtrigger_deleted_delete_e763a",
                    table="billing_billingidentity",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="billingidentityhistory",
            index=models.Index(
                fields=["tenant", "pgh_obj", "-pgh_id"], name="billing_bil_tenant__aa8663_idx"
            ),
        ),
        migrations.AddIndex(
            model_name="invoicemail",
            index=models.Index(fields=["tenant", "invoice", "-id"], name="invoice_mail_by_invoice"),
        ),
        migrations.AddConstraint(
            model_name="invoicemail",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["queued", "sending", "sent", "failed"])),
                name="invoice_mail_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoicemail",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status__in", ["queued", "sending"])),
                fields=("tenant", "invoice"),
                name="invoice_mail_one_under_way",
            ),
        ),
        IsolateTenantTable("BillingIdentity"),
        IsolateTenantTable("BillingIdentityHistory", append_only=True),
        IsolateTenantTable("InvoiceMail"),
    ]
