from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("hardware", "0003_provisioning_details")]

    operations = [
        migrations.AddField(
            model_name="oltpolling",
            name="slowed_at",
            field=models.DateTimeField(
                help_text="When it was last asked for fewer rows, or for more again.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="onu",
            name="signal",
            field=models.CharField(
                choices=[
                    ("good", "Good"),
                    ("warning", "Warning"),
                    ("critical", "Critical"),
                    ("overload", "Overload"),
                    ("none", "No reading"),
                ],
                default="none",
                help_text="The worse class of what it receives and what the OLT receives of it, by the limits.",
                max_length=10,
            ),
        ),
    ]
