"""Every page at a million members, for users who reach the whole city, a district, a street and one union.

A page is asked for in process, through every middleware, with a signed-in session and a real cache; its own time on a
town of 10,000 members is measured in the same run, town and city in turn.
"""

from collections import defaultdict
from dataclasses import replace
from statistics import median

from bench.servers import Broker

TITLE = "Pages at 1,000,000 members"
USERS = ("city", "district", "street", "leaf", "large union", "keeper")
PASSES = 2  # of town and city each, in turn
GROWTH = 1.5  # a page's time in the city, against its own in the town
QUERIES = 15


def run(ground, report):
    """Measure on the seeded town and city; peers are Django's admin over the same table and a plain empty page."""
    broker = Broker()
    broker.start()
    try:
        town, city = (_with(ground.seeded(scale), REDIS_URL=broker.url) for scale in ("town", "city"))
        city.manage("collectstatic", "--noinput", "--verbosity", "0")  # pages name their files by its list
        timed = {user: [_Timed(), _Timed()] for user in USERS}
        for user in USERS:
            for _pass in range(PASSES):
                for place, database in enumerate((town, city)):
                    timed[user][place].add(database.run("bench.visits:measure", user=user))
        usual = _with(city, DJANGO_SETTINGS_MODULE="bench.plain_settings").run("bench.visits:usual")
        export = city.run("bench.visits:export")
    finally:
        broker.remove()
    for user, (small, large) in timed.items():
        for page in large.pages:
            note = f"{large.p95(page):.1f} ms p95; {small.p50(page):.2f} ms in the town; {large.queries[page]} queries"
            report.measured(f"{user}: {page}", large.p50(page) / 1000, mb=large.mb, note=note)
    for page, seconds in usual["pages"].items():
        report.measured(page, seconds, mb=usual["mb"])
    report.measured("export of a district's members", export["seconds"], rows=export["rows"], mb=export["mb"])
    _promise(report, timed, {page: median(seconds) * 1000 for page, seconds in usual["pages"].items()})


def _promise(report, timed, usual):
    growths = defaultdict(list)
    for user, (small, large) in timed.items():
        for page in large.pages:
            if page in small.pages:
                growths[page].append((large.p50(page) / small.p50(page), user))
    for page, found in growths.items():
        growth, user = max(found)
        report.promise(f"{page}: in the city against the town, the slowest user ({user})", growth, at_most=GROWTH)
    ours = timed["city"][1]
    for page, peer in (("members", "tuned admin"), ("members, near the end", "tuned admin, near the end")):
        report.promise(f"{page}: faster than the {peer}", usual[peer] / ours.p50(page), at_least=10)
    empty = ours.p50("empty page") / usual["plain empty page"]
    report.promise("empty page: against Django's own with a session", empty, at_most=3)
    most, page = max((number, page) for _small, large in timed.values() for page, number in large.queries.items())
    report.promise(f"queries of the page with the most ({page})", most, at_most=QUERIES, unit="queries")


class _Timed:
    """What one user's pages took on one database, all passes together."""

    def __init__(self):
        self.pages, self.queries, self.mb = defaultdict(list), {}, 0.0

    def add(self, answer):
        for page, (seconds, queries) in answer["pages"].items():
            self.pages[page] += seconds
            self.queries[page] = queries
        self.mb = max(self.mb, answer["mb"])

    def p50(self, page):
        return median(self.pages[page]) * 1000

    def p95(self, page):
        return sorted(self.pages[page])[int(len(self.pages[page]) * 0.95)] * 1000


def _with(database, **environment):
    return replace(database, environment=database.environment | environment)
