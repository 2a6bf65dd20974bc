"""Convolutional networks: loops over pixels, closed forms, shifts, errors and the finite twin."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from ntklib.convolution import Convolution, mean_over_sites
from ntklib.dense import Dense, DenseMixing
from ntklib.duals import Erf, Relu
from ntklib.empirical import empirical_ntk
from ntklib.recursion import Covariances, Kernels, activate, affine, layer
from ntklib.residual import Residual, skip
from ntklib.windows import ConvolutionMixing, Window

Pixel = tuple[int, ...]
Pairs = dict[tuple[Pixel, Pixel], float]


def images(n: int, *shape: int, seed: int = 0) -> Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=(n, *shape)))


def relu(a: float, c: float, b: float) -> tuple[float, float]:
    theta = math.acos(max(-1.0, min(1.0, c / math.sqrt(a * b))))
    root = math.sqrt(a * b) * math.sin(theta)
    return (root + (math.pi - theta) * c) / (2 * math.pi), (math.pi - theta) / (2 * math.pi)


def erf(a: float, c: float, b: float) -> tuple[float, float]:
    product = (1 + 2 * a) * (1 + 2 * b)
    return (
        2 / math.pi * math.asin(2 * c / math.sqrt(product)),
        4 / math.pi / math.sqrt(product - 4 * c * c),
    )


def run(kernel: Convolution, *x: Array) -> Kernels:
    """The kernel under jit: for these small images compiling each operation alone takes longer."""
    result: Kernels = _run(kernel, x)
    return result


_run = eqx.filter_jit(lambda kernel, x: kernel(*x))


def windows(shape: Pixel, size: Pixel, stride: Pixel, padding: str) -> dict[Pixel, list[Any]]:
    """For each output pixel the input pixels that it sees, None where there is none."""
    seen: dict[Pixel, list[Any]] = {}
    axes = range(len(shape))
    for s in itertools.product(*(range(math.ceil(shape[k] / stride[k])) for k in axes)):
        seen[s] = []
        for o in itertools.product(*(range(q) for q in size)):
            at = [stride[k] * s[k] + o[k] - (size[k] - 1) // 2 for k in axes]
            if padding == "circular":
                at = [at[k] % shape[k] for k in axes]
            inside = all(0 <= at[k] < shape[k] for k in axes)
            seen[s].append(tuple(at) if inside else None)
    return seen


def through(C: Pairs, seen: dict[Pixel, list[Any]]) -> Pairs:
    """The covariance after filters of unit variance, divided by their size."""
    moved = dict.fromkeys(itertools.product(seen, seen), 0.0)
    for s, t in moved:
        for u, v in zip(seen[s], seen[t], strict=True):
            if u is not None and v is not None:
                moved[s, t] += C[u, v] / len(seen[s])
    return moved


def by_hand(
    x: np.ndarray,
    y: np.ndarray,
    *,
    depth: int,
    size: Pixel,
    stride: Pixel,
    padding: str,
    readout: str,
    sw2: float,
    sb2: float,
    dual: Callable[[float, float, float], tuple[float, float]],
    alpha: float | None = None,
) -> tuple[float, float]:
    """NNGP and NTK of one pair, one pair of pixels at a time; `alpha` puts skips after layer 1."""
    shape = x.shape[:-1]
    pixels = list(itertools.product(*(range(p) for p in shape)))
    S, A, B = (
        {(s, t): float(u[s] @ v[t]) / x.shape[-1] for s in pixels for t in pixels}
        for u, v in ((x, y), (x, x), (y, y))
    )
    T = dict.fromkeys(S, 0.0)
    skipped: list[Pairs] = []
    for index in range(depth - 1):
        seen = windows(shape, size, stride, padding)
        S, A, B, T = (through(C, seen) for C in (S, A, B, T))
        T = {p: sw2 * (S[p] + T[p]) + sb2 for p in T}
        S, A, B = ({p: sw2 * C[p] + sb2 for p in C} for C in (S, A, B))
        if alpha is not None and index > 0:
            blocks = zip(skipped, (S, T, A, B), strict=True)
            S, T, A, B = ({p: h[p] + alpha**2 * C[p] for p in C} for h, C in blocks)
        skipped = [S, T, A, B]
        duals = {(s, t): dual(A[s, s], S[s, t], B[t, t]) for s, t in S}
        S, T = ({p: duals[p][0] for p in S}, {p: duals[p][1] * T[p] for p in S})
        A, B = ({(s, t): dual(C[s, s], C[s, t], C[t, t])[0] for s, t in C} for C in (A, B))
        shape = tuple(math.ceil(p / r) for p, r in zip(shape, stride, strict=True))
    chosen = [p for p in S if readout == "pool" or p[0] == p[1]]
    mean_S, mean_T = (sum(C[p] for p in chosen) / len(chosen) for C in (S, T))
    return sw2 * mean_S + sb2, sw2 * (mean_S + mean_T) + sb2


GEOMETRIES = {
    "3x3": ((3, 4, 2), 3, 1, (3, 3), (1, 1)),
    "even": ((4, 3, 1), 2, 1, (2, 2), (1, 1)),
    "strided": ((5, 4, 2), 3, 2, (3, 3), (2, 2)),
    "oblong": ((3, 5, 2), (1, 3), (1, 2), (1, 3), (1, 2)),
    "wider than the image": ((2, 2, 3), 5, 1, (5, 5), (1, 1)),
    "sequence": ((6, 2), 4, 2, (4,), (2,)),
}


@pytest.mark.parametrize("readout", ["flatten", "pool"])
@pytest.mark.parametrize("padding", ["zero", "circular"])
@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES.keys())
def test_both_kernels_equal_loops_over_pixels(x64, geometry, padding, readout) -> None:
    shape, size, stride, all_sizes, all_strides = geometry
    dual, numbers = (Relu(), relu) if padding == "zero" else (Erf(), erf)
    x, y = images(1, *shape), images(1, *shape, seed=1)
    window = Window(size, stride=stride, padding=padding)
    kernel = Convolution(3, window=window, readout=readout, dual=dual, sigma_w=1.3, sigma_b=0.4)
    K = run(kernel, x, jnp.concatenate([y, x]))
    options = {
        "depth": 3, "size": all_sizes, "stride": all_strides, "padding": padding,
        "readout": readout, "sw2": 1.69, "sb2": 0.16, "dual": numbers,
    }  # fmt: skip
    pair = np.asarray(x[0]), np.asarray(y[0])
    np.testing.assert_allclose((K.nngp[0, 0], K.ntk[0, 0]), by_hand(*pair, **options), rtol=1e-12)
    # Between equal images the loops take acos of a rounded cosine: half of the digits.
    pair = np.asarray(x[0]), np.asarray(x[0])
    np.testing.assert_allclose((K.nngp[0, 1], K.ntk[0, 1]), by_hand(*pair, **options), rtol=1e-7)


def test_a_deeper_network_without_bias_equals_loops(x64) -> None:
    x, y = images(1, 4, 3, 2), images(1, 4, 3, 2, seed=1)
    for readout in ("flatten", "pool"):
        K = run(Convolution(4, readout=readout), x, y)
        expected = by_hand(
            np.asarray(x[0]), np.asarray(y[0]), depth=4, size=(3, 3), stride=(1, 1),
            padding="zero", readout=readout, sw2=2.0, sb2=0.0, dual=relu,
        )  # fmt: skip
        np.testing.assert_allclose((K.nngp[0, 0], K.ntk[0, 0]), expected, rtol=1e-12)


@pytest.mark.parametrize("readout", ["flatten", "pool"])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_images_of_one_pixel_are_dense_inputs(x64, depth, readout) -> None:
    x, y = images(4, 1, 1, 3), images(2, 1, 1, 3, seed=1)
    dense = Dense(depth, dual=Erf(), sigma_w=1.2, sigma_b=0.3)(x[:, 0, 0], y[:, 0, 0])
    for window in (Window(1), Window(1, stride=3), Window(3, padding="circular")):
        kernel = Convolution(
            depth, window=window, readout=readout, dual=Erf(), sigma_w=1.2, sigma_b=0.3
        )
        for ours, theirs in zip(run(kernel, x, y), dense, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-13)


def test_zero_padding_divides_by_the_whole_filter(x64) -> None:
    # One pixel under a 3 x 3 filter: the other eight are outside, so sigma_w^2 becomes a ninth.
    x = images(4, 1, 1, 3)
    K = Convolution(2, window=Window(3), sigma_w=3.0)(x)
    S = x[:, 0, 0] @ x[:, 0, 0].T / 3
    v = jnp.diag(S)
    phi, dot = (f(v[:, None], S, v[None, :]) for f in (Relu().phi, Relu().derivative))
    np.testing.assert_allclose(K.nngp, 9 * phi, rtol=1e-6)
    np.testing.assert_allclose(K.ntk, 9 * (phi + dot * S), rtol=1e-6)


def test_a_filter_of_one_pixel_is_a_dense_kernel_between_pixels(x64) -> None:
    x, y = images(2, 2, 3, 4), images(3, 2, 3, 4, seed=1)
    dense = Dense(3, sigma_b=0.2)(x.reshape(-1, 4), y.reshape(-1, 4))
    pooled = run(Convolution(3, window=Window(1), readout="pool", sigma_b=0.2), x, y)
    flat = run(Convolution(3, window=Window(1), sigma_b=0.2), x, y)
    for k in ("nngp", "ntk"):
        pairs = getattr(dense, k).reshape(2, 6, 3, 6)
        np.testing.assert_allclose(getattr(pooled, k), pairs.mean(axis=(1, 3)), rtol=1e-12)
        diagonal = np.diagonal(pairs, axis1=1, axis2=3).mean(axis=-1)
        np.testing.assert_allclose(getattr(flat, k), diagonal, rtol=1e-12)


def test_a_linear_model_reads_the_pixels(x64) -> None:
    x, y = images(3, 2, 3, 2), images(2, 2, 3, 2, seed=1)
    flat = Convolution(1, sigma_w=1.3, sigma_b=0.5)(x, y)
    expected = Dense(1, sigma_w=1.3, sigma_b=0.5)(x.reshape(3, -1), y.reshape(2, -1))
    np.testing.assert_allclose(flat.ntk, expected.ntk, rtol=1e-13)
    pooled = Convolution(1, readout="pool", sigma_w=1.3)(x, y)
    means = Dense(1, sigma_w=1.3)(x.mean(axis=(1, 2)), y.mean(axis=(1, 2)))
    np.testing.assert_allclose(pooled.ntk, means.ntk, rtol=1e-12)


def test_sequences_are_images_of_height_one(x64) -> None:
    x = images(3, 5, 2)
    for readout in ("flatten", "pool"):
        sequence = run(Convolution(3, window=Window(3), readout=readout), x)
        image = run(Convolution(3, window=Window((1, 3)), readout=readout), x[:, None])
        np.testing.assert_allclose(sequence.ntk, image.ntk, rtol=1e-13)


def test_uniform_images_are_dense_inputs_under_circular_padding(x64) -> None:
    colours = images(3, 4)
    x = jnp.broadcast_to(colours[:, None, None], (3, 3, 3, 4))
    dense = Dense(3, dual=Erf())(colours)
    for readout in ("flatten", "pool"):
        window = Window(3, padding="circular")
        K = run(Convolution(3, window=window, readout=readout, dual=Erf()), x)
        np.testing.assert_allclose(K.ntk, dense.ntk, rtol=1e-12)


def test_pooling_is_the_average_of_flattening_over_all_shifts(x64) -> None:
    # li2019enhanced, for circular padding: global average pooling is full augmentation.
    x, y = images(3, 3, 4, 2), images(2, 3, 4, 2, seed=1)
    options: dict[str, Any] = {"window": Window(3, padding="circular"), "sigma_b": 0.3}
    pooled = run(Convolution(3, readout="pool", **options), x, y)
    shifts = [jnp.roll(x, (i, j), axis=(1, 2)) for i in range(3) for j in range(4)]
    flat = [run(Convolution(3, **options), shifted, y) for shifted in shifts]
    for k in ("nngp", "ntk"):
        average = np.mean([getattr(K, k) for K in flat], axis=0)
        np.testing.assert_allclose(getattr(pooled, k), average, rtol=1e-12)


def test_circular_pooling_does_not_see_shifts(x64) -> None:
    x, y = images(3, 4, 4, 2), images(2, 4, 4, 2, seed=1)

    def change(kernel: Convolution, shift: tuple[int, int]) -> float:
        shifted = jnp.roll(x, shift, axis=(1, 2))
        a, b = run(kernel, x, y).ntk, run(kernel, shifted, y).ntk
        return float(jnp.abs(a - b).max() / jnp.abs(a).max())

    circular, strided = Window(3, padding="circular"), Window(3, stride=2, padding="circular")
    assert change(Convolution(3, window=circular, readout="pool"), (1, 3)) < 1e-13
    assert change(Convolution(2, window=circular), (1, 3)) > 0.01
    assert change(Convolution(2, readout="pool"), (1, 3)) > 1e-3
    # With stride 2 and one convolution, shifts by 2 are not seen, others are.
    assert change(Convolution(2, window=strided, readout="pool"), (2, 0)) < 1e-13
    assert change(Convolution(2, window=strided, readout="pool"), (1, 0)) > 1e-3


def test_a_deep_strided_network_needs_shifts_by_all_strides(x64) -> None:
    x, y = images(2, 8, 1), images(2, 8, 1, seed=1)
    window = Window(3, stride=2, padding="circular")
    kernel = Convolution(3, window=window, readout="pool")
    same, other, still = (run(kernel, jnp.roll(x, shift, axis=1), y).ntk for shift in (4, 2, 0))
    np.testing.assert_allclose(same, still, rtol=1e-12)
    assert float(jnp.abs(other - same).max()) > 1e-3 * float(jnp.abs(same).max())


def test_zero_padding_darkens_the_border(x64) -> None:
    mix = ConvolutionMixing(Window(3), (3, 3), "diagonal", 1.0)
    variance = mix.mix(jnp.ones((1, 1, 3, 3)))[0, 0]
    np.testing.assert_allclose(variance, jnp.array([[4, 6, 4], [6, 9, 6], [4, 6, 4]]) / 9)


def test_the_diagonal_of_all_pairs_is_the_diagonal(x64) -> None:
    C = images(2, 3, 12, 12)
    for window in (Window(3), Window((2, 3), stride=(2, 1), padding="circular")):
        full = ConvolutionMixing(window, (3, 4), "full", 1.5).mix(C)
        own = jnp.diagonal(C, axis1=2, axis2=3).reshape(2, 3, 3, 4)
        diagonal = ConvolutionMixing(window, (3, 4), "diagonal", 1.5).mix(own)
        expected = jnp.diagonal(full, axis1=2, axis2=3).reshape(diagonal.shape)
        np.testing.assert_allclose(diagonal, expected, rtol=1e-12)
        assert diagonal.shape[2:] == window.output_shape((3, 4))


def test_layers_may_follow_the_read_out(x64) -> None:
    x, y = images(3, 1, 4), images(2, 1, 4, seed=1)
    own = [jnp.einsum("nuc,nvc->nuv", z, z) / 4 for z in (x, y)]
    G = jnp.einsum("nuc,mvc->nmuv", x, y) / 4
    K = Covariances(G, jnp.zeros_like(G), *own, sites="full")
    K = affine(K, mix=ConvolutionMixing(Window(1), (1,), "full", 1.2))
    K = mean_over_sites(activate(K, dual=Erf()))
    K = layer(affine(K, mix=DenseMixing(1.2)), dual=Erf(), mix=DenseMixing(1.2))
    expected = Dense(3, dual=Erf(), sigma_w=1.2)
    np.testing.assert_allclose(K.Theta, expected(x[:, 0], y[:, 0]).ntk, rtol=1e-12)
    np.testing.assert_allclose(K.left, jnp.diag(expected(x[:, 0]).nngp), rtol=1e-12)
    assert K.sites == "diagonal"


def test_a_residual_convolutional_network_equals_loops(x64) -> None:
    x, y = images(1, 3, 4, 2), images(1, 3, 4, 2, seed=1)
    G = jnp.einsum("nuc,mvc->nmuv", *(z.reshape(1, 12, 2) for z in (x, y))) / 2
    own = [jnp.einsum("nuc,nvc->nuv", *[z.reshape(1, 12, 2)] * 2) / 2 for z in (x, y)]
    mix = ConvolutionMixing(Window(3, padding="circular"), (3, 4), "full", 1.3, 0.4)

    @jax.jit
    def network(K: Covariances) -> Covariances:
        K = affine(K, mix=mix)
        for _ in range(2):
            K = skip(K, lambda K: layer(K, dual=Erf(), mix=mix), alpha=0.6)
        return affine(mean_over_sites(activate(K, dual=Erf())), mix=DenseMixing(1.3, 0.4))

    K = network(Covariances(G, jnp.zeros_like(G), *own, sites="full"))
    expected = by_hand(
        np.asarray(x[0]), np.asarray(y[0]), depth=4, size=(3, 3), stride=(1, 1),
        padding="circular", readout="pool", sw2=1.69, sb2=0.16, dual=erf, alpha=0.6,
    )  # fmt: skip
    np.testing.assert_allclose((K.Sigma[0, 0], K.Theta[0, 0]), expected, rtol=1e-12)


def test_a_residual_convolution_on_one_pixel_is_residual(x64) -> None:
    x = images(3, 1, 2)
    mix = ConvolutionMixing(Window(1), (1,), "diagonal", 1.3, 0.2)
    G = jnp.einsum("nuc,muc->nmu", x, x) / 2
    K = affine(Covariances(G, jnp.zeros_like(G)), mix=mix)
    K = skip(K, lambda K: layer(K, dual=Relu(), mix=mix), alpha=0.6)
    K = affine(mean_over_sites(activate(K, dual=Relu())), mix=DenseMixing(1.3, 0.2))
    expected = Residual(3, alpha=0.6, sigma_w=1.3, sigma_b=0.2)(x[:, 0])
    np.testing.assert_allclose(K.Theta, expected.ntk, rtol=1e-13)
    with pytest.raises(ValueError, match="Use stride 1 inside a skip"):
        halves = ConvolutionMixing(Window(1, stride=2), (2,), "diagonal", 1.0)
        K = Covariances(jnp.ones((1, 1, 2)), jnp.ones((1, 1, 2)))
        skip(K, lambda K: layer(K, dual=Relu(), mix=halves))


def test_black_images_have_finite_kernels_and_gradients(x64) -> None:
    x = images(3, 3, 3, 1).at[0].set(0.0).at[1, 0].set(0.0)
    for readout in ("flatten", "pool"):
        kernel = Convolution(2, readout=readout)
        assert float(jnp.abs(run(kernel, x).ntk[0]).max()) == 0.0
        gradient = jax.jit(jax.grad(lambda x, kernel=kernel: kernel(x).ntk.sum()))(x)
        assert bool(jnp.isfinite(gradient).all())


CONFIGURATIONS = {
    "flatten, zero, strided": (
        Convolution(3, window=Window(3, stride=2), sigma_b=0.3, dual=Erf()),
        (5, 4, 2),
    ),
    "pool, circular, even": (
        Convolution(
            3, window=Window(2, padding="circular"), readout="pool", sigma_w=1.3, sigma_b=0.3
        ),
        (3, 3, 2),
    ),
    "sequence, pool, zero": (
        Convolution(3, window=Window(4, stride=2), readout="pool", dual=Erf(), sigma_w=2.0),
        (7, 2),
    ),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_finite_twin_converges(name) -> None:
    kernel, shape = CONFIGURATIONS[name]
    x, outputs, draws = images(3, *shape).astype(jnp.float32), 64, 32
    network = kernel.network(128, outputs)

    @jax.jit
    def draw(key: Array) -> tuple[Array, Array]:
        *layers, read = network.init(key, *shape)
        f = network.apply([*layers, read], x)
        one = {"W": read["W"][:, :1], "b": read["b"][:1]}
        ntk = empirical_ntk(kernel.network(128).apply, [*layers, one], x)
        return f @ f.T / outputs, ntk

    samples = [draw(key) for key in jax.random.split(jax.random.key(1), draws)]
    for sample, limit in zip(zip(*samples, strict=True), run(kernel, x), strict=True):
        values = np.stack(sample)
        spread = np.sqrt(np.sum(np.var(values, axis=0, ddof=1)))
        error = np.linalg.norm(values.mean(axis=0) - np.asarray(limit))
        assert error < 4 * spread / math.sqrt(draws)
        assert 4 * spread / math.sqrt(draws) < 0.35 * np.linalg.norm(limit)  # and it says something


def test_the_twin_has_the_stated_parameters() -> None:
    kernel = Convolution(3, window=Window((3, 2), stride=2), readout="flatten")
    params = kernel.network(7, 4).init(jax.random.key(0), 5, 4, 3)
    shapes = [p["W"].shape for p in params]
    assert shapes == [(3, 2, 3, 7), (3, 2, 7, 7), (2 * 1 * 7, 4)]
    assert [p["b"].shape for p in params] == [(7,), (7,), (4,)]
    assert kernel.network(7, 4).apply(params, jnp.ones((6, 5, 4, 3))).shape == (6, 4)
    pooled = Convolution(1, readout="pool").network(7).init(jax.random.key(0), 5, 3)
    assert [p["W"].shape for p in pooled] == [(3, 1)]


def test_jit_does_not_move_the_diagonal_away_from_the_variances(x64) -> None:
    x = images(4, 7, 3)
    kernel = Convolution(3, window=Window(2, stride=2), sigma_b=0.2)
    np.testing.assert_allclose(run(kernel, x).ntk, kernel(x).ntk, rtol=1e-10)


def test_errors_of_the_window_say_the_rule() -> None:
    with pytest.raises(ValueError, match=r"`size` must be at least 1, got 0. One number serves"):
        Window(0)
    with pytest.raises(ValueError, match=r"`stride` must be at least 1, got -1"):
        Window(3, stride=(2, -1))
    with pytest.raises(ValueError, match=r"`size` must be an integer, got \[3, 3\]"):
        Window([3, 3])
    with pytest.raises(ValueError, match=r"(?s)`size` must be.*\"zero\" or \"circular\", got 'sam"):
        Window(2.5, padding="same")


def test_errors_say_the_rule() -> None:
    x = jnp.ones((2, 4, 4, 1))
    with pytest.raises(ValueError, match=r"`depth` must be at least 1, got 0. A linear model"):
        Convolution(0)
    with pytest.raises(ValueError, match=r'(?s)`readout` must be "flatten" or "pool".*`sigma_b`'):
        Convolution(2, readout="gap", sigma_b=-1.0)
    with pytest.raises(ValueError, match=r"`sigma_w` must be finite and not negative"):
        Convolution(2, sigma_w=float("nan"))
    with pytest.raises(ValueError, match=r"channels\), got \(2, 4\). Grey images need a last axis"):
        Convolution(2)(x[:, :, 0, 0])
    with pytest.raises(ValueError, match=r"`x1` must have shape .* got \(2, 4, 4, 0\)"):
        Convolution(2)(x[..., :0])
    with pytest.raises(ValueError, match=r"`x1` must be floating point, got int32"):
        Convolution(2)(x.astype(jnp.int32))
    with pytest.raises(ValueError, match=r"`x2` must be finite, got NaN or infinity"):
        Convolution(2)(x, x.at[0, 0, 0, 0].set(jnp.nan))
    with pytest.raises(ValueError, match=r"of one shape, got \(4, 4, 1\) and \(4, 3, 1\). Crop"):
        Convolution(2)(x, x[:, :, :3])
    with pytest.raises(ValueError, match=r"`size` of the window .* got \(3, 3\) for images of 1"):
        Convolution(2, window=Window((3, 3)))(x[:, 0])
    with pytest.raises(ValueError, match=r"`stride` of the window .* got \(2,\) for images of 2"):
        Convolution(2, window=Window(3, stride=(2,))).network(4).init(jax.random.key(0), 4, 4, 1)
    with pytest.raises(ValueError, match=r"`shape` must be .* got \(4,\). Pass `\*x.shape\[1:\]`"):
        Convolution(2).network(4).init(jax.random.key(0), 4)
    with pytest.raises(ValueError, match="It counts channels after a convolution"):
        Convolution(2).network(0)
    with pytest.raises(ValueError, match="`n_outputs` must be at least 1"):
        Convolution(2).network(4, 0)
