import billing.models.fields
import django.core.validators
import django.db.models.deletion
import ispcore.audit
import ispcore.crypto
import ispcore.tenants.fields
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


from ispcore.tenants.rls import IsolateTenantTable


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_runs"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.AddField(
            model_name="allocation",
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
            model_name="allocation",
            name="released_by",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="payment",
            name="bounce_reason",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="payment",
            name="bounced_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="payment",
            name="refunded",
            field=billing.models.fields.MoneyField(
                decimal_places=4,
                default=0,
                help_text="Of it, what went back; all of it, when it bounced.",
                max_digits=18,
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("bounced_at", None), ("refunded__lt", models.F("amount")), ("status", "received")
                    ),
                    models.Q(("bounced_at", None), ("refunded", models.F("amount")), ("status", "refunded")),
                    models.Q(
                        ("bounced_at__isnull", False), ("refunded", models.F("amount")), ("status", "bounced")
                    ),
                    _connector="OR",
                ),
                name="payment_status_fits_refunded",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(
                condition=models.Q(("reference", ""), _negated=True),
                fields=("tenant", "payment", "reference"),
                name="refund_reference_unique_per_payment",
            ),
        ),
        migrations.CreateModel(
            name="GatewayAccount",
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
                    "kind",
                    models.CharField(
                        choices=[("stripe", "Stripe"), ("demo_bank", "Demo bank (no real money)")],
                        max_length=9,
                        verbose_name="gateway",
                    ),
                ),
                (
                    "label",
                    models.CharField(
                        help_text="As staff and payers read it, for example Card payments.",
                        max_length=60,
                        verbose_name="name",
                    ),
                ),
                ("key", models.CharField(editable=False, max_length=40)),
                (
                    "api_key",
                    ispcore.crypto.SecretField(
                        blank=True,
                        help_text="Of Stripe: begins with sk_ or rk_. Stored encrypted.",
                        verbose_name="secret key",
                    ),
                ),
                (
                    "webhook_secret",
                    ispcore.crypto.SecretField(
                        help_text="Of Stripe's webhook endpoint: begins with whsec_. Proves that a notice is the gateway's.",
                        verbose_name="signing secret",
                    ),
                ),
                (
                    "is_enabled",
                    models.BooleanField(
                        default=True,
                        help_text="Off: no new payments are begun. Notices are still taken in.",
                        verbose_name="enabled",
                    ),
                ),
                (
                    "refused_at",
                    models.DateTimeField(
                        editable=False,
                        help_text="When a notice was last refused for its signature or age.",
                        null=True,
                    ),
                ),
                ("refusal", models.CharField(blank=True, editable=False, max_length=200)),
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
                "verbose_name": "payment gateway",
            },
        ),
        migrations.CreateModel(
            name="Checkout",
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
                ("amount", billing.models.fields.MoneyField(decimal_places=4, max_digits=18)),
                ("currency", billing.models.fields.CurrencyField(max_length=3)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Waits for the payer"),
                            ("paid", "Paid"),
                            ("ended", "Ended without a payment"),
                        ],
                        default="open",
                        max_length=5,
                    ),
                ),
                (
                    "remote_id",
                    models.CharField(blank=True, help_text="The gateway's name of it.", max_length=255),
                ),
                (
                    "remote_payment",
                    models.CharField(
                        blank=True, help_text="The gateway's name of the payment it led to.", max_length=255
                    ),
                ),
                (
                    "url",
                    models.TextField(
                        blank=True, validators=[django.core.validators.RegexValidator("^https?://\\S+\\Z")]
                    ),
                ),
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
                    "invoice",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="checkouts",
                        to="billing.invoice",
                    ),
                ),
                (
                    "payment",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="checkouts",
                        to="billing.payment",
                    ),
                ),
                (
                    "subscriber",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="checkouts",
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
                (
                    "gateway",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="checkouts",
                        to="billing.gatewayaccount",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="GatewayAccountHistory",
            fields=[
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("api_key", ispcore.audit.SealedField()),
                ("webhook_secret", ispcore.audit.SealedField()),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                (
                    "id",
                    models.UUIDField(default=ispcore.tenants.fields.new_id, editable=False, serialize=False),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("stripe", "Stripe"), ("demo_bank", "Demo bank (no real money)")],
                        max_length=9,
                        verbose_name="gateway",
                    ),
                ),
                (
                    "label",
                    models.CharField(
                        help_text="As staff and payers read it, for example Card payments.",
                        max_length=60,
                        verbose_name="name",
                    ),
                ),
                ("key", models.CharField(editable=False, max_length=40)),
                (
                    "is_enabled",
                    models.BooleanField(
                        default=True,
                        help_text="Off: no new payments are begun. Notices are still taken in.",
                        verbose_name="enabled",
                    ),
                ),
                (
                    "refused_at",
                    models.DateTimeField(
                        editable=False,
                        help_text="When a notice was last refused for its signature or age.",
                        null=True,
                    ),
                ),
                ("refusal", models.CharField(blank=True, editable=False, max_length=200)),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="history",
                        to="billing.gatewayaccount",
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
            name="GatewayEvent",
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
                ("event_id", models.CharField(max_length=255)),
                ("kind", models.CharField(help_text="As the gateway calls it.", max_length=120)),
                ("remote_payment", models.CharField(blank=True, max_length=255)),
                ("facts", models.JSONField(help_text="What was read from it: which payment, how much.")),
                (
                    "payload",
                    models.TextField(
                        blank=True, help_text="What was sent, when it was not too long to keep."
                    ),
                ),
                (
                    "outcome",
                    models.CharField(
                        choices=[("booked", "Booked"), ("parked", "Waits"), ("ignored", "Nothing to do")],
                        max_length=7,
                    ),
                ),
                (
                    "detail",
                    models.CharField(
                        blank=True, help_text="Why it waits, or why nothing was to do.", max_length=300
                    ),
                ),
                ("happened_at", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                (
                    "gateway",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="billing.gatewayaccount",
                    ),
                ),
                (
                    "payment",
                    ispcore.tenants.fields.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="gateway_events",
                        to="billing.payment",
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
        migrations.AddConstraint(
            model_name="gatewayaccount",
            constraint=models.UniqueConstraint(
                fields=("tenant", "key"), name="gateway_account_key_unique_per_tenant"
            ),
        ),
        migrations.AddConstraint(
            model_name="gatewayaccount",
            constraint=models.UniqueConstraint(
                fields=("tenant", "label"), name="gateway_account_label_unique_per_tenant"
            ),
        ),
        migrations.AddConstraint(
            model_name="gatewayaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["stripe", "demo_bank"])), name="gateway_account_kind_known"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="gatewayaccount",
            trigger=pgtrigger.compiler.Trigger(
                name="created_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_gatewayaccounthistory" ("api_key", "created_at", "id", "is_enabled", "key", "kind", "label", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "refusal", "refused_at", "tenant_id", "updated_at", "webhook_secret") VALUES (NEW."api_key", NEW."created_at", NEW."id", NEW."is_enabled", NEW."key", NEW."kind", NEW."label", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."refusal", NEW."refused_at", NEW."tenant_id", NEW."updated_at", NEW."webhook_secret"); RETURN NULL;',
                    hash="63bbac78102c29bb84fbf4a49f4e07375549c62b",
                    operation="INSERT",
                    pgid="pgtrigger_created_insert_ca397",
                    table="billing_gatewayaccount",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="gatewayaccount",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."api_key" IS DISTINCT FROM (NEW."api_key") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."is_enabled" IS DISTINCT FROM (NEW."is_enabled") OR OLD."key" IS DISTINCT FROM (NEW."key") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."label" IS DISTINCT FROM (NEW."label") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id") OR OLD."webhook_secret" IS DISTINCT FROM (NEW."webhook_secret"))',
                    func='INSERT INTO "billing_gatewayaccounthistory" ("api_key", "created_at", "id", "is_enabled", "key", "kind", "label", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "refusal", "refused_at", "tenant_id", "updated_at", "webhook_secret") VALUES (NEW."api_key", NEW."created_at", NEW."id", NEW."is_enabled", NEW."key", NEW."kind", NEW."label", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."refusal", NEW."refused_at", NEW."tenant_id", NEW."updated_at", NEW."webhook_secret"); RETURN NULL;',
                    hash="95b82f1271334210c9c3486aa09b29e28dd78d68",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_25b2a",
                    table="billing_gatewayaccount",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="gatewayaccount",
            trigger=pgtrigger.compiler.Trigger(
                name="deleted_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_gatewayaccounthistory" ("api_key", "created_at", "id", "is_enabled", "key", "kind", "label", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "refusal", "refused_at", "tenant_id", "updated_at", "webhook_secret") VALUES (OLD."api_key", OLD."created_at", OLD."id", OLD."is_enabled", OLD."key", OLD."kind", OLD."label", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."refusal", OLD."refused_at", OLD."tenant_id", OLD."updated_at", OLD."webhook_secret"); RETURN NULL;',
                    hash="e41403ed9d10f3940f487888569e63c6e975654d",
                    operation="DELETE",
                    pgid="pgtrigger_deleted_delete_aebb6",
                    table="billing_gatewayaccount",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="checkout",
            index=models.Index(fields=["tenant", "subscriber", "-id"], name="checkout_by_subscriber"),
        ),
        migrations.AddIndex(
            model_name="checkout",
            index=models.Index(fields=["tenant", "invoice"], name="checkout_by_invoice"),
        ),
        migrations.AddIndex(
            model_name="checkout",
            index=models.Index(fields=["tenant", "payment"], name="checkout_by_payment"),
        ),
        migrations.AddConstraint(
            model_name="checkout",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="checkout_amount_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="checkout",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["open", "paid", "ended"])), name="checkout_status_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="checkout",
            constraint=models.UniqueConstraint(
                condition=models.Q(("remote_payment", ""), _negated=True),
                fields=("tenant", "gateway", "remote_payment"),
                name="checkout_remote_payment_unique",
            ),
        ),
        migrations.AddIndex(
            model_name="gatewayaccounthistory",
            index=models.Index(
                fields=["tenant", "pgh_obj", "-pgh_id"], name="billing_gat_tenant__8e2579_idx"
            ),
        ),
        migrations.AddIndex(
            model_name="gatewayevent",
            index=models.Index(fields=["tenant", "gateway", "-id"], name="gateway_event_newest"),
        ),
        migrations.AddIndex(
            model_name="gatewayevent",
            index=models.Index(fields=["tenant", "payment"], name="gateway_event_by_payment"),
        ),
        migrations.AddIndex(
            model_name="gatewayevent",
            index=models.Index(
                condition=models.Q(("outcome", "parked")),
                fields=["tenant", "gateway", "remote_payment"],
                name="gateway_event_parked",
            ),
        ),
        migrations.AddConstraint(
            model_name="gatewayevent",
            constraint=models.UniqueConstraint(
                fields=("tenant", "gateway", "event_id"), name="gateway_event_taken_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="gatewayevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome__in", ["booked", "parked", "ignored"])),
                name="gateway_event_outcome_known",
            ),
        ),
        IsolateTenantTable("GatewayAccount"),
        IsolateTenantTable("Checkout"),
        IsolateTenantTable("GatewayEvent"),
        IsolateTenantTable("GatewayAccountHistory", append_only=True),
    ]
