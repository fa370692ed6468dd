"""`python -m bench.document`: put the figures last measured (var/bench/*.json) into docs/performance.md.

No figure is typed by hand: what stands below the mark in that file is written by this module.
"""

import json
from pathlib import Path

from bench.report import VAR, Promise

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
MARK = "<!-- Below this line: written by `python -m bench.document` from the last run. -->\n"
AREAS = {"import": "Import", "pages": "Pages", "search": "Search", "paper": "Long papers"}
VENDORS = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


def tables():
    """Return the Markdown of every measured area."""
    parts = []
    for area, title in AREAS.items():
        for vendor, database in VENDORS.items():
            file = VAR / f"{area}-{vendor}.json"
            if file.exists():
                parts.append(_area(f"{title} on {database}", json.loads(file.read_text())))
    return "\n".join(parts)


def _area(title, facts):
    machine = facts["machine"]
    lines = [
        f"\n## {title}\n",
        f"`make bench AREA={facts['area']} ON={facts['database']}` · {machine['at']} · {machine['cores']} cores "
        f"({machine['cpu']}), {machine['memory_gb']} GB, Python {machine['python']} · load before: "
        f"{machine['load_before']:.1f}\n",
        "| promise | seen | asked | |",
        "| --- | ---: | ---: | --- |",
    ]
    for each in facts["promises"]:
        promise = Promise(**{name: each[name] for name in ("text", "have", "need", "at_least", "unit")})
        sign = "≥" if promise.at_least else "≤"
        verdict = "held" if promise.held else "**missed**"
        lines.append(f"| {promise.text} | {promise.have:.3g} {promise.unit} | {sign} {promise.need:g} | {verdict} |")
    lines += ["", "| measured | ms | rows/s | MB | |", "| --- | ---: | ---: | ---: | --- |"]
    for each in facts["measures"]:
        speed = f"{each['rows'] / each['seconds']:,.0f}" if each["rows"] else ""
        memory = f"{each['mb']:,.0f}" if each["mb"] else ""
        lines.append(f"| {each['name']} | {each['seconds'] * 1000:,.2f} | {speed} | {memory} | {each['note']} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    said = DOCUMENT.read_text(encoding="utf-8").partition(MARK)[0]
    DOCUMENT.write_text(said + MARK + tables(), encoding="utf-8")
