"""The dual of any nonlinearity, by quadrature, with its error."""

from collections.abc import Callable
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntklib import _checks
from ntklib.duals import AbstractDual


@final
class Quadrature(AbstractDual):
    r"""Any nonlinearity, through its Hermite coefficients, each by a Gauss-Hermite rule.

    .. math:: E[\phi\phi] \approx \sum_{k < N} a_k(s_{11}) \, a_k(s_{22}) \, \rho^k, \qquad
              a_k(s) = E_{z \sim N(0, 1)}\big[\phi(\sqrt s z) \mathrm{He}_k(z)\big] / \sqrt{k!},
              \qquad \rho = \frac{s_{12}}{\sqrt{s_{11} s_{22}}}

    N nodes give the N coefficients, and make it exact for polynomials of degree below N. It is a
    positive semidefinite kernel at any N, and smooth at rho = 1 and -1. The derivative is
    `jax.grad` of the function. `error` says how far to trust it: a function that is smooth on the
    scale of sqrt(s) converges exponentially, one with a kink only like 1 / N, its derivative like
    N^(-1/2); for a kink of `Relu`'s kind there is `LeakyRelu`.

    Args:
        function: the nonlinearity, elementwise on arrays and on scalars, differentiable by JAX.
        order: nodes N, from 2 to 200.

    Raises:
        ValueError: if `order` is out of range, or the function does not keep the shape.

    Cost: O(N) time an entry; O(N^2) time and O(N) memory for each of `s11` and `s22`.
    Source: derived.
    """

    function: Callable[[Array], Array] = eqx.field(static=True)
    order: int = eqx.field(static=True, default=64, kw_only=True)

    def __check_init__(self) -> None:
        problems = _checks.at_least_one("order", self.order, "It counts the nodes.")
        if not problems and not 2 <= self.order <= 200:
            problems.append(f"`order` must be from 2 to 200, got {self.order}. More gains nothing.")
        shape = getattr(jax.eval_shape(self.function, jnp.zeros(3)), "shape", None)
        if shape != (3,):
            hint = "Write it with jnp, elementwise."
            problems.append(f"`function` must keep the shape (3,), got {shape}. {hint}")
        _checks.refuse(problems)

    def activation(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return self.function(z)

    def phi(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return _expectation(self.function, self.order, s11, s12, s22)

    def derivative(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return _expectation(self._slope, self.order, s11, s12, s22)

    def error(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        r"""How far `phi` and `derivative` may be off: the difference to half as many nodes.

        .. math:: |E_N[\phi\phi] - E_{N/2}[\phi\phi]|, \qquad
                  |E_N[\dot\phi\dot\phi] - E_{N/2}[\dot\phi\dot\phi]|

        It is the error of the smaller rule; for a smooth function N itself is far better. It is an
        estimate, not a bound: features that both rules miss, such as fast waves, stay unseen.

        Args:
            s11: variances on the left.
            s12: covariances.
            s22: variances on the right.

        Cost: three evaluations.
        Source: derived.
        """
        half = Quadrature(self.function, order=self.order // 2 if self.order > 3 else 2)
        phi = self.phi(s11, s12, s22) - half.phi(s11, s12, s22)
        derivative = self.derivative(s11, s12, s22) - half.derivative(s11, s12, s22)
        return abs(phi), abs(derivative)

    def _slope(self, z: Array) -> Array:
        slopes: Array = jax.vmap(jax.grad(self.function))(z.ravel())
        return slopes.reshape(z.shape)


def _expectation(
    f: Callable[[Array], Array], order: int, s11: Array, s12: Array, s22: Array
) -> Array:
    """The sum over k by Horner's rule, so that no array has both the pairs and k."""
    nodes, transform = _rule(order)

    def coefficients(s: Array) -> Array:
        alive = s > 0
        scale = jnp.where(alive, jnp.sqrt(jnp.where(alive, s, 1.0)), 0.0)
        values = f(scale * jnp.asarray(nodes, s.dtype).reshape(-1, *[1] * s.ndim))
        return jnp.tensordot(jnp.asarray(transform, s.dtype), values, 1, precision="highest")

    low, high = jnp.minimum(s11, s22), jnp.maximum(s11, s22)
    alive = low > 0
    unit = jax.lax.stop_gradient(jnp.where(alive, high, 1.0))
    low, high = jnp.where(alive, low / unit, 1.0), jnp.where(alive, high / unit, 1.0)
    rho = jnp.where(alive, s12 / unit / (high * jnp.sqrt(low / high)), 0.0)

    def horner(total: Array, a: tuple[Array, Array]) -> tuple[Array, None]:
        return total * rho + a[0] * a[1], None

    pairs = (coefficients(s11), coefficients(s22))
    total: Array = jax.lax.scan(horner, jnp.zeros_like(rho), pairs, reverse=True)[0]
    return total


def _rule(order: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes, and the matrix w_i He_k(x_i) / sqrt(k!) from values at the nodes to coefficients."""
    x, w = np.polynomial.hermite_e.hermegauss(order)
    h = [np.ones(order), x]  # normalised: h_(k+1) sqrt(k+1) = x h_k - sqrt(k) h_(k-1)
    for k in range(1, order - 1):
        h.append((x * h[k] - k**0.5 * h[k - 1]) / (k + 1) ** 0.5)
    return x, np.stack(h) * (w / w.sum())
