"""Near-duplicates: the gap keeps the distance that the covariances have rounded away."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib import (
    Abs,
    AbstractGapDual,
    Convolution,
    Covariances,
    Dense,
    DenseMixing,
    Erf,
    LeakyRelu,
    Linear,
    Relu,
    Residual,
    Window,
    affine,
    layer,
    skip,
    with_gap,
)
from ntklib.gap import inputs

pytestmark = pytest.mark.usefixtures("shapes")

DUALS = [(Relu(), 0.0), (LeakyRelu(0.2), 0.2), (Abs(), -1.0)]
DISTANCES = [1e-1, 1e-2, 1e-3, 1e-4, 0.0]


def near_pairs(distance: float, d: int = 64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, d))
    return np.float32(x), np.float32(np.float32(x) + distance * rng.normal(size=x.shape))


def oracle(x: np.ndarray, y: np.ndarray, depth: int, slope: float, sb: float) -> np.ndarray:
    """The NTK of each row of x with that of y, by arccosine in 64 binary digits."""
    x, y, d = np.longdouble(x), np.longdouble(y), x.shape[1]
    pi = np.arccos(np.longdouble(-1))
    s11, s12, s22 = (2 * (a * b).sum(axis=1) / d + sb**2 for a, b in ((x, x), (x, y), (y, y)))
    theta = s12
    for _ in range(depth - 1):
        n = np.sqrt(s11 * s22)
        angle = np.arccos(np.clip(s12 / n, -1, 1))
        phi = n * (np.sin(angle) + (pi - angle) * np.cos(angle)) / (2 * pi)
        theta = 2 * (slope + (1 - slope) ** 2 * (pi - angle) / (2 * pi)) * theta
        s12 = 2 * (slope * s12 + (1 - slope) ** 2 * phi) + sb**2
        s11, s22 = ((1 + slope**2) * s + sb**2 for s in (s11, s22))
        theta = theta + s12
    return np.asarray(theta)


@pytest.mark.parametrize(("dual", "slope"), DUALS)
@pytest.mark.parametrize("sb", [0.0, 0.5])
@pytest.mark.parametrize("distance", DISTANCES)
def test_float32_keeps_full_relative_accuracy(
    dual: Any, slope: float, sb: float, distance: float
) -> None:
    """Three hidden layers. Plain recursions lose 5e-4; `Abs` doubles the angle's share."""
    x, y = near_pairs(distance)
    kernel = Dense(4, dual=dual, sigma_b=sb)
    expected = oracle(x, y, 4, slope, sb)
    both = jnp.asarray(np.vstack([x, y]))
    for K in (
        kernel(jnp.asarray(x), jnp.asarray(y)),
        jax.jit(kernel)(jnp.asarray(x), jnp.asarray(y)),
        jax.tree.map(lambda k: k[:20, 20:], kernel(both)),
    ):
        error = np.abs(np.diagonal(np.asarray(K.ntk)) - expected) / expected
        assert error.max() < (5e-7 if slope >= 0 else 1e-6)


@pytest.mark.parametrize("distance", [1e-2, 1e-5, 1e-7])
def test_float64_keeps_full_relative_accuracy(distance: float, x64: None) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 64))
    y = x + distance * rng.normal(size=x.shape)
    error = np.diagonal(np.asarray(Dense(4)(jnp.asarray(x), jnp.asarray(y)).ntk)) / oracle(
        x, y, 4, 0.0, 0.0
    )
    assert np.abs(error - 1).max() < (1e-14 if distance > 1e-6 else 1e-12)  # the oracle's own


def test_equal_inputs_are_exact() -> None:
    x, _ = near_pairs(0.0)
    K = Dense(4)(jnp.asarray(x), jnp.asarray(x[::-1].copy()))
    alone = Dense(4)(jnp.asarray(x))
    np.testing.assert_allclose(np.diagonal(K.ntk[:, ::-1]), np.diagonal(alone.ntk), rtol=2e-6)
    np.testing.assert_allclose(np.diagonal(K.ntk[:, ::-1]), 8 * (x**2).mean(axis=1), rtol=5e-7)


def gap_by_the_variances(dual: AbstractGapDual, s11: Any, s12: Any, s22: Any) -> Any:
    return dual.phi(s11, s11, s11) + dual.phi(s22, s22, s22) - 2 * dual.phi(s11, s12, s22)


@pytest.mark.parametrize("dual", [*(dual for dual, _ in DUALS), Linear()])
@pytest.mark.parametrize("rho", [-1.0, -0.9, 0.0, 0.5, 0.87, 0.88, 0.999])
def test_the_gap_is_the_squared_distance_after_the_nonlinearity(
    dual: Any, rho: float, x64: None
) -> None:
    s11, s22 = jnp.asarray(0.7), jnp.asarray(1.1)
    s12 = rho * jnp.sqrt(s11 * s22)
    phi, derivative, gap = dual.near(s11, s12, s22, s11 + s22 - 2 * s12)
    assert float(phi) == pytest.approx(float(dual.phi(s11, s12, s22)), abs=1e-14)
    assert float(derivative) == pytest.approx(float(dual.derivative(s11, s12, s22)), abs=1e-7)
    expected = float(gap_by_the_variances(dual, s11, s12, s22))
    assert float(gap) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("dual", [Relu(), LeakyRelu(0.2), Linear()])
def test_a_dead_input(dual: Any, x64: None) -> None:
    zero, two = jnp.zeros(()), jnp.asarray(2.0)
    phi, derivative, gap = dual.near(zero, zero, two, two)
    assert float(phi) == float(dual.phi(zero, zero, two))
    assert float(derivative) == float(dual.derivative(zero, zero, two))
    assert float(gap) == pytest.approx(float(dual.phi(two, two, two)), rel=1e-14)


def test_layers_keep_the_gap(x64: None) -> None:
    """It stays the difference of the covariances, bias or not; a smooth dual drops it."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)))
    K = with_gap(Covariances(x @ x.T / 3, jnp.zeros((5, 5))), x)
    mix = DenseMixing(1.3, 0.4)
    for dual in (Relu(), LeakyRelu(0.3), Linear()):
        K = layer(K, dual=dual, mix=mix)
        v = jnp.diagonal(K.Sigma)
        assert K.gap is not None
        np.testing.assert_allclose(K.gap, v[:, None] + v[None, :] - 2 * K.Sigma, atol=1e-14)
    assert layer(K, dual=Erf(), mix=mix).gap is None


def test_only_near_pairs_are_computed_anew() -> None:
    x, y = near_pairs(1e-3, d=8)
    exact = ((np.float64(x)[:, None] - np.float64(y)[None]) ** 2).mean(axis=2)
    K = Covariances(
        jnp.asarray(x @ y.T / 8),
        jnp.zeros((20, 20)),
        jnp.asarray((x**2).mean(axis=1)),
        jnp.asarray((y**2).mean(axis=1)),
    )
    gap = np.asarray(with_gap(K, jnp.asarray(x), jnp.asarray(y)).gap)
    np.testing.assert_allclose(np.diagonal(gap), np.diagonal(exact), rtol=1e-6)
    np.testing.assert_allclose(gap, exact, rtol=5e-5)


@pytest.mark.parametrize("dual", [Relu(), LeakyRelu(0.2), Abs()])
@pytest.mark.parametrize("distance", [0.0, 1e-4, 1e-1])
def test_gradients_at_near_duplicates(dual: Any, distance: float, x64: None) -> None:
    """Finite in inputs and hyper-parameters, and right where there is no kink."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(3, 4)))
    step = jnp.asarray(rng.normal(size=x.shape))
    y = x + distance * jnp.asarray(rng.normal(size=x.shape))

    def total(t: Any, sigma_w: Any = 1.2) -> Any:
        kernel = Dense(3, dual=dual, sigma_w=sigma_w, sigma_b=0.3)
        return kernel(x + t * step, y).ntk.sum() + kernel(jnp.vstack([x + t * step, y])).ntk.sum()

    slope = float(jax.grad(total)(0.0))
    assert np.isfinite(slope) and np.isfinite(float(jax.grad(total, argnums=1)(0.0, 1.2)))
    if distance:
        h = 1e-3 * distance
        assert slope == pytest.approx(float(total(h) - total(-h)) / (2 * h), rel=1e-4)


def test_float32_gradients_are_finite() -> None:
    x, y = near_pairs(1e-4, d=5)
    x = np.vstack([x, x[:2], y[:3], -x[:2], np.zeros((1, 5))]).astype(np.float32)

    def total(x: Any, sigma_w: Any) -> Any:
        return Dense(4, sigma_w=sigma_w)(x).ntk.sum() + Dense(4)(x, x[::-1]).ntk.sum()

    for gradient in jax.grad(total, argnums=(0, 1))(jnp.asarray(x), 1.4):
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("distance", [1e-2, 1e-4])
@pytest.mark.parametrize(
    ("kernel", "shape"),
    [
        (Residual(4, alpha=0.7), (64,)),
        (Residual(4, dual=Abs(), sigma_b=0.3), (64,)),
        (Convolution(4, window=Window(3, padding="zero")), (5, 5, 8)),
        (Convolution(4, window=Window(3, padding="circular"), readout="pool"), (3, 2, 8)),
    ],
)
def test_other_networks_carry_it_too(kernel: Any, shape: tuple[int, ...], distance: float) -> None:
    """Near-duplicates in float32, against the same inputs in float64."""
    flat, near = near_pairs(distance, d=int(np.prod(shape)))
    x, y = (jnp.asarray(a.reshape(-1, *shape)[:4]) for a in (flat, near))
    single = np.diagonal(np.asarray(kernel(x, y).ntk, float))
    with jax.enable_x64(True):
        exact = np.diagonal(kernel(x.astype(float), y.astype(float)).ntk)
    assert np.abs(single / exact - 1).max() < 1e-6


def test_variances_round_less_than_a_matrix_product() -> None:
    x = np.random.default_rng(0).normal(size=(8, 5000)).astype(np.float32)
    found = inputs(jnp.asarray(x), None, dual=Relu()).Sigma.diagonal()
    assert np.abs(found / (x.astype(float) ** 2).mean(axis=1) - 1).max() < 2e-7


def test_a_branch_without_it_ends_it() -> None:
    x, _ = near_pairs(1e-3)
    K = affine(inputs(jnp.asarray(x), None, dual=Relu()), mix=DenseMixing(1.0))
    assert K.gap is not None
    assert skip(K, lambda K: layer(K, dual=Erf(), mix=DenseMixing(1.0))).gap is None
