"""Graph kernels: Du et al. in loops, section 5.1, graphons, errors, the finite twin."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from ntklib.dense import Dense
from ntklib.duals import Erf, Relu
from ntklib.empirical import empirical_ntk
from ntklib.graph import Graph
from ntklib.graphs import GraphBatch
from ntklib.rates import power_law

rng = np.random.default_rng(4)


def graph(size: int, d: int = 3) -> tuple[np.ndarray, np.ndarray]:
    A = np.triu((rng.random((size, size)) < 0.6).astype(float), 1)
    return A + A.T, rng.normal(size=(size, d))


GRAPHS = [graph(size) for size in (4, 2, 5)]


def batch(graphs: list[tuple[np.ndarray, np.ndarray]], **options: Any) -> GraphBatch:
    return GraphBatch.of([(jnp.asarray(A), jnp.asarray(X)) for A, X in graphs], **options)


def relu(a: float, c: float, b: float) -> tuple[float, float]:
    theta = math.acos(max(-1.0, min(1.0, c / math.sqrt(a * b))))
    root = math.sqrt(a * b) * math.sin(theta)
    return (root + (math.pi - theta) * c) / (2 * math.pi), (math.pi - theta) / (2 * math.pi)


def erf(a: float, c: float, b: float) -> tuple[float, float]:
    product = (1 + 2 * a) * (1 + 2 * b)
    angle = math.asin(2 * c / math.sqrt(product))
    return 2 / math.pi * angle, 4 / math.pi / math.sqrt(product - 4 * c * c)


def du(
    one: tuple[np.ndarray, np.ndarray],
    two: tuple[np.ndarray, np.ndarray],
    blocks: int,
    mlp_layers: int,
    scaling: str,
    jumping: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """S and T between the nodes as section 6.1 has it, loop by loop. Self loops are added here."""
    (A1, X1), (A2, X2) = one, two
    A1, A2 = A1 + np.eye(len(A1)), A2 + np.eye(len(A2))

    def aggregate(K: np.ndarray, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        new = np.zeros_like(K)
        for u in range(len(A)):
            for v in range(len(B)):
                for p in range(len(A)):
                    for q in range(len(B)):
                        new[u, v] += A[u, p] * B[v, q] * K[p, q]
                if scaling == "degree":
                    new[u, v] /= A[u].sum() * B[v].sum()
        return new

    sides = [(X1, A1, X1, A1), (X1, A1, X2, A2), (X2, A2, X2, A2)]
    S = [aggregate(X @ Y.T, A, B) for X, A, Y, B in sides]
    T, gram = S[1].copy(), X1 @ X2.T
    read_S, read_T = [gram], [gram]
    for block in range(blocks):
        if block:
            S = [aggregate(K, A, B) for K, (_, A, _, B) in zip(S, sides, strict=True)]
            T = aggregate(T, A1, A2)
        for _ in range(mlp_layers):
            v1, v2 = np.diag(S[0]).copy(), np.diag(S[2]).copy()
            for u in range(len(A1)):
                for v in range(len(A2)):
                    phi, phidot = relu(v1[u], S[1][u, v], v2[v])
                    S[1][u, v], T[u, v] = 2 * phi, T[u, v] * 2 * phidot + 2 * phi
            for K, v in ((S[0], v1), (S[2], v2)):
                K[:] = [
                    [2 * relu(v[a], k, v[b])[0] for b, k in enumerate(r)] for a, r in enumerate(K)
                ]
        read_S.append(S[1].copy())
        read_T.append(T.copy())
    return (sum(read_S), sum(read_T)) if jumping else (read_S[-1], read_T[-1])


@pytest.mark.parametrize("readout", ["last", "jumping"])
@pytest.mark.parametrize("scaling", ["uniform", "degree"])
@pytest.mark.parametrize(("blocks", "mlp_layers"), [(1, 1), (2, 1), (1, 3), (3, 2)])
def test_du(blocks: int, mlp_layers: int, scaling: Any, readout: Any, x64: None) -> None:
    kernel = Graph(blocks, mlp_layers=mlp_layers, scaling=scaling, readout=readout)
    K, nodes = kernel(batch(GRAPHS)), kernel.nodes(batch(GRAPHS))
    cross = kernel(batch(GRAPHS[:1]), batch(GRAPHS[1:]))
    options = blocks, mlp_layers, scaling, readout == "jumping"
    for i, j in ((0, 0), (0, 1), (2, 1)):
        S, T = du(GRAPHS[i], GRAPHS[j], *options)
        # The oracle's arccos at a node and itself: sqrt(eps) in phidot.
        np.testing.assert_allclose(nodes.ntk[i, j, : len(S), : len(S.T)], T, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose([K.nngp[i, j], K.ntk[i, j]], [S.sum(), T.sum()], rtol=1e-8)
        if i == 0 and j == 1:  # between different graphs nothing is parallel
            np.testing.assert_allclose(nodes.nngp[i, j, : len(S), : len(S.T)], S, rtol=1e-12)
            np.testing.assert_allclose(K.ntk[i, j], T.sum(), rtol=1e-12)
            np.testing.assert_allclose(cross.ntk[0, 0], T.sum(), rtol=1e-12)


def test_padding_counts_for_nothing(x64: None) -> None:
    kernel = Graph(2, dual=Erf(), sigma_b=0.5, scaling="degree", readout="jumping")
    nodes = kernel.nodes(batch(GRAPHS)).ntk
    assert (nodes[1, 0, 2:] == 0).all() and (nodes[0, 1, :, 2:] == 0).all()
    alone = kernel(batch(GRAPHS[1:2]))
    np.testing.assert_allclose(alone.ntk[0, 0], kernel(batch(GRAPHS)).ntk[1, 1], rtol=1e-13)


def test_two_nodes_by_hand(x64: None) -> None:
    """An edge, one feature 1: aggregated 2, S = T = 4, then S = 4 and T = 8 at all four pairs."""
    one = GraphBatch.of([(jnp.asarray([[0.0, 1.0], [1.0, 0.0]]), jnp.ones((2, 1)))])
    K = Graph(1)(one)
    np.testing.assert_allclose([K.nngp[0, 0], K.ntk[0, 0]], [16.0, 32.0])
    K = Graph(1, scaling="degree", readout="jumping")(one)
    np.testing.assert_allclose([K.nngp[0, 0], K.ntk[0, 0]], [4 * (1 + 1), 4 * (1 + 2)])


def section_5_1(
    graphs: list[tuple[np.ndarray, np.ndarray]],
    layers: int,
    sw2: float,
    sb2: float,
    first: float,
    dual: Callable[[float, float, float], tuple[float, float]],
) -> np.ndarray:
    """T of section 5.1 between the nodes of two graphs (P, X); the read-out does not propagate."""
    (P, X), (Q, Y) = graphs
    sides = [(P, X, P, X), (P, X, Q, Y), (Q, Y, Q, Y)]
    S = [first * a @ b @ d.T @ c.T + sb2 for a, b, c, d in sides]
    T = S[1]
    for layer in range(layers):
        v = np.diag(S[0]), np.diag(S[2])
        pairs = [(v[0], v[0]), v, (v[1], v[1])]
        phi = [
            np.array([[dual(a, K[i, j], b)[0] for j, b in enumerate(w)] for i, a in enumerate(u)])
            for K, (u, w) in zip(S, pairs, strict=True)
        ]
        phidot = np.array(
            [
                [dual(a, k, b)[1] for k, b in zip(r, v[1], strict=True)]
                for r, a in zip(S[1], v[0], strict=True)
            ]
        )
        last = layer == layers - 1
        ends = [(np.eye(len(a)), np.eye(len(c))) if last else (a, c) for a, _, c, _ in sides]
        S = [sw2 * a @ M @ c.T + sb2 for M, (a, c) in zip(phi, ends, strict=True)]
        T = S[1] + sw2 * ends[1][0] @ (phidot * T) @ ends[1][1].T
    return T


def test_one_layer_a_block_is_the_recursion_on_edges(x64: None) -> None:
    """R = 1 is section 5.1 with P = diag(c) A, also with a bias; A need not be symmetric."""
    graphs = [(rng.uniform(0.1, 1, (n, n)), rng.normal(size=(n, 2))) for n in (4, 3)]
    P = [(A / A.sum(axis=1, keepdims=True), X) for A, X in graphs]
    one, two = (batch([g], loops="given") for g in graphs)
    kernel = Graph(3, dual=Erf(), sigma_w=1.3, sigma_b=0.4, scaling="degree")
    expected = section_5_1(P, 3, 1.3**2, 0.4**2, 1.0, erf)
    np.testing.assert_allclose(kernel.nodes(one, two).ntk[0, 0], expected, rtol=1e-12)


def test_the_factor_2_of_the_authors_code(x64: None) -> None:
    """For ReLU without bias, twice the kernel is sigma_w^2 = 2 in the first layer too."""
    graphs = [(A + np.eye(len(A)), X) for A, X in GRAPHS[:2]]
    expected = section_5_1(graphs, 2, 2.0, 0.0, 2.0, relu).sum()
    K = Graph(2)(batch(GRAPHS[:1]), batch(GRAPHS[1:2]))
    np.testing.assert_allclose(2 * K.ntk[0, 0], expected, rtol=1e-12)


def test_nodes_without_edges_are_a_dense_network(x64: None) -> None:
    """P = 1: rows of X are inputs; for d = 2 features the dense first layer, 2 / d, is 1 too."""
    X = rng.normal(size=(5, 2))
    kernel = Graph(2, mlp_layers=2)
    nodes = kernel.nodes(batch([(np.zeros((5, 5)), X)]))
    dense = Dense(5, sigma_w=2**0.5)(jnp.asarray(X))
    np.testing.assert_allclose(nodes.nngp[0, 0], dense.nngp, rtol=1e-13)
    np.testing.assert_allclose(nodes.ntk[0, 0], dense.ntk, rtol=1e-13)


def test_the_order_of_the_nodes_does_not_matter(x64: None) -> None:
    A, X = GRAPHS[2]
    p = [3, 0, 4, 1, 2]
    kernel = Graph(2, mlp_layers=2, scaling="degree")
    K = kernel(batch([(A, X), (A[np.ix_(p, p)], X[p]), GRAPHS[0]]))
    np.testing.assert_allclose(K.ntk[0, 2], K.ntk[1, 2], rtol=1e-12)
    np.testing.assert_allclose(K.ntk[0, 0], K.ntk[1, 1], rtol=1e-12)
    rotated = kernel.nodes(batch([(A, X[p])]))
    assert abs(rotated.ntk - kernel.nodes(batch([(A, X)])).ntk).max() > 0.1


# Section 6.2: the limit of growing graphs.


def smooth(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return 0.2 + 0.6 * np.exp(-((u[:, None] - v[None]) ** 2))


def signals(u: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(3 * u), 1 + u], axis=1)


def quadrature(nodes: int, at: np.ndarray, dual: Any) -> np.ndarray:
    """The limit's NTK at positions `at`, by Gauss-Legendre and Nystroem: nodes of weight 0."""
    x, q = np.polynomial.legendre.leggauss(nodes)
    u, q = np.append((x + 1) / 2, at), np.append(q / 2, 0 * at)
    kernel = Graph(2, dual=dual, sigma_b=0.3)
    T = kernel.nodes(batch([(smooth(u, u) * q, signals(u))], loops="given")).ntk[0, 0]
    return np.asarray(T)[nodes:, nodes:]


AT = np.array([0.1, 0.5, 0.9])


def test_quadrature_converges(x64: None) -> None:
    """erf: spectrally. ReLU: algebraically, for phidot has a kink along v = v'."""
    exact = quadrature(40, AT, Erf())
    assert abs(quadrature(8, AT, Erf()) - exact).max() < 1e-8 * abs(exact).max()
    assert abs(quadrature(16, AT, Erf()) - exact).max() < 1e-13 * abs(exact).max()
    exact = quadrature(120, AT, Relu())
    errors = [abs(quadrature(n, AT, Relu()) - exact).max() / exact.max() for n in (8, 32)]
    assert 1e-10 < errors[1] < 1e-5  # not spectral
    assert errors[1] < errors[0] / 8


def test_weighted_graphs_tend_to_the_limit(x64: None) -> None:
    """P = A / n at midpoints: the error falls like n^-2. Without 1 / n there is no limit."""
    exact = quadrature(40, AT, Erf())
    kernel, errors = Graph(2, dual=Erf(), sigma_b=0.3), []
    for n in (20, 80):
        u = np.append((np.arange(n) + 0.5) / n, AT)
        P = smooth(u, u) * np.append(np.full(n, 1 / n), 0 * AT)
        T = kernel.nodes(batch([(P, signals(u))], loops="given")).ntk[0, 0, n:, n:]
        errors.append(abs(T - exact).max())
    np.testing.assert_allclose(errors[0] / errors[1], 16, rtol=0.1)


def test_random_graphs_tend_to_the_limit(x64: None) -> None:
    """An edge is there with probability W: a node takes in a mean over n coins, hence n^-1/2 at
    each node. What the noises do together is of the order 1 / n, and steepens small graphs."""
    kernel, draws = Graph(2, dual=Erf(), sigma_b=0.3), np.random.default_rng(7)
    sizes, errors = (25, 50, 100), []
    for n in sizes:
        u = (np.arange(n) + 0.5) / n
        exact = quadrature(16, u, Erf())
        upper = np.triu(draws.random((12, n, n)) < smooth(u, u), 1)
        A = (upper | upper.transpose(0, 2, 1)) / n
        T = (kernel.nodes(batch([(P, signals(u))], loops="given")).ntk[0, 0] for P in A)
        errors.append([np.linalg.norm(one - exact) / np.linalg.norm(exact) for one in T])
    law = power_law(np.array(sizes), np.array(errors))
    assert law.standard_error < 0.1
    assert -0.9 < law.exponent < -0.45
    assert np.mean(errors[-1]) < 0.07


def test_a_block_graphon_is_a_finite_graph(x64: None) -> None:
    """Constant blocks of sizes 2, 3 and 1: their measures are the weights of three nodes."""
    W = np.array([[0.9, 0.2, 0.4], [0.2, 0.5, 0.1], [0.4, 0.1, 0.7]])
    F, counts = rng.normal(size=(3, 2)), np.array([2, 3, 1])
    label = np.repeat(np.arange(3), counts)
    kernel = Graph(2, dual=Erf(), sigma_b=0.3)
    whole = batch([(W[np.ix_(label, label)] / 6, F[label])], loops="given")
    small = batch([(W * counts / 6, F)], loops="given")
    np.testing.assert_allclose(
        kernel.nodes(whole).ntk[0, 0],
        kernel.nodes(small).ntk[0, 0][np.ix_(label, label)],
        rtol=1e-14,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": 0}, "`blocks` must be at least 1, got 0. It counts the aggregations."),
        ({"blocks": 1, "mlp_layers": 0}, "`mlp_layers` must be at least 1, got 0"),
        ({"blocks": 1, "sigma_w": -1.0}, "`sigma_w` must be finite and not negative"),
        ({"blocks": 1, "sigma_b": math.nan}, "`sigma_b` must be finite"),
        ({"blocks": 1, "scaling": "mean"}, r"`scaling` must be one of \('uniform', 'degree'\)"),
        ({"blocks": 1, "readout": "sum"}, r"`readout` must be one of \('last', 'jumping'\)"),
    ],
)
def test_bad_kernels(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Graph(**options)


def test_bad_networks() -> None:
    with pytest.raises(ValueError, match="`width` must be at least 1, got 0"):
        Graph(1).network(0)
    with pytest.raises(ValueError, match="`n_outputs` must be at least 1, got 0"):
        Graph(1).network(1, 0)
    with pytest.raises(ValueError, match="`n_features` must be at least 1, got 0"):
        Graph(1).network(1).init(jax.random.key(0), 0)


def test_the_twin_converges() -> None:
    """Jumping, bias, R = 2 and degrees: the mean of draws within 4 standard errors."""
    kernel = Graph(2, mlp_layers=2, sigma_b=0.3, scaling="degree", readout="jumping")
    network, draws, x = kernel.network(300), 12, batch(GRAPHS)

    @jax.jit
    def one(key: jax.Array) -> jax.Array:
        params, restore = ravel_pytree(network.init(key, 3))
        J = jax.jacrev(lambda flat: network.apply(restore(flat), x)[:, 0])(params)
        return J @ J.T

    sample = np.stack([one(k) for k in jax.random.split(jax.random.key(5), draws)])
    limit = np.asarray(kernel(x).ntk)
    error = np.linalg.norm(sample.mean(axis=0) - limit)
    assert error < 4 * (sample.var(axis=0, ddof=1).sum() / draws) ** 0.5
    assert error < 0.1 * np.linalg.norm(limit)


def test_the_twin_converges_at_the_nodes() -> None:
    """On one graph the nodes are outputs of a function of the features: all their pairs."""
    kernel, draws = Graph(2, dual=Erf(), sigma_b=0.3, scaling="degree"), 16
    network, x = kernel.network(300), batch(GRAPHS[2:])

    def f(params: Any, X: jax.Array) -> jax.Array:
        return network.nodes(params, GraphBatch(x.adjacency, X, x.sizes))[:, :, 0]

    @jax.jit
    def one(key: jax.Array) -> jax.Array:
        return empirical_ntk(f, network.init(key, 3), x.features, outputs="full")[0, 0]

    sample = np.stack([one(k) for k in jax.random.split(jax.random.key(6), draws)])
    limit = np.asarray(kernel.nodes(x).ntk[0, 0])
    error = np.linalg.norm(sample.mean(axis=0) - limit)
    assert error < 4 * (sample.var(axis=0, ddof=1).sum() / draws) ** 0.5
    assert error < 0.1 * np.linalg.norm(limit)
