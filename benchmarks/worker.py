"""One side of a row in a process of its own, which answers on its standard output.

Neither pyperf nor asv nor pytest-benchmark times two environments in turns, and only times taken
in turns give a ratio that a busy machine does not bend. So: two workers, asked one after the other.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOG = ROOT / "_build" / "benchmarks.log"
SPAN = 0.3  # seconds of a turn, at least


class Worker:
    """The process, as its parent sees it.

    Args:
        python: the interpreter, and so the environment.
        family: the module with the functions.
        double: whether JAX computes in float64 where asked to.
        platforms: where JAX may compute: "cpu", or "" for an accelerator if there is one.
    """

    def __init__(self, python: Path, family: str, *, double: bool, platforms: str = "cpu") -> None:
        hidden = {"JAX_COMPILATION_CACHE_DIR", "PYTHONPATH"}  # compiling is measured
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        environment |= {"JAX_ENABLE_X64": str(int(double)), "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment |= {"JAX_PLATFORMS": platforms} if platforms else {}
        command = [str(python), "-m", "benchmarks.worker", family]
        LOG.parent.mkdir(exist_ok=True)
        with LOG.open("a") as log:  # libraries are talkative
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=log, text=True
            )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, what: str, *arguments: Any) -> Any:
        """One question, one answer; the worker's own error ends the run."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([what, *arguments]) + "\n")
        self._process.stdin.flush()
        if not (line := self._process.stdout.readline()):
            raise SystemExit(f"The worker asked to {what} {arguments} died; {LOG} says why.")
        return json.loads(line)


class Answers:
    """What a worker can be asked. `prepare` comes first."""

    def __init__(self, family: str) -> None:
        self.family = importlib.import_module(f"benchmarks.{family}")
        self.call: Callable[[], Any] = lambda: None

    def prepare(self, function: str, sizes: dict[str, Any]) -> dict[str, float | None]:
        """Make the inputs and call once: seconds with compilation, and the memory it took."""
        self.call = getattr(self.family, function)(**sizes)
        before = resident("VmRSS")
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        start = time.perf_counter()
        self.call()
        seconds, peak = time.perf_counter() - start, resident("VmHWM")
        return {"first": seconds, "memory": None if before is None else (peak or before) - before}

    def time(self) -> float:
        """Seconds of a call, its result ready: the median of as many as take `SPAN` together.

        Before them one that does not count: a core that has just been idle is slow for a while,
        and a virtual machine may have given back the memory that was not in use.
        """
        self.call()
        times, end = [], time.perf_counter() + SPAN
        while not times or time.perf_counter() < end:
            start = time.perf_counter()
            self.call()
            times.append(time.perf_counter() - start)
        return median(times)

    def check(self) -> list[Any]:
        """The numbers of the result that the exact ones are compared with."""
        numbers: list[Any] = self.family.check(self.call()).tolist()
        return numbers

    def exact(self, sizes: dict[str, Any]) -> list[Any]:
        """The exact ones, in float64."""
        numbers: list[Any] = self.family.exact(**sizes).tolist()
        return numbers

    def versions(self, packages: Sequence[str]) -> dict[str, str]:
        """The versions of the packages that this environment has."""
        return {name: version(name) for name in packages}

    def device(self) -> str | None:
        """The accelerator of this process, if it has one."""
        import jax

        device = jax.devices()[0]
        return None if device.platform == "cpu" else str(device.device_kind)


def resident(what: str) -> int | None:
    """Resident memory in bytes, now (VmRSS) or at its peak (VmHWM); None where Linux is not."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


def main() -> None:
    """Answer until the input ends. What a library prints goes to the standard error."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    answers = Answers(sys.argv[1])
    for line in sys.stdin:
        what, *arguments = json.loads(line)
        print(json.dumps(getattr(answers, what)(*arguments)), file=out, flush=True)


if __name__ == "__main__":
    main()
