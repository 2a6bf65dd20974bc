"""From masks to graphons: neurons in order of their degree, densities in blocks."""

import functools
from collections.abc import Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntklib import _checks
from ntklib.graphon_scaled import ScaledGraphon
from ntklib.graphons import StepGraphon


def mask_histogram(
    mask: Float[Array, "*draws targets sources"], *, blocks: int
) -> Float[Array, "{blocks} {blocks}"]:
    r"""The picture of one layer's mask: rows and columns by degree, then densities in blocks.

    .. math:: H_{ab} = K^2 \int_{I_a} \int_{I_b} M_{\pi(u), \sigma(v)} \, du \, dv, \qquad
              I_a = \left[ \tfrac{a - 1}{K}, \tfrac{a}{K} \right]

    with the permutations :math:`\pi, \sigma` that put neurons with many weights first; of equal
    ones the first stays first. It is a picture of one layer, biased by `sorting_bias`. To compose
    layers their neurons need one order: see `empirical_graphons`.

    Args:
        mask: zeros and ones, the target first: the transpose of a layer's "W". With a leading
            axis, several masks; each is sorted by itself and the pictures are averaged.
        blocks: K, on each axis; it need not divide the widths.

    Raises:
        ValueError: if `mask` is no matrix or stack of matrices, or `blocks` is below 1.

    Cost: O(K t s) a draw.
    Source: pham2025graphon for sorting and averaging; derived for ties and uneven blocks.
    """
    M = _stack("mask", mask)
    _checks.refuse(_checks.at_least_one("blocks", blocks, "One block is the density."))

    def one(m: Array) -> Array:
        rows, columns = _by_degree(m.sum(1)), _by_degree(m.sum(0))
        return _means(m[rows][:, columns], blocks, blocks)

    return jax.vmap(one)(M).mean(0)


def empirical_graphons(
    masks: Sequence[Float[Array, "*draws _ _"]], *, blocks: int
) -> list[StepGraphon]:
    r"""The graphons of a network's masks, with one order of the neurons of each hidden layer.

    .. math:: W^l_{ab} = K^2 \int_{I_a} \int_{I_b} M^l_{\pi_l(u), \pi_{l-1}(v)} \, du \, dv

    The order goes by the number of weights that a neuron keeps on both its sides, the largest
    first. Features and outputs are neither sorted nor merged: each is a block of its own.

    Args:
        masks: of each weight layer from the first on, the target first, as of `mask_histogram`.
        blocks: K, on each hidden axis.

    Raises:
        ValueError: if a mask is no matrix or stack of matrices, two layers do not fit, or
            `blocks` is below 1.

    Cost: O(K t s) a layer and draw.
    Source: pham2025graphon for the idea; derived for the common order.
    """
    return [StepGraphon(G) for G in _joint(masks, masks, blocks)]


def empirical_moments(
    masks: Sequence[Float[Array, "*draws _ _"]],
    weights: Sequence[Float[Array, "*draws _ _"]],
    *,
    blocks: int,
) -> list[ScaledGraphon]:
    r"""The second moments of the weights that are kept, in the blocks of `empirical_graphons`.

    .. math:: V^l(u, v) = E[w^2 M], \qquad G^l(u, v) = E[M]

    Masks that look at the weights keep the large ones: V is then not G, and the kernel of the
    pruned network that keeps its weights has two graphons,
    `GraphonLayers(empirical_moments(M, w, blocks=16), gradient=empirical_graphons(M, blocks=16))`.
    Second moments are not all: criteria that look at signs make weights dependent.

    Args:
        masks: of each weight layer, as of `empirical_graphons`.
        weights: of each weight layer, likewise, in the scale of N(0, 1).
        blocks: K, on each hidden axis.

    Raises:
        ValueError: as `empirical_graphons`, or if the weights do not fit the masks.

    Cost: O(K t s) a layer and draw.
    Source: derived.
    """
    if [np.shape(w) for w in weights] != [np.shape(M) for M in masks]:
        hint = "Both have the target first: transpose both."
        raise ValueError(
            f"`weights` must have the shapes of `masks`, got {[np.shape(w) for w in weights]} "
            f"for {[np.shape(M) for M in masks]}. {hint}"
        )
    kept = [jnp.square(w) * M for w, M in zip(weights, masks, strict=True)]
    moments = _joint(kept, masks, blocks)
    scales = [jnp.maximum(1.0, V.max()) for V in moments]
    return [ScaledGraphon(StepGraphon(V / s), s) for V, s in zip(moments, scales, strict=True)]


def _joint(values: Sequence[Array], masks: Sequence[Array], blocks: int) -> list[Array]:
    """Block means of `values`, with the hidden neurons in the order of their degree in `masks`."""
    _checks.refuse(_checks.at_least_one("blocks", blocks, "One block is the density."))
    V, M = [_stack("masks", v) for v in values], [_stack("masks", m) for m in masks]
    _checks.refuse(_misfits(M))

    ordered: list[Array] = _ordered(V, M, blocks)
    return ordered


@functools.partial(jax.jit, static_argnames="blocks")
def _ordered(V: list[Array], M: list[Array], blocks: int) -> list[Array]:
    features, outputs = M[0].shape[2], M[-1].shape[1]
    K = [features, *[blocks] * (len(M) - 1), outputs]

    def one(V: list[Array], M: list[Array]) -> list[Array]:
        hidden = [_by_degree(m.sum(1) + after.sum(0)) for m, after in pairwise(M)]
        order = [jnp.arange(features), *hidden, jnp.arange(outputs)]
        return [
            _means(v[rows][:, columns], k_rows, k_columns)
            for v, (columns, rows), (k_columns, k_rows) in zip(
                V, pairwise(order), pairwise(K), strict=True
            )
        ]

    return [H.mean(0) for H in jax.vmap(one)(V, M)]


def _by_degree(degree: Array) -> Array:
    """The largest degree first; of equal ones the first."""
    return jnp.argsort(-degree, stable=True)


def _means(M: Array, rows: int, columns: int) -> Array:
    """Means over equal blocks of [0, 1]^2 of the step function that M is."""
    P, Q = _overlap(M.shape[0], rows), _overlap(M.shape[1], columns)
    means = jnp.matmul(jnp.matmul(P, M, precision="highest"), Q.T, precision="highest")
    return jnp.asarray(means, M.dtype)


def _overlap(n: int, blocks: int) -> Float[np.ndarray, "{blocks} {n}"]:
    """The part of each of `blocks` equal intervals that each of n equal ones covers."""
    edge, at = np.arange(blocks + 1) / blocks, np.arange(n + 1) / n
    lower, upper = np.maximum(edge[:-1, None], at[:-1]), np.minimum(edge[1:, None], at[1:])
    return np.asarray(np.maximum(upper - lower, 0.0) * blocks)


def _stack(name: str, M: Array) -> Float[Array, "draws targets sources"]:
    M = jnp.asarray(M, float)
    if M.ndim not in (2, 3) or M.size == 0:
        hint = "One mask is a matrix, target first; several have a leading axis."
        raise ValueError(f"`{name}` must be matrices, got shape {M.shape}. {hint}")
    return M if M.ndim == 3 else M[None]


def _misfits(M: Sequence[Array]) -> list[str]:
    hint = "The target comes first: transpose the layers' W."
    return [
        f"The sources of `masks[{i + 1}]` must be the targets of `masks[{i}]`, got shapes "
        f"{after.shape[1:]} after {before.shape[1:]}. {hint}"
        for i, (before, after) in enumerate(pairwise(M))
        if after.shape[2] != before.shape[1] or after.shape[0] != before.shape[0]
    ]
