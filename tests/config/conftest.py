"""What is tested here (the runner, set-up, containers) brings its own embedded parts: once is enough."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.once)
