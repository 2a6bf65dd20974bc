"""The angle that all duals are made of."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib import Dense, Relu, _gaussians

ARCS = [(_gaussians.arc, 0.0), (_gaussians.rise, -np.pi / 2)]  # and the first angle of each


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("arc", "first"), ARCS)
def test_an_arc_is_within_two_eps(arc: Any, first: float, dtype: Any, x64: None) -> None:
    """All around its half of the circle and close to the axes, against 64 binary digits."""
    rng = np.random.default_rng(0)
    close = 10.0 ** rng.uniform(-12, 0, size=20_000)
    angle = rng.uniform(first, first + np.pi, size=20_000)
    angle = np.concatenate([angle, close, first + np.pi - close])
    y, x = np.sin(angle).astype(dtype), np.cos(angle).astype(dtype)
    exact = np.arctan2(np.longdouble(y), np.longdouble(x))
    inverse = jnp.asarray((1 / np.hypot(np.longdouble(y), np.longdouble(x))).astype(dtype))
    error = np.asarray(arc(jnp.asarray(y), jnp.asarray(x), inverse)) / exact - 1
    assert np.abs(error).max() < 2 * np.finfo(dtype).eps


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.1, np.pi / 2, 2.2, 3.0])
@pytest.mark.parametrize(("arc", "first"), ARCS)
def test_the_slope_of_an_arc(arc: Any, first: float, angle: float, x64: None) -> None:
    y, x = np.sin(first + angle), np.cos(first + angle)
    for order in (jax.grad, jax.hessian):
        ours = order(lambda y, x: arc(y, x, 1 / jnp.sqrt(x * x + y * y)), argnums=(0, 1))
        theirs = order(jnp.arctan2, argnums=(0, 1))
        np.testing.assert_allclose(ours(y, x), theirs(y, x), atol=1e-14)


def test_exchange_changes_no_bit() -> None:
    rng = np.random.default_rng(0)
    s11, s22 = (jnp.asarray(rng.uniform(0.1, 9, size=1000), jnp.float32) for _ in range(2))
    s12 = jnp.asarray(rng.uniform(-1, 1, size=1000), jnp.float32) * jnp.sqrt(s11 * s22)
    for f in (Relu().phi, jax.jit(Relu().derivative), _gaussians.volume):
        for a, b in zip(
            *(jax.tree.leaves(f(*s)) for s in ((s11, s12, s22), (s22, s12, s11))), strict=True
        ):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("most", [1.1, 2.0])
def test_nearly_parallel_inputs_of_other_norms_lose_less_than_an_eps(most: float) -> None:
    """Of n - s12, in units of n; the root of it is the angle. From n itself it would lose more."""
    rng = np.random.default_rng(0)
    s11 = rng.uniform(0.5, 2, size=20_000).astype(np.float32)
    s22 = (s11 * rng.uniform(1, most, size=s11.size)).astype(np.float32)
    n = np.sqrt(np.longdouble(s11) * np.longdouble(s22))
    s12 = (n * (1 - 1e-5 * rng.random(s11.size))).astype(np.float32)
    a, b, c = (jnp.asarray(s) for s in (s11, s12, s22))
    _, below, _ = _gaussians._sides(a, b, c, jnp.sqrt(a), jnp.sqrt(c))
    error = (np.asarray(below, np.longdouble) - (n - s12)) / n
    assert np.abs(error).max() < 0.9 * np.finfo(np.float32).eps


@pytest.mark.parametrize("ratio", [1e-3, 1e-8])
def test_norms_far_apart_keep_their_angle(ratio: float) -> None:
    """In float32. From the gap alone, about 1, the angle would lose 1 / sqrt(ratio) eps."""
    x, y = jnp.array([[1.0, 0.0]]), jnp.array([[0.6, 0.8]]) * ratio
    expected = Dense(3)(x, y / ratio).ntk * ratio
    np.testing.assert_allclose(Dense(3)(x, y).ntk, expected, rtol=1e-6)


def test_the_program_does_not_grow_with_the_depth() -> None:
    x = jnp.ones((2, 3))
    short, long = (jax.make_jaxpr(Dense(depth))(x) for depth in (4, 40))
    assert len(str(short)) == pytest.approx(len(str(long)), rel=0.01)


@pytest.mark.parametrize("count", [1, 2, 8, 9, 16, 17, 35])
def test_horner_is_the_polynomial(count: int, x64: None) -> None:
    """Short ones are one chain of sums, long ones several."""
    coefficients = np.random.default_rng(count).normal(size=count).tolist()
    x = np.linspace(-1, 1, 21)
    found = _gaussians.horner(coefficients, jnp.asarray(x))
    np.testing.assert_allclose(found, np.polyval(coefficients, x), atol=1e-13)
