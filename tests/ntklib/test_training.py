"""Training loops: by hand on a parabola, against the closed form, and what they refuse."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ntklib


class Descent:
    """Plain gradient descent, without optax."""

    def init(self, params: Any) -> None:
        return None

    def update(self, gradient: Any, state: None, params: Any = None) -> tuple[Any, None]:
        return jax.tree.map(lambda g: -0.25 * g, gradient), state


def test_by_hand_on_a_parabola() -> None:
    # L = w^2: each step of 1/4 halves w.
    trained = ntklib.minimise(lambda p: p["w"] ** 2, {"w": jnp.array(2.0)}, Descent(), steps=3)
    np.testing.assert_allclose(trained.history, [4, 1, 0.25, 0.0625])
    assert float(trained.params["w"]) == 0.25


def test_a_linear_model_follows_gradient_descent() -> None:
    rng = np.random.default_rng(0)
    x, y = jnp.asarray(rng.normal(size=(5, 8))), jnp.asarray(rng.normal(size=(5, 1)))
    loss = lambda w: jnp.sum((x @ w - y) ** 2) / 2  # noqa: E731
    outputs = lambda w: x @ w  # noqa: E731
    start, sgd = jnp.zeros((8, 1)), optax.sgd(0.03)
    trained = ntklib.minimise(loss, start, sgd, steps=20, observe=outputs)
    f = jax.vmap(ntklib.GradientDescent(x @ x.T, y, step=0.03).train)(jnp.arange(21))
    np.testing.assert_allclose(trained.history, f, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(trained.history[-1], x @ trained.params)


def test_an_optimiser_with_a_state_lowers_the_loss() -> None:
    loss = lambda w: jnp.sum((w - 1) ** 2)  # noqa: E731
    run = jax.jit(lambda w: ntklib.minimise(loss, w, optax.adam(0.1), steps=50).history)
    losses = run(jnp.zeros(3))
    assert losses.shape == (51,) and losses[0] == 3 and losses[-1] < 0.1


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"`steps` must be at least 1, got 0. No step"):
        ntklib.minimise(lambda w: w**2, jnp.array(1.0), optax.sgd(0.1), steps=0)
    with pytest.raises(ValueError, match="floating"):
        ntklib.minimise(lambda w: 1.0 * w**2, jnp.array(1), optax.sgd(0.1), steps=1)
