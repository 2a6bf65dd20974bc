"""Graphs in unions on a CPU against the plain recursion."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib import Erf, Graph, GraphBatch, Kernels, LeakyRelu, _unions

KERNELS = [
    Graph(1),
    Graph(3, mlp_layers=2, sigma_b=0.3, readout="jumping"),
    Graph(2, dual=Erf(), sigma_b=0.3, scaling="degree"),
    Graph(1, mlp_layers=2, dual=LeakyRelu(0.2), sigma_w=jnp.asarray(1.1), readout="jumping"),
]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Always in tiles, of three pairs of unions of at least 12 nodes."""
    monkeypatch.setattr(_unions, "_PAYS", 0)
    monkeypatch.setattr(_unions, "_TILE", 3 * 12**2)
    monkeypatch.setattr(_unions, "_STEP", 6)


def graphs(sizes: list[int], seed: int, dtype: Any) -> GraphBatch:
    """Directed graphs with weights, and with negative ones if degrees do not count."""
    rng = np.random.default_rng(seed)
    made = []
    for size in sizes:
        A = np.eye(size) + rng.uniform(-0.2, 0.8, (size, size)) * (rng.random((size, size)) < 0.5)
        made.append((A.astype(dtype), rng.normal(size=(size, 3)).astype(dtype)))
    return GraphBatch.of([(jnp.asarray(A), jnp.asarray(X)) for A, X in made], loops="given")


def plain(kernel: Graph, x1: GraphBatch, x2: GraphBatch | None = None) -> Kernels:
    return Kernels(*(jnp.sum(k, axis=(2, 3)) for k in kernel.nodes(x1, x2)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_unions_are_the_plain_recursion(kernel: Any, dtype: Any, x64: None) -> None:
    """Single nodes, a graph that fills a union, graphs of zeros, the same graph twice, and x2."""
    x = graphs([4, 1, 12, 3, 7, 4, 1, 1, 1, 2], 0, dtype)
    y = graphs([5, 2, 9], 1, dtype)
    A, X = x.adjacency.at[5].set(x.adjacency[0]), x.features.at[5].set(x.features[0])
    x = GraphBatch(A, X.at[3].set(0), x.sizes)
    for sides in ((x,), (x, y), (y, x)):
        for united, expected in zip(kernel(*sides), plain(kernel, *sides), strict=True):
            assert isinstance(united, jax.Array) and united.dtype == expected.dtype
            # nodes that are parallel but for rounding keep its square root
            rtol = 2e-7 if dtype == np.float64 else 2e-3
            np.testing.assert_allclose(united, expected, rtol=rtol, atol=rtol * 10)
            apart = slice(0, 5, 2), slice(4, None) if len(sides) == 1 else slice(None)
            tight = 100 * float(np.finfo(dtype).eps)
            np.testing.assert_allclose(united[apart], expected[apart], rtol=tight * 10, atol=tight)


def test_a_gram_matrix_is_exactly_symmetric() -> None:
    for k in Graph(2, mlp_layers=2)(graphs([4, 9, 3, 5], 0, np.float32)):
        np.testing.assert_array_equal(k, k.T)


def test_traced_values_take_the_plain_recursion(monkeypatch: pytest.MonkeyPatch) -> None:
    x = graphs([4, 2, 5], 0, np.float32)
    expected = plain(Graph(2), x).ntk
    monkeypatch.delattr(_unions, "_tile")
    np.testing.assert_allclose(jax.jit(Graph(2))(x).ntk, expected, rtol=1e-3)
    assert np.isfinite(jax.grad(lambda s: Graph(2, sigma_w=s)(x).ntk.sum())(1.4))
    with pytest.raises(NameError, match="_tile"):
        Graph(2)(x)


def test_the_kernel_is_a_constant_of_a_transformation() -> None:
    x = graphs([4, 2, 5], 0, np.float32)
    scaled = jax.jit(lambda s: s * Graph(2)(x).ntk)(2.0)
    np.testing.assert_array_equal(scaled, 2 * Graph(2)(x).ntk)


def test_the_result_is_on_the_device_of_the_inputs() -> None:
    x = jax.device_put(graphs([4, 2], 0, np.float32), jax.devices()[-1])
    assert Graph(1)(x).ntk.devices() == x.features.devices()


def test_graphs_of_other_sizes_compile_nothing_new() -> None:
    x, y = graphs([12, 4, 6, 1], 0, np.float32), graphs([12, 3, 2, 10, 7, 1, 5], 1, np.float32)
    Graph(2)(x)
    before = _unions._tile._cached._cache_size()  # type: ignore[attr-defined]
    Graph(2)(y)
    assert _unions._tile._cached._cache_size() == before  # type: ignore[attr-defined]


@pytest.mark.parametrize("sizes", [[1] * 7, [12, 12], [7, 7, 5, 5, 1], [3, 9, 2, 8, 4, 6, 10]])
def test_packing(sizes: list[int]) -> None:
    """Each graph once; no union too full; first the largest, as small a number as can be."""
    packed = _unions._packed(sizes, 12)
    assert sorted(g for union in packed for g in union) == list(range(len(sizes)))
    assert all(sum(sizes[g] for g in union) <= 12 and len(union) <= 3 for union in packed)
    assert len(packed) == max(-(-sum(sizes) // 12), -(-len(sizes) // 3))
    assert _unions._size(sizes, 1) in (12, 18, 24)
