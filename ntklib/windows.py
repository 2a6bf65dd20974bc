"""Windows: which pixels a convolution's filter sees, and what that does to covariances."""

import math
from typing import Literal, final

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib import _checks
from ntklib.recursion import AbstractMixing


@final
class Window(eqx.Module):
    r"""The geometry of a convolution: filter size, stride and padding.

    .. math:: N(s) = \{ r s + o : -\lfloor (q-1)/2 \rfloor \le o \le \lfloor q/2 \rfloor \}

    Output pixel s sees the q pixels around input pixel r s, so that a side of p pixels becomes
    ceil(p / r) pixels. Pixels outside the image are 0 ("zero") or those of the other side
    ("circular"). A framework's "same" padding places strided windows differently: it centres the
    grid of windows, here the first window sits on the first pixel.

    Args:
        size: pixels of the filter, q, in each direction, or a tuple of one size a direction.
        stride: step between windows, r, in each direction, or a tuple.
        padding: what lies outside the image.

    Raises:
        ValueError: if a size or a stride is below 1, or `padding` is unknown.

    Cost: none.
    Source: derived.
    """

    size: int | tuple[int, ...] = eqx.field(static=True)
    stride: int | tuple[int, ...] = eqx.field(static=True, default=1, kw_only=True)
    padding: Literal["zero", "circular"] = eqx.field(static=True, default="zero", kw_only=True)

    def __check_init__(self) -> None:
        problems = []
        for name, value in (("size", self.size), ("stride", self.stride)):
            hint = "One number serves all directions, a tuple has one a direction."
            for one in value if isinstance(value, tuple) else (value,):
                problems += _checks.at_least_one(name, one, hint)
        if self.padding not in ("zero", "circular"):
            problems.append(f'`padding` must be "zero" or "circular", got {self.padding!r}.')
        _checks.refuse(problems)

    def sizes(self, directions: int) -> tuple[int, ...]:
        """The filter's size in each of an image's directions.

        Args:
            directions: 1 for sequences, 2 for images.

        Cost: none.
        Source: derived.
        """
        return self.size if isinstance(self.size, tuple) else (self.size,) * directions

    def strides(self, directions: int) -> tuple[int, ...]:
        """The step between windows in each of an image's directions.

        Args:
            directions: 1 for sequences, 2 for images.

        Cost: none.
        Source: derived.
        """
        return self.stride if isinstance(self.stride, tuple) else (self.stride,) * directions

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """How many windows an image has in each direction: ceil(p / r).

        Args:
            shape: pixels of the image in each direction.

        Cost: none.
        Source: derived.
        """
        return tuple(-(-p // r) for p, r in zip(shape, self.strides(len(shape)), strict=True))

    def pad(self, x: Float[Array, "n *image c"]) -> Float[Array, "n *padded c"]:
        """Images with what lies around them, so that each window is inside.

        Args:
            x: images, channels last.

        Cost: one copy.
        Source: derived.
        """
        directions = x.ndim - 2
        for axis, q in enumerate(self.sizes(directions), start=1):
            x = self._pad(x, (axis,), q)
        return x

    def average(
        self, block: Float[Array, "..."], *, directions: int, copies: Literal[1, 2]
    ) -> Float[Array, "..."]:
        r"""The average of a covariance over windows, moved over its two pixels together.

        .. math:: C(s) \leftarrow \frac{1}{q} \sum_{o} C(r s + o) \quad (1), \qquad
                  C(s, s') \leftarrow \frac{1}{q} \sum_{o} C(r s + o, r s' + o) \quad (2)

        It divides by all q pixels of the filter, also where some lie outside the image.

        Args:
            block: covariances; the last axes are the image's, once or twice.
            directions: axes of an image.
            copies: 1 for covariances of each pixel with itself, 2 for all pairs of pixels.

        Cost: a sum of q terms in each direction in turn, not of all q^2 of a square.
        Source: derived.
        """
        first = block.ndim - copies * directions
        for k, (q, r) in enumerate(
            zip(self.sizes(directions), self.strides(directions), strict=True)
        ):
            together = tuple(first + k + directions * copy for copy in range(copies))
            block = self._average(block, together, q, r)
        return block

    def _average(self, block: Array, together: tuple[int, ...], q: int, r: int) -> Array:
        """The average over one direction, at the same offset on all of the axes `together`."""
        padded = self._pad(block, together, q)
        total = jnp.zeros((), block.dtype)
        for offset in range(q):
            index = [slice(None)] * block.ndim
            for axis in together:
                index[axis] = slice(offset, offset + block.shape[axis], r)
            total = total + padded[tuple(index)]
        return total / q

    def _pad(self, block: Array, axes: tuple[int, ...], q: int) -> Array:
        around = ((q - 1) // 2, q // 2)
        widths = [around if axis in axes else (0, 0) for axis in range(block.ndim)]
        if self.padding == "circular":
            return jnp.pad(block, widths, mode="wrap")
        return jnp.pad(block, widths)


@final
class ConvolutionMixing(AbstractMixing):
    r"""A convolution with random filters: it averages the covariance over windows.

    .. math:: \mathcal M[C](s, s') = \frac{\sigma_w^2}{q} \sum_{o} C(r s + o, r s' + o)

    The sum is over the q pixels of the filter, r is the stride. The bias is one number a channel,
    the same at all pixels, so its covariance is added to all pairs of pixels.

    Args:
        window: the filter's size, stride and padding.
        shape: pixels of the images before the layer, (height, width) or (length,).
        sites: which pairs of pixels the covariances keep, as in `Covariances`.
        sigma_w: standard deviation of the filters.
        sigma_b: standard deviation of the biases.

    Cost: q elementwise passes a direction.
    Source: arora2019exact for the window of a covariance; derived for strides and paddings.
    """

    window: Window
    shape: tuple[int, ...] = eqx.field(static=True)
    sites: Literal["diagonal", "full"] = eqx.field(static=True)
    sigma_w: ArrayLike
    sigma_b: ArrayLike = 0.0

    def mix(self, block: Float[Array, "..."]) -> Float[Array, "..."]:
        directions = len(self.shape)
        if self.sites == "diagonal":
            averaged = self.window.average(block, directions=directions, copies=1)
        else:  # a window maps the pairs of a pixel with itself to such pairs: (n, u) is enough
            copies: Literal[1, 2] = 1 if block.ndim == 2 else 2
            lead = block.shape[:-copies]
            images = block.reshape(*lead, *self.shape * copies)
            averaged = self.window.average(images, directions=directions, copies=copies)
            pixels = math.prod(self.window.output_shape(self.shape))
            averaged = averaged.reshape(*lead, *(pixels,) * copies)
        return jnp.multiply(self.sigma_w**2, averaged)

    def bias(self) -> ArrayLike:
        return self.sigma_b**2


def check_images(window: Window, x1: Array, x2: Array | None) -> None:
    """Both sides of a kernel are images of one shape, with the directions of the window."""
    problems = _stack("x1", x1) or _directions(window, x1.ndim - 2)
    if x2 is not None:
        problems = problems + _stack("x2", x2)
        if not problems and x1.shape[1:] != x2.shape[1:]:
            problems.append(
                f"`x1` and `x2` must hold images of one shape, got {x1.shape[1:]} and "
                f"{x2.shape[1:]}. Crop or pad the larger ones; channels come last."
            )
    _checks.refuse(problems)


def _stack(name: str, x: Array) -> list[str]:
    """`name` is a stack of images or sequences, with at least one pixel and one channel."""
    if x.ndim in (3, 4) and 0 not in x.shape[1:]:
        return _checks.floats(name, x)
    return [
        f"`{name}` must have shape (inputs, height, width, channels) or (inputs, length, "
        f"channels), got {x.shape}. Grey images need a last axis of 1: `{name}[..., None]`."
    ]


def check_shape(window: Window, shape: tuple[int, ...]) -> None:
    """`shape` is that of one image with channels, with the directions of the window."""
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise ValueError(
            f"`shape` must be (height, width, channels) or (length, channels), each at least 1, "
            f"got {shape}. Pass `*x.shape[1:]`."
        )
    _checks.refuse(_directions(window, len(shape) - 1))


def _directions(window: Window, directions: int) -> list[str]:
    """A window with one size (or stride) a direction fits only images of those directions."""
    return [
        f"`{name}` of the window must have one entry a direction, got {value} for images of "
        f"{directions}. Use one integer for all directions."
        for name, value in (("size", window.size), ("stride", window.stride))
        if isinstance(value, tuple) and len(value) != directions
    ]
