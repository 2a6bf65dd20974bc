"""Zonal kernels: closed forms in any dimension, scipy's quadrature, and random points."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from ntklib.dense import Dense
from ntklib.spectra import decay_exponent
from ntklib.sphere import gegenbauer_coefficients, multiplicities


def on_sphere(kernel: Dense) -> Any:
    x = 2**0.5 * jnp.array([[1.0, 0.0]])
    return lambda t: kernel(x, 2**0.5 * jnp.stack([t, jnp.sqrt(1 - t**2)], 1)).ntk[0]


@pytest.mark.parametrize("d", [2, 3, 4, 10, 784])
@pytest.mark.usefixtures("x64", "shapes")
def test_by_hand(d: int) -> None:
    """t = P_1, and t^2 = 1/d + (1 - 1/d) P_2; N_1 = d and N_2 = (d - 1)(d + 2)/2."""
    np.testing.assert_allclose(multiplicities(d, 2), [1, d, (d - 1) * (d + 2) / 2])
    linear = gegenbauer_coefficients(lambda t: t, d, 3)
    np.testing.assert_allclose(linear, [0, 1 / d, 0, 0], atol=1e-14)
    square = gegenbauer_coefficients(lambda t: t**2, d, 3)
    np.testing.assert_allclose(square[0], 1 / d, rtol=1e-12)
    np.testing.assert_allclose(square[2], 2 / d / (d + 2), rtol=1e-9)


@pytest.mark.parametrize("d", [2, 3, 7])
@pytest.mark.usefixtures("x64")
def test_poisson_kernel(d: int) -> None:
    """The Poisson kernel is the generating function: lambda_k = r^k in every dimension."""
    r = 0.6
    lam = gegenbauer_coefficients(lambda t: (1 - r**2) / (1 - 2 * r * t + r**2) ** (d / 2), d, 12)
    np.testing.assert_allclose(lam, r ** np.arange(13), rtol=1e-9)


@pytest.mark.parametrize("d", [3, 5])
@pytest.mark.usefixtures("x64")
def test_scipy_gauss_jacobi(d: int) -> None:
    roots, weights = special.roots_gegenbauer(60, d / 2 - 1)
    lam = gegenbauer_coefficients(lambda t: jnp.exp(2 * t), d, 8)
    for k in range(9):
        P = special.eval_gegenbauer(k, d / 2 - 1, roots) / special.eval_gegenbauer(
            k, d / 2 - 1, 1.0
        )
        expected = np.sum(weights * np.exp(2 * roots) * P) / weights.sum()
        np.testing.assert_allclose(lam[k], expected, rtol=1e-8, atol=1e-15)


@pytest.mark.usefixtures("x64")
def test_arc_cosine_kernel() -> None:
    """On the 2-sphere 1 - theta/pi has lambda_0 = 1/2, lambda_1 = 1/8 and no even degrees."""
    lam = gegenbauer_coefficients(lambda t: 1 - jnp.arccos(t) / jnp.pi, 3, 4)
    np.testing.assert_allclose(lam, [1 / 2, 1 / 8, 0, lam[3], 0], atol=1e-14)
    np.testing.assert_allclose(lam[3], 1 / 128, atol=1e-14)


@pytest.mark.usefixtures("x64")
def test_angle_beats_gauss_jacobi_for_relu() -> None:
    """Why the quadrature is in the angle: at 64 nodes it is exact where Gauss-Jacobi is not."""
    kappa = on_sphere(Dense(3))
    exact = gegenbauer_coefficients(kappa, 3, 10, nodes=200)
    ours = gegenbauer_coefficients(kappa, 3, 10, nodes=64)
    roots, weights = special.roots_legendre(64)
    legendre = np.array([special.eval_legendre(k, roots) for k in range(11)])
    jacobi = legendre @ (weights / 2 * np.asarray(kappa(jnp.asarray(roots))))
    assert np.abs(ours - exact).max() < 1e-12
    assert np.abs(jacobi - exact).max() > 1e-7


@pytest.mark.usefixtures("x64")
def test_trace_and_decay_of_the_relu_ntk() -> None:
    """kappa(1) = sum N_k lambda_k, and lambda_k ~ k^-d (bietti2021deep) on even degrees."""
    d, kernel = 3, Dense(2)
    lam = gegenbauer_coefficients(on_sphere(kernel), d, 200)
    trace = jnp.cumsum(multiplicities(d, 200) * lam)
    top = kernel(2**0.5 * jnp.array([[1.0, 0.0]])).ntk[0, 0]
    tail = 1 / 200  # sum of k^(d - 2 - d) beyond K is about 1 / K, with a constant below 1
    assert 0 < top - trace[-1] < tail * top
    even = lam[50::2]
    fit = np.polyfit(np.log(np.arange(50, 201, 2)), np.log(even), 1)[0]
    assert abs(-fit - d) < 0.05
    # In terms of sorted eigenvalues with multiplicity, exponent d / (d - 1).
    spectrum = np.repeat(lam[40:101:2], multiplicities(d, 100)[40::2].astype(int))
    start = int(multiplicities(d, 39)[::2].sum())
    padded = jnp.concatenate([jnp.full(start, spectrum[0]), spectrum])
    assert abs(float(decay_exponent(padded, first=start + 1).exponent) - d / (d - 1)) < 0.05


@pytest.mark.usefixtures("x64")
def test_random_points() -> None:
    """lambda_k is the mean of kappa(t) P_k(t) over pairs of random points."""
    d, kernel = 5, Dense(3, sigma_b=0.3)
    lam = gegenbauer_coefficients(on_sphere(kernel), d, 2)
    x1, x2 = (jax.random.normal(jax.random.key(s), (20000, d)) for s in (0, 1))
    t = jnp.sum(x1 * x2, 1) / jnp.linalg.norm(x1, axis=1) / jnp.linalg.norm(x2, axis=1)
    for k, P in enumerate([jnp.ones_like(t), t, (d * t**2 - 1) / (d - 1)]):
        draws = on_sphere(kernel)(t) * P
        assert abs(draws.mean() - lam[k]) < 4 * draws.std() / len(draws) ** 0.5


def test_float32() -> None:
    lam = gegenbauer_coefficients(on_sphere(Dense(2)), 4, 5)
    assert lam.dtype == jnp.float32
    with jax.enable_x64(True):
        exact = gegenbauer_coefficients(on_sphere(Dense(2)), 4, 5)
    np.testing.assert_allclose(lam, exact, atol=1e-6 * float(exact[0]))


def test_errors() -> None:
    with pytest.raises(ValueError, match="`d` must be at least 2, got 1"):
        gegenbauer_coefficients(lambda t: t, 1, 3)
    with pytest.raises(ValueError, match="`degrees` must not be negative, got -1"):
        multiplicities(3, -1)
    with pytest.raises(ValueError, match="`nodes` must be above `degrees`, 9, got 9"):
        gegenbauer_coefficients(lambda t: t, 3, 9, nodes=9)
    with pytest.raises(ValueError, match=r"`kappa\(t\)` must have shape \(32,\), got \(\)"):
        gegenbauer_coefficients(jnp.sum, 3, 9, nodes=32)
