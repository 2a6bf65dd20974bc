"""Angle and volume of two Gaussians: what the closed forms of the duals are made of.

Written so that nothing cancels, overflows or has an infinite slope at rho = 1, rho = -1 and s = 0,
and that exchanging the two Gaussians changes no bit.
"""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


class Angle(NamedTuple):
    r"""The angle between two Gaussians: :math:`s_{12} = \sqrt{s_{11} s_{22}} \cos\theta`."""

    alive: Array  # is neither variance 0? If one is, the rest is made safe, and without meaning
    norm: Array  # sqrt(s11 s22)
    s12: Array
    root: Array  # sqrt(s11 s22) sin(theta)
    theta: Array
    opposite: Array  # pi - theta


def angle(s11: Array, s12: Array, s22: Array, gap: Array | None = None) -> Angle:
    r"""By its sine: :math:`\sin^2\theta = (n - s_{12}) (n + s_{12}) / n^2`, n = sqrt(s11 s22).

    With the gap s11 + s22 - 2 s12 it knows angles that s12 has rounded away. No square overflows:
    all is in units of n, on which neither the angle nor its slope depends.
    """
    alive = (s11 > 0) & (s22 > 0)
    s11, s22 = jnp.where(s11 > 0, s11, 1.0), jnp.where(s22 > 0, s22, 1.0)
    q1, q2 = jnp.sqrt(s11), jnp.sqrt(s22)
    n, below, above = _sides(s11, s12, s22, q1, q2, gap)
    unit, inverse = jax.lax.stop_gradient((n, 1 / q1 * (1 / q2)))
    sine = _root(inverse * below * (inverse * above))
    cosine, one = inverse * s12, jnp.ones_like(n, shape=())
    theta, opposite = arc(sine, cosine, one), arc(sine, -cosine, one)
    return Angle(alive, n, s12, unit * sine, theta, opposite)


def sine_minus_arc(a: Angle) -> Array:
    r""":math:`\sqrt{s_{11} s_{22}} (\sin\theta - \theta \cos\theta)`, by its series if small."""
    small = a.theta < 0.5
    t = jnp.where(small, a.theta, 0.5)
    # sum over k of (-1)^(k+1) 2k t^(2k+1) / (2k+1)!: less than eps / 10 of it is left out
    series = horner(_SERIES[-4:] if _single(t) else _SERIES, t * t) * (t * t)
    return jnp.where(small, a.norm * t * series, a.root - a.theta * a.s12)


@jax.custom_jvp
def arc(y: Array, x: Array, inverse: Array) -> Array:
    r"""The angle of (x, y) where y >= 0, from the inverse of its length too.

    .. math:: \mathrm{atan2}(y, x) = \arcsin y \text{ or } \pi - \arcsin y
              \text{ if } y \le |x|, \text{ else } \pi/2 - \arcsin x

    Its error is at most 2 eps.
    """
    y, x = inverse * y, inverse * x
    flat = y <= abs(x)
    small = _arcsine(jnp.where(flat, y, x))
    return jnp.where(flat, jnp.where(x < 0, jnp.pi - small, small), jnp.pi / 2 - small)


@jax.custom_jvp
def rise(y: Array, x: Array, inverse: Array) -> Array:
    """The angle of (x, y) where x >= 0, likewise."""
    y, x = inverse * y, inverse * x
    flat = abs(y) <= x
    small = _arcsine(jnp.where(flat, y, x))
    return jnp.where(flat, small, jnp.where(y < 0, small - jnp.pi / 2, jnp.pi / 2 - small))


def _arcsine(a: Array) -> Array:
    """Of at most sqrt(1/2): a series in the square, fitted at the Chebyshev points.

    XLA has no vectorised arctangent on CPUs, and a division, or two, would keep it from doing all
    of a dual in one pass.
    """
    return a + a * (a * a * horner(_ARCSINE_SINGLE if _single(a) else _ARCSINE, a * a))


def _arc_slope(
    function: Callable[..., Array], of: tuple[Array, ...], by: tuple[Array, ...]
) -> tuple[Array, Array]:
    (y, x, inverse), (dy, dx, _) = of, by
    slope = inverse * x * (inverse * dy) - inverse * y * (inverse * dx)
    return function(y, x, inverse), slope


arc.defjvp(partial(_arc_slope, arc))
rise.defjvp(partial(_arc_slope, rise))


@jax.custom_jvp
def volume(s11: Array, s12: Array, s22: Array) -> tuple[Array, Array]:
    r""":math:`R = \sqrt{1 + s_{11} + s_{22} + \delta} \ge 1` and :math:`\delta / R`.

    delta = s11 s22 - s12^2 is exactly 0 at equal inputs and never negative, the slopes are exact
    there too, and no square overflows: all is in units of sqrt((1 + s11) (1 + s22)).
    """
    inverse, unit = inverse_extent(s11, s22), jnp.sqrt(1 + s11) * jnp.sqrt(1 + s22)
    _, below, above = _sides(s11, s12, s22, _root(s11), _root(s22))
    delta = jnp.maximum(inverse * below * (inverse * above), 0.0)
    root = jnp.sqrt(inverse * (inverse * (1 + (s11 + s22))) + delta)
    return unit * root, unit * (delta / root)


@volume.defjvp
def _volume_slope(
    s: tuple[Array, Array, Array], ds: tuple[Array, Array, Array]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    (s11, s12, s22), (d11, d12, d22) = s, ds
    root, rest = volume(s11, s12, s22)
    d_delta = s22 / root * d11 + s11 / root * d22 - 2 * (s12 / root) * d12  # over R
    d_root = (d_delta + d11 / root + d22 / root) / 2
    return (root, rest), (d_root, d_delta - rest / root * d_root)


def inverse_extent(s11: Array, s22: Array) -> Array:
    r""":math:`1 / \sqrt{(1 + s_{11}) (1 + s_{22})} = (R^2 + s_{12}^2)^{-1/2}`, R as in `volume`."""
    return 1 / jnp.sqrt(1 + s11) * (1 / jnp.sqrt(1 + s22))


def _sides(
    s11: Array, s12: Array, s22: Array, q1: Array, q2: Array, gap: Array | None = None
) -> tuple[Array, Array, Array]:
    r"""n = sqrt(s11 s22), n - s12 and n + s12, exactly 0 at equal and at opposite inputs.

    q1 and q2 are the roots. Where n - s12 is small, it is (gap - (q1 - q2)^2) / 2, which has no
    product that a compiler may round, or not, and loses least where the norms differ. In the same
    way n is (s11 + s22 - (q1 - q2)^2) / 2 where the roots are close.
    """
    total, radial = s11 + s22, q1 - q2
    n = jnp.where(64 * radial * radial < total, (total - radial * radial) / 2, q1 * q2)
    if gap is None:
        gap = total - 2 * s12
    else:  # which is worth a division: it rounds less
        radial = (s11 - s22) / (q1 + q2 + np.finfo(n.dtype).tiny)
    return n, jnp.where(4 * gap < total, (gap - radial * radial) / 2, n - s12), n + s12


def _root(square: Array) -> Array:
    """The square root, 0 for what rounding made negative; where it is 0, so is its slope.

    The placeholder is tiny: a compiler may compute `positive` twice and round it in two ways.
    """
    positive = square > 0
    tiny = np.finfo(square.dtype).tiny
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, tiny)), 0.0)


def _single(x: Array) -> bool:
    return x.dtype.itemsize < 8


def horner(coefficients: Sequence[float], x: Array) -> Array:
    """The polynomial, its highest coefficient first.

    A long one is E(x^2) + x O(x^2): two short chains, of which a CPU computes one while it waits
    for the other.
    """
    if len(coefficients) > 8:
        upwards = coefficients[::-1]
        even, odd = upwards[::2][::-1], upwards[1::2][::-1]
        return horner(odd, x * x) * x + horner(even, x * x)
    first, *rest = coefficients
    sums: Array = reduce(lambda p, c: p * x + c, rest, jnp.full_like(x, first))
    return sums


_SERIES = (
    14 / 1307674368000, -12 / 6227020800, 10 / 39916800, -8 / 362880, 6 / 5040, -4 / 120, 2 / 6,
)  # fmt: skip
_ARCSINE_SINGLE = (  # of asin(a) / a - 1, over a^2, in a^2
    0.094697349595972225, -0.079720715953153313, 0.063796976382680814, 0.010435325974988747,
    0.031990239227162131, 0.044538813973175725, 0.075002521636333341, 0.16666665678232892,
)  # fmt: skip
_ARCSINE = (
    0.66294755483690968, -2.277990489441633, 3.7316474816315225, -3.7415993002001366,
    2.5735080644015927, -1.258681300394588, 0.46581061083892004, -0.11747841395554579,
    0.033823977477227557, 0.0058919623838489126, 0.011985559032731258, 0.013929824301362788,
    0.017354730668996844, 0.022372086303686843, 0.030381946078023857, 0.044642857123585155,
    0.075000000000089827, 0.1666666666666666,
)  # fmt: skip
