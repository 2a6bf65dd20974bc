"""Distances of graphons: blocks by hand, all subsets one by one, and simulated masks."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib import (
    ConstantGraphon,
    StepGraphon,
    cut_norm,
    cut_norm_bound,
    l2_distance,
    mask_histogram,
    saliency_graphon,
    sorting_bias,
)


def test_l2_by_hand() -> None:
    W = StepGraphon([[0.5, 0.1], [0.3, 0.3]], targets=[0.25, 0.75])
    expected = (0.25 * 0.5 * (0.2**2 + 0.2**2)) ** 0.5
    assert float(l2_distance(W, ConstantGraphon(0.3))) == pytest.approx(expected, rel=1e-5)
    finer = StepGraphon(np.repeat([[0.5, 0.1], [0.3, 0.3]], 3, axis=1), targets=[0.25, 0.75])
    assert float(l2_distance(W, finer)) == 0.0


def brute(D: np.ndarray) -> float:
    rows, columns = D.shape
    best = 0.0
    for s in itertools.product([0, 1], repeat=rows):
        for t in itertools.product([0, 1], repeat=columns):
            best = max(best, abs(np.array(s) @ D @ np.array(t)))
    return best / D.size


@pytest.mark.parametrize("shape", [(1, 1), (4, 5), (5, 3), (6, 6)])
def test_the_cut_norm_is_the_best_of_all_rectangles(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        D = rng.normal(size=shape)
        assert cut_norm(D) == pytest.approx(brute(D), rel=1e-12)
        assert 0.9 * brute(D) <= cut_norm_bound(D) <= brute(D) * (1 + 1e-12)
    assert cut_norm(np.zeros(shape)) == cut_norm_bound(np.zeros(shape)) == 0.0


def test_cut_norms_of_large_matrices() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(60, 40))
    operator = np.linalg.norm(noise, 2) / noise.size**0.5
    assert 0.2 * operator < cut_norm_bound(noise) < operator
    # One block of ones below zero mean: the block is the best rectangle.
    planted = -0.01 * np.ones((60, 40))
    planted[:20, 10:30] = 1.0
    assert cut_norm_bound(planted) == pytest.approx(400 / 2400)
    wide = rng.normal(size=(10, 200))
    assert cut_norm(wide) == cut_norm(wide.T)
    assert 0.9 * cut_norm(wide) < cut_norm_bound(wide) <= cut_norm(wide) * (1 + 1e-12)
    assert cut_norm(wide) <= np.linalg.norm(wide) / wide.size**0.5


@pytest.mark.parametrize(("width", "blocks", "draws"), [(200, 8, 1), (320, 16, 4), (640, 32, 4)])
def test_the_sorting_bias_is_that_of_simulated_masks(width: int, blocks: int, draws: int) -> None:
    p = 0.2
    found = []
    for seed in range(4):
        M = jax.random.bernoulli(jax.random.key(seed), p, (draws, width, width))
        found.append(float(jnp.sqrt(jnp.mean((mask_histogram(M, blocks=blocks) - p) ** 2))))
    expected = sorting_bias(p, width=width, blocks=blocks, draws=draws)
    assert np.mean(found) == pytest.approx(expected, rel=0.08)


def test_sorting_bias_by_hand() -> None:
    assert sorting_bias(0.2, width=100, blocks=32, draws=8) == pytest.approx(0.0724, abs=5e-5)
    assert sorting_bias(1.0, width=9, blocks=2) == 0.0


def test_a_constant_saliency_is_magnitude_pruning(x64: None) -> None:
    W = saliency_graphon(lambda u: 2 + 0 * u, lambda v: 3 + 0 * v, density=0.2)
    np.testing.assert_allclose(W([0.1, 0.9], [0.3, 1.0]), 0.2, rtol=1e-12)


def test_masks_of_a_factorised_saliency_tend_to_its_graphon() -> None:
    n, K, p = 1200, 8, 0.2
    row, column = (lambda u: np.exp(-2 * u)), (lambda v: 1.2 - v)
    W = saliency_graphon(row, column, density=p)
    assert float(W.density()) == pytest.approx(p, rel=1e-5)
    at = (np.arange(n) + 0.5) / n
    scores = np.abs(np.random.default_rng(0).normal(size=(n, n)))
    scores *= row(at)[:, None] * column(at)
    M = scores > np.quantile(scores, 1 - p)
    means = M.reshape(K, n // K, K, n // K).mean((1, 3))
    fine = (np.arange(K * 20) + 0.5) / (K * 20)
    limit = np.asarray(W(fine, fine)).reshape(K, 20, K, 20).mean((1, 3))
    noise = np.sqrt((limit * (1 - limit)).mean()) * K / n
    assert np.sqrt(((means - limit) ** 2).mean()) < 1.5 * noise < 0.01
    assert means.max() - means.min() > 0.5


def test_errors() -> None:
    for norm in (cut_norm, cut_norm_bound):
        with pytest.raises(ValueError, match=r"`D` must be a matrix of block values, got shape"):
            norm(np.ones(3))
    with pytest.raises(ValueError, match=r"at most 16 rows or columns.*`cut_norm_bound\(D\)`"):
        cut_norm(np.ones((17, 20)))
    with pytest.raises(ValueError) as error:
        sorting_bias(1.2, width=0, blocks=0, draws=0)
    for message in ("`width` must be at least 1", "`blocks` must", "`draws` must", "got 1.2. It"):
        assert message in str(error.value)
    with pytest.raises(ValueError) as error:
        saliency_graphon(lambda u: u - 0.5, lambda v: v - 2, density=0.0)
    for message in ("`row` must be positive", "`column` must be positive", "`density` must lie"):
        assert message in str(error.value)
