"""The distance between inputs, to full accuracy where it is small."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ntklib.recursion import Covariances, variances

_NEAR = 1 / 64  # of both variances: nearer, a Gram matrix would lose more than six bits of the gap


def with_gap(
    K: Covariances, x1: Float[Array, "n d"], x2: Float[Array, "m d"] | None = None
) -> Covariances:
    r"""The inputs' covariances with their gap: near-duplicates keep full relative accuracy.

    .. math:: \Delta(x, x') = \Sigma(x, x) + \Sigma(x', x') - 2 \Sigma(x, x')
              = \frac{1}{d} \sum_j (x_j - x'_j)^2

    The middle form, from the Gram matrix, for most pairs; the last for near ones, row by row, so
    that the differences, (n, m, d), are never formed. Its gradient is the middle form's.

    What remains is the rounding of the norms: inputs that differ by a factor c alone come out
    `sqrt(eps * abs(c - 1))` apart in angle instead of 0.

    Args:
        K: the covariances of the inputs, x . x' / d, without sites.
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
    near = plain < _NEAR * total
    if x2 is None:
        near &= ~jnp.eye(len(x1), dtype=bool)  # 0 already
    fixed = jax.lax.stop_gradient((plain, near, x1, x1 if x2 is None else x2))
    gap = _differences(*fixed) + (plain - jax.lax.stop_gradient(plain))
    Sigma = jnp.where(near, (total - gap) / 2, K.Sigma)  # sums round less than a matrix product
    return Covariances(Sigma, K.Theta, K.left, K.right, gap=gap)


def _differences(plain: Array, near: Array, x1: Array, x2: Array) -> Array:
    """`plain`, with its near pairs from the differences of the inputs."""
    rows = jnp.argsort(~near.any(axis=1))  # those with a near pair come first

    def refine(k: Array, gap: Array) -> Array:
        i = rows[k]
        exact = jnp.sum((x1[i] - x2) ** 2, axis=1) / x1.shape[1]
        return gap.at[i].set(jnp.where(near[i], exact, gap[i]))

    refined: Array = jax.lax.fori_loop(0, near.any(axis=1).sum(), refine, plain)
    return refined
