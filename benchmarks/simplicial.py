"""Simplicial networks (TopoNTK): all pairs of edges of a triangulation, one hidden layer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
import scipy.spatial

from benchmarks.exact import Array, many_digits, relu, rounded
from benchmarks.plan import Growth, Peer, Row

CORNER = 3  # edges whose numbers are compared
FEATURES = 16
CSR = Peer("SciPy, CSR", "csr")


def triangles(vertices: int) -> Array:
    """Of random points in the plane: about twice as many as points, with thrice as many edges."""
    points = np.random.default_rng(0).random((vertices, 2))
    return np.sort(scipy.spatial.Delaunay(points).simplices, axis=1)


def sides(faces: Array) -> Array:
    """The edges in order, from low to high vertex."""
    return np.unique(np.concatenate([faces[:, [0, 1]], faces[:, [0, 2]], faces[:, [1, 2]]]), axis=0)


def features(edges: int, dtype: str) -> Array:
    """Normal features of the edges."""
    return np.random.default_rng(1).standard_normal((edges, FEATURES)).astype(dtype)


def ours(vertices: int, dtype: str) -> Callable[[], Any]:
    """The direct call."""
    import jax.numpy as jnp

    import ntklib

    faces = triangles(vertices)
    one = ntklib.SimplicialComplex.from_triangles(faces)
    kernel = ntklib.Simplicial(2, ntklib.Propagation(normalise="raw"))
    x = ntklib.Cochains.of([one], [jnp.asarray(features(len(sides(faces)), dtype))])
    return lambda: kernel(x).ntk.block_until_ready()


def propagation(faces: Array) -> Any:
    """I + L_down + L_up in CSR, from the boundary maps."""
    edges = sides(faces)
    number = {(i, j): e for e, (i, j) in enumerate(edges.tolist())}
    each, T = np.arange(len(edges)), np.arange(len(faces))
    B1 = scipy.sparse.lil_matrix((faces.max() + 1, len(edges)))
    B1[edges[:, 0], each], B1[edges[:, 1], each] = -1, 1
    B2 = scipy.sparse.lil_matrix((len(edges), len(faces)))
    for a, b, sign in ((1, 2, 1), (0, 2, -1), (0, 1, 1)):
        B2[[number[i, j] for i, j in faces[:, [a, b]].tolist()], T] = sign
    down, up = B1.T @ B1, B2 @ B2.T
    return (scipy.sparse.identity(len(edges)) + down + up).tocsr()


def layer(P: Any, Sigma: Array) -> Array:
    """The NTK after one hidden layer, from the propagated covariance of the features."""
    q = Sigma.diagonal()
    value, slope = relu(Sigma, q[:, None], q[None, :])

    def sandwich(S: Array) -> Array:
        return np.asarray(P @ np.ascontiguousarray((P @ S).T))

    return 2 * sandwich(value) + 2 * sandwich(slope * Sigma)


def csr(vertices: int, dtype: str) -> Callable[[], Any]:
    """Never a dense operator; one thread, as SciPy's products are."""
    P = propagation(triangles(vertices)).astype(dtype)
    X = features(P.shape[0], dtype)

    def call() -> Array:
        Z = P @ X
        return layer(P, 2 * (Z @ Z.T) / FEATURES)

    return call


def check(result: Any) -> Array:
    """The corner that `exact` computes."""
    return np.asarray(result[:CORNER, :CORNER])


def exact(vertices: int, dtype: str) -> Array:
    """The corner with 40 digits: from the edges next to it alone."""
    P = propagation(triangles(vertices))
    near = np.unique(P[:CORNER].indices)
    nearer = np.unique(P[near].indices)
    X = many_digits(features(P.shape[0], dtype)[nearer])
    Z = many_digits(P[near][:, nearer].toarray()) @ X
    return rounded(layer(many_digits(P[:CORNER][:, near].toarray()), 2 * (Z @ Z.T) / FEATURES))


def work(vertices: int, dtype: str) -> dict[str, float]:
    """Both covariances through the operator from both sides, each pass read and written once."""
    edges = 3.0 * vertices
    return {"bytes": 8 * edges * edges * np.dtype(dtype).itemsize}


_SIZES = {"vertices": 1670, "dtype": "float32"}
_NAME = "TopoNTK, 5000 edges, one hidden layer, float32"
ROWS = (Row(_NAME, "simplicial", CSR, _SIZES, {"vertices": 60}, {"ratio": 2}),)
GROWTHS = (Growth("vertices", "simplicial", CSR, "V", "vertices", (400, 800, 1600, 3200), _SIZES),)
