from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0005_intake"),
    ]

    operations = [
        migrations.AddField(
            model_name="application",
            name="upcoming_failures",
            field=models.PositiveIntegerField(default=0),
        ),
    ]
