"""Conjugate gradients on all right-hand sides at once, with a preconditioner."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Product = Callable[[np.ndarray], np.ndarray]  # of a symmetric matrix with columns


class NotPositiveDefiniteError(Exception):
    """A direction was met along which the matrix is not positive, or not finite."""


class Solved(NamedTuple):
    """The solution, its largest residual relative to its right-hand side, and the iterations."""

    x: np.ndarray
    residual: float
    iterations: int


@np.errstate(over="ignore", invalid="ignore")  # a search that fails says so itself
def block_conjugate_gradients(
    product: Product, b: np.ndarray, inverse: Product, *, tolerance: float, limit: int
) -> Solved:
    r"""Solve A x = b for the columns of b, all of which search along the directions of all.

    .. math:: x \leftarrow x + P (P^\top A P)^{-1} P^\top r, \qquad
              P \leftarrow \mathrm{orth}(M^{-1} r - P (P^\top A P)^{-1} P^\top A M^{-1} r)

    The residual is that of x in a product of its own, not the one that the iteration carries: where
    rounding has parted them the search begins anew at x, until it no longer helps. No library has
    this: the methods of JAX and lineax take one right-hand side, or all as one long vector, want a
    product that they can trace, which tiles from disk are not, and report no residual.

    Args:
        product: V to A V, of float64 columns.
        b: right-hand sides, one a column.
        inverse: the preconditioner, V to about A^-1 V; it may be inexact.
        tolerance: of the norm of each residual, relative to that of its right-hand side.
        limit: how many iterations at most.

    Raises:
        NotPositiveDefiniteError: if A is not positive definite along a direction of the search.

    Cost: one product of all columns an iteration, and one each time the residual is measured.
    Source: derived.
    """
    x, used, best = inverse(b), 0, np.inf
    found = Solved(x, np.inf, 0)
    while True:
        r = b - product(x)
        residual = largest(r, b)
        if not np.isfinite(residual):
            raise NotPositiveDefiniteError
        if residual < best:
            found = Solved(x, residual, used)
        if residual <= tolerance or used >= limit or not residual < best / 2:
            return found._replace(iterations=used)
        best = residual
        step, steps = _search(product, r, inverse, tolerance * _norms(b), limit - used)
        x, used = x + step, used + steps


def largest(r: np.ndarray, b: np.ndarray) -> float:
    """The largest norm of a column, relative to that of b."""
    return float(np.max(np.linalg.norm(r, axis=0) / _norms(b), initial=0.0))


def _norms(b: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(b, axis=0)
    return np.where(norms > 0, norms, 1.0)


def _search(
    product: Product, r: np.ndarray, inverse: Product, goal: np.ndarray, limit: int
) -> tuple[np.ndarray, int]:
    """What to add to x so that the residual r falls below the goal, and the iterations."""
    x = np.zeros_like(r)
    P = _orthonormal(inverse(r))
    steps = 0
    while steps < limit:
        steps += 1
        AP = product(P)
        G = P.T @ AP
        L = _lower((G + G.T) / 2)
        weights = _divided(L, P.T @ r)
        x += P @ weights
        r = r - AP @ weights
        if np.all(np.linalg.norm(r, axis=0) <= goal):
            break
        z = inverse(r)
        P = _orthonormal(z - P @ _divided(L, AP.T @ z))
    return x, steps


def _orthonormal(V: np.ndarray) -> np.ndarray:
    """A basis of the columns, each counted at its own scale; directions lost in rounding go."""
    from scipy.linalg import svd  # only where it is needed: it takes a while to load

    norms = np.linalg.norm(V, axis=0)
    if not np.isfinite(norms).all():
        raise NotPositiveDefiniteError
    U, s, _ = svd(V[:, norms > 0] / norms[norms > 0], full_matrices=False)
    return np.asarray(U[:, s > 1e-12 * s[0]])


def _lower(G: np.ndarray) -> np.ndarray:
    try:
        return np.asarray(np.linalg.cholesky(G))
    except np.linalg.LinAlgError as error:
        raise NotPositiveDefiniteError from error


def _divided(L: np.ndarray, V: np.ndarray) -> np.ndarray:
    """(L L')^-1 V; L is as small as the number of columns."""
    return np.asarray(np.linalg.solve(L.T, np.linalg.solve(L, V)))
