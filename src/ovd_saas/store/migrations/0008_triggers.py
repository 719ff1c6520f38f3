import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0007_drift_reference"),
    ]

    operations = [
        migrations.CreateModel(
            name="Lookout",
            fields=[
                (
                    "application",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="lookout",
                        serialize=False,
                        to="store.application",
                    ),
                ),
                ("learns", models.BooleanField(default=False)),
                ("batch", models.PositiveIntegerField(default=0)),
                ("drift", models.BigIntegerField(default=0)),
                ("used", models.PositiveIntegerField(default=0)),
                ("schedule", models.CharField(blank=True, max_length=300)),
                ("look_at", models.DateTimeField(null=True)),
                ("is_held", models.BooleanField(default=False)),
                ("said", models.JSONField(default=dict)),
                ("next_what", models.CharField(blank=True, max_length=300)),
                ("next_at", models.DateTimeField(null=True)),
                (
                    "release",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="store.release",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("look_at__isnull", False)),
                        fields=["look_at"],
                        name="lookout_at",
                    ),
                    models.Index(
                        condition=models.Q(("is_held", True)),
                        fields=["application"],
                        name="lookout_held",
                    ),
                    models.Index(
                        condition=models.Q(("learns", True)),
                        fields=["application"],
                        name="lookout_learns",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="triggerevaluation",
            index=models.Index(fields=["application", "kind", "-id"], name="evaluations_of_a_kind"),
        ),
    ]
