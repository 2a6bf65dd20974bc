"""The infinite ensemble: formulas, limits, draws of Gaussians, and real trained networks."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from ntklib.dense import Dense
from ntklib.duals import Erf
from ntklib.dynamics import GradientFlow
from ntklib.ensembles import Ensemble
from ntklib.recursion import Kernels
from ntklib.regression import KernelRegression

KERNEL = Dense(2, dual=Erf(), sigma_w=1.5, sigma_b=0.3)


def data() -> tuple[Any, Any, Any]:
    x, x_new = (jax.random.normal(jax.random.key(s), (n, 3)) for s, n in ((0, 5), (1, 4)))
    return x, x_new, jax.random.normal(jax.random.key(2), (5, 2))


def propagator(K: Any, t: float, step: float | None) -> Any:
    K = np.asarray(K)
    return expm(-K * t) if step is None else np.linalg.matrix_power(np.eye(5) - step * K, int(t))


@pytest.mark.parametrize(("t", "step"), [(0.7, None), (5.0, None), (3, 0.2), (8, 0.2)])
@pytest.mark.usefixtures("x64", "shapes")
def test_against_numpy(t: float, step: float | None) -> None:
    x, x_new, y = data()
    own, cross, prior = KERNEL(x), KERNEL(x_new, x), KERNEL(x_new).nngp
    ensemble = Ensemble(own, y, step=step)
    E = propagator(own.ntk, t, step)
    K, cross_K = np.asarray(own.nngp), np.asarray(cross.nngp)
    mean, covariance = ensemble.train(t)
    np.testing.assert_allclose(mean, (np.eye(5) - E) @ y, rtol=1e-10)
    np.testing.assert_allclose(covariance, E @ K @ E.T, rtol=1e-9, atol=1e-14)
    A = np.asarray(cross.ntk) @ np.linalg.inv(own.ntk) @ (np.eye(5) - E)
    mean, covariance = ensemble.test(t, cross, prior)
    np.testing.assert_allclose(mean, A @ y, rtol=1e-10)
    expected = prior + A @ K @ A.T - A @ cross_K.T - cross_K @ A.T
    np.testing.assert_allclose(covariance, expected, atol=1e-12)
    marginals = ensemble.marginals(t, cross, jnp.diagonal(prior))
    np.testing.assert_allclose(marginals.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(marginals.variance, np.diagonal(expected), atol=1e-12)


def test_by_hand() -> None:
    """One input, K = 1, Theta = 2, y = 3, at t = log(2)/2: half of everything is left."""
    ensemble = Ensemble(Kernels(jnp.eye(1), 2 * jnp.eye(1)), jnp.array([[3.0]]))
    mean, covariance = ensemble.train(jnp.log(2.0) / 2)
    np.testing.assert_allclose((mean[0, 0], covariance[0, 0]), (1.5, 0.25), rtol=1e-6)


@pytest.mark.usefixtures("x64")
def test_limits() -> None:
    x, x_new, y = data()
    own, cross, prior = KERNEL(x), KERNEL(x_new, x), KERNEL(x_new).nngp
    for step in (None, 0.2):
        ensemble = Ensemble(own, y, step=step)
        start = ensemble.test(0, cross, prior)
        np.testing.assert_allclose(start.mean, 0, atol=1e-14)
        np.testing.assert_allclose(start.covariance, prior, atol=1e-14)
        end = ensemble.train(jnp.inf)
        np.testing.assert_allclose(end.mean, y, rtol=1e-10)
        np.testing.assert_allclose(end.covariance, 0, atol=1e-10)
        at_training = ensemble.test(4, own, own.nngp)  # tested where it was trained
        np.testing.assert_allclose(at_training.mean, ensemble.train(4).mean, rtol=1e-10)
        spread = ensemble.train(4).covariance
        np.testing.assert_allclose(at_training.covariance, spread, atol=1e-12)
    np.testing.assert_allclose(
        Ensemble(own, y).test(0.6, cross, prior).mean, GradientFlow(own.ntk, y).test(0.6, cross.ntk)
    )


@pytest.mark.usefixtures("x64")
def test_training_the_last_layer_ends_in_the_posterior() -> None:
    """With the NNGP kernel as tangent kernel, and only then."""
    x, x_new, y = data()
    own, cross, prior = (k.nngp for k in (KERNEL(x), KERNEL(x_new, x), KERNEL(x_new)))
    end = Ensemble(Kernels(own, own), y).test(jnp.inf, Kernels(cross, cross), prior)
    posterior = KernelRegression(own, y)
    np.testing.assert_allclose(end.mean, posterior.mean(cross), rtol=1e-9)
    np.testing.assert_allclose(end.covariance, posterior.covariance(cross, prior), atol=1e-11)
    full = Ensemble(KERNEL(x), y).test(jnp.inf, KERNEL(x_new, x), prior).covariance
    assert jnp.abs(full - end.covariance).max() > 1e-3


@pytest.mark.usefixtures("x64")
def test_draws_from_the_prior_trained_one_by_one() -> None:
    x, x_new, y = data()
    own, cross, draws = KERNEL(x), KERNEL(x_new, x), 4000
    root = jnp.linalg.cholesky(KERNEL(jnp.concatenate([x, x_new])).nngp)
    f0 = root @ jax.random.normal(jax.random.key(3), (9, draws))
    trained = GradientFlow(own.ntk, jnp.tile(y[:, :1], draws), f0[:5]).test(0.8, cross.ntk, f0[5:])
    mean, covariance = Ensemble(own, y[:, :1]).test(0.8, cross, KERNEL(x_new).nngp)
    variance = jnp.diagonal(covariance)
    off = jnp.abs(trained.mean(1) - mean[:, 0])
    assert jnp.all(off < 4 * jnp.sqrt(variance / draws))
    spread = jnp.outer(variance, variance) + covariance**2  # of an entry of the covariance
    assert jnp.all(jnp.abs(jnp.cov(trained) - covariance) < 4 * jnp.sqrt(spread / draws))


def test_trained_networks() -> None:
    """120 networks of width 512, 60 steps of gradient descent, against mean and variance."""
    x, x_new, y = data()
    y, step, draws = y[:, :1], 0.2, 120
    network = KERNEL.network(512)

    def train(key: Any) -> Any:
        def loss(params: Any) -> Any:
            return jnp.sum((network.apply(params, x) - y) ** 2) / 2

        def update(params: Any, _: None) -> tuple[Any, None]:
            return jax.tree.map(lambda p, g: p - step * g, params, jax.grad(loss)(params)), None

        params, _ = jax.lax.scan(update, network.init(key, 3), length=60)
        return network.apply(params, x_new)[:, 0]

    outputs = jax.lax.map(train, jax.random.split(jax.random.key(4), draws))
    cross, prior = KERNEL(x_new, x), jnp.diagonal(KERNEL(x_new).nngp)
    mean, variance = Ensemble(KERNEL(x), y, step=step).marginals(60, cross, prior)
    # 1/512 is the order of the bias of a finite width, far below the error of 120 draws.
    assert jnp.all(jnp.abs(outputs.mean(0) - mean[:, 0]) < 4 * jnp.sqrt(variance / draws))
    ratio = outputs.var(0, ddof=1) / variance
    assert jnp.all(jnp.abs(ratio - 1) < 4 * (2 / draws) ** 0.5)


def test_float32_jit_and_gradients() -> None:
    x, x_new, y = data()

    def spread(t: Any) -> Any:
        own, cross = KERNEL(x), KERNEL(x_new, x)
        return Ensemble(own, y).test(t, cross, KERNEL(x_new).nngp).covariance

    assert spread(1.0).dtype == jnp.float32
    np.testing.assert_allclose(jax.jit(spread)(1.0), spread(1.0), atol=1e-5)
    assert jnp.all(jnp.isfinite(jax.jacobian(spread)(1.0)))
    assert jnp.all(jnp.linalg.eigvalsh(spread(1.0)) > 0)


def test_errors() -> None:
    x, x_new, y = data()
    own, cross = KERNEL(x), KERNEL(x_new, x)
    with pytest.raises(ValueError, match=r"`kernels\.ntk` must be square, got \(4, 5\)"):
        Ensemble(cross, y)
    with pytest.raises(ValueError, match=r"`kernels\.nngp` must have shape \(5, 5\), got \(4, 4\)"):
        Ensemble(Kernels(KERNEL(x_new).nngp, own.ntk), y)
    with pytest.raises(ValueError, match=r"`y` must have shape \(5, outputs\)"):
        Ensemble(own, y[:4])
    with pytest.raises(ValueError, match="Beyond it gradient descent diverges"):
        Ensemble(own, y, step=100.0)
    ensemble = Ensemble(own, y)
    with pytest.raises(ValueError, match=r"`cross\.ntk` must have shape \(any, 5\), got \(5, 4\)"):
        ensemble.test(1.0, KERNEL(x, x_new), own.nngp)
    with pytest.raises(ValueError, match=r"`prior` must have shape \(4,\), got \(4, 4\)"):
        ensemble.marginals(1.0, cross, KERNEL(x_new).nngp)
    with pytest.raises(ValueError, match="`prior` must be square"):
        ensemble.test(1.0, cross, jnp.ones(4))
