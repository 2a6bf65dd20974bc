"""How far two graphons are apart, and how far sorting alone puts a random mask from its limit."""

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib import _checks
from ntklib.graphon_nodes import quadrature
from ntklib.graphons import AbstractGraphon

_MOST_ROWS = 16  # of an exact cut norm: 65 536 subsets


def l2_distance(W1: AbstractGraphon, W2: AbstractGraphon) -> Float[Array, ""]:
    r"""The distance of two graphons as functions, which sees every single block.

    .. math:: |W_1 - W_2|_2 = \left( \iint (W_1 - W_2)^2 \, du \, dv \right)^{1/2}

    Exact for step graphons, whatever their blocks.

    Args:
        W1: a graphon.
        W2: another.

    Cost: one evaluation of both on their common blocks.
    Source: derived.
    """
    (u, w_u), (v, w_v) = (quadrature(*axes) for axes in zip(W1.axes(), W2.axes(), strict=True))
    return jnp.sqrt(jnp.asarray(w_u) @ (W1(u, v) - W2(u, v)) ** 2 @ w_v)


def cut_norm(D: Float[ArrayLike, "k m"]) -> float:
    r"""The largest sum over a rectangle: the norm in which graphs converge to graphons.

    .. math:: |D|_\square = \max_{S, T} \frac{1}{k m} \Big| \sum_{i \in S, j \in T} D_{ij} \Big|

    of the step function with equal blocks whose values are D. It is at most the L2 norm, and
    noise of random masks, which L2 sees at any block size, averages out in it. All subsets of the
    shorter axis are tried.

    Args:
        D: a matrix of block values, often a difference; its shorter axis at most 16.

    Raises:
        ValueError: if `D` is no matrix, or too large: take `cut_norm_bound`.

    Cost: O(2^k k m) for the shorter axis k.
    Source: derived.
    """
    D = _matrix(D)
    D = D if D.shape[0] <= D.shape[1] else D.T
    if D.shape[0] > _MOST_ROWS:
        raise ValueError(
            f"`D` must have at most {_MOST_ROWS} rows or columns for the exact cut norm, got "
            f"{D.shape}. `cut_norm_bound(D)` is a lower bound that needs no enumeration."
        )
    subsets = (np.arange(2 ** D.shape[0])[:, None] >> np.arange(D.shape[0])) & 1
    sums = subsets @ D
    best = np.maximum(np.maximum(sums, 0).sum(1), np.maximum(-sums, 0).sum(1)).max()
    return float(best / D.size)


def cut_norm_bound(D: Float[ArrayLike, "k m"]) -> float:
    r"""A lower bound of the cut norm of a large matrix, by improving S and T in turns.

    .. math:: \Big| \sum_{i \in S, j \in T} D_{ij} \Big| / (k m) \le |D|_\square
              \le |D|_{op} / \sqrt{k m}

    It starts from every row, and from the signs of every singular vector, and stops where neither
    set can be improved. Usually, but not surely, it finds the norm itself.

    Args:
        D: a matrix of block values, often a difference.

    Raises:
        ValueError: if `D` is no matrix.

    Cost: O(k^2 m) a turn, of which a few are needed, and a singular value decomposition.
    Source: derived.
    """
    D = _matrix(D)
    vectors = np.linalg.svd(D, full_matrices=False)[0].T
    S = np.concatenate([np.eye(D.shape[0]), vectors > 0, vectors < 0])
    return max(_climb(D, S), _climb(-D, S)) / D.size


def sorting_bias(density: float, *, width: int, blocks: int, draws: int = 1) -> float:
    r"""How far the picture of a random mask is from the constant graphon, in L2.

    .. math:: \mathrm{bias} = \sqrt{p (1 - p)} \, \sqrt{\frac{2}{n} + \frac{K^2}{R n^2}}

    A mask of independent entries has rows that hold more than others by chance. Sorting them puts
    them together, and no averaging over draws removes that: the term 2/n. The other is the
    blocks' own noise. For a square mask with n much larger than K; so "the picture of a random
    mask tends to a constant" is seen as n^(-1/2).

    Args:
        density: p, the probability that a weight is kept.
        width: n, of both layers.
        blocks: K of `mask_histogram`.
        draws: R, masks averaged.

    Raises:
        ValueError: if `density` is outside [0, 1] or a number is below 1.

    Cost: none.
    Source: derived.
    """
    problems = _checks.at_least_one("width", width, "It counts the neurons of a layer.")
    problems += _checks.at_least_one("blocks", blocks, "One block is the density.")
    problems += _checks.at_least_one("draws", draws, "It counts the masks averaged.")
    if not 0 <= density <= 1:
        problems.append(f"`density` must lie in [0, 1], got {density}. It is a probability.")
    _checks.refuse(problems)
    return float((density * (1 - density) * (2 / width + blocks**2 / (draws * width**2))) ** 0.5)


def _climb(D: Float[np.ndarray, "k m"], S: Float[np.ndarray, "starts k"]) -> float:
    """The largest sum of D over S x T that is reached from the given S, without dividing."""
    best = -1.0
    while True:
        T = S @ D > 0
        S = T @ D.T > 0
        reached = float(np.einsum("ak,km,am->a", S, D, T, optimize=True).max())
        if reached <= best * (1 + 1e-12):
            return best
        best = reached


def _matrix(D: ArrayLike) -> Float[np.ndarray, "k m"]:
    D = np.asarray(D, dtype=float)
    if D.ndim != 2 or D.size == 0:
        raise ValueError(f"`D` must be a matrix of block values, got shape {D.shape}.")
    return D
