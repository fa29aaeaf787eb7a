from django.db import migrations, models


class Migration(migrations.Migration):
    lint_allows = {"data-change": "Only jobs that have not ended are touched: a handful."}

    dependencies = [("jobs", "0002_scheduled_run")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="queue",
            field=models.CharField(db_default="default", help_text="Whose workers do it.", max_length=20),
        ),
        migrations.RunSQL(
            "UPDATE jobs_job SET queue = params ->> 'queue', params = params - 'queue' "
            "WHERE status IN ('queued', 'running') AND params ? 'queue'",
            migrations.RunSQL.noop,
        ),
    ]
