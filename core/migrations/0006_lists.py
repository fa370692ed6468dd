from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0005_accounts"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.AddField("export", "tops", models.JSONField(default=list)),
        migrations.AddField(
            "savedview", "is_default", models.BooleanField(default=False, verbose_name="opens by default")
        ),
        migrations.AddConstraint(
            "savedview",
            models.UniqueConstraint(
                condition=models.Q(("is_default", True)), fields=("user", "page"), name="saved_view_one_default"
            ),
        ),
    ]
