"""Training a finite network with any optimiser, as a reference for what kernels predict."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ntklib import _checks

Params = TypeVar("Params")


class Trained(NamedTuple):
    """The parameters after training, and what was observed before each step and after the last."""

    params: Any
    history: Any


def minimise(
    loss: Callable[[Params], Float[Array, ""]],
    params: Params,
    optimiser: Any,
    *,
    steps: int,
    observe: Callable[[Params], Any] | None = None,
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
        observe: maps the parameters to what is kept of every moment, (steps + 1, ...): outputs,
            say. Without it, the loss.

    Raises:
        ValueError: if `steps` is below 1 or a parameter is not floating point.

    Cost: `steps` gradients of `loss`, and steps + 1 observations.
    Source: derived.
    """
    _checks.floating_leaves("params", params)
    _checks.refuse(_checks.at_least_one("steps", steps, "No step leaves the parameters alone."))

    seen = loss if observe is None else observe

    def step(carry: tuple[Params, Any], _: None) -> tuple[tuple[Params, Any], Any]:
        theta, state = carry
        change, after = optimiser.update(jax.grad(loss)(theta), state, theta)
        return (jax.tree.map(jnp.add, theta, change), after), seen(theta)

    (last, _), before = jax.lax.scan(step, (params, optimiser.init(params)), length=steps)
    history = jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), before, seen(last))
    return Trained(last, history)
