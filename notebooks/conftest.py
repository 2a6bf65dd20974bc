"""nbval masks numbers in text only: leave the claim's record, which repeats its line, aside."""

import pytest

RECORD = "application/vnd.ntklib.claim+json"


def pytest_collectstart(collector: pytest.Collector) -> None:
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += (RECORD,)
