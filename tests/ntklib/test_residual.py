"""Residual networks: closed forms, loops in NumPy, limits, errors and the finite twin."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from ntklib.dense import Dense, DenseMixing
from ntklib.duals import AbstractDual, Erf, Relu
from ntklib.empirical import empirical_ntk
from ntklib.recursion import Covariances, activate, affine, layer
from ntklib.residual import Residual, skip


class Linear(AbstractDual):
    """The identity: phi = s12, phidot = 1."""

    def activation(self, z: Array) -> Array:
        return z

    def phi(self, s11: Array, s12: Array, s22: Array) -> Array:
        return s12 + 0 * (s11 + s22)

    def derivative(self, s11: Array, s12: Array, s22: Array) -> Array:
        return jnp.ones_like(s12)


def inputs(n: int, d: int = 3, seed: int = 0) -> Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=(n, d)))


def relu(a: float, c: float, b: float) -> tuple[float, float]:
    theta = math.acos(max(-1.0, min(1.0, c / math.sqrt(a * b))))
    root = math.sqrt(a * b) * math.sin(theta)
    return (root + (math.pi - theta) * c) / (2 * math.pi), (math.pi - theta) / (2 * math.pi)


def erf(a: float, c: float, b: float) -> tuple[float, float]:
    product = (1 + 2 * a) * (1 + 2 * b)
    return (
        2 / math.pi * math.asin(2 * c / math.sqrt(product)),
        4 / math.pi / math.sqrt(product - 4 * c * c),
    )


def by_hand(
    x: np.ndarray,
    y: np.ndarray,
    depth: int,
    alpha: float,
    sw2: float,
    sb2: float,
    dual: Callable[[float, float, float], tuple[float, float]],
) -> tuple[float, float]:
    """NNGP and NTK of one pair, from the formulas, one number at a time."""
    a, b, c = (sw2 * float(u @ v) / len(x) + sb2 for u, v in ((x, x), (y, y), (x, y)))
    t = c
    for _ in range(depth - 2):
        phi, dot = dual(a, c, b)
        t = t + alpha**2 * (sw2 * phi + sb2 + sw2 * dot * t)
        c = c + alpha**2 * (sw2 * phi + sb2)
        a = a + alpha**2 * (sw2 * dual(a, a, a)[0] + sb2)
        b = b + alpha**2 * (sw2 * dual(b, b, b)[0] + sb2)
    phi, dot = dual(a, c, b)
    return sw2 * phi + sb2, sw2 * phi + sb2 + sw2 * dot * t


@pytest.mark.parametrize(("dual", "numbers"), [(Relu(), relu), (Erf(), erf)], ids=["relu", "erf"])
@pytest.mark.parametrize("depth", [2, 3, 6])
def test_both_kernels_equal_loops_over_pairs(x64, dual, numbers, depth) -> None:
    x, y = inputs(4), inputs(3, seed=1)
    kernel = Residual(depth, alpha=0.7, dual=dual, sigma_w=1.3, sigma_b=0.4)
    K = kernel(x, y)
    for i in range(4):
        for j in range(3):
            expected = by_hand(np.asarray(x[i]), np.asarray(y[j]), depth, 0.7, 1.69, 0.16, numbers)
            np.testing.assert_allclose((K.nngp[i, j], K.ntk[i, j]), expected, rtol=1e-13)


def test_gram_is_the_cross_kernel_with_itself(x64) -> None:
    x = inputs(5)
    kernel = Residual(5, alpha=0.6, sigma_b=0.3)
    for own, cross in zip(kernel(x), kernel(x, x), strict=True):
        np.testing.assert_allclose(own, cross, rtol=1e-7, atol=1e-12)
        np.testing.assert_allclose(own, own.T, rtol=1e-14)
        assert jnp.linalg.eigvalsh(own)[0] > -1e-12


def test_without_a_block_it_is_a_dense_network(x64) -> None:
    x, y = inputs(4), inputs(3, seed=1)
    options = {"sigma_w": 1.1, "sigma_b": 0.5}
    for residual, dense in [
        (Residual(1, alpha=3.0, **options), Dense(1, **options)),
        (Residual(2, alpha=3.0, **options), Dense(2, **options)),
        (Residual(7, alpha=0.0, **options), Dense(2, **options)),
    ]:
        for ours, theirs in zip(residual(x, y), dense(x, y), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-14)


def test_a_large_alpha_gives_the_dense_kernel_at_the_rate_alpha_to_minus_two(x64) -> None:
    x = inputs(5)
    dense = Dense(5)(x).ntk
    gaps = []
    for alpha in (1e2, 1e3):
        ours = Residual(5, alpha=alpha)(x).ntk / alpha**6
        gaps.append(float(jnp.linalg.norm(ours - dense) / jnp.linalg.norm(dense)))
    assert gaps[1] < 1e-4
    np.testing.assert_allclose(gaps[0] / gaps[1], 100, rtol=0.15)  # the cusp at rho = 1


def test_linear_networks_have_a_closed_form(x64) -> None:
    x, alpha, sw2, blocks = inputs(4), 0.8, 1.44, 3
    K = Residual(blocks + 2, alpha=alpha, dual=Linear(), sigma_w=1.2)(x)
    growth = 1 + alpha**2 * sw2
    nngp = sw2**2 * growth**blocks * x @ x.T / 3
    np.testing.assert_allclose(K.nngp, nngp, rtol=1e-13)
    share = alpha**2 * sw2 / growth  # of the kernel, from each block's own weights
    np.testing.assert_allclose(K.ntk, nngp * (2 + blocks * share), rtol=1e-13)


def test_relu_diagonal_by_hand(x64) -> None:
    # He weights, no bias, |x|^2 = d: the variance is 2, grows by 1 + alpha^2 a block, and the
    # read-out halves and doubles it; NTK / NNGP is 2 and gains alpha^2 / (1 + alpha^2) a block.
    x = jnp.array([[1.0, 1.0]])
    K = Residual(4, alpha=1.0)(x)
    np.testing.assert_allclose(K.nngp, 8.0, rtol=1e-15)
    np.testing.assert_allclose(K.ntk, 24.0, rtol=1e-15)
    K = Residual(5, alpha=0.5)(x)
    np.testing.assert_allclose(K.nngp, 2 * 1.25**3, rtol=1e-15)
    np.testing.assert_allclose(K.ntk, 2 * 1.25**3 * (2 + 3 * 0.2), rtol=1e-15)


def test_with_relu_and_no_bias_the_kernel_is_homogeneous(x64) -> None:
    x, y = inputs(3), inputs(3, seed=1)
    kernel = Residual(4, alpha=0.5)
    np.testing.assert_allclose(kernel(2 * x, 3 * y).ntk, 6 * kernel(x, y).ntk, rtol=1e-12)


def test_depth_flattens_the_kernel_unless_alpha_falls(x64) -> None:
    angles = jnp.linspace(0.5, 2.5, 9)
    x = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
    origin = jnp.array([[1.0, 0.0]])

    def contrast(depth: int, alpha: float) -> float:
        """How much the normalised kernel still tells apart inputs that are far from the origin."""
        kernel = Residual(depth, alpha=alpha)
        k = kernel(x, origin).ntk[:, 0] / kernel(origin).ntk[0, 0]
        return float(k.max() - k.min())

    fixed = [contrast(depth, 1.0) for depth in (20, 80, 320)]
    falling = [contrast(depth, depth**-0.5) for depth in (20, 80, 320)]
    assert fixed[0] > 2 * fixed[1] > 4 * fixed[2]
    np.testing.assert_allclose(falling, falling[-1], rtol=0.1)


def test_skip_carries_self_covariances_and_any_mixing(x64) -> None:
    x, y = inputs(4), inputs(3, seed=1)
    mix = DenseMixing(1.2, 0.3)

    def two_layers(K: Covariances) -> Covariances:
        return layer(layer(K, dual=Erf(), mix=mix), dual=Erf(), mix=mix)

    def state(a: Array, b: Array | None) -> Covariances:
        G = a @ (a if b is None else b).T / 3
        squares = [None, None] if b is None else [jnp.sum(z**2, axis=1) / 3 for z in (a, b)]
        first = affine(Covariances(G, jnp.zeros_like(G), *squares), mix=mix)
        return activate(skip(first, two_layers, alpha=0.5), dual=Erf())

    joint, cross = state(jnp.concatenate([x, y]), None), state(x, y)
    np.testing.assert_allclose(joint.Sigma[:4, 4:], cross.Sigma, rtol=1e-13)
    np.testing.assert_allclose(joint.Theta[:4, 4:], cross.Theta, rtol=1e-13)
    np.testing.assert_allclose(jnp.diag(joint.Sigma)[4:], cross.right, rtol=1e-13)
    assert joint.left is None


def test_a_branch_without_random_weights_at_its_end_is_a_wrong_kernel(x64) -> None:
    # h + relu(h) with one block; the true covariance has the cross terms 2 E[h relu(h)] = s.
    K = Covariances(jnp.array([[1.0]]), jnp.array([[1.0]]))
    wrong = skip(K, lambda K: activate(K, dual=Relu()))
    h = np.random.default_rng(0).normal(size=400_000)
    right = float(np.mean((h + np.maximum(h, 0)) ** 2))
    np.testing.assert_allclose(right, 2.5, rtol=0.02)
    np.testing.assert_allclose(wrong.Sigma, 1.5)


def test_float32_is_kept_and_gradients_are_finite() -> None:
    x = inputs(4).astype(jnp.float32)
    x = x.at[1].set(x[0]).at[2].set(-x[0])  # duplicates and opposites
    kernel = Residual(4, alpha=0.5, sigma_b=0.1)
    K = jax.jit(lambda x: kernel(x))(x)
    assert K.ntk.dtype == jnp.float32
    gradient = jax.grad(lambda x, a: Residual(4, alpha=a)(x).ntk.sum(), argnums=(0, 1))(x, 0.5)
    assert all(bool(jnp.isfinite(g).all()) for g in gradient)


def test_jit_does_not_move_the_diagonal_away_from_the_variances(x64) -> None:
    x = inputs(40)
    for alpha in (0.31, 0.77, 1.13):
        kernel = Residual(4, alpha=alpha, sigma_w=1.37, sigma_b=0.29)
        np.testing.assert_allclose(jax.jit(lambda x: kernel(x))(x).ntk, kernel(x).ntk, rtol=1e-10)  # noqa: B023


def test_errors_say_the_rule() -> None:
    with pytest.raises(ValueError, match=r"`depth` must be at least 1, got 0. A linear model"):
        Residual(0)
    with pytest.raises(ValueError, match=r"`alpha` must be finite, got nan. It weighs a block"):
        Residual(3, alpha=float("nan"))
    with pytest.raises(ValueError, match=r"`alpha` must be one number, got shape \(2,\)"):
        Residual(3, alpha=jnp.ones(2))
    with pytest.raises(ValueError, match=r"`sigma_w` must be finite and not negative, got -1"):
        Residual(3, sigma_w=-1.0)
    with pytest.raises(ValueError, match=r"(?s)`depth` must.*`alpha` must.*`sigma_b` must"):
        Residual(0, alpha=float("inf"), sigma_b=-2.0)
    with pytest.raises(ValueError, match=r"`x1` must have shape \(inputs, features\), got \(3,\)"):
        Residual(3)(jnp.ones(3))
    with pytest.raises(ValueError, match="It counts the neurons of a hidden layer"):
        Residual(3).network(0)
    with pytest.raises(ValueError, match="`n_outputs` must be at least 1"):
        Residual(3).network(4, 0)
    with pytest.raises(ValueError, match="`n_features` must be at least 1"):
        Residual(3).network(4).init(jax.random.key(0), 0)


def test_a_branch_must_keep_the_sites() -> None:
    K = Covariances(jnp.ones((2, 2, 3)), jnp.ones((2, 2, 3)))
    with pytest.raises(ValueError, match=r"`branch` must keep the sites, got diagonal \(2, 2\)"):
        skip(K, lambda K: Covariances(K.Sigma[..., 0], K.Theta[..., 0]))
    with pytest.raises(ValueError, match="`alpha` must be finite"):
        skip(K, lambda K: K, alpha=float("inf"))


@pytest.mark.parametrize("dual", [Relu(), Erf()], ids=["relu", "erf"])
def test_the_finite_twin_converges(dual) -> None:
    kernel = Residual(4, alpha=0.8, dual=dual, sigma_w=1.3, sigma_b=0.3)
    x, outputs, draws = inputs(4), 64, 32
    network = kernel.network(256, outputs)

    @jax.jit
    def draw(key: Array) -> tuple[Array, Array]:
        params = network.init(key, 3)
        f = network.apply(params, x)
        return f @ f.T / outputs, empirical_ntk(kernel.network(256).apply, one(params), x)

    def one(params: list[dict[str, Array]]) -> list[dict[str, Array]]:
        return [*params[:-1], {"W": params[-1]["W"][:, :1], "b": params[-1]["b"][:1]}]

    samples = [draw(key) for key in jax.random.split(jax.random.key(0), draws)]
    for sample, limit in zip(zip(*samples, strict=True), kernel(x), strict=True):
        values = np.stack(sample)
        spread = np.sqrt(np.sum(np.var(values, axis=0, ddof=1)))
        error = np.linalg.norm(values.mean(axis=0) - np.asarray(limit))
        assert error < 4 * spread / math.sqrt(draws)
        assert 4 * spread / math.sqrt(draws) < 0.35 * np.linalg.norm(limit)  # and it says something
