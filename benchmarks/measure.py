"""Rows and growths measured: two workers, asked in turns."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.plan import Growth, Peer, Row
from benchmarks.worker import Worker

PAUSE = 0.2  # seconds: threads of linear algebra spin on after a call
SAME = 0.05  # an error above it is another kernel, not rounding


@dataclass(frozen=True)
class Runner:
    """Where both sides run, and how often.

    Args:
        own: the interpreter with ntklib.
        peers: that with the peers.
        most: timed calls of a side at most; at least three if they fit the time.
        patience: seconds after which no further pair of calls begins.
        platforms: where ntklib's JAX may compute.
    """

    own: Path
    peers: Path
    most: int = 9
    patience: float = 10.0
    platforms: str = "cpu"

    @contextmanager
    def sides(self, family: str, peer: Peer, double: bool) -> Iterator[tuple[Worker, Worker]]:
        """Both workers."""
        other = self.peers if peer.package else self.own
        with (
            Worker(self.own, family, double=double, platforms=self.platforms) as ours,
            Worker(other, family, double=double) as theirs,
        ):
            yield ours, theirs

    def turns(self, ours: Worker, theirs: Worker) -> tuple[float, float]:
        """Median seconds of both, one turn after the other's."""

        def seconds(worker: Worker) -> float:
            time.sleep(PAUSE)
            found: float = worker.ask("time")
            return found

        times: list[tuple[float, float]] = []
        start = time.monotonic()
        while len(times) < self.most and (
            len(times) < 2 or time.monotonic() - start < self.patience
        ):
            times.append((seconds(ours), seconds(theirs)))
        left, right = zip(*times, strict=True)
        return median(left), median(right)

    def row(self, row: Row) -> dict[str, Any]:
        """Everything that is recorded of a row."""
        sizes, dtype = dict(row.sizes), row.sizes["dtype"]
        family = import_module(f"benchmarks.{row.family}")
        with self.sides(row.family, row.peer, dtype == "float64") as (ours, theirs):
            first = [
                worker.ask("prepare", function, sizes)
                for worker, function in ((ours, "ours"), (theirs, row.peer.function))
            ]
            seconds = self.turns(ours, theirs)
            numbers = [worker.ask("check") for worker in (ours, theirs)]
        with Worker(self.peers, row.family, double=True) as third:
            exact = third.ask("exact", sizes)
        both = {
            side: {"seconds": s, **one, "error": error(n, exact)}
            for side, s, one, n in zip(("ours", "theirs"), seconds, first, numbers, strict=True)
        }
        refuse_another_kernel(row.name, [one["error"] for one in both.values()])
        return {
            "name": row.name,
            "family": row.family,
            "peer": row.peer.name,
            **both,
            "targets": dict(row.targets),
            "work": {rate(kind, dtype): amount for kind, amount in family.work(**sizes).items()},
        }

    def growth(self, growth: Growth) -> dict[str, Any]:
        """Times at each size, in one pair of workers."""
        double = growth.sizes["dtype"] == "float64"
        times = []
        with self.sides(growth.family, growth.peer, double) as (ours, theirs):
            for value in growth.values:
                sizes = {**growth.sizes, growth.size: value}
                ours.ask("prepare", "ours", sizes)
                theirs.ask("prepare", growth.peer.function, sizes)
                times.append(self.turns(ours, theirs))
        left, right = zip(*times, strict=True)
        return {
            "name": growth.name,
            "family": growth.family,
            "peer": growth.peer.name,
            "symbol": growth.symbol,
            "sizes": growth.values,
            "ours": left,
            "theirs": right,
        }


def error(numbers: list[Any], exact: list[Any]) -> float | None:
    """The largest difference, relative to the largest exact number; None if there are none."""
    a, b = np.asarray(numbers, float), np.asarray(exact, float)
    return float(np.abs(a - b).max() / np.abs(b).max()) if b.size else None


def refuse_another_kernel(name: str, errors: Sequence[float | None]) -> None:
    """A peer with another convention is no peer: the row must say the same in both languages."""
    if not all(e is None or e < SAME for e in errors):  # NaN is another kernel too
        raise SystemExit(f"{name}: both sides must compute the same kernel, got errors {errors}.")


def rate(kind: str, dtype: str) -> str:
    """The machine's rate, as `ceilings` names it, at which this kind of work is done."""
    return {"gram": f"gram {dtype}", "flops": f"gemm {dtype}", "bytes": "copy"}[kind]
