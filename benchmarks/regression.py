"""Kernel ridge regression: n equations with the NTK of a dense network, 10 right-hand sides."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.dense import inputs, recursion
from benchmarks.exact import Array
from benchmarks.plan import Growth, Peer, Row

FEATURES, OUTPUTS = 50, 10
RIDGE = 1e-4  # of the mean of the diagonal
CHOLESKY = Peer("SciPy, Cholesky", "cholesky")
_system: dict[str, Array] = {}


def system(n: int) -> tuple[Array, Array, float]:
    """The Gram matrix, the targets and the ridge; `check` reads them again."""
    K = recursion(inputs(n, FEATURES, "float64", False), 3, "relu", 0)
    y = np.random.default_rng(2).standard_normal((n, OUTPUTS))
    rho = float(RIDGE * K.diagonal().mean())
    _system.update(K=K, y=y, rho=np.asarray(rho))
    return K, y, rho


def ours(n: int, dtype: str) -> Callable[[], Any]:
    """The direct call."""
    import ntklib

    K, y, rho = system(n)
    return lambda: ntklib.solve(K, y, ridge=rho).weights


def cholesky(n: int, dtype: str) -> Callable[[], Any]:
    """The factor and two triangular solves."""
    import scipy.linalg

    K, y, rho = system(n)

    def call() -> Array:
        factor = scipy.linalg.cho_factor(K + rho * np.eye(n), lower=True, overwrite_a=True)
        return np.asarray(scipy.linalg.cho_solve(factor, y))

    return call


def check(result: Any) -> Array:
    """What the solution gives back for the targets: the error is the residual."""
    w = np.asarray(result)
    back: Array = _system["K"] @ w + _system["rho"] * w
    return np.linalg.norm(back - _system["y"], axis=0) / np.linalg.norm(_system["y"], axis=0) + 1


def exact(n: int, dtype: str) -> Array:
    """No residual."""
    return np.ones(OUTPUTS)


def work(n: int, dtype: str) -> dict[str, float]:
    """The factor in float32, whose rest refinement in float64 takes; two solves."""
    return {"flops": n**3 / 3 + 2.0 * n * n * OUTPUTS}


_SIZES = {"n": 5000, "dtype": "float64"}
ROWS = (
    Row(
        "ridge regression, n = 5000, 10 right-hand sides",
        "regression",
        CHOLESKY,
        _SIZES,
        {"n": 300},
        {"ratio": 1.3, "error": 1e-9},
    ),
)
GROWTHS = (Growth("equations", "regression", CHOLESKY, "n", "n", (1000, 2000, 4000, 8000), _SIZES),)
