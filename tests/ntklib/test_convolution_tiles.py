"""Convolutional kernels in tiles on a CPU against the plain recursion."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib import Convolution, Erf, Window, _in_cache
from ntklib.gap import inputs
from ntklib.recursion import Covariances, activate, affine
from ntklib.windows import ConvolutionMixing

CASES = {
    "pool": (Convolution(3, readout="pool"), (3, 4, 2)),
    "pool, strided, bias": (
        Convolution(3, window=Window(3, stride=(1, 2)), readout="pool", sigma_b=0.3),
        (3, 5, 2),
    ),
    "pool, circular, erf": (
        Convolution(2, window=Window(2, padding="circular"), readout="pool", dual=Erf()),
        (3, 3, 1),
    ),
    "pool, read-out alone": (Convolution(1, readout="pool"), (3, 2)),
    "flatten": (Convolution(2), (4, 3, 2)),
    "flatten, sequence, strided, erf": (
        Convolution(3, window=Window(4, stride=2), dual=Erf(), sigma_b=0.3),
        (7, 2),
    ),
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of one or two images a side, always."""
    monkeypatch.setattr(_in_cache, "_TILE", 81)
    monkeypatch.setattr(_in_cache, "_PAYS", 1)


def images(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, *shape))


_plain = eqx.filter_jit(lambda kernel, x1, x2: kernel._recursion(x1, x2))


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, np.float64) for name in CASES] + [("pool", np.float32), ("flatten", np.float32)],
)
def test_tiles_are_the_plain_recursion(name: str, dtype: type, x64: None) -> None:
    """Five images are padded to full tiles; one is black, and one is on both sides."""
    kernel, shape = CASES[name]
    x, y = images(5, *shape).astype(dtype), images(3, *shape, seed=1).astype(dtype)
    x[3], y[2] = 0, x[1]
    for x2 in (None, jnp.asarray(y)):
        expected = _plain(kernel, jnp.asarray(x), x2)
        for tiled, k in zip(kernel(jnp.asarray(x), x2), expected, strict=True):
            assert tiled.dtype == k.dtype
            atol = 8 * kernel.depth * float(np.finfo(dtype).eps) * float(abs(k).max())
            np.testing.assert_allclose(tiled, k, rtol=0, atol=atol)


def test_tiles_are_used_where_values_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, x = Convolution(2, readout="pool"), jnp.asarray(images(3, 2, 2, 1), jnp.float32)
    expected = kernel(x).ntk
    monkeypatch.delattr(_in_cache, "_tiles")
    with pytest.raises(NameError, match="_tiles"):
        kernel(x)
    np.testing.assert_allclose(jax.jit(kernel)(x).ntk, expected, rtol=1e-5)
    batches = jax.vmap(lambda one: kernel(one[None]).ntk[0, 0])(x)
    np.testing.assert_allclose(batches, jnp.diag(expected), rtol=1e-5)
    assert bool(jnp.isfinite(jax.grad(lambda x: kernel(x).ntk.sum())(x)).all())


@pytest.mark.parametrize("padding", ["zero", "circular"])
def test_variances_need_no_other_pairs(padding: str, x64: None) -> None:
    """The diagonal of the self-covariances goes through the layers by itself."""
    x, y = jnp.asarray(images(2, 4, 3, 2)), jnp.asarray(images(3, 4, 3, 2, seed=1))
    K = inputs(x, y, dual=Erf(), sites="full")
    assert K.left is not None and K.left.shape == (2, 12)
    own = [jnp.einsum("nuc,nvc->nuv", *[z.reshape(len(z), 12, 2)] * 2) / 2 for z in (x, y)]
    whole = Covariances(K.Sigma, K.Theta, *own, sites="full")
    mix = ConvolutionMixing(Window(3, stride=2, padding=padding), (4, 3), "full", 1.3, 0.2)
    K, whole = (activate(affine(C, mix=mix), dual=Erf()) for C in (K, whole))
    np.testing.assert_allclose(K.Sigma, whole.Sigma, rtol=1e-13)
    for side, block in ((K.left, whole.left), (K.right, whole.right)):
        np.testing.assert_allclose(side, jnp.diagonal(block, axis1=1, axis2=2), rtol=1e-13)
