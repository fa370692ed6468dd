"""People stored before this release get what their names are found and sorted by, in short transactions."""

from django.db import connection, migrations, transaction

from members import suffixes
from members.pinyin import name_keys

CHUNK = 2000
FILL = "UPDATE members_person SET name_pinyin = %s, name_initials = %s, name_sort = %s, id_tail = %s WHERE id = %s"


def fill(apps, schema_editor):
    person, suffix = apps.get_model("members", "Person"), apps.get_model("members", "NameSuffix")
    last = 0
    while rows := list(
        person.objects.filter(pk__gt=last, name_sort="").order_by("pk").values_list("pk", "name", "id_masked")[:CHUNK]
    ):
        last = rows[-1][0]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(FILL, [(*name_keys(name).values(), masked[-4:], pk) for pk, name, masked in rows])
            suffixes.keep(suffix, [(pk, name) for pk, name, _masked in rows])


class Migration(migrations.Migration):
    atomic = False  # a killed one goes on where it stood
    dependencies = [("members", "0003_imports")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
