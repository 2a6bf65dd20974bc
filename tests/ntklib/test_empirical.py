"""Empirical kernels against the whole Jacobian, and the linearisation against its definition."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from ntklib import Dense, Erf, empirical_ntk, linearize


class Pair(NamedTuple):
    a: Any
    b: Any


def mlp(params: dict[str, Any], x: jax.Array) -> jax.Array:
    return jnp.tanh(x @ params["in"]["W"] + params["in"]["b"]) @ params["out"]


def quadratic(params: Pair, x: jax.Array) -> jax.Array:
    return (x @ params.a) ** 2 * params.b[0] + params.b[1]


def single(params: jax.Array, x: jax.Array) -> jax.Array:
    """Inputs with two axes each, one array of parameters."""
    return jnp.sin(jnp.einsum("nij,ijo->no", x, params))


def draw(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def problems() -> list[tuple[Any, Any, Any, Any]]:
    layers = {"in": {"W": draw(3, 7), "b": draw(7)}, "out": draw(7, 2)}
    return [
        (mlp, layers, draw(5, 3), draw(4, 3, seed=1)),
        (quadratic, Pair(draw(3, 2), (draw(), draw(2))), draw(5, 3), draw(4, 3, seed=1)),
        (single, draw(2, 3, 2), draw(5, 2, 3), draw(4, 2, 3, seed=1)),
    ]


def jacobian(f: Any, params: Any, x: jax.Array) -> np.ndarray:
    """(n, o, P): every derivative by every parameter, by one call of jax.jacobian."""
    flat, unravel = ravel_pytree(params)
    return np.asarray(jax.jacobian(lambda p: f(unravel(p), x))(flat))


@pytest.mark.parametrize("index", range(3), ids=["mlp", "quadratic", "single"])
def test_against_the_whole_jacobian(index: int, shapes: None, x64: None) -> None:
    f, params, x1, x2 = problems()[index]
    J1, J2 = jacobian(f, params, x1), jacobian(f, params, x2)
    full = empirical_ntk(f, params, x1, x2, outputs="full")
    expected = np.einsum("iap,jbp->ijab", J1, J2)
    np.testing.assert_allclose(full, expected, rtol=1e-12, atol=1e-13)
    trace = empirical_ntk(f, params, x1, x2)
    mean = np.einsum("ijaa->ij", expected) / 2
    np.testing.assert_allclose(trace, mean, rtol=1e-12, atol=1e-13)
    own = empirical_ntk(f, params, x1)
    np.testing.assert_allclose(own, np.einsum("iap,jap->ij", J1, J1) / 2, rtol=1e-12, atol=1e-13)


def test_by_hand() -> None:
    """f(w, x) = w1 x + w2 x^2: the kernel is x x' + x^2 x'^2."""
    x = jnp.array([[1.0], [2.0]])
    K = empirical_ntk(lambda w, x: w[0] * x + w[1] * x**2, jnp.array([5.0, 7.0]), x)
    np.testing.assert_array_equal(K, [[2.0, 6.0], [6.0, 20.0]])


def test_jit_changes_nothing(shapes: None, x64: None) -> None:
    f, params, x1, x2 = problems()[0]
    jitted = jax.jit(lambda p, a, b: empirical_ntk(f, p, a, b))(params, x1, x2)
    np.testing.assert_allclose(jitted, empirical_ntk(f, params, x1, x2), rtol=1e-12)


@pytest.mark.parametrize("index", range(3), ids=["mlp", "quadratic", "single"])
def test_the_linearisation_is_the_tangent(index: int, shapes: None, x64: None) -> None:
    f, params, x, _ = problems()[index]
    f_lin = linearize(f, params)
    np.testing.assert_array_equal(f_lin(params, x), f(params, x))
    moved = jax.tree.map(lambda p: p + 0.3 * jnp.cos(p), params)
    step = ravel_pytree(moved)[0] - ravel_pytree(params)[0]
    expected = f(params, x) + jacobian(f, params, x) @ step
    np.testing.assert_allclose(f_lin(moved, x), expected, rtol=1e-12, atol=1e-13)
    assert float(abs(f(moved, x) - expected).max()) > 1e-2  # f itself is not linear


def test_a_linear_model_is_its_own_linearisation(x64: None) -> None:
    network = Dense(1, sigma_b=0.5).network(1, n_outputs=2)
    x = draw(5, 3)
    start, moved = (network.init(jax.random.key(seed), 3) for seed in (0, 1))
    f_lin = linearize(network.apply, start)
    np.testing.assert_allclose(f_lin(moved, x), network.apply(moved, x), rtol=1e-13, atol=1e-14)


def test_the_kernel_of_the_linearisation_is_constant(x64: None) -> None:
    network = Dense(3, dual=Erf()).network(8)
    x = draw(4, 3)
    start, moved = (network.init(jax.random.key(seed), 3) for seed in (0, 1))
    K = empirical_ntk(network.apply, start, x)
    np.testing.assert_allclose(
        empirical_ntk(linearize(network.apply, start), moved, x), K, rtol=1e-12, atol=1e-13
    )
    assert float(abs(empirical_ntk(network.apply, moved, x) - K).max()) > 0.1


def test_errors() -> None:
    f, x = lambda w, x: x @ w, jnp.ones((2, 3))
    W = jnp.ones((3, 1))
    with pytest.raises(ValueError, match=r'"trace" or "diagonal", got .mean.'):
        empirical_ntk(f, W, x, outputs="mean")  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match=r"must have shape \(2, outputs\), got \(2,\).*\[:, None\]"
    ):
        empirical_ntk(f, jnp.ones(3), x)
    with pytest.raises(ValueError, match=r"must have shape \(2, outputs\), got \(1, 1\)"):
        empirical_ntk(lambda w, x: (x @ w).sum(keepdims=True), W, x)
    with pytest.raises(ValueError, match="`x` must be floating point, got int"):
        empirical_ntk(f, W, jnp.ones((2, 3), int))
    with pytest.raises(ValueError, match="`x` must be finite, got NaN or infinity"):
        empirical_ntk(f, W, x, jnp.full((1, 3), jnp.nan))
    with pytest.raises(ValueError, match="`x` must have one row an input, got a scalar"):
        empirical_ntk(f, W, jnp.array(1.0))
