"""Learning curves: two closed forms, the equation itself, and regressions on random inputs."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from ntklib.dense import Dense
from ntklib.learning_curves import Modes, empirical_modes, learning_curve
from ntklib.regression import KernelRegression
from ntklib.sphere import gegenbauer_coefficients, multiplicities


def power_law(k: int, exponent: float) -> Modes:
    index = jnp.arange(1.0, k + 1)
    return Modes(index**-exponent, index**-2.0)


@pytest.mark.usefixtures("x64", "shapes")
def test_equal_eigenvalues_by_hand() -> None:
    """N modes of eigenvalue 1, ridge 0: kappa = N - p, gamma = p/N, error (1 - p/N) |a|^2."""
    modes = Modes(jnp.ones(10), jnp.full(10, 0.1))
    p = jnp.array([0.0, 2.0, 5.0, 9.0])
    curve = learning_curve(modes, p)
    np.testing.assert_allclose(curve.kappa, 10 - p, rtol=1e-12)
    np.testing.assert_allclose(curve.error, 1 - p / 10, rtol=1e-12)
    noisy = learning_curve(modes, p, noise=0.3)
    np.testing.assert_allclose(noisy.noise, 0.3 * (p / 10) / (1 - p / 10), rtol=1e-12)
    np.testing.assert_allclose(noisy.error, noisy.modes.sum(-1) + noisy.noise, rtol=1e-12)


@pytest.mark.usefixtures("x64")
def test_equal_eigenvalues_with_ridge() -> None:
    """kappa^2 + kappa (p - N - rho) - rho p = 0."""
    N, p, rho = 10, 7.0, 0.5
    kappa = learning_curve(Modes(jnp.ones(N), jnp.ones(N)), p, ridge=rho).kappa
    b = p - N - rho
    np.testing.assert_allclose(kappa, (-b + (b**2 + 4 * rho * p) ** 0.5) / 2, rtol=1e-12)


@pytest.mark.parametrize("ridge", [0.0, 1e-3, 2.0])
@pytest.mark.usefixtures("x64", "shapes")
def test_against_scipy(ridge: float) -> None:
    """The paper's variables t and lambda, with loops over modes."""
    modes, p, noise = power_law(60, 1.5), 25.0, 0.2
    lam, power = (np.asarray(a) for a in modes)

    def gap(t: float) -> float:
        return sum(1 / (1 / v + p / (ridge + t)) for v in lam) - t

    t = brentq(gap, 1e-12, lam.sum() + 1, xtol=1e-15, rtol=1e-14)
    gamma = sum((1 / v + p / (ridge + t)) ** -2 for v in lam)
    front = 1 / (1 - p * gamma / (ridge + t) ** 2)
    expected = [
        front * a / v**2 * (1 / v + p / (ridge + t)) ** -2 for v, a in zip(lam, power, strict=True)
    ]
    curve = learning_curve(modes, p, ridge=ridge, noise=noise)
    np.testing.assert_allclose(curve.kappa, ridge + t, rtol=1e-9)
    np.testing.assert_allclose(curve.modes, expected, rtol=1e-8)
    np.testing.assert_allclose(curve.noise, noise * (front - 1), rtol=1e-8)


@pytest.mark.usefixtures("x64")
def test_edges() -> None:
    modes = power_law(20, 2.0)
    start = learning_curve(modes, 0, ridge=0.3, noise=1.0)
    np.testing.assert_allclose(start.error, modes.power.sum(), rtol=1e-12)  # nothing learned
    full = learning_curve(modes, jnp.array([20, 30]))  # at least as many inputs as modes
    np.testing.assert_array_equal(full.error, 0)
    np.testing.assert_array_equal(full.kappa, 0)
    assert learning_curve(modes, 20, noise=0.1).error == jnp.inf  # the interpolation peak
    # p > N modes without ridge is least squares: the variance is noise N / (p - N).
    np.testing.assert_allclose(learning_curve(modes, 60, noise=0.1).error, 0.1 * 20 / 40, rtol=1e-9)
    unseen = Modes(modes.eigenvalues.at[-1].set(0.0), modes.power)  # a mode the kernel lacks
    curve = learning_curve(unseen, 5.0, ridge=0.1)
    assert curve.modes[-1] > modes.power[-1]
    assert jnp.isfinite(learning_curve(unseen, 40.0).error)


@pytest.mark.usefixtures("x64")
def test_multiplicities_stand_for_copies() -> None:
    lam, power, counts = jnp.array([1.0, 0.1]), jnp.array([0.6, 0.4]), jnp.array([2, 30])
    short = learning_curve(Modes(lam, power), 7.0, ridge=0.01, noise=0.1, multiplicities=counts)
    copies = Modes(jnp.repeat(lam, counts), jnp.repeat(power / counts, counts))
    long = learning_curve(copies, 7.0, ridge=0.01, noise=0.1)
    np.testing.assert_allclose(short.error, long.error, rtol=1e-12)
    np.testing.assert_allclose(
        short.modes, [long.modes[:2].sum(), long.modes[2:].sum()], rtol=1e-12
    )


@pytest.mark.parametrize(("ridge", "noise"), [(0.05, 0.0), (0.05, 0.3), (0.0, 0.1)])
@pytest.mark.usefixtures("x64")
def test_regressions_on_gaussian_modes(ridge: float, noise: float) -> None:
    """400 training sets; eigenfunctions are independent Gaussians, where the theory is sharp.

    It is an expansion in 1 / kappa's degrees of freedom: at p = 40 we allow 1/p beside chance.
    """
    k, p, draws = 150, 40, 400
    modes = power_law(k, 1.3)
    target = jnp.sqrt(modes.power)

    def error(key: Any) -> Any:
        key_z, key_n = jax.random.split(key)
        psi = jax.random.normal(key_z, (p, k))
        y = psi @ target + noise**0.5 * jax.random.normal(key_n, (p,))
        scaled = psi * modes.eigenvalues
        K = (scaled @ psi.T + psi @ scaled.T) / 2
        fit = KernelRegression(K, y[:, None], ridge=ridge)
        learned = scaled.T @ fit.weights[:, 0]
        return jnp.sum((learned - target) ** 2)

    errors = jax.jit(jax.vmap(error))(jax.random.split(jax.random.key(0), draws))
    predicted = learning_curve(modes, p, ridge=ridge, noise=noise).error
    chance = 4 * errors.std() / draws**0.5
    assert jnp.abs(errors.mean() - predicted) < chance + predicted / p


@pytest.mark.usefixtures("x64")
def test_regressions_with_the_ntk_on_the_sphere() -> None:
    """100 training sets; spectrum, multiplicities and power of a target of two harmonics.

    The ridge of 1 keeps away from the interpolation of the 44 modes of degrees 0 to 2: there modes
    that are not Gaussian matter (ridge 0.1: 22 % above the theory).
    """
    d, p, draws, ridge, kernel = 8, 60, 100, 1.0, Dense(2)
    pole = 2**0.5 * jnp.array([[1.0, 0.0]])

    def kappa(t: Any) -> Any:
        return kernel(pole, 2**0.5 * jnp.stack([t, jnp.sqrt(1 - t**2)], 1)).ntk[0]

    lam = jnp.maximum(gegenbauer_coefficients(kappa, d, 20), 0)
    # x_1 on the unit sphere has power 1/d, x_1 x_2 has 1 / (d (d + 2)).
    power = jnp.zeros(21).at[1].set(1.0).at[2].set(d / (d + 2.0))

    def error(key: Any) -> Any:
        x = jax.random.normal(key, (p + 500, d))
        x = d**0.5 * x / jnp.linalg.norm(x, axis=1, keepdims=True)
        y = (x[:, 0] + x[:, 0] * x[:, 1])[:, None]
        fit = KernelRegression(kernel(x[:p]).ntk, y[:p], ridge=ridge)
        return jnp.mean((fit.mean(kernel(x[p:], x[:p]).ntk) - y[p:]) ** 2)

    errors = jax.lax.map(error, jax.random.split(jax.random.key(5), draws))
    counts = multiplicities(d, 20)
    curve = learning_curve(Modes(lam, power), p, ridge=ridge, multiplicities=counts)
    chance = 4 * errors.std() / draws**0.5
    assert jnp.abs(errors.mean() - curve.error) < chance + curve.error / p
    assert curve.modes[1] / power[1] < 0.5 * curve.modes[2] / power[2]  # low degrees first


@pytest.mark.usefixtures("x64", "shapes")
def test_empirical_modes() -> None:
    x, y = (
        jax.random.normal(jax.random.key(1), (12, 5)),
        jax.random.normal(jax.random.key(2), (12, 2)),
    )
    K = x @ x.T
    modes = empirical_modes(K, y)
    np.testing.assert_allclose(modes.eigenvalues.sum(), jnp.trace(K) / 12, rtol=1e-12)
    np.testing.assert_allclose(modes.power.sum(), jnp.mean(jnp.sum(y**2, 1)), rtol=1e-12)
    explained = jnp.mean(jnp.sum((x @ jnp.linalg.pinv(x) @ y) ** 2, 1))
    np.testing.assert_allclose(modes.power[:5].sum(), explained, rtol=1e-10)


def test_float32_jit_and_gradients() -> None:
    modes = power_law(50, 1.5)
    p = jnp.arange(1.0, 200, 20)
    curve = jax.jit(lambda r: learning_curve(modes, p, ridge=r, noise=0.1))(0.01)
    assert curve.error.dtype == jnp.float32
    slope = jax.grad(lambda r: learning_curve(modes, 20.0, ridge=r, noise=0.1).error)(0.01)
    with jax.enable_x64(True):
        exact = power_law(50, 1.5)
        wide = learning_curve(exact, jnp.arange(1.0, 200, 20), ridge=0.01, noise=0.1)
        up, down = (learning_curve(exact, 20.0, ridge=r, noise=0.1).error for r in (0.0101, 0.0099))
    np.testing.assert_allclose(curve.error, wide.error, rtol=1e-5)
    np.testing.assert_allclose(slope, (float(up) - float(down)) / 2e-4, rtol=1e-3)


def test_errors() -> None:
    modes = power_law(5, 1.0)
    for name, bad in {
        "modes.eigenvalues": lambda: learning_curve(modes._replace(eigenvalues=-modes[0] + 0.5), 1),
        "modes.power": lambda: learning_curve(modes._replace(power=-modes.power), 1),
        "p": lambda: learning_curve(modes, -1),
        "ridge": lambda: learning_curve(modes, 1, ridge=-1),
        "noise": lambda: learning_curve(modes, 1, noise=-1),
        "multiplicities": lambda: learning_curve(modes, 1, multiplicities=-jnp.ones(5)),
    }.items():
        with pytest.raises(ValueError, match=f"`{name}` must be finite and not negative"):
            bad()
    with pytest.raises(ValueError, match=r"`multiplicities` must have shape \(5,\), got \(4,\)"):
        learning_curve(modes, 1, multiplicities=jnp.ones(4))
    with pytest.raises(ValueError, match=r"`modes.power` must have shape \(5,\), got \(4,\)"):
        learning_curve(modes._replace(power=jnp.ones(4)), 1)
    with pytest.raises(ValueError, match=r"`y` must have shape \(5, outputs\)"):
        empirical_modes(jnp.eye(5), jnp.ones(5))
