"""Propagation operators: normalisations, unsigned forms, channels, errors."""

from collections.abc import Callable
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases_simplicial import EDGES, HOLED, SMALL

from ntklib.complexes import SimplicialComplex
from ntklib.hodge import projectors
from ntklib.propagation import Propagation, SimplicialMixing, operators

pytestmark = pytest.mark.usefixtures("x64")
LOWER, UPPER = HOLED.laplacians()
NONE = SimplicialComplex(7, EDGES)


def test_raw() -> None:
    P = Propagation(0.3, 2.0, 5.0, normalise="raw")(HOLED)
    np.testing.assert_allclose(P, [0.3 * np.eye(10) + 2 * LOWER + 5 * UPPER], rtol=1e-15)


def test_each_divides_either_by_its_norm() -> None:
    aI, bL, cU = Propagation(0.3, 2.0, 5.0, channels="separate")(HOLED)
    np.testing.assert_allclose(aI, 0.3 * np.eye(10), rtol=1e-15)
    np.testing.assert_allclose(bL, 2 * LOWER / np.linalg.eigvalsh(LOWER)[-1], atol=1e-14)
    np.testing.assert_allclose(cU, 5 * UPPER / np.linalg.eigvalsh(UPPER)[-1], atol=1e-14)


@pytest.mark.parametrize("channels", ["shared", "separate"])
def test_total_divides_the_sum_again(channels: str) -> None:
    P = Propagation(0.5, normalise="total", channels=channels)(HOLED).sum(axis=0)
    each = Propagation(0.5, normalise="each")(HOLED)[0]
    assert np.linalg.norm(P, 2) == pytest.approx(1.0, rel=1e-13)
    np.testing.assert_allclose(P, each / np.linalg.norm(each, 2), rtol=1e-12)


@pytest.mark.parametrize("normalise", ["raw", "each", "total"])
def test_signed_operators_keep_the_hodge_decomposition(normalise: str) -> None:
    P = np.asarray(Propagation(0.3, 0.7, -0.4, normalise=normalise)(HOLED)[0])
    for part in projectors(HOLED):
        np.testing.assert_allclose(P @ part, part @ P, atol=1e-13)


def test_adjacency_is_row_stochastic_with_self_loops() -> None:
    kept = {"operator": "adjacency", "normalise": "raw"}
    _, lower, upper = Propagation(channels="separate", **kept)(HOLED)
    mean = Propagation(0.0, 0.5, 0.5, **kept)(HOLED)[0]  # the author's DBLP script
    np.testing.assert_allclose(mean, (lower + upper) / 2, rtol=1e-15)
    for e, f in product(range(10), range(10)):
        shared = set(EDGES[e]) & set(EDGES[f])
        filled = any(set(EDGES[e]) | set(EDGES[f]) <= set(t) for t in HOLED.triangles)
        assert (lower[e, f] > 0) == bool(shared)
        assert (upper[e, f] > 0) == (filled or e == f)
    for A in (lower, upper, mean):
        np.testing.assert_allclose(A.sum(axis=1), 1, rtol=1e-14)
    assert lower[0, 3] != lower[3, 0]  # not symmetric


@pytest.mark.parametrize("operator", ["absolute", "adjacency"])
def test_unsigned_operators_have_no_orientation(operator: str) -> None:
    P = Propagation(0.3, 0.7, 0.4, operator=operator)
    np.testing.assert_array_equal(P(HOLED.flip([0, 3, 8], [1])), P(HOLED))
    assert (P(HOLED) >= 0).all()


def test_absolute() -> None:
    P = Propagation(0.0, 0.7, 0.4, operator="absolute", normalise="raw")(HOLED)[0]
    np.testing.assert_allclose(P, 0.7 * np.abs(LOWER) + 0.4 * np.abs(UPPER), rtol=1e-15)


@pytest.mark.parametrize("normalise", ["raw", "each", "total"])
@pytest.mark.parametrize("operator", ["hodge", "absolute"])
def test_without_triangles_there_is_no_upper_channel(normalise: str, operator: str) -> None:
    with_upper = Propagation(0.5, 1.0, 9.0, operator=operator, normalise=normalise)
    without = Propagation(0.5, 1.0, 0.0, operator=operator, normalise=normalise)
    np.testing.assert_array_equal(with_upper(NONE), without(NONE))


def test_an_adjacency_without_triangles_is_its_self_loops() -> None:
    P = Propagation(0.0, 0.0, 1.0, operator="adjacency", normalise="raw")(NONE)[0]
    np.testing.assert_array_equal(P, np.eye(10))


def test_nothing_propagates_is_zero_and_not_nan() -> None:
    np.testing.assert_array_equal(Propagation(0.0, 0.0, 0.0, normalise="total")(HOLED), 0)


def test_operators_are_padded_with_zeros() -> None:
    P = operators([HOLED, SMALL], Propagation(channels="separate"), 11)
    assert P.shape == (2, 3, 11, 11)
    np.testing.assert_array_equal(P[1, :, :4, :4], Propagation(channels="separate")(SMALL))
    np.testing.assert_array_equal(P[1, :, 4:], 0)
    np.testing.assert_array_equal(P[1, :, :, 4:], 0)


def test_the_mixing_by_loops() -> None:
    rng = np.random.default_rng(0)
    P, Q, C = rng.normal(size=(2, 2, 3, 3)), rng.normal(size=(1, 2, 4, 4)), rng.normal(size=(3, 4))
    block = jnp.asarray(np.broadcast_to(C, (2, 1, 3, 4)))
    mixed = SimplicialMixing(jnp.asarray(P), jnp.asarray(Q), 1.5).mix(block)
    for i, a, b in product(range(2), range(3), range(4)):
        terms = product(range(2), range(3), range(4))
        total = sum(P[i, c, a, u] * C[u, v] * Q[0, c, b, v] for c, u, v in terms)
        assert mixed[i, 0, a, b] == pytest.approx(1.5**2 * total, rel=1e-12)


def test_coefficients_have_finite_gradients() -> None:
    def total(a: jax.Array, b: jax.Array, c: jax.Array) -> jax.Array:
        return (Propagation(a, b, c, normalise="total")(HOLED) ** 2).sum()

    assert np.isfinite(jax.grad(total, argnums=(0, 1, 2))(0.5, 1.0, 1.0)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Propagation(jnp.ones(2)), r"`residual` must be one number, got shape \(2,\)"),
        (lambda: Propagation(lower=np.inf), "`lower` must be finite, got inf"),
        (lambda: Propagation(upper=np.nan), "`upper` must be finite, got nan"),
        (lambda: Propagation(operator="signed"), r"`operator` must be one of .*, got 'signed'"),
        (lambda: Propagation(normalise="both"), r"`normalise` must be one of .*, got 'both'"),
        (lambda: Propagation(channels=3), r"`channels` must be one of .*, got 3"),
    ],
)
def test_errors(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
