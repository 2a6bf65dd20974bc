"""Graph networks (GNTK): the kernels among graphs of 10 to 28 nodes with one of 8 labels each."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from benchmarks.exact import Array, many_digits, relu, rounded
from benchmarks.plan import Growth, Peer, Row

CORNER = 3  # graphs whose numbers are compared
MLP_LAYERS = 2
LABELS = 8
KRONECKER = Peer("Du et al. in NumPy", "kronecker")
Aggregate = Callable[[Array], Array]


def inputs(n: int, dtype: str) -> list[tuple[Array, Array]]:
    """Random graphs, each an adjacency matrix without loops and a table of one-hot labels."""
    rng, graphs = np.random.default_rng(0), []
    for size in rng.integers(10, 29, n):
        upper = np.triu(rng.random((size, size)) < 0.2, 1)
        labels = np.eye(LABELS)[rng.integers(0, LABELS, size)]
        graphs.append(((upper + upper.T).astype(dtype), labels.astype(dtype)))
    return graphs


def ours(n: int, blocks: int, dtype: str) -> Callable[[], Any]:
    """The direct call."""
    import ntklib

    kernel = ntklib.Graph(blocks, mlp_layers=MLP_LAYERS)
    batch = ntklib.GraphBatch.of(inputs(n, dtype))
    return lambda: kernel(batch).ntk.block_until_ready()


def layers(blocks: int) -> list[bool]:
    """The nonlinearities of a network; True where neighbours are aggregated after one."""
    return [
        block < blocks - 1 and layer == MLP_LAYERS - 1
        for block in range(blocks)
        for layer in range(MLP_LAYERS)
    ]


def variances(X: Array, blocks: int, aggregate: Aggregate) -> list[Array]:
    """Each node's variance before each nonlinearity, of one graph."""
    Sigma, found = aggregate(X @ X.T), []
    for aggregated in layers(blocks):
        found.append(q := Sigma.diagonal().copy())
        Sigma = 2 * relu(Sigma, q[:, None], q[None, :])[0]
        Sigma = aggregate(Sigma) if aggregated else Sigma
    return found


def pair(S: Array, left: list[Array], right: list[Array], blocks: int, aggregate: Aggregate) -> Any:
    """The kernel of one pair of graphs from the products of their features."""
    Theta = Sigma = aggregate(S)
    for aggregated, p, q in zip(layers(blocks), left, right, strict=True):
        value, slope = relu(Sigma, p[:, None], q[None, :])
        Sigma, Theta = 2 * value, 2 * (value + slope * Theta)
        if aggregated:
            Sigma, Theta = aggregate(Sigma), aggregate(Theta)
    return Theta.sum()


def by_kronecker(A: Array, B: Array) -> Aggregate:
    """Aggregation over both graphs as the authors wrote it: one matrix over all pairs of nodes."""
    block = scipy.sparse.kron(scipy.sparse.csr_matrix(A), scipy.sparse.csr_matrix(B))
    return lambda S: block.dot(S.reshape(-1)).reshape(S.shape)


def by_products(A: Array, B: Array) -> Aggregate:
    """The same as two products of matrices."""
    return lambda S: A @ S @ B.T


def gram(graphs: list[tuple[Array, Array]], blocks: int, by: Callable[..., Aggregate]) -> Array:
    """All pairs of graphs, one after the other, each with self loops."""
    looped = [(A + np.eye(len(A), dtype=A.dtype), X) for A, X in graphs]
    q = [variances(X, blocks, by(A, A)) for A, X in looped]
    K = np.zeros((len(graphs), len(graphs)), looped[0][1].dtype)
    for i, (A, X) in enumerate(looped):
        for j, (B, Y) in enumerate(looped[: i + 1]):
            K[i, j] = K[j, i] = pair(X @ Y.T, q[i], q[j], blocks, by(A, B))
    return K


def kronecker(n: int, blocks: int, dtype: str) -> Callable[[], Any]:
    """The authors' formulation."""
    graphs = inputs(n, dtype)
    return lambda: gram(graphs, blocks, by_kronecker)


def check(result: Any) -> Array:
    """The corner that `exact` computes."""
    return np.asarray(result[:CORNER, :CORNER])


def exact(n: int, blocks: int, dtype: str) -> Array:
    """The same recursion with 40 digits."""
    graphs = [(many_digits(A), many_digits(X)) for A, X in inputs(n, dtype)[:CORNER]]
    return rounded(gram(graphs, blocks, by_products))


def work(n: int, blocks: int, dtype: str) -> dict[str, float]:
    """Products with both adjacency matrices, of both covariances, for the pairs i <= j."""
    sizes = [len(X) for _, X in inputs(n, dtype)]
    flops = sum(2.0 * a * b * (a + b) for i, a in enumerate(sizes) for b in sizes[: i + 1])
    return {"flops": (2 * blocks - 1) * flops}


_SIZES = {"n": 60, "blocks": 5, "dtype": "float64"}
ROWS = (
    Row("GNTK, 60 graphs, 5 blocks, float64", "graph", KRONECKER, _SIZES, {"n": 6}, {"ratio": 10}),
    Row(
        "GNTK, 60 graphs, 5 blocks, float32",
        "graph",
        KRONECKER,
        {**_SIZES, "dtype": "float32"},
        {"n": 6},
    ),
)
GROWTHS = (
    Growth("graphs", "graph", KRONECKER, "n", "n", (20, 40, 80, 160), {**_SIZES, "blocks": 3}),
)
