"""The infinite ensemble of infinitely wide networks in training: its mean and its spread."""

from typing import NamedTuple, final

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib import _checks, _grams
from ntklib.descent import GradientDescent
from ntklib.dynamics import GradientFlow
from ntklib.recursion import Kernels


class Prediction(NamedTuple):
    """Jointly Gaussian outputs; each output dimension has this covariance, independently."""

    mean: Float[Array, "m o"]
    covariance: Float[Array, "m m"]


class Marginals(NamedTuple):
    """Gaussian outputs, input by input; each output dimension has this variance."""

    mean: Float[Array, "m o"]
    variance: Float[Array, " m"]


@final
class Ensemble(eqx.Module):
    r"""Wide networks that differ in their initialisation, trained on the squared loss.

    .. math:: f_t(x) = f_0(x) - A_t (f_0(X) - y), \qquad
              A_t = \Theta(x, X) \Theta^{-1} (1 - e^{-\Theta t}), \qquad f_0 \sim N(0, K)

    f_0 is Gaussian with the NNGP kernel K, and training is linear in it, so outputs are Gaussian at
    all times. At t = 0 this is the prior; in the end the mean is kernel regression with the NTK,
    and the spread is not a posterior's, except when only the last layer is trained
    (`Kernels(nngp, nngp)`).

    Args:
        kernels: both kernels among the training inputs, `kernel(x)`.
        y: targets, one row an input.
        step: the learning rate of gradient descent; t then counts steps, and
            :math:`e^{-\Theta t}` becomes :math:`(1 - \eta \Theta)^t`. Without it training is
            gradient flow, and t is time.

    Raises:
        ValueError: if the shapes do not fit together, an entry is not finite, a kernel is not
            symmetric, or the step is too large for gradient descent to converge.

    Cost: O(n^3) once.
    Source: lee2019wide.
    """

    response: GradientFlow | GradientDescent
    y: Float[Array, "n o"]
    nngp: Float[Array, "n n"]

    def __init__(
        self, kernels: Kernels, y: Float[Array, "n o"], *, step: ArrayLike | None = None
    ) -> None:
        n = kernels.ntk.shape[0] if kernels.ntk.ndim else 0
        _checks.refuse(
            _grams.symmetric("kernels.ntk", kernels.ntk)
            + _grams.symmetric("kernels.nngp", kernels.nngp)
            + _grams.block("kernels.nngp", kernels.nngp, (n, n), "inputs, inputs")
            + _grams.targets(y, n)
        )
        self.y, self.nngp = y, kernels.nngp
        # The same training towards 0 from f_0 = 1, a matrix: how outputs answer f_0.
        zero, one = jnp.zeros_like(kernels.ntk), jnp.eye(n, dtype=kernels.ntk.dtype)
        if step is None:
            self.response = GradientFlow(kernels.ntk, zero, one)
        else:
            self.response = GradientDescent(kernels.ntk, zero, one, step=step)

    def train(self, t: ArrayLike) -> Prediction:
        r"""The outputs on the training inputs at time t, or after t steps.

        .. math:: E f_t = (1 - e^{-\Theta t}) y, \qquad
                  \mathrm{Cov} f_t = e^{-\Theta t} K e^{-\Theta t}

        Args:
            t: one time, not negative, or a whole number of steps; `jnp.inf` is the end.

        Cost: O(n^3 + n^2 o).
        Source: lee2019wide.
        """
        left = self.response.train(t)
        mean = self.y - jnp.matmul(left, self.y, precision="highest")
        return Prediction(mean, _sandwich(left, self.nngp))

    def test(self, t: ArrayLike, cross: Kernels, prior: Float[Array, "m m"]) -> Prediction:
        r"""The outputs on other inputs at time t, or after t steps, with their covariance.

        .. math:: E f_t(x) = A_t y, \qquad \mathrm{Cov} f_t(x) = K(x, x)
                  - A_t K(X, x) - K(x, X) A_t^\top + A_t K A_t^\top

        Args:
            t: one time, not negative, or a whole number of steps; `jnp.inf` is the end.
            cross: both kernels from the other inputs to the training inputs, `kernel(x_new, x)`.
            prior: the NNGP kernel among the other inputs, `kernel(x_new).nngp`.

        Raises:
            ValueError: if the shapes do not fit together or `prior` is not symmetric.

        Cost: O(m n^2 + m^2 n + n^2 o).
        Source: lee2019wide.
        """
        m = cross.ntk.shape[0]
        _checks.refuse(
            self._fit(cross)
            + _grams.symmetric("prior", prior)
            + _grams.block("prior", prior, (m, m), "other inputs, other inputs")
        )
        A = -self.response.test(t, cross.ntk)
        shared = jnp.matmul(A, cross.nngp.T, precision="highest")
        covariance = prior - shared - shared.T + _sandwich(A, self.nngp)
        return Prediction(jnp.matmul(A, self.y, precision="highest"), covariance)

    def marginals(self, t: ArrayLike, cross: Kernels, prior: Float[Array, " m"]) -> Marginals:
        r"""As `test`, but the variance of each input alone: memory grows as m, not m^2.

        .. math:: V f_t(x) = K(x, x) - 2 A_t K(X, x) + A_t K A_t^\top

        Args:
            t: one time, not negative, or a whole number of steps; `jnp.inf` is the end.
            cross: both kernels from the other inputs to the training inputs, `kernel(x_new, x)`.
            prior: the NNGP kernel of each other input with itself.

        Raises:
            ValueError: if the shapes do not fit together.

        Cost: O(m n^2 + n^2 o).
        Source: lee2019wide.
        """
        m = cross.ntk.shape[0]
        _checks.refuse(self._fit(cross) + _grams.block("prior", prior, (m,), "other inputs"))
        A = -self.response.test(t, cross.ntk)
        AK = jnp.matmul(A, self.nngp, precision="highest")
        variance = prior + jnp.sum(A * (AK - 2 * cross.nngp), axis=1)
        mean = jnp.matmul(A, self.y, precision="highest")
        return Marginals(mean, jnp.maximum(variance, 0))

    def _fit(self, cross: Kernels) -> list[str]:
        m, n = (cross.ntk.shape[0] if cross.ntk.ndim else None), self.nngp.shape[0]
        axes = "other inputs, training inputs"
        return _grams.block("cross.ntk", cross.ntk, (None, n), axes) + _grams.block(
            "cross.nngp", cross.nngp, (m, n), axes
        )


def _sandwich(A: Array, K: Array) -> Array:
    """A K A', symmetric to the last bit."""
    product = jnp.matmul(jnp.matmul(A, K, precision="highest"), A.T, precision="highest")
    return (product + product.T) / 2
