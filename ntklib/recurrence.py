r"""The recurrent mixing: one step in time, with the same weights at every step.

The covariance of two times steps along: (t - 1, t' - 1) gives (t, t'). So one step is that of every
network, with the inputs of the two times as an added covariance, and a pair of times never meets
another lag t - t'.
"""

from typing import Any, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from ntklib.duals import AbstractDual
from ntklib.recursion import AbstractMixing, Covariances, activate, affine
from ntklib.sequences import Aligned


class Cell(NamedTuple):
    """What all steps share: the nonlinearity and the deviations of the weights and the bias."""

    dual: AbstractDual
    sigma_w: ArrayLike
    sigma_u: ArrayLike
    sigma_b: ArrayLike


@final
class RecurrentMixing(AbstractMixing):
    r"""One step in time: the covariance of the states before it is scaled, that of inputs added.

    .. math:: \mathcal M[C] = \sigma_w^2 \, C, \qquad
              \text{added:} \quad \sigma_u^2 \, x_t \cdot x'_{t'} / d + \sigma_b^2

    Args:
        sigma_w: standard deviation of the weights between states.
        added: the covariance that inputs and bias add, 0 where a sequence has not begun.
        kept: where both sequences had a state before this step; h_0 = 0 has no covariance.
        own: the mixings of each side with itself.

    Cost: one elementwise pass.
    Source: alemohammad2021recurrent.
    """

    sigma_w: ArrayLike
    added: Float[Array, "..."]
    kept: Bool[Array, "..."]
    own: "tuple[RecurrentMixing, RecurrentMixing] | None" = None

    def mix(self, block: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.multiply(self.sigma_w**2, jnp.where(self.kept, block, 0.0))

    def bias(self) -> ArrayLike:
        return self.added

    def left(self) -> AbstractMixing:
        return self if self.own is None else self.own[0]

    def right(self) -> AbstractMixing:
        return self if self.own is None else self.own[1]


@eqx.filter_jit  # else each call would compile its scan anew
def states(cell: Cell, one: Aligned, other: Aligned | None, *, lags: int) -> Covariances:
    r"""The covariances of the states that are read, weighted and summed over pairs of times.

    .. math:: \sum_{t,t'} w_t w'_{t'} \, \phi(\Sigma_{t,t'}), \qquad |t - t'| < \text{lags}

    Args:
        cell: what all steps share.
        one: the sequences on the left.
        other: those on the right, on a clock of the same length; None if they are the same.
        lags: 1 follows the pairs t = t' of the clock alone; its length follows all pairs.

    Cost: O(n m T lags d) time and O(n m lags) memory on a clock of T steps, d features.
    Source: derived.
    """
    two = one if other is None else other
    ahead = _follow(cell, one, two, lags, same=other is None)
    Sigma, Theta = (jnp.sum(pairs, axis=-1) for pairs in ahead)
    if lags > 1:
        behind = ahead if other is None else _follow(cell, two, one, lags, same=False)
        more = (jnp.sum(pairs[..., 1:], axis=-1).T for pairs in behind)
        Sigma, Theta = (jnp.add(k, m) for k, m in zip((Sigma, Theta), more, strict=True))
    return Covariances(Sigma, Theta)


def _follow(
    cell: Cell, one: Aligned, two: Aligned, lags: int, *, same: bool
) -> tuple[Array, Array]:
    """Sigma and Theta of the states, weighted and summed along the clock: (n, m, lags) each.

    The right side is `lag` steps behind the left one; nothing has begun before the clock.
    """
    n, m, steps = one.x.shape[0], two.x.shape[0], one.x.shape[1]
    dtype = jnp.result_type(one.x, two.x, cell.sigma_w, cell.sigma_u, cell.sigma_b)
    pairs, left, right = (jnp.zeros((*s, lags), dtype) for s in ((n, m), (n,), (m,)))

    def step(carry: tuple[Covariances, Array, Array, Array], t: Array) -> tuple[Any, None]:
        A, right, Sigma, Theta = carry
        K = affine(A, mix=_mixing(cell, one, two, t, lags))
        if same:  # the variances are entries of Sigma: read now, and later at longer lags
            now = jnp.diagonal(K.Sigma[..., 0])[:, None]
            right = jnp.concatenate([now, right[:, :-1]], axis=1)
            left = jnp.broadcast_to(now, right.shape)
            K = Covariances(K.Sigma, K.Theta, left, right)
        A = activate(K, dual=cell.dual)
        then = t - jnp.arange(lags)
        read = one.weights[:, t, None, None] * two.weights[:, then] * (then >= 0)
        return (A, right, Sigma + read * A.Sigma, Theta + read * A.Theta), None

    nothing = Covariances(pairs, pairs, left, right)
    (_, _, Sigma, Theta), _ = jax.lax.scan(step, (nothing, right, pairs, pairs), jnp.arange(steps))
    return Sigma, Theta


def _mixing(cell: Cell, one: Aligned, two: Aligned, t: Array, lags: int) -> RecurrentMixing:
    """The step to time `t` on the left and `t - lag` on the right."""
    then = t - jnp.arange(lags)
    x1, x2 = one.x[:, t, None], two.x[:, jnp.maximum(then, 0)]
    age1, age2 = t - one.begin[:, None], then - two.begin[:, None]

    def between(gram: Array, age: Array, own: Any = None) -> RecurrentMixing:
        added = cell.sigma_u**2 * gram / x1.shape[-1] + cell.sigma_b**2
        return RecurrentMixing(cell.sigma_w, jnp.where(age >= 0, added, 0.0), age > 0, own)

    own = between(jnp.sum(x1**2, -1), age1), between(jnp.sum(x2**2, -1), age2)
    gram = jnp.einsum("nd,mod->nmo", x1[:, 0], x2, precision="highest")
    return between(gram, jnp.minimum(age1[:, None], age2), own)
