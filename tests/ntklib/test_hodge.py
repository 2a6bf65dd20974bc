"""The Hodge decomposition: projectors and Betti numbers."""

from itertools import combinations

import numpy as np
import pytest
from cases_simplicial import EDGES, HOLED, OTHER, SMALL

from ntklib.complexes import SimplicialComplex
from ntklib.hodge import betti, projectors

SIDES = list(combinations(range(4), 2))
FACES = list(combinations(range(4), 3))
BETTI = [
    (SimplicialComplex(3, [(0, 1), (0, 2), (1, 2)]), (1, 1, 0)),
    (SimplicialComplex(3, [(0, 1), (0, 2), (1, 2)], [(0, 1, 2)]), (1, 0, 0)),
    (SimplicialComplex(4, SIDES, FACES), (1, 0, 1)),  # a hollow tetrahedron is a sphere
    (SimplicialComplex(5, [(0, 1), (2, 3)]), (3, 0, 0)),  # vertex 4 is by itself
    (HOLED, (1, 2, 0)),
    (OTHER, (1, 3, 0)),
    (SMALL, (1, 0, 0)),
    (HOLED.flip([0, 7, 9], [1]), (1, 2, 0)),
]


@pytest.mark.parametrize(("one", "expected"), BETTI)
def test_betti_numbers(one: SimplicialComplex, expected: tuple[int, int, int]) -> None:
    assert betti(one) == expected
    lower, upper = one.laplacians()
    eigenvalues = np.linalg.eigvalsh(lower + upper)
    assert (eigenvalues < 1e-9).sum() == expected[1]


@pytest.mark.parametrize("one", [one for one, _ in BETTI])
def test_the_projectors_decompose_the_flows(one: SimplicialComplex) -> None:
    parts = projectors(one)
    B1, B2 = one.boundaries()
    np.testing.assert_allclose(sum(parts), np.eye(len(one.edges)), atol=1e-13)
    for P in parts:
        np.testing.assert_allclose(P @ P, P, atol=1e-13)
        np.testing.assert_allclose(P, P.T, atol=1e-13)
    for P, Q in combinations(parts, 2):
        np.testing.assert_allclose(P @ Q, 0, atol=1e-13)
    dimensions = [np.linalg.matrix_rank(B1), betti(one)[1], np.linalg.matrix_rank(B2)]
    np.testing.assert_allclose([np.trace(P) for P in parts], dimensions, atol=1e-12)
    np.testing.assert_allclose(parts.gradient, np.linalg.pinv(B1) @ B1, atol=1e-13)
    np.testing.assert_allclose(parts.gradient @ B1.T, B1.T, atol=1e-13)
    np.testing.assert_allclose(parts.curl @ B2, B2, atol=1e-13)
    np.testing.assert_allclose(B1 @ parts.harmonic, 0, atol=1e-13)
    np.testing.assert_allclose(B2.T @ parts.harmonic, 0, atol=1e-13)


def test_projectors_turn_with_the_orientation() -> None:
    D = np.ones(len(EDGES))
    D[[2, 5]] = -1
    for P, flipped in zip(projectors(HOLED), projectors(HOLED.flip([2, 5])), strict=True):
        np.testing.assert_allclose(flipped, D[:, None] * P * D, atol=1e-13)
