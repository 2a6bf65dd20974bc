"""Kernels on large complexes: sparse operators from both sides, panel by panel in the cache."""

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ntklib import _sparse
from ntklib._grams import concrete
from ntklib._in_cache import aligned, on_one_cpu, wide
from ntklib.cochains import Cochains
from ntklib.duals import AbstractDual
from ntklib.recursion import Kernels, both_duals

_PAYS = 2**18  # pairs of edges: below, a call takes no longer with dense operators
_FILLED = 1 / 8  # of an operator's entries: with more, it is quicker as a dense one
_PANEL = 64  # rows that go through an operator together
_TILE = 160_000  # entries that go through a nonlinearity together, about
_LINE = 16  # as many rows, or a multiple, begin where JAX can take them as they are: see `aligned`


class _Side:
    """A complex: features, operators, and the variances of its edges before each nonlinearity."""

    def __init__(self, kernel: Any, x: Cochains, index: int) -> None:
        one = x.complexes[index]
        self.X = np.asarray(x.X)[index, : len(one.edges)]
        self.P = _sparse.operators(one, kernel.propagation)
        self.stays = [_sparse.identity(len(one.edges))]
        self.variances: list[np.ndarray] = []


def through(kernel: Any, x1: Cochains, x2: Cochains | None) -> Kernels:
    """`kernel._recursion(x1, x2)`, and where it pays with sparse operators, pair by pair.

    It pays for large complexes with few neighbours of an edge, on one CPU. Where values are traced
    (under `jit`, `vmap` or `grad`), and on other devices, it is the plain call.
    """
    left, right = _sides(kernel, x1, x2)
    if not left:
        plain: Kernels = kernel._recursion(x1, x2)
        return plain
    blocks: list[list[Any]] = [[None] * len(right) for _ in left]
    with ThreadPoolExecutor(os.cpu_count()) as pool, jax.ensure_compile_time_eval():
        for side in left + right if x2 is not None else []:
            _between(kernel, side, side, pool, count=1)  # for its variances
        pairs = product(range(len(left)), range(len(right)))
        for i, j in sorted(pairs, key=lambda pair: pair[0] != pair[1]):  # variances come first
            if x2 is not None or i <= j:
                K = _between(kernel, left[i], right[j], pool)
                blocks[i][j] = [_read_out(k, kernel.readout) for k in K]
            if x2 is None and i < j:
                blocks[j][i] = [k.T for k in blocks[i][j]]
    device = next(iter(x1.X.devices()))
    return Kernels(*(jax.device_put(_joined(blocks, which), device) for which in range(2)))


def _sides(kernel: Any, x1: Cochains, x2: Cochains | None) -> tuple[list[_Side], list[_Side]]:
    """Both sides, where it pays; nothing where it does not."""
    both = [x1] if x2 is None else [x1, x2]
    leaves = [*jax.tree.leaves(kernel), *(x.X for x in both)]
    if not concrete(*leaves) or jnp.result_type(*leaves) not in (np.float32, np.float64):
        return [], []
    edges = [max(len(one.edges) for one in x.complexes) for x in both]
    alike = all(x.X.dtype == jnp.result_type(*leaves) for x in both)
    if not alike or not on_one_cpu(*(x.X for x in both)):
        return [], []
    if edges[0] * edges[-1] < _PAYS:
        return [], []
    sides = [[_Side(kernel, x, index) for index in range(len(x))] for x in both]
    largest = [max(side, key=lambda one: len(one.X)) for side in sides]
    if any(P.nnz > _FILLED * P.shape[0] ** 2 for side in largest for P in side.P):
        return [], []
    return sides[0], sides[-1]


def _between(kernel: Any, a: _Side, b: _Side, pool: Any, count: int = 2) -> list[np.ndarray]:
    """Sigma and Theta, or Sigma alone, between the edges of two complexes."""
    scale, bias = float(kernel.sigma_w) ** 2, float(kernel.sigma_b) ** 2
    now, then = ([aligned((len(a.X), len(b.X)), a.X.dtype) for _ in range(count)] for _ in range(2))
    for index, propagates in enumerate(kernel._propagates()):
        P, Q = (side.P if propagates else side.stays for side in (a, b))
        if index == 0:
            Z, W = _features(kernel, a, P), _features(kernel, b, Q)
            _by_rows(partial(_gram, W, np.asarray(bias, W.dtype)), [Z], len(W), out=now[:1])
            K = now[:1] * count  # in the first layer Theta is Sigma
        else:
            v, w = a.variances[index - 1], b.variances[index - 1]
            step = partial(_activate, kernel.dual, w)
            _by_rows(step, [v, *K], len(w), out=then)
            P, Q = (
                [(s * one).astype(a.X.dtype) for one in ones] for s, ones in ((1, P), (scale, Q))
            )
            _propagate(P, Q, then, bias, pool, out=now, symmetric=a is b)
            K = now
        if a is b:
            a.variances.append(K[0].diagonal().copy())
    return K


def _features(kernel: Any, side: _Side, P: list[Any]) -> np.ndarray:
    """The rows whose products are Sigma after the first layer; rounded once."""
    d = side.X.shape[1] if kernel.convention.feat_div else 1
    Z = np.hstack([p @ side.X.astype(float) for p in P])
    Z *= float(kernel.sigma_w) / d**0.5
    return Z.astype(side.X.dtype)


def _by_rows(
    step: Callable[..., list[Array]], arrays: list[np.ndarray], width: int, out: list[np.ndarray]
) -> None:
    """`step` of some rows of the arrays at a time, into the same rows."""
    height = min(len(arrays[0]), max(1, _TILE // width // _LINE) * _LINE)
    pending: deque[tuple[slice, list[Array]]] = deque()
    for top in range(0, len(arrays[0]), height):
        top = min(top, len(arrays[0]) - height)  # the last two overlap: one program does for all
        rows = slice(top, top + height)
        pending.append((rows, step(*(array[rows] for array in arrays))))
        if len(pending) > 2:  # some are computed while one is copied
            _place(out, *pending.popleft())
    while pending:
        _place(out, *pending.popleft())


def _place(out: list[np.ndarray], rows: slice, blocks: list[Array]) -> None:
    for whole, block in zip(out, blocks, strict=True):
        whole[rows] = block


@eqx.filter_jit
def _gram(W: Any, bias: Any, Z: Any) -> list[Array]:
    """By JAX: the threads of NumPy's product would go on spinning for a while."""
    return [jnp.matmul(Z, W.T, precision="highest") + bias]


@wide
def _activate(dual: AbstractDual, w: Any, v: Any, *K: Any) -> list[Array]:
    """`recursion.activate`."""
    value, slope = both_duals(dual, v[:, None], K[0], w[None, :])
    return [value, *(slope * Theta for Theta in K[1:])]


def _propagate(
    P: list[Any],
    Q: list[Any],
    M: list[np.ndarray],
    bias: float,
    pool: ThreadPoolExecutor,
    out: list[np.ndarray],
    symmetric: bool,
) -> None:
    """The sum over channels of P M Q^T, and the bias: Sigma; to which Theta adds its own."""

    def panel(top: int) -> None:
        rows, rest = slice(top, top + _PANEL), slice(top if symmetric else 0, None)
        total: Any = bias
        for m, k in zip(M, out, strict=True):
            for p, q in zip(P, Q, strict=True):
                total = q[rest] @ np.ascontiguousarray((p[rows] @ m).T) + total
            if symmetric:
                corner = total[: total.shape[1]]
                corner[:] = (corner + corner.T) / 2
                k[rest, rows] = total
            k[rows, rest] = total.T

    list(pool.map(panel, range(0, len(M[0]), _PANEL)))


def _read_out(k: np.ndarray, readout: str) -> np.ndarray:
    if readout == "edges":
        return k
    total = k.sum(keepdims=True)
    return np.asarray(total / k.size if readout == "mean" else total)


def _joined(blocks: list[list[Any]], which: int) -> np.ndarray:
    if len(blocks) == len(blocks[0]) == 1:
        return np.asarray(blocks[0][0][which])
    return np.asarray(np.block([[pair[which] for pair in row] for row in blocks]))
