from django.db import migrations

# Each row of these tables has a key (tenant, other row), so the other row proves the tenant. Checking it once more with
# every row took a third of the checks of a billing run.
PROVEN_TENANTS_SQL = """
DO $$
DECLARE
    proven record;
BEGIN
    FOR proven IN
        SELECT conrelid::regclass AS place, conname AS name FROM pg_constraint
        WHERE contype = 'f' AND confrelid = 'tenants_tenant'::regclass
          AND conrelid IN ('billing_invoice'::regclass, 'billing_invoiceline'::regclass, 'billing_linetax'::regclass,
                           'billing_billingposition'::regclass, 'billing_subscriberbalance'::regclass,
                           'billing_rundifference'::regclass, 'billing_allocation'::regclass)
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', proven.place, proven.name);
    END LOOP;
END
$$
"""


class Migration(migrations.Migration):
    # Of its own: Django adds foreign keys when a migration ends.
    dependencies = [("billing", "0001_initial")]

    operations = [migrations.RunSQL(PROVEN_TENANTS_SQL, migrations.RunSQL.noop)]
