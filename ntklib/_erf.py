"""Erf networks on inputs of moderate variance: duals that XLA can merge over several layers."""

from functools import cache, partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib import _chebyshev
from ntklib.duals import AbstractDual, Erf
from ntklib.recursion import Kernels

_VARIANCE = 2.5  # the largest: with it x^2 and the series grow, and 1 - x^2 loses two bits
_SQUARE = (2 * _VARIANCE / (1 + 2 * _VARIANCE)) ** 2  # of x, at most
_DEGREE = 31  # in x^2; the coefficients that float32 does not see are left out


class ModerateErf(AbstractDual):
    r"""`Erf` in float32, at variances up to 2.5: sums and products alone, where `Erf` takes roots.

    .. math:: u = ((1 + 2 s_{11}) (1 + 2 s_{22}))^{-1/2}, \quad x = 2 u s_{12}, \qquad
              E[\phi\phi] = \frac{2}{\pi} \arcsin x, \qquad
              E[\dot\phi\dot\phi] = \frac{4}{\pi} \frac{u}{\sqrt{1 - x^2}}
    """

    def activation(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return Erf().activation(z)

    def phi(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        x = _unit(s11) * _unit(s22) * (2 * s12)
        return x * _series(0, x)

    def derivative(
        self, s11: Float[Array, "..."], s12: Float[Array, "..."], s22: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        u = _unit(s11) * _unit(s22)
        return u * _series(1, u * (2 * s12))


def is_moderate(sigma_w: ArrayLike, sigma_b: ArrayLike, *inputs: Array | None) -> Array:
    """Whether no layer of an erf network has a larger variance: |erf| is at most 1."""
    squares = [jnp.max(jnp.mean(x * x, axis=1)) for x in inputs if x is not None]
    variances = jnp.square(sigma_w) * jnp.stack([*squares, 1.0]) + jnp.square(sigma_b)
    return jnp.all(variances <= _VARIANCE)


def moderate_or_not(kernel: Any, x1: Array, x2: Array | None) -> Kernels:
    """The recursion of a dense erf network, by moderate duals where all variances are moderate."""
    moderate = eqx.tree_at(lambda kernel: kernel.dual, kernel, ModerateErf())
    kernels: Kernels = jax.lax.cond(
        is_moderate(kernel.sigma_w, kernel.sigma_b, x1, x2),
        partial(moderate._recursion, unroll=4),
        kernel._recursion,
        *(x1, x2),
    )
    return kernels


def _unit(s: Array) -> Array:
    return 1 / jnp.sqrt(1 + 2 * s)


def _series(which: int, x: Array) -> Array:
    return _chebyshev.evaluated(_fitted()[which], x * x * (2 / _SQUARE) - 1)


@cache
def _fitted() -> list[tuple[float, ...]]:
    """Of `phi` over x and `derivative` over u, in x^2."""

    def values(phi: np.ndarray) -> np.ndarray:
        square = _SQUARE * np.cos(phi / 2) ** 2
        x = np.sqrt(square)
        return np.stack([2 * np.arcsin(x) / x, 4 / np.sqrt(1 - square)]) / np.pi

    c = _chebyshev.fitted(values, _DEGREE + 1)
    kept = np.abs(c) > np.finfo(np.float32).eps / 4 * c[:, :1]
    return [
        tuple(row[: np.flatnonzero(k)[-1] + 1].tolist()) for row, k in zip(c, kept, strict=True)
    ]
