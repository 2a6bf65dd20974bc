"""Dual activations: what a pointwise nonlinearity does to a Gaussian covariance."""

from abc import abstractmethod
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib import _checks, _gaussians


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


class AbstractGapDual(AbstractDual):
    r"""A dual whose derivative has a kink at rho = 1, and that reads the distance there from a gap.

    .. math:: \Delta = E[(z_1 - z_2)^2] = s_{11} + s_{22} - 2 s_{12}

    Near rho = 1 the angle is about sqrt(gap / s): rounding of `s12` alone moves it by sqrt(2 eps).

    Source: derived.
    """

    @abstractmethod
    def near(
        self,
        s11: Float[Array, "..."],
        s12: Float[Array, "..."],
        s22: Float[Array, "..."],
        gap: Float[Array, "..."],
    ) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
        """`phi`, `derivative` and the gap after the nonlinearity, all from this gap.

        Cost: one elementwise pass.
        """


@final
class Linear(AbstractGapDual):
    r"""No nonlinearity, :math:`\phi(z) = z`.

    .. math:: E[\phi\phi] = s_{12}, \qquad E[\dot\phi\dot\phi] = 1

    Cost: none. Source: derived.
    """

    def activation(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return z

    def phi(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return s12 + jnp.zeros_like(s11 + s22)

    def derivative(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return jnp.ones_like(s11 + s12 + s22)

    def near(
        self,
        s11: Float[Array, "..."],
        s12: Float[Array, "..."],
        s22: Float[Array, "..."],
        gap: Float[Array, "..."],
    ) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
        return self.phi(s11, s12, s22), self.derivative(s11, s12, s22), gap


@final
class Relu(AbstractGapDual):
    r"""The rectifier, :math:`\phi(z) = \max(z, 0)`, with :math:`\dot\phi(0) = 0`.

    .. math:: E[\phi\phi] = \frac{r + (\pi - \theta) s_{12}}{2\pi}, \qquad
              E[\dot\phi\dot\phi] = \frac{\pi - \theta}{2\pi}, \qquad
              r = \sqrt{s_{11} s_{22} - s_{12}^2}, \quad \theta = \mathrm{atan2}(r, s_{12})

    .. math:: E[(\phi(z_1) - \phi(z_2))^2] = \frac{\Delta}{2}
              - \frac{\sqrt{s_{11} s_{22}}}{\pi} (\sin\theta - \theta \cos\theta)

    Equal inputs are exact: r is 0 there, not the root of a rounding error. Gradients are finite
    everywhere; at parallel inputs, where E[phidot phidot] has a kink, its gradient is 0.

    Cost: one arctangent and three square roots an entry. Source: derived.
    """

    def activation(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jax.nn.relu(z)

    def phi(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return _relu_phi(_gaussians.angle(s11, s12, s22))

    def derivative(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return _relu_derivative(_gaussians.angle(s11, s12, s22))

    def near(
        self,
        s11: Float[Array, "..."],
        s12: Float[Array, "..."],
        s22: Float[Array, "..."],
        gap: Float[Array, "..."],
    ) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
        a = _gaussians.angle(s11, s12, s22, gap)
        lost = jnp.where(a.alive, _gaussians.sine_minus_arc(a) / jnp.pi, 0.0)
        return _relu_phi(a), _relu_derivative(a), gap / 2 - lost


@final
class LeakyRelu(AbstractGapDual):
    r"""The leaky rectifier, :math:`\phi(z) = \max(z, 0) + \alpha \min(z, 0)`.

    .. math:: E[\phi\phi] = \alpha s_{12} + (1 - \alpha)^2 E[\phi\phi]_{\mathrm{ReLU}}, \qquad
              E[\dot\phi\dot\phi] = \alpha + (1 - \alpha)^2 E[\dot\phi\dot\phi]_{\mathrm{ReLU}}

    Slope -1 is the absolute value. With a negative slope opposite inputs are close too; there the
    angle keeps plain accuracy, sqrt(2 eps).

    Args:
        slope: alpha, of negative z; 0 is the rectifier, 1 is linear.

    Raises:
        ValueError: if `slope` is not one finite number.

    Cost: as `Relu`. Source: derived.
    """

    slope: ArrayLike = eqx.field(default=0.01, converter=_checks.number)

    def __check_init__(self) -> None:
        _checks.refuse(_checks.finite("slope", self.slope))

    def activation(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.where(z > 0, z, self.slope * z)

    def phi(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return self._blend(s12, Relu().phi(s11, s12, s22))

    def derivative(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return self._blend(1.0, Relu().derivative(s11, s12, s22))

    def near(
        self,
        s11: Float[Array, "..."],
        s12: Float[Array, "..."],
        s22: Float[Array, "..."],
        gap: Float[Array, "..."],
    ) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
        relu = Relu().near(s11, s12, s22, gap)
        return self._blend(s12, relu[0]), self._blend(1.0, relu[1]), self._blend(gap, relu[2])

    def _blend(self, linear: ArrayLike, relu: Array) -> Array:
        return jnp.add(self.slope * linear, jnp.multiply((1 - self.slope) ** 2, relu))


def Abs() -> LeakyRelu:
    r"""The absolute value, :math:`\phi(z) = |z|`: `LeakyRelu(-1)`.

    Cost: as `Relu`. Source: derived.
    """
    return LeakyRelu(-1.0)


@final
class Erf(AbstractDual):
    r"""The error function, :math:`\phi(z) = \mathrm{erf}(z)`.

    .. math:: E[\phi\phi] = \frac{2}{\pi} \mathrm{atan2}(2 s_{12}, \sqrt{D}), \qquad
              E[\dot\phi\dot\phi] = \frac{4}{\pi \sqrt{D}}, \qquad
              D = (1 + 2 s_{11})(1 + 2 s_{22}) - 4 s_{12}^2 \ge 1

    Cost: one arctangent and two square roots an entry. Source: derived.
    """

    def activation(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jax.scipy.special.erf(z)

    def phi(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        root, _ = _gaussians.volume(2 * s11, 2 * s12, 2 * s22)
        inverse = _gaussians.inverse_extent(2 * s11, 2 * s22)
        return 2 / jnp.pi * _gaussians.rise(2 * s12, root, inverse)

    def derivative(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        root, _ = _gaussians.volume(2 * s11, 2 * s12, 2 * s22)
        return 4 / jnp.pi / root


def _relu_phi(a: _gaussians.Angle) -> Array:
    return jnp.where(a.alive, (a.root + a.opposite * a.s12) / (2 * jnp.pi), 0.0)


def _relu_derivative(a: _gaussians.Angle) -> Array:
    return jnp.where(a.alive, a.opposite / (2 * jnp.pi), 0.0)
