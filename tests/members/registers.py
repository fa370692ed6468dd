"""Registers for the tests: rows written as a CSV file, imported through the same code as the command line."""

import csv
from contextlib import contextmanager

from django.db import transaction

from core import imports
from tests.members.people import number

HEADERS = ("姓名", "身份证号", "所属工会编码", "手机号", "入会日期", "用工形式")


def row(
    name="张三", id_number="", union="T0101001", phone="13800131234", joined_on="2019-03-05", employment="劳动合同"
):
    """One row in the order of HEADERS; without a number it is that of the first invented man."""
    return (name, number(1) if id_number == "" else id_number, union, phone, joined_on, employment)


def write(folder, rows, headers=HEADERS, name="名册.csv"):
    """Write `rows` below `headers` and return the path; the first row is row 2."""
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([headers, *rows])
    return path


def import_(folder, rows, *, by, commit=True, headers=HEADERS, key="members"):
    """Import `rows` and return the codes of each, in order."""
    found, _counts = imports.run_file(key, write(folder, rows, headers), by=by, commit_it=commit)
    return [codes for _row, _outcome, codes in found]


@contextmanager
def undone():
    """Undo whatever is written inside: one example of many."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
