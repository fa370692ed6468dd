"""What `bench.matching` measures, each in a process of its own: many numbers against the register."""

import csv
import random
import time
from itertools import islice

from django.db import connection, transaction

from assistance.matching import COLUMNS, MOST_ROWS, Numbers
from assistance.models import MatchNumber
from bench.ground import VAR
from core import bulk, secrets, sheets
from members.identity import check_character, normalise_number
from members.models import Person

FILE = VAR / "numbers.csv"
REGISTER = f"SELECT id AS key, id_index FROM {Person._meta.db_table}"
FIELD = Person._meta.get_field("id_number")


def prepare(rows):
    """Write an answer of so many rows: half of them people of the register, half nobody's, in no order."""
    draw = random.Random(rows)
    people = Person.objects.order_by("pk").values_list("id_number", "uuid")[: rows // 2]
    numbers = [secrets.unseal(sealed, FIELD.place(uuid)) for sealed, uuid in people.iterator(chunk_size=5000)]
    numbers += [_nobodys(place) for place in range(rows - len(numbers))]
    draw.shuffle(numbers)
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["身份证号", "姓名", "核对结果"])
        writer.writerows([number, "安建国", "一致"] for number in numbers)
    return {"rows": len(numbers)}


def _nobodys(place):
    rest, sequence = divmod(place, 1000)
    rest, day = divmod(rest, 28)
    year, month = divmod(rest, 12)
    head = f"659001{1930 + year}{month + 1:02d}{day + 1:02d}{sequence:03d}"
    return head + check_character(head)


def ours():
    """As the job of an answer does it: the file read, every number put aside, joined, counted."""
    began = time.perf_counter()
    for _row in sheets.read(FILE, FILE.name, COLUMNS, most=MOST_ROWS).rows:
        pass
    read = time.perf_counter() - began
    began = time.perf_counter()
    sheet = sheets.read(FILE, FILE.name, COLUMNS, most=MOST_ROWS)
    with bulk.aside(MatchNumber), bulk.uncollected():
        numbers = Numbers()
        numbers.put((row, normalise_number(sheets.text(cells[0]))) for row, cells in sheet.rows)
        hits = sum(1 for _hit in numbers.joined(REGISTER))
        numbers.different()
    return {"seconds": time.perf_counter() - began, "hits": hits, "read": read}


def limit():
    """HMAC, bulk writer and join, and nothing else: the numbers lie in memory."""
    numbers = list(_numbers())
    began = time.perf_counter()
    blind = secrets.blinder("id_number")
    with bulk.aside(MatchNumber), bulk.uncollected(), transaction.atomic(), bulk.roomy():
        bulk.insert(MatchNumber, ("row", "id_index"), ((row, blind(number)) for row, number in enumerate(numbers)))
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT COUNT(*) FROM {MatchNumber._meta.db_table} n JOIN ({REGISTER}) r ON r.id_index = n.id_index"
            )
            hits = cursor.fetchone()[0]
    return {"seconds": time.perf_counter() - began, "hits": hits}


def usual(rows):
    """A thousand at a time: `filter(id_index__in=…)`."""
    numbers = islice(_numbers(), rows)
    blind = secrets.blinder("id_number")
    began, hits = time.perf_counter(), 0
    while chunk := list(islice(numbers, 1000)):
        hits += len(
            Person.objects.filter(id_index__in=[blind(number) for number in chunk]).values_list("pk", "id_index")
        )
    return {"seconds": time.perf_counter() - began, "hits": hits}


def _numbers():
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        yield from (row[0] for row in rows)
