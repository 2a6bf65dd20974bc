"""The factors of layers' Jacobians against plain Jacobians, for every way to use a parameter."""

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from ntklib import _jacobians, empirical_ntk
from ntklib._jacobians import jacobian

Case = tuple[Callable[[Any, jax.Array], jax.Array], Any, tuple[int, ...], int]


def draw(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape)) / 2


def convolve(x: jax.Array, W: jax.Array, axes: str = "HW", **options: Any) -> jax.Array:
    layout = (f"N{axes}C", f"{axes}IO", f"N{axes}C")
    options = {"window_strides": (1,) * len(axes), "padding": "SAME", **options}
    return jax.lax.conv_general_dilated(x, W, dimension_numbers=layout, **options)


def convolutional(p: Any, x: jax.Array, **options: Any) -> jax.Array:
    h = jnp.tanh(convolve(x, p["first"], **options) + p["bias"])
    return jax.nn.relu(convolve(h, p["second"])).mean((1, 2)) @ p["read"]


def images(**options: Any) -> Case:
    p = {"first": draw(3, 2, 2, 3), "bias": draw(3), "second": draw(2, 2, 3, 4)}
    return partial(convolutional, **options), p | {"read": draw(4, 2)}, (5, 6, 2), 1


@jax.jit
def layer(p: Any, x: jax.Array) -> jax.Array:
    return jax.nn.relu(x @ p["W"] + p["b"])


def dense(p: Any, x: jax.Array) -> jax.Array:
    return 0.3 * (layer(p[1], jax.checkpoint(layer)(p[0], x)) @ p[2] / 2)


def norm(p: Any, x: jax.Array) -> jax.Array:
    h = x @ p["W"]
    h = (h - h.mean(-1, keepdims=True)) / jnp.sqrt(h.var(-1, keepdims=True) + 1e-5)
    return (p["scale"] * h + p["shift"]) @ p["V"]


def recurrent(p: Any, x: jax.Array) -> jax.Array:
    def step(h: jax.Array, x_t: jax.Array) -> tuple[jax.Array, None]:
        return jnp.tanh(h @ p["U"] + x_t[:, None] * p["V"]), None

    return jax.lax.scan(step, jnp.zeros((x.shape[0], 4)), x.T)[0] @ p["W"]


def branches(p: Any, x: jax.Array) -> jax.Array:
    def of_row(row: jax.Array) -> jax.Array:
        return jax.lax.cond(row[0] > 0, lambda: p[0] @ row, lambda: jnp.sin(p[1] @ row))

    return jax.lax.map(of_row, x)


def attention(p: Any, x: jax.Array) -> jax.Array:
    q, k, v = (jnp.einsum("ntd,hde->nhte", x, W) for W in p["qkv"])
    h = jax.nn.softmax(q @ k.swapaxes(2, 3)) @ v
    return jnp.einsum("nhte,heo->no", h, p["out"])


@jax.custom_vjp
def square(x: jax.Array) -> jax.Array:
    return x**2


square.defvjp(lambda x: (x**2, x), lambda x, g: (2 * jax.nn.relu(x) * g - 2 * jax.nn.relu(-x) * g,))


def modules() -> Case:
    keys = jax.random.split(jax.random.key(0), 3)
    layers = [
        eqx.nn.Conv2d(2, 3, 3, padding=1, key=keys[0]),
        eqx.nn.Lambda(jax.nn.relu),
        eqx.nn.Conv2d(3, 4, 2, stride=2, groups=1, key=keys[1]),
        eqx.nn.Lambda(jnp.ravel),
        eqx.nn.Linear(24, 2, key=keys[2]),
    ]
    params, static = eqx.partition(eqx.nn.Sequential(layers), eqx.is_inexact_array)
    return lambda p, x: jax.vmap(eqx.combine(p, static))(x), params, (2, 4, 6), 1


# function, parameters, shape of a row, how many of its leaves have factors
CASES: dict[str, Callable[[], Case]] = {
    "dense": lambda: (
        dense,
        [{"W": draw(5, 9), "b": draw(9)}, {"W": draw(9, 8), "b": draw(8)}, draw(8, 3)],
        (5,),
        3,
    ),
    "transposed": lambda: (
        lambda p, x: jax.vmap(lambda h: p[1] @ jnp.sin(p[0].T @ h))(x),
        [draw(6, 5).T.T, draw(3, 5)],
        (6,),
        2,
    ),
    "tied": lambda: (lambda W, x: jnp.tanh(x @ W) @ W.T, draw(5, 4), (5,), 0),
    "twice": lambda: (
        lambda p, x: jnp.tanh(jnp.tanh(x @ p[0]) @ p[0]) @ p[1],
        [draw(5, 5), draw(5, 4)],
        (5,),
        1,
    ),
    "not a product": lambda: (
        lambda p, x: (x * p["a"] + jnp.sin(p["W"] ** 2).sum(0)) @ (p["W"] / p["a"][:, None]),
        {"a": 1 + draw(4) ** 2, "W": draw(4, 4), "unused": draw(3), "none": None},
        (4,),
        0,
    ),
    "none": lambda: (lambda p, x: x[:, :2], [draw(3)], (4,), 0),
    "scaled": lambda: (lambda p, x: x @ (p[1] * -p[0] / 3), [draw(5, 4), draw()], (5,), 1),
    "norm": lambda: (
        norm,
        {"W": draw(4, 5), "scale": draw(5), "shift": draw(5), "V": draw(5, 4)},
        (4,),
        2,
    ),
    "recurrent": lambda: (recurrent, {"U": draw(4, 4), "V": draw(4), "W": draw(4, 4)}, (5,), 1),
    "branches": lambda: (branches, [draw(3, 4), draw(3, 4)], (4,), 0),
    "attention": lambda: (
        attention,
        {"qkv": list(draw(3, 2, 6, 8)), "out": draw(2, 8, 2)},
        (2, 6),
        4,
    ),
    "custom": lambda: (lambda W, x: square(x @ W), draw(5, 4), (5,), 1),
    "convolution": images,
    "strides": lambda: images(window_strides=(2, 3), padding=((2, 1), (0, 3))),
    "dilated": lambda: images(lhs_dilation=(2, 1), rhs_dilation=(1, 2), padding=((0, 1), (0, 0))),
    "cropped": lambda: images(padding=((-1, 1), (0, 0)), window_strides=(2, 1)),
    "grouped": lambda: (
        lambda p, x: convolve(x, p, feature_group_count=2).mean((1, 2)),
        draw(2, 2, 1, 4),
        (3, 3, 2),
        0,
    ),
    "one direction": lambda: (
        lambda p, x: convolve(x, p, axes="X", padding="VALID").reshape(-1, 4),
        draw(4, 3, 2),
        (5, 3),
        0,
    ),
    "few positions": lambda: (
        lambda p, x: convolve(x, p, axes="X", padding="VALID").sum(1)[:, :3],
        draw(3, 10, 40),
        (4, 10),
        1,
    ),
    "modules": modules,
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("x64", "shapes")
def test_as_the_whole_jacobian(name: str) -> None:
    f, params, row, count = CASES[name]()
    x1, x2 = draw(3, *row), draw(2, *row, seed=1)
    flat, unravel = ravel_pytree(params)

    @jax.jit
    def kernels(p: jax.Array) -> Any:
        J = jax.jacobian(lambda p: f(unravel(p), jnp.concatenate([x1, x2])))(p)
        full = empirical_ntk(f, unravel(p), x1, x2, outputs="full")
        return jnp.einsum("iap,jbp->ijab", J, J), full, empirical_ntk(f, unravel(p), x1)

    whole, full, trace = kernels(flat)
    np.testing.assert_allclose(full, whole[:3, 3:], rtol=1e-10, atol=1e-13)
    mean = np.einsum("ijaa->ij", whole[:3, :3]) / whole.shape[2]
    np.testing.assert_allclose(trace, mean, rtol=1e-10, atol=1e-13)
    shapes = jax.eval_shape(partial(jacobian, f, params), x1[0])
    assert sum(leaf.x is not None for leaf in shapes) == count


@pytest.mark.usefixtures("x64", "shapes")
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    f, params, row, _ = CASES["few positions"]()
    x1, x2 = draw(5, *row), draw(4, *row, seed=1)
    shapes = jax.tree.leaves(jax.eval_shape(partial(jacobian, f, params), x1[0]))

    def kernels(p: Any) -> Any:
        return empirical_ntk(f, p, x1, x2, outputs="full"), empirical_ntk(f, p, x1)

    whole = jax.jit(kernels)(params)
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in shapes)
    monkeypatch.setattr(_jacobians, "BUDGET", 3 * size)  # blocks of three rows, and a rest
    blocks = jax.jit(lambda p: kernels(p))(params)
    for one, other in zip(blocks, whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.usefixtures("x64")
def test_the_kernel_can_be_differentiated() -> None:
    f, params, row, _ = CASES["dense"]()
    x, flat, unravel = draw(3, *row), *ravel_pytree(params)

    def of_whole(p: jax.Array) -> jax.Array:
        J = jax.jacobian(lambda p: f(unravel(p), x))(p)
        return jnp.sin(jnp.einsum("iap,jap->ij", J, J) / 3).sum()

    ours = jax.jit(jax.grad(lambda p: jnp.sin(empirical_ntk(f, unravel(p), x)).sum()))(flat)
    np.testing.assert_allclose(ours, jax.jit(jax.grad(of_whole))(flat), rtol=1e-10, atol=1e-13)


def test_memory_of_the_factors() -> None:
    """Working memory, as the compiler counts it, stays far below the Jacobian's."""
    params, x = [draw(30, 500), draw(500, 500), draw(500, 10)], draw(20, 30)
    f = lambda p, x: jnp.tanh(jnp.tanh(x @ p[0]) @ p[1]) @ p[2]  # noqa: E731
    lowered = jax.jit(partial(empirical_ntk, f, outputs="full")).lower(params, x)
    temporaries = lowered.compile().memory_analysis().temp_size_in_bytes
    assert temporaries < 20 * 10 * ravel_pytree(params)[0].nbytes / 50


def test_long_sums_round_little() -> None:
    """In float32; as one sum the largest error is 4.5e-7."""
    a, b = np.random.default_rng(0).random((2, 8, 1, 5000)).astype(np.float32)
    exact = np.einsum("atf,bsf->abts", a.astype(float), b.astype(float))
    ours = np.asarray(_jacobians._product("atf,bsf->abts", jnp.asarray(a), jnp.asarray(b)), float)
    assert np.abs(ours / exact - 1).max() < 3e-7
