"""The kernels between many small graphs on a CPU: in unions, pair by pair through all layers.

Graphs that no edge joins are one graph, their disjoint union. Unions of one size hold graphs of
all sizes with little padding, and one program, compiled once, does for all pairs of them.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ntklib import _in_cache
from ntklib._grams import concrete
from ntklib.aggregation import aggregation
from ntklib.graphs import GraphBatch, two_batches
from ntklib.recursion import Kernels, both_duals

_TILE = 2**16  # pairs of nodes of a tile, at most: its arrays of float64 take half a MB each
_PAYS = 2**17  # pairs of nodes, padding too: below, the plain recursion takes as long
_STEP = 16  # sizes of unions are its multiples, so that batches share a program
_POINTWISE = 50  # a nonlinearity takes as long as to aggregate both kernels over so many nodes
_NODES = 4  # a union has a place for a graph for so many of its nodes


class Unions(NamedTuple):
    """Graphs side by side, each in a place, and padding, which is in none: NumPy's or JAX's."""

    P: Any  # (unions, nodes, nodes)
    X: Any  # (unions, nodes, features)
    member: Any  # (unions, nodes, places): 1 for a node of the graph in this place
    places: Any  # (unions, places): which graph is there; -1 is none
    variances: Any = None  # (unions, layers, nodes), before each nonlinearity

    def take(self, which: np.ndarray, count: int) -> "Unions":
        """Those with these numbers, again and again until they are so many."""
        filled = np.resize(which, count)
        return Unions(*(None if a is None else a[filled] for a in self))


def sums(kernel: Any, x1: GraphBatch, x2: GraphBatch | None) -> Kernels:
    """`kernel.nodes(x1, x2)` summed over nodes, without them where it pays: for many, on one CPU.

    A Gram matrix is half the work. Where values are traced, and on other devices, it is the plain
    recursion.
    """
    two_batches(x1, x2)
    with jax.ensure_compile_time_eval():  # what is known is so inside a transformation too
        if _pays(kernel, [x1] if x2 is None else [x1, x2]):
            return _in_unions(kernel, x1, x2)
    K = kernel.nodes(x1, x2)
    return Kernels(*(jnp.sum(k, axis=(2, 3)) for k in K))


def _in_unions(kernel: Any, x1: GraphBatch, x2: GraphBatch | None) -> Kernels:
    sides = [x1] if x2 is None else [x1, x2]
    Ps = [aggregation(f"x{k}", x, kernel.scaling) for k, x in enumerate(sides, start=1)]
    numbers = (kernel, Ps, [x.features for x in sides])
    dtype = np.dtype(jnp.result_type(*jax.tree.leaves(numbers)))
    sizes = [np.asarray(x.sizes).tolist() for x in sides]
    size = _size(list(chain(*sizes)), kernel.mlp_layers)
    unions = [_united(*side, size, dtype) for side in zip(sides, Ps, sizes, strict=True)]
    (device,) = jnp.asarray(x1.features).devices()
    with jax.default_device(device):
        whole = _all_pairs(kernel, unions[0], unions[1] if x2 is not None else None)
        n, m = len(sizes[0]), len(sizes[-1])
        return Kernels(*(jnp.asarray(k[:n, :m]) for k in whole))


def _all_pairs(kernel: Any, left: "Unions", right: "Unions | None") -> list[np.ndarray]:
    """The kernels between all graphs; a last row and column for the places without one."""
    both = (left,) if right is None else (left, right)
    shape = [2 + side.places.max() for side in (both[0], both[-1])]
    whole = [np.empty(shape, left.X.dtype) for _ in range(2)]
    known = []
    for side in both:
        own = []
        each = np.arange(len(side.P))
        for i, _, tile, variances in _tiles(kernel, side, side, each, each):
            own.append(variances)
            if right is None:
                _put(
                    whole,
                    left.places[i],
                    left.places[i],
                    [(k + k.swapaxes(1, 2)) / 2 for k in tile],
                )
        known.append(side._replace(variances=np.concatenate(own)))
    left, other = known[0], known[-1]
    count = len(left.P), len(other.P)
    pairs = np.triu_indices(count[0], 1) if right is None else np.indices(count).reshape(2, -1)
    for i, j, tile, _ in _tiles(kernel, left, other, *pairs):
        _put(whole, left.places[i], other.places[j], tile)
        if right is None:
            _put(whole, left.places[j], left.places[i], [k.swapaxes(1, 2) for k in tile])
    return whole


def _pays(kernel: Any, sides: list[GraphBatch]) -> bool:
    leaves = jax.tree.leaves((kernel, sides))
    entries = [x.features.shape[0] * x.features.shape[1] for x in (sides[0], sides[-1])]
    many = entries[0] * entries[1] >= _PAYS
    return concrete(*leaves) and many and _in_cache.on_one_cpu(*jax.tree.leaves(sides))


def _size(sizes: Sequence[int], mlp_layers: int) -> int:
    """The number of nodes with which the unions of such graphs are the least work."""

    def work(size: int) -> float:
        return (size * len(_packed(sizes, size))) ** 2 * (mlp_layers * _POINTWISE + size)

    least = max(2 * _STEP, -(-max(sizes) // _STEP) * _STEP)
    return min(range(least, 2 * least + 1, _STEP), key=work)


def _packed(sizes: Sequence[int], size: int) -> list[list[int]]:
    """Which graphs are in a union: the largest that fits, again and again."""
    order = sorted(range(len(sizes)), key=sizes.__getitem__)
    waiting, unions = [sizes[i] for i in order], []
    while order:
        room, union = size, list[int]()
        while len(union) < size // _NODES and (fit := bisect_right(waiting, room)):
            room -= waiting.pop(fit - 1)
            union.append(order.pop(fit - 1))
        unions.append(union)
    return unions


def _united(x: GraphBatch, P: Array, sizes: list[int], size: int, dtype: np.dtype) -> Unions:
    A, X, packed = np.asarray(P), np.asarray(x.features), _packed(sizes, size)
    n, count = len(packed), size // _NODES
    shapes = (n, size, size), (n, size, X.shape[2]), (n, size, count)
    made = [np.zeros(shape, dtype) for shape in shapes]
    unions = Unions(made[0], made[1], made[2], np.full((n, count), -1))
    for union, graphs in enumerate(packed):
        end = 0
        for place, graph in enumerate(graphs):
            at, end = end, end + sizes[graph]
            unions.P[union, at:end, at:end] = A[graph, : end - at, : end - at]
            unions.X[union, at:end] = X[graph, : end - at]
            unions.member[union, at:end, place] = 1
            unions.places[union, place] = graph
    return unions


def _tiles(
    kernel: Any, left: Unions, right: Unions, i: np.ndarray, j: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]]:
    """Some pairs of unions, their kernels and the variances on the left, until all are done."""
    count = max(1, _TILE // left.P.shape[1] ** 2)
    for start in range(0, len(i), count):
        a, b = i[start : start + count], j[start : start + count]
        tile = _tile(kernel, left.take(a, count), right.take(b, count))
        *kernels, variances = (np.asarray(k)[: len(a)] for k in tile)
        yield a, b, kernels, variances


def _put(
    whole: list[np.ndarray], left: np.ndarray, right: np.ndarray, tile: list[np.ndarray]
) -> None:
    for out, k in zip(whole, tile, strict=True):
        out[left[:, :, None], right[:, None, :]] = k


@_in_cache.wide
def _tile(kernel: Any, left: Unions, right: Unions) -> tuple[Array, Array, Array]:
    """Pairs of unions: both kernels between all their places, and the variances on the left.

    Without variances the two sides are the same: then they are the diagonal of Sigma. One step of
    the loop is a nonlinearity: XLA would merge those that follow one another.
    """

    def product(A: Array, K: Array, B: Array) -> Array:
        right = jnp.matmul(K, B.mT, precision="highest")
        return jnp.matmul(A, right, precision="highest")

    def read(Sigma: Array, Theta: Array) -> Kernels:
        return Kernels(*(product(left.member.mT, K, right.member.mT) for K in (Sigma, Theta)))

    def aggregate(Sigma: Array, Theta: Array, K: Kernels) -> tuple[Array, Array, Kernels]:
        if kernel.readout == "jumping":
            block = read(Sigma + sigma_b2, Sigma + sigma_b2 + Theta)
            K = jax.tree.map(jnp.add, K, block)
        return product(left.P, Sigma, right.P), product(left.P, Theta, right.P), K

    def layer(state: Any, known: Any) -> tuple[Any, Array]:
        (Sigma, Theta, K), (ends, variances) = state, known
        v1, v2 = variances or (jnp.diagonal(Sigma, axis1=1, axis2=2),) * 2
        value, slope = both_duals(kernel.dual, v1[:, :, None], Sigma, v2[:, None, :])
        Sigma, Theta = sigma_w2 * value, sigma_w2 * (slope * Theta)
        Sigma, Theta, K = jax.lax.cond(ends, aggregate, lambda *same: same, Sigma, Theta, K)
        Sigma = Sigma + sigma_b2
        return (Sigma, Sigma + Theta, K), v1

    sigma_w2, sigma_b2 = kernel.sigma_w**2, kernel.sigma_b**2
    G = jnp.matmul(left.X, right.X.mT, precision="highest")
    Sigma = product(left.P, G, right.P) + sigma_b2
    K = read(G, G) if kernel.readout == "jumping" else jax.tree.map(jnp.zeros_like, read(G, G))
    count = kernel.blocks * kernel.mlp_layers
    ends = np.arange(1, count + 1) % kernel.mlp_layers == 0
    ends[-1] = False  # the last block is read without aggregation
    both = None
    if left.variances is not None and right.variances is not None:
        both = left.variances.swapaxes(0, 1), right.variances.swapaxes(0, 1)
    (Sigma, Theta, K), own = jax.lax.scan(layer, (Sigma, Sigma, K), (ends, both))
    last = read(Sigma, Theta)
    return K.nngp + last.nngp, K.ntk + last.ntk, own.swapaxes(0, 1)
