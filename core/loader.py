"""The reference data every installation starts with: loaded after `migrate`, what is missing only, never over an edit.

The tables lie in `core/data/` and are part of the release (R49): no holiday service is asked at run time.
"""

import csv
from datetime import date
from pathlib import Path

from django.db import connections, router, transaction

from core.deadlines import recompute
from core.models import CalendarDay, CalendarYear, Deadline, DeadlineRule, RetentionRule, Setting

DATA = Path(__file__).resolve().parent / "data"


def rows_of(name):
    """The rows of one of the shipped tables, as dicts."""
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def shipped_days():
    return {
        date.fromisoformat(row["date"]): CalendarDay(
            date=date.fromisoformat(row["date"]), kind=row["kind"], name=row["name"], notice_no=row["notice_no"]
        )
        for row in rows_of("calendar_days.csv")
    }


def shipped_years():
    return {
        int(row["year"]): CalendarYear(year=int(row["year"]), notice_no=row["notice_no"], published=True)
        for row in rows_of("calendar_years.csv")
    }


def shipped_rules():
    """The rule catalogue of the rulebook, with Chinese names and wording."""
    return {
        row["code"]: DeadlineRule(
            code=row["code"],
            name=row["name"],
            length=int(row["length"]),
            unit=row["unit"],
            backward=row["direction"] == "-",
            roll=row["roll"] == "Y",
            jurisdiction=row["jurisdiction"],
            valid_from=date.fromisoformat(row["valid_from"]) if row["valid_from"] else None,
            length_status=row["length_status"],
            unit_status=row["unit_status"],
            other_length=int(row["other_length"]) if row["other_length"] else None,
            other_unit=row["other_unit"],
            side=row["side"],
            who_acts=row["who_acts"],
            starts=row["starts"],
            legal_basis=row["legal_basis"],
            consequence=row["consequence"],
            remind_before=row["remind_before"],
        )
        for row in rows_of("deadline_rules.csv")
    }


def shipped_settings():
    return {row["key"]: Setting(**row) for row in rows_of("settings.csv")}


def shipped_retention():
    return {row["kind"]: RetentionRule(**row) for row in rows_of("retention_rules.csv")}


# Model, the field that identifies a row, and the shipped rows by it. A setting is there when any of its values is.
TABLES = [
    (CalendarYear, "year", shipped_years),
    (CalendarDay, "date", shipped_days),
    (DeadlineRule, "code", shipped_rules),
    (Setting, "key", shipped_settings),
    (RetentionRule, "kind", shipped_retention),
]


@transaction.atomic
def load():
    """Add the shipped rows that are missing; return how many. Open deadlines are computed again if there are any."""
    added = 0
    for model, field, shipped in TABLES:
        there = set(model.objects.order_by().values_list(field, flat=True))
        missing = [row for key, row in shipped().items() if key not in there]
        model.objects.bulk_create(missing, ignore_conflicts=True)
        added += len(missing)
    if added and Deadline.objects.open().exists():
        recompute(by=None)
    return added


def load_after_migrate(sender, using, **kwargs):
    """Receiver of post_migrate for this app; `migrate` back to before the tables leaves nothing to load."""
    if using != router.db_for_write(Setting):
        return
    tables = set(connections[using].introspection.table_names())
    if tables.issuperset(model._meta.db_table for model, _field, _shipped in TABLES):
        load()
