"""Gradient flow against small steps, at the start and at the end."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib import Dense, Erf, GradientFlow, empirical_ntk, linearize

RNG = np.random.default_rng(0)
X, X_TEST = RNG.normal(size=(6, 3)), RNG.normal(size=(4, 3))
Y, F0, F0_TEST = RNG.normal(size=(6, 2)), RNG.normal(size=(6, 2)), RNG.normal(size=(4, 2))


def blocks() -> tuple[jax.Array, jax.Array]:
    """The kernel on the training inputs, and from the test inputs to them."""
    x, x_test = jnp.asarray(X), jnp.asarray(X_TEST)
    kernel = Dense(3)
    return kernel(x).ntk, kernel(x_test, x).ntk


def test_against_small_euler_steps(shapes: None, x64: None) -> None:
    """Two step sizes, extrapolated: the error left is of second order in the step."""
    ntk, ntk_test = blocks()
    t = 0.3

    def euler(steps: int) -> tuple[np.ndarray, np.ndarray]:
        K, K_test, f, f_test = np.asarray(ntk), np.asarray(ntk_test), F0, F0_TEST
        for _ in range(steps):
            f, f_test = f - t / steps * K @ (f - Y), f_test - t / steps * K_test @ (f - Y)
        return f, f_test

    flow = GradientFlow(ntk, jnp.asarray(Y), jnp.asarray(F0))
    coarse, fine = euler(4000), euler(8000)
    train, test = (2 * b - a for a, b in zip(coarse, fine, strict=True))
    np.testing.assert_allclose(flow.train(t), train, atol=1e-6)
    np.testing.assert_allclose(flow.test(t, ntk_test, jnp.asarray(F0_TEST)), test, atol=1e-6)
    assert float(abs(flow.train(t) - F0).max()) > 0.1
    assert float(abs(flow.train(t) - Y).max()) > 0.1


def test_the_start(shapes: None, x64: None) -> None:
    ntk, ntk_test = blocks()
    flow = GradientFlow(ntk, jnp.asarray(Y), jnp.asarray(F0))
    np.testing.assert_allclose(flow.train(0.0), F0, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(flow.test(0.0, ntk_test, jnp.asarray(F0_TEST)), F0_TEST)
    from_zero = GradientFlow(ntk, jnp.asarray(Y))
    np.testing.assert_allclose(from_zero.train(0.0), 0, atol=1e-14)
    np.testing.assert_array_equal(from_zero.test(0.0, ntk_test), 0)


def test_the_end(shapes: None, x64: None) -> None:
    """Targets are met, and elsewhere the outputs are those of kernel regression."""
    ntk, ntk_test = blocks()
    flow = GradientFlow(ntk, jnp.asarray(Y), jnp.asarray(F0))
    np.testing.assert_allclose(flow.train(jnp.inf), Y, rtol=0, atol=1e-14)
    expected = F0_TEST - np.asarray(ntk_test) @ np.linalg.solve(np.asarray(ntk), F0 - Y)
    np.testing.assert_allclose(
        flow.test(jnp.inf, ntk_test, jnp.asarray(F0_TEST)), expected, rtol=1e-10
    )


def test_on_the_training_inputs_both_agree(x64: None) -> None:
    ntk, _ = blocks()
    flow = GradientFlow(ntk, jnp.asarray(Y), jnp.asarray(F0))
    for t in (0.0, 0.1, 10.0, jnp.inf):
        np.testing.assert_allclose(flow.test(t, ntk, jnp.asarray(F0)), flow.train(t), atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_singular_kernel_learns_the_mean_of_contradicting_targets(
    dtype: str, shapes: None, x64: None
) -> None:
    """The same input twice with targets 0 and 1: their difference is never learned."""
    x = jnp.asarray(X, dtype)
    rows = jnp.concatenate([x, x[:1]])
    y = jnp.asarray([[0.0], *[[0.5]] * 5, [1.0]], dtype)
    flow = GradientFlow(Dense(3)(rows).ntk, y)
    tolerance = 1e-3 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(flow.train(jnp.inf)[:, 0], 0.5, atol=tolerance)
    at_it = flow.test(jnp.inf, Dense(3)(x[:1], rows).ntk)
    np.testing.assert_allclose(at_it, 0.5, atol=10 * tolerance)


def test_it_is_the_training_of_a_linearised_network(x64: None) -> None:
    """Gradient descent in parameters, with steps of 1/1000 of the fastest time."""
    network = Dense(2, dual=Erf(), sigma_w=1.5).network(16, n_outputs=1)
    start = network.init(jax.random.key(0), 3)
    x, y = jnp.asarray(X), jnp.asarray(Y[:, :1])
    f = linearize(network.apply, start)
    ntk = empirical_ntk(network.apply, start, x)
    step = 1e-3 / float(np.linalg.eigvalsh(ntk)[-1])

    @jax.jit
    def train(params: Any) -> Any:
        slope = jax.grad(lambda p: ((f(p, x) - y) ** 2).sum() / 2)

        def descend(_: int, p: Any) -> Any:
            return jax.tree.map(lambda a, g: a - step * g, p, slope(p))

        return jax.lax.fori_loop(0, 1000, descend, params)

    flow = GradientFlow(ntk, y, network.apply(start, x))
    np.testing.assert_allclose(f(train(start), x), flow.train(1000 * step), atol=2e-3)
    assert float(abs(flow.train(1000 * step) - network.apply(start, x)).max()) > 0.1


@pytest.mark.parametrize(
    ("ntk", "y", "f0", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 1)), None, r"`ntk` must be square, got \(2, 3\)\. Pass"),
        (np.ones(2), np.ones((2, 1)), None, r"`ntk` must be square, got \(2,\)"),
        (np.eye(2), np.ones(2), None, r"`y` must .* \(2, outputs\), got \(2,\).*`y\[:, None\]`"),
        (np.eye(2), np.ones((3, 1)), None, r"`y` must have shape \(2, outputs\), got \(3, 1\)"),
        (np.eye(2), np.ones((2, 1)), np.ones((2, 2)), r"`f0` must .* \(2, 1\), got \(2, 2\)"),
        (np.eye(2) * np.nan, np.ones((2, 1)), None, "`ntk` must be finite"),
        (np.eye(2), np.full((2, 1), np.inf), None, "(?s)`y` must be finite"),
        (np.eye(2), np.ones((2, 1), int), None, "`y` must be floating point, got int"),
        (np.eye(2), np.ones((2, 1)), np.full((2, 1), np.nan), "`f0` must be finite"),
        (np.ones((2, 3)), np.ones(2), None, "(?s)`ntk` must be square.*`y` must have shape"),
    ],
)
def test_errors(ntk: Any, y: Any, f0: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GradientFlow(jnp.asarray(ntk), jnp.asarray(y), None if f0 is None else jnp.asarray(f0))
