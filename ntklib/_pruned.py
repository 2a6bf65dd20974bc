"""A pruned network as arrays: its recursion, on as few sites as its layers can tell apart."""

from functools import reduce
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ntklib._grams import concrete
from ntklib.duals import AbstractDual, LeakyRelu, Linear, Relu
from ntklib.graphon_mixing import GraphonMixing
from ntklib.recursion import Kernels, layer

_LARGE = 128  # sites: with fewer, a product of rank two or more is slower than one matrix,
_LOW = 8  # and with more too, unless the rank is so many times lower


class Pruned(eqx.Module):
    """The layers of a pruned network; the output is the first site of its last layer."""

    mixings: list[GraphonMixing]
    dual: AbstractDual

    def sites(self) -> int:
        """The most covariances that a layer has for a pair of inputs."""
        return max(mix.C[0].shape[0] for mix in self.mixings)

    def _recursion(self, x1: Array, x2: Array | None) -> Kernels:
        first, *others = self.mixings
        K = first.inputs(x1, x2)
        for mix in others:
            K = layer(K, dual=self.dual, mix=mix)
        return Kernels(nngp=K.Sigma[..., 0], ntk=K.Theta[..., 0])

    def _tile(self, x1: Array, x2: Array | None) -> Kernels:
        return self._recursion(x1, x2)


def pruned(mixings: list[GraphonMixing], dual: AbstractDual, dtype: Any) -> Pruned:
    r"""The network in this precision; where its numbers are known, on the fewest sites.

    Sites with equal rows of matrices have equal covariances, and are one site. So are those with
    rows that are multiples, if the dual is homogeneous and there is no bias:

    .. math:: \Sigma(u_i) = a_i \Sigma(u) \;\Rightarrow\;
              \phi(\Sigma(u_i)) = a_i \phi(\Sigma(u)), \quad
              \dot\phi(\Sigma(u_i)) = \dot\phi(\Sigma(u)), \quad a_i \ge 0

    The next layer sums over them. After a layer of one site the next has rank one, so that a dense
    input layer makes all of a homogeneous network one site.
    """
    convert: Any = jnp.asarray
    if concrete(*jax.tree.leaves(mixings)):
        convert = np.asarray  # nothing runs on a device before the recursion does
        homogeneous = isinstance(dual, Relu | LeakyRelu | Linear) and not mixings[0].sigma_b
        first, *others = _cast(np.asarray, mixings, float)
        mixings = []
        for second in others:
            first, second = _merged(first, second, homogeneous=homogeneous)
            mixings.append(first)
            first = _map(second, _multiplied)
        mixings.append(first)
    # The matrices take the inputs' precision: they must not widen it.
    return Pruned(_cast(convert, mixings, dtype), dual)


def _cast(convert: Any, mixings: Any, dtype: Any) -> Any:
    """Arrays converted; plain numbers stay exact until they are squared."""
    return jax.tree.map(lambda a: a if isinstance(a, float) else convert(a, dtype), mixings)


def _merged(
    first: GraphonMixing, second: GraphonMixing, *, homogeneous: bool
) -> tuple[GraphonMixing, GraphonMixing]:
    """Two layers with fewer sites between them: the targets of one, the sources of the other."""
    from scipy.sparse import csr_array  # only where it is needed: it takes a while to load

    rows = np.hstack([factors[0] for factors in (first.C, first.G) if factors is not None])
    ratios = np.ones(len(rows))
    if homogeneous and rows.shape[1] == 1:
        kept, site = np.abs(rows).argmax(axis=0), np.zeros(len(rows), int)
        ratios = np.maximum(rows[:, 0] / (rows[kept, 0] or 1.0), 0.0)
    else:
        _, kept, site = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    if len(kept) == len(rows):
        return first, second
    entries = ratios, (np.arange(len(rows)), site.ravel())
    expand = csr_array(entries, shape=(len(rows), len(kept)))
    return (
        _map(first, lambda factors: (factors[0][kept], *factors[1:])),
        _map(second, lambda factors: (*factors[:-1], factors[-1] @ expand)),
    )


def _multiplied(factors: tuple[Any, ...]) -> tuple[Any, ...]:
    """The factors, multiplied out where that pays."""

    def multiply(done: tuple[Any, ...], factor: Any) -> tuple[Any, ...]:
        *others, last = done
        sites, rank = min(last.shape[0], factor.shape[1]), last.shape[1]
        low = sites > rank == 1 or (sites >= _LARGE and _LOW * rank < sites)
        return (*done, factor) if low else (*others, last @ factor)

    return reduce(multiply, factors[1:], factors[:1])


def _map(mix: GraphonMixing, change: Any) -> GraphonMixing:
    """The layer with its matrices changed, those of the gradient too."""
    G = None if mix.G is None else change(mix.G)
    return GraphonMixing(change(mix.C), G, mix.sigma_w, mix.sigma_b)
