"""Angle and volume of two Gaussians: what the closed forms of the duals are made of.

Written so that nothing cancels, overflows or has an infinite slope at rho = 1, rho = -1 and s = 0.
"""

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
    r"""By half of it: :math:`\tan^2(\theta/2) = (n - s_{12}) / (n + s_{12})`, n = sqrt(s11 s22).

    n is written so that s11 = s22 gives s11 itself: then n - s12 is 0 at equal inputs, whether or
    not the compiler fuses multiplication and addition. With the gap s11 + s22 - 2 s12 it is
    (gap - (sqrt(s11) - sqrt(s22))^2) / 2, which knows angles that s12 has rounded away.
    """
    low, high = jnp.minimum(s11, s22), jnp.maximum(s11, s22)
    alive = low > 0
    unit = jax.lax.stop_gradient(jnp.where(alive, high, 1.0))  # of both variances: no overflow
    low, high, s12 = (jnp.where(alive, s / unit, 1.0) for s in (low, high, s12))
    n = high * jnp.sqrt(low / high)
    below = n - s12
    if gap is not None:
        radial = ((high - low) / (jnp.sqrt(high) + jnp.sqrt(low))) ** 2
        below = jnp.where(alive, gap / unit - radial, 0.0) / 2
    sine, cosine = _root(below), _root(n + s12)
    theta = 2 * jnp.arctan2(sine, cosine)
    return Angle(alive, unit * n, unit * s12, unit * (sine * cosine), theta, jnp.pi - theta)


def sine_minus_arc(a: Angle) -> Array:
    r""":math:`\sqrt{s_{11} s_{22}} (\sin\theta - \theta \cos\theta)`, by its series if small."""
    small = a.theta < 0.5
    t = jnp.where(small, a.theta, 0.5)
    # sum over k of (-1)^(k+1) 2k t^(2k+1) / (2k+1)!, up to k = 7: 1e-17 of it is left out
    series = jnp.polyval(jnp.asarray(_SERIES, t.dtype), t**2) * t**2
    return jnp.where(small, a.norm * t * series, a.root - a.theta * a.s12)


@jax.custom_jvp
def volume(s11: Array, s12: Array, s22: Array) -> tuple[Array, Array]:
    r""":math:`R = \sqrt{1 + s_{11} + s_{22} + \delta} \ge 1` and :math:`\delta / R`.

    delta = s11 s22 - s12^2 is exactly 0 at equal inputs and never negative, the slopes are exact
    there too, and no square overflows: all is in units of the larger variance.
    """
    low, high = jnp.minimum(s11, s22), jnp.maximum(s11, s22)
    unit = 1 + high
    n = high * jnp.sqrt(low / jnp.where(high > 0, high, 1.0))
    delta = jnp.maximum((n - s12) / unit * ((n + s12) / unit), 0.0)
    root = jnp.sqrt((1 + low / unit) / unit + delta)
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


def _root(square: Array) -> Array:
    """The square root, 0 for what rounding made negative; where it is 0, so is its slope.

    The placeholder is tiny: a compiler may compute `positive` twice and round it in two ways.
    """
    positive = square > 0
    tiny = np.finfo(square.dtype).tiny
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, tiny)), 0.0)


_SERIES = (
    14 / 1307674368000, -12 / 6227020800, 10 / 39916800, -8 / 362880, 6 / 5040, -4 / 120, 2 / 6,
)  # fmt: skip
