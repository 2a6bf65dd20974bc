"""Ragged simplices with times: by hand, and against loops."""

from itertools import combinations

import numpy as np
import pytest

from ntklib import Simplices

SETS, TIMES = [[3, 1], [1, 2, 3], [7], [2, 1, 9, 3]], [40, 30, 20, 10]


def test_it_chooses_like_a_list() -> None:
    x = Simplices.of(SETS, TIMES)
    assert len(x) == 4 and x.offsets.tolist() == [0, 2, 5, 6, 10]
    for rows in ([2, 0], slice(1, 3), np.array(TIMES) > 15, []):
        chosen = x[rows]
        numbers = np.arange(4)[rows]
        parts = np.split(chosen.vertices, chosen.offsets[1:-1]) if len(chosen) else []
        assert [part.tolist() for part in parts] == [SETS[i] for i in numbers]
        assert chosen.times.tolist() == [TIMES[i] for i in numbers]


def test_faces_by_hand() -> None:
    faces = Simplices.of(SETS, TIMES).faces(3)
    assert faces.vertices.tolist() == [[1, 2, 3], [1, 2, 9], [1, 3, 9], [2, 3, 9]]
    assert faces.first.tolist() == [10, 10, 10, 10]
    assert faces.weights.tolist() == [2, 1, 1, 1]


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_faces_are_those_of_a_loop(size: int) -> None:
    rng = np.random.default_rng(0)
    sets = [rng.choice(8, rng.integers(1, 6), replace=False) for _ in range(40)]
    times = rng.integers(0, 100, 40)
    seen: dict[tuple[int, ...], list[int]] = {}
    for one, time in zip(sets, times, strict=True):
        for face in combinations(sorted(one.tolist()), size):
            seen.setdefault(face, []).append(int(time))
    faces = Simplices.of(sets, times).faces(size)
    assert [tuple(face) for face in faces.vertices.tolist()] == sorted(seen)
    assert faces.vertices.shape == (len(seen), size)
    assert faces.first.tolist() == [min(seen[face]) for face in sorted(seen)]
    assert faces.weights.tolist() == [len(seen[face]) for face in sorted(seen)]


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"`times` must have length 1, got 2. Every simplex has"):
        Simplices.of([[1, 2]], [0, 1])
    wrong = [[1, 2], [], [4, 5, 4], [-1, 2]]
    with pytest.raises(ValueError, match="must be different whole numbers from 0") as caught:
        Simplices.of(wrong, [0, 1, 2, 3])
    came = [line.rpartition("got ")[2] for line in str(caught.value).splitlines()]
    assert came == ["[].", "[4, 5, 4].", "[-1, 2]."]
    with pytest.raises(ValueError, match=r"`size` must be at least 1, got 0. It counts vertices"):
        Simplices.of(SETS, TIMES).faces(0)
