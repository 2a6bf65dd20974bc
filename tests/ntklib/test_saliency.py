"""Saliencies: quadratics by hand, paths counted one by one, and what they refuse."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from ntklib import (
    Dense,
    grasp_scores,
    magnitude_scores,
    random_scores,
    snip_scores,
    synflow_scores,
)

pytestmark = pytest.mark.usefixtures("x64")

A = np.array([[2.0, 1.0], [1.0, 3.0]])
B = np.array([1.0, -2.0])


def quadratic(p: dict[str, Array]) -> Array:
    """p.A p / 2 + b.p, with g = A p + b and H = A."""
    w = jnp.concatenate([p["u"], p["v"]])
    return w @ A @ w / 2 + B @ w


PARAMS = {"u": np.array([2.0]), "v": np.array([-1.0])}  # g = (4, -3), Hg = (5, -5)


def test_a_quadratic_by_hand(shapes: None) -> None:
    snip, grasp = snip_scores(quadratic, PARAMS), grasp_scores(quadratic, PARAMS)
    np.testing.assert_allclose([snip["u"][0], snip["v"][0]], [8.0, 3.0])
    np.testing.assert_allclose([grasp["u"][0], grasp["v"][0]], [10.0, 5.0])
    magnitude = magnitude_scores(PARAMS)
    np.testing.assert_allclose([magnitude["u"][0], magnitude["v"][0]], [2.0, 1.0])


def test_grasp_is_the_loss_of_gradient_flow() -> None:
    """A small part of a weight removed changes the squared gradient by -2 s; the sign counts."""

    def flow(p: dict[str, Array]) -> Array:
        return sum(jnp.sum(g**2) for g in jax.tree.leaves(jax.grad(quadratic)(p)))

    scores = grasp_scores(quadratic, PARAMS)
    for name in PARAMS:
        part = 1e-6
        less = PARAMS | {name: (1 - part) * PARAMS[name]}
        change = (flow(less) - flow(PARAMS)) / part
        assert float(change) == pytest.approx(-2 * float(scores[name][0]), rel=1e-4)


def test_grasp_keeps_more_gradient_than_its_opposite() -> None:
    """On a linear model: removing low scores raises the gradient, removing high ones lowers it."""
    key = jax.random.split(jax.random.key(0), 3)
    x, y = jax.random.normal(key[0], (40, 30)), jax.random.normal(key[1], (40,))
    w = 0.05 * jax.random.normal(key[2], (30,))

    def loss(w: Array) -> Array:
        return jnp.sum((x @ w - y) ** 2) / 2

    order = jnp.argsort(grasp_scores(loss, w))
    flow = [float(jnp.linalg.norm(jax.grad(loss)(w.at[gone].set(0.0)))) for gone in
            (order[:5], order[-5:])]  # fmt: skip
    assert flow[0] > flow[1]


def test_snip_is_the_same_in_both_parameterisations() -> None:
    x, y = jax.random.normal(jax.random.key(1), (6, 5)), jnp.ones((6, 2))
    scores = []
    for name, base in (("ntk", None), ("standard", 7)):
        net = Dense(3, sigma_w=1.3, parameterisation=name, base_width=base).network(7, 2)
        params = net.init(jax.random.key(2), 5)
        scores.append(snip_scores(lambda p, f=net.apply: jnp.mean((f(p, x) - y) ** 2), params))
        assert float(magnitude_scores(params)[1]["W"].std()) > 0
    for ntk, standard in zip(*scores, strict=True):
        np.testing.assert_allclose(ntk["W"], standard["W"], rtol=1e-10, atol=1e-14)


def test_synflow_counts_the_paths_through_a_weight(shapes: None) -> None:
    net = Dense(3).network(3, 2)
    params = net.init(jax.random.key(3), 4)
    W = [np.abs(p["W"]) for p in params]
    scale = np.prod([(2 / w.shape[0]) ** 0.5 for w in W])
    expected = [np.zeros_like(w) for w in W]
    for i, j, k, o in itertools.product(range(4), range(3), range(3), range(2)):
        path = scale * W[0][i, j] * W[1][j, k] * W[2][k, o]
        expected[0][i, j] += path
        expected[1][j, k] += path
        expected[2][k, o] += path
    scores = synflow_scores(net.apply, params, (4,))
    for s, e in zip(scores, expected, strict=True):
        np.testing.assert_allclose(s["W"], e, rtol=1e-12)
        assert float(s["W"].sum()) == pytest.approx(float(expected[0].sum()))
        assert not s["b"].any()


def test_random_scores_are_uniform_and_repeat() -> None:
    params = {"W": jnp.zeros((60, 50)), "b": jnp.zeros(50)}
    one, same, other = (random_scores(jax.random.key(k), params) for k in (0, 0, 1))
    assert (one["W"] == same["W"]).all() and not (one["W"] == other["W"]).any()
    assert float(one["W"].mean()) == pytest.approx(0.5, abs=4 / (12 * 3000) ** 0.5)
    assert float(one["W"].min()) >= 0 and float(one["W"].max()) < 1


def test_errors() -> None:
    whole = {"W": jnp.ones((2, 2), int)}
    for score in (
        lambda: random_scores(jax.random.key(0), whole),
        lambda: magnitude_scores(whole),
        lambda: snip_scores(lambda p: p["W"].sum(), whole),
        lambda: grasp_scores(lambda p: p["W"].sum(), whole),
        lambda: synflow_scores(lambda p, x: x, whole, (2,)),
    ):
        with pytest.raises(ValueError, match=r"`params\['W'\]` must be a floating-point array"):
            score()
    for score in (snip_scores, grasp_scores):
        with pytest.raises(ValueError, match=r"must be one number, got shape \(2,\). Take its"):
            score(lambda p: p, jnp.ones(2))
