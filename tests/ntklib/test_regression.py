"""Kernel regression: by hand, against NumPy, as a posterior, and where it must refuse."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib.dense import Dense
from ntklib.dynamics import GradientFlow
from ntklib.regression import KernelRegression


def data(n: int, m: int) -> tuple[Any, Any, Any]:
    x = jax.random.normal(jax.random.key(0), (n, 3))
    return (
        x,
        jax.random.normal(jax.random.key(1), (n, 2)),
        jax.random.normal(jax.random.key(2), (m, 3)),
    )


@pytest.mark.usefixtures("shapes")
def test_by_hand() -> None:
    """K = 2, y = 3, ridge 1: the weight is 3 / (2 + 1) = 1."""
    fit = KernelRegression(jnp.array([[2.0]]), jnp.array([[3.0]]), ridge=1.0)
    np.testing.assert_allclose(fit.mean(jnp.array([[0.5], [2.0]])), [[0.5], [2.0]], rtol=1e-6)
    variance = fit.variance(jnp.array([[1.0]]), jnp.array([2.0]))
    np.testing.assert_allclose(variance, [2 - 1 / 3], rtol=1e-6)


@pytest.mark.usefixtures("x64", "shapes")
def test_against_numpy() -> None:
    x, y, x_new = data(7, 4)
    kernel = Dense(2, sigma_b=0.5)
    K, cross, prior = (kernel(*a).nngp for a in ((x,), (x_new, x), (x_new,)))
    inverse = np.linalg.inv(K + 0.1 * np.eye(7))
    fit = KernelRegression(K, y, ridge=0.1)
    np.testing.assert_allclose(fit.mean(cross), cross @ inverse @ y, rtol=1e-10)
    expected = prior - cross @ inverse @ cross.T
    np.testing.assert_allclose(fit.covariance(cross, prior), expected, atol=1e-12)
    diagonal = fit.variance(cross, jnp.diagonal(prior))
    np.testing.assert_allclose(diagonal, np.diagonal(expected), atol=1e-12)
    again = jax.jit(lambda K: KernelRegression(K, y, ridge=0.1).mean(cross))(K)
    np.testing.assert_allclose(again, fit.mean(cross), rtol=1e-10)


@pytest.mark.usefixtures("x64")
def test_without_ridge_it_interpolates_and_ends_gradient_flow() -> None:
    x, y, x_new = data(6, 3)
    kernel = Dense(3)
    fit = KernelRegression(kernel(x).ntk, y)
    np.testing.assert_allclose(fit.mean(kernel(x).ntk), y, rtol=1e-9)
    flow = GradientFlow(kernel(x).ntk, y)
    cross = kernel(x_new, x).ntk
    np.testing.assert_allclose(fit.mean(cross), flow.test(jnp.inf, cross), rtol=1e-9)
    np.testing.assert_allclose(
        fit.variance(kernel(x).ntk, jnp.diagonal(kernel(x).ntk)), 0, atol=1e-10
    )


@pytest.mark.usefixtures("x64")
def test_posterior_is_calibrated() -> None:
    """Functions drawn from the prior: squared errors of the mean average to the variance."""
    x, _, x_new = data(5, 4)
    kernel = Dense(2, sigma_b=0.5)
    draws, noise = 4000, 0.2
    both = kernel(jnp.concatenate([x, x_new])).nngp
    f = jnp.linalg.cholesky(both) @ jax.random.normal(jax.random.key(3), (9, draws))
    y = f[:5] + noise**0.5 * jax.random.normal(jax.random.key(4), (5, draws))
    fit = KernelRegression(both[:5, :5], y, ridge=noise)
    squares = (fit.mean(both[5:, :5]) - f[5:]) ** 2
    off = squares.mean(1) - fit.variance(both[5:, :5], jnp.diagonal(both)[5:])
    assert jnp.all(jnp.abs(off) < 4 * squares.std(1) / draws**0.5)


def test_float32_and_gradients() -> None:
    x, y, x_new = data(7, 4)
    kernel = Dense(2, sigma_b=0.5)

    def error(ridge: Any) -> Any:
        return jnp.sum(
            KernelRegression(kernel(x).ntk, y, ridge=ridge).mean(kernel(x_new, x).ntk) ** 2
        )

    assert KernelRegression(kernel(x).ntk, y, ridge=0.1).weights.dtype == jnp.float32
    slope = jax.jit(jax.grad(error))(0.1)
    with jax.enable_x64(True):
        x, y, x_new = (jnp.asarray(np.asarray(a), float) for a in (x, y, x_new))
        exact = (error(0.1 + 1e-5) - error(0.1 - 1e-5)) / 2e-5
    np.testing.assert_allclose(slope, exact, rtol=1e-3)


def test_singular_is_an_error_and_never_nan() -> None:
    twice = jnp.ones((2, 2))
    y = jnp.array([[1.0], [2.0]])
    message = r"must be positive definite.*smallest eigenvalue of `K` is .*Drop duplicate inputs"
    for K in (twice, twice.at[1, 1].add(1e-7), jnp.diag(jnp.array([1.0, -1.0])), jnp.zeros((2, 2))):
        with pytest.raises(ValueError, match=message):
            KernelRegression(K, y)
        with pytest.raises(RuntimeError, match="must be positive definite"):
            jax.block_until_ready(jax.jit(lambda K: KernelRegression(K, y).weights)(K))
    np.testing.assert_allclose(KernelRegression(twice, y, ridge=1.0).weights, [[0], [1]], atol=1e-6)
    with jax.enable_x64(True):  # what is singular in float32 is not in float64
        K = jnp.ones((2, 2)).at[1, 1].add(1e-7)
        fit = KernelRegression(K, jnp.array([[1.0], [2.0]]))
        np.testing.assert_allclose(fit.mean(K), [[1], [2]], rtol=1e-8)


def test_errors() -> None:
    y = jnp.ones((2, 1))
    with pytest.raises(ValueError, match=r"`y` must have shape \(2, outputs\), got \(2,\)"):
        KernelRegression(jnp.eye(2), y[:, 0])
    with pytest.raises(ValueError, match="`ridge` must be finite and not negative, got -1"):
        KernelRegression(jnp.eye(2), y, ridge=-1.0)
    with pytest.raises(ValueError, match="`K` must be finite"):
        KernelRegression(jnp.eye(2) * jnp.nan, y)
    fit = KernelRegression(jnp.eye(2), y)
    with pytest.raises(ValueError, match=r"`cross` must have shape \(any, 2\), got \(2, 3\)"):
        fit.mean(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match=r"`prior` must have shape \(3,\), got \(3, 3\)"):
        fit.variance(jnp.ones((3, 2)), jnp.ones((3, 3)))
    with pytest.raises(ValueError, match="`prior` must be square"):
        fit.covariance(jnp.ones((3, 2)), jnp.ones(3))
