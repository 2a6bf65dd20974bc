"""Pruned networks (Graphon NTK): n inputs, K positions of neurons in each hidden layer."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.exact import Array, many_digits, relu, rounded
from benchmarks.plan import Growth, Peer, Row

CORNER = 12  # inputs whose numbers are compared: of fewer, chance says which side rounds less
FEATURES = 64
NUMPY = Peer("NumPy", "numpy")
FULL = Peer("ntklib, full matrix", "full")


def inputs(n: int, dtype: str) -> Array:
    """Normal inputs."""
    return np.random.default_rng(0).standard_normal((n, FEATURES)).astype(dtype)


def blocks(K: int) -> Array:
    """A graphon of K by K equal blocks."""
    return np.random.default_rng(1).random((K, K))


def factor(rank: int) -> Callable[[Array], Array]:
    """Positions to `rank` cosines between 0 and 1."""
    return lambda u: (1 + np.cos(np.pi * np.arange(rank) * u[:, None])) / 2


def matrix(K: int, rank: int) -> Array:
    """The graphon on its K nodes, times their weights: a sum over sources is then an integral."""
    if not rank:
        return blocks(K) / K
    nodes, weights = np.polynomial.legendre.leggauss(K)
    a = factor(rank)((nodes + 1) / 2)
    return a @ a.T / rank * (weights / 2)


def _kernel(graphon: Any, n: int, hidden: int, dtype: str, bias: float) -> Callable[[], Any]:
    """Dense at both ends, pruned between: the direct call."""
    import jax.numpy as jnp

    import ntklib

    dense = ntklib.ConstantGraphon(1.0)
    kernel = ntklib.GraphonKernel([dense, *[graphon] * (hidden - 1), dense], sigma_b=bias)
    x = jnp.asarray(inputs(n, dtype))
    return lambda: kernel(x).ntk.block_until_ready()


def ours(
    n: int, K: int, hidden: int, dtype: str, rank: int = 0, bias: float = 0.0
) -> Callable[[], Any]:
    """The direct call; with a rank, that of a graphon that knows it."""
    import ntklib

    if not rank:
        return _kernel(ntklib.StepGraphon(blocks(K)), n, hidden, dtype, bias)
    a = factor(rank)
    graphon = ntklib.LowRankGraphon(lambda u: a(u) / rank, a, nodes=K)
    return _kernel(graphon, n, hidden, dtype, bias)


def full(
    n: int, K: int, hidden: int, dtype: str, rank: int, bias: float = 0.0
) -> Callable[[], Any]:
    """The low rank multiplied out."""
    import ntklib

    a = factor(rank)

    def W(u: Any, v: Any) -> Array:
        return np.asarray(a(u[:, 0]) @ a(v[0]).T / rank)

    return _kernel(ntklib.SmoothGraphon(W, nodes=K), n, hidden, dtype, bias)


def recursion(x: Array, M: Array, weights: Array, hidden: int, bias: float) -> Array:
    """The plain recursion in NumPy at all positions, in the inputs' own arithmetic."""
    Sigma = np.repeat((2 * (x @ x.T) / x.shape[1] + bias * bias)[:, :, None], len(M), axis=2)
    Theta = Sigma
    for layer in range(hidden):
        q = np.einsum("nnk->nk", Sigma)
        value, slope = relu(Sigma, q[:, None], q[None, :])
        T = M if layer < hidden - 1 else weights[None, :]
        Sigma = 2 * (value @ T.T) + bias * bias
        Theta = Sigma + 2 * ((slope * Theta) @ T.T)
    return np.asarray(Theta[:, :, 0])


def quadrature(K: int, rank: int) -> Array:
    """The weights of the K nodes."""
    return np.polynomial.legendre.leggauss(K)[1] / 2 if rank else np.full(K, 1 / K)


def numpy(
    n: int, K: int, hidden: int, dtype: str, rank: int = 0, bias: float = 0.0
) -> Callable[[], Any]:
    """The plain recursion."""
    x, M, w = inputs(n, dtype), matrix(K, rank).astype(dtype), quadrature(K, rank).astype(dtype)
    return lambda: recursion(x, M, w, hidden, bias)


def check(result: Any) -> Array:
    """The corner that `exact` computes."""
    return np.asarray(result[:CORNER, :CORNER])


def exact(n: int, K: int, hidden: int, dtype: str, rank: int = 0, bias: float = 0.0) -> Array:
    """The same recursion with 40 digits."""
    x, M, w = inputs(n, dtype)[:CORNER], matrix(K, rank), quadrature(K, rank)
    return rounded(recursion(many_digits(x), many_digits(M), many_digits(w), hidden, bias))


def work(
    n: int, K: int, hidden: int, dtype: str, rank: int = 0, bias: float = 0.0
) -> dict[str, float]:
    """Products of both covariances of the pairs i <= j with the graphon, or with its factors."""
    if not bias:  # all positions are one then: what is left is the product of the inputs
        return {"gram": 2.0 * n * n * FEATURES, "bytes": float(n * n * np.dtype(dtype).itemsize)}
    per_pair = 2.0 * K * (2 * rank if rank else K)
    return {"flops": 2 * (hidden - 1) * n * (n + 1) / 2 * per_pair}


_SIZES = {"n": 300, "K": 64, "hidden": 3, "dtype": "float32"}
_BIAS = {
    **_SIZES,
    "bias": 0.1,
}  # without it ReLU's kernel is that of a dense network, times a number
_WIDE = {**_BIAS, "n": 200, "K": 256}
_SMALL = {"n": 20, "K": 8}
ROWS = (
    Row("Graphon NTK, n = 300, K = 64, float32", "graphon", NUMPY, _SIZES, _SMALL, {"ratio": 10}),
    Row("Graphon NTK with bias, n = 300, K = 64, float32", "graphon", NUMPY, _BIAS, _SMALL),
    Row("Graphon NTK with bias, n = 200, K = 256, float32", "graphon", NUMPY, _WIDE, _SMALL),
    Row(
        "Graphon NTK of rank 5 with bias, n = 200, K = 256, float32",
        "graphon",
        FULL,
        {**_WIDE, "rank": 5},
        _SMALL,
        {"ratio": 2},
    ),
)
GROWTHS = (
    Growth("positions", "graphon", NUMPY, "K", "K", (64, 128, 256, 512), {**_BIAS, "n": 150}),
)
