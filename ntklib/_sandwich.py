"""Kernels on large complexes: sparse operators from both sides, panel by panel in the cache."""

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ntklib import _sparse
from ntklib._grams import concrete
from ntklib._in_cache import aligned, keep_memory, on_one_cpu, wide
from ntklib.cochains import Cochains
from ntklib.duals import AbstractDual
from ntklib.recursion import Kernels, both_duals

_PAYS = 2**18  # pairs of edges: below, a call takes no longer with dense operators
_FILLED = 1 / 8  # of an operator's entries: with more, it is quicker as a dense one
_PANEL = 64  # rows that go through an operator together
_TILE = 384  # rows, and columns, that go through a nonlinearity together


class _Side:
    """A complex: its operators, and what it brings before each nonlinearity: its variances.

    Before the first it also brings the rows whose inner products are Sigma: (P X, 1), weighted.
    """

    def __init__(self, kernel: Any, x: Cochains, index: int) -> None:
        one = x.complexes[index]
        self.X = np.asarray(x.X)[index, : len(one.edges)]
        self.P = _sparse.operators(one, kernel.propagation)
        self.stays = [_sparse.identity(len(one.edges))]
        self.before: list[list[np.ndarray]] = []

    def enter(self, kernel: Any) -> None:
        """Through the first layer; rounded once."""
        P = self.P if kernel._propagates()[0] else self.stays
        scale = (
            float(kernel.sigma_w) / (self.X.shape[1] if kernel.convention.feat_div else 1) ** 0.5
        )
        ones = np.full((len(self.X), 1), float(kernel.sigma_b))
        Z = np.hstack([*(scale * (p @ self.X.astype(float)) for p in P), ones])
        Z = Z.astype(self.X.dtype)
        v = np.empty(len(Z), Z.dtype)
        for part in _parts(len(Z)):  # by the products that give the covariances of duplicates
            v[part] = np.diagonal(_gram(Z[part], Z[part]))
        self.before = [[Z, v]]


def through(kernel: Any, x1: Cochains, x2: Cochains | None) -> Kernels:
    """`kernel._recursion(x1, x2)`, and where it pays with sparse operators, pair by pair.

    It pays for large complexes with few neighbours of an edge, on one CPU. Where values are traced
    (under `jit`, `vmap` or `grad`), and on other devices, it is the plain call.
    """
    left, right = _sides(kernel, x1, x2)
    if not left:
        plain: Kernels = kernel._recursion(x1, x2)
        return plain
    keep_memory()
    blocks: list[list[Any]] = [[None] * len(right) for _ in left]
    with ThreadPoolExecutor(os.cpu_count()) as pool, jax.ensure_compile_time_eval():
        for side in left if x2 is None else left + right:
            side.enter(kernel)
            if x2 is not None and kernel.depth > 2:
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
    M, K = ([aligned((len(a.X), len(b.X)), a.X.dtype) for _ in range(count)] for _ in range(2))
    _, *others = kernel._propagates()
    first = partial(_first, kernel.dual if others else None, count)
    _by_tiles(first, a.before[0], b.before[0], [], out=M, symmetric=a is b)
    for index, propagates in enumerate(others):
        if index:
            step = partial(_activate, kernel.dual)
            _by_tiles(step, a.before[index], b.before[index], K, out=M, symmetric=a is b)
        P, Q = (side.P if propagates else side.stays for side in (a, b))
        P, Q = ([(s * p).astype(a.X.dtype) for p in ones] for s, ones in ((1, P), (scale, Q)))
        _propagate(P, Q, M, bias, pool, out=K, symmetric=a is b)
        if a is b:
            a.before.append([K[0].diagonal().copy()])
    return K if others else M


def _by_tiles(
    step: Callable[..., list[Array]],
    left: list[np.ndarray],
    right: list[np.ndarray],
    K: list[np.ndarray],
    out: list[np.ndarray],
    symmetric: bool,
) -> None:
    """`step` of some rows, some columns and what is between them, at half the work if symmetric."""
    pending: deque[tuple[slice, slice, list[Array]]] = deque()
    for rows, columns in product(_parts(len(left[0])), _parts(len(right[0]))):
        if symmetric and columns.start < rows.start:
            continue
        between = (k[rows, columns] for k in K)
        tile = step(*(one[rows] for one in left), *(one[columns] for one in right), *between)
        pending.append((rows, columns, tile))
        if len(pending) > 2:  # some are computed while one is copied
            _place(out, *pending.popleft(), symmetric=symmetric)
    while pending:
        _place(out, *pending.popleft(), symmetric=symmetric)


def _parts(length: int) -> list[slice]:
    """Of equal length, so that one program does for all: the last two overlap."""
    size = min(_TILE, length)
    tops = (min(top, length - size) for top in range(0, length, size))
    return [slice(top, top + size) for top in tops]


def _place(
    out: list[np.ndarray], rows: slice, columns: slice, tile: list[Array], symmetric: bool
) -> None:
    for whole, block in zip(out, tile, strict=True):
        values = np.asarray(block)
        whole[rows, columns] = values
        if symmetric and rows != columns:
            whole[columns, rows] = values.T


@jax.jit
def _gram(Z: Any, W: Any) -> Array:
    Sigma: Array = jnp.matmul(Z, W.T, precision="highest")
    return Sigma


@wide
def _first(dual: AbstractDual | None, count: int, Z: Any, v: Any, W: Any, w: Any) -> list[Array]:
    """The first layer, where Theta is Sigma, and the nonlinearity after it, if any."""
    K = [_gram(Z, W)] * count
    return K if dual is None else _after(dual, v, w, *K)


@wide
def _activate(dual: AbstractDual, v: Any, w: Any, *K: Any) -> list[Array]:
    return _after(dual, v, w, *K)


def _after(dual: AbstractDual, v: Array, w: Array, *K: Array) -> list[Array]:
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
