"""Simplicial complexes: boundary maps by hand, orientations, errors."""

from collections.abc import Callable

import jax
import numpy as np
import pytest
from cases_simplicial import EDGES, HOLED, OTHER, SMALL

from ntklib.complexes import SimplicialComplex

TRIANGLE = SimplicialComplex(3, [(0, 1), (0, 2), (1, 2)], [(0, 1, 2)])


def test_the_boundary_of_one_triangle() -> None:
    B1, B2 = TRIANGLE.boundaries()
    np.testing.assert_array_equal(B1, [[-1, -1, 0], [1, 0, -1], [0, 1, 1]])
    np.testing.assert_array_equal(B2, [[1], [-1], [1]])


@pytest.mark.parametrize("one", [HOLED, OTHER, SMALL, HOLED.flip([1, 4], [0])], ids=str)
def test_a_boundary_has_no_boundary(one: SimplicialComplex) -> None:
    B1, B2 = one.boundaries()
    assert np.abs(B1).sum() == 2 * len(one.edges)
    assert np.abs(B2).sum() == 3 * len(one.triangles)
    np.testing.assert_array_equal(B1 @ B2, 0)
    lower, upper = one.laplacians()
    np.testing.assert_array_equal(lower @ upper, 0)
    np.testing.assert_array_equal(np.diag(lower), 2)


def test_the_order_of_edges_is_the_callers() -> None:
    order = [4, 0, 9, 1, 2, 3, 8, 5, 7, 6]
    mixed = SimplicialComplex(7, [EDGES[e] for e in order], HOLED.triangles)
    for ours, theirs in zip(mixed.laplacians(), HOLED.laplacians(), strict=True):
        np.testing.assert_array_equal(ours, theirs[np.ix_(order, order)])


def test_edges_of_triangles_some_of_them_filled() -> None:
    triangles = np.array([[3, 1, 2], [2, 0, 1], [4, 3, 2]])
    edges = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4)]
    full = SimplicialComplex.from_triangles(triangles)
    assert full == SimplicialComplex(5, edges, [(1, 2, 3), (0, 1, 2), (2, 3, 4)])
    some = SimplicialComplex.from_triangles(triangles, np.array([False, True, False]))
    assert some == SimplicialComplex(5, edges, [(0, 1, 2)])


@pytest.mark.parametrize(
    ("triangles", "filled", "message"),
    [
        ([[0, 1, 2]], [1], r"`filled` must be one boolean a triangle, shape \(1,\), got \(1,\) of"),
        ([[0, 1, 2]], [True, True], r"shape \(1,\), got \(2,\) of bool"),
        ([[0, 1]], None, r"`triangles` must be integers of shape \(count, 3\), got shape \(1, 2\)"),
        ([], None, "`edges` must hold at least one edge"),
        ([[0, 1, 2], [2, 1, 0]], None, "must list \\(0, 1, 2\\) once"),
    ],
)
def test_what_triangles_must_be(triangles: list, filled: list | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SimplicialComplex.from_triangles(triangles, filled)


def test_flips() -> None:
    flipped = HOLED.flip(edges=[0, 4], triangles=[1])
    D, D2 = np.ones(len(EDGES)), np.ones(2)
    D[[0, 4]], D2[1] = -1, -1
    (B1, B2), (F1, F2) = HOLED.boundaries(), flipped.boundaries()
    np.testing.assert_array_equal(F1, B1 * D)
    np.testing.assert_array_equal(F2, D[:, None] * B2 * D2)
    for L, F in zip(HOLED.laplacians(), flipped.laplacians(), strict=True):
        np.testing.assert_array_equal(F, D[:, None] * L * D)


def test_a_triangle_s_orientation_does_not_matter_above() -> None:
    upper = HOLED.flip(triangles=[0]).laplacians()[1]
    np.testing.assert_array_equal(upper, HOLED.laplacians()[1])


def test_complexes_are_values() -> None:
    again = SimplicialComplex(7, np.array(EDGES), [[0, 1, 2], [1, 2, 3]])
    assert again == HOLED and hash(again) == hash(HOLED)
    assert OTHER != HOLED != HOLED.flip([3]) != HOLED.flip(triangles=[0])
    assert HOLED.flip([3, 5]).flip([5, 3]) == HOLED
    assert jax.tree.leaves(HOLED) == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SimplicialComplex(3, []), "`edges` must hold at least one edge, got none"),
        (lambda: SimplicialComplex(0, [(0, 1)]), "`n_vertices` must be at least 1, got 0"),
        (
            lambda: SimplicialComplex(2, [(0, 1), (1, 2)]),
            r"`edges\[1\]` must have vertices from 0 to 1, got \(1, 2\)",
        ),
        (lambda: SimplicialComplex(2, [(-1, 1)]), "must have vertices from 0 to 1"),
        (
            lambda: SimplicialComplex(3, [(0, 1), (2, 1)]),
            r"`edges\[1\]` must have increasing vertices, got \(2, 1\). Sort them; `flip` reverses",
        ),
        (lambda: SimplicialComplex(3, [(1, 1)]), "must have increasing vertices"),
        (
            lambda: SimplicialComplex(3, [(0, 1), (1, 2), (0, 1)]),
            r"`edges` must list \(0, 1\) once, got it 2 times",
        ),
        (
            lambda: SimplicialComplex(3, [(0, 1), (1, 0)]),
            r"(?s)increasing vertices, got \(1, 0\).*must list \(0, 1\) once",
        ),
        (
            lambda: SimplicialComplex(3, TRIANGLE.edges, [(0, 1, 2), (0, 1, 2)]),
            r"`triangles` must list \(0, 1, 2\) once",
        ),
        (
            lambda: SimplicialComplex(3, TRIANGLE.edges, [(0, 2, 1)]),
            r"`triangles\[0\]` must have increasing vertices, got \(0, 2, 1\)",
        ),
        (
            lambda: SimplicialComplex(4, TRIANGLE.edges, [(0, 1, 2), (0, 1, 3)]),
            r"`triangles\[1\]` = \(0, 1, 3\) must have all its edges in `edges`, "
            r"which lacks \(0, 3\), \(1, 3\)",
        ),
        (
            lambda: SimplicialComplex(3, [(0, 1, 2)]),
            r"`edges` must be integers of shape \(count, 2\), got shape \(1, 3\)",
        ),
        (lambda: SimplicialComplex(3, [(0.0, 1.0)]), "must be integers .* of float64"),
        (lambda: TRIANGLE.flip([3]), r"`flipped_edges` must be from 0 to 2, got \[3\]"),
        (lambda: TRIANGLE.flip([], [1]), r"`flipped_triangles` must be from 0 to 0, got \[1\]"),
    ],
)
def test_errors(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
