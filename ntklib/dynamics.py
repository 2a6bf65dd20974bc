"""Training as a linear differential equation in function space."""

from typing import final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from ntklib import _checks


@final
class GradientFlow(eqx.Module):
    r"""Gradient flow of the squared loss under a constant kernel, solved in closed form.

    .. math:: \dot f_t = -\Theta (f_t - y), \qquad f_t = y + e^{-\Theta t} (f_0 - y)

    The loss is :math:`\frac12 \sum_i |f(x_i) - y_i|^2`. Gradient descent with step eta is at
    t = eta k after k steps, as long as eta times the largest eigenvalue is small. This is exact
    for a linearised network with its empirical kernel, and is the limit of a wide network; from
    f_0 = 0, the limit's mean, it is the mean over an infinite ensemble.

    Args:
        ntk: the kernel among the training inputs, symmetric and positive semidefinite.
        y: targets, one row an input.
        f0: outputs at t = 0. Without them, 0.

    Raises:
        ValueError: if the shapes do not fit together or an entry is not finite.

    Cost: O(n^3) once; O(n^2 o) for each time.
    Source: lee2019wide.
    """

    eigenvalues: Float[Array, " n"]
    eigenvectors: Float[Array, "n n"]
    y: Float[Array, "n o"]
    start: Float[Array, "n o"]

    def __init__(
        self,
        ntk: Float[Array, "..."],
        y: Float[Array, "..."],
        f0: Float[Array, "..."] | None = None,
    ) -> None:
        f0 = jnp.zeros_like(y) if f0 is None else f0
        _checks.refuse(_fit(ntk, y, f0))
        self.eigenvalues, self.eigenvectors = jnp.linalg.eigh(ntk)
        self.y = y
        self.start = self.eigenvectors.T @ (f0 - y)

    def train(self, t: ArrayLike) -> Float[Array, "n o"]:
        r"""The outputs on the training inputs at time t; `jnp.inf` is the end of training.

        .. math:: f_t = y + e^{-\Theta t} (f_0 - y)

        Args:
            t: one time, not negative.

        Cost: O(n^2 o).
        Source: lee2019wide.
        """
        decay = jnp.where(self._learned(), jnp.exp(-self._rates() * t), 1.0)
        return self.y + self.eigenvectors @ (decay[:, None] * self.start)

    def test(
        self,
        t: ArrayLike,
        ntk: Float[Array, "m n"],
        f0: Float[Array, "m o"] | None = None,
    ) -> Float[Array, "m o"]:
        r"""The outputs on other inputs at time t; `jnp.inf` is kernel regression without ridge.

        .. math:: f_t(x) = f_0(x) - \Theta(x, X) \Theta^{-1} (1 - e^{-\Theta t}) (f_0 - y)

        Args:
            t: one time, not negative.
            ntk: the kernel from the other inputs (rows) to the training inputs.
            f0: their outputs at t = 0. Without them, 0.

        Cost: O(m n o + n^2 o).
        Source: lee2019wide.
        """
        rates = self._rates()
        done = jnp.where(self._learned(), -jnp.expm1(-rates * t) / rates, 0.0)
        change = -ntk @ (self.eigenvectors @ (done[:, None] * self.start))
        return change if f0 is None else f0 + change

    def _learned(self) -> Bool[Array, " n"]:
        """Directions above rounding; the others never move."""
        eps = np.finfo(self.eigenvalues.dtype).eps
        return jnp.greater(self.eigenvalues, eps * self.eigenvalues.size * self.eigenvalues[-1])

    def _rates(self) -> Float[Array, " n"]:
        return jnp.where(self._learned(), self.eigenvalues, 1.0)


def _fit(ntk: Array, y: Array, f0: Array) -> list[str]:
    """The kernel is square, targets have one row an input, and f0 is like the targets."""
    problems = []
    if ntk.ndim != 2 or ntk.shape[0] != ntk.shape[1]:
        problems.append(f"`ntk` must be square, got {ntk.shape}. Pass the training block.")
    if y.ndim != 2 or y.shape[:1] != ntk.shape[:1]:
        hint = "One output is `y[:, None]`."
        problems.append(f"`y` must have shape ({ntk.shape[0]}, outputs), got {y.shape}. {hint}")
    if f0.shape != y.shape:
        problems.append(f"`f0` must have the shape of `y`, {y.shape}, got {f0.shape}.")
    for name, array in (("ntk", ntk), ("y", y), ("f0", f0)):
        problems += _checks.floats(name, array)
    return problems
