"""Training in steps: gradient descent on the squared loss, in closed form."""

from typing import final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib import _checks, _grams
from ntklib.dynamics import GradientFlow


@final
class GradientDescent(eqx.Module):
    r"""Gradient descent with a finite step on the squared loss under a constant kernel.

    .. math:: f_{k+1} = f_k - \eta \Theta (f_k - y), \qquad f_k = y + (1 - \eta \Theta)^k (f_0 - y)

    The loss is :math:`\frac12 \sum_i |f(x_i) - y_i|^2`. As the step goes to 0 at a fixed time
    t = eta k it is `GradientFlow`; at a large step the fastest directions oscillate.

    Args:
        ntk: the kernel among the training inputs, symmetric and positive semidefinite.
        y: targets, one row an input.
        f0: outputs before the first step. Without them, 0.
        step: the learning rate eta, below 2 over the largest eigenvalue.

    Raises:
        ValueError: if the shapes do not fit together, an entry is not finite, or the step is not
            positive or so large that training diverges.

    Cost: O(n^3) once; O(n^2 o) for each number of steps.
    Source: lee2019wide.
    """

    flow: GradientFlow
    step: ArrayLike

    def __init__(
        self,
        ntk: Float[Array, "n n"],
        y: Float[Array, "n o"],
        f0: Float[Array, "n o"] | None = None,
        *,
        step: ArrayLike,
    ) -> None:
        self.flow = GradientFlow(ntk, y, f0)
        self.step = _checks.number(step)
        _checks.refuse(_stable(step, self.flow.eigenvalues[-1]))

    def train(self, steps: ArrayLike) -> Float[Array, "n o"]:
        r"""The outputs on the training inputs after so many steps; `jnp.inf` is the end.

        .. math:: f_k = y + (1 - \eta \Theta)^k (f_0 - y)

        Args:
            steps: a whole number, not negative.

        Cost: O(n^2 o).
        Source: lee2019wide.
        """
        left = 1 - self._change(steps)
        return self.flow.y + self.flow.eigenvectors @ (left[:, None] * self.flow.start)

    def test(
        self,
        steps: ArrayLike,
        ntk: Float[Array, "m n"],
        f0: Float[Array, "m o"] | None = None,
    ) -> Float[Array, "m o"]:
        r"""The outputs on other inputs after so many steps.

        .. math:: f_k(x) = f_0(x) - \Theta(x, X) \Theta^{-1} (1 - (1 - \eta \Theta)^k) (f_0 - y)

        Args:
            steps: a whole number, not negative; `jnp.inf` is kernel regression without ridge.
            ntk: the kernel from the other inputs (rows) to the training inputs.
            f0: their outputs before the first step. Without them, 0.

        Cost: O(m n o + n^2 o).
        Source: lee2019wide.
        """
        done = self._change(steps) / self.flow._rates()
        change = -ntk @ (self.flow.eigenvectors @ (done[:, None] * self.flow.start))
        return change if f0 is None else f0 + change

    def _change(self, steps: ArrayLike) -> Float[Array, " n"]:
        """1 - (1 - eta lambda)^k of each direction, without cancellation at small eta lambda."""
        rate = self.step * self.flow._rates()
        slow = rate < 1
        smooth = -jnp.expm1(steps * jnp.log1p(-jnp.where(slow, rate, 0.5)))
        size = jnp.exp(steps * jnp.log(jnp.where(rate > 1, rate - 1, 0.5)))
        size = jnp.where(rate == 1, jnp.where(jnp.equal(steps, 0), 1.0, 0.0), size)
        odd = jnp.equal(jnp.mod(steps, 2), 1)
        change = jnp.where(slow, smooth, 1 - jnp.where(odd, -size, size))
        return jnp.where(self.flow._learned(), change, 0.0)


def _stable(step: ArrayLike, largest: Array) -> list[str]:
    """A step is one positive number, below the edge of stability (when concrete)."""
    problems = _grams.not_negative("step", step, "It is the learning rate.")
    if problems or not _grams.concrete(step, largest):
        return problems
    eta, top = float(np.asarray(step)), float(largest)
    if eta > 0 and eta * top < 2:
        return []
    edge = 2 / top if top > 0 else float("inf")
    return [
        f"`step` must be above 0 and below 2 / largest eigenvalue = {edge:.3g}, got {step}. "
        "Beyond it gradient descent diverges."
    ]
