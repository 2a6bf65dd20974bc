"""The dense kernels against numbers by hand, a plain loop, and a finite network."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from ntklib import Dense, DenseMixing, Erf, Relu


def points(n: int, d: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d))


def loop_entry(
    x: np.ndarray, y: np.ndarray, depth: int, name: str, sw: float, sb: float
) -> tuple[float, float]:
    """NNGP and NTK of one pair, by the formulas with arccosine and arcsine, in NumPy."""
    d = len(x)
    s11, s12, s22 = (sw**2 * (a @ b) / d + sb**2 for a, b in ((x, x), (x, y), (y, y)))
    theta = s12
    for _ in range(depth - 1):
        phi, slope = _dual(name, s11, s12, s22)
        s12, theta = sw**2 * phi + sb**2, sw**2 * slope * theta
        theta += s12
        s11, s22 = (sw**2 * _dual(name, s, s, s)[0] + sb**2 for s in (s11, s22))
    return s12, theta


def _dual(name: str, s11: float, s12: float, s22: float) -> tuple[float, float]:
    if name == "relu":
        rho = np.clip(s12 / np.sqrt(s11 * s22), -1, 1)
        angle = np.arccos(rho)
        phi = np.sqrt(s11 * s22) * (np.sin(angle) + (np.pi - angle) * rho) / (2 * np.pi)
        return phi, (np.pi - angle) / (2 * np.pi)
    volume = (1 + 2 * s11) * (1 + 2 * s22)
    phi = 2 / np.pi * np.arcsin(2 * s12 / np.sqrt(volume))
    return phi, 4 / np.pi / np.sqrt(volume - 4 * s12**2)


def test_numpy_inputs_do_as_well() -> None:
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    near = x + np.float32(1e-3)
    for a, b in zip(Dense(3)(x, near), Dense(3)(jnp.asarray(x), jnp.asarray(near)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_numbers_by_hand(shapes: None, x64: None) -> None:
    """One hidden layer, ReLU, He initialisation, two features: unit axes."""
    x = jnp.array([[1.0, 0.0]])
    others = jnp.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
    K = Dense(2)(x, others)
    np.testing.assert_allclose(K.ntk[0], [2.0, 0.0, 1 / np.pi, 4.0], rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(K.nngp[0], [1.0, 0.0, 1 / np.pi, 2.0], rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
@pytest.mark.parametrize(("name", "sw", "sb"), [("relu", 2**0.5, 0.0), ("relu", 1.2, 0.4),
                                                ("erf", 1.5, 0.0), ("erf", 1.5, 0.3)])  # fmt: skip
def test_against_a_plain_loop(
    depth: int, name: str, sw: float, sb: float, shapes: None, x64: None
) -> None:
    x, y = points(4), points(3, seed=1)
    kernel = Dense(depth, dual={"relu": Relu(), "erf": Erf()}[name], sigma_w=sw, sigma_b=sb)
    expected = [[loop_entry(a, b, depth, name, sw, sb) for b in y] for a in x]
    K = jnp.stack(kernel(jnp.asarray(x), jnp.asarray(y)), axis=-1)
    np.testing.assert_allclose(K, expected, rtol=1e-14, atol=1e-14)


def test_depth_1_is_the_linear_model(x64: None) -> None:
    x = jnp.asarray(points(4))
    K = Dense(1, sigma_w=1.5, sigma_b=0.5)(x)
    np.testing.assert_allclose(K.ntk, 1.5**2 * x @ x.T / 3 + 0.5**2, rtol=1e-14)
    np.testing.assert_array_equal(K.ntk, K.nngp)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_without_bias_relu_is_homogeneous_in_each_input(depth: int, x64: None) -> None:
    x = jnp.asarray(points(4))
    kernel = Dense(depth)
    np.testing.assert_allclose(kernel(3 * x, 5 * x).ntk, 15 * kernel(x, x).ntk, rtol=1e-6)
    biased = Dense(depth, sigma_b=0.5)
    ratio = biased(3 * x).ntk / biased(x).ntk
    assert float(abs(ratio - 9).min()) > 0.1


def test_depth_on_the_diagonal(x64: None) -> None:
    """ReLU at He initialisation: the variance stays and the NTK is `depth` times it."""
    x = jnp.asarray(points(3))
    variance = 2 * (x**2).sum(axis=1) / 3
    K = Dense(7)(x)
    np.testing.assert_allclose(jnp.diagonal(K.nngp), variance, rtol=1e-14)
    np.testing.assert_allclose(jnp.diagonal(K.ntk), 7 * variance, rtol=1e-14)


def test_equal_and_zero_inputs(x64: None) -> None:
    x = jnp.asarray(np.vstack([points(2), points(2), np.zeros((1, 3))]))
    K = Dense(4)(x)
    np.testing.assert_allclose(K.ntk[0], K.ntk[2], rtol=0, atol=1e-7)
    np.testing.assert_array_equal(K.ntk[4], 0)
    np.testing.assert_allclose(Dense(4, sigma_b=1.0)(x).nngp[4, 4], 4.0, rtol=1e-14)


def test_standard_deviations_may_be_traced(x64: None) -> None:
    x = jnp.asarray(points(3))
    K = jax.jit(lambda s: Dense(3, sigma_w=s, sigma_b=s)(x).ntk)(1.5)
    np.testing.assert_allclose(K, Dense(3, sigma_w=1.5, sigma_b=1.5)(x).ntk, rtol=1e-14)
    slope = jax.grad(lambda s: Dense(2, sigma_w=s)(x).ntk.sum())(1.5)
    total = Dense(2, sigma_w=1.5)(x).ntk.sum()
    np.testing.assert_allclose(slope, 4 * total / 1.5, rtol=1e-12)  # homogeneous of order 4


def test_numbers_do_not_widen_float32() -> None:
    x = jnp.asarray(points(2), jnp.float32)
    for sigma in (1, 1.0, np.float64(1.0), np.int64(1)):
        with jax.enable_x64(True):
            assert Dense(3, sigma_w=sigma, sigma_b=sigma)(x).ntk.dtype == jnp.float32


def test_the_mixing_scales(shapes: None) -> None:
    mix = DenseMixing(3.0, 0.5)
    np.testing.assert_array_equal(mix.mix(jnp.ones((2, 2))), 9.0)
    assert mix.bias() == 0.25


def test_the_network_is_the_formula(shapes: None, x64: None) -> None:
    x = points(5)
    network = Dense(3, dual=Erf(), sigma_w=1.5, sigma_b=0.3).network(7, n_outputs=2)
    params = network.init(jax.random.key(0), 3)
    assert [p["W"].shape for p in params] == [(3, 7), (7, 7), (7, 2)]
    assert [p["b"].shape for p in params] == [(7,), (7,), (2,)]
    h = x
    for fan_in, p, last in zip((3, 7, 7), params, (False, False, True), strict=True):
        z = 1.5 / fan_in**0.5 * h @ np.asarray(p["W"]) + 0.3 * np.asarray(p["b"])
        h = z if last else erf(z)
    np.testing.assert_allclose(network.apply(params, jnp.asarray(x)), h, rtol=1e-13)


@pytest.mark.parametrize("dual", [Relu(), Erf()])
def test_outputs_of_a_wide_network_have_the_nngp_covariance(dual: Any, shapes: None) -> None:
    x = jnp.asarray(points(4), jnp.float32)
    kernel = Dense(3, dual=dual, sigma_w=1.5, sigma_b=0.3)
    network = kernel.network(512, n_outputs=512)

    @jax.jit
    def covariance(key: Any) -> jax.Array:
        f = network.apply(network.init(key, 3), x)
        return f @ f.T / 512

    draws = np.stack([covariance(key) for key in jax.random.split(jax.random.key(0), 16)])
    error = np.linalg.norm(draws.mean(axis=0) - kernel(x).nngp)
    assert error < 4 * (draws.var(axis=0, ddof=1).sum() / 16) ** 0.5
    assert error < 0.05 * np.linalg.norm(kernel(x).nngp)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 0}, r"`depth` must be at least 1, got 0. A linear model is `depth=1`\."),
        ({"depth": 2.0}, r"`depth` must be an integer, got 2\.0"),
        ({"depth": True}, "`depth` must be an integer, got True"),
        ({"depth": 2, "sigma_w": -1.0}, r"`sigma_w` must be finite and not negative, got -1\.0"),
        ({"depth": 2, "sigma_b": -1.0}, "`sigma_b` must be .* not a variance"),
        ({"depth": 2, "sigma_b": np.nan}, "`sigma_b` must be finite and not negative, got nan"),
        ({"depth": 2, "sigma_w": np.ones(2)}, r"`sigma_w` must be one number, got shape \(2,\)"),
        ({"depth": 0, "sigma_w": -1.0}, "(?s)`depth` must be .*`sigma_w` must be"),
    ],
)
def test_errors_of_the_kernel(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Dense(**options)


@pytest.mark.parametrize(
    ("x1", "x2", "message"),
    [
        (jnp.ones(3), None, r"`x1` must have shape \(inputs, features\), got \(3,\)\. One input"),
        (jnp.ones((2, 2, 2)), None, r"`x1` must have .* flatten images first"),
        (jnp.ones((2, 0)), None, r"`x1` must have shape \(inputs, features\), got \(2, 0\)"),
        (jnp.ones((2, 2), int), None, r"`x1` must be floating point, got int.*astype\(float\)"),
        (jnp.array([[jnp.nan]]), None, "`x1` must be finite, got NaN or infinity"),
        (jnp.ones((2, 2)), jnp.array([[0, jnp.inf]]), "`x2` must be finite"),
        (jnp.ones((2, 2)), jnp.ones(2), "`x2` must have shape"),
        (jnp.ones((2, 2)), jnp.ones((2, 3)), "must have the same features, got 2 and 3"),
        (jnp.ones(3), jnp.ones((2, 2), int), "(?s)`x1` must have shape.*`x2` must be floating"),
    ],
)
def test_errors_of_the_inputs(x1: Any, x2: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Dense(2)(x1, x2)


def test_errors_of_the_network() -> None:
    with pytest.raises(ValueError, match=r"`width` must be at least 1, got 0\. It counts"):
        Dense(2).network(0)
    with pytest.raises(ValueError, match=r"`n_outputs` must be at least 1, got 0\. A scalar"):
        Dense(2).network(2, n_outputs=0)
    with pytest.raises(ValueError, match=r"`n_features` must be at least 1, got 0\. It is the"):
        Dense(2).network(2).init(jax.random.key(0), 0)


STANDARD: dict[str, Any] = {"parameterisation": "standard", "base_width": 5}


def test_standard_parameterisation_by_hand(shapes: None, x64: None) -> None:
    """One hidden layer, ReLU, He, two features, unit axes: phi is 1/2 or 1/(2 pi)."""
    x = jnp.eye(2)
    K = Dense(2, **STANDARD)(x)
    first = np.array([[2.0, 1.0], [1.0, 2.0]])  # x . x' + 1
    phi = np.array([[1 / 2, 1 / (2 * np.pi)], [1 / (2 * np.pi), 1 / 2]])
    slope = np.array([[1 / 2, 1 / 4], [1 / 4, 1 / 2]])
    np.testing.assert_allclose(K.ntk, 5 * phi + 1 + 2 * slope * first, rtol=1e-14)
    np.testing.assert_allclose(K.nngp, Dense(2)(x).nngp, rtol=1e-14)


@pytest.mark.parametrize("sb", [0.0, 0.4])
def test_standard_parameterisation_weighs_the_layers(sb: float, x64: None) -> None:
    """The NTK is linear in N, and the NNGP kernel has no N."""
    x = jnp.asarray(points(4))
    common: dict[str, Any] = {"dual": Erf(), "sigma_w": 1.5}
    one, two = (
        Dense(3, sigma_b=sb, parameterisation="standard", base_width=N, **common)(x) for N in (1, 2)
    )
    ten = Dense(3, sigma_b=sb, parameterisation="standard", base_width=10, **common)(x)
    np.testing.assert_allclose(ten.ntk - one.ntk, 9 * (two.ntk - one.ntk), rtol=1e-12)
    np.testing.assert_allclose(ten.nngp, Dense(3, sigma_b=sb, **common)(x).nngp, rtol=1e-14)


def test_at_its_base_width_the_standard_network_is_the_usual_one(shapes: None, x64: None) -> None:
    x = points(5)
    network = Dense(3, dual=Erf(), sigma_w=1.5, sigma_b=0.3, **STANDARD).network(5)
    params = network.init(jax.random.key(0), 3)
    h = x
    for p, last in zip(params, (False, False, True), strict=True):
        z = h @ np.asarray(p["W"]) + np.asarray(p["b"])
        h = z if last else erf(z)
    np.testing.assert_allclose(network.apply(params, jnp.asarray(x)), h, rtol=1e-13)
    wide = Dense(3, sigma_w=1.5, sigma_b=0.3, **STANDARD).network(400).init(jax.random.key(0), 3)
    spreads = [float(p["W"].std()) for p in wide]
    np.testing.assert_allclose(spreads, [1.5 / 3**0.5, 1.5 / 5**0.5, 1.5 / 5**0.5], rtol=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parameterisation": "mup"}, "`parameterisation` must be 'ntk' or 'standard', got 'mup'"),
        ({"parameterisation": "standard"}, "`base_width` must be given in the standard"),
        ({"base_width": 3}, "`base_width` must be left out of the NTK parameterisation, got 3"),
        ({"parameterisation": "standard", "base_width": 0}, "`base_width` must be at least 1"),
    ],
)
def test_errors_of_the_parameterisation(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Dense(2, **options)
