"""Training a finite network with any optimiser, as a reference for what kernels predict."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ntklib import _checks

Params = TypeVar("Params")


class Trained(NamedTuple):
    """The parameters after training, and the loss before each step and after the last."""

    params: Any
    losses: Float[Array, " steps_and_one"]


def minimise(
    loss: Callable[[Params], Float[Array, ""]], params: Params, optimiser: Any, *, steps: int
) -> Trained:
    r"""Steps of an optimiser on the whole training set, in one compiled loop.

    .. math:: \theta_{k+1} = \theta_k + \Delta(\nabla \mathcal L(\theta_k)), \qquad
              k = 0, \dots, \text{steps} - 1

    It may be called under `jax.jit` and `jax.vmap`: over networks, say.

    Args:
        loss: maps `params` to a number.
        params: where to start, any pytree of floating-point arrays.
        optimiser: two functions `init` and `update`, as optax has them: `optax.adam(1e-3)`.
        steps: how many.

    Raises:
        ValueError: if `steps` is below 1 or a parameter is not floating point.

    Cost: steps + 1 gradients of `loss`.
    Source: derived.
    """
    _checks.floating_leaves("params", params)
    _checks.refuse(_checks.at_least_one("steps", steps, "No step leaves the parameters alone."))

    def step(carry: tuple[Params, Any], _: None) -> tuple[tuple[Params, Any], Array]:
        theta, state = carry
        value, gradient = jax.value_and_grad(loss)(theta)
        change, state = optimiser.update(gradient, state, theta)
        return (jax.tree.map(jnp.add, theta, change), state), value

    (final, _), losses = jax.lax.scan(step, (params, optimiser.init(params)), length=steps)
    return Trained(final, jnp.append(losses, loss(final)))
