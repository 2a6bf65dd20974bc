"""Convolutional networks: the kernel of an infinitely wide one, and its finite twin."""

import math
from functools import partial
from itertools import pairwise
from typing import Literal, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from ntklib import _checks, _in_cache
from ntklib._apart import Take, apart, together
from ntklib.dense import DenseMixing
from ntklib.duals import AbstractDual, AbstractGapDual, Relu
from ntklib.gap import inputs, with_own_sites
from ntklib.recursion import Covariances, Kernels, activate, affine
from ntklib.windows import ConvolutionMixing, Window, check_images, check_shape

_PAIRS: dict[str, Literal["diagonal", "full"]] = {"flatten": "diagonal", "pool": "full"}


def mean_over_sites(K: Covariances) -> Covariances:
    r"""The covariances after the sites are averaged: what a dense read-out sees of an image.

    .. math:: \bar C = \frac{1}{P^2} \sum_{s, s'} C(s, s') \quad \text{(full)}, \qquad
              \bar C = \frac{1}{P} \sum_{s} C(s, s) \quad \text{(diagonal)}

    Between all pairs of sites it is global average pooling. Between each site and itself it is
    flattening, where the next layer has weights of its own for each of the P sites.

    Args:
        K: covariances with sites; those returned have none.

    Cost: one pass over the pairs.
    Source: arora2019exact.
    """

    def mean(block: Array | None, lead: int) -> Array | None:
        return None if block is None else jnp.mean(block, axis=tuple(range(lead, block.ndim)))

    Sigma, Theta = (jnp.mean(C, axis=tuple(range(2, C.ndim))) for C in (K.Sigma, K.Theta))
    return Covariances(Sigma, Theta, mean(K.left, 1), mean(K.right, 1))


@final
class Convolution(eqx.Module):
    r"""The kernels of an infinitely wide convolutional network (CNTK): `Convolution(depth=3)(x)`.

    .. math:: \Sigma^{l+1}(s, s') = \frac{\sigma_w^2}{q} \sum_o \phi(\Sigma^l)(rs+o, rs'+o)
              + \sigma_b^2, \qquad
              \Theta^{l+1}(s, s') = \Sigma^{l+1}(s, s') + \frac{\sigma_w^2}{q} \sum_o
              [\dot\phi(\Sigma^l) \odot \Theta^l](rs+o, rs'+o)

    Images are `(n, height, width, channels)`, sequences `(n, length, channels)`. There are
    depth - 1 convolutions, then the read-out: `flatten`, a dense layer of all pixels, or `pool`,
    one of their average. `depth=1` is the read-out alone, a linear model. The first layer has the
    pixels' x(s) . x'(s') / c in place of the duals.

    With circular padding and stride 1 `pool` does not change when an image is shifted around: it
    is the average of `flatten` over all shifts of one side. With stride r only shifts by
    r^(depth - 1) leave it unchanged, if that divides the sides. With zero padding none do, and
    pixels at the border have smaller variance: a window divides by all its q pixels, also by
    those outside.

    Args:
        depth: number of weight layers, convolutions and read-out.
        window: the filter's size, stride and padding, the same in all layers.
        readout: how the pixels are read.
        dual: the nonlinearity after each convolution.
        sigma_w: standard deviation of the weights; sqrt(2) is He initialisation, for ReLU.
        sigma_b: standard deviation of the biases.

    Raises:
        ValueError: if `depth` is below 1, `readout` is unknown, or a standard deviation is
            negative.

    Cost: for n and m images of P pixels, O(depth q n m P) time and O(n m P) memory for `flatten`,
    O(depth q n m P^2) and O(n m P^2) for `pool`, q being one side of the filter. Many images on
    one CPU take only O(n m) memory, and O(P^2) for one pair; elsewhere call it with few images.
    Source: arora2019exact; li2019enhanced for pooling as an average over shifts; derived for
    strides, paddings and the division by q.
    """

    depth: int = eqx.field(static=True)
    window: Window = eqx.field(default_factory=lambda: Window(3), kw_only=True)
    readout: Literal["flatten", "pool"] = eqx.field(static=True, default="flatten", kw_only=True)
    dual: AbstractDual = eqx.field(default_factory=Relu, kw_only=True)
    sigma_w: ArrayLike = eqx.field(default=2**0.5, converter=_checks.number, kw_only=True)
    sigma_b: ArrayLike = eqx.field(default=0.0, converter=_checks.number, kw_only=True)

    def __check_init__(self) -> None:
        problems = _checks.at_least_one("depth", self.depth, "A linear model is `depth=1`.")
        if self.readout not in _PAIRS:
            problems.append(f'`readout` must be "flatten" or "pool", got {self.readout!r}.')
        problems += _checks.deviation("sigma_w", self.sigma_w)
        _checks.refuse(problems + _checks.deviation("sigma_b", self.sigma_b))

    def __call__(
        self, x1: Float[Array, "n *image c"], x2: Float[Array, "m *image c"] | None = None
    ) -> Kernels:
        r"""Both kernels between the images of `x1` and `x2`, or of `x1` and itself.

        .. math:: K_{ij} = K(x_{1,i}, x_{2,j})

        Args:
            x1: images or sequences, channels last.
            x2: others of the same shape. Without them the result is the symmetric Gram matrix.

        Raises:
            ValueError: if an array has not three or four axes, is not floating point or not
                finite, the shapes differ, or the window has other directions than the images.

        Cost: as of the class; n images with themselves take half the time on one CPU.
        Source: arora2019exact.
        """
        check_images(self.window, x1, x2)
        pixels = math.prod(x1.shape[1:-1])
        entries = pixels if self.readout == "flatten" else pixels**2
        return _in_cache.through(self, x1, x2, entries=entries)

    def _tile(self, x1: Array, x2: Array | None) -> Kernels:
        return self._recursion(x1, x2, apart(x1))

    def _recursion(self, x1: Array, x2: Array | None, take: Take = together) -> Kernels:
        K = self._pixels(x1, x2, _PAIRS[self.readout], take)
        if self.readout == "pool" and isinstance(self.dual, AbstractGapDual):
            K = with_own_sites(K, self._pixels(x1, x2, "diagonal", take))
        K = mean_over_sites(Covariances(K.Sigma, K.Theta))  # no nonlinearity needs the variances
        K = affine(K, mix=DenseMixing(self.sigma_w, self.sigma_b))
        return Kernels(nngp=K.Sigma, ntk=K.Theta)

    def _pixels(
        self, x1: Array, x2: Array | None, sites: Literal["diagonal", "full"], take: Take
    ) -> Covariances:
        """The covariances of the last layer's pixels."""
        shape = x1.shape[1:-1]
        K = inputs(x1, x2, dual=self.dual, sites=sites)
        for _ in range(self.depth - 1):
            mix = ConvolutionMixing(self.window, shape, sites, self.sigma_w, self.sigma_b)
            K = take(partial(affine, mix=mix), K)
            K = take(partial(activate, dual=self.dual), K)
            shape = self.window.output_shape(shape)
        return K

    def network(self, width: int, n_outputs: int = 1) -> "ConvolutionNetwork":
        """The same architecture at finite width; its kernel tends to this one as `width` grows.

        Args:
            width: channels after each convolution, n.
            n_outputs: outputs; each has the same kernel in the limit.

        Raises:
            ValueError: if either is below 1.

        Cost: none; parameters are drawn by `init`.
        Source: arora2019exact.
        """
        return ConvolutionNetwork(self, width, n_outputs)


@final
class ConvolutionNetwork(eqx.Module):
    r"""A convolutional network of finitely many channels in the NTK parameterisation.

    .. math:: z^{l+1}(s) = \frac{\sigma_w}{\sqrt{q n}} \sum_o W^{l+1}_o \phi(z^l)(r s + o)
              + \sigma_b b^{l+1}

    All entries of W and b are drawn from N(0, 1) and all are trained.

    Args:
        kernel: the infinitely wide network it approaches.
        width: channels after each convolution, n.
        n_outputs: outputs of the last layer.

    Cost: O(n P q^2 width^2) for n images of P pixels and a square filter of side q.
    Source: arora2019exact.
    """

    kernel: Convolution
    width: int = eqx.field(static=True)
    n_outputs: int = eqx.field(static=True, default=1)

    def __check_init__(self) -> None:
        _checks.refuse(
            _checks.at_least_one("width", self.width, "It counts channels after a convolution.")
            + _checks.at_least_one("n_outputs", self.n_outputs, "A scalar function is 1.")
        )

    def init(self, key: PRNGKeyArray, *shape: int) -> list[dict[str, Array]]:
        """Draw the parameters: layers with "W" (filter, fan-in, fan-out) and "b".

        Args:
            key: the random key.
            shape: of one image, (height, width, channels) or (length, channels): `x.shape[1:]`.

        Raises:
            ValueError: if the shape is not that of an image, or the window has other directions.

        Cost: O(q^2 width^2) a layer.
        Source: arora2019exact.
        """
        window = self.kernel.window
        check_shape(window, shape)
        *image, channels = shape
        pixels = tuple(image)
        shapes: list[tuple[int, ...]] = []
        widths = [channels, *[self.width] * (self.kernel.depth - 1)]
        for fan_in, fan_out in pairwise(widths):
            shapes.append((*window.sizes(len(pixels)), fan_in, fan_out))
            pixels = window.output_shape(pixels)
        read = math.prod(pixels) if self.kernel.readout == "flatten" else 1
        params = []
        for W_shape in [*shapes, (read * widths[-1], self.n_outputs)]:
            key, key_W, key_b = jax.random.split(key, 3)
            W, b = jax.random.normal(key_W, W_shape), jax.random.normal(key_b, W_shape[-1:])
            params.append({"W": W, "b": b})
        return params

    def apply(
        self, params: list[dict[str, Array]], x: Float[Array, "n *image c"]
    ) -> Float[Array, "n outputs"]:
        """The network's outputs, one row for each image of `x`.

        Args:
            params: as drawn by `init`, or trained.
            x: images or sequences, channels last.

        Cost: O(n P q^2 width^2) a layer.
        Source: arora2019exact.
        """
        kernel, directions = self.kernel, x.ndim - 2
        strides = kernel.window.strides(directions)
        axes = "XY"[:directions]
        layout = (f"N{axes}C", f"{axes}IO", f"N{axes}C")
        *convolutions, read = params
        h = x
        for p in convolutions:
            scale = kernel.sigma_w / p["W"][..., 0].size ** 0.5
            padded = kernel.window.pad(h)
            z = jax.lax.conv_general_dilated(
                padded, p["W"], strides, "VALID", dimension_numbers=layout
            )
            h = kernel.dual.activation(scale * z + kernel.sigma_b * p["b"])
        pixels = tuple(range(1, h.ndim - 1))
        h = h.reshape(h.shape[0], -1) if kernel.readout == "flatten" else h.mean(axis=pixels)
        f = kernel.sigma_w / h.shape[1] ** 0.5 * (h @ read["W"])
        return jnp.add(f, kernel.sigma_b * read["b"])
