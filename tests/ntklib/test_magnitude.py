"""Pruning by magnitude: by hand, by counting, and by its closed form."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import ntklib


def test_by_hand() -> None:
    V, G = ntklib.magnitude_graphons(1.0)  # nothing is pruned
    assert (float(V.density()), float(G.density())) == (1.0, 1.0)
    V, G = ntklib.magnitude_graphons(0.2)  # kernels.md: v = .650
    assert abs(float(V.density()) - 0.650) < 5e-4
    assert abs(float(G.density()) - 0.2) < 1e-7


@pytest.mark.parametrize("keep", [0.01, 0.3, 0.9])
def test_the_second_moment_is_the_tails_integral(keep: float) -> None:
    t = norm.isf(keep / 2)
    tail = 2 * quad(lambda w: w**2 * norm.pdf(w), t, np.inf)[0]
    assert abs(float(ntklib.magnitude_graphons(keep).second_moment.density()) - tail) < 2e-6


def test_the_kernel_is_a_multiple_of_the_dense_one() -> None:
    V, G = ntklib.magnitude_graphons(0.2)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(5, 6)))
    layers = ntklib.GraphonLayers([V] * 4, gradient=[G] * 4)
    dense = ntklib.Dense(4)(x).ntk
    factor = 0.2 * float(V.density()) ** 3  # p v^L
    np.testing.assert_allclose(ntklib.GraphonKernel(layers)(x).ntk, factor * dense, rtol=1e-4)


@pytest.mark.parametrize("keep", [0.0, -0.1, 1.5, float("nan")])
def test_keep_is_a_part(keep: float) -> None:
    with pytest.raises(ValueError, match=r"`keep` must lie in \(0, 1\], got .*part that stays"):
        ntklib.magnitude_graphons(keep)
