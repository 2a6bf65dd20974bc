"""Random features: exact where they can be, unbiased, and with the error they promise."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib.dense import Dense
from ntklib.duals import Erf, Relu
from ntklib.features import random_features


def inputs(n: int, seed: int) -> Any:
    return jax.random.normal(jax.random.key(seed), (n, 4))


@pytest.mark.usefixtures("shapes")
def test_linear_model_is_exact() -> None:
    kernel, x = Dense(1, sigma_w=1.3, sigma_b=0.7), inputs(5, 0)
    features = random_features(kernel, jax.random.key(1), x, width=3)
    assert features.ntk.shape == (5, 5)
    for name in ("nngp", "ntk"):
        F = getattr(features, name)
        np.testing.assert_allclose(F @ F.T, getattr(kernel(x), name), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dual", [Relu(), Erf()], ids=lambda d: type(d).__name__)
@pytest.mark.usefixtures("x64", "shapes")
def test_mean_is_the_kernel(dual: Any) -> None:
    """One hidden layer: unbiased at any number of features. Equal keys join two calls."""
    kernel, x1, x2 = Dense(2, dual=dual, sigma_w=1.2, sigma_b=0.5), inputs(4, 0), inputs(3, 1)

    def draw(key: Any) -> Any:
        F1, F2 = (random_features(kernel, key, x, width=16) for x in (x1, x2))
        return jax.tree.map(lambda a, b: a @ b.T, F1, F2)

    draws = jax.vmap(draw)(jax.random.split(jax.random.key(2), 500))
    exact = kernel(x1, x2)
    for name in ("nngp", "ntk"):
        sample, limit = getattr(draws, name), getattr(exact, name)
        off = jnp.linalg.norm(sample.mean(0) - limit)
        assert off < 4 * jnp.linalg.norm(sample.std(0)) / 500**0.5, name


@pytest.mark.usefixtures("x64")
def test_error_falls_as_the_root_of_the_width() -> None:
    """Three weight layers; the slope of the rms error over 30 draws is -1/2, within 0.1."""
    kernel, x = Dense(3, sigma_b=0.3), inputs(6, 0)
    exact, widths = kernel(x), np.array([32, 64, 128, 256, 512])
    errors: dict[str, list[float]] = {"nngp": [], "ntk": []}
    for width in widths:

        def gaps(key: Any, width: int = int(width)) -> Any:
            F = random_features(kernel, key, x, width=width)
            return [jnp.sum((f @ f.T - k) ** 2) for f, k in zip(F, exact, strict=True)]

        squares = jax.lax.map(gaps, jax.random.split(jax.random.key(3), 30))
        for name, values in zip(errors, squares, strict=True):
            errors[name].append(float(jnp.sqrt(values.mean())))
    for name, values in errors.items():
        slope = np.polyfit(np.log(widths), np.log(values), 1)[0]
        assert -0.6 < slope < -0.4, name
        assert values[-1] < 0.2 * float(jnp.linalg.norm(getattr(exact, name)))


def test_shapes_jit_and_float32() -> None:
    kernel, x = Dense(3), inputs(5, 0)
    features = jax.jit(lambda x: random_features(kernel, jax.random.key(0), x, width=7))(x)
    assert features.nngp.shape == (5, 8)
    assert features.ntk.shape == (5, 15)
    assert features.ntk.dtype == jnp.float32
    rows = random_features(kernel, jax.random.key(0), x[2:4], width=7)
    np.testing.assert_allclose(rows.ntk, features.ntk[2:4], rtol=1e-4, atol=1e-5)


def test_errors() -> None:
    key, x = jax.random.key(0), inputs(5, 0)
    with pytest.raises(ValueError, match="`width` must be at least 1, got 0"):
        random_features(Dense(2), key, x, width=0)
    with pytest.raises(ValueError, match=r"`x` must have shape \(inputs, features\)"):
        random_features(Dense(2), key, x[0], width=4)
    with pytest.raises(ValueError, match="`kernel` must be a `Dense`, got Relu"):
        random_features(Relu(), key, x, width=4)  # type: ignore[arg-type]


def test_the_standard_parameterisation_has_no_features() -> None:
    kernel = Dense(2, parameterisation="standard", base_width=8)
    with pytest.raises(ValueError, match="`kernel` must be in the NTK parameterisation, got the"):
        random_features(kernel, jax.random.key(0), jnp.ones((2, 3)), width=4)
