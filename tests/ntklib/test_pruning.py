"""Masks: exact counts, ties, scopes, layers that must not collapse, and the kernel that is left."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from ntklib import (
    Dense,
    empirical_ntk,
    magnitude_scores,
    masks,
    pruned,
    random_scores,
    snip_scores,
    synflow_masks,
    synflow_scores,
)

NET = Dense(4).network(12, 3)
PARAMS = NET.init(jax.random.key(0), 5)
X = jax.random.normal(jax.random.key(1), (4, 5))
SIZES = [5 * 12, 144, 144, 36]


def sums(M: list[dict[str, Array]]) -> list[int]:
    return [int(layer["W"].sum()) for layer in M]


@pytest.mark.parametrize("keep", [0.003, 0.1, 0.5, 0.777, 1.0])
def test_the_number_kept_is_exact(keep: float, shapes: None) -> None:
    scores = random_scores(jax.random.key(2), PARAMS)
    M = masks(scores, keep=keep)
    assert sum(sums(M)) == max(1, round(keep * sum(SIZES)))
    M = masks(scores, keep=keep, scope="layer")
    assert sums(M) == [max(1, round(keep * size)) for size in SIZES]
    assert all((layer["b"] == 1).all() for layer in M)
    assert all(set(np.unique(layer["W"])) <= {0, 1} for layer in M)
    assert jax.tree.map(lambda m: (m.shape, m.dtype), M) == jax.tree.map(
        lambda p: (p.shape, p.dtype), PARAMS
    )


def test_the_largest_stay_and_of_equal_ones_the_first() -> None:
    scores = {"a": jnp.array([[3.0, 1.0], [2.0, 2.0]]), "b": jnp.array([[2.0, 9.0]])}
    M = masks(scores, keep=4 / 6)
    np.testing.assert_array_equal(M["a"], [[1, 0], [1, 1]])
    np.testing.assert_array_equal(M["b"], [[0, 1]])
    M = masks(scores, keep=0.5, scope="layer")
    np.testing.assert_array_equal(M["a"], [[1, 0], [1, 0]])
    np.testing.assert_array_equal(M["b"], [[0, 1]])
    jitted = jax.jit(lambda s: masks(s, keep=4 / 6))(scores)
    np.testing.assert_array_equal(jitted["a"], [[1, 0], [1, 1]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_any_signs_ties_and_precision_agree_with_a_stable_sort(dtype: Any, x64: None) -> None:
    rng = np.random.default_rng(0)
    s = rng.normal(size=(20, 30)) * 10.0 ** rng.integers(-4, 4, (20, 30))
    s[rng.uniform(size=s.shape) < 0.3] = 0.0
    s[rng.uniform(size=s.shape) < 0.2] = -0.0
    s = np.where(rng.uniform(size=s.shape) < 0.2, -0.25, s).astype(dtype)
    order = np.argsort(-s.ravel(), kind="stable")
    for k in (1, 100, 250, 400, 599, 600):
        M = masks(jnp.asarray(s), keep=k / 600)
        assert M.dtype == dtype
        np.testing.assert_array_equal(np.flatnonzero(M), np.sort(order[:k]))


def test_which_leaves_are_prunable() -> None:
    scores = random_scores(jax.random.key(2), PARAMS)
    M = masks(scores, keep=0.1, prunable=[False, True, True, False])
    assert sums(M)[0] == SIZES[0] and sums(M)[3] == SIZES[3]
    assert sum(sums(M)[1:3]) == round(0.1 * 288)
    only_biases = [{"W": False, "b": True}] * 4
    M = masks(scores, keep=0.2, scope="layer", prunable=only_biases)
    assert sums(M) == SIZES and [int(m["b"].sum()) for m in M] == [2, 2, 2, 1]
    M = masks(jnp.array([1.0, 3.0, 2.0]), keep=2 / 3)
    np.testing.assert_array_equal(M, [0, 1, 1])


def test_a_pruned_network_has_the_kernel_of_its_kept_weights(x64: None) -> None:
    params = NET.init(jax.random.key(0), 5)
    M = masks(random_scores(jax.random.key(3), params), keep=0.4)
    f = pruned(NET.apply, M)
    total = np.zeros((4, 4))
    J = jax.jacobian(lambda p: NET.apply(p, X))(jax.tree.map(jnp.multiply, params, M))
    for j, m in zip(J, M, strict=True):
        kept = np.asarray(j["W"] * m["W"]).reshape(4, 3, -1)
        total += np.einsum("iap,jap->ij", kept, kept) / 3
    np.testing.assert_allclose(empirical_ntk(f, params, X), total, rtol=1e-12)
    np.testing.assert_allclose(
        f(params, X), NET.apply(jax.tree.map(jnp.multiply, params, M), X), rtol=1e-12
    )


def test_snip_masks_do_not_depend_on_the_parameterisation(x64: None) -> None:
    y = jnp.ones((4, 3))
    found = []
    for name, base in (("ntk", None), ("standard", 12)):
        net = Dense(4, parameterisation=name, base_width=base).network(12, 3)
        params = net.init(jax.random.key(0), 5)
        loss = lambda p, f=net.apply: jnp.mean((f(p, X) - y) ** 2)  # noqa: E731
        found.append((masks(snip_scores(loss, params), keep=0.2),
                      masks(magnitude_scores(params), keep=0.2)))  # fmt: skip
    (snip, magnitude), (snip_too, magnitude_too) = found
    assert all((a["W"] == b["W"]).all() for a, b in zip(snip, snip_too, strict=True))
    assert sums(magnitude) != sums(magnitude_too)


def paths(M: list[dict[str, Array]]) -> float:
    ones = jnp.ones((1, M[0]["W"].shape[0]))
    for layer in M:
        ones = ones @ layer["W"]
    return float(ones.sum())


def test_synflow_in_rounds_avoids_layer_collapse() -> None:
    """The wide layer's weights score low; in one round they all go and no path is left."""
    W = [jnp.full((4, 4), 1.0), jnp.full((4, 400), 1.0), jnp.full((400, 4), 1.0)]
    key = jax.random.split(jax.random.key(4), 3)
    params = [{"W": jax.random.normal(k, w.shape)} for k, w in zip(key, W, strict=True)]

    def f(params: list[dict[str, Array]], x: Array) -> Array:
        for p in params:
            x = jax.nn.relu(x @ p["W"])
        return x

    keep = 12 / (16 + 3200)
    once = synflow_masks(f, params, (4,), keep=keep, rounds=1)
    assert paths(once) == 0 and sums(once)[1:] == [0, 0]
    same = masks(synflow_scores(f, params, (4,)), keep=keep)
    assert all((a["W"] == b["W"]).all() for a, b in zip(once, same, strict=True))
    often = synflow_masks(f, params, (4,), keep=keep, rounds=100)
    assert paths(often) > 0 and min(sums(often)) > 0
    assert sum(sums(once)) == sum(sums(often)) == 12


def test_synflow_rounds_are_nested_and_layers_exact() -> None:
    args: Any = (NET.apply, PARAMS, (5,))
    M = synflow_masks(*args, keep=0.25, rounds=2, scope="layer", prunable=[False, True, True, True])
    assert sums(M) == [60, 36, 36, 9]
    half = masks(synflow_scores(*args), keep=0.5, scope="layer", prunable=[False, True, True, True])
    assert all((m["W"] <= h["W"]).all() for m, h in zip(M, half, strict=True))
    again = masks(
        synflow_scores(pruned(NET.apply, half), PARAMS, (5,)),
        keep=0.25,
        scope="layer",
        prunable=[False, True, True, True],
    )
    assert all((m["W"] == a["W"]).all() for m, a in zip(M, again, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 0.0}, r"`keep` must lie in \(0, 1\], got 0.0. It is the part that stays"),
        ({"keep": 1.5}, "got 1.5"),
        ({"keep": 0.5, "scope": "all"}, '`scope` must be "global" or "layer", got \'all\''),
        ({"keep": 0.5, "prunable": False}, "At least one leaf must be prunable, got none of 8"),
    ],
)
def test_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        masks(PARAMS, **options)
    with pytest.raises(ValueError, match=message):
        synflow_masks(NET.apply, PARAMS, (5,), **options)


def test_errors_of_scores_and_rounds() -> None:
    with pytest.raises(ValueError, match=r"`scores\['W'\]` must be finite"):
        masks({"W": jnp.array([[1.0, jnp.nan]])}, keep=0.5)
    with pytest.raises(ValueError, match=r"`rounds` must be at least 1, got 0\. One round"):
        synflow_masks(NET.apply, PARAMS, (5,), keep=0.5, rounds=0)
