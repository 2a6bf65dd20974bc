"""The dual activations against quadrature, at the edges, and in float32."""

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf, ndtr
from scipy.stats import norm

from ntklib import (
    Abs,
    AbstractDual,
    Cosine,
    Erf,
    Gaussian,
    Gelu,
    LeakyRelu,
    Linear,
    Quadrature,
    Relu,
    Sine,
)

DUALS = [
    Relu(),
    LeakyRelu(0.2),
    Abs(),
    Linear(),
    Erf(),
    Gelu(),
    Gaussian(),
    Sine(1.3, 0.4),
    Cosine(0.8),
    Quadrature(jnp.tanh),
]
COVARIANCES = [
    (1.0, 0.3, 1.0),
    (0.7, -0.5, 2.0),
    (3.0, 0.0, 0.2),
    (1.0, 0.9, 1.0),
    (2.0, -1.5, 1.3),
]

pytestmark = pytest.mark.usefixtures("shapes")
dual = pytest.mark.parametrize("dual", DUALS, ids=lambda d: type(d).__name__)


def arrays(*values: Any) -> list[jax.Array]:
    return [jnp.asarray(value, float) for value in values]


def quadrature(f: Any, s11: float, s12: float, s22: float) -> float:
    """E[f(z1) f(z2)] by a 2-D Gauss-Hermite rule."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()
    L = np.linalg.cholesky([[s11, s12], [s12, s22]])
    z1 = L[0, 0] * nodes[:, None]
    z2 = L[1, 0] * nodes[:, None] + L[1, 1] * nodes[None, :]
    return float(weights @ (f(z1) * f(z2)) @ weights)


def by_angle(f: Any, s11: float, s12: float, s22: float) -> float:
    """The same for a piecewise polynomial f with a kink at 0: radius by Gauss, angle in pieces.

    A Gauss-Hermite rule does not see the kink; here z1 and z2 change sign between the pieces.
    """
    rays, ray_weights = np.polynomial.legendre.leggauss(30)
    L = np.linalg.cholesky([[s11, s12], [s12, s22]])
    kinks = [np.arctan2(-a, b) % np.pi for a, b in L]  # where a cos + b sin = 0
    cuts = np.unique([0.0, *kinks, *(k + np.pi for k in kinks), 2 * np.pi])
    total = 0.0
    for low, high in pairwise(cuts):
        t = (low + high) / 2 + (high - low) / 2 * rays
        z1, z2 = L @ np.array([np.cos(t), np.sin(t)])
        total += (high - low) / 2 * ray_weights @ (f(z1) * f(z2))
    return total / (2 * np.pi)


@pytest.mark.parametrize("s", COVARIANCES)
def test_erf_against_quadrature(s: tuple[float, float, float], x64: None) -> None:
    """Two expectations of smooth functions: 120 nodes an axis are enough for 1e-11."""
    args = arrays(*s)
    assert float(Erf().phi(*args)) == pytest.approx(quadrature(erf, *s), abs=1e-11)
    slope = quadrature(lambda z: 2 / np.pi**0.5 * np.exp(-(z**2)), *s)
    assert float(Erf().derivative(*args)) == pytest.approx(slope, abs=1e-11)


SMOOTH = [
    (Linear(), lambda z: z, np.ones_like),
    (Gelu(), lambda z: z * ndtr(z), lambda z: ndtr(z) + z * norm.pdf(z)),
    (Gaussian(), lambda z: np.exp(-(z**2) / 2), lambda z: -z * np.exp(-(z**2) / 2)),
    (Sine(1.3, 0.4), lambda z: np.sin(1.3 * z + 0.4), lambda z: 1.3 * np.cos(1.3 * z + 0.4)),
    (Sine(), np.sin, np.cos),
    (Cosine(0.8), lambda z: np.cos(0.8 * z), lambda z: -0.8 * np.sin(0.8 * z)),
]


@pytest.mark.parametrize(("dual", "f", "slope"), SMOOTH)
@pytest.mark.parametrize("s", [*COVARIANCES, (1e-6, 4e-7, 3e-6), (1e-6, -1.7e-6, 3e-6)])
def test_smooth_duals_against_quadrature(
    dual: AbstractDual, f: Any, slope: Any, s: tuple[float, float, float], x64: None
) -> None:
    """Relative to the variances after the nonlinearity, also where they are small."""
    for closed, g in ((dual.phi, f), (dual.derivative, slope)):
        one, two = quadrature_1d(g, s[0]), quadrature_1d(g, s[2])
        error = float(closed(*arrays(*s))) - quadrature(g, *s)
        assert abs(error) < 1e-10 * (one * two) ** 0.5


@pytest.mark.parametrize(("dual", "f", "slope"), SMOOTH)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("v", [1e-6, 0.3, 1.0, 2.5])
def test_smooth_duals_at_rho_plus_and_minus_1(
    dual: AbstractDual, f: Any, slope: Any, sign: int, v: float
) -> None:
    """Against a 1-D rule, in both precisions. One rounding is amplified by v, not rooted."""
    for dtype, rtol in ((jnp.float32, 2e-6), (jnp.float64, 1e-11)):
        with jax.enable_x64(True):
            args = [jnp.asarray(s, dtype) for s in (v, sign * v, v)]
            for closed, g in ((dual.phi, f), (dual.derivative, slope)):
                expected = quadrature_1d(g, float(args[0]), sign)
                assert closed(*args).dtype == dtype
                assert abs(float(closed(*args)) - expected) < rtol * quadrature_1d(g, v)


def quadrature_1d(f: Any, v: float, sign: int = 1) -> float:
    """E[f(z) f(sign z)] by a 1-D Gauss-Hermite rule."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    return float(weights @ (f(v**0.5 * nodes) * f(sign * v**0.5 * nodes)) / weights.sum())


@pytest.mark.parametrize("slope", [0.2, -1.0, 1.0, 3.0])
@pytest.mark.parametrize("s", COVARIANCES)
def test_leaky_relu_against_quadrature(
    slope: float, s: tuple[float, float, float], x64: None
) -> None:
    def leaky(z: np.ndarray) -> np.ndarray:
        return np.where(z > 0, z, slope * z)

    def step(z: np.ndarray) -> np.ndarray:
        return np.where(z > 0, 1.0, slope)

    scale = (1 + slope**2) * (s[0] * s[2]) ** 0.5
    phi, derivative = LeakyRelu(slope).phi(*arrays(*s)), LeakyRelu(slope).derivative(*arrays(*s))
    assert float(phi) == pytest.approx(2 * by_angle(leaky, *s), abs=1e-13 * scale)
    assert float(derivative) == pytest.approx(by_angle(step, *s), abs=1e-13 * (1 + slope**2))
    if slope == -1:
        assert float(phi) == float(Abs().phi(*arrays(*s)))


def test_cases_of_one_another(x64: None) -> None:
    """Leaky ReLU at slope 0 is ReLU, and at 1 linear; GELU of a large variance is ReLU."""
    s = arrays(0.7, -0.5, 2.0)
    for f in ("phi", "derivative"):
        assert getattr(LeakyRelu(0.0), f)(*s) == getattr(Relu(), f)(*s)
        assert float(getattr(LeakyRelu(1.0), f)(*s)) == float(getattr(Linear(), f)(*s))
    large = [1e12 * v for v in s]
    assert float(Gelu().phi(*large)) == pytest.approx(float(Relu().phi(*large)), rel=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LeakyRelu(np.inf), r"`slope` must be finite, got inf\. Pass a number"),
        (lambda: LeakyRelu(np.ones(2)), r"`slope` must be one number, got shape \(2,\)"),
        (lambda: Sine(np.nan), "`frequency` must be finite, got nan"),
        (lambda: Cosine(np.nan), "`frequency` must be finite, got nan"),
        (lambda: Sine(1.0, np.inf), "`phase` must be finite, got inf"),
    ],
)
def test_errors(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make", [LeakyRelu, Sine, Cosine, lambda p: Sine(1.0, p)], ids=("leaky", "sine", "cos", "phase")
)
@pytest.mark.parametrize("s", [(1.7, 1.7, 1.7), (1.7, -1.7, 1.7), (0.0, 0.0, 2.0), (1.0, 0.3, 2.0)])
def test_hyper_parameters_are_differentiable(make: Any, s: Any, x64: None) -> None:
    for name in ("phi", "derivative"):

        def value(p: Any, name: str = name) -> Any:
            return getattr(make(p), name)(*arrays(*s))

        slope = float(jax.grad(value)(0.6))
        assert slope == pytest.approx(float(value(0.6 + 1e-6) - value(0.6 - 1e-6)) / 2e-6, abs=1e-8)


@dual
@pytest.mark.parametrize("v", [1e-30, 1e-25, 1.0, 1e20, 1e25])
@pytest.mark.parametrize("rho", [1.0, -1.0, 0.5, 0.0])
def test_float32_of_any_size_is_finite(dual: AbstractDual, v: float, rho: float) -> None:
    """1e25 squared overflows in float32. 2e-15 is cos(pi / 2)^2 there."""
    if isinstance(dual, Sine) and v > 1:
        pytest.skip("no digit of omega^2 s is left")
    args = [jnp.float32(s) for s in (v, rho * v, v)]
    with jax.enable_x64(True):
        wide = [jnp.asarray(s, jnp.float64) for s in args]
        expected = [float(f(*wide)) for f in (dual.phi, dual.derivative)]
    for f, want in zip((dual.phi, dual.derivative), expected, strict=True):
        scale = f(args[0], args[0], args[0])
        gradients = jax.grad(f, argnums=(0, 1, 2))(*args)
        assert np.isfinite(f(*args)) and np.isfinite(gradients).all()
        assert float(f(*args)) == pytest.approx(want, abs=1e-5 * float(scale) + 2e-15)


@pytest.mark.parametrize("s", COVARIANCES)
def test_relu_against_quadrature(s: tuple[float, float, float], x64: None) -> None:
    args = arrays(*s)

    def relu(z: np.ndarray) -> np.ndarray:
        return np.maximum(z, 0)

    def step(z: np.ndarray) -> np.ndarray:
        return (z > 0).astype(float)

    phi, slope = float(Relu().phi(*args)), float(Relu().derivative(*args))
    assert phi == pytest.approx(2 * by_angle(relu, *s), rel=1e-13)  # E[radius^2] = 2
    assert slope == pytest.approx(by_angle(step, *s), rel=1e-13)
    # Gauss-Hermite has an error of 1/nodes at the kink: enough to catch a wrong formula.
    assert phi == pytest.approx(quadrature(relu, *s), abs=1e-2)
    assert slope == pytest.approx(quadrature(step, *s), abs=2e-2)


@dual
def test_the_activation_is_the_one_of_the_expectations(dual: AbstractDual, x64: None) -> None:
    """By sampling: `activation` and its derivative give `phi` and `derivative`."""
    s = (0.7, -0.3, 2.0)
    L = np.linalg.cholesky([[s[0], s[1]], [s[1], s[2]]])
    z = jnp.asarray(np.random.default_rng(0).normal(size=(200_000, 2)) @ L.T)
    slope = jax.vmap(jax.vmap(jax.grad(dual.activation)))(z)
    for values, expected in (
        (dual.activation(z), dual.phi(*arrays(*s))),
        (slope, dual.derivative(*arrays(*s))),
    ):
        product = np.asarray(values[:, 0] * values[:, 1])
        standard_error = product.std() / len(product) ** 0.5
        assert abs(product.mean() - float(expected)) <= 4 * standard_error


@pytest.mark.parametrize("v", [1e-8, 0.3, 1.0, 7.3, 1e6])
def test_relu_is_exact_at_rho_plus_and_minus_1(v: float, x64: None) -> None:
    same, opposite = arrays(v, v, v), arrays(v, -v, v)
    assert float(Relu().phi(*same)) == pytest.approx(v / 2, rel=5e-16, abs=0)
    assert float(Relu().derivative(*same)) == 0.5
    assert float(Relu().phi(*opposite)) == 0.0
    assert float(Relu().derivative(*opposite)) == 0.0


@pytest.mark.parametrize("v", [1e-8, 0.3, 1.0, 7.3, 1e6])
def test_erf_at_rho_plus_and_minus_1(v: float, x64: None) -> None:
    """E[erf(z)^2] and E[erf'(z)^2], each a closed form of one variance."""
    square = 2 / np.pi * np.arcsin(2 * v / (1 + 2 * v))
    slope = 4 / np.pi / np.sqrt(1 + 4 * v)
    for sign in (1, -1):
        args = arrays(v, sign * v, v)
        assert float(Erf().phi(*args)) == pytest.approx(sign * square, rel=1e-9)
        assert float(Erf().derivative(*args)) == pytest.approx(slope, rel=1e-9)


def test_erf_closed_form(x64: None) -> None:
    """With s11 = s22 = 1/2 and s12 = s: (2/pi) asin(s) and (2/pi) / sqrt(1 - s^2)."""
    s = jnp.linspace(-0.5, 0.5, 11)
    half = jnp.asarray(0.5)
    np.testing.assert_allclose(Erf().phi(half, s, half), 2 / np.pi * np.arcsin(s), atol=1e-15)
    expected = 2 / np.pi / np.sqrt(1 - s**2)
    np.testing.assert_allclose(Erf().derivative(half, s, half), expected, rtol=1e-14)


@pytest.mark.parametrize("s", [(0.0, 0.0, 0.0), (0.0, 0.0, 2.0), (2.0, 0.0, 0.0)])
def test_zero_variance(s: tuple[float, float, float], x64: None) -> None:
    """A neuron that is always 0: ReLU is flat there, erf has slope 2 / sqrt(pi)."""
    args = arrays(*s)
    assert float(Relu().phi(*args)) == float(Relu().derivative(*args)) == 0.0
    assert float(Erf().phi(*args)) == 0.0
    expected = 4 / np.pi / (1 + 2 * max(s)) ** 0.5
    assert float(Erf().derivative(*args)) == pytest.approx(expected, rel=1e-14)


def test_relu_is_homogeneous_and_erf_is_not(x64: None) -> None:
    s = arrays(0.7, -0.5, 2.0)
    scaled = [9 * v for v in s]
    assert float(Relu().phi(*scaled)) == pytest.approx(9 * float(Relu().phi(*s)), rel=1e-14)
    assert float(Relu().derivative(*scaled)) == pytest.approx(
        float(Relu().derivative(*s)), rel=1e-14
    )
    assert float(Erf().phi(*scaled)) != pytest.approx(9 * float(Erf().phi(*s)), rel=0.1)


@dual
def test_gradients_are_finite_at_the_edges(dual: AbstractDual, x64: None) -> None:
    edges = [(1, 1, 1), (1, -1, 1), (0, 0, 0), (0, 0, 2), (2, 0, 0), (4, 2, 1), (3, -3, 3)]
    for f in (dual.phi, dual.derivative):
        for edge in edges:
            gradient = jax.grad(f, argnums=(0, 1, 2))(*arrays(*edge))
            assert np.isfinite(gradient).all(), (f, edge, gradient)


@dual
@pytest.mark.parametrize("s", COVARIANCES)
def test_gradients_are_those_of_finite_differences(
    dual: AbstractDual, s: tuple[float, float, float], x64: None
) -> None:
    for f in (dual.phi, dual.derivative):
        for i, slope in enumerate(jax.grad(f, argnums=(0, 1, 2))(*arrays(*s))):
            step = 1e-6 * np.eye(3)[i]
            difference = f(*arrays(*(s + step))) - f(*arrays(*(s - step)))
            assert float(slope) == pytest.approx(float(difference) / 2e-6, abs=1e-8)


def test_the_slope_of_relu_at_equal_inputs(x64: None) -> None:
    """phi(v, v, v) = v / 2, so its three slopes add up to 1/2; in s12 the slope is 1/2 too."""
    slopes = jax.grad(Relu().phi, argnums=(0, 1, 2))(*arrays(1.7, 1.7, 1.7))
    np.testing.assert_allclose(slopes, [0.0, 0.5, 0.0], atol=1e-15)


@pytest.mark.parametrize("v", [1e-25, 0.1, 1.75, 6.7, 10.0, 1e25])  # 1e25 squared overflows
def test_float32_on_the_diagonal(v: float) -> None:
    """No arccosine: 7e-5 would be lost. Compiled or not, equal inputs are exact."""
    args = [jnp.float32(v)] * 3
    for phi, derivative in (
        (Relu().phi, Relu().derivative),
        (jax.jit(Relu().phi), jax.jit(Relu().derivative)),
    ):
        assert float(phi(*args)) == pytest.approx(float(args[0]) / 2, rel=3e-7, abs=0)
        assert float(derivative(*args)) == 0.5


@pytest.mark.parametrize("v", [1e-25, 0.1, 1.75, 6.7, 10.0])
def test_float32_erf_on_the_diagonal(v: float) -> None:
    slope = 4 / np.pi / np.sqrt(1 + 4 * v)
    assert float(Erf().derivative(*[jnp.float32(v)] * 3)) == pytest.approx(slope, rel=1e-6)


@dual
def test_the_arguments_broadcast(dual: AbstractDual, x64: None) -> None:
    v, w = jnp.array([1.0, 2.0]), jnp.array([0.5, 1.0, 3.0])
    s12 = 0.4 * jnp.sqrt(v[:, None] * w[None, :])
    for f in (dual.phi, dual.derivative):
        table = f(v[:, None], s12, w[None, :])
        one_by_one = [[float(f(v[i], s12[i, j], w[j])) for j in range(3)] for i in range(2)]
        np.testing.assert_allclose(table, one_by_one, rtol=1e-14)
