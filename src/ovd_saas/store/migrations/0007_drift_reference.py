import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0006_upcoming_failures")]

    operations = [
        migrations.CreateModel(
            name="DriftReference",
            fields=[
                (
                    "model",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="drift_reference",
                        serialize=False,
                        to="store.modelversion",
                    ),
                ),
                ("basis", models.CharField(max_length=64)),
                ("profile", models.JSONField()),
                ("made_at", models.DateTimeField()),
            ],
        ),
    ]
