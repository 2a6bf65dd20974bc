"""Convolutional networks (CNTK): n images, convolutions of 3 x 3 and global average pooling."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from benchmarks.exact import Array, many_digits, relu, rounded
from benchmarks.plan import NEURAL_TANGENTS, Growth, Row

CORNER = 2  # images whose numbers are compared
CHANNELS = 3


def inputs(n: int, side: int, dtype: str, spaced: bool = False) -> Array:
    """Normal images; `spaced` makes the second a near-duplicate of the first."""
    x = np.random.default_rng(0).standard_normal((n, side, side, CHANNELS))
    if spaced:
        x[1] = x[0] + 1e-3 * x[1]
    return x.astype(dtype)


def ours(n: int, side: int, hidden: int, dtype: str, spaced: bool = False) -> Callable[[], Any]:
    """The direct call."""
    import jax.numpy as jnp

    import ntklib

    kernel = ntklib.Convolution(hidden + 1, readout="pool")
    x = jnp.asarray(inputs(n, side, dtype, spaced))
    return lambda: kernel(x).ntk.block_until_ready()


def neural_tangents(
    n: int, side: int, hidden: int, dtype: str, spaced: bool = False
) -> Callable[[], Any]:
    """Its kernel function under jit."""
    import jax
    from neural_tangents import stax

    convolution = stax.Conv(1, (3, 3), padding="SAME", W_std=2**0.5, b_std=None)
    layers = [convolution, stax.Relu()] * hidden
    _, _, kernel = stax.serial(*layers, stax.GlobalAvgPool(), stax.Dense(1, W_std=2**0.5))
    ntk = jax.jit(lambda x: kernel(x, None, "ntk"))
    x = jax.numpy.asarray(inputs(n, side, dtype, spaced))
    return lambda: ntk(x).block_until_ready()


def average(block: Array) -> Array:
    """Over the nine pixels of a window, moved over both images together; outside there is 0."""
    side = block.shape[-1]
    padded = np.pad(block, [(0, 0), (0, 0), *[(1, 1)] * 4])
    total: Any = 0
    for i, j in product(range(3), repeat=2):
        a, b = slice(i, i + side), slice(j, j + side)
        total = total + padded[:, :, a, b, a, b]
    return np.asarray(total / 9)


def recursion(x: Array, hidden: int) -> Array:
    """The plain recursion in NumPy between all pixels, in the inputs' own arithmetic."""
    products = np.tensordot(x, x, axes=([3], [3])).transpose(0, 3, 1, 2, 4, 5)
    Theta = Sigma = 2 * average(products / x.shape[3])
    for layer in range(hidden):
        q = np.einsum("nnijij->nij", Sigma)
        value, slope = relu(Sigma, q[:, None, :, :, None, None], q[None, :, None, None])
        if layer < hidden - 1:
            Sigma = 2 * average(value)
            Theta = Sigma + 2 * average(slope * Theta)
    pixels = x.shape[1] ** 4
    return 2 * (value + slope * Theta).reshape(*Sigma.shape[:2], pixels).sum(axis=2) / pixels


def check(result: Any) -> Array:
    """The corner that `exact` computes."""
    return np.asarray(result[:CORNER, :CORNER])


def exact(n: int, side: int, hidden: int, dtype: str, spaced: bool = False) -> Array:
    """The plain recursion with 40 digits, or in float64 where that would take minutes."""
    x = inputs(n, side, dtype, spaced)[:CORNER]
    few = side <= 8 and dtype == "float64"
    return rounded(recursion(many_digits(x) if few else x.astype(float), hidden))


def work(n: int, side: int, hidden: int, dtype: str, **_: Any) -> dict[str, float]:
    """Both covariances of all pixels of the pairs i <= j, read and written once a layer."""
    entries = n * (n + 1) / 2 * side**4
    return {"bytes": 4.0 * hidden * entries * np.dtype(dtype).itemsize}


def _row(name: str, target: dict[str, float], **sizes: Any) -> Row:
    sizes = {"n": 32, "side": 8, "hidden": 3, "dtype": "float32", **sizes}
    return Row(name, "convolution", NEURAL_TANGENTS, sizes, {"n": 4, "side": 4}, target)


ROWS = (
    _row("pooled CNTK, 32 images of 8 x 8, float32", {"ratio": 15}),
    _row("pooled CNTK, 32 images of 8 x 8, float64", {"ratio": 2}, dtype="float64"),
    _row("pooled CNTK, 32 images of 16 x 16, float32", {"ratio": 15}, side=16),
    _row("pooled CNTK, 32 images of 16 x 16, float64", {"ratio": 2}, side=16, dtype="float64"),
    _row("pooled CNTK, near-duplicates, float32", {"error": 5e-7}, n=4, spaced=True),
)
GROWTHS = (
    Growth(
        "image size",
        "convolution",
        NEURAL_TANGENTS,
        "P",
        "side",
        (8, 10, 12, 16),
        {"n": 16, "hidden": 3, "dtype": "float32"},
    ),
)
