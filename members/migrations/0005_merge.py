from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("members", "0004_names_found")]

    operations = [
        migrations.AddIndex(model_name="person", index=models.Index(fields=["born_on"], name="members_per_born_on_bfa437_idx")),
    ]
