"""Simplices with times: who was together, and when; their edges and triangles."""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple, final

import equinox as eqx
import numpy as np
from jaxtyping import Int

from ntklib import _checks


class Faces(NamedTuple):
    """Sets of vertices inside simplices, sorted; first time, and number of simplices, of each."""

    vertices: Int[np.ndarray, "F size"]
    first: Int[np.ndarray, " F"]
    weights: Int[np.ndarray, " F"]


@final
class Simplices(eqx.Module):
    r"""Sets of vertices, each with a time: papers and their authors, messages and their readers.

    .. math:: s_i = \{v_j : o_i \le j < o_{i+1}\} \ \text{at time} \ t_i

    The sets are ragged and lie end to end in one array. A set may occur many times. `x[rows]`
    chooses simplices, by a mask or by their numbers.

    Args:
        offsets: where each simplex begins, and where the last one ends: o.
        vertices: the vertices of one simplex after the other: v.
        times: the time of each simplex: t.

    Cost: none; the arrays are taken as they are.
    Source: derived.
    """

    offsets: Int[np.ndarray, " bounds"]
    vertices: Int[np.ndarray, " entries"]
    times: Int[np.ndarray, " simplices"]

    @classmethod
    def of(cls, simplices: Iterable[Sequence[int]], times: Sequence[int]) -> "Simplices":
        """From a list of sets of vertices and the time of each.

        Args:
            simplices: for each simplex its vertices.
            times: for each simplex its time.

        Raises:
            ValueError: if they are not as many, a simplex is empty or repeats a vertex, or a
                vertex is negative.

        Cost: O(entries). Source: derived.
        """
        sets = [np.asarray(one, dtype=int) for one in simplices]
        hint = "Every simplex has one time."
        problems = [
            f"`simplices[{i}]` must be different whole numbers from 0, at least one, "
            f"got {one.tolist()}."
            for i, one in enumerate(sets)
            if not (0 < len(one) == len(np.unique(one)) and one.min() >= 0)
        ]
        if len(sets) != len(times):
            problems.append(f"`times` must have length {len(sets)}, got {len(times)}. {hint}")
        _checks.refuse(problems)
        offsets = np.append(0, np.cumsum([len(one) for one in sets], dtype=int))
        flat = np.concatenate(sets) if sets else np.zeros(0, dtype=int)
        return cls(offsets, flat, np.asarray(times, dtype=int))

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, rows: slice | Sequence[int] | np.ndarray) -> "Simplices":
        chosen = np.arange(len(self))[rows]
        sizes = np.diff(self.offsets)[chosen]
        offsets = np.append(0, np.cumsum(sizes))
        shift = np.repeat(self.offsets[chosen] - offsets[:-1], sizes)
        return Simplices(offsets, self.vertices[np.arange(offsets[-1]) + shift], self.times[chosen])

    def faces(self, size: int) -> Faces:
        r"""All sets of `size` vertices inside a simplex, once each: with 2 the edges of a graph.

        .. math:: \{f : |f| = \text{size}, \ f \subseteq s_i \text{ for some } i\}

        Args:
            size: vertices of a face; 2 for edges, 3 for filled triangles.

        Raises:
            ValueError: if `size` is below 1.

        Cost: O(F log F) time and O(F) memory for F = sum of binomials (size of simplex, `size`).
        Source: derived.
        """
        _checks.refuse(_checks.at_least_one("size", size, "It counts vertices: an edge is 2."))
        sizes = np.diff(self.offsets)
        tables, times = [np.zeros((0, size), dtype=int)], [np.zeros(0, dtype=int)]
        for k in np.unique(sizes[sizes >= size]):
            rows = np.flatnonzero(sizes == k)
            whole = np.sort(self.vertices[self.offsets[rows, None] + np.arange(k)], axis=1)
            inside = np.array(list(combinations(range(k), size)))
            tables.append(whole[:, inside].reshape(-1, size))
            times.append(np.repeat(self.times[rows], len(inside)))
        table, time = np.concatenate(tables), np.concatenate(times)
        order = np.lexsort(table.T[::-1])
        table, time = table[order], time[order]
        new = np.append(True, (table[1:] != table[:-1]).any(axis=1))[: len(table)]
        starts = np.flatnonzero(new)
        first = np.minimum.reduceat(time, starts) if len(time) else time
        return Faces(table[starts], first, np.diff(np.append(starts, len(table))))
