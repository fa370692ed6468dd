"""`make bench AREA=import`: a register from upload to stored, against the usual ways, and what it does to others."""

from concurrent.futures import ThreadPoolExecutor
from statistics import median

from bench.ground import GroundRefused

TITLE = "Import of a register"
ROWS = 100_000
LARGE = 300_000  # the most that one file may hold
SAMPLE = 5_000  # of the peers that are slower than thirty seconds
REPEATS = 3
MEMORY = 400  # MB a process
OURS, BY_HAND = "bench.importing:ours", "bench.peers_import:by_hand"
STEPS = {
    "upload": "ours: upload",
    "read": "ours: read, check, seal, stage",
    "commit": "ours: commit",
    "search": "after it: search for duplicates",
    "returned": "on request: the returned workbook",
    "undo": "on request: take the import back",
}


def run(ground, report):
    with ground.fresh() as database:
        database.run("bench.registers:prepare", sizes=[SAMPLE, ROWS, LARGE])
    empty = _into_an_empty_table(ground, report)
    _import_export(ground, report, empty)
    _into_a_city(ground, report, empty)
    _large(ground, report)


def _into_an_empty_table(ground, report):
    """Ours and the one by hand in turn; returns the seconds of ours."""
    runs = {OURS: [], BY_HAND: []}
    for _repeat in range(REPEATS):
        for function, found in runs.items():
            with ground.fresh() as database:
                found.append(database.run(function, rows=ROWS))
    if len({(answer["members"], answer["people"]) for found in runs.values() for answer in found}) > 1:
        raise GroundRefused("The ways of importing do not store the same rows.")
    _note_steps(report, runs[OURS], "upload", "read", "commit")
    ours = _note(report, f"ours: {ROWS:,} rows into an empty table", runs[OURS], ROWS, "import_mb")
    by_hand = _note(report, "by hand: calamine, bulk_create by 1,000, no preview", runs[BY_HAND], ROWS)
    with ground.fresh() as database:
        answers = [database.run("bench.importing:limit", rows=ROWS)]
    _note(report, "limit: the bulk writer alone, checked and sealed before", answers, ROWS)
    if report.vendor == "postgresql":
        report.promise("by hand with bulk_create : ours", by_hand / ours, at_least=2.5)
    return ours


def _import_export(ground, report, ours):
    seconds = {}
    for name in ("tuned", "stock"):
        with ground.fresh() as database:
            answers = [database.run(f"bench.peers_import:{name}", rows=SAMPLE)]
        seconds[name] = _note(report, f"import-export, {name}: dry run and real", answers, SAMPLE) * ROWS / SAMPLE
    need = 25 if report.vendor == "postgresql" else 15
    report.promise(f"import-export, stock (scaled from {SAMPLE:,}) : ours", seconds["stock"] / ours, at_least=need)


def _into_a_city(ground, report, empty):
    """Into 1,000,000 rows, with somebody enrolling and somebody reading meanwhile; then what follows an import."""
    runs = []
    for _repeat in range(REPEATS - 1):
        with ground.fresh("city") as database:
            runs.append(database.run(OURS, rows=ROWS))
    city = _note(report, f"ours: {ROWS:,} rows into 1,000,000", runs, ROWS, "import_mb")
    report.promise("seconds a row, into 1,000,000 rows : into an empty table", city / empty, at_most=1.5)
    with ground.fresh("city") as database, ThreadPoolExecutor() as beside:
        waiting = {name: beside.submit(database.run, f"bench.importing:{name}") for name in ("neighbour", "reader")}
        answer = database.run(OURS, rows=ROWS, follow=["search", "returned", "undo"])
        waits = {name: future.result() for name, future in waiting.items()}
    _note_steps(report, [answer], "search", "returned", "undo")
    for name, doing in (("neighbour", "enrols a member"), ("reader", "reads a list")):
        longest, times = waits[name]["longest"], waits[name]["times"]
        report.measured(f"longest wait of whoever {doing} meanwhile", longest, note=f"of {times}")


def _large(ground, report):
    with ground.fresh() as database:
        answer = database.run(OURS, rows=LARGE)
    _note(report, f"ours: {LARGE:,} rows into an empty table", [answer], LARGE, "import_mb")
    report.promise(f"peak of a process at {LARGE:,} rows", answer["import_mb"], at_most=MEMORY, unit="MB")


def _note(report, name, answers, rows, memory="mb"):
    mb = max(answer[memory] for answer in answers)
    return report.measured(name, [answer["seconds"] for answer in answers], rows=rows, mb=mb)


def _note_steps(report, answers, *steps):
    for step in steps:
        note = f"{answers[0]['returned_mb']:.1f} MB" if step == "returned" else ""
        report.measured(STEPS[step], median(answer["steps"][step] for answer in answers), rows=ROWS, note=note)
