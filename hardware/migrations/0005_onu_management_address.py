import django.db.models.deletion
import ispcore.tenants.fields
from django.db import migrations, models

# What IsolateTenantTable would add for the new column of a table that is isolated already.
ADDRESS_SQL = """
ALTER TABLE hardware_onu ADD CONSTRAINT hardware_onu_management_address_id_same_tenant
FOREIGN KEY (tenant_id, management_address_id) REFERENCES ipam_address (tenant_id, id)
DEFERRABLE INITIALLY DEFERRED
"""


class Migration(migrations.Migration):
    dependencies = [
        ("hardware", "0004_polling_pace"),
        ("ipam", "0001_initial"),
        ("subscribers", "0010_words_can_be_truncated"),
        ("tenants", "0003_number_series"),
    ]

    operations = [
        migrations.AddField(
            model_name="onu",
            name="management_address",
            field=ispcore.tenants.fields.TenantForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="Given to it of a management pool.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="onus",
                to="ipam.address",
            ),
        ),
        migrations.AddConstraint(
            model_name="onu",
            constraint=models.UniqueConstraint(
                condition=models.Q(("management_address__isnull", False)),
                fields=("tenant", "management_address"),
                name="onu_one_per_management_address",
            ),
        ),
        migrations.RunSQL(
            ADDRESS_SQL,
            "ALTER TABLE hardware_onu DROP CONSTRAINT hardware_onu_management_address_id_same_tenant",
        ),
    ]
