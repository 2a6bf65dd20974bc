"""Kernels in tiles on a CPU against the plain recursion."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib import Abs, Dense, Erf, LeakyRelu, Relu, _in_cache, _zonal
from ntklib._erf import ModerateErf, is_moderate

KERNELS = [
    Dense(1),
    Dense(4),
    Dense(11),
    Dense(21),  # the powers of its series would lose digits
    Dense(4, dual=LeakyRelu(0.2), sigma_w=1.0),
    Dense(4, dual=Abs()),
    Dense(3, dual=LeakyRelu(0.2), sigma_b=0.3),
    Dense(4, dual=Erf()),  # some of its tiles are moderate, some are not
    Dense(12, dual=Erf(), sigma_w=1.2, sigma_b=0.5),
    Dense(3, dual=Erf(), sigma_w=1.5, parameterisation="standard", base_width=8),
]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of at most 4 inputs a side, from 30 pairs on."""
    monkeypatch.setattr(_in_cache, "_TILE", 16 * 4)
    monkeypatch.setattr(_in_cache, "_PAYS", 30)


def points(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_tiles_are_the_plain_recursion(kernel: Any, dtype: Any, x64: None) -> None:
    """Ten inputs are three tiles a side, with padding; near ones, opposite ones, and zero too."""
    x, y = points(10).astype(dtype), points(7, seed=1).astype(dtype)
    x[7], x[8], x[9], y[6] = -x[1], x[0] + dtype(1e-4) * y[0], 0, x[2]
    for sides in ((x,), (x, y), (jnp.asarray(x), jnp.asarray(x))):
        second = jnp.asarray(sides[1]) if len(sides) > 1 else None
        plain = Dense._recursion(kernel, jnp.asarray(x), second)
        for tiled, expected in zip(kernel(*sides), plain, strict=True):
            assert isinstance(tiled, jax.Array) and tiled.dtype == expected.dtype
            atol = 8 * kernel.depth * float(np.finfo(dtype).eps) * float(expected.max())
            np.testing.assert_allclose(tiled, expected, rtol=0, atol=atol)


def test_near_duplicates_in_different_tiles() -> None:
    x = points(10)
    x[8:] = x[:2] + np.float32(1e-4) * points(2, seed=1)
    single = np.asarray(Dense(4)(x).ntk)
    with jax.enable_x64(True):
        exact = np.asarray(Dense(4)(x.astype(float)).ntk)
    pairs = [0, 1], [8, 9]
    np.testing.assert_allclose(single[pairs], exact[pairs], rtol=5e-7)


def test_a_gram_matrix_is_exactly_symmetric() -> None:
    for k in Dense(3, sigma_b=0.2)(points(10)):
        np.testing.assert_array_equal(k, k.T)


@pytest.mark.parametrize(("count", "length"), [(0, 0), (1, 1), (10, 10), (11, 1), (15, 5), (28, 7)])
def test_runs_of_tiles_are_of_equal_length(count: int, length: int) -> None:
    places = [(i, i) for i in range(count)]
    runs = _in_cache._runs(places, 10)
    assert [place for run in runs for place in run] == places
    assert {len(run) for run in runs} == ({length} if count else set())


def test_traced_inputs_take_the_plain_recursion(monkeypatch: pytest.MonkeyPatch) -> None:
    x = jnp.asarray(points(6))
    expected = Dense(3)(x).ntk
    monkeypatch.delattr(_in_cache, "_tiles")
    np.testing.assert_allclose(jax.jit(Dense(3))(x).ntk, expected, rtol=1e-5)
    assert np.isfinite(jax.grad(lambda s: Dense(3, sigma_w=s)(x).ntk.sum())(1.4))
    with pytest.raises(NameError, match="_tiles"):
        Dense(3)(x)


@pytest.mark.parametrize("asarray", [np.asarray, jnp.asarray])
def test_the_kernel_is_a_constant_of_a_transformation(asarray: Any) -> None:
    x = asarray(points(6))
    scaled = jax.jit(lambda s: s * Dense(3)(x).ntk)(2.0)
    np.testing.assert_array_equal(scaled, 2 * Dense(3)(x).ntk)


def test_the_result_is_on_the_device_of_the_inputs() -> None:
    x = jax.device_put(points(6), jax.devices()[-1])
    assert Dense(2)(x).ntk.devices() == x.devices()


@pytest.mark.parametrize(
    ("dual", "sigma_w", "sigma_b", "depth"),
    [
        (Erf(), 1.5, 0.0, 5),
        (Relu(), 1.5, 0.3, 5),
        (Relu(), jnp.asarray(1.5), 0.0, 5),
        (Relu(), 1.5, 0.0, 2),
        (Relu(), 1.5, 0.0, 300),
    ],
)
def test_no_series(dual: Any, sigma_w: Any, sigma_b: float, depth: int) -> None:
    """Not homogeneous, not known, not needed, or too long."""
    assert _zonal.zonal(dual, sigma_w, sigma_b, depth, np.dtype(np.float64)) is None


@pytest.mark.parametrize(("depth", "single", "double"), [(4, 13, 30), (11, 17, 36)])
def test_the_series_are_short(depth: int, single: int, double: int) -> None:
    for dtype, most in ((np.float32, single), (np.float64, double)):
        series = _zonal.zonal(Relu(), 2**0.5, 0.0, depth, np.dtype(dtype))
        assert series is not None
        assert max(map(len, series.coefficients)) <= most
        np.testing.assert_allclose(series.at_zero, (2.0, 2.0 * depth), rtol=1e-14)


def test_erf_of_moderate_variance(x64: None) -> None:
    """In float32 against the closed form in float64: at the largest variance it loses two bits."""
    s11, s22, cosine = np.meshgrid([0, 0.1, 1, 2.5], [0.3, 2, 2.5], np.linspace(-1, 1, 201))
    s = [jnp.asarray(v, jnp.float32) for v in (s11, cosine * np.sqrt(s11 * s22), s22)]
    for name in ("phi", "derivative"):
        exact = getattr(Erf(), name)(*(v.astype(float) for v in s))
        found = getattr(ModerateErf(), name)(*s)
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, exact, rtol=8 * np.finfo(np.float32).eps, atol=0)
    np.testing.assert_array_equal(ModerateErf().activation(s[1]), Erf().activation(s[1]))


@pytest.mark.parametrize(
    ("sigma_w", "sigma_b", "norm", "moderate"),
    [(1.5, 0.0, 1.0, True), (1.5, 0.0, 1.1, False), (1.5, 0.6, 1.0, False), (1.6, 0.0, 0.1, False)],
)
def test_moderate_variances(sigma_w: float, sigma_b: float, norm: float, moderate: bool) -> None:
    """2.25 |x|^2 / d + 0.36 in the first layer, and as if |x|^2 = d after it."""
    x = jnp.asarray([[0.0, 0.1], [norm, -norm]])
    for sides in ((x, None), (x[:1], x)):
        assert bool(is_moderate(sigma_w, sigma_b, *sides)) == moderate


def test_moderate_tiles_take_the_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """A series of zeros shows which tiles: those of inputs of small norm."""
    monkeypatch.setattr("ntklib._erf._fitted", lambda: [(0.0,), (0.0,)])
    x = np.concatenate([points(4) / 9, 9 * points(4)])
    nngp = np.asarray(Dense(2, dual=Erf(), sigma_w=1.25)(x).nngp)
    assert (nngp[:4, :4] == 0).all() and (nngp[4:, 4:] != 0).all()
