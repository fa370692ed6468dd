"""What was measured, against what was promised: printed, and kept in var/bench/ as JSON."""

import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

VAR = Path(__file__).resolve().parent.parent / "var" / "bench"


@dataclass(frozen=True)
class Measure:
    """One thing measured: seconds (median of the repeats), what they were for, and the peak memory of its process."""

    name: str
    seconds: float
    rows: int = 0  # 0: not counted in rows
    mb: float = 0.0  # 0: not measured
    note: str = ""


@dataclass(frozen=True)
class Promise:
    """`have` is to be at least (`at_least`) or at most `need`, in `unit`."""

    text: str
    have: float
    need: float
    at_least: bool
    unit: str

    @property
    def held(self):
        return self.have >= self.need if self.at_least else self.have <= self.need

    def __str__(self):
        sign = "≥" if self.at_least else "≤"
        return f"{'held  ' if self.held else 'MISSED'}  {self.text}: {self.have:.4g} {self.unit} ({sign} {self.need:g})"


class Report:
    """The measures and promises of one area on one database."""

    def __init__(self, area, title, vendor):
        self.area, self.vendor = area, vendor
        self.measures, self.promises = [], []
        self.machine = machine()
        print(f"\n{title} · {vendor}")

    def measured(self, name, seconds, *, rows=0, mb=0.0, note=""):
        """Note one measure; `seconds` is a number or the list of the repeats. Returns the median in seconds."""
        if isinstance(seconds, list):
            note = f"[{min(seconds):.4g}..{max(seconds):.4g}] n={len(seconds)} {note}".strip()
            seconds = median(seconds)
        self.measures.append(Measure(name, seconds, rows, mb, note))
        speed = f"{rows / seconds:>10,.0f} rows/s" if rows else " " * 17
        print(f"  {name:<58}{seconds * 1000:>12,.2f} ms{speed}{f'{mb:>8,.0f} MB' if mb else ''}  {note}")
        return seconds

    def promise(self, text, have, *, at_least=None, at_most=None, unit="×"):
        """Hold what was measured against what was promised."""
        need = at_most if at_least is None else at_least
        promise = Promise(text, have, need, at_least is not None, unit)
        self.promises.append(promise)
        print(f"  {promise}")

    def save(self):
        """Keep the report as var/bench/AREA-DATABASE.json."""
        VAR.mkdir(parents=True, exist_ok=True)
        facts = {
            "area": self.area,
            "database": self.vendor,
            "machine": self.machine,
            "measures": [asdict(measure) for measure in self.measures],
            "promises": [asdict(promise) | {"held": promise.held} for promise in self.promises],
        }
        (VAR / f"{self.area}-{self.vendor}.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n")


def machine():
    """Return what the figures were measured on."""
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "at": datetime.now().astimezone().isoformat(timespec="minutes"),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1024**2, 1),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def quiet():
    """Return a warning when the machine is busy with other things, else an empty string."""
    load = os.getloadavg()[0]
    return f"Other work runs here (load {load:.1f}): the ratios will be less certain." if load > 0.7 else ""


def _lines(path):
    return Path(path).read_text().splitlines() if Path(path).exists() else []
