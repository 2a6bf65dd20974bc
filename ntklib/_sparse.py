"""The operators of large complexes by their entries that are not 0: never a square array."""

from functools import reduce
from operator import add
from typing import Any

import numpy as np

from ntklib.complexes import Incidences, SimplicialComplex
from ntklib.propagation import Operator, Propagation

_SMALL = 100  # edges: below, the norm of a dense array is as quick, and has no least size


def operators(complex_: SimplicialComplex, propagation: Propagation) -> list[Any]:
    r"""`propagation(complex_)`, channel by channel, in SciPy's CSR format and in float64.

    The coefficients are known numbers. Largest singular values are those of a Lanczos iteration.

    Cost: O(E k) time and memory, k edges next to an edge; some tens of products with a norm.
    Source: derived.
    """
    V, E, T = complex_.n_vertices, len(complex_.edges), len(complex_.triangles)
    at_vertices, at_triangles = complex_.incidences()
    B1, B2 = _matrix(at_vertices, (V, E)), _matrix(at_triangles, (E, T))
    laplacians = (B1.T @ B1).tocsr(), (B2 @ B2.T).tocsr()
    lower, upper = (_operator(L, propagation.operator) for L in laplacians)
    if propagation.normalise != "raw":
        lower, upper = (L / (_norm(L) or 1.0) for L in (lower, upper))
    terms = (
        (propagation.residual, identity(E)),
        (propagation.lower, lower),
        (propagation.upper, upper),
    )
    P = [float(np.asarray(coefficient)) * term for coefficient, term in terms]
    if propagation.normalise == "total":
        norm = _norm(reduce(add, P)) or 1.0
        P = [term / norm for term in P]
    return [reduce(add, P)] if propagation.channels == "shared" else P


def identity(size: int) -> Any:
    """The operator of a layer that does not propagate."""
    import scipy.sparse

    return scipy.sparse.eye_array(size, format="csr")


def _matrix(entries: Incidences, shape: tuple[int, int]) -> Any:
    import scipy.sparse  # only where it is needed: it takes a while to load

    return scipy.sparse.csr_array((entries.signs, (entries.rows, entries.columns)), shape=shape)


def _operator(L: Any, operator: Operator) -> Any:
    """The chosen form of a Hodge Laplacian, as `Propagation` makes it of a dense one."""
    if operator == "hodge":
        return L
    if operator == "absolute":
        return abs(L)
    A = (abs(L) + identity(L.shape[0])).tocsr()
    counts = np.diff(A.indptr)
    A.data = np.repeat(1.0 / counts, counts)
    return A


def _norm(L: Any) -> float:
    """The largest singular value."""
    import scipy.sparse.linalg

    if L.shape[0] < _SMALL or not L.count_nonzero():
        return float(np.linalg.norm(L.toarray(), 2)) if L.count_nonzero() else 0.0
    start = np.random.default_rng(0).standard_normal(L.shape[0])
    return float(scipy.sparse.linalg.svds(L, k=1, v0=start, return_singular_vectors=False)[0])
