"""Simplicial closure: which triangles of a graph become filled, and what surrounds them."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from ntklib import _checks
from ntklib.complexes import SimplicialComplex
from ntklib.simplices import Simplices


class Triads(NamedTuple):
    """Triples whose pairs have met but not all three: (n, 3), sorted; does a simplex fill it?"""

    vertices: Int[np.ndarray, "n 3"]
    closes: Bool[np.ndarray, " n"]


class Ego(NamedTuple):
    """A triad's surroundings: their complex, where the triad is 0, 1, 2; whose vertices they are;
    and how many simplices are around each edge."""

    complex: SimplicialComplex
    vertices: Int[np.ndarray, " vertices"]
    weights: Int[np.ndarray, " edges"]


def open_triads(past: Simplices, future: Simplices) -> Triads:
    r"""Every triangle of the past's graph that no past simplex fills, and whether a later one does.

    .. math:: \{a, b\} \subseteq s_1, \ \{a, c\} \subseteq s_2, \ \{b, c\} \subseteq s_3, \quad
              \text{no past } s \supseteq \{a, b, c\}

    Args:
        past: what is known.
        future: what is to be predicted.

    Cost: O(E^(3/2) log E) time, O(E^(3/2)) memory for E edges.
    Source: krishnagopal2026topological for the task, as the author's code has it.
    """
    triangles = _triangles(past.faces(2).vertices)
    filled = _find(triangles, past.faces(3).vertices) >= 0
    triangles = triangles[~filled]
    return Triads(triangles, _find(triangles, future.faces(3).vertices) >= 0)


def ego_complexes(triads: Int[np.ndarray, "n 3"], past: Simplices, *, size: int) -> list[Ego]:
    r"""The complex of the past around each triad: it and the vertices that met it most often.

    .. math:: V = \{a, b, c\} \cup \text{the } u \text{ of largest }
              \#\{s \ni u, a\} + \#\{s \ni u, b\} + \#\{s \ni u, c\}

    with all edges and filled triangles of the past among them. Of equals, the lowest number is
    first.

    Args:
        triads: triangles of the past's graph, one a row.
        past: what is known.
        size: vertices of a complex, with the triad; fewer if the triad has met fewer.

    Raises:
        ValueError: if `size` is below 3, or a triad is no triangle of the past.

    Cost: O(n size^3 + F log F) time and memory, with F faces of the past.
    Source: krishnagopal2026topological, as the author's code has it.
    """
    problems = _checks.at_least_one("size", size, "The triad itself has 3 vertices.")
    if not problems and size < 3:
        problems.append(f"`size` must be at least 3, got {size}. The triad itself has 3 vertices.")
    _checks.refuse(problems)
    edges, _, counts = past.faces(2)
    _checks.refuse(_not_triangles(triads, edges))
    around = _nearest(triads, edges, counts, size)
    pairs, triples = (np.array(list(combinations(range(size), k))) for k in (2, 3))
    there = _find(np.sort(around[:, pairs].reshape(-1, 2), axis=1), edges)
    there = there.reshape(len(around), -1)
    filled = _find(np.sort(around[:, triples].reshape(-1, 3), axis=1), past.faces(3).vertices)
    filled = filled.reshape(len(around), -1) >= 0
    return [
        Ego(
            SimplicialComplex(int((v >= 0).sum()), _rows(pairs[e >= 0]), _rows(triples[f])),
            v[v >= 0],
            counts[e[e >= 0]],
        )
        for v, e, f in zip(around, there, filled, strict=True)
    ]


def _rows(table: np.ndarray) -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, table.tolist()))


def _nearest(
    triads: np.ndarray, edges: np.ndarray, counts: np.ndarray, size: int
) -> Int[np.ndarray, "n size"]:
    """Each triad and its neighbours, the most frequent first; -1 where there are no more."""
    ends, others = np.concatenate([edges, edges[:, ::-1]]).T
    order = np.argsort(ends, kind="stable")
    ends, others, weights = ends[order], others[order], np.tile(counts, 2)[order]
    around = np.full((len(triads), size), -1)
    for row, triad in zip(around, triads, strict=True):
        bounds = [
            np.searchsorted(ends, vertex, side) for vertex in triad for side in ("left", "right")
        ]
        mine = np.concatenate([np.arange(*bounds[i : i + 2]) for i in (0, 2, 4)])
        mine = mine[~np.isin(others[mine], triad)]
        vertices, which = np.unique(others[mine], return_inverse=True)
        score = np.bincount(which, weights[mine])
        best = vertices[np.argsort(-score, kind="stable")][: size - 3]
        row[:3], row[3 : 3 + len(best)] = triad, best
    return around


def _triangles(edges: np.ndarray) -> Int[np.ndarray, "n 3"]:
    """All triangles, each found at its vertex of lowest degree, so that hubs cost little."""
    degrees = np.bincount(edges.ravel()) if len(edges) else np.zeros(1, dtype=int)
    swap = degrees[edges[:, 0]] > degrees[edges[:, 1]]  # equals: the lower number comes first
    low, high = np.where(swap, edges[:, 1], edges[:, 0]), np.where(swap, edges[:, 0], edges[:, 1])
    order = np.argsort(low, kind="stable")
    low, high = low[order], high[order]
    rest = np.searchsorted(low, low, "right") - np.arange(len(low)) - 1
    one = np.repeat(np.arange(len(low)), rest)
    two = one + 1 + np.arange(len(one)) - np.repeat(np.cumsum(rest) - rest, rest)
    closing = np.sort(np.stack([high[one], high[two]], axis=1), axis=1)
    there = _find(closing, edges) >= 0
    return np.sort(np.column_stack([low[one], closing])[there], axis=1)


def _find(rows: np.ndarray, table: np.ndarray) -> Int[np.ndarray, " n"]:
    """Where each row stands in a table of different rows, or -1. No key can overflow."""
    both = np.concatenate([table, rows])
    order = np.lexsort(both.T[::-1])  # stable: of equal rows, the table's comes first
    new = np.append(True, (both[order[1:]] != both[order[:-1]]).any(axis=1))[: len(both)]
    first = np.maximum.accumulate(np.where(new, np.arange(len(both)), 0))
    place = np.empty(len(both), dtype=int)
    place[order] = order[first]
    found = place[len(table) :]
    return np.where(found < len(table), found, -1)


def _not_triangles(triads: np.ndarray, edges: np.ndarray) -> list[str]:
    rule = "`triads` must be triangles of the past, sorted, of shape (n, 3)"
    hint = "`open_triads(past, future).vertices` are."
    if triads.ndim != 2 or triads.shape[1] != 3:
        return [f"{rule}, got shape {triads.shape}. {hint}"]
    sides = np.concatenate([triads[:, [0, 1]], triads[:, [0, 2]], triads[:, [1, 2]]])
    wrong = np.unique(np.flatnonzero(_find(sides, edges) < 0) % max(len(triads), 1))
    return [f"{rule}; row {wrong[0]} is {triads[wrong[0]].tolist()}. {hint}"] if len(wrong) else []
