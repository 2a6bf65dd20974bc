"""Networks on complexes: loops in NumPy, closed forms, orientation, limits, the finite twin."""

import math
from collections.abc import Callable
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases_simplicial import EDGES, HOLED, OTHER, SMALL
from jax.flatten_util import ravel_pytree

from ntklib.cochains import Cochains
from ntklib.complexes import SimplicialComplex
from ntklib.dense import Dense
from ntklib.duals import AbstractDual, Erf, Relu
from ntklib.hodge import projectors
from ntklib.propagation import Propagation, SimplicialMixing
from ntklib.recursion import Covariances, affine, layer
from ntklib.simplicial import Convention, Simplicial

pytestmark = pytest.mark.usefixtures("x64")

AUTHOR = Convention(prop_first=False, feat_div=False)
SUM = Convention(feat_div=False)  # everything propagates, X X^T is not divided
NONE = SimplicialComplex(7, EDGES)
RAW = Propagation(0.5, 0.3, 0.2, normalise="raw")
FLIPS = [1, 6]
D = np.ones(10)
D[FLIPS] = -1.0


class Linear(AbstractDual):
    """The identity: phi = s12, phidot = 1."""

    def activation(self, z: jax.Array) -> jax.Array:
        return z

    def phi(self, s11: jax.Array, s12: jax.Array, s22: jax.Array) -> jax.Array:
        return s12 + 0 * (s11 + s22)

    def derivative(self, s11: jax.Array, s12: jax.Array, s22: jax.Array) -> jax.Array:
        return jnp.ones_like(s12 + s11 + s22)


def features(one: SimplicialComplex, d: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(one.edges), d))


def on(one: SimplicialComplex, X: np.ndarray | None = None) -> Cochains:
    return Cochains.of([one], [jnp.asarray(np.eye(len(one.edges)) if X is None else X)])


def far(A: jax.Array, B: jax.Array) -> float:
    return float(jnp.linalg.norm(A - B) / jnp.linalg.norm(B))


# By hand: the recursion of the definition, entry by entry.


def relu(a: float, c: float, b: float) -> tuple[float, float]:
    theta = math.acos(max(-1.0, min(1.0, c / math.sqrt(a * b))))
    root = math.sqrt(a * b) * math.sin(theta)
    return (root + (math.pi - theta) * c) / (2 * math.pi), (math.pi - theta) / (2 * math.pi)


def erf(a: float, c: float, b: float) -> tuple[float, float]:
    product_ = (1 + 2 * a) * (1 + 2 * b)
    value = 2 / math.pi * math.asin(2 * c / math.sqrt(product_))
    return value, 4 / math.pi / math.sqrt(product_ - 4 * c * c)


def sandwich(Ps: np.ndarray, M: np.ndarray, Qs: np.ndarray) -> np.ndarray:
    out = np.zeros_like(M)
    for P, Q in zip(Ps, Qs, strict=True):
        for a, b in np.ndindex(M.shape):
            out[a, b] += sum(P[a, u] * M[u, v] * Q[b, v] for u, v in np.ndindex(M.shape))
    return out


def by_hand(
    sides: list[tuple[np.ndarray, np.ndarray]], kernel: Simplicial, pair: Callable
) -> tuple[np.ndarray, np.ndarray]:
    """NNGP and NTK between two sides (P, X); their self-covariances run along."""
    sw2, sb2, rule = kernel.sigma_w**2, kernel.sigma_b**2, kernel.convention
    which = [(0, 1), (0, 0), (1, 1)]
    d = sides[0][1].shape[1] if rule.feat_div else 1
    S = {ij: sides[ij[0]][1] @ sides[ij[1]][1].T / d for ij in which}
    T = np.zeros_like(S[0, 1])
    for index in range(kernel.depth):
        if index > 0:
            v = [np.diag(S[i, i]) for i in range(2)]
            both = {
                (i, j): np.array(
                    [
                        [pair(v[i][a], M[a, b], v[j][b]) for b in range(len(M[0]))]
                        for a in range(len(M))
                    ]
                )
                for (i, j), M in S.items()
            }
            S = {ij: values[..., 0] for ij, values in both.items()}
            T = both[0, 1][..., 1] * T
        stays = (index == 0 and not rule.prop_first) or (
            index == kernel.depth - 1 and not rule.prop_last
        )
        Ps = [np.eye(len(X))[None] if stays else P for P, X in sides]
        S = {(i, j): sw2 * sandwich(Ps[i], M, Ps[j]) + sb2 for (i, j), M in S.items()}
        T = S[0, 1] + sw2 * sandwich(Ps[0], T, Ps[1])
    return S[0, 1], T


@pytest.mark.parametrize(
    ("kernel", "pair"),
    [
        (Simplicial(3, Propagation(0.5)), relu),
        (Simplicial(3, Propagation(0.5, channels="separate"), sigma_b=0.4), relu),
        (Simplicial(2, RAW, dual=Erf(), sigma_b=0.4, sigma_w=1.1), erf),
        (
            Simplicial(
                3,
                Propagation(
                    0.2, 0.5, 0.5, operator="adjacency", normalise="raw", channels="separate"
                ),
                dual=Erf(),
                convention=Convention(prop_last=False),
            ),
            erf,
        ),
        (Simplicial(3, Propagation(0.5, normalise="total"), convention=AUTHOR), relu),
    ],
    ids=["relu-shared", "relu-separate-bias", "erf-raw-bias", "erf-adjacency", "relu-author"],
)
def test_edges_of_two_complexes_by_loops(kernel: Simplicial, pair: Callable) -> None:
    x1, x2 = on(SMALL, features(SMALL)), on(HOLED, features(HOLED, seed=1))
    sides = [(np.asarray(kernel.propagation(x.complexes[0])), np.asarray(x.X[0])) for x in (x1, x2)]
    for ours, theirs in zip(kernel(x1, x2), by_hand(sides, kernel, pair), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-11 * abs(theirs).max())


def test_a_complex_is_read_out_from_its_edges() -> None:
    x = Cochains.of([SMALL, HOLED], [features(SMALL), features(HOLED, seed=1)])
    for edges, total, mean in zip(
        *(
            Simplicial(3, Propagation(0.5), readout=r, sigma_b=0.4)(x)
            for r in ("edges", "sum", "mean")
        ),
        strict=True,
    ):
        r = np.repeat(np.eye(2), [4, 10], axis=0)
        np.testing.assert_allclose(total, r.T @ edges @ r, rtol=1e-13)
        r = r / [4, 10]
        np.testing.assert_allclose(mean, r.T @ edges @ r, rtol=1e-13)


def test_padding_and_company_change_nothing() -> None:
    kernel = Simplicial(3, Propagation(0.5), dual=Erf(), sigma_b=0.4)
    alone = kernel(on(SMALL, features(SMALL)))
    X = jnp.full((1, 12, 3), 7.0).at[0, :4].set(features(SMALL))
    both = kernel(Cochains.of([HOLED, SMALL], [features(HOLED), features(SMALL)]))
    for a, b, c in zip(alone, both, kernel(Cochains((SMALL,), X)), strict=True):
        np.testing.assert_allclose(b[10:, 10:], a, rtol=1e-13)
        np.testing.assert_allclose(c, a, rtol=1e-13)


# kernels.md 7.15: a complex with itself; joint positivity.


@pytest.mark.parametrize(("dual", "rtol"), [(Erf(), 1e-13), (Relu(), 1e-7)])
def test_a_complex_crossed_with_itself(dual: AbstractDual, rtol: float) -> None:
    """Rounding 1e-16 in a covariance is 1e-8 in the angle of ReLU between equal edges."""
    kernel, x = Simplicial(3, Propagation(0.5), dual=dual), on(HOLED, features(HOLED))
    for crossed, own in zip(kernel(x, x), kernel(x), strict=True):
        np.testing.assert_allclose(crossed, own, rtol=0, atol=rtol * float(own.max()))


@pytest.mark.parametrize("readout", ["edges", "sum"])
@pytest.mark.parametrize("channels", ["shared", "separate"])
def test_a_collection_is_jointly_positive(channels: str, readout: str) -> None:
    complexes = [HOLED, SMALL, OTHER, NONE, HOLED.flip(FLIPS)]
    x = Cochains.of(complexes, [features(one, seed=s) for s, one in enumerate(complexes)])
    kernel = Simplicial(3, Propagation(0.3, channels=channels), readout=readout, sigma_b=0.2)
    for k in kernel(x):
        eigenvalues = np.linalg.eigvalsh(k)
        assert eigenvalues[0] > -1e-13 * eigenvalues[-1]


# kernels.md 7.11, 5.2: reductions to other kernels.


@pytest.mark.parametrize("dual", [Relu(), Erf()])
def test_no_propagation_is_the_dense_kernel_on_edges(dual: AbstractDual) -> None:
    X = features(HOLED)
    kernel = Simplicial(4, Propagation(1.0, 0.0, 0.0), dual=dual, sigma_b=0.3)
    for ours, dense in zip(kernel(on(HOLED, X)), Dense(4, dual=dual, sigma_b=0.3)(X), strict=True):
        np.testing.assert_allclose(ours, dense, rtol=1e-13)


def test_without_triangles_the_upper_channel_is_off() -> None:
    X = features(NONE)
    with_upper, without = (Simplicial(3, Propagation(0.5, 1.0, c)) for c in (7.0, 0.0))
    np.testing.assert_array_equal(with_upper(on(NONE, X)).ntk, without(on(NONE, X)).ntk)
    np.testing.assert_array_equal(without(on(HOLED, X)).ntk, without(on(NONE, X)).ntk)
    assert far(with_upper(on(HOLED, X)).ntk, without(on(HOLED, X)).ntk) > 0.1


@pytest.mark.parametrize("L", [0, 1, 3])
def test_the_linear_closed_form(L: int) -> None:
    a, b, c, sw2 = 0.6, 0.3, 0.2, 1.7
    propagation = Propagation(a, b, c, normalise="raw")
    kernel = Simplicial(L + 1, propagation, dual=Linear(), sigma_w=sw2**0.5, convention=SUM)
    K = kernel(on(HOLED))
    P = np.asarray(propagation(HOLED)[0])
    power = sw2 ** (L + 1) * np.linalg.matrix_power(P, 2 * L + 2)
    np.testing.assert_allclose(K.nngp, power, rtol=0, atol=1e-13 * abs(power).max())
    np.testing.assert_allclose(K.ntk, (L + 1) * power, rtol=0, atol=1e-13 * abs(power).max())
    scale = (L + 1) * sw2 ** (L + 1)
    (lower, upper), (gradient, harmonic, curl) = HOLED.laplacians(), projectors(HOLED)
    check_modes(K.ntk / scale, gradient, lower, a, b, 2 * L + 2)
    check_modes(K.ntk / scale, curl, upper, a, c, 2 * L + 2)
    np.testing.assert_allclose(K.ntk @ harmonic / scale, a ** (2 * L + 2) * harmonic, atol=1e-12)


def check_modes(
    T: jax.Array, part: np.ndarray, L: np.ndarray, a: float, weight: float, power: int
) -> None:
    """On one Hodge component, an eigenvector of L has the eigenvalue (a + weight lam)^power."""
    values, vectors = np.linalg.eigh(L)
    inside = values > 1e-9
    assert inside.sum() == round(np.trace(part))
    vectors, growth = vectors[:, inside], (a + weight * values[inside]) ** power
    np.testing.assert_allclose(part @ vectors, vectors, atol=1e-12)
    np.testing.assert_allclose(T @ vectors, growth * vectors, rtol=0, atol=1e-12 * growth.max())


@pytest.mark.parametrize("dual", [Linear(), Erf(), Relu()])
def test_without_residual_harmonic_flows_are_never_learned(dual: AbstractDual) -> None:
    """The read-out propagates last and P_h P = 0. If it does not, nonlinear kernels reach them."""
    harmonic = projectors(HOLED).harmonic
    last, skipped = (
        Simplicial(3, Propagation(0.0), dual=dual, convention=Convention(prop_last=flag))(on(HOLED))
        for flag in (True, False)
    )
    np.testing.assert_allclose(harmonic @ last.ntk, 0, atol=1e-13)
    reached = np.trace(harmonic @ skipped.ntk)
    if isinstance(dual, Linear):
        assert abs(reached) < 1e-13
    else:
        assert reached > 1e-4


@pytest.mark.parametrize("dual", [Linear(), Relu()])
def test_harmonic_flows_are_the_slowest(dual: AbstractDual) -> None:
    T = Simplicial(3, Propagation(0.2), dual=dual, convention=SUM)(on(HOLED)).ntk
    gradient, harmonic, curl = (np.trace(P @ T) / np.trace(P) for P in projectors(HOLED))
    assert harmonic < 0.1 * min(gradient, curl)


# kernels.md 7.16: the author's scripts and GNTK are settings.


def test_the_author_s_triangle_count_script() -> None:
    """Sigma = Theta = I; twice Sigma <- P Phi P^T, Theta <- P (Theta * Phidot) P^T + Sigma."""
    lower, upper = (L / np.linalg.norm(L, 2) for L in HOLED.laplacians())
    P = 0.5 * np.eye(10) + lower + upper
    P = P / np.linalg.norm(P, 2)
    S = T = np.eye(10)
    for _ in range(2):
        both = np.array([[relu(S[a, a], S[a, b], S[b, b]) for b in range(10)] for a in range(10)])
        S = P @ both[..., 0] @ P.T
        T = P @ (T * both[..., 1]) @ P.T + S
    propagation = Propagation(0.5, normalise="total")
    K = Simplicial(3, propagation, sigma_w=1.0, convention=AUTHOR)(on(HOLED))
    np.testing.assert_allclose(K.ntk, T, rtol=0, atol=1e-13)
    np.testing.assert_allclose(K.nngp, S, rtol=0, atol=1e-13)


@pytest.mark.parametrize("blocks", [1, 3])
def test_gntk_on_the_line_graph(blocks: int) -> None:
    """Du et al. with R = 1 and degree scaling, in Kronecker form; X / sigma_w as the docs say."""
    X = features(HOLED)
    A = np.array([[float(bool(set(e) & set(f))) for f in EDGES] for e in EDGES])
    C = np.kron(A / A.sum(axis=1, keepdims=True), A / A.sum(axis=1, keepdims=True))
    S = X @ X.T
    T = S
    for _ in range(blocks):
        S, T = ((C @ M.ravel()).reshape(10, 10) for M in (S, T))
        both = np.array([[relu(S[a, a], S[a, b], S[b, b]) for b in range(10)] for a in range(10)])
        S, T = 2 * both[..., 0], 2 * both[..., 1] * T + 2 * both[..., 0]
    propagation = Propagation(0.0, 1.0, 0.0, operator="adjacency", normalise="raw")
    kernel = Simplicial(
        blocks + 1, propagation, convention=Convention(prop_last=False, feat_div=False)
    )
    K = kernel(on(HOLED, X / 2**0.5))
    np.testing.assert_allclose(K.ntk, T, rtol=1e-7)
    np.testing.assert_allclose(K.nngp, S, rtol=1e-7)


# kernels.md 7.14: channels.


@pytest.mark.parametrize("abc", [(0.7, 0.0, 0.0), (0.0, 0.7, 0.0), (0.0, 0.0, 0.7)])
def test_one_channel_is_shared_or_separate_alike(abc: tuple[float, float, float]) -> None:
    x = on(HOLED, features(HOLED))
    shared, separate = (
        Simplicial(3, Propagation(*abc, channels=c), sigma_b=0.3)(x).ntk
        for c in ("shared", "separate")
    )
    np.testing.assert_allclose(shared, separate, rtol=1e-14)


def test_separate_channels_have_no_cross_terms() -> None:
    X = features(HOLED)
    parts = Propagation(0.5, normalise="raw", channels="separate")
    K = Simplicial(1, parts, sigma_w=1.0, convention=SUM)(on(HOLED, X)).ntk
    np.testing.assert_allclose(K, sum(P @ X @ X.T @ P.T for P in parts(HOLED)), atol=1e-12)
    shared, separate = (
        Simplicial(3, Propagation(channels=c))(on(HOLED, X)).ntk for c in ("shared", "separate")
    )
    assert far(separate, shared) > 0.3


# kernels.md 5.3, 5.6: Hodge structure and expressivity.


def off_block(T: jax.Array) -> float:
    return far(sum(P @ T @ P for P in projectors(HOLED)), T)


def test_only_a_linear_kernel_keeps_the_hodge_decomposition() -> None:
    linear, erf_, relu_ = (
        off_block(Simplicial(3, Propagation(0.2), dual=dual, convention=SUM)(on(HOLED)).ntk)
        for dual in (Linear(), Erf(), Relu())
    )
    assert linear < 1e-14
    assert erf_ > 1e-3
    assert relu_ > 0.05
    X = features(HOLED)  # X X^T does not commute with the projectors
    assert off_block(Simplicial(3, Propagation(0.2), dual=Linear())(on(HOLED, X)).ntk) > 0.1


def test_fillings_are_told_apart_by_the_upper_channel_alone() -> None:
    X = features(HOLED)
    one, other = on(HOLED, X), on(OTHER, X)
    for propagation in (
        Propagation(0.5, 1.0, 0.0),
        Propagation(0.5, upper=0.0, operator="adjacency"),
    ):
        kernel = Simplicial(3, propagation)
        np.testing.assert_array_equal(kernel(one).ntk, kernel(other).ntk)
    full = Simplicial(3, Propagation(0.5))
    assert far(full(other).ntk, full(one).ntk) > 0.05


def test_a_counterexample_to_expressivity() -> None:
    """Gradient features, linear activation: L_up P^k X = 0, so that no filling is seen."""
    X = HOLED.boundaries()[0].T @ np.random.default_rng(0).normal(size=(7, 3))
    apart = {}
    for dual in (Linear(), Erf(), Relu()):
        kernel = Simplicial(3, RAW, dual=dual)
        apart[type(dual)] = far(kernel(on(OTHER, X)).ntk, kernel(on(HOLED, X)).ntk)
    assert apart[Linear] < 1e-14
    assert apart[Erf] > 0.01 and apart[Relu] > 0.01


# kernels.md 5.5, 7.13: orientation.


def flipped_by(kernel: Simplicial, *, cochain: bool = True) -> float:
    X = features(HOLED)
    turned = kernel(on(HOLED.flip(FLIPS), D[:, None] * X if cochain else X)).ntk
    return far(D[:, None] * turned * D if cochain else turned, kernel(on(HOLED, X)).ntk)


@pytest.mark.parametrize("dual", [Linear(), Erf()])
@pytest.mark.parametrize("channels", ["shared", "separate"])
@pytest.mark.parametrize("normalise", ["raw", "each", "total"])
def test_odd_activations_turn_with_the_orientation(
    dual: AbstractDual, channels: str, normalise: str
) -> None:
    propagation = Propagation(0.5, 0.4, 0.3, channels=channels, normalise=normalise)
    assert flipped_by(Simplicial(3, propagation, dual=dual)) < 1e-14


def test_relu_and_biases_do_not_turn_with_the_orientation() -> None:
    assert flipped_by(Simplicial(3, RAW, dual=Relu())) > 0.1
    assert flipped_by(Simplicial(3, RAW, dual=Erf(), sigma_b=1.0)) > 0.1


def test_features_that_do_not_flip_are_no_remedy() -> None:
    """Not even the moduli agree, and a scalar read-out of one complex depends on orientation."""
    kernel = Simplicial(3, Propagation(0.5, normalise="total"), sigma_w=1.0, convention=AUTHOR)
    plain, turned = (jnp.abs(kernel(on(one)).ntk) for one in (HOLED, HOLED.flip(FLIPS)))
    assert far(turned, plain) > 0.1
    rng = np.random.default_rng(0)
    flips = [np.flatnonzero(rng.random(10) < 0.5) for _ in range(8)]
    values = [float(kernel(on(HOLED.flip(f))).ntk.sum()) / 10 for f in flips]
    assert np.std(values) > 0.1 * np.mean(values)


@pytest.mark.parametrize("operator", ["absolute", "adjacency"])
def test_unsigned_operators_with_invariant_features_are_a_remedy(operator: str) -> None:
    kernel = Simplicial(3, Propagation(0.5, operator=operator), dual=Relu(), sigma_b=1.0)
    assert flipped_by(kernel, cochain=False) == 0.0


# kernels.md 5.7: stability.


@pytest.mark.parametrize("dual", [Erf(), Relu()])
def test_the_kernel_is_lipschitz_in_the_operator(dual: AbstractDual) -> None:
    """|dT| / |dP| tends to a constant; with a square-root law it would grow by 3 each step."""
    rng = np.random.default_rng(0)
    X, E = features(HOLED), rng.normal(size=(10, 10))
    P, E = np.asarray(Propagation(0.5)(HOLED)[0]), (E + E.T) / np.linalg.norm(E + E.T, 2)
    G = jnp.asarray(X @ X.T / 3)[None, None]

    def T(P: np.ndarray) -> jax.Array:
        one = jnp.asarray(P)[None, None]
        mix = SimplicialMixing(one, one, 2**0.5)
        K = affine(Covariances(G, jnp.zeros_like(G), sites="full"), mix=mix)
        for _ in range(2):
            K = layer(K, dual=dual, mix=mix)
        return K.Theta[0, 0]

    ours = Simplicial(3, Propagation(0.5), dual=dual)(on(HOLED, X)).ntk
    np.testing.assert_allclose(T(P), ours, rtol=0, atol=1e-13 * float(ours.max()))
    steps = np.array([1e-1, 1e-2, 1e-3, 1e-4])
    ratios = np.array([float(jnp.linalg.norm(T(P + h * E) - T(P))) / h for h in steps])
    assert ratios.max() < 2 * ratios.min()
    assert ratios[3] == pytest.approx(ratios[2], rel=0.01)


def test_a_bound_on_the_operator_from_the_fillings() -> None:
    """|P - P'| <= |c| |L_up - L_up'|, an equality on one skeleton without normalisation."""
    P, Q = (np.asarray(RAW(one)[0]) for one in (HOLED, OTHER))
    upper = HOLED.laplacians()[1] - OTHER.laplacians()[1]
    assert np.linalg.norm(P - Q, 2) == pytest.approx(0.2 * np.linalg.norm(upper, 2), rel=1e-13)


# Trap 13: the author's sample kernel.


def test_the_author_s_sample_kernel_is_indefinite_and_the_cross_kernel_is_not() -> None:
    n = 8
    edges = sorted({tuple(sorted((i, (i + k) % n))) for i in range(n) for k in (1, 2)})
    candidates = [tuple(sorted((i, (i + 1) % n, (i + 2) % n))) for i in range(n)]
    rng = np.random.default_rng(0)
    complexes = [
        SimplicialComplex(n, edges, [t for t in candidates if rng.random() < q])
        for q in (0.1, 0.3, 0.5, 0.7, 0.9)
    ]
    x = Cochains.of(complexes, [np.eye(len(edges))] * 5)
    kernel = Simplicial(
        3, Propagation(0.5, normalise="total"), readout="sum", sigma_w=1.0, convention=AUTHOR
    )
    genuine = np.asarray(kernel(x).ntk) / len(edges)
    k = np.diag(genuine)  # x_i^T K_i x_i with x = 1 / |1|
    sample = (k[:, None] + k[None, :]) / 2
    values = np.linalg.eigvalsh(sample)
    assert np.linalg.matrix_rank(sample) == 2
    assert values[0] < -1e-4 * values[-1]
    values = np.linalg.eigvalsh(genuine)
    assert values[0] > -1e-13 * values[-1]
    assert np.linalg.matrix_rank(genuine) == 5


# The finite twin, and transformations.


@pytest.mark.parametrize("channels", ["shared", "separate"])
def test_the_twin_s_mean_is_within_its_error(channels: str) -> None:
    """Edges of two complexes of different size, with a bias: 24 draws of width 256."""
    x = Cochains.of([SMALL, HOLED], [features(SMALL), features(HOLED, seed=1)])
    kernel = Simplicial(3, Propagation(0.4, 0.6, -0.5, channels=channels), sigma_b=0.4)
    network = kernel.network(256)

    @jax.jit
    def draw(key: jax.Array) -> jax.Array:
        params, restore = ravel_pytree(network.init(key, 3))
        J = jax.jacrev(lambda flat: network.apply(restore(flat), x)[:, 0])(params)
        return J @ J.T

    draws = np.stack([draw(key) for key in jax.random.split(jax.random.key(0), 24)])
    limit = kernel(x).ntk
    standard_error = (draws.var(axis=0, ddof=1).sum() / 24) ** 0.5
    assert np.linalg.norm(draws.mean(axis=0) - limit) < 4 * standard_error
    assert standard_error < 0.05 * np.linalg.norm(limit)


def test_the_twin_s_outputs_have_the_nngp_covariance() -> None:
    x = Cochains.of([SMALL, HOLED], [features(SMALL), features(HOLED, seed=1)])
    kernel = Simplicial(2, Propagation(0.4), readout="mean", convention=AUTHOR, sigma_b=0.4)
    network, keys = kernel.network(256, 64), jax.random.split(jax.random.key(1), 16)
    f = np.stack([network.apply(network.init(key, 3), x) for key in keys])
    draws = np.einsum("kno,kmo->knm", f, f) / 64
    standard_error = (draws.var(axis=0, ddof=1).sum() / 16) ** 0.5
    assert np.linalg.norm(draws.mean(axis=0) - kernel(x).nngp) < 4 * standard_error


def test_jit_in_the_features_and_gradients_in_all() -> None:
    X = jnp.asarray(features(HOLED))

    def total(X: jax.Array, a: jax.Array, sigma_w: jax.Array) -> jax.Array:
        kernel = Simplicial(3, Propagation(a), sigma_w=sigma_w, sigma_b=0.2)
        return kernel(Cochains.of([HOLED], [X])).ntk.sum()

    point = (X, jnp.asarray(0.5), jnp.asarray(1.2))
    assert jax.jit(total)(*point) == pytest.approx(float(total(*point)), rel=1e-12)
    slopes = jax.jit(jax.grad(total, argnums=(0, 1, 2)))(*point)
    assert all(bool(jnp.isfinite(slope).all()) for slope in slopes)
    h = 1e-6
    rise = total(X, point[1] + h, point[2]) - total(X, point[1] - h, point[2])
    assert float(slopes[1]) == pytest.approx(float(rise) / (2 * h), rel=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Simplicial(0), "`depth` must be at least 1, got 0"),
        (lambda: Simplicial(2, sigma_w=-1.0), "`sigma_w` must be finite and not negative, got -1"),
        (lambda: Simplicial(2, sigma_b=math.nan), "`sigma_b` must be finite and not negative"),
        (lambda: Simplicial(2, readout="max"), r"`readout` must be one of .*, got 'max'"),
        (lambda: Simplicial(2)(np.eye(10)), "`x1` must be Cochains, got ndarray. Build it with"),
        (lambda: Simplicial(2)(on(HOLED), np.eye(10)), "`x2` must be Cochains, got ndarray"),
        (
            lambda: Simplicial(2)(on(HOLED), on(SMALL)),
            "`x1` and `x2` must have the same features, got 10 and 4",
        ),
        (lambda: Simplicial(2).network(0), "`width` must be at least 1, got 0"),
        (lambda: Simplicial(2).network(8, 0), "`n_outputs` must be at least 1, got 0"),
        (lambda: Simplicial(2).network(8).init(jax.random.key(0), 0), "`n_features` must be at"),
    ],
)
def test_errors(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_single_layer_is_first_and_last() -> None:
    """With one layer, both ends must propagate for it to propagate."""
    X = features(HOLED)
    plain = X @ X.T
    for first, last in product((True, False), (True, False)):
        rule = Convention(prop_first=first, prop_last=last, feat_div=False)
        K = Simplicial(1, RAW, sigma_w=1.0, convention=rule)(on(HOLED, X)).ntk
        P = np.asarray(RAW(HOLED)[0]) if first and last else np.eye(10)
        np.testing.assert_allclose(K, P @ plain @ P.T, atol=1e-12)
