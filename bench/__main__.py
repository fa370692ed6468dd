"""`python -m bench AREA`: measure one area, or all, on PostgreSQL and SQLite; each promise is held or missed."""

import argparse
import sys
from importlib import import_module

from bench.ground import Ground, GroundRefused
from bench.report import Report, quiet

AREAS = {
    "import": "bench.imports",
    "pages": "bench.pages",
    "search": "bench.search",
    "paper": "bench.paper",
    "match": "bench.matching",
}


def main():
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"{', '.join(AREAS)}; without one: all of them")
    parser.add_argument("--on", choices=["postgresql", "sqlite"], help="only on this database")
    options = parser.parse_args()
    if unknown := set(options.areas) - set(AREAS):
        parser.error(f"no area {', '.join(sorted(unknown))}: choose from {', '.join(AREAS)}")
    if remark := quiet():
        print(remark)
    promises = []
    for area in options.areas or AREAS:
        module = import_module(AREAS[area])
        for vendor in [options.on] if options.on else ["postgresql", "sqlite"]:
            report = Report(area, module.TITLE, vendor)
            with Ground(vendor) as ground:
                module.run(ground, report)
            report.save()
            promises += report.promises
    held = sum(promise.held for promise in promises)
    print(f"\n{held} of {len(promises)} promises held.")


if __name__ == "__main__":
    try:
        main()
    except GroundRefused as refusal:
        sys.exit(str(refusal))
