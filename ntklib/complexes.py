"""Simplicial complexes: vertices, edges and filled triangles, oriented."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any, NamedTuple, final

import equinox as eqx
import numpy as np
from jaxtyping import Bool, Float, Int

from ntklib import _checks


class Incidences(NamedTuple):
    """The entries of a boundary map that are not 0."""

    rows: Int[np.ndarray, " entries"]
    columns: Int[np.ndarray, " entries"]
    signs: Float[np.ndarray, " entries"]


@final
class SimplicialComplex(eqx.Module):
    r"""Vertices, edges and filled triangles, with an orientation of each: plain integers, frozen.

    .. math:: e = (i, j): \; B_1[i, e] = -1, \; B_1[j, e] = +1; \qquad
              t = (i, j, k): \; B_2[jk, t] = +1, \; B_2[ik, t] = -1, \; B_2[ij, t] = +1

    Simplices are written from low to high vertex, which is also their orientation; `flip` turns
    it. Equal complexes compare equal, and under jit a complex is a constant.

    Args:
        n_vertices: number of vertices; they are called 0 to n_vertices - 1.
        edges: pairs of vertices, (E, 2). Their order is the order of rows in all that follows.
        triangles: the filled triangles, (T, 3); may be empty. Their edges must be in `edges`.
        flipped_edges: indices of the edges that run from high to low.
        flipped_triangles: indices of the triangles with reversed orientation.

    Raises:
        ValueError: if there is no edge, a vertex is out of range, vertices do not increase, a
            simplex is repeated, a triangle lacks an edge, or a flipped index does not exist.

    Cost: O(E + T).
    Source: derived.
    """

    n_vertices: int = eqx.field(static=True)
    edges: tuple[tuple[int, ...], ...] = eqx.field(
        static=True, converter=lambda values: _simplices("edges", values, 2)
    )
    triangles: tuple[tuple[int, ...], ...] = eqx.field(
        static=True, default=(), converter=lambda values: _simplices("triangles", values, 3)
    )
    flipped_edges: tuple[int, ...] = eqx.field(
        static=True, default=(), converter=lambda flips: _indices(flips), kw_only=True
    )
    flipped_triangles: tuple[int, ...] = eqx.field(
        static=True, default=(), converter=lambda flips: _indices(flips), kw_only=True
    )

    def __check_init__(self) -> None:
        problems = _checks.at_least_one("n_vertices", self.n_vertices, "Vertices count from 0.")
        if not self.edges:
            problems.append(
                "`edges` must hold at least one edge, got none. Features live on edges."
            )
        if not problems:
            problems += _spelling("edges", self.edges, self.n_vertices)
            problems += _spelling("triangles", self.triangles, self.n_vertices)
            problems += _closure(self.edges, self.triangles)
            problems += _known("flipped_edges", self.flipped_edges, len(self.edges))
            problems += _known("flipped_triangles", self.flipped_triangles, len(self.triangles))
        _checks.refuse(problems)

    @classmethod
    def from_triangles(
        cls, triangles: Int[np.ndarray, "t 3"], filled: Bool[np.ndarray, " t"] | None = None
    ) -> "SimplicialComplex":
        r"""The complex of all edges of some triangles, of which only some need be filled.

        .. math:: E = \{ \{i, j\} : \{i, j\} \subset t \text{ for one of the triangles } t \}

        Other choices of `filled` give other complexes on the same graph.

        Args:
            triangles: vertices in any order, (T, 3); a triangulation, say.
            filled: which of them are filled. Without it, all.

        Raises:
            ValueError: if `triangles` is not a table of integers, `filled` is not one boolean a
                triangle, or the complex itself is not valid.

        Cost: O(T log T).
        Source: derived.
        """
        table = np.sort(np.array(_simplices("triangles", triangles, 3), dtype=int).reshape(-1, 3))
        chosen = np.ones(len(table), bool) if filled is None else np.asarray(filled)
        if chosen.shape != (len(table),) or chosen.dtype != bool:
            raise ValueError(
                f"`filled` must be one boolean a triangle, shape ({len(table)},), got "
                f"{chosen.shape} of {chosen.dtype}. Write `rng.random({len(table)}) < 0.5`."
            )
        edges = {side for row in table.tolist() for side in combinations(row, 2)}
        return cls(int(table.max(initial=0)) + 1, tuple(sorted(edges)), table[chosen])

    def __hash__(self) -> int:
        return hash((self.n_vertices, self.edges, self.triangles, self.flipped_edges))

    def flip(self, edges: Sequence[int] = (), triangles: Sequence[int] = ()) -> "SimplicialComplex":
        r"""The same complex with some orientations reversed.

        .. math:: B_1 \to B_1 D, \qquad B_2 \to D B_2 D', \qquad L \to D L D

        with D and D' diagonal, -1 at the flipped edges and triangles. L_up does not depend on D'.
        Features that are cochains (flows, differences) must be flipped too: X -> D X.

        Args:
            edges: indices of the edges to reverse; flipping twice restores them.
            triangles: indices of the triangles to reverse.

        Raises:
            ValueError: if an index does not exist.

        Cost: O(E + T).
        Source: derived.
        """
        return SimplicialComplex(
            self.n_vertices,
            self.edges,
            self.triangles,
            flipped_edges=tuple(set(self.flipped_edges) ^ set(edges)),
            flipped_triangles=tuple(set(self.flipped_triangles) ^ set(triangles)),
        )

    def boundaries(
        self,
    ) -> tuple[Float[np.ndarray, "vertices edges"], Float[np.ndarray, "edges triangles"]]:
        r"""The boundary maps, :math:`(B_1, B_2)`, of entries -1, 0 and 1, with B1 B2 = 0.

        Cost: O(V E + E T) memory: they are dense.
        Source: derived.
        """
        B1 = np.zeros((self.n_vertices, len(self.edges)))
        B2 = np.zeros((len(self.edges), len(self.triangles)))
        for B, entries in zip((B1, B2), self.incidences(), strict=True):
            B[entries.rows, entries.columns] = entries.signs
        return B1, B2

    def incidences(self) -> tuple[Incidences, Incidences]:
        r"""The same :math:`(B_1, B_2)` by their entries that are not 0: where, and which sign.

        Cost: O(E + T).
        Source: derived.
        """
        index = {edge: e for e, edge in enumerate(self.edges)}
        edge, triangle = np.ones(len(self.edges)), np.ones(len(self.triangles))
        edge[list(self.flipped_edges)], triangle[list(self.flipped_triangles)] = -1.0, -1.0
        ends = np.array(self.edges).ravel()
        sides = [index[s] for i, j, k in self.triangles for s in ((j, k), (i, k), (i, j))]
        e, t = np.repeat(np.arange(len(edge)), 2), np.repeat(np.arange(len(triangle)), 3)
        above = np.tile([1.0, -1.0, 1.0], len(triangle)) * triangle[t]
        return (
            Incidences(ends, e, np.tile([-1.0, 1.0], len(edge)) * edge[e]),
            Incidences(np.array(sides, int), t, above * edge[sides]),
        )

    def laplacians(
        self,
    ) -> tuple[Float[np.ndarray, "edges edges"], Float[np.ndarray, "edges edges"]]:
        r"""The lower and the upper Hodge Laplacian, :math:`(B_1^\top B_1, B_2 B_2^\top)`.

        Cost: O(V E^2 + T E^2) time, O(E^2) memory.
        Source: derived.
        """
        B1, B2 = self.boundaries()
        return B1.T @ B1, B2 @ B2.T


def _simplices(name: str, values: Any, size: int) -> tuple[tuple[int, ...], ...]:
    """A table of vertices as tuples of plain integers, which hash and compare."""
    table = np.asarray(values)
    if table.size == 0:
        return ()
    if table.ndim != 2 or table.shape[1] != size or not np.issubdtype(table.dtype, np.integer):
        raise ValueError(
            f"`{name}` must be integers of shape (count, {size}), got shape {table.shape} of "
            f"{table.dtype}. One row lists the vertices of one simplex."
        )
    return tuple(tuple(int(vertex) for vertex in row) for row in table)


def _indices(values: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted({int(value) for value in values}))


def _spelling(name: str, simplices: tuple[tuple[int, ...], ...], n_vertices: int) -> list[str]:
    """Each simplex is written once, from low to high, with vertices that exist."""
    problems = []
    for index, simplex in enumerate(simplices):
        if min(simplex) < 0 or max(simplex) >= n_vertices:
            hint = "Raise `n_vertices` or renumber."
            problems.append(
                f"`{name}[{index}]` must have vertices from 0 to {n_vertices - 1}, got {simplex}. "
                + hint
            )
        if any(low >= high for low, high in pairwise(simplex)):
            hint = "Sort them; `flip` reverses an orientation."
            problems.append(
                f"`{name}[{index}]` must have increasing vertices, got {simplex}. {hint}"
            )
    for simplex, count in Counter(tuple(sorted(one)) for one in simplices).items():
        if count > 1:
            problems.append(f"`{name}` must list {simplex} once, got it {count} times. Drop one.")
    return problems


def _closure(
    edges: tuple[tuple[int, ...], ...], triangles: tuple[tuple[int, ...], ...]
) -> list[str]:
    """All edges of a triangle belong to the complex."""
    there = {tuple(sorted(edge)) for edge in edges}
    problems = []
    for index, triangle in enumerate(triangles):
        missing = [side for side in combinations(sorted(triangle), 2) if side not in there]
        if missing:
            problems.append(
                f"`triangles[{index}]` = {triangle} must have all its edges in `edges`, which "
                f"lacks {', '.join(map(str, missing))}. Add them, or drop the triangle."
            )
    return problems


def _known(name: str, flips: tuple[int, ...], count: int) -> list[str]:
    wrong = [index for index in flips if not 0 <= index < count]
    hint = "They are indices, not vertices."
    return [f"`{name}` must be from 0 to {count - 1}, got {wrong}. {hint}"] if wrong else []
