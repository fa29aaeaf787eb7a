import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import billing.models.fields


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
    ]
