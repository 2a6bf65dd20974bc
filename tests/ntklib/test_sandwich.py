"""Kernels on large complexes: sparse operators against the plain recursion with dense ones."""

import tracemalloc
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases_simplicial import HOLED, OTHER, SMALL

from ntklib import (
    Cochains,
    Convention,
    Erf,
    LeakyRelu,
    Propagation,
    Simplicial,
    SimplicialComplex,
    _sandwich,
    _sparse,
)

FLIPPED = HOLED.flip([1, 6], [0])
ONE_EDGE = SimplicialComplex(2, [(0, 1)])
AUTHOR = Convention(prop_first=False, feat_div=False)
KERNELS = [
    Simplicial(3, Propagation(0.5)),
    Simplicial(1, sigma_b=0.3, readout="mean"),
    Simplicial(3, Propagation(0.5, normalise="total"), convention=AUTHOR, sigma_w=1.0),
    Simplicial(
        3,
        Propagation(0.4, 0.6, -0.5, operator="adjacency", normalise="total", channels="separate"),
        dual=Erf(),
        sigma_b=0.3,
        convention=Convention(prop_last=False),
    ),
    Simplicial(
        2,
        Propagation(0.2, operator="absolute", normalise="raw"),
        dual=LeakyRelu(0.2),
        sigma_w=1.3,
        readout="sum",
        sigma_b=0.2,
    ),
]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Always sparse; panels of three edges, nonlinearities on five by five pairs at a time."""
    monkeypatch.setattr(_sandwich, "_PAYS", 1)
    monkeypatch.setattr(_sandwich, "_FILLED", 1.0)
    monkeypatch.setattr(_sandwich, "_PANEL", 3)
    monkeypatch.setattr(_sandwich, "_TILE", 5)


def on(*complexes: SimplicialComplex, dtype: Any = np.float32, d: int = 3) -> Cochains:
    rng = np.random.default_rng(len(complexes))
    features = [rng.normal(size=(len(one.edges), d)).astype(dtype) for one in complexes]
    return Cochains.of(complexes, [jnp.asarray(X) for X in features])


def grid(side: int) -> SimplicialComplex:
    """A square of side^2 small squares, each of two triangles."""
    corners = [(side + 1) * i + j for i, j in product(range(side), repeat=2)]
    triangles = [(c, c + side + 1 - k, c + side + 2) for c in corners for k in (0, side)]
    return SimplicialComplex.from_triangles(np.array(triangles))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kernel", KERNELS, ids=range(len(KERNELS)))
def test_sparse_is_the_plain_recursion(kernel: Any, dtype: Any, x64: None) -> None:
    x1, x2 = on(HOLED, SMALL, FLIPPED, dtype=dtype), on(OTHER, ONE_EDGE, dtype=dtype)
    for sides in ((x1, None), (x1, x2)):
        assert _sandwich._sides(kernel, *sides)[0]
        for ours, plain in zip(kernel(*sides), kernel._recursion(*sides), strict=True):
            assert isinstance(ours, jax.Array) and ours.dtype == plain.dtype == dtype
            atol = 30 * float(np.finfo(dtype).eps) * float(abs(plain).max())
            np.testing.assert_allclose(ours, plain, rtol=0, atol=atol)


@pytest.mark.parametrize("normalise", ["raw", "each", "total"])
@pytest.mark.parametrize("operator", ["hodge", "absolute", "adjacency"])
def test_operators_are_those_of_the_propagation(operator: Any, normalise: Any, x64: None) -> None:
    several = (FLIPPED, SMALL, ONE_EDGE, grid(7).flip([3, 5, 70]))
    for one, channels in product(several, ("shared", "separate")):
        propagation = Propagation(
            0.3, 0.7, -0.4, operator=operator, normalise=normalise, channels=channels
        )
        sparse = np.stack([P.toarray() for P in _sparse.operators(one, propagation)])
        np.testing.assert_allclose(sparse, propagation(one), rtol=0, atol=1e-14)


def test_nothing_propagates_is_zero_and_not_nan() -> None:
    [P] = _sparse.operators(HOLED, Propagation(0.0, 0.0, 0.0, normalise="total"))
    assert abs(P).sum() == 0


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_gram_matrix_is_exactly_symmetric(depth: int) -> None:
    for k in Simplicial(depth)(on(HOLED, SMALL)):
        np.testing.assert_array_equal(k, k.T)


@pytest.mark.parametrize("tile", [5, 384])
@pytest.mark.parametrize("depth", [2, 3])
def test_duplicates_keep_their_accuracy(
    depth: int, tile: int, monkeypatch: pytest.MonkeyPatch, x64: None
) -> None:
    """Edges with equal features, in one complex and in two: the dual of ReLU jumps at none."""
    monkeypatch.setattr(_sandwich, "_TILE", tile)
    one = grid(5)
    X = np.random.default_rng(0).normal(size=(len(one.edges), 16)).astype(np.float32)
    X[1::2] = X[:-1:2]
    kernel = Simplicial(depth, Propagation(1.0, 0.0, 0.0, normalise="raw"), sigma_b=0.1)
    x, same = (Cochains.of([one], [jnp.asarray(X)]) for _ in range(2))
    exact = kernel(Cochains.of([one], [jnp.asarray(X, np.float64)])).ntk
    for k in (kernel(x).ntk, kernel(x, same).ntk):
        np.testing.assert_allclose(k, exact, rtol=0, atol=1e-6 * float(exact.max()))


def test_never_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four square arrays at most: both covariances, before and after a layer."""
    monkeypatch.setattr(_sandwich, "_FILLED", 1 / 8)
    monkeypatch.delattr(Propagation, "__call__")
    x, kernel = on(grid(12)), Simplicial(3)
    kernel(x)
    tracemalloc.start()
    kernel(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * 4 * len(x.complexes[0].edges) ** 2


def test_the_kernel_is_a_constant_of_a_transformation() -> None:
    x, kernel = on(HOLED), Simplicial(3)
    scaled = jax.jit(lambda s: s * kernel(x).ntk)(2.0)
    np.testing.assert_array_equal(scaled, 2 * kernel(x).ntk)


def test_what_is_not_sparse(monkeypatch: pytest.MonkeyPatch, x64: None) -> None:
    """Traced values, several types, filled operators, small complexes."""
    x, kernel = on(HOLED), Simplicial(2)
    slope = jax.grad(lambda s: Simplicial(2, sigma_w=s)(x).ntk.sum())(1.4)
    features = jax.grad(lambda X: kernel(Cochains((HOLED,), X)).ntk.sum())(x.X)
    assert np.isfinite(slope) and np.isfinite(features).all()
    assert Simplicial(2, sigma_w=jnp.asarray(1.4, np.float64))(x).ntk.dtype == np.float64
    wide = on(HOLED, dtype=np.float64)
    assert kernel(x, wide).ntk.dtype == kernel._recursion(x, wide).ntk.dtype
    assert kernel(on(HOLED, dtype=np.float16)).ntk.dtype == np.float16
    assert _sandwich._sides(kernel, x, None)[0]
    for name, value in (("_FILLED", 1 / 8), ("_PAYS", 101)):
        with monkeypatch.context() as patch:
            patch.setattr(_sandwich, name, value)
            assert not _sandwich._sides(kernel, x, None)[0]
