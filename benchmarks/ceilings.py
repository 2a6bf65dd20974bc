"""What this machine can do, measured in the same run: products of matrices, and memory."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.exact import Array

ORDER, ROWS, FEATURES = 2000, 4000, 784
MEMORY = 200_000_000  # bytes, more than any cache
TIMES = 5


def fastest(call: Callable[[], object]) -> float:
    """Seconds of the fastest of some calls: a ceiling is not a median."""
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure() -> dict[str, float]:
    """Operations or bytes a second.

    "gram" is X X^T, which BLAS computes at half the operations and which is counted in full;
    "gemm" is A B, by NumPy or by JAX, whichever is faster; "copy" reads and writes.
    """
    rates, rng = {}, np.random.default_rng(0)
    jax.config.update("jax_platforms", "cpu")  # this process takes no memory of an accelerator
    by_jax = jax.jit(lambda A, B: jnp.matmul(A, B, precision="highest"))
    for dtype in ("float32", "float64"):
        A: Array = rng.standard_normal((ORDER, ORDER)).astype(dtype)
        X: Array = rng.standard_normal((ROWS, FEATURES)).astype(dtype)
        B = A.T.copy()
        with jax.enable_x64(True):
            C, D = jnp.asarray(A), jnp.asarray(B)
            seconds = fastest(lambda C=C, D=D: by_jax(C, D).block_until_ready())
        rates[f"gemm {dtype}"] = 2 * ORDER**3 / min(seconds, fastest(lambda A=A, B=B: A @ B))
        rates[f"gram {dtype}"] = 2 * ROWS**2 * FEATURES / fastest(lambda X=X: X @ X.T)
    source = np.ones(MEMORY // 8)
    target = np.empty_like(source)
    rates["copy"] = 2 * MEMORY / fastest(lambda: np.copyto(target, source))
    return rates
