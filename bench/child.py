"""One measured function in a process of its own: `python -m bench.child bench.imports:stock '{"rows": 5000}'`."""

import json
import os
import sys
from importlib import import_module
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def peak_mb():
    """The most memory this process ever held, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    django.setup()
    place, _colon, name = sys.argv[1].partition(":")
    answer = getattr(import_module(place), name)(**json.loads(sys.argv[2]))
    print(json.dumps(answer | {"mb": peak_mb()}))
