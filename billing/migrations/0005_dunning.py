import billing.models.dunning
import billing.models.fields
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import ispcore.tenants.fields
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

from ispcore.tenants.rls import IsolateTenantTable


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_bank_statements")]

    operations = [
        migrations.CreateModel(
            name="CreditVoucher",
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
                ("code_hash", models.BinaryField(max_length=32)),
                (
                    "shown",
                    models.CharField(
                        help_text="How its code begins; the rest is kept as a hash.", max_length=12
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("unused", "Unused"), ("used", "Used"), ("revoked", "Revoked")],
                        default="unused",
                        max_length=7,
                    ),
                ),
                ("used_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="CreditVoucherBatch",
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
                (
                    "quantity",
                    models.PositiveIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(10000),
                        ]
                    ),
                ),
                ("prefix", models.CharField(blank=True, max_length=8, verbose_name="codes begin with")),
                (
                    "amount",
                    billing.models.fields.MoneyField(
                        decimal_places=4, help_text="What each voucher is worth.", max_digits=18
                    ),
                ),
                ("currency", billing.models.fields.CurrencyField(max_length=3)),
                (
                    "use_before",
                    models.DateTimeField(
                        blank=True,
                        help_text="From then on they are worth nothing; empty: whenever.",
                        null=True,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "credit voucher batches",
            },
        ),
        migrations.CreateModel(
            name="CreditVoucherBatchHistory",
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
                (
                    "quantity",
                    models.PositiveIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(10000),
                        ]
                    ),
                ),
                ("prefix", models.CharField(blank=True, max_length=8, verbose_name="codes begin with")),
                (
                    "amount",
                    billing.models.fields.MoneyField(
                        decimal_places=4, help_text="What each voucher is worth.", max_digits=18
                    ),
                ),
                ("currency", billing.models.fields.CurrencyField(max_length=3)),
                (
                    "use_before",
                    models.DateTimeField(
                        blank=True,
                        help_text="From then on they are worth nothing; empty: whenever.",
                        null=True,
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="DunningNight",
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
                ("on", models.DateField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("running", "Running"),
                            ("waiting", "Waits for approval"),
                            ("done", "Done"),
                            ("refused", "Called off"),
                        ],
                        default="running",
                        max_length=7,
                    ),
                ),
                (
                    "active_lines",
                    models.PositiveIntegerField(help_text="Running services when the night began."),
                ),
                ("cap_lines", models.PositiveIntegerField(help_text="As many are cut without asking.")),
                ("found_subscribers", models.PositiveIntegerField(default=0)),
                ("found_lines", models.PositiveIntegerField(default=0)),
                ("suspended_subscribers", models.PositiveIntegerField(default=0)),
                ("suspended_lines", models.PositiveIntegerField(default=0)),
                (
                    "approved_lines",
                    models.PositiveIntegerField(
                        default=0, help_text="As many a person saw and approved; more stop the night again."
                    ),
                ),
                ("approved_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "dunning night",
            },
        ),
        migrations.CreateModel(
            name="DunningNightHistory",
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
                ("on", models.DateField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("running", "Running"),
                            ("waiting", "Waits for approval"),
                            ("done", "Done"),
                            ("refused", "Called off"),
                        ],
                        default="running",
                        max_length=7,
                    ),
                ),
                (
                    "active_lines",
                    models.PositiveIntegerField(help_text="Running services when the night began."),
                ),
                ("cap_lines", models.PositiveIntegerField(help_text="As many are cut without asking.")),
                ("found_subscribers", models.PositiveIntegerField(default=0)),
                ("found_lines", models.PositiveIntegerField(default=0)),
                ("suspended_subscribers", models.PositiveIntegerField(default=0)),
                ("suspended_lines", models.PositiveIntegerField(default=0)),
                (
                    "approved_lines",
                    models.PositiveIntegerField(
                        default=0, help_text="As many a person saw and approved; more stop the night again."
                    ),
                ),
                ("approved_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="DunningPolicy",
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
                    "reminder_days",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.SmallIntegerField(
                            validators=[
                                django.core.validators.MinValueValidator(-60),
                                django.core.validators.MaxValueValidator(365),
                            ]
                        ),
                        blank=True,
                        default=billing.models.dunning.usual_steps,
                        help_text="Days after the due date on which a reminder goes out, such as -3, 0, 3, 7; below zero: before.",
                        size=12,
                    ),
                ),
                (
                    "suspends",
                    models.BooleanField(
                        default=True,
                        help_text="Hold all services of a customer once the grace days of the billing profile are over.",
                        verbose_name="cuts lines",
                    ),
                ),
                (
                    "minimum_balance",
                    billing.models.fields.MoneyField(
                        decimal_places=4,
                        default=0,
                        help_text="Nobody is cut who owes this much or less, in the currency of the invoices.",
                        max_digits=18,
                        validators=[django.core.validators.MinValueValidator(0)],
                    ),
                ),
                (
                    "business_days_only",
                    models.BooleanField(
                        default=True,
                        help_text="Never cut on a weekend or a public holiday: the next working day instead.",
                    ),
                ),
                (
                    "country",
                    models.CharField(
                        blank=True,
                        help_text="Whose public holidays and weekends count, ISO 3166, for example PT. Empty: Saturday and Sunday.",
                        max_length=2,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Z]{2}\\Z", "Two capital letters, for example PT."
                            )
                        ],
                    ),
                ),
                (
                    "subdivision",
                    models.CharField(
                        blank=True,
                        help_text="Part of the country with holidays of its own, such as BY of DE.",
                        max_length=10,
                    ),
                ),
                (
                    "late_fee_after_days",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="Days after the due date before the late fee is charged.",
                        validators=[django.core.validators.MaxValueValidator(365)],
                    ),
                ),
                (
                    "late_fee_amount",
                    billing.models.fields.MoneyField(
                        blank=True,
                        decimal_places=4,
                        help_text="Once for each invoice, in its currency.",
                        max_digits=18,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(0)],
                    ),
                ),
                (
                    "late_fee_percent",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        help_text="Instead of an amount: of what is open.",
                        max_digits=5,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                (
                    "cap_percent",
                    models.PositiveSmallIntegerField(
                        default=3,
                        help_text="If a night would cut more of all running services, nobody is cut until a person approves. That of the policy for all customers counts.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="nightly cap, percent",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "dunning policies",
            },
        ),
        migrations.CreateModel(
            name="DunningPolicyHistory",
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
                    "reminder_days",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.SmallIntegerField(
                            validators=[
                                django.core.validators.MinValueValidator(-60),
                                django.core.validators.MaxValueValidator(365),
                            ]
                        ),
                        blank=True,
                        default=billing.models.dunning.usual_steps,
                        help_text="Days after the due date on which a reminder goes out, such as -3, 0, 3, 7; below zero: before.",
                        size=12,
                    ),
                ),
                (
                    "suspends",
                    models.BooleanField(
                        default=True,
                        help_text="Hold all services of a customer once the grace days of the billing profile are over.",
                        verbose_name="cuts lines",
                    ),
                ),
                (
                    "minimum_balance",
                    billing.models.fields.MoneyField(
                        decimal_places=4,
                        default=0,
                        help_text="Nobody is cut who owes this much or less, in the currency of the invoices.",
                        max_digits=18,
                        validators=[django.core.validators.MinValueValidator(0)],
                    ),
                ),
                (
                    "business_days_only",
                    models.BooleanField(
                        default=True,
                        help_text="Never cut on a weekend or a public holiday: the next working day instead.",
                    ),
                ),
                (
                    "country",
                    models.CharField(
                        blank=True,
                        help_text="Whose public holidays and weekends count, ISO 3166, for example PT. Empty: Saturday and Sunday.",
                        max_length=2,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Z]{2}\\Z", "Two capital letters, for example PT."
                            )
                        ],
                    ),
                ),
                (
                    "subdivision",
                    models.CharField(
                        blank=True,
                        help_text="Part of the country with holidays of its own, such as BY of DE.",
                        max_length=10,
                    ),
                ),
                (
                    "late_fee_after_days",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="Days after the due date before the late fee is charged.",
                        validators=[django.core.validators.MaxValueValidator(365)],
                    ),
                ),
                (
                    "late_fee_amount",
                    billing.models.fields.MoneyField(
                        blank=True,
                        decimal_places=4,
                        help_text="Once for each invoice, in its currency.",
                        max_digits=18,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(0)],
                    ),
                ),
                (
                    "late_fee_percent",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        help_text="Instead of an amount: of what is open.",
                        max_digits=5,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                (
                    "cap_percent",
                    models.PositiveSmallIntegerField(
                        default=3,
                        help_text="If a night would cut more of all running services, nobody is cut until a person approves. That of the policy for all customers counts.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="nightly cap, percent",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Exemption",
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
                ("reason", models.CharField(max_length=200)),
                (
                    "until",
                    models.DateField(
                        blank=True, help_text="The last day; empty: until it is ended.", null=True
                    ),
                ),
                ("ended_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "verbose_name": "dunning exemption",
            },
        ),
        migrations.CreateModel(
            name="ExemptionHistory",
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
                ("reason", models.CharField(max_length=200)),
                (
                    "until",
                    models.DateField(
                        blank=True, help_text="The last day; empty: until it is ended.", null=True
                    ),
                ),
                ("ended_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="LateFee",
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
                ("charged_on", models.DateField()),
            ],
        ),
        migrations.CreateModel(
            name="PrepaidLine",
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
                    "anchor_on",
                    models.DateField(
                        help_text="Where the unbroken row of periods began; its day of the month counts for all of them."
                    ),
                ),
                ("paid_until", models.DateField(help_text="The first day that is not paid.")),
                (
                    "waits_since",
                    models.DateTimeField(help_text="Since when it is held for want of credit.", null=True),
                ),
                (
                    "missing",
                    billing.models.fields.MoneyField(
                        decimal_places=4,
                        help_text="What the next period costs beyond the credit, when it waits.",
                        max_digits=18,
                        null=True,
                    ),
                ),
                ("currency", billing.models.fields.CurrencyField(blank=True, max_length=3)),
            ],
            options={
                "verbose_name": "prepaid service",
            },
        ),
        migrations.CreateModel(
            name="Promise",
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
                    "amount",
                    billing.models.fields.MoneyField(
                        decimal_places=4,
                        max_digits=18,
                        validators=[django.core.validators.MinValueValidator(0)],
                    ),
                ),
                ("currency", billing.models.fields.CurrencyField(max_length=3)),
                ("until", models.DateField(help_text="The last day to pay.")),
                ("note", models.CharField(blank=True, max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("kept", "Kept"),
                            ("broken", "Broken"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="open",
                        max_length=9,
                    ),
                ),
                ("settled_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="PromiseHistory",
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
                    "amount",
                    billing.models.fields.MoneyField(
                        decimal_places=4,
                        max_digits=18,
                        validators=[django.core.validators.MinValueValidator(0)],
                    ),
                ),
                ("currency", billing.models.fields.CurrencyField(max_length=3)),
                ("until", models.DateField(help_text="The last day to pay.")),
                ("note", models.CharField(blank=True, max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("kept", "Kept"),
                            ("broken", "Broken"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="open",
                        max_length=9,
                    ),
                ),
                ("settled_at", models.DateTimeField(null=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Reminder",
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
                ("step", models.SmallIntegerField(help_text="Days after the due date; below zero: before.")),
                (
                    "due_on",
                    models.DateField(help_text="The day at the provider's on which it was to go out."),
                ),
                ("email", models.CharField(blank=True, max_length=254)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("sending", "Being sent"),
                            ("sent", "Sent"),
                            ("uncertain", "Perhaps sent"),
                            ("failed", "Failed"),
                            ("skipped", "Not needed"),
                        ],
                        default="waiting",
                        max_length=9,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("sent_at", models.DateTimeField(null=True)),
                ("detail", models.CharField(blank=True, help_text="Why it was not sent.", max_length=200)),
            ],
        ),
        migrations.AddField(
            model_name="creditvoucher",
            name="payment",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.payment",
            ),
        ),
        migrations.AddField(
            model_name="creditvoucher",
            name="subscriber",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="subscribers.subscriber",
            ),
        ),
        migrations.AddField(
            model_name="creditvoucher",
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
            model_name="creditvoucherbatch",
            name="created_by",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="creditvoucherbatch",
            name="sheet",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="files.storedfile",
            ),
        ),
        migrations.AddField(
            model_name="creditvoucherbatch",
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
            model_name="creditvoucher",
            name="batch",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="vouchers",
                to="billing.creditvoucherbatch",
            ),
        ),
        migrations.AddField(
            model_name="creditvoucherbatchhistory",
            name="created_by",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="creditvoucherbatchhistory",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="history",
                to="billing.creditvoucherbatch",
            ),
        ),
        migrations.AddField(
            model_name="creditvoucherbatchhistory",
            name="sheet",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="files.storedfile",
            ),
        ),
        migrations.AddField(
            model_name="creditvoucherbatchhistory",
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
            model_name="dunningnight",
            name="approved_by",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="dunningnight",
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
            model_name="dunningnight",
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
            model_name="dunningnighthistory",
            name="approved_by",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="dunningnighthistory",
            name="job",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="jobs.job",
            ),
        ),
        migrations.AddField(
            model_name="dunningnighthistory",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="history",
                to="billing.dunningnight",
            ),
        ),
        migrations.AddField(
            model_name="dunningnighthistory",
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
            model_name="dunningpolicy",
            name="billing_profile",
            field=ispcore.tenants.fields.TenantForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                help_text="Empty: for all customers whose billing profile has no policy of its own.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="subscribers.billingprofile",
            ),
        ),
        migrations.AddField(
            model_name="dunningpolicy",
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
            model_name="dunningpolicyhistory",
            name="billing_profile",
            field=ispcore.tenants.fields.TenantForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                help_text="Empty: for all customers whose billing profile has no policy of its own.",
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="subscribers.billingprofile",
            ),
        ),
        migrations.AddField(
            model_name="dunningpolicyhistory",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="history",
                to="billing.dunningpolicy",
            ),
        ),
        migrations.AddField(
            model_name="dunningpolicyhistory",
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
            model_name="exemption",
            name="created_by",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="exemption",
            name="subscriber",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="dunning_exemptions",
                to="subscribers.subscriber",
            ),
        ),
        migrations.AddField(
            model_name="exemption",
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
            model_name="exemptionhistory",
            name="created_by",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="exemptionhistory",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="history",
                to="billing.exemption",
            ),
        ),
        migrations.AddField(
            model_name="exemptionhistory",
            name="subscriber",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="subscribers.subscriber",
            ),
        ),
        migrations.AddField(
            model_name="exemptionhistory",
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
            model_name="latefee",
            name="charge",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="billing.oneoffcharge",
            ),
        ),
        migrations.AddField(
            model_name="latefee",
            name="invoice",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="late_fees",
                to="billing.invoice",
            ),
        ),
        migrations.AddField(
            model_name="latefee",
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
            model_name="prepaidline",
            name="subscription",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="prepaid",
                to="subscribers.subscription",
                verbose_name="service",
            ),
        ),
        migrations.AddField(
            model_name="prepaidline",
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
            model_name="promise",
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
            model_name="promise",
            name="subscriber",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="promises",
                to="subscribers.subscriber",
            ),
        ),
        migrations.AddField(
            model_name="promise",
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
            model_name="promisehistory",
            name="created_by",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="promisehistory",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="history",
                to="billing.promise",
            ),
        ),
        migrations.AddField(
            model_name="promisehistory",
            name="subscriber",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="subscribers.subscriber",
            ),
        ),
        migrations.AddField(
            model_name="promisehistory",
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
            model_name="reminder",
            name="invoice",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reminders",
                to="billing.invoice",
            ),
        ),
        migrations.AddField(
            model_name="reminder",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.tenant",
            ),
        ),
        migrations.AddIndex(
            model_name="creditvoucherbatch",
            index=models.Index(fields=["tenant", "-id"], name="credit_voucher_batch_newest"),
        ),
        migrations.AddIndex(
            model_name="creditvoucherbatch",
            index=models.Index(fields=["tenant", "sheet"], name="credit_voucher_batch_by_sheet"),
        ),
        migrations.AddConstraint(
            model_name="creditvoucherbatch",
            constraint=models.UniqueConstraint(
                fields=("tenant", "name"), name="credit_voucher_batch_name_unique_per_tenant"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditvoucherbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="credit_voucher_batch_amount_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditvoucherbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__range", (1, 10000))),
                name="credit_voucher_batch_quantity_in_range",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="creditvoucherbatch",
            trigger=pgtrigger.compiler.Trigger(
                name="created_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_creditvoucherbatchhistory" ("amount", "created_at", "created_by_id", "currency", "id", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "prefix", "quantity", "sheet_id", "tenant_id", "updated_at", "use_before") VALUES (NEW."amount", NEW."created_at", NEW."created_by_id", NEW."currency", NEW."id", NEW."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."prefix", NEW."quantity", NEW."sheet_id", NEW."tenant_id", NEW."updated_at", NEW."use_before"); RETURN NULL;',
                    hash="76c3e7781dabee4a85c45a7111978cd0c5a967e6",
                    operation="INSERT",
                    pgid="pgtrigger_created_insert_3bfbe",
                    table="billing_creditvoucherbatch",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="creditvoucherbatch",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."created_by_id" IS DISTINCT FROM (NEW."created_by_id") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."prefix" IS DISTINCT FROM (NEW."prefix") OR OLD."quantity" IS DISTINCT FROM (NEW."quantity") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id") OR OLD."use_before" IS DISTINCT FROM (NEW."use_before"))',
                    func='INSERT INTO "billing_creditvoucherbatchhistory" ("amount", "created_at", "created_by_id", "currency", "id", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "prefix", "quantity", "sheet_id", "tenant_id", "updated_at", "use_before") VALUES (NEW."amount", NEW."created_at", NEW."created_by_id", NEW."currency", NEW."id", NEW."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."prefix", NEW."quantity", NEW."sheet_id", NEW."tenant_id", NEW."updated_at", NEW."use_before"); RETURN NULL;',
                    hash="2c299c1755c082850c6f4681868ac709fda8d497",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_f5a72",
                    table="billing_creditvoucherbatch",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="creditvoucherbatch",
            trigger=pgtrigger.compiler.Trigger(
                name="deleted_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_creditvoucherbatchhistory" ("amount", "created_at", "created_by_id", "currency", "id", "name", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "prefix", "quantity", "sheet_id", "tenant_id", "updated_at", "use_before") VALUES (OLD."amount", OLD."created_at", OLD."created_by_id", OLD."currency", OLD."id", OLD."name", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."prefix", OLD."quantity", OLD."sheet_id", OLD."tenant_id", OLD."updated_at", OLD."use_before"); RETURN NULL;',
                    hash="47cca7c6cadc74f99eec20195c3dc7e01620d62f",
                    operation="DELETE",
                    pgid="pgtrigger_deleted_delete_407e8",
                    table="billing_creditvoucherbatch",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="creditvoucher",
            index=models.Index(fields=["tenant", "batch", "state"], name="credit_voucher_by_batch"),
        ),
        migrations.AddIndex(
            model_name="creditvoucher",
            index=models.Index(fields=["tenant", "subscriber"], name="credit_voucher_by_subscriber"),
        ),
        migrations.AddIndex(
            model_name="creditvoucher",
            index=models.Index(fields=["tenant", "payment"], name="credit_voucher_by_payment"),
        ),
        migrations.AddConstraint(
            model_name="creditvoucher",
            constraint=models.UniqueConstraint(
                fields=("tenant", "code_hash"), name="credit_voucher_code_unique_per_tenant"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditvoucher",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["unused", "used", "revoked"])),
                name="credit_voucher_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditvoucher",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("payment__isnull", False), ("state", "used"), ("used_at__isnull", False)),
                    models.Q(
                        models.Q(("state", "used"), _negated=True), ("payment", None), ("used_at", None)
                    ),
                    _connector="OR",
                ),
                name="credit_voucher_used_is_a_payment",
            ),
        ),
        migrations.AddIndex(
            model_name="creditvoucherbatchhistory",
            index=models.Index(
                fields=["tenant", "pgh_obj", "-pgh_id"], name="billing_cre_tenant__e7c509_idx"
            ),
        ),
        migrations.AddIndex(
            model_name="dunningnight",
            index=models.Index(fields=["tenant", "-on"], name="dunning_night_newest"),
        ),
        migrations.AddConstraint(
            model_name="dunningnight",
            constraint=models.UniqueConstraint(fields=("tenant", "on"), name="dunning_night_once_a_day"),
        ),
        migrations.AddConstraint(
            model_name="dunningnight",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["running", "waiting", "done", "refused"])),
                name="dunning_night_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="dunningnight",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("suspended_lines__lte", models.F("cap_lines")),
                    ("approved_by__isnull", False),
                    _connector="OR",
                ),
                name="dunning_night_within_cap_or_approved",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="dunningnight",
            trigger=pgtrigger.compiler.Trigger(
                name="created_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_dunningnighthistory" ("active_lines", "approved_at", "approved_by_id", "approved_lines", "cap_lines", "created_at", "finished_at", "found_lines", "found_subscribers", "id", "job_id", "on", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "status", "suspended_lines", "suspended_subscribers", "tenant_id", "updated_at") VALUES (NEW."active_lines", NEW."approved_at", NEW."approved_by_id", NEW."approved_lines", NEW."cap_lines", NEW."created_at", NEW."finished_at", NEW."found_lines", NEW."found_subscribers", NEW."id", NEW."job_id", NEW."on", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."status", NEW."suspended_lines", NEW."suspended_subscribers", NEW."tenant_id", NEW."updated_at"); RETURN NULL;',
                    hash="eaf293687daff6dc59c575ecba105e3f0142718b",
                    operation="INSERT",
                    pgid="pgtrigger_created_insert_fc92a",
                    table="billing_dunningnight",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="dunningnight",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."active_lines" IS DISTINCT FROM (NEW."active_lines") OR OLD."approved_at" IS DISTINCT FROM (NEW."approved_at") OR OLD."approved_by_id" IS DISTINCT FROM (NEW."approved_by_id") OR OLD."approved_lines" IS DISTINCT FROM (NEW."approved_lines") OR OLD."cap_lines" IS DISTINCT FROM (NEW."cap_lines") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."finished_at" IS DISTINCT FROM (NEW."finished_at") OR OLD."found_lines" IS DISTINCT FROM (NEW."found_lines") OR OLD."found_subscribers" IS DISTINCT FROM (NEW."found_subscribers") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."job_id" IS DISTINCT FROM (NEW."job_id") OR OLD."on" IS DISTINCT FROM (NEW."on") OR OLD."status" IS DISTINCT FROM (NEW."status") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id"))',
                    func='INSERT INTO "billing_dunningnighthistory" ("active_lines", "approved_at", "approved_by_id", "approved_lines", "cap_lines", "created_at", "finished_at", "found_lines", "found_subscribers", "id", "job_id", "on", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "status", "suspended_lines", "suspended_subscribers", "tenant_id", "updated_at") VALUES (NEW."active_lines", NEW."approved_at", NEW."approved_by_id", NEW."approved_lines", NEW."cap_lines", NEW."created_at", NEW."finished_at", NEW."found_lines", NEW."found_subscribers", NEW."id", NEW."job_id", NEW."on", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."status", NEW."suspended_lines", NEW."suspended_subscribers", NEW."tenant_id", NEW."updated_at"); RETURN NULL;',
                    hash="a3be8fa131ec6d940f46e6f76ac72ae2c59a6611",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_5d47c",
                    table="billing_dunningnight",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="dunningnight",
            trigger=pgtrigger.compiler.Trigger(
                name="deleted_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_dunningnighthistory" ("active_lines", "approved_at", "approved_by_id", "approved_lines", "cap_lines", "created_at", "finished_at", "found_lines", "found_subscribers", "id", "job_id", "on", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "status", "suspended_lines", "suspended_subscribers", "tenant_id", "updated_at") VALUES (OLD."active_lines", OLD."approved_at", OLD."approved_by_id", OLD."approved_lines", OLD."cap_lines", OLD."created_at", OLD."finished_at", OLD."found_lines", OLD."found_subscribers", OLD."id", OLD."job_id", OLD."on", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."status", OLD."suspended_lines", OLD."suspended_subscribers", OLD."tenant_id", OLD."updated_at"); RETURN NULL;',
                    hash="1c464f5f7422e28e7a72e9625e76d85cb6baac3c",
                    operation="DELETE",
                    pgid="pgtrigger_deleted_delete_f9930",
                    table="billing_dunningnight",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="dunningnighthistory",
            index=models.Index(
                fields=["tenant", "pgh_obj", "-pgh_id"], name="billing_dun_tenant__31949a_idx"
            ),
        ),
        migrations.AddConstraint(
            model_name="dunningpolicy",
            constraint=models.UniqueConstraint(
                fields=("tenant", "billing_profile"),
                name="dunning_policy_one_per_profile",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="dunningpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("minimum_balance__gte", 0)), name="dunning_policy_minimum_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="dunningpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("late_fee_amount", None),
                    models.Q(("late_fee_amount__gt", 0), ("late_fee_percent", None)),
                    _connector="OR",
                ),
                name="dunning_policy_one_late_fee",
            ),
        ),
        migrations.AddConstraint(
            model_name="dunningpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("late_fee_percent", None),
                    models.Q(("late_fee_percent__gt", 0), ("late_fee_percent__lte", 100)),
                    _connector="OR",
                ),
                name="dunning_policy_late_fee_in_range",
            ),
        ),
        migrations.AddConstraint(
            model_name="dunningpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("cap_percent__range", (1, 100))), name="dunning_policy_cap_in_range"
            ),
        ),
        migrations.AddConstraint(
            model_name="dunningpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("reminder_days__len__lte", 12)), name="dunning_policy_steps_bounded"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="dunningpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="created_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_dunningpolicyhistory" ("billing_profile_id", "business_days_only", "cap_percent", "country", "created_at", "id", "late_fee_after_days", "late_fee_amount", "late_fee_percent", "minimum_balance", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reminder_days", "subdivision", "suspends", "tenant_id", "updated_at") VALUES (NEW."billing_profile_id", NEW."business_days_only", NEW."cap_percent", NEW."country", NEW."created_at", NEW."id", NEW."late_fee_after_days", NEW."late_fee_amount", NEW."late_fee_percent", NEW."minimum_balance", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."reminder_days", NEW."subdivision", NEW."suspends", NEW."tenant_id", NEW."updated_at"); RETURN NULL;',
                    hash="ffc50b1e2d893e759bc46a84cf8f16f2819adc78",
                    operation="INSERT",
                    pgid="pgtrigger_created_insert_35797",
                    table="billing_dunningpolicy",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="dunningpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."billing_profile_id" IS DISTINCT FROM (NEW."billing_profile_id") OR OLD."business_days_only" IS DISTINCT FROM (NEW."business_days_only") OR OLD."cap_percent" IS DISTINCT FROM (NEW."cap_percent") OR OLD."country" IS DISTINCT FROM (NEW."country") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."late_fee_after_days" IS DISTINCT FROM (NEW."late_fee_after_days") OR OLD."late_fee_amount" IS DISTINCT FROM (NEW."late_fee_amount") OR OLD."late_fee_percent" IS DISTINCT FROM (NEW."late_fee_percent") OR OLD."minimum_balance" IS DISTINCT FROM (NEW."minimum_balance") OR OLD."reminder_days" IS DISTINCT FROM (NEW."reminder_days") OR OLD."subdivision" IS DISTINCT FROM (NEW."subdivision") OR OLD."suspends" IS DISTINCT FROM (NEW."suspends") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id"))',
                    func='INSERT INTO "billing_dunningpolicyhistory" ("billing_profile_id", "business_days_only", "cap_percent", "country", "created_at", "id", "late_fee_after_days", "late_fee_amount", "late_fee_percent", "minimum_balance", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reminder_days", "subdivision", "suspends", "tenant_id", "updated_at") VALUES (NEW."billing_profile_id", NEW."business_days_only", NEW."cap_percent", NEW."country", NEW."created_at", NEW."id", NEW."late_fee_after_days", NEW."late_fee_amount", NEW."late_fee_percent", NEW."minimum_balance", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."reminder_days", NEW."subdivision", NEW."suspends", NEW."tenant_id", NEW."updated_at"); RETURN NULL;',
                    hash="2607b2c55d32ca41bdbd290ab1d9479758427a09",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_cc24d",
                    table="billing_dunningpolicy",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="dunningpolicy",
            trigger=pgtrigger.compiler.Trigger(
                name="deleted_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_dunningpolicyhistory" ("billing_profile_id", "business_days_only", "cap_percent", "country", "created_at", "id", "late_fee_after_days", "late_fee_amount", "late_fee_percent", "minimum_balance", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reminder_days", "subdivision", "suspends", "tenant_id", "updated_at") VALUES (OLD."billing_profile_id", OLD."business_days_only", OLD."cap_percent", OLD."country", OLD."created_at", OLD."id", OLD."late_fee_after_days", OLD."late_fee_amount", OLD."late_fee_percent", OLD."minimum_balance", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."reminder_days", OLD."subdivision", OLD."suspends", OLD."tenant_id", OLD."updated_at"); RETURN NULL;',
                    hash="31e91c73e1036707fdb9ee312d97f9c830cab8fd",
                    operation="DELETE",
                    pgid="pgtrigger_deleted_delete_19e7e",
                    table="billing_dunningpolicy",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="dunningpolicyhistory",
            index=models.Index(
                fields=["tenant", "pgh_obj", "-pgh_id"], name="billing_dun_tenant__c5e460_idx"
            ),
        ),
        migrations.AddIndex(
            model_name="exemption",
            index=models.Index(fields=["tenant", "subscriber", "-id"], name="exemption_by_subscriber"),
        ),
        migrations.AddConstraint(
            model_name="exemption",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None)),
                fields=("tenant", "subscriber"),
                name="exemption_one_running",
            ),
        ),
        migrations.AddConstraint(
            model_name="exemption",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="exemption_reason_given"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exemption",
            trigger=pgtrigger.compiler.Trigger(
                name="created_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_exemptionhistory" ("created_at", "created_by_id", "ended_at", "id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "subscriber_id", "tenant_id", "until", "updated_at") VALUES (NEW."created_at", NEW."created_by_id", NEW."ended_at", NEW."id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."reason", NEW."subscriber_id", NEW."tenant_id", NEW."until", NEW."updated_at"); RETURN NULL;',
                    hash="5950cbbf65687bac2e8365e1fb2ef98c2cb2a141",
                    operation="INSERT",
                    pgid="pgtrigger_created_insert_dce2c",
                    table="billing_exemption",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exemption",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."created_by_id" IS DISTINCT FROM (NEW."created_by_id") OR OLD."ended_at" IS DISTINCT FROM (NEW."ended_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."subscriber_id" IS DISTINCT FROM (NEW."subscriber_id") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id") OR OLD."until" IS DISTINCT FROM (NEW."until"))',
                    func='INSERT INTO "billing_exemptionhistory" ("created_at", "created_by_id", "ended_at", "id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "subscriber_id", "tenant_id", "until", "updated_at") VALUES (NEW."created_at", NEW."created_by_id", NEW."ended_at", NEW."id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."reason", NEW."subscriber_id", NEW."tenant_id", NEW."until", NEW."updated_at"); RETURN NULL;',
                    hash="43acffa55124ea07d5714a7217e4bed994168568",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_63466",
                    table="billing_exemption",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exemption",
            trigger=pgtrigger.compiler.Trigger(
                name="deleted_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_exemptionhistory" ("created_at", "created_by_id", "ended_at", "id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "subscriber_id", "tenant_id", "until", "updated_at") VALUES (OLD."created_at", OLD."created_by_id", OLD."ended_at", OLD."id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."reason", OLD."subscriber_id", OLD."tenant_id", OLD."until", OLD."updated_at"); RETURN NULL;',
                    hash="fe25e685c47f70d26be7373de5ca40dd04da7ab7",
                    operation="DELETE",
                    pgid="pgtrigger_deleted_delete_f2084",
                    table="billing_exemption",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="exemptionhistory",
            index=models.Index(
                fields=["tenant", "pgh_obj", "-pgh_id"], name="billing_exe_tenant__7dd192_idx"
            ),
        ),
        migrations.AddIndex(
            model_name="latefee",
            index=models.Index(fields=["tenant", "charge"], name="late_fee_by_charge"),
        ),
        migrations.AddConstraint(
            model_name="latefee",
            constraint=models.UniqueConstraint(fields=("tenant", "invoice"), name="late_fee_one_per_invoice"),
        ),
        migrations.AddIndex(
            model_name="prepaidline",
            index=models.Index(fields=["tenant", "paid_until"], name="prepaid_line_by_end"),
        ),
        migrations.AddConstraint(
            model_name="prepaidline",
            constraint=models.UniqueConstraint(
                fields=("tenant", "subscription"), name="prepaid_line_one_per_service"
            ),
        ),
        migrations.AddIndex(
            model_name="promise",
            index=models.Index(fields=["tenant", "subscriber", "-id"], name="promise_by_subscriber"),
        ),
        migrations.AddIndex(
            model_name="promise",
            index=models.Index(
                condition=models.Q(("status", "open")), fields=["tenant", "until"], name="promise_open_by_day"
            ),
        ),
        migrations.AddConstraint(
            model_name="promise",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "open")),
                fields=("tenant", "subscriber"),
                name="promise_one_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="promise",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="promise_amount_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="promise",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["open", "kept", "broken", "withdrawn"])),
                name="promise_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="promise",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("settled_at", None), ("status", "open")),
                    models.Q(models.Q(("status", "open"), _negated=True), ("settled_at__isnull", False)),
                    _connector="OR",
                ),
                name="promise_settled_when_over",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="promise",
            trigger=pgtrigger.compiler.Trigger(
                name="created_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_promisehistory" ("amount", "created_at", "created_by_id", "currency", "id", "note", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "settled_at", "status", "subscriber_id", "tenant_id", "until", "updated_at") VALUES (NEW."amount", NEW."created_at", NEW."created_by_id", NEW."currency", NEW."id", NEW."note", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'created\', NEW."id", NEW."settled_at", NEW."status", NEW."subscriber_id", NEW."tenant_id", NEW."until", NEW."updated_at"); RETURN NULL;',
                    hash="9ec5e215577b9a4638d2cb74c38bfa0b2f7309ae",
                    operation="INSERT",
                    pgid="pgtrigger_created_insert_08fb3",
                    table="billing_promise",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="promise",
            trigger=pgtrigger.compiler.Trigger(
                name="changed_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."created_by_id" IS DISTINCT FROM (NEW."created_by_id") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."note" IS DISTINCT FROM (NEW."note") OR OLD."settled_at" IS DISTINCT FROM (NEW."settled_at") OR OLD."status" IS DISTINCT FROM (NEW."status") OR OLD."subscriber_id" IS DISTINCT FROM (NEW."subscriber_id") OR OLD."tenant_id" IS DISTINCT FROM (NEW."tenant_id") OR OLD."until" IS DISTINCT FROM (NEW."until"))',
                    func='INSERT INTO "billing_promisehistory" ("amount", "created_at", "created_by_id", "currency", "id", "note", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "settled_at", "status", "subscriber_id", "tenant_id", "until", "updated_at") VALUES (NEW."amount", NEW."created_at", NEW."created_by_id", NEW."currency", NEW."id", NEW."note", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'changed\', NEW."id", NEW."settled_at", NEW."status", NEW."subscriber_id", NEW."tenant_id", NEW."until", NEW."updated_at"); RETURN NULL;',
                    hash="b3f260dda839a8a1570235bc414b2a5a2fb02ba1",
                    operation="UPDATE",
                    pgid="pgtrigger_changed_update_07e75",
                    table="billing_promise",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="promise",
            trigger=pgtrigger.compiler.Trigger(
                name="deleted_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "billing_promisehistory" ("amount", "created_at", "created_by_id", "currency", "id", "note", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "settled_at", "status", "subscriber_id", "tenant_id", "until", "updated_at") VALUES (OLD."amount", OLD."created_at", OLD."created_by_id", OLD."currency", OLD."id", OLD."note", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'deleted\', OLD."id", OLD."settled_at", OLD."status", OLD."subscriber_id", OLD."tenant_id", OLD."until", OLD."updated_at"); RETURN NULL;',
                    hash="c48d399f2b8527838b2f8898249ecbda7f3b6444",
                    operation="DELETE",
                    pgid="pgtrigger_deleted_delete_fa249",
                    table="billing_promise",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="promisehistory",
            index=models.Index(
                fields=["tenant", "pgh_obj", "-pgh_id"], name="billing_pro_tenant__cfe002_idx"
            ),
        ),
        migrations.AddIndex(
            model_name="reminder",
            index=models.Index(fields=["tenant", "-id"], name="reminder_newest"),
        ),
        migrations.AddIndex(
            model_name="reminder",
            index=models.Index(fields=["tenant", "due_on", "-id"], name="reminder_by_day"),
        ),
        migrations.AddIndex(
            model_name="reminder",
            index=models.Index(
                condition=models.Q(("status__in", ["waiting", "sending"])),
                fields=["tenant", "id"],
                name="reminder_to_send",
            ),
        ),
        migrations.AddConstraint(
            model_name="reminder",
            constraint=models.UniqueConstraint(
                fields=("tenant", "invoice", "step"), name="reminder_one_per_step"
            ),
        ),
        migrations.AddConstraint(
            model_name="reminder",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status__in", ["waiting", "sending", "sent", "uncertain", "failed", "skipped"])
                ),
                name="reminder_status_known",
            ),
        ),
        IsolateTenantTable("DunningPolicy"),
        IsolateTenantTable("Reminder"),
        IsolateTenantTable("LateFee"),
        IsolateTenantTable("Promise"),
        IsolateTenantTable("Exemption"),
        IsolateTenantTable("DunningNight"),
        IsolateTenantTable("CreditVoucherBatch"),
        IsolateTenantTable("CreditVoucher"),
        IsolateTenantTable("PrepaidLine"),
        IsolateTenantTable("DunningPolicyHistory", append_only=True),
        IsolateTenantTable("PromiseHistory", append_only=True),
        IsolateTenantTable("ExemptionHistory", append_only=True),
        IsolateTenantTable("DunningNightHistory", append_only=True),
        IsolateTenantTable("CreditVoucherBatchHistory", append_only=True),
    ]
