"""Smooth functions of one number as Chebyshev series, fitted with more digits than float64 has."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ntklib import _gaussians


def fitted(values: Callable[[np.ndarray], np.ndarray], count: int) -> np.ndarray:
    r"""The first coefficients of :math:`\sum_k c_k T_k(x)`, (..., count), from the values.

    `values` takes the angles of the Chebyshev points, :math:`x = \cos\varphi`, in long double.
    """
    phi = np.arccos(np.longdouble(-1)) * np.arange(0.5, count) / count
    c = np.asarray(2 * values(phi) @ np.cos(np.outer(phi, np.arange(count))) / count, float)
    c[..., 0] /= 2
    return c


def evaluated(coefficients: Sequence[float], x: Array) -> Array:
    """The series: in powers of x, which is half the work, if they lose no more than two bits."""
    powers = np.polynomial.chebyshev.cheb2poly(coefficients)
    if np.abs(powers).sum() <= 4 * np.abs(coefficients).sum():
        return _gaussians.horner(powers[::-1].tolist(), x)
    b1 = b2 = jnp.zeros_like(x)
    for c in coefficients[:0:-1]:
        b1, b2 = 2 * x * b1 + (c - b2), b1
    return x * b1 + (coefficients[0] - b2)
