"""Networks whose kernel depends on the angle alone: all their layers as one series."""

from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ntklib import _chebyshev, _gaussians
from ntklib.duals import AbstractDual, LeakyRelu, Relu
from ntklib.recursion import Covariances, variances

_DEGREE = 63  # the highest: with more, the recursion is as fast


class Zonal(NamedTuple):
    r"""Both kernels over sqrt(s11 s22), NNGP and NTK: at angle 0, and what they lose from there.

    .. math:: K(\theta) = K(0) - \theta \sum_k c_k T_k(2 \theta / \pi - 1)

    So near-duplicates keep their accuracy, however the sum is rounded.
    """

    at_zero: tuple[float, float]
    coefficients: tuple[tuple[float, ...], tuple[float, ...]]


def zonal(
    dual: AbstractDual, sigma_w: object, sigma_b: object, depth: int, dtype: np.dtype
) -> Zonal | None:
    """The series of a network, if it is homogeneous and the series short, and needed at all."""
    slope = {Relu: 0.0, LeakyRelu: getattr(dual, "slope", None)}.get(type(dual))
    if depth < 3 or sigma_b != 0.0 or not (isinstance(slope, float) and isinstance(sigma_w, float)):
        return None
    return _fitted(slope, sigma_w, depth, float(np.finfo(dtype).eps))


def evaluated(series: Zonal, K: Covariances) -> list[Array]:
    """The NNGP kernel and the NTK from the covariances of the inputs, and their gap."""
    v1, v2 = variances(K)
    a = _gaussians.angle(v1[:, None], K.Sigma, v2[None, :], K.gap)
    x = a.theta * (2 / np.pi) - 1
    norm = jnp.where(a.alive, a.norm, 0.0)
    return [
        norm * (zero - a.theta * _chebyshev.evaluated(coefficients, x))
        for zero, coefficients in zip(*series, strict=True)
    ]


@cache
def _fitted(slope: float, sigma_w: float, depth: int, eps: float) -> Zonal | None:
    def values(phi: np.ndarray) -> np.ndarray:
        theta = np.arccos(np.longdouble(-1)) * np.cos(phi / 2) ** 2
        lost: np.ndarray = _losses(theta, slope, sigma_w, depth)[1] / theta
        return lost

    c = _chebyshev.fitted(values, _DEGREE + 1)
    at_zero = _losses(np.zeros(1), slope, sigma_w, depth)[0]
    kept = np.abs(c) > eps / 4 * np.asarray(at_zero)[:, None]
    needed = [int(np.flatnonzero(row).max(initial=0)) + 1 for row in kept]
    if max(needed) > _DEGREE * 7 / 8 or not np.isfinite(c).all():
        return None
    series = [tuple(row[:count].tolist()) for row, count in zip(c, needed, strict=True)]
    return Zonal((at_zero[0], at_zero[1]), (series[0], series[1]))


def _losses(
    theta: np.ndarray, slope: float, sigma_w: float, depth: int
) -> tuple[list[float], np.ndarray]:
    r"""Both kernels at angle 0, and what they lose at `theta`, by the recursion of `Dense`.

    .. math:: 1 - \cos\theta \leftarrow \big( \alpha (1 - \cos\theta) + (1 - \alpha)^2
              (1 - \cos\theta - (\sin\theta - \theta \cos\theta) / \pi) / 2 \big) / h,
              \qquad h = (1 + \alpha^2) / 2
    """
    kink, h = (1 - slope) ** 2, (1 + slope**2) / 2
    u = 2 * np.sin(theta / 2) ** 2  # 1 - cos(theta)
    K, Theta, lost = sigma_w**2, sigma_w**2, sigma_w**2 * u
    for _ in range(depth - 1):
        arc = np.sin(theta) - theta * np.cos(theta)
        lost = h * lost + kink * theta / (2 * np.pi) * (Theta - lost)
        u = np.clip((slope * u + kink / 2 * (u - arc / np.pi)) / h, 0, 2)
        K, Theta = sigma_w**2 * h * K, sigma_w**2 * h * (K + Theta)
        lost = K * u + sigma_w**2 * lost
        theta = 2 * np.arcsin(np.sqrt(u / 2))
    return [K, Theta], np.stack([K * u, lost])
