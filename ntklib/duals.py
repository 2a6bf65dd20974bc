"""Dual activations: what a pointwise nonlinearity does to a Gaussian covariance."""

from abc import abstractmethod
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class AbstractDual(eqx.Module):
    r"""A nonlinearity with the two Gaussian expectations that the recursion needs.

    .. math:: (z_1, z_2) \sim N(0, \begin{pmatrix} s_{11} & s_{12} \\ s_{12} & s_{22} \end{pmatrix})

    There is no hidden factor 2: He initialisation is `sigma_w = sqrt(2)`.
    The arguments broadcast against each other; `s11` and `s22` are not negative.

    Source: derived.
    """

    @abstractmethod
    def activation(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The nonlinearity itself, for the finite twin. Cost: one pass over `z`."""

    @abstractmethod
    def phi(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        r""":math:`E[\phi(z_1) \phi(z_2)]`. Cost: one elementwise pass."""

    @abstractmethod
    def derivative(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        r""":math:`E[\dot\phi(z_1) \dot\phi(z_2)]`. Cost: one elementwise pass."""


@final
class Relu(AbstractDual):
    r"""The rectifier, :math:`\phi(z) = \max(z, 0)`, with :math:`\dot\phi(0) = 0`.

    .. math:: E[\phi\phi] = \frac{r + (\pi - \theta) s_{12}}{2\pi}, \qquad
              E[\dot\phi\dot\phi] = \frac{\pi - \theta}{2\pi}, \qquad
              r = \sqrt{s_{11} s_{22} - s_{12}^2}, \quad \theta = \mathrm{atan2}(r, s_{12})

    Equal inputs are exact: r is 0 there, not the root of a rounding error. Gradients are finite
    everywhere; at parallel inputs, where E[phidot phidot] has a kink, its gradient is 0.

    Cost: one arctangent and two square roots an entry. Source: derived.
    """

    def activation(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jax.nn.relu(z)

    def phi(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        alive, s12, root, angle = _angle(s11, s12, s22)
        return jnp.where(alive, (root + angle * s12) / (2 * jnp.pi), 0.0)

    def derivative(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        alive, _, _, angle = _angle(s11, s12, s22)
        return jnp.where(alive, angle / (2 * jnp.pi), 0.0)


@final
class Erf(AbstractDual):
    r"""The error function, :math:`\phi(z) = \mathrm{erf}(z)`.

    .. math:: E[\phi\phi] = \frac{2}{\pi} \mathrm{atan2}(2 s_{12}, \sqrt{D}), \qquad
              E[\dot\phi\dot\phi] = \frac{4}{\pi \sqrt{D}}, \qquad
              D = (1 + 2 s_{11})(1 + 2 s_{22}) - 4 s_{12}^2 \ge 1

    Cost: one arctangent and one square root an entry. Source: derived.
    """

    def activation(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jax.scipy.special.erf(z)

    def phi(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return 2 / jnp.pi * jnp.arctan2(2 * s12, _root(s11, s12, s22))

    def derivative(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return 4 / jnp.pi / _root(s11, s12, s22)


def _angle(s11: Array, s12: Array, s22: Array) -> tuple[Array, Array, Array, Array]:
    """Is neither variance 0?, s12, r = sqrt(s11 s22 - s12^2) and pi - theta (made safe if one is).

    `norm` is sqrt(s11 s22), written so that s11 = s22 gives s11 itself: then `norm - s12` is 0 at
    equal inputs, whether or not the compiler fuses multiplication and addition. The inner `where`s
    keep infinite slopes (a root at 0, atan2 at the origin) out of the gradient. The placeholder
    under the root is tiny: a compiler may compute `apart` twice and round it in two ways.
    """
    low, high = jnp.minimum(s11, s22), jnp.maximum(s11, s22)
    alive = low > 0
    low, high, s12 = (jnp.where(alive, s, 1.0) for s in (low, high, s12))
    norm = high * jnp.sqrt(low / high)
    square = (norm - s12) * (norm + s12)
    apart = square > 0
    root = jnp.where(apart, jnp.sqrt(jnp.where(apart, square, np.finfo(square.dtype).tiny)), 0.0)
    return alive, s12, root, jnp.pi - jnp.arctan2(root, s12)


def _root(s11: Array, s12: Array, s22: Array) -> Array:
    """sqrt(D) of `Erf`; D >= 1 also after rounding, and the gradient at equal inputs is exact."""
    square = s11 * s22 - s12**2
    return jnp.sqrt(1 + 2 * (s11 + s22) + 4 * jnp.where(square < 0, 0.0, square))
