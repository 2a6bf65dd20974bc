"""Open triads and their surroundings: by hand, and against loops over all triples."""

from itertools import combinations

import numpy as np
import pytest

from ntklib import Simplices, ego_complexes, open_triads


def at_zero(*sets: list[int]) -> Simplices:
    return Simplices.of(sets, [0] * len(sets))


def inside(triple: tuple[int, ...], sets: list[list[int]]) -> bool:
    return any(set(triple) <= set(one) for one in sets)


def test_open_triads_by_hand() -> None:
    """1, 2, 3 have met in pairs; 3, 4, 5 all together; 1, 3, 4 too, but without the pair 1, 4."""
    past = at_zero([1, 2], [2, 3], [3, 1], [3, 4, 5])
    triads = open_triads(past, at_zero([9, 3, 2, 1], [1, 3, 4]))
    assert triads.vertices.tolist() == [[1, 2, 3]] and triads.closes.tolist() == [True]
    assert not open_triads(past, at_zero([1, 2])).closes[0]
    assert open_triads(at_zero([1, 2]), past).vertices.shape == (0, 3)


def test_open_triads_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(1)
    sets = [rng.choice(12, rng.integers(1, 5), replace=False).tolist() for _ in range(60)]
    past, future = sets[:30], sets[30:]
    expected = {
        triple: inside(triple, future)
        for triple in combinations(range(12), 3)
        if all(inside(pair, past) for pair in combinations(triple, 2)) and not inside(triple, past)
    }
    triads = open_triads(at_zero(*past), at_zero(*future))
    found = zip(map(tuple, triads.vertices.tolist()), triads.closes.tolist(), strict=True)
    assert dict(found) == expected
    assert len(triads.vertices) == len(expected) and 0 < triads.closes.sum() < len(expected)


def test_a_triads_surroundings_by_hand() -> None:
    """8 met the triad three times, 4 and 6 once each (4 comes first), 7 never."""
    pairs = [[1, 2], [2, 3], [3, 1], [3, 1]]
    past = at_zero(*pairs, [1, 8], [1, 8, 2], [6, 3], [4, 2], [8, 7])
    (ego,) = ego_complexes(np.array([[1, 2, 3]]), past, size=5)
    assert ego.vertices.tolist() == [1, 2, 3, 8, 4]
    assert ego.complex.edges == ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (1, 4))
    assert ego.weights.tolist() == [2, 2, 2, 1, 1, 1]
    assert ego.complex.triangles == ((0, 1, 3),)
    (all_,) = ego_complexes(np.array([[1, 2, 3]]), past, size=9)
    assert all_.vertices.tolist() == [1, 2, 3, 8, 4, 6] and all_.complex.n_vertices == 6
    (alone,) = ego_complexes(np.array([[1, 2, 3]]), past, size=3)
    assert alone.complex.edges == ((0, 1), (0, 2), (1, 2)) and alone.complex.triangles == ()


def test_surroundings_hold_every_edge_and_triangle_of_the_past() -> None:
    rng = np.random.default_rng(2)
    sets = [rng.choice(15, rng.integers(2, 5), replace=False).tolist() for _ in range(60)]
    past = at_zero(*sets)
    triads = open_triads(past, past).vertices
    for triad, ego in zip(triads, ego_complexes(triads, past, size=6), strict=True):
        assert ego.vertices[:3].tolist() == triad.tolist()
        names = ego.vertices.tolist()
        for k, simplices in ((2, ego.complex.edges), (3, ego.complex.triangles)):
            expected = {
                local
                for local in combinations(range(len(names)), k)
                if inside(tuple(names[i] for i in local), sets)
            }
            assert set(simplices) == expected
        for (i, j), weight in zip(ego.complex.edges, ego.weights, strict=True):
            assert weight == sum({names[i], names[j]} <= set(one) for one in sets)


def test_errors() -> None:
    past = at_zero([1, 2], [2, 3], [3, 1], [3, 4])
    with pytest.raises(ValueError, match=r"`size` must be at least 3, got 2. The triad itself"):
        ego_complexes(np.array([[1, 2, 3]]), past, size=2)
    with pytest.raises(ValueError, match=r"row 1 is \[1, 3, 4\]. `open_triads"):
        ego_complexes(np.array([[1, 2, 3], [1, 3, 4]]), past, size=4)
    with pytest.raises(ValueError, match=r"triangles of the past, .* got shape \(3,\)"):
        ego_complexes(np.array([1, 2, 3]), past, size=4)
    with pytest.raises(ValueError, match=r"row 0 is \[2, 1, 3\]"):
        ego_complexes(np.array([[2, 1, 3]]), past, size=4)
