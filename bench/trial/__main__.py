"""`python -m bench.trial --minutes 10`: two web and two worker processes under load, one of each killed in the middle.

Its PostgreSQL and its Redis are its own, on ports of their own. It ends with 0 when nothing was lost and nothing
doubled; figures and faults are printed and kept in var/bench/trial.json.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from statistics import quantiles

from bench.ground import ROOT, keys
from bench.report import VAR, machine, quiet
from bench.servers import Broker, Cluster, Portal, cpu_seconds, free_port, listens, wait_for
from bench.trial.officers import Officer

PASSWORD = "Only-for-the-Trial-9"  # noqa: S105 — of invented officers, in a database that is removed at the end
DOWN = 20.0  # seconds a killed part stays away
SETTLE = 400  # seconds in which all jobs must be finished after the load has ended
SLOW_START = 5.0  # seconds of the beginning that are left out of the figures


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.trial", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--officers", type=int, default=8)
    parser.add_argument("--no-kills", action="store_true", help="the same load with nothing killed, for comparison")
    options = parser.parse_args()
    if remark := quiet():
        print(remark)
    signal.signal(signal.SIGTERM, lambda *_received: sys.exit("Stopped."))  # and nothing of ours runs on
    VAR.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="portal-trial-"))
    cluster, broker = Cluster(), Broker()
    try:
        cluster.start()
        broker.start()
        code = Trial(cluster, broker, folder, options).run()
    finally:
        broker.remove()
        cluster.remove()
    if code:
        print(f"What the parts logged: {folder}/parts")
    else:
        shutil.rmtree(folder)
    sys.exit(code)


class Trial:
    """One run: seed, load with kills, settle, verdict."""

    def __init__(self, cluster, broker, folder, options):
        self.cluster, self.folder, self.options = cluster, folder, options
        self.seconds = options.minutes * 60
        self.environment = keys() | {
            "ENV_FILE": os.devnull,
            "DATABASE_URL": cluster.url(),
            "REDIS_URL": broker.url,
            "FILES_ROOT": str(folder / "files"),
            "TRUSTED_PROXIES": "1",
            "LOGIN_RATE": "1000/m/ip",
            "LOG_LEVEL": "WARNING",
        }
        self.portal = Portal(self.environment, folder / "parts")
        self.killed, self.cpu, self.gone = {}, {}, []

    def run(self):
        """Run it all; returns the exit code."""
        self.portal.manage("collectstatic", "--noinput", "--verbosity", "0")
        self.portal.manage("migrate", "--verbosity", "0")
        seeded = self.child("bench.trial.verdict:seed", officers=self.options.officers, password=PASSWORD)
        self.cluster.execute("VACUUM ANALYZE")
        print(f"{seeded['members']} members, {self.options.officers} officers, {self.options.minutes:g} minutes")
        ports = [free_port(), free_port()]
        try:
            webs = [self.portal.web(port) for port in ports]
            workers = [self.portal.worker("one"), self.portal.worker("two")]
            self.portal.beat()
            time.sleep(3)
            officers = self.load(seeded["accounts"], ports, webs, workers)
            settled = self.settle()
            (self.folder / "officers.json").write_text(json.dumps([officer.facts() for officer in officers]))
            found = self.child(
                "bench.trial.verdict:check",
                file=str(self.folder / "officers.json"),
                worker_killed_at=self.killed.get("worker", {}).get("epoch"),
            )
        finally:
            self.portal.stop()
        if not settled:
            found["faults"].append(f"jobs unfinished {SETTLE} seconds after the end")
        found["faults"] += [f"{officer.name} {defect}" for officer in officers for defect in officer.defects]
        found["faults"] += [
            f"{sample.name} answered 500" for officer in officers for sample in officer.samples if sample.kind == "500"
        ]
        return self.report(officers, found)

    def child(self, function, **parameters):
        """Call a function in a Django process of the portal's environment; returns its answer (a dict)."""
        if function.endswith(":seed"):
            parameters["folder"] = str(self.folder)
        done = subprocess.run(
            [sys.executable, "-m", "bench.child", function, json.dumps(parameters)], cwd=ROOT, check=True, text=True,
            env=os.environ | self.environment, stdout=subprocess.PIPE,
        )  # fmt: skip
        return json.loads(done.stdout.splitlines()[-1])

    def load(self, accounts, ports, webs, workers):
        """Let the officers work, and kill one web server and one worker in the middle; returns the officers."""
        self.began = time.monotonic()
        until = self.began + self.seconds
        officers = [
            Officer(number, account, accounts[(number + 1) % len(accounts)], ports, until)
            for number, account in enumerate(accounts)
        ]
        before = {part: self.used(part, webs, workers) for part in ("web", "worker", "PostgreSQL")}
        for officer in officers:
            officer.start()
        if not self.options.no_kills:
            self.kill_web(webs, ports[0], self.began + self.seconds * 0.3)
            self.kill_worker(workers, self.began + self.seconds * 0.6)
        time.sleep(max(0.0, until - time.monotonic() - 1))
        self.cpu = {part: self.used(part, webs, workers) - before[part] for part in before}
        for officer in officers:
            officer.join(120)
            if officer.is_alive():
                officer.defects.append("waits for ever")
        return officers

    def used(self, part, webs, workers):
        """Processor seconds used so far by a kind of part; what was killed counts up to its end."""
        roots = {"web": webs, "worker": workers}.get(part)
        if roots is None:
            return cpu_seconds(self.cluster.pid())
        return sum(cpu_seconds(process.pid) for process in roots) + sum(
            seconds for name, seconds in self.gone if name == part
        )

    def kill_web(self, webs, port, when):
        time.sleep(max(0.0, when - time.monotonic()))
        self.gone.append(("web", cpu_seconds(webs[0].pid)))
        at = self.note("web")
        self.portal.kill(webs[0])
        time.sleep(DOWN)
        again = time.monotonic()
        webs[0] = self.portal.web(port)
        wait_for(lambda: listens(port), what="web")
        self.killed["web"] |= {"started": again - at, "listens": time.monotonic() - at}

    def kill_worker(self, workers, when):
        time.sleep(max(0.0, when - time.monotonic()))
        end = time.monotonic() + min(30, self.seconds / 10)  # at best while it is at work: that is the harder case
        while time.monotonic() < end and not self.at_work():
            time.sleep(0.02)
        self.gone.append(("worker", cpu_seconds(workers[0].pid)))
        self.note("worker")
        self.portal.kill(workers[0])
        time.sleep(DOWN)
        workers[0] = self.portal.worker("three")

    def at_work(self):
        """Whether two jobs are running: then the worker about to be killed has one."""
        return self.cluster.execute("SELECT count(*) FROM core_job WHERE state = 'running'")[0][0] >= 2

    def note(self, part):
        at = time.monotonic()
        self.killed[part] = {"at": at - self.began, "epoch": time.time()}
        return at

    def settle(self):
        """Wait until no job waits or runs; returns whether that came about."""
        end = time.monotonic() + SETTLE
        while time.monotonic() < end:
            if not self.child("bench.trial.verdict:unfinished")["jobs"]:
                return True
            time.sleep(2)
        return False

    # --- What is told -----------------------------------------------------------------------------------------

    def report(self, officers, found):
        """Print and keep the figures; returns 0 when nothing is amiss."""
        samples = [sample for officer in officers for sample in officer.samples]
        bad = [sample for sample in samples if sample.kind[0] in "5bn"]
        steady = [sample for sample in samples if sample.began > self.began + SLOW_START]
        kinds = Counter(sample.kind if sample.kind[0] in "5bn" else "answered" for sample in samples)
        errors = len(bad)
        facts = {
            "machine": machine(),
            "minutes": self.options.minutes,
            "officers": self.options.officers,
            "kills": not self.options.no_kills,
            "requests": len(samples),
            "requests_per_second": len(samples) / self.seconds,
            "errors": dict(kinds),
            "error_rate": errors / max(1, len(samples)),
            "processor_ms_per_request": {
                part: seconds * 1000 / len(samples) for part, seconds in self.cpu.items() if part != "worker"
            },
            "pages": pages(steady),
            "killed": self.killed,
            "bad": [[round(s.began - self.began, 1), round(s.seconds, 1), s.name, s.kind, s.port] for s in bad],
            "recovery": self.recovery(samples, found["worker_recovery"]),
            **{name: found[name] for name in ("writes", "jobs", "taken_over", "papers", "members", "events", "faults")},
        }
        (VAR / "trial.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n")
        told(facts)
        return 1 if found["faults"] else 0

    def recovery(self, samples, worker):
        """How long after each kill something was still amiss, in seconds."""
        if not self.killed:
            return {}
        at = self.began + self.killed["web"]["at"]
        late = [s.began + s.seconds - at for s in samples if s.kind[0] in "5bn" and at - 1 < s.began < at + 60]
        return {"web": max(late, default=0.0), "worker": worker}


def pages(samples):
    """[(page, number, p50, p95, p99 in ms)] of the answered requests, the slowest first."""
    times = defaultdict(list)
    for sample in samples:
        if sample.kind[0] not in "bn":
            times[sample.name].append(sample.seconds * 1000)
    rows = []
    for name, values in times.items():
        cuts = quantiles(values, n=100, method="inclusive") if len(values) > 1 else values * 99
        rows.append({"page": name, "requests": len(values), "p50": cuts[49], "p95": cuts[94], "p99": cuts[98]})
    return sorted(rows, key=lambda row: -row["p95"])


def told(facts):
    """Print what a reader wants to know."""
    print(
        f"\n{facts['requests']} requests, {facts['requests_per_second']:.1f} a second;"
        f" errors {facts['error_rate']:.3%} {facts['errors']}"
    )
    print("processor ms a request:", {part: round(ms, 1) for part, ms in facts["processor_ms_per_request"].items()})
    print(f"{'page':<24}{'requests':>10}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}")
    for row in facts["pages"]:
        print(f"{row['page']:<24}{row['requests']:>10}{row['p50']:>9.0f}{row['p95']:>9.0f}{row['p99']:>9.0f}")
    print("writes:", dict(sorted(facts["writes"].items())))
    print(f"jobs: {facts['jobs']}, taken over from a killed worker: {facts['taken_over']}; papers: {facts['papers']}")
    for part, seconds in facts["recovery"].items():
        print(f"recovery of {part}: {'nothing was cut off' if seconds is None else f'{seconds:.1f} s'}")
    for fault in facts["faults"]:
        print(f"FAULT  {fault}")
    print("nothing lost, nothing doubled" if not facts["faults"] else f"{len(facts['faults'])} faults")


if __name__ == "__main__":
    main()
