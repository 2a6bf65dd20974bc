"""Pruned networks on the fewest sites, and in tiles, against the plain recursion."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib import _in_cache
from ntklib._pruned import Pruned, pruned
from ntklib.duals import Abs, Erf, Relu
from ntklib.graphon import GraphonKernel
from ntklib.graphon_layers import GraphonLayers
from ntklib.graphons import AbstractGraphon, ConstantGraphon, LowRankGraphon, StepGraphon
from ntklib.recursion import Kernels

ONE = ConstantGraphon(1.0)
STEP = StepGraphon(np.random.default_rng(0).uniform(size=(4, 4)))
ALIKE = StepGraphon([[0.3, 0.6], [0.5, 0.1], [0.3, 0.6]])
DEAD = StepGraphon([[0.0, 0.0], [0.5, 0.1], [0.0, 0.0]])
RANK_ONE = LowRankGraphon(lambda u: 1 - 0.7 * u, lambda v: 0.2 + 0.8 * v**2, nodes=5)
BIAS: dict[str, Any] = {"sigma_b": 0.3}

CASES: list[tuple[list[AbstractGraphon], dict[str, Any], dict[str, Any], list[int]]] = [
    ([ONE, STEP, STEP, ONE], {}, BIAS, [1, 4, 4, 1]),
    ([ONE, STEP, STEP, ONE], {}, {}, [1, 1, 1, 1]),
    ([ONE, STEP, STEP, ONE], {}, {"dual": Abs(), "sigma_w": 1.0}, [1, 1, 1, 1]),
    ([ONE, STEP, STEP, ONE], {}, {"dual": Erf()}, [1, 4, 4, 1]),
    ([ONE, STEP, STEP, ONE], {"gradient": "dense"}, {}, [1, 4, 4, 1]),
    ([STEP, STEP, ONE], {"gradient": ALIKE}, {}, [6, 6, 1]),
    ([STEP, RANK_ONE, STEP], {}, {}, [4, 1, 1]),
    ([ALIKE, ALIKE, ONE], {}, BIAS, [2, 2, 1]),
    ([DEAD, DEAD, ONE], {"normalisation": "fan_in"}, {}, [2, 2, 1]),
    ([ONE, StepGraphon([[0.0]]), ONE], {}, {}, [1, 1, 1]),
    ([STEP, ALIKE, ONE], {"masks": "mixture"}, BIAS, [8, 2, 1]),
]


def points(n: int, d: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d))


def plain(kernel: GraphonKernel, x: Any, y: Any = None) -> Kernels:
    """The recursion on all sites."""
    mixings = kernel.layers.mixings(x.shape[1], sigma_w=kernel.sigma_w, sigma_b=kernel.sigma_b)
    x, y = jnp.asarray(x), None if y is None else jnp.asarray(y)
    return Pruned(mixings, kernel.dual)._recursion(x, y)


def assert_same(K: Kernels, expected: Kernels, rtol: float) -> None:
    for a, b in zip(K, expected, strict=True):
        assert isinstance(a, jax.Array) and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * float(jnp.abs(b).max()))


@pytest.mark.parametrize(("graphons", "layers", "options", "sites"), CASES)
def test_fewer_sites_have_the_same_kernel(
    graphons: Sequence[AbstractGraphon],
    layers: Any,
    options: Any,
    sites: list[int],
    monkeypatch: pytest.MonkeyPatch,
    x64: None,
) -> None:
    """Ten inputs are three tiles a side, with padding."""
    kernel = GraphonKernel(GraphonLayers(graphons, **layers), **options)
    mixings = kernel.layers.mixings(3, sigma_w=kernel.sigma_w, sigma_b=kernel.sigma_b)
    few = pruned(mixings, kernel.dual, np.float64).mixings
    assert [mix.C[0].shape[0] for mix in few] == sites
    monkeypatch.setattr(_in_cache, "_TILE", 16 * 8 * max(sites))
    monkeypatch.setattr(_in_cache, "_PAYS", 1)
    x = points(10)
    assert_same(kernel(x), plain(kernel, x), 1e-14)


def test_other_inputs(x64: None) -> None:
    kernel, x, y = GraphonKernel([ALIKE, ALIKE, ONE], **BIAS), points(3), points(4, seed=1)
    assert_same(kernel(x, y), plain(kernel, x, y), 1e-14)


@pytest.mark.parametrize(("rank", "nodes", "matrices"), [(2, 130, 2), (20, 130, 1), (2, 12, 1)])
def test_a_low_rank_stays_a_product_where_that_pays(rank: int, nodes: int, matrices: int) -> None:
    def wave(u: np.ndarray) -> np.ndarray:
        return np.cos(np.arange(rank) * u[:, None]) ** 2

    W = LowRankGraphon(lambda u: wave(u) / rank, wave, nodes=nodes)
    kernel = GraphonKernel([ONE, W, W, ONE], **BIAS)
    mixings = kernel.layers.mixings(3, sigma_w=2**0.5, sigma_b=0.3)
    few = pruned(mixings, Relu(), np.float32).mixings
    assert [len(mix.C) for mix in few[1:]] == [1, matrices, 1]
    assert_same(kernel(points(4).astype(np.float32)), plain(kernel, points(4)), 1e-6)


def test_float32_is_exact_to_rounding() -> None:
    """The square of a rounded sqrt(2) would lose 1e-7 a layer."""
    x = points(6, d=8).astype(np.float32)
    kernel = GraphonKernel([ONE, STEP, STEP, ONE], **BIAS)
    with jax.enable_x64(True):
        exact = kernel(x.astype(float)).ntk
        exact = np.asarray(exact)
    np.testing.assert_allclose(kernel(x).ntk, exact, rtol=0, atol=2.5e-7 * exact.max())


def test_traced_values_keep_all_sites() -> None:
    """A derivative by one block's value would be lost where blocks are one."""
    x = points(4).astype(np.float32)

    def total(values: Any, bias: Any) -> Any:
        kernel = GraphonKernel([StepGraphon(values), StepGraphon([[0.2, 0.9]])], sigma_b=bias)
        return kernel(x).ntk.sum()

    values, step = jnp.full((2, 1), 0.5), 1e-2
    slopes = jax.grad(total)(values, 0.0)
    ahead, behind = (total(values.at[1, 0].add(by), 0.0) for by in (step, -step))
    np.testing.assert_allclose(slopes[1, 0], (ahead - behind) / (2 * step), rtol=1e-2)
    assert slopes[1, 0] > 2 * slopes[0, 0] > 0
    assert np.isfinite(jax.grad(total, argnums=1)(values, 0.3))
