"""Kernels in tiles on a CPU against the plain recursion."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib import Dense, Erf, LeakyRelu, _in_cache

KERNELS = [
    Dense(1),
    Dense(4),
    Dense(3, dual=LeakyRelu(0.2), sigma_b=0.3),
    Dense(3, dual=Erf(), sigma_w=1.5, parameterisation="standard", base_width=8),
]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of at most 4 inputs a side, from 30 pairs on."""
    monkeypatch.setattr(_in_cache, "_SIDE", 4)
    monkeypatch.setattr(_in_cache, "_PAYS", 30)


def points(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_tiles_are_the_plain_recursion(kernel: Any) -> None:
    """Ten inputs are three tiles a side, with padding; the near-duplicates are in two of them."""
    x, y = points(10), points(7, seed=1)
    x[8:] = x[:2] * np.float32(1) + np.float32(1e-4) * y[:2]
    for sides in ((x,), (x, y), (jnp.asarray(x), jnp.asarray(x))):
        second = jnp.asarray(sides[1]) if len(sides) > 1 else None
        plain = Dense._recursion(kernel, jnp.asarray(x), second)
        for tiled, expected in zip(kernel(*sides), plain, strict=True):
            assert isinstance(tiled, jax.Array) and tiled.dtype == expected.dtype
            np.testing.assert_allclose(tiled, expected, rtol=0, atol=1e-6 * abs(expected).max())


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


def test_traced_inputs_take_the_plain_recursion(monkeypatch: pytest.MonkeyPatch) -> None:
    x = jnp.asarray(points(6))
    expected = Dense(3)(x).ntk
    monkeypatch.delattr(_in_cache, "_tile")
    np.testing.assert_allclose(jax.jit(Dense(3))(x).ntk, expected, rtol=1e-5)
    assert np.isfinite(jax.grad(lambda s: Dense(3, sigma_w=s)(x).ntk.sum())(1.4))
    with pytest.raises(NameError, match="_tile"):
        Dense(3)(x)


def test_the_result_is_on_the_device_of_the_inputs() -> None:
    x = jax.device_put(points(6), jax.devices()[-1])
    assert Dense(2)(x).ntk.devices() == x.devices()
