"""The covariances of the inputs, and their distance to full accuracy where it is small."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ntklib.duals import AbstractDual, AbstractGapDual
from ntklib.recursion import Covariances, variances

_NEAR = 1 / 64  # of both variances: nearer, a Gram matrix would lose more than six bits of the gap


def inputs(
    x1: Float[Array, "n *sites d"],
    x2: Float[Array, "m *sites d"] | None,
    *,
    dual: AbstractDual,
    sites: Literal["diagonal", "full"] = "diagonal",
) -> Covariances:
    r"""The covariances before any weights, with the gap of near-duplicates if `dual` uses it.

    .. math:: \Sigma(x, x') = \frac{1}{d} \sum_j x_j x'_j, \qquad \Theta = 0

    Args:
        x1: inputs, one a row, their features last.
        x2: others. Without them the covariances are between `x1` and itself.
        dual: the nonlinearity to come.
        sites: which pairs of sites are kept; "full" keeps no gap.

    Cost: O(n m d), times the pairs of sites.
    Source: derived.
    """
    K = _grams(x1, x2, sites)
    return with_gap(K, x1, x2) if isinstance(dual, AbstractGapDual) and sites != "full" else K


@eqx.filter_jit
def _grams(x1: Array, x2: Array | None, sites: Literal["diagonal", "full"]) -> Covariances:
    n, d = x1.shape[0], x1.shape[-1]
    other = x1 if x2 is None else x2
    if sites == "full":
        x1, other = x1.reshape(n, -1, d), other.reshape(other.shape[0], -1, d)
    cross, own = {
        "diagonal": ("n...d,m...d->nm...", "n...d,n...d->n..."),
        "full": ("nud,mvd->nmuv", "nud,nud->nu"),
    }[sites]

    def inner(subscripts: str, a: Array, b: Array) -> Array:  # never in TF32, GPUs' default
        return jnp.einsum(subscripts, a, b, precision="highest") / d

    G, left = inner(cross, x1, other), inner(own, x1, x1)
    if x2 is None:  # the diagonal by sums of its own, which round less than a matrix product
        itself = same_inputs(G.shape)
        if sites == "full":
            itself, left = itself & jnp.eye(G.shape[-1], dtype=bool), left[:, :, None]
        return Covariances(jnp.where(itself, left[:, None], G), jnp.zeros_like(G), sites=sites)
    right = inner(own, other, other)
    return Covariances(G, jnp.zeros_like(G), left, right, sites=sites)


def with_gap(
    K: Covariances, x1: Float[Array, "n *sites d"], x2: Float[Array, "m *sites d"] | None = None
) -> Covariances:
    r"""The inputs' covariances with their gap: near-duplicates keep full relative accuracy.

    .. math:: \Delta(x, x') = \Sigma(x, x) + \Sigma(x', x') - 2 \Sigma(x, x')
              = \frac{1}{d} \sum_j (x_j - x'_j)^2

    The middle form, from the Gram matrix, for most pairs; the last for near ones, row by row, so
    that the differences, (n, m, d), are never formed. Its gradient is the middle form's.

    Networks with all pairs of sites do without it, but for a pooled one's sites with themselves,
    and so do pruned ones: their near-duplicates keep sqrt(eps), as do nearly opposite inputs.

    What remains is the rounding of the norms: inputs that differ by a factor c alone come out
    `sqrt(eps * abs(c - 1))` apart in angle instead of 0.

    Args:
        K: the covariances of the inputs, x . x' / d, at each site with itself.
        x1: the inputs on the left, one a row.
        x2: those on the right. Without them K is between `x1` and itself.

    Cost: two elementwise passes, and O(m d) for each row of `x1` that has a near-duplicate.
    Source: derived.
    """
    return _with_gap(K, x1, x2)


@eqx.filter_jit
def _with_gap(K: Covariances, x1: Array, x2: Array | None) -> Covariances:
    v1, v2 = variances(K)
    total = v1[:, None] + v2[None, :]
    plain = total - 2 * K.Sigma
    itself = same_inputs(plain.shape) & (x2 is None)
    near = (plain < _NEAR * total) & ~itself
    fixed = jax.lax.stop_gradient((plain, near, x1, x1 if x2 is None else x2))
    gap = _differences(*fixed) + (plain - jax.lax.stop_gradient(plain))
    gap = jnp.where(itself, 0.0, gap)  # exactly, however the compiler rounds
    Sigma = jnp.where(near, (total - gap) / 2, K.Sigma)  # sums round less than a matrix product
    return Covariances(Sigma, K.Theta, K.left, K.right, gap=gap)


def with_own_sites(K: Covariances, own: Covariances) -> Covariances:
    r"""All pairs of sites, with those of a site and itself from a recursion that had their gap.

    .. math:: C(s, s) \leftarrow C_{own}(s)

    A window moves over both its sites together, so that a network's own sites need no others.

    Args:
        K: the covariances at all pairs of sites.
        own: those of the same network at each site with itself.

    Cost: one elementwise pass.
    Source: derived.
    """
    itself = jnp.eye(K.Sigma.shape[-1], dtype=bool)

    def place(pairs: Array, own: Array) -> Array:
        return jnp.where(itself, own.reshape(*pairs.shape[:3], 1), pairs)

    return Covariances(place(K.Sigma, own.Sigma), place(K.Theta, own.Theta), sites="full")


def same_inputs(shape: tuple[int, ...]) -> Array:
    """The pairs (i, i), at all sites.

    Args:
        shape: of the covariances, (n, m, *sites); the mask has length 1 at the sites.

    Cost: O(n m).
    Source: derived.
    """
    n, m, *sites = shape
    return jnp.eye(n, m, dtype=bool).reshape(n, m, *(1 for _ in sites))


def _differences(plain: Array, near: Array, x1: Array, x2: Array) -> Array:
    """`plain`, with its near pairs from the differences of the inputs."""
    any_near = near.any(axis=tuple(range(1, near.ndim)))
    rows = jnp.argsort(~any_near)  # those with a near pair come first

    def refine(k: Array, gap: Array) -> Array:
        i = rows[k]
        exact = jnp.sum((x1[i] - x2) ** 2, axis=-1) / x1.shape[-1]
        return gap.at[i].set(jnp.where(near[i], exact, gap[i]))

    refined: Array = jax.lax.fori_loop(0, any_near.sum(), refine, plain)
    return refined
