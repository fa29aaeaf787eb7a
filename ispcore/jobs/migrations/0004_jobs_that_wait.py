from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("jobs", "0003_job_queue")]

    operations = [
        AddIndexConcurrently(
            model_name="job",
            index=models.Index(
                fields=["tenant", "queue", "created_at", "id"],
                condition=models.Q(dispatched_at=None, status="queued"),
                name="job_waiting",
            ),
        ),
    ]
