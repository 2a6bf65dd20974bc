"""From masks to graphons: orders, blocks, paths, and the kernel with second moments."""

import itertools
import statistics

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from ntklib import (
    ConstantGraphon,
    Dense,
    Erf,
    GraphonKernel,
    GraphonLayers,
    ScaledGraphon,
    StepGraphon,
    empirical_graphons,
    empirical_moments,
    empirical_ntk,
    magnitude_scores,
    mask_histogram,
    masks,
    path_density,
    pruned,
)

pytestmark = pytest.mark.usefixtures("x64")

X = np.random.default_rng(9).normal(size=(4, 6))


def uneven(key: Array, widths: list[int], spread: float = 2.0) -> list[Array]:
    """Masks whose neurons have very different degrees, out as well as in; target first."""
    found = []
    for i, (s, t) in enumerate(itertools.pairwise(widths)):
        key, *keys = jax.random.split(key, 4)
        row, column = (jax.random.normal(k, (m,)) for k, m in zip(keys, (t, s), strict=False))
        column = column if i else 0 * column
        p = jax.nn.sigmoid(spread * (row[:, None] + column[None, :]) - 1)
        found.append(jax.random.bernoulli(keys[2], p).astype(float))
    return found


def test_a_histogram_by_hand(shapes: None) -> None:
    mask = jnp.array([[0, 0, 1, 0], [1, 0, 1, 1], [0, 0, 0, 0], [1, 0, 1, 0.0]])
    # Rows in the order 1, 3, 0, 2; columns in the order 2, 0, 3, 1.
    np.testing.assert_array_equal(
        mask_histogram(mask, blocks=4), [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    )
    np.testing.assert_allclose(mask_histogram(mask, blocks=2), [[1.0, 0.25], [0.25, 0.0]])
    assert float(mask_histogram(mask, blocks=1)[0, 0]) == pytest.approx(6 / 16)
    both = mask_histogram(jnp.stack([mask, 0 * mask]), blocks=2)
    np.testing.assert_allclose(both, [[0.5, 0.125], [0.125, 0.0]])


def test_blocks_that_do_not_divide_the_width() -> None:
    """Two blocks of three neurons: the middle one counts half in each."""
    mask = jnp.array([[1.0, 1, 1], [1, 1, 0], [1, 0, 0]])
    P = np.array([[2, 1, 0], [0, 1, 2]]) / 3
    np.testing.assert_allclose(mask_histogram(mask, blocks=2), P @ mask @ P.T, rtol=1e-15)


def test_one_order_for_each_hidden_layer(shapes: None) -> None:
    first = jnp.array([[1.0, 0], [1, 1], [0, 0]])  # degrees in: 1, 2, 0
    last = jnp.array([[0.0, 0, 1], [0, 0, 1], [0, 0, 1]])  # degrees out: 0, 0, 3
    one, two = empirical_graphons([first, last], blocks=3)
    np.testing.assert_array_equal(one.values, first[jnp.array([2, 1, 0])])
    np.testing.assert_array_equal(two.values, last[:, jnp.array([2, 1, 0])])


def test_features_and_outputs_keep_their_places() -> None:
    M = uneven(jax.random.key(0), [6, 40, 40, 3])
    graphons = empirical_graphons(M, blocks=5)
    assert [W.values.shape for W in graphons] == [(5, 6), (5, 5), (3, 5)]
    np.testing.assert_allclose(graphons[0].values.mean(0), M[0].mean(0))
    np.testing.assert_allclose(graphons[2].values.mean(1), M[2].mean(1))


def test_draws_are_sorted_one_by_one_and_averaged() -> None:
    M = uneven(jax.random.key(0), [6, 40, 40, 3])
    average = empirical_graphons([jnp.stack([m, 1 - m]) for m in M], blocks=5)
    each = [empirical_graphons(draw, blocks=5) for draw in (M, [1 - m for m in M])]
    for W, A, B in zip(average, *each, strict=True):
        np.testing.assert_allclose(W.values, (A.values + B.values) / 2)


def test_the_common_order_keeps_the_paths_and_sorting_each_alone_invents_some() -> None:
    n = 30
    for seed in range(3):
        M = uneven(jax.random.key(seed), [6, n, n, n, 1])
        share = float((M[3] @ M[2] @ M[1]).sum() / n**3)
        graphons = empirical_graphons(M, blocks=n)
        assert float(path_density(graphons[1:])) == pytest.approx(share, rel=1e-12)
        alone = [StepGraphon(mask_histogram(m, blocks=n)) for m in M[1:3]]
        alone.append(StepGraphon(jnp.sort(M[3])[:, ::-1]))
        assert float(path_density(alone)) > 1.1 * share


def test_scaling_a_graphon_is_scaling_the_weights() -> None:
    layers = [ConstantGraphon(0.5), StepGraphon([[0.3, 0.9]]), ConstantGraphon(0.2)]
    scaled = GraphonKernel([ScaledGraphon(W, 3.0) for W in layers], dual=Erf(), sigma_w=0.7)
    plain = GraphonKernel(layers, dual=Erf(), sigma_w=0.7 * 3**0.5)
    for a, b in zip(scaled(X), plain(X), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
    assert float(scaled.layers.graphons[0].density()) == pytest.approx(1.5)


NORMAL = statistics.NormalDist()


def kept_by_size(p: float) -> float:
    """E[w^2 1(|w| > t)] with P(|w| > t) = p."""
    t = NORMAL.inv_cdf(1 - p / 2)
    return 2 * (t * NORMAL.pdf(t) + p / 2)


def test_magnitude_masks_have_the_kernel_p_v_to_the_depth() -> None:
    """The closed form, with the constants, and with what is estimated from drawn networks."""
    p, L, draws, width = 0.2, 2, 8, 200
    v = kept_by_size(p)
    dense = Dense(L + 1)(X).ntk
    exact = GraphonLayers([ConstantGraphon(v)] * 3, gradient=ConstantGraphon(p))
    np.testing.assert_allclose(GraphonKernel(exact)(X).ntk, p * v**L * dense, rtol=1e-13)
    net = Dense(L + 1).network(width, 100)
    params = jax.vmap(lambda k: net.init(k, 6))(jax.random.split(jax.random.key(0), draws))
    M = jax.vmap(lambda p: masks(magnitude_scores(p), keep=0.2))(params)
    M, w = ([layer["W"].mT for layer in tree] for tree in (M, params))
    layers = GraphonLayers(
        empirical_moments(M, w, blocks=4), gradient=empirical_graphons(M, blocks=4), output=0.5
    )
    ratio = np.asarray(GraphonKernel(layers)(X).ntk / (p * v**L * dense))
    # The output sees draws x width weights, of which p is kept: 5 % and the moments' error.
    np.testing.assert_allclose(ratio, 1.0, atol=0.15)
    assert np.asarray(GraphonKernel(empirical_graphons(M, blocks=4))(X).ntk / dense).max() < 0.02


def test_magnitude_masks_of_finite_networks_approach_the_closed_form() -> None:
    p, L, draws = 0.2, 2, 24
    net = Dense(L + 1).network(256, 4)

    @jax.jit
    def trace(key: Array) -> Array:
        params = net.init(key, 6)
        M = masks(magnitude_scores(params), keep=p)
        return jnp.trace(empirical_ntk(pruned(net.apply, M), params, X))

    found = np.array([trace(k) for k in jax.random.split(jax.random.key(1), draws)])
    theory = p * kept_by_size(p) ** L * float(jnp.trace(Dense(L + 1)(X).ntk))
    assert abs(found.mean() - theory) < 4 * found.std(ddof=1) / draws**0.5
    assert found.mean() > 5 * theory * (p / kept_by_size(p)) ** L


def test_moments_above_one_are_scaled() -> None:
    mask = jnp.array([[1.0, 0], [0, 1]])
    V = empirical_moments([mask], [jnp.array([[3.0, 5], [5, 0.5]])], blocks=2)[0]
    np.testing.assert_allclose(V([0.2, 0.8], [0.2, 0.8]), [[9.0, 0], [0, 0.25]])
    assert float(V.scale) == 9.0 and float(V.graphon.values.max()) == 1.0
    assert float(empirical_moments([mask], [0 * mask], blocks=2)[0].scale) == 1.0


def test_errors() -> None:
    mask = jnp.ones((3, 2))
    with pytest.raises(ValueError, match=r"`mask` must be matrices, got shape \(3,\). One mask"):
        mask_histogram(jnp.ones(3), blocks=2)
    with pytest.raises(ValueError, match="`blocks` must be at least 1, got 0"):
        mask_histogram(mask, blocks=0)
    with pytest.raises(ValueError, match="`blocks` must be at least 1, got 0"):
        empirical_graphons([mask], blocks=0)
    with pytest.raises(ValueError, match=r"`masks\[1\]` must be the targets of `masks\[0\]`, got"):
        empirical_graphons([mask, mask], blocks=2)
    with pytest.raises(ValueError, match=r"must have the shapes of `masks`.*transpose both"):
        empirical_moments([mask], [mask.T], blocks=2)
    with pytest.raises(ValueError, match=r"`scale` must not be negative, got -1.0"):
        ScaledGraphon(ConstantGraphon(0.5), -1)
    with pytest.raises(ValueError, match="`scale` must be finite"):
        ScaledGraphon(ConstantGraphon(0.5), float("nan"))
    mixed = GraphonLayers([ScaledGraphon(ConstantGraphon(0.5), 3.0)] * 2, masks="mixture")
    with pytest.raises(ValueError, match=r"`keep` must lie in \[0, 1\], got values from 1.5"):
        GraphonKernel(mixed)(X)
