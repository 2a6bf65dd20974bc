"""Dual activations of smooth nonlinearities, beside `Erf`."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib import _checks, _gaussians
from ntklib.duals import AbstractDual


@final
class Gelu(AbstractDual):
    r"""The Gaussian error linear unit, :math:`\phi(z) = z \, P(w \le z)` with w from N(0, 1).

    .. math:: E[\phi\phi] = \frac{1}{2\pi} \Big( (\pi - \theta) s_{12}
              + \frac{d + s_{12}^2 c}{R} \Big), \qquad
              E[\dot\phi\dot\phi] = \frac{1}{2\pi} \Big( \pi - \theta
              + \frac{s_{12}}{R} \big( c + R^{-2} \big) \Big)

    .. math:: d = s_{11} s_{22} - s_{12}^2, \quad R^2 = 1 + s_{11} + s_{22} + d, \quad
              \theta = \mathrm{atan2}(R, s_{12}), \quad
              c = \frac{1}{1 + s_{11}} + \frac{1}{1 + s_{22}}

    No tanh approximation. For large variances it is `Relu`.

    Cost: one arctangent and two square roots an entry. Source: derived.
    """

    def activation(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jax.nn.gelu(z, approximate=False)

    def phi(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        root, d = _gaussians.volume(s11, s12, s22)
        c = s12 / (1 + s11) + s12 / (1 + s22)
        opposite = _gaussians.arc(root, -s12, _gaussians.inverse_extent(s11, s22))
        return (opposite * s12 + d + s12 / root * c) / (2 * jnp.pi)

    def derivative(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        root, _ = _gaussians.volume(s11, s12, s22)
        c = s12 / (1 + s11) + s12 / (1 + s22)
        opposite = _gaussians.arc(root, -s12, _gaussians.inverse_extent(s11, s22))
        return (opposite + (c + s12 / root / root) / root) / (2 * jnp.pi)


@final
class Gaussian(AbstractDual):
    r"""The Gaussian bump, :math:`\phi(z) = e^{-z^2 / 2}`.

    .. math:: E[\phi\phi] = \frac{1}{R}, \qquad E[\dot\phi\dot\phi] = \frac{s_{12}}{R^3}, \qquad
              R^2 = (1 + s_{11})(1 + s_{22}) - s_{12}^2 \ge 1

    Cost: two square roots an entry. Source: derived.
    """

    def activation(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.exp(-(z**2) / 2)

    def phi(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        root, _ = _gaussians.volume(s11, s12, s22)
        return 1 / root

    def derivative(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        root, _ = _gaussians.volume(s11, s12, s22)
        return s12 / root / root / root


@final
class Sine(AbstractDual):
    r"""A sine wave, :math:`\phi(z) = \sin(\omega z + \varphi)`; `Cosine` is a quarter period ahead.

    .. math:: E[\phi\phi] = e^{-h} (\sinh q + e^{-q} \sin^2 \varphi), \qquad
              E[\dot\phi\dot\phi] = \omega^2 e^{-h} (\sinh q + e^{-q} \cos^2 \varphi)

    .. math:: q = \omega^2 s_{12}, \qquad h = \omega^2 (s_{11} + s_{22}) / 2 \ge |q|

    Rounding of h - q costs accuracy in proportion: the relative error is about eps omega^2 s.

    Args:
        frequency: omega.
        phase: varphi, in radians.

    Raises:
        ValueError: if either is not one finite number.

    Cost: three exponentials an entry. Source: derived.
    """

    frequency: ArrayLike = eqx.field(default=1.0, converter=_checks.number)
    phase: ArrayLike = eqx.field(default=0.0, converter=_checks.number)

    def __check_init__(self) -> None:
        _checks.refuse(
            _checks.finite("frequency", self.frequency) + _checks.finite("phase", self.phase)
        )

    def activation(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.sin(self.frequency * z + self.phase)

    def phi(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return self._wave(s11, s12, s22, jnp.sin(self.phase) ** 2)

    def derivative(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        wave = self._wave(s11, s12, s22, jnp.cos(self.phase) ** 2)
        return jnp.multiply(self.frequency**2, wave)

    def _wave(self, s11: Array, s12: Array, s22: Array, weight: ArrayLike) -> Array:
        """e^-h (sinh q + weight e^-q): no exponent is positive, and small q keep their accuracy."""
        q = jnp.multiply(self.frequency**2, s12)
        h = jnp.multiply(self.frequency**2, (s11 + s22) / 2)
        sign = jnp.where(q < 0, -1.0, 1.0)
        sinh = sign * jnp.exp(sign * q - h) * -jnp.expm1(-2 * sign * q) / 2
        return sinh + weight * jnp.exp(-q - h)


def Cosine(frequency: ArrayLike = 1.0) -> Sine:
    r"""A cosine wave, :math:`\phi(z) = \cos(\omega z)`: `Sine(frequency, pi / 2)`.

    Args:
        frequency: omega.

    Raises:
        ValueError: if it is not one finite number.

    Cost: as `Sine`. Source: derived.
    """
    return Sine(frequency, jnp.pi / 2)
