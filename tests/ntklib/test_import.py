"""Importing ntklib is quick and changes nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import json, sys, time
start = time.process_time()
import ntklib
seconds = time.process_time() - start
import jax
loaded = {name.split(".")[0] for name in sys.modules}
print(json.dumps([seconds, jax.config.jax_enable_x64, sorted(loaded)]))
"""


def import_it() -> tuple[float, bool, list[str]]:
    """A fresh interpreter that imports ntklib: its CPU seconds, x64, and the packages it loaded."""
    unset = {"JAX_ENABLE_X64", "PYTHONSTARTUP"}
    env = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, x64, loaded = json.loads(done.stdout)
    return seconds, x64, loaded


def test_import() -> None:
    tries = [import_it() for _ in range(3)]
    _, x64, loaded = tries[0]
    assert "ntklib" in loaded
    assert not {"matplotlib", "IPython", "scipy", "sklearn"} & set(loaded)
    assert not x64
    assert min(seconds for seconds, _, _ in tries) < 2.0, tries
