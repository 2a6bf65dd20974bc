"""The Graphon NTK: closed forms, loops in NumPy, traps, errors and the finite twin."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from ntklib.dense import Dense
from ntklib.duals import AbstractDual, Erf, Relu
from ntklib.empirical import empirical_ntk
from ntklib.graphon import GraphonKernel
from ntklib.graphon_layers import GraphonLayers
from ntklib.graphon_mixing import path_density
from ntklib.graphons import (
    AbstractGraphon,
    ConstantGraphon,
    LowRankGraphon,
    SmoothGraphon,
    StepGraphon,
)
from ntklib.recursion import Kernels

pytestmark = pytest.mark.usefixtures("x64")

ONE = ConstantGraphon(1.0)
SMOOTH = SmoothGraphon(lambda u, v: np.exp(-2 * (u - v) ** 2) * (1 - 0.6 * u), nodes=12)
RANK_ONE = LowRankGraphon(lambda u: 1 - 0.7 * u, lambda v: 0.2 + 0.8 * v**2, nodes=12)
RANDOM = np.random.default_rng(1).uniform(size=(3, 3, 4))
STEPS = [StepGraphon(W, targets=[0.2, 0.5, 0.3], sources=[0.1, 0.2, 0.3, 0.4]) for W in RANDOM]


class Linear(AbstractDual):
    """The identity: phi = s12, phidot = 1."""

    def activation(self, z: Array) -> Array:
        return z

    def phi(self, s11: Array, s12: Array, s22: Array) -> Array:
        return s12 + 0 * (s11 + s22)

    def derivative(self, s11: Array, s12: Array, s22: Array) -> Array:
        return jnp.ones_like(s12)


def inputs(n: int = 5, d: int = 4) -> Array:
    return jnp.asarray(np.random.default_rng(0).normal(size=(n, d)))


def distance(a: Any, b: Any) -> float:
    """Relative, over all pairs."""
    return float(np.linalg.norm(np.asarray(a) - np.asarray(b)) / np.linalg.norm(np.asarray(b)))


def misfit(a: Any, b: Any) -> float:
    """1 - cosine: 0 where one is a multiple of the other."""
    a, b = np.asarray(a).ravel(), np.asarray(b).ravel()
    return float(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def assert_same(actual: Kernels, expected: Kernels, rtol: float = 1e-13) -> None:
    for a, b in zip(actual, expected, strict=True):
        assert distance(a, b) < rtol


# Loops in NumPy, from the formulas, with duals and quadrature of their own.


def relu(a: float, c: float, b: float) -> tuple[float, float]:
    theta = math.atan2(math.sqrt(max(a * b - c * c, 0.0)), c)
    root = math.sqrt(max(a * b - c * c, 0.0))
    return (root + (math.pi - theta) * c) / (2 * math.pi), (math.pi - theta) / (2 * math.pi)


def erf(a: float, c: float, b: float) -> tuple[float, float]:
    product = (1 + 2 * a) * (1 + 2 * b)
    return (
        2 / math.pi * math.asin(2 * c / math.sqrt(product)),
        4 / math.pi / math.sqrt(product - 4 * c * c),
    )


HAND: dict[type, Callable[[float, float, float], tuple[float, float]]] = {Relu: relu, Erf: erf}


class ByHand:
    """Every layer as matrices C, G over `grid` midpoints a hidden layer; a pair of inputs a time.

    Exact for graphons of blocks whose ends are on the grid.
    """

    def __init__(self, kernel: GraphonKernel, d: int, grid: int) -> None:
        layers, self.kernel = kernel.layers, kernel
        hidden = [(i + 0.5) / grid for i in range(grid)]
        shift = 0.5 if layers.features == "mid" else 0.0
        at = [[(j + 1 - shift) / d for j in range(d)]]
        at += [hidden] * (len(layers.graphons) - 1) + [[layers.output]]
        self.C, self.G = [], []
        for i, V in enumerate(layers.graphons):
            u, v = at[i + 1], at[i]
            W = np.array(V(u, v))
            Gs = layers.gradients()
            G = np.array(Gs[i](u, v)) if Gs else W
            rho = np.ones(len(u))
            if layers.normalisation == "density":
                rho[:] = np.array(V(hidden, v)).mean()
            elif layers.normalisation == "fan_in":
                rho = W.mean(axis=1)
            self.C.append(W / rho[:, None] / len(v))
            self.G.append(G / rho[:, None] / len(v))

    def variance_and_dual(self, S: Any, T: Any, U: Any) -> tuple[Any, Any]:
        both = [HAND[type(self.kernel.dual)](*t) for t in zip(S, T, U, strict=True)]
        return np.array([b[0] for b in both]), np.array([b[1] for b in both])

    def sweep(self, x: Any, y: Any) -> tuple[list[Any], list[Any], list[Any]]:
        """phi of every layer, the inputs' products first; phidot; the output's Sigma."""
        sw2, sb2 = self.kernel.sigma_w**2, self.kernel.sigma_b**2
        S = [sw2 * self.C[0] @ (a * b) + sb2 for a, b in ((x, x), (x, y), (y, y))]
        phis, dots = [x * y], []
        for C in self.C[1:]:
            phi, dot = self.variance_and_dual(*S)
            own = [self.variance_and_dual(s, s, s)[0] for s in (S[0], S[2])]
            phis.append(phi)
            dots.append(dot)
            S = [sw2 * C @ p + sb2 for p in (own[0], phi, own[1])]
        return phis, dots, S[1]

    def forward(self, x: Any, y: Any) -> tuple[float, float]:
        sw2, sb2 = self.kernel.sigma_w**2, self.kernel.sigma_b**2
        phis, dots, last = self.sweep(x, y)
        T = sw2 * self.G[0] @ phis[0] + sb2
        for C, G, phi, dot in zip(self.C[1:], self.G[1:], phis[1:], dots, strict=True):
            T = sw2 * G @ phi + sb2 + sw2 * C @ (dot * T)
        return float(last[0]), float(T[0])

    def backward(self, x: Any, y: Any) -> float:
        """The sum over layers of what reaches their weights from the output."""
        sw2, sb2 = self.kernel.sigma_w**2, self.kernel.sigma_b**2
        phis, dots, _ = self.sweep(x, y)
        g, total = np.ones(1), 0.0
        for i in reversed(range(len(self.C))):
            total += float(g @ (sw2 * self.G[i] @ phis[i] + sb2))
            if i:
                g = sw2 * dots[i - 1] * (g @ self.C[i])
        return total

    def gram(self, x: Any, way: Callable[[Any, Any], Any]) -> Any:
        return np.array([[way(a, b) for b in np.array(x)] for a in np.array(x)])


@pytest.mark.parametrize(
    ("gradient", "normalisation", "features", "dual"),
    [
        ("masked", "none", "right", Relu()),
        ("masked", "fan_in", "mid", Erf()),
        ("dense", "density", "right", Erf()),
        ("dense", "fan_in", "mid", Relu()),
        ([STEPS[1], ConstantGraphon(0.4), STEPS[0]], "density", "mid", Relu()),
    ],
)
def test_loops_forward_and_backward(
    gradient: Any, normalisation: Any, features: Any, dual: AbstractDual
) -> None:
    layers = GraphonLayers(
        STEPS, gradient=gradient, normalisation=normalisation, features=features, output=0.9
    )
    kernel, x = GraphonKernel(layers, dual=dual, sigma_w=1.3, sigma_b=0.2), inputs(4, 6)
    hand = ByHand(kernel, 6, grid=10)
    nngp, ntk = np.moveaxis(hand.gram(x, hand.forward), 2, 0)
    apart = ~np.eye(4, dtype=bool)  # ReLU's loop has an angle of 1e-8 between equal inputs
    K = kernel(x)
    assert distance(np.asarray(K.nngp), nngp) < 1e-13
    assert distance(np.asarray(K.ntk)[apart], ntk[apart]) < 1e-13
    assert distance(hand.gram(x, hand.backward), ntk) < 1e-14
    assert distance(K.ntk, ntk) < 1e-7


# Closed forms.


@pytest.mark.parametrize("gradient", ["masked", "dense"])
@pytest.mark.parametrize("dual", [Relu(), Erf()])
def test_ones_are_a_dense_network(gradient: Any, dual: AbstractDual) -> None:
    kernel = GraphonKernel(GraphonLayers([ONE] * 3, gradient=gradient), dual=dual, sigma_b=0.3)
    assert_same(kernel(inputs()), Dense(3, dual=dual, sigma_b=0.3)(inputs()), 1e-14)
    x1, x2 = inputs()[:2], inputs()[2:]
    assert_same(kernel(x1, x2), Dense(3, dual=dual, sigma_b=0.3)(x1, x2), 1e-14)


@pytest.mark.parametrize("dual", [Relu(), Erf()])
def test_a_constant_scales_the_weights_variance(dual: AbstractDual) -> None:
    c, depth = ConstantGraphon(0.3), 4
    kernel = GraphonKernel([c] * depth, dual=dual, sigma_b=0.4)
    scaled = Dense(depth, dual=dual, sigma_w=0.6**0.5, sigma_b=0.4)
    assert_same(kernel(inputs()), scaled(inputs()))
    for normalisation in ("density", "fan_in"):
        layers = GraphonLayers([c] * depth, normalisation=normalisation)
        plain = Dense(depth, dual=dual, sigma_b=0.4)
        assert_same(GraphonKernel(layers, dual=dual, sigma_b=0.4)(inputs()), plain(inputs()))


def test_masked_and_dense_gradients_of_a_constant() -> None:
    """c^(L+1) is the pruned network's NTK, c^L the one where removed weights are trained too."""
    L, c, x = 3, ConstantGraphon(0.3), inputs()
    dense = Dense(L + 1)(x).ntk
    masked = GraphonKernel([c] * (L + 1))
    dense_gradient = GraphonKernel(GraphonLayers([c] * (L + 1), gradient="dense"))
    assert distance(masked(x).ntk, 0.3 ** (L + 1) * dense) < 1e-14
    assert distance(dense_gradient(x).ntk, 0.3**L * dense) < 1e-14
    assert distance(masked(x).nngp, dense_gradient(x).nngp) == 0
    # k = L layers, the first dense: masked still is a power, the dense gradient no multiple.
    partly = [ONE, *[c] * L]
    assert distance(GraphonKernel(partly)(x).ntk, 0.3**L * dense) < 1e-14
    ratio = GraphonKernel(GraphonLayers(partly, gradient="dense"))(x).ntk / dense
    assert ratio.max() / ratio.min() > 1.05


@pytest.mark.parametrize("gradient", ["masked", "dense"])
@pytest.mark.parametrize("options", [{"dual": Erf()}, {"sigma_b": 0.5}], ids=str)
def test_no_power_of_c_for_erf_or_with_a_bias(gradient: Any, options: Any) -> None:
    kernel = GraphonKernel(GraphonLayers([ConstantGraphon(0.3)] * 4, gradient=gradient), **options)
    ratio = kernel(inputs()).ntk / Dense(4, **options)(inputs()).ntk
    assert ratio.max() / ratio.min() > 1.1


def test_rank_one() -> None:
    """Only the input layer's b changes the shape; the other factors are one number."""
    graphons = [RANK_ONE, SMOOTH.__class__(lambda u, v: (1 - u / 2) * v), RANK_ONE]
    x, d, out = inputs(), 4, 0.7
    b = 0.2 + 0.8 * (np.arange(1, d + 1) / d) ** 2
    # <b_2, a_1> = int v (1 - .7 v) dv, <b_3, a_2> = int (.2 + .8 v^2)(1 - v/2) dv
    numbers = (1 / 2 - 0.7 / 3) * (0.2 * 3 / 4 + 0.8 * (1 / 3 - 1 / 8)) * (1 - 0.7 * out)
    weighted = Dense(3)(x * np.sqrt(b))
    K = GraphonKernel(GraphonLayers(graphons, output=out))(x)
    assert_same(K, Kernels(numbers * weighted.nngp, numbers * weighted.ntk))


def test_linear_networks() -> None:
    sw2, x, depth = 1.7, inputs(d=2), 3
    graphons = [ONE, RANK_ONE, StepGraphon([[0.2, 0.6]])]
    K = GraphonKernel(graphons, dual=Linear(), sigma_w=sw2**0.5)(x)
    paths = float(path_density(graphons[1:]))
    assert distance(K.nngp, sw2**depth * paths * x @ x.T / 2) < 1e-14
    assert distance(K.ntk, depth * K.nngp) < 1e-14
    by_hand = 0.2 * 0.5 * (1 - 0.7 * 0.25) + 0.6 * 0.5 * (1 - 0.7 * 0.75)
    assert paths == pytest.approx(by_hand * (0.2 + 0.8 / 3), rel=1e-14)


def test_magnitude_masks_need_two_graphons() -> None:
    """M = 1(|w| > t): G = p = E[M], and V = E[w^2 M] = .65 of all variance for p = .2."""
    t, p, L, x = 1.2815515655446004, 0.2, 3, inputs()
    v = 2 * (t * math.exp(-t * t / 2) / math.sqrt(2 * math.pi) + p / 2)
    assert v == pytest.approx(0.650, abs=5e-4)
    layers = GraphonLayers([ConstantGraphon(v)] * (L + 1), gradient=ConstantGraphon(p))
    dense = Dense(L + 1)(x)
    assert distance(GraphonKernel(layers)(x).ntk, p * v**L * dense.ntk) < 1e-14
    # One graphon, as if masks did not depend on weights, is off by more than a factor of 10.
    masked = GraphonKernel([ConstantGraphon(p)] * (L + 1))(x).ntk
    assert float(masked[0, 0] / (p * v**L * dense.ntk[0, 0])) < 0.1


# The path-density theorem, and the ways out.


def test_hidden_graphons_only_scale_the_relu_kernel() -> None:
    x, hidden = inputs(), [STEPS[0], SMOOTH, RANK_ONE, STEPS[1]]
    kernel = GraphonKernel(GraphonLayers([ONE, *hidden], output=0.1))
    t = path_density(hidden, output=0.1)
    dense = Dense(5)(x)
    assert_same(kernel(x), Kernels(t * dense.nngp, t * dense.ntk), 1e-14)
    # So no spectrum has another shape: the effective rank, for one.
    rank, plain = (np.trace(k) / np.linalg.eigvalsh(k)[-1] for k in (kernel(x).ntk, dense.ntk))
    assert rank == pytest.approx(plain, rel=1e-13)


@pytest.mark.parametrize(
    ("change", "least"),
    [
        ({"sigma_b": 0.5}, 1e-3),
        ({"dual": Erf()}, 1e-4),
        ({"first": RANK_ONE}, 1e-4),
        ({"gradient": "dense"}, 1e-5),
    ],
)
def test_what_breaks_the_path_density_theorem(change: Any, least: float) -> None:
    options = {k: v for k, v in change.items() if k in ("sigma_b", "dual")}
    layers = GraphonLayers(
        [change.get("first", ONE), STEPS[0], SMOOTH, STEPS[1]],
        gradient=change.get("gradient", "masked"),
    )
    x = inputs()
    assert misfit(GraphonKernel(layers, **options)(x).ntk, Dense(4, **options)(x).ntk) > least
    assert misfit(GraphonKernel([ONE, *layers.graphons[1:]])(x).ntk, Dense(4)(x).ntk) < 1e-14


def test_fan_in_of_a_row_constant_graphon_is_dense() -> None:
    row = SmoothGraphon(lambda u, v: 0.1 + 0.8 * u**2)
    layers = GraphonLayers([row, row, row], normalisation="fan_in")
    K = GraphonKernel(layers, dual=Erf(), sigma_b=0.3)(inputs())
    assert_same(K, Dense(3, dual=Erf(), sigma_b=0.3)(inputs()), 1e-14)


@pytest.mark.parametrize("normalisation", ["none", "density", "fan_in"])
@pytest.mark.parametrize("dual", [Relu(), Erf()])
@pytest.mark.parametrize("gradient", ["masked", "dense"])
def test_dead_neurons_divide_nothing_by_zero(
    normalisation: Any, dual: AbstractDual, gradient: Any
) -> None:
    """Half of each layer is dead: as if the layer had the other half alone."""
    dead = StepGraphon([[0.8, 0.6], [0.0, 0.0]])
    zero = StepGraphon([[0.0, 0.0]])

    def ntk(graphons: Sequence[AbstractGraphon], x: Array) -> Array:
        layers = GraphonLayers(graphons, gradient=gradient, normalisation=normalisation)
        return GraphonKernel(layers, dual=dual)(x).ntk

    def total(values: Array) -> Array:
        first = StepGraphon(values)
        return ntk([first, dead, StepGraphon([[0.5, 0.5]])], inputs()).sum()

    gradient_of = jax.grad(total)(jnp.asarray(dead.values))
    assert bool(jnp.isfinite(gradient_of).all())
    assert float(total(jnp.asarray(dead.values))) > 0
    lost = ntk([ONE, dead, zero], inputs())
    assert bool(jnp.isfinite(lost).all())
    if gradient == "masked" or normalisation != "none":
        assert float(jnp.abs(lost).max()) == 0
    if normalisation == "fan_in" and gradient == "masked":
        alive = StepGraphon([[0.8, 0.6]])
        half = ntk([ONE, alive, StepGraphon([[0.5]])], inputs())
        halved = GraphonLayers([ONE, dead, StepGraphon([[0.5, 0.5]])], normalisation="none")
        assert not jnp.allclose(half, GraphonKernel(halved, dual=dual)(inputs()).ntk)


# Order, blocks and quadrature.


def blocks(first: Any, second: Any, third: Any, measures: Sequence[float]) -> Array:
    graphons = [
        StepGraphon(first, targets=measures),
        StepGraphon(second, targets=measures, sources=measures),
        StepGraphon(third, sources=measures),
    ]
    return GraphonKernel(graphons, dual=Erf(), sigma_b=0.3)(inputs()).ntk


def test_blocks_may_be_permuted_jointly_but_not_on_one_side() -> None:
    rng, m = np.random.default_rng(2), np.array([0.2, 0.5, 0.3])
    first, second, third = (rng.uniform(size=s) for s in ((3, 4), (3, 3), (1, 3)))
    K, p, q = blocks(first, second, third, m), [2, 0, 1], [1, 2, 0]
    joint = blocks(first[p], second[:, p][p], third[:, p], m[p])
    assert distance(joint, K) < 1e-14
    equal = [1 / 3] * 3
    K = blocks(first, second, third, equal)
    assert distance(blocks(first[p], second[:, p][q], third[:, q], equal), K) < 1e-14
    # Sorting each mask by itself permutes one axis of a hidden layer, and not the other.
    assert distance(blocks(first[p], second, third, equal), K) > 1e-3
    assert distance(blocks(first, second[:, p], third, equal), K) > 1e-3
    # Features carry the data: their blocks may not move.
    assert distance(blocks(first[:, [1, 0, 3, 2]], second, third, equal), K) > 1e-3


def test_blocks_may_be_refined() -> None:
    rng, m = np.random.default_rng(2), [0.2, 0.5, 0.3]
    first, second, third = (rng.uniform(size=s) for s in ((3, 4), (3, 3), (1, 3)))
    twice = [0, 0, 1, 1, 1, 2]
    fine = blocks(
        first[twice], second[:, twice][twice], third[:, twice], [0.05, 0.15, 0.1, 0.2, 0.2, 0.3]
    )
    assert distance(fine, blocks(first, second, third, m)) < 1e-14
    # Two layers need not share their blocks, and a smooth one may follow.
    mixed = [STEPS[0], SMOOTH, StepGraphon([[0.3, 0.9]], sources=[0.35, 0.65])]
    finer = [STEPS[0], SmoothGraphon(SMOOTH.f, nodes=24), mixed[2]]
    assert_same(GraphonKernel(mixed)(inputs()), GraphonKernel(finer)(inputs()), 1e-12)


def through(f: Callable[..., Any], *, nodes: int = 0, midpoints: int = 0) -> Array:
    """A hidden layer f, and f again to the output, by either rule; 0.5 is an odd rule's node."""
    W: AbstractGraphon = SmoothGraphon(f, nodes=max(nodes, 1))
    if midpoints:
        at = (np.arange(midpoints) + 0.5) / midpoints
        W = StepGraphon(f(at[:, None], at[None, :]))
    return GraphonKernel([ONE, W, W], dual=Erf(), sigma_b=0.3)(inputs(3)).ntk


def test_gauss_legendre_is_for_smooth_graphons_only() -> None:
    def smooth(u: Any, v: Any) -> Any:
        return np.exp(-u * v) * (1 - u / 3)

    def logistic(u: Any, v: Any) -> Any:
        return 1 / (1 + np.exp(-20 * (u + v - 1)))

    def kink(u: Any, v: Any) -> Any:
        return np.exp(-3 * np.abs(u - v))

    def jump(u: Any, v: Any) -> Any:
        return np.where(u + v < 1, 1.0, 0.0)

    exact = through(smooth, nodes=64)
    assert distance(through(smooth, nodes=8), exact) < 1e-11
    assert 1e-7 < distance(through(smooth, midpoints=33), exact) < 1e-3
    exact = through(logistic, nodes=64)
    assert distance(through(logistic, nodes=16), exact) < 2e-4
    assert distance(through(logistic, nodes=32), exact) < 2e-8
    exact = through(kink, midpoints=1001)
    midpoints, gauss = through(kink, midpoints=129), through(kink, nodes=33)
    assert distance(midpoints, exact) < 1e-4 < distance(gauss, exact)
    # The output, at 0.5, meets the jump at 0.5: more nodes can be worse.
    exact = through(jump, midpoints=1001)
    errors = {k: distance(through(jump, nodes=k), exact) for k in (32, 33, 64)}
    assert errors[33] > 2 * errors[32]
    assert min(errors.values()) > 1e-3


def test_blocks_given_as_a_function_are_wrong_at_any_number_of_nodes() -> None:
    step = STEPS[0].values[:, :3]
    own = StepGraphon(step, targets=[0.2, 0.5, 0.3], sources=[0.37, 0.33, 0.3])
    exact = GraphonKernel([ONE, own, RANK_ONE])(inputs()).ntk
    for nodes in (8, 16, 32):
        drawn = SmoothGraphon(lambda u, v: np.asarray(own(np.ravel(u), np.ravel(v))), nodes=nodes)
        assert distance(GraphonKernel([ONE, drawn, RANK_ONE])(inputs()).ntk, exact) > 1e-4


# Ends.


def test_outputs_at_other_positions_have_other_kernels() -> None:
    def at(output: float, last: AbstractGraphon) -> Array:
        layers = GraphonLayers([STEPS[0], SMOOTH, last], output=output)
        return GraphonKernel(layers, dual=Erf())(inputs()).ntk

    assert misfit(at(0.1, SMOOTH), at(0.9, SMOOTH)) > 1e-4
    assert distance(at(0.1, RANK_ONE), at(0.9, RANK_ONE) * (1 - 0.07) / (1 - 0.63)) < 1e-13
    assert distance(at(0.1, ONE), at(0.9, ONE)) == 0


def test_positions_of_the_features() -> None:
    W = SmoothGraphon(lambda u, v: v)
    x = inputs(3, 4)
    for features, shift in (("right", 0.0), ("mid", 0.5)):
        layers = GraphonLayers([W], features=features)
        weights = (np.arange(1, 5) - shift) / 4
        assert distance(GraphonKernel(layers)(x).nngp, 2 / 4 * (x * weights) @ x.T) < 1e-15


@pytest.mark.parametrize("gradient", ["masked", "dense"])
@pytest.mark.parametrize("dual", [Relu(), Erf()])
def test_input_masks_by_hand(dual: AbstractDual, gradient: Any) -> None:
    """One hidden neuron type, two features, four masks: sums over masks written out."""
    p, x, y = 0.3, np.array([0.7, -1.1]), np.array([1.2, 0.4])
    layers = GraphonLayers([ConstantGraphon(p), ONE], gradient=gradient, masks="mixture")
    nngp = ntk = 0.0
    for m in ((0, 0), (0, 1), (1, 0), (1, 1)):
        odds = math.prod(p if bit else 1 - p for bit in m)
        xx, xy, yy = (float(np.sum(m * a * b)) for a, b in ((x, x), (x, y), (y, y)))
        if dual == Relu() and not any(m):
            phi, dot = 0.0, 0.0
        else:
            phi, dot = HAND[type(dual)](xx, xy, yy)
        nngp += odds * 2 * phi
        own = float(x @ y) if gradient == "dense" else xy
        ntk += odds * (2 * phi + 2 * dot * own)
    K = GraphonKernel(layers, dual=dual)(jnp.asarray(x[None]), jnp.asarray(y[None]))
    assert float(K.nngp[0, 0]) == pytest.approx(nngp, rel=1e-13)
    # One feature left makes the inputs parallel: rounding e moves the angle of ReLU by sqrt(e).
    assert float(K.ntk[0, 0]) == pytest.approx(ntk, rel=1e-7 if dual == Relu() else 1e-13)


@pytest.mark.parametrize("dual", [Relu(), Erf()])
def test_the_average_misses_few_features_and_nears_the_mixture_as_one_over_d(
    dual: AbstractDual,
) -> None:
    def gap(d: int) -> float:
        x = jnp.tile(inputs(4, 2), d // 2)  # repeated: the average is the same for all d
        graphons = [ConstantGraphon(0.3), ONE, ONE]
        layers = [GraphonLayers(graphons, masks=masks) for masks in ("average", "mixture")]
        average, exact = (GraphonKernel(each, dual=dual)(x).ntk for each in layers)
        return distance(exact, average)

    few, more = gap(2), gap(8)
    assert few > 0.01
    assert more < 0.5 * few  # 1/4 is expected, and 1/2 would be the root of it


def test_the_mixture_of_certain_masks_is_the_average() -> None:
    graphons = [StepGraphon([[1.0, 0.0], [1.0, 1.0]]), SMOOTH, ONE]
    kernels = [
        GraphonKernel(GraphonLayers(graphons, masks=masks, normalisation="fan_in"), sigma_b=0.2)
        for masks in ("mixture", "average")
    ]
    assert_same(kernels[0](inputs()), kernels[1](inputs()))


# Errors.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GraphonKernel([]), r"`graphons` must be graphons, one a weight layer, got \[\]"),
        (lambda: GraphonKernel(ONE), "`graphons` must be graphons, one a weight layer"),
        (lambda: GraphonKernel([0.3, 0.3]), r"got \[0.3, 0.3\]. A linear model has one"),
        (lambda: GraphonLayers([ONE], gradient="none"), '`gradient` must be one of "masked", "den'),
        (lambda: GraphonLayers([ONE] * 3, gradient=[ONE] * 2), "must have 3 graphons, got 2"),
        (lambda: GraphonLayers([ONE], gradient=[0.3]), "`gradient` must be graphons"),
        (lambda: GraphonLayers([ONE], normalisation="row"), '"none", "density", "fan_in", got'),
        (lambda: GraphonLayers([ONE], features="left"), '`features` must be one of "right", "mid"'),
        (lambda: GraphonLayers([ONE], masks="exact"), '`masks` must be one of "average", "mixtur'),
        (lambda: GraphonLayers([ONE], output=1.5), r"`output` must lie in \[0, 1\], got 1.5"),
        (lambda: GraphonLayers([ONE], masks="mixture"), "needs a hidden layer"),
        (
            lambda: GraphonLayers([ONE] * 2, masks="mixture", gradient=ConstantGraphon(0.5)),
            "masks depend on the weights there is no Gaussian mixture",
        ),
        (lambda: GraphonKernel([ONE], sigma_w=-1), "`sigma_w` must be finite and not negative"),
        (lambda: GraphonKernel([ONE], sigma_b=-1), "`sigma_b` must be finite and not negative"),
        (lambda: GraphonKernel([ONE])(jnp.ones(3)), "`x1` must have shape"),
        (lambda: GraphonKernel([ONE])(jnp.ones((2, 3)), jnp.ones((2, 4))), "the same features"),
        (
            lambda: GraphonKernel(GraphonLayers([ONE] * 2, masks="mixture"))(jnp.ones((2, 13))),
            "at most 12 features, got 13",
        ),
        (lambda: GraphonKernel([ONE]).network(0), "`width` must be at least 1"),
        (lambda: GraphonKernel([ONE]).network(3, 0), "`n_outputs` must be at least 1"),
        (lambda: GraphonKernel([ONE]).network(3, weights="hard"), '`weights` must be one of "mask'),
        (
            lambda: GraphonKernel([ONE]).network(3).init(jax.random.key(0), 0),
            "`n_features` must be at least 1",
        ),
    ],
)
def test_errors(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# The finite twin.


def draws(kernel: GraphonKernel, x: Array, n: int, width: int, **options: Any) -> Array:
    network = kernel.network(width, **options)

    @jax.jit
    def one(key: Array) -> Array:
        return empirical_ntk(network.apply, network.init(key, x.shape[1]), x)

    return jnp.stack([one(key) for key in jax.random.split(jax.random.key(5), n)])


def errors(sample: Array, limit: Array) -> tuple[float, float]:
    """The error of the mean, and what is to be expected of it."""
    deviation = float(jnp.sqrt(sample.var(axis=0, ddof=1).sum() / len(sample)))
    return float(jnp.linalg.norm(sample.mean(axis=0) - limit)), deviation


@pytest.mark.parametrize(
    ("gradient", "normalisation", "weights"),
    [
        ("masked", "fan_in", "masks"),
        ("masked", "density", "soft"),
        ("dense", "none", "masks"),
        ("dense", "none", "soft"),
        ([ONE, ConstantGraphon(0.8), ConstantGraphon(0.3)], "none", "masks"),
    ],
)
def test_the_twin_converges(gradient: Any, normalisation: Any, weights: Any) -> None:
    graphons = [RANK_ONE, SmoothGraphon(lambda u, v: 0.2 + 0.7 * u * v), ConstantGraphon(0.5)]
    layers = GraphonLayers(graphons, gradient=gradient, normalisation=normalisation)
    kernel, x = GraphonKernel(layers, dual=Erf(), sigma_b=0.2), inputs(3)
    error, expected = errors(draws(kernel, x, 16, 256, weights=weights), kernel(x).ntk)
    assert error < 4 * expected
    # Were the gradient read the other way, the twin would tell.
    if isinstance(gradient, str):
        other = "dense" if gradient == "masked" else "masked"
        others = GraphonLayers(graphons, gradient=other, normalisation=normalisation)
        wrong = GraphonKernel(others, dual=Erf(), sigma_b=0.2)(x).ntk
        assert float(jnp.linalg.norm(wrong - kernel(x).ntk)) > 8 * expected


@pytest.mark.parametrize("gradient", ["masked", "dense"])
def test_the_twin_with_input_masks_is_the_mixture_and_not_the_average(gradient: Any) -> None:
    graphons, x = [ConstantGraphon(0.3), ONE, ONE], inputs(3, 3)
    limits = {
        masks: GraphonKernel(GraphonLayers(graphons, gradient=gradient, masks=masks), dual=Erf())
        for masks in ("mixture", "average")
    }
    sample = draws(limits["mixture"], x, 96, 128)
    error, expected = errors(sample, limits["mixture"](x).ntk)
    assert error < 4 * expected
    assert errors(sample, limits["average"](x).ntk)[0] > 4 * expected


def test_magnitude_masks_of_the_weights_themselves_converge_to_two_graphons() -> None:
    """A network of its own: Dense, whose later layers keep the weights above t."""
    t, p, n, x = 1.2815515655446004, 0.2, 256, inputs(3)
    v = 2 * (t * math.exp(-t * t / 2) / math.sqrt(2 * math.pi) + p / 2)
    layers = GraphonLayers(
        [ONE, ConstantGraphon(v), ConstantGraphon(v)],
        gradient=[ONE, ConstantGraphon(p), ConstantGraphon(p)],
    )
    network = Dense(3).network(n)

    @jax.jit
    def one(key: Array) -> Array:
        params = network.init(key, x.shape[1])
        masks = [jnp.ones_like(params[0]["W"])] + [jnp.abs(q["W"]) > t for q in params[1:]]

        def apply(params: Any, x: Array) -> Array:
            kept = [{**q, "W": q["W"] * m} for q, m in zip(params, masks, strict=True)]
            return network.apply(kept, x)

        return empirical_ntk(apply, params, x)

    sample = jnp.stack([one(key) for key in jax.random.split(jax.random.key(3), 24)])
    error, expected = errors(sample, GraphonKernel(layers)(x).ntk)
    assert error < 4 * expected
    one_graphon = GraphonKernel([ONE, ConstantGraphon(p), ConstantGraphon(p)])(x).ntk
    assert errors(sample, one_graphon)[0] > 8 * expected


def test_masks_are_not_trained() -> None:
    kernel = GraphonKernel(GraphonLayers([ONE, STEPS[0]], normalisation="density"))
    network, x = kernel.network(8, 2), inputs()
    params = network.init(jax.random.key(0), x.shape[1])
    gradient = jax.grad(lambda p: network.apply(p, x).sum())(params)
    assert [{k: v.shape for k, v in p.items()} for p in params] == [
        {"W": (4, 8), "b": (8,), "mask": (4, 8)},
        {"W": (8, 2), "b": (2,), "mask": (8, 2)},
    ]
    assert all(not p["mask"].any() for p in gradient)
    removed = params[1]["mask"] == 0
    assert removed.any() and not gradient[1]["W"][removed].any()
    assert network.apply(params, x).shape == (5, 2)


def test_gradients_reach_graphons_and_deviations() -> None:
    def ntk(values: Array, sigma_w: Array) -> Array:
        W = StepGraphon(values)
        layers = GraphonLayers([W, W], normalisation="fan_in", masks="mixture", output=0.1)
        return GraphonKernel(layers, dual=Erf(), sigma_w=sigma_w)(inputs()).ntk.sum()

    at = jnp.asarray([[0.3, 0.6], [0.9, 0.2]])
    slope = jax.jit(jax.grad(ntk, argnums=(0, 1)))(at, jnp.asarray(1.2))
    step = 1e-6
    for i, j in ((0, 0), (1, 0)):
        up, down = (ntk(at.at[i, j].add(s), jnp.asarray(1.2)) for s in (step, -step))
        assert float(slope[0][i, j]) == pytest.approx(float((up - down) / 2 / step), rel=1e-6)
    up, down = (ntk(at, jnp.asarray(1.2 + s)) for s in (step, -step))
    assert float(slope[1]) == pytest.approx(float((up - down) / 2 / step), rel=1e-6)
