"""`make bench AREA=match`: the numbers of an answer of civil affairs against the register, and the usual way."""

TITLE = "Match of 1,000,000 numbers"
SCALE = "city"
ROWS = 1_000_000
SAMPLE = 100_000  # of the usual way, which is slower than thirty seconds
REPEATS = 3
MEMORY = 200  # MB of the process


def run(ground, report):
    """Ours, the limit and the usual way on the seeded register, half of whose numbers are asked about."""
    database = ground.seeded(SCALE)
    database.run("bench.matched:prepare", rows=ROWS)
    found = {name: [] for name in ("ours", "limit")}
    for _repeat in range(REPEATS):
        for name, answers in found.items():
            answers.append(database.run(f"bench.matched:{name}"))
    usual = database.run("bench.matched:usual", rows=SAMPLE)
    hits = {answer["hits"] for answers in found.values() for answer in answers}
    if len(hits) > 1:
        raise RuntimeError(f"The ways do not find the same numbers: {hits}.")
    ours = _note(report, "ours: read, put aside as blind indexes, joined, counted", found["ours"], ROWS)
    limit = _note(report, "limit: HMAC, bulk writer and join alone", found["limit"], ROWS)
    scaled = _note(report, f"id__in by 1,000, {SAMPLE:,} numbers", [usual], SAMPLE) * ROWS / SAMPLE
    read = [answer["read"] for answer in found["ours"]]
    report.measured("of ours: reading the file", read, rows=ROWS)
    report.promise("ours : limit", ours / limit, at_most=2)
    report.promise("peak of the process", max(answer["mb"] for answer in found["ours"]), at_most=MEMORY, unit="MB")
    report.measured(f"id__in by 1,000 (scaled from {SAMPLE:,}) : ours = {scaled / ours:.1f}", scaled, rows=ROWS)


def _note(report, name, answers, rows):
    mb = max(answer["mb"] for answer in answers)
    return report.measured(name, [answer["seconds"] for answer in answers], rows=rows, mb=mb)
