"""What keeps `NameSuffix` in step with the names of people: of one that is saved, and of many that are written."""

from members.pinyin import suffixes

CHUNK = 1000  # people a round


def keep(model, people):
    """Make the rows of `model` (NameSuffix, also a migration's) those of the names of `people`, [(key, name)]."""
    for start in range(0, len(people), CHUNK):
        _keep(model, people[start : start + CHUNK])


def _keep(model, people):
    wanted = {(key, text) for key, name in people for text in suffixes(name)}
    rows = model.objects.filter(person__in=[key for key, _name in people]).values_list("pk", "person_id", "text")
    stored = {(person, text): pk for pk, person, text in rows}
    if gone := [pk for row, pk in stored.items() if row not in wanted]:
        model.objects.filter(pk__in=gone).delete()
    model.objects.bulk_create(model(person_id=key, text=text) for key, text in sorted(wanted - stored.keys()))
