"""Dense networks: the NTK Gram matrix of n inputs, ReLU and erf, with and without bias."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.exact import DUALS, Array, many_digits, rounded, variance
from benchmarks.plan import NEURAL_TANGENTS, Growth, Peer, Row

CORNER = 6  # rows whose numbers are compared
BIAS = 0.3
SPACINGS = (0.0, 1e-4, 1e-3, 1e-2, 1e-1)  # of near-duplicates of the first row
SCIKIT_NTK = Peer("scikit-ntk", "scikit_ntk", "scikit-ntk")


def inputs(n: int, d: int, dtype: str, spaced: bool) -> Array:
    """Normal inputs; `spaced` makes of rows 1 to 5 near-duplicates of row 0."""
    x = np.random.default_rng(0).standard_normal((n, d))
    for row, spacing in enumerate(SPACINGS if spaced else (), start=1):
        x[row] = x[0] + spacing * x[row]
    return x.astype(dtype)


def ours(
    n: int,
    d: int,
    hidden: int,
    dtype: str,
    dual: str = "relu",
    bias: float = 0,
    spaced: bool = False,
) -> Callable[[], Any]:
    """The direct call."""
    import jax.numpy as jnp

    import ntklib

    phi = {"relu": ntklib.Relu, "erf": ntklib.Erf}[dual]()
    kernel = ntklib.Dense(hidden + 1, dual=phi, sigma_b=bias)
    x = jnp.asarray(inputs(n, d, dtype, spaced))
    return lambda: kernel(x).ntk.block_until_ready()


def neural_tangents(
    n: int,
    d: int,
    hidden: int,
    dtype: str,
    dual: str = "relu",
    bias: float = 0,
    spaced: bool = False,
) -> Callable[[], Any]:
    """Its kernel function under jit."""
    import jax
    from neural_tangents import stax

    linear = stax.Dense(1, W_std=2**0.5, b_std=bias or None)
    phi = {"relu": stax.Relu, "erf": stax.Erf}[dual]()
    _, _, kernel = stax.serial(*[linear, phi] * hidden, linear)
    ntk = jax.jit(lambda x: kernel(x, None, "ntk"))
    x = jax.numpy.asarray(inputs(n, d, dtype, spaced))
    return lambda: ntk(x).block_until_ready()


def scikit_ntk(n: int, d: int, hidden: int, dtype: str) -> Callable[[], Any]:
    """Its kernel object: the inputs as they are, and the kernel divided by the layers."""
    from skntk import NeuralTangentKernel

    kernel = NeuralTangentKernel(depth=hidden, bias=0.0)
    x = inputs(n, d, dtype, False) * (2 / d) ** 0.5
    return lambda: (hidden + 1) * kernel(x)


def recursion(x: Array, hidden: int, dual: str, bias: float) -> Array:
    """The plain recursion in NumPy, in the inputs' own arithmetic."""
    Theta = Sigma = 2 * (x @ x.T) / x.shape[1] + bias * bias
    q = Sigma.diagonal()
    for _ in range(hidden):
        value, slope = DUALS[dual](Sigma, q[:, None], q[None, :])
        Sigma = 2 * value + bias * bias
        Theta = Sigma + 2 * slope * Theta
        q = 2 * variance(dual, q) + bias * bias
    return Theta


def numpy(n: int, d: int, hidden: int, dtype: str) -> Callable[[], Any]:
    """The plain recursion."""
    x = inputs(n, d, dtype, False)
    return lambda: recursion(x, hidden, "relu", 0)


def check(result: Any) -> Array:
    """The corner that `exact` computes."""
    return np.asarray(result[:CORNER, :CORNER])


def exact(
    n: int,
    d: int,
    hidden: int,
    dtype: str,
    dual: str = "relu",
    bias: float = 0,
    spaced: bool = False,
) -> Array:
    """The plain recursion with 40 digits."""
    x = inputs(n, d, dtype, spaced)[:CORNER]
    b = many_digits(np.asarray(bias)).item()
    # a product x x can round to a cosine above 1 by 1e-40 at most
    return rounded(recursion(many_digits(x), hidden, dual, b))


def work(n: int, d: int, hidden: int, dtype: str, **_: Any) -> dict[str, float]:
    """One symmetric product, counted in full as its rate is, and one writing of the result."""
    return {"gram": 2.0 * n * n * d, "bytes": float(n * n * np.dtype(dtype).itemsize)}


def _row(name: str, targets: dict[str, float], peer: Peer = NEURAL_TANGENTS, **sizes: Any) -> Row:
    sizes = {"n": 2000, "d": 784, "hidden": 3, "dtype": "float32", **sizes}
    return Row(name, "dense", peer, sizes, {"n": min(300, sizes["n"])}, targets)


ROWS = (
    _row("dense ReLU, n = 5000, L = 3, float32", {"ratio": 6, "ceiling": 1.5}, n=5000),
    _row("dense ReLU, n = 5000, L = 10, float32", {"ratio": 15}, n=5000, hidden=10),
    _row("dense ReLU, n = 5000, L = 3, float64", {"ratio": 4}, n=5000, dtype="float64"),
    _row("dense ReLU with bias, n = 5000, L = 3, float32", {"ratio": 4}, n=5000, bias=BIAS),
    _row("dense erf, n = 2000, L = 3, float32", {"ratio": 4}, dual="erf"),
    _row("dense erf, n = 2000, L = 3, float64", {"ratio": 3}, dual="erf", dtype="float64"),
    _row("dense ReLU, near-duplicates, float32", {"error": 5e-7}, n=200, spaced=True),
    _row("dense ReLU, near-duplicates, float64", {}, n=200, spaced=True, dtype="float64"),
    _row("dense ReLU, n = 2000, L = 3, float64", {}, SCIKIT_NTK, dtype="float64"),
    _row("dense ReLU, n = 2000, L = 3, float32", {}, Peer("NumPy", "numpy")),
)
_SIZES = {"n": 2000, "d": 784, "hidden": 3, "dtype": "float32"}
GROWTHS = (
    Growth("inputs", "dense", NEURAL_TANGENTS, "n", "n", (1250, 2500, 5000, 10000), _SIZES),
    Growth("hidden layers", "dense", NEURAL_TANGENTS, "L", "hidden", (2, 4, 8, 16), _SIZES),
)
