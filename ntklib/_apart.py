"""Steps that XLA must not merge."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ntklib.recursion import Covariances

Step = Callable[[Covariances], Covariances]
Take = Callable[[Step, Covariances], Covariances]


def together(step: Step, K: Covariances) -> Covariances:
    """`step(K)`; under `jit` XLA may merge it with others."""
    return step(K)


def apart(x: Array) -> Take:
    """`together`, but each step is computed once, and by itself; x are finite inputs.

    XLA merges elementwise passes, on CPUs even into several others, each of which computes them
    again: a window's sums, in two directions, nine times. Optimization barriers do not keep it
    from that. A branch does: each step is taken where the inputs are finite, which `ntklib` has
    checked but XLA does not know.
    """
    return partial(_if, x.ravel()[0] < jnp.inf)


def _if(finite: Array, step: Step, K: Covariances) -> Covariances:
    def never(K: Covariances) -> Covariances:
        shapes = jax.eval_shape(step, K)
        zeros: Covariances = jax.tree.map(lambda k: jnp.zeros(k.shape, k.dtype), shapes)
        return zeros

    result: Covariances = jax.lax.cond(finite, step, never, K)
    return result
