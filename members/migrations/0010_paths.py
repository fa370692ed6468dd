from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0010_findings_aside'),
        ('members', '0009_names_covered'),
        ('unions', '0003_kinds'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='membership',
            name='members_mem_union_i_e39eae_idx',
        ),
        migrations.AddField(
            model_name='membership',
            name='path',
            field=models.CharField(default='', editable=False, max_length=60),
        ),
        migrations.RunSQL(
            "UPDATE members_membership SET path ="
            " (SELECT path FROM unions_union WHERE unions_union.id = members_membership.union_id)",
            migrations.RunSQL.noop,
        ),
        migrations.AddIndex(
            model_name='membership',
            index=models.Index(fields=['path', '-id', 'state'], name='members_mem_path_238e0f_idx'),
        ),
    ]
