"""The search box at a million members: every way of asking, for users who reach much and little.

Measured is the whole page in process, through every middleware with a signed-in session; beside it stands what the
members' search alone takes of that. Each text is asked for once: nothing is warm but the tables.
"""

from dataclasses import replace
from statistics import median

from bench.servers import Broker

TITLE = "Search at 1,000,000 members"
LIMIT_MS = 10
USERS = ("city", "district", "street", "small street", "large union", "leaf")


def run(ground, report):
    """Measure on the seeded city; the admin's search in the same table is the peer."""
    broker = Broker()
    broker.start()
    try:
        database = _with(ground.seeded("city"), REDIS_URL=broker.url)
        database.manage("collectstatic", "--noinput", "--verbosity", "0")  # pages name their files by its list
        found = {user: database.run("bench.searches:measure", user=user) for user in USERS}
        peers = _with(database, DJANGO_SETTINGS_MODULE="bench.plain_settings")
        usual = {name: peers.run("bench.searches:usual", name=name) for name in ("stock", "tuned")}
    finally:
        broker.remove()
    for user, timed in found.items():
        for kind, (pages, queries) in timed["kinds"].items():
            note = f"p95 {_p95(pages):.1f} ms; the query p50 {median(queries) * 1000:.1f}, p95 {_p95(queries):.1f} ms"
            report.measured(f"{user}: {kind}", median(pages), mb=timed["mb"], note=note)
    for name, timed in usual.items():
        for kind, pages in timed["kinds"].items():
            report.measured(f"{name} admin: {kind}", median(pages), mb=timed["mb"], note=f"p95 {_p95(pages):.1f} ms")
    for kind in found["city"]["kinds"]:
        asked = {user: timed["kinds"][kind][0] for user, timed in found.items() if kind in timed["kinds"]}
        slowest, user = max((_p95(pages), user) for user, pages in asked.items())
        report.promise(f"{kind}: 95 of 100 pages, the slowest user ({user})", slowest, at_most=LIMIT_MS, unit="ms")
    for kind, pages in usual["stock"]["kinds"].items():
        ours = median(found["city"]["kinds"][kind][0])
        report.promise(f"{kind}: against the stock admin", median(pages) / ours, at_least=10)


def _with(database, **environment):
    return replace(database, environment=database.environment | environment)


def _p95(seconds):
    """The time in milliseconds that 95 of 100 stay below."""
    return sorted(seconds)[int(len(seconds) * 0.95)] * 1000
