"""Other losses: the exact flow for squares, scipy for the rest, and the limits of patience."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ntklib.dense import Dense
from ntklib.dynamics import GradientFlow
from ntklib.losses import _ERROR, _STAGES, loss_flow

KERNEL = Dense(2, sigma_b=0.5)
TIMES = jnp.array([0.0, 0.1, 1.0, 6.0])


def data() -> tuple[Any, Any, Any]:
    x, x_new = (jax.random.normal(jax.random.key(s), (n, 3)) for s, n in ((0, 6), (1, 4)))
    return x, x_new, jax.random.normal(jax.random.key(2), (6, 2))


def squares(f: Any, y: Any) -> Any:
    return jnp.sum((f - y) ** 2) / 2


def cross_entropy(f: Any, labels: Any) -> Any:
    return -jnp.sum(jnp.take_along_axis(jax.nn.log_softmax(f), labels[:, None], 1))


def test_tableau() -> None:
    """The conditions on nodes, on the weights of order 5, and on the embedded order 4."""
    nodes = np.array([0.0, *(sum(row) for row in _STAGES)])
    np.testing.assert_allclose(nodes, [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1], atol=1e-14)
    for power in range(5):
        weighted = np.dot(_STAGES[-1], nodes[:6] ** power)
        np.testing.assert_allclose(weighted, 1 / (power + 1), atol=1e-14)
    for power in range(4):
        np.testing.assert_allclose(np.dot(_ERROR, nodes**power), 0, atol=1e-14)


@pytest.mark.usefixtures("x64", "shapes")
def test_squares_are_gradient_flow() -> None:
    x, x_new, f0 = data()
    y, g0, K, cross = jnp.sin(f0), f0[:4] + 1, KERNEL(x).ntk, KERNEL(x_new, x).ntk
    found = loss_flow(squares, K, y, jnp.asarray(TIMES, float), f0=f0)
    exact = GradientFlow(K, y, f0)
    for i, t in enumerate(TIMES):
        np.testing.assert_allclose(found.at(K, f0)[i], exact.train(t), atol=1e-7)
        np.testing.assert_allclose(found.at(cross, g0)[i], exact.test(t, cross, g0), atol=1e-7)
    np.testing.assert_array_equal(found.at(K)[0], 0)


@pytest.mark.usefixtures("x64", "shapes")
def test_cross_entropy_is_scipy() -> None:
    x, x_new, f0 = data()
    labels, K, cross = jnp.array([0, 1, 1, 0, 1, 0]), KERNEL(x).ntk, KERNEL(x_new, x).ntk
    onehot, K64, cross64 = np.eye(2)[np.asarray(labels)], np.asarray(K), np.asarray(cross)

    def velocity(_: float, state: Any) -> Any:
        f = state[:12].reshape(6, 2)
        p = np.exp(f - f.max(1, keepdims=True))
        slope = p / p.sum(1, keepdims=True) - onehot
        return -np.concatenate([(K64 @ slope).ravel(), (cross64 @ slope).ravel()])

    start = np.concatenate([np.asarray(f0).ravel(), np.zeros(8)])
    oracle = solve_ivp(velocity, (0, 6), start, "DOP853", np.asarray(TIMES), rtol=1e-11, atol=1e-12)
    found = loss_flow(cross_entropy, K, labels, jnp.asarray(TIMES, float), f0=f0)
    np.testing.assert_allclose(found.at(K, f0).reshape(4, 12), oracle.y[:12].T, atol=1e-6)
    np.testing.assert_allclose(found.at(cross).reshape(4, 8), oracle.y[12:].T, atol=1e-6)


@pytest.mark.usefixtures("x64")
def test_is_the_limit_of_gradient_descent() -> None:
    """Simulation: 3000 small steps; the gap is the first order in the step, about 1e-3."""
    x, _, f0 = data()
    labels, K, step = jnp.array([0, 1, 1, 0, 1, 0]), KERNEL(x).ntk, 1e-3

    def gap(step: float) -> float:
        move = jax.jit(lambda f: f - step * K @ jax.grad(cross_entropy)(f, labels))
        f = jax.lax.fori_loop(0, round(3 / step), lambda _, f: move(f), f0)
        flow = loss_flow(cross_entropy, K, labels, jnp.array([3.0]), f0=f0)
        return float(jnp.abs(flow.at(K, f0)[0] - f).max())

    assert gap(step) < 5e-3
    assert 1.8 < gap(step) / gap(step / 2) < 2.2


def test_float32_jit_and_vmap_over_an_ensemble() -> None:
    x, _, f0 = data()
    K = KERNEL(x).ntk
    flow = jax.jit(lambda f0: loss_flow(squares, K, jnp.ones((6, 2)), TIMES, f0=f0).at(K, f0))
    assert flow(f0).dtype == jnp.float32
    exact = GradientFlow(K, jnp.ones((6, 2)), f0)
    np.testing.assert_allclose(flow(f0)[3], exact.train(6.0), atol=2e-4)
    both = jax.vmap(flow)(jnp.stack([f0, 2 * f0]))
    np.testing.assert_allclose(both[1], flow(2 * f0), atol=2e-4)


def test_errors() -> None:
    x, _, f0 = data()
    K = KERNEL(x).ntk
    with pytest.raises(ValueError, match="`times` must increase"):
        loss_flow(squares, K, f0, TIMES[::-1], f0=f0)
    with pytest.raises(ValueError, match=r"`times` must have shape \(t,\), got \(\)"):
        loss_flow(squares, K, f0, jnp.array(1.0), f0=f0)
    with pytest.raises(ValueError, match=r"`f0` must have shape \(6, outputs\), got \(6,\)"):
        loss_flow(squares, K, f0, TIMES, f0=f0[:, 0])
    with pytest.raises(ValueError, match=r"`loss\(f, y\)` must be one number, got shape \(6, 2\)"):
        loss_flow(lambda f, y: (f - y) ** 2, K, f0, TIMES, f0=f0)
    with pytest.raises(ValueError, match=r"`ntk` must have shape \(any, 6\)"):
        loss_flow(squares, K, f0, TIMES, f0=f0).at(K[:, :3])
    with pytest.raises(RuntimeError, match="needs more than 100000 steps"):
        loss_flow(squares, K, 0 * f0, jnp.array([1e9]), f0=f0)
    with pytest.raises(RuntimeError, match="the loss has no finite slope"):
        loss_flow(lambda f, y: jnp.sum(jnp.sqrt(f - 100)), K, f0, TIMES, f0=f0)
