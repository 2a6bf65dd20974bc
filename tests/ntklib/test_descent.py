"""Gradient descent in closed form, against the loop it stands for."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib.dense import Dense
from ntklib.descent import GradientDescent
from ntklib.dynamics import GradientFlow


def problem() -> tuple[Any, Any, Any, Any, Any]:
    x, x_new = (jax.random.normal(jax.random.key(s), (n, 3)) for s, n in ((0, 6), (1, 4)))
    y, f0, g0 = (jax.random.normal(jax.random.key(s), (n, 2)) for s, n in ((2, 6), (3, 6), (4, 4)))
    both = Dense(2, sigma_b=0.5)
    return both(x).ntk, both(x_new, x).ntk, y, f0, g0


def loop(K: Any, cross: Any, y: Any, f: Any, g: Any, step: float, steps: int) -> tuple[Any, Any]:
    K, cross, y, f, g = (np.asarray(a) for a in (K, cross, y, f, g))
    for _ in range(steps):
        f, g = f - step * K @ (f - y), g - step * cross @ (f - y)
    return f, g


def test_by_hand() -> None:
    """K = 2, y = 1, step 3/4: the residual is multiplied by 1 - 3/2 = -1/2 each time."""
    train = GradientDescent(jnp.array([[2.0]]), jnp.array([[1.0]]), step=0.75)
    values = [float(train.train(k)[0, 0]) for k in range(4)]
    np.testing.assert_allclose(values, [0, 1.5, 0.75, 1.125], rtol=1e-6)
    np.testing.assert_allclose(train.test(1, jnp.array([[4.0]])), [[3.0]], rtol=1e-6)


@pytest.mark.parametrize("share", [0.1, 0.9, 1.0, 1.9])
@pytest.mark.parametrize("steps", [0, 1, 6, 7])
@pytest.mark.usefixtures("x64", "shapes")
def test_is_the_loop(share: float, steps: int) -> None:
    """Below, at and beyond the step where the fastest direction starts to oscillate."""
    K, cross, y, f0, g0 = problem()
    step = share / float(jnp.linalg.eigvalsh(K)[-1])
    train = GradientDescent(K, y, f0, step=step)
    f, g = loop(K, cross, y, f0, g0, step, steps)
    np.testing.assert_allclose(train.train(steps), f, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(train.test(steps, cross, g0), g, rtol=1e-10, atol=1e-10)


@pytest.mark.usefixtures("x64")
def test_limits() -> None:
    """Small steps are gradient flow, at first order in the step; the end is the same for both."""
    K, cross, y, f0, g0 = problem()
    flow = GradientFlow(K, y, f0)

    def gap(step: float) -> float:
        train = GradientDescent(K, y, f0, step=step)
        return float(jnp.abs(train.test(round(2 / step), cross) - flow.test(2.0, cross)).max())

    assert 1.9 < gap(2e-3) / gap(1e-3) < 2.1
    train = GradientDescent(K, y, f0, step=0.1)
    np.testing.assert_allclose(train.train(jnp.inf), y, rtol=1e-9)
    np.testing.assert_allclose(
        train.test(jnp.inf, cross, g0), flow.test(jnp.inf, cross, g0), rtol=1e-9
    )


def test_singular_directions_never_move() -> None:
    K = jnp.ones((2, 2))
    train = GradientDescent(K, jnp.array([[1.0], [-1.0]]), step=0.5)
    for steps in (10, 1e6, jnp.inf):
        np.testing.assert_allclose(train.train(steps), 0, atol=1e-6)
        np.testing.assert_allclose(train.test(steps, jnp.ones((1, 2))), 0, atol=1e-6)


def test_float32_jit_and_gradients() -> None:
    K, cross, y, f0, _ = problem()
    predict = jax.jit(lambda s, k: GradientDescent(K, y, f0, step=s).test(k, cross))
    assert predict(0.1, 5).dtype == jnp.float32
    _, g = loop(K, cross, y, f0, jnp.zeros((4, 2)), 0.1, 5)
    np.testing.assert_allclose(predict(0.1, 5), g, atol=1e-5)
    step = 1 / jnp.linalg.eigvalsh(K)[-1]  # where the formula changes branch
    assert jnp.all(jnp.isfinite(jax.jacobian(predict)(step, 5.0)))


def test_errors() -> None:
    K, y = 2 * jnp.eye(2), jnp.ones((2, 1))
    with pytest.raises(ValueError, match=r"below 2 / largest eigenvalue = 1, got 1\.0.*diverges"):
        GradientDescent(K, y, step=1.0)
    with pytest.raises(ValueError, match="`step` must be above 0"):
        GradientDescent(K, y, step=0.0)
    with pytest.raises(ValueError, match="`step` must be finite and not negative"):
        GradientDescent(K, y, step=-0.1)
    with pytest.raises(ValueError, match="One output is `y"):
        GradientDescent(K, y[:, 0], step=0.1)
