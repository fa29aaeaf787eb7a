from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Staff look for a payment by its reference; without an index each search read all payments."""

    atomic = False
    dependencies = [("billing", "0002_proven_tenants")]

    operations = [
        AddIndexConcurrently(
            "payment",
            models.Index(
                fields=["tenant", "reference"], condition=~Q(reference=""), name="payment_by_reference"
            ),
        ),
    ]
