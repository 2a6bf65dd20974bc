"""Kernels on the sphere that depend on the angle alone: their spectrum, degree by degree."""

import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntklib import _checks


def gegenbauer_coefficients(
    kappa: Callable[[Float[Array, " q"]], Float[Array, " q"]],
    d: int,
    degrees: int,
    *,
    nodes: int | None = None,
) -> Float[Array, " k"]:
    r"""Eigenvalues of a zonal kernel on the unit sphere in d dimensions, one for each degree.

    .. math:: K(x, x') = \kappa(x \cdot x') = \sum_k \lambda_k N_k P_k(x \cdot x'), \qquad
              \lambda_k = \frac{\int_0^\pi \kappa(\cos\theta) P_k(\cos\theta)
              \sin^{d-2}\theta \, d\theta}{\int_0^\pi \sin^{d-2}\theta \, d\theta}

    P_k are the Gegenbauer polynomials with P_k(1) = 1 and N_k the `multiplicities`; the measure is
    uniform with total mass 1, so the trace is :math:`\kappa(1) = \sum_k N_k \lambda_k`. The
    quadrature is Gauss-Legendre in the angle: kernels of ReLU networks have square roots of 1 - t
    at the poles, where Gauss-Jacobi in t converges only algebraically, but are smooth in theta.
    A kernel of the library at :math:`|x| = \sqrt d` is
    `kappa = lambda t: kernel(x, 2**0.5 * jnp.stack([t, jnp.sqrt(1 - t**2)], 1)).ntk[0]` with
    `x = 2**0.5 * jnp.array([[1.0, 0.0]])`: it sees angles only, so two features will do.

    Args:
        kappa: the kernel as a function of the cosine, entry by entry, on (-1, 1).
        d: dimension of the space around the sphere; the circle is 2.
        degrees: the largest degree k wanted.
        nodes: of the quadrature. Without them 64 + 2 degrees + 16 sqrt(d): rounding is reached
            for kernels that are smooth in the angle.

    Raises:
        ValueError: if `d` is below 2, `degrees` negative, `nodes` not above `degrees`, or `kappa`
            does not keep the shape.

    Cost: one call of `kappa` at all nodes, O(nodes^3) for these and O(nodes degrees).
    Relative to lambda_0, errors are those of the precision; use float64 for fast decay.
    Source: derived.
    """
    nodes = 64 + 2 * degrees + math.ceil(16 * math.sqrt(max(d, 0))) if nodes is None else nodes
    _checks.refuse(_degrees(d, degrees, nodes))
    roots, weights = np.polynomial.legendre.leggauss(nodes)
    theta = np.pi / 2 * (1 + roots)
    weights = weights * np.sin(theta) ** (d - 2)
    t = jnp.asarray(np.cos(theta), dtype=float)
    values = kappa(t)
    if values.shape != t.shape:
        hint = "It acts entry by entry."
        raise ValueError(f"`kappa(t)` must have shape {t.shape}, got {values.shape}. {hint}")
    weighted = jnp.asarray(weights / weights.sum(), dtype=values.dtype) * values
    P = jnp.asarray(_polynomials(np.cos(theta), d, degrees), dtype=values.dtype)
    return jnp.matmul(P, weighted, precision="highest")


def multiplicities(d: int, degrees: int) -> Float[np.ndarray, " k"]:
    r"""How many spherical harmonics there are of each degree: the size of each eigenspace.

    .. math:: N_k = \frac{2k + d - 2}{k} \binom{k + d - 3}{k - 1}, \qquad N_0 = 1

    Args:
        d: dimension of the space around the sphere; the circle is 2.
        degrees: the largest degree k wanted.

    Raises:
        ValueError: if `d` is below 2 or `degrees` negative.

    Cost: O(degrees). NumPy float64, as they grow quickly.
    Source: derived.
    """
    _checks.refuse(_degrees(d, degrees, degrees + 1))
    counts = [(2 * k + d - 2) * math.comb(k + d - 3, k - 1) // k for k in range(1, degrees + 1)]
    return np.array([1, *counts], dtype=np.float64)


def _polynomials(t: np.ndarray, d: int, degrees: int) -> np.ndarray:
    """P_0 to P_degrees at t, by the three-term recurrence, which is stable inside (-1, 1)."""
    P = [np.ones_like(t), t]
    for k in range(1, degrees):
        P.append(((2 * k + d - 2) * t * P[k] - k * P[k - 1]) / (k + d - 2))
    return np.stack(P[: degrees + 1])


def _degrees(d: int, degrees: int, nodes: int) -> list[str]:
    """A sphere, a degree, and a quadrature that can see it."""
    problems = []
    if d < 2:
        problems.append(f"`d` must be at least 2, got {d}. The circle is `d=2`.")
    if degrees < 0:
        problems.append(f"`degrees` must not be negative, got {degrees}. Constants are degree 0.")
    if nodes <= degrees:
        problems.append(f"`nodes` must be above `degrees`, {degrees}, got {nodes}.")
    return problems
