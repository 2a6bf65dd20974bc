"""Measure everything and record it: `make bench`, or `python -m benchmarks --quick` to try."""

import argparse
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.ceilings import measure
from benchmarks.environment import peers
from benchmarks.measure import Runner
from benchmarks.worker import ROOT, Worker
from catalog.measured import PATH, Run, write

FAMILIES = (
    "dense",
    "convolution",
    "graph",
    "graphon",
    "simplicial",
    "empirical",
    "regression",
    "startup",
)
OWN = ("ntklib", "jax", "jaxlib", "numpy", "scipy")
THEIRS = ("neural-tangents", "jax", "jaxlib", "numpy", "scikit-ntk")


def machine() -> dict[str, Any]:
    """What is measured on, without its name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.machine()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory": round(pages / 2**30),
        "system": f"{platform.system()}, Python {platform.python_version()}",
        "load": os.getloadavg()[0],
    }


def accelerator(own: Path) -> str | None:
    """The GPU that ntklib's JAX sees, if it sees one."""
    with Worker(own, "startup", double=False, platforms="") as worker:
        found: str | None = worker.ask("device")
    return found


def rows(runner: Runner, chosen: list[str], quick: bool) -> list[Any]:
    """The rows of the chosen families."""
    found = []
    for row in (row for name in chosen for row in import_module(f"benchmarks.{name}").ROWS):
        result = runner.row(row.small() if quick else row)
        ours, theirs = result["ours"]["seconds"], result["theirs"]["seconds"]
        print(f"{row.name}: {ours:.3g} s, {row.peer.name} {theirs:.3g} s", flush=True)
        found.append(result)
    return found


def run(chosen: list[str], quick: bool) -> dict[str, Any]:
    """Everything that is recorded."""
    own, other = Path(sys.executable), peers()
    host, before = machine(), measure()
    runner = Runner(own, other, **({"most": 2} if quick else {}))
    recorded = {"rows": rows(runner, chosen, quick), "growths": []}
    for growth in (g for name in chosen for g in import_module(f"benchmarks.{name}").GROWTHS):
        recorded["growths"].append(runner.growth(growth.small() if quick else growth))
    if gpu := accelerator(own):  # against the same peers on the processor
        computing = [name for name in chosen if name != "startup"]
        fast = rows(Runner(own, other, platforms=""), computing, quick)
        recorded["rows"] += [{**row, "device": gpu, "work": {}, "targets": {}} for row in fast]
    with Worker(other, "startup", double=False) as worker:
        theirs = worker.ask("versions", THEIRS)
    after = measure()
    return {
        "date": datetime.now(UTC).date(),
        "machine": host,
        "versions": {"ours": {name: version(name) for name in OWN}, "theirs": theirs},
        "rates": {name: max(rate, after[name]) for name, rate in before.items()},
        **recorded,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--quick", action="store_true", help="small sizes, to try the measuring")
    parser.add_argument("--out", type=Path, default=ROOT / PATH, help="the file to write")
    given = parser.parse_args()
    if unknown := set(given.families) - set(FAMILIES):
        parser.error(
            f"unknown {', '.join(sorted(unknown))}; the families are {', '.join(FAMILIES)}"
        )
    if (given.quick or given.families) and given.out == ROOT / PATH:
        given.out = ROOT / "_build" / "trial.json"  # only a whole run is recorded
    start = time.monotonic()
    given.out.parent.mkdir(exist_ok=True)
    write(Run.model_validate(run(given.families or list(FAMILIES), given.quick)), given.out)
    print(f"{given.out} after {(time.monotonic() - start) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
