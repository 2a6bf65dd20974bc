"""Large kernels on a CPU: tile by tile, each through all layers while it is in the cache."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import chain
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ntklib._grams import concrete
from ntklib.recursion import Kernels

Place = tuple[int, int]  # of a tile
Step = TypeVar("Step", bound=Callable[..., Any])

_TILE = 2 * 10**6  # bytes of each array of a tile, at most
_RUN = 10  # tiles of one program, at most
_WAVE = 4  # programs that are run before their tiles are copied
_PAGE = 2**21  # bytes of a large page
_KEPT = 2**25 - 2**13  # bytes of a block that glibc can keep for later when it is freed, at most
_PAYS = 2**20  # entries: below, a call takes less time than to compile its tiles


def wide(step: Step) -> Step:
    """`eqx.filter_jit` for a CPU, on the widest vectors it has: XLA prefers 256 bits."""
    options = {"xla_cpu_prefer_vector_width": 512}
    jitted: Step = eqx.filter_jit(step, compiler_options=options)  # type: ignore[call-overload]
    return jitted


def through(kernel: Any, x1: Array, x2: Array | None, *, entries: int = 1) -> Kernels:
    """`kernel._recursion(x1, x2)`, and where it pays in tiles; a Gram matrix at half the work.

    Of a tile it computes `kernel._tile(x1, x2)`, under `jit`, in which the kernel's plain numbers
    are known; `entries` is how many covariances the recursion holds for a pair of inputs. It pays
    for many of them on one CPU. Where values are traced (under `jit`, `vmap` or `grad`), and on
    other devices, it is the plain call.
    """
    known = concrete(*jax.tree.leaves((kernel, x1, x2)))
    many = len(x1) * len(x1 if x2 is None else x2) * entries >= _PAYS
    with jax.ensure_compile_time_eval():  # what is known is so inside a transformation too
        if known and many and on_one_cpu(x1, x2):
            return _in_tiles(kernel, x1, x2, entries)
    plain: Kernels = kernel._recursion(x1, x2)
    return plain


def _in_tiles(kernel: Any, x1: Any, x2: Any, entries: int) -> Kernels:
    keep_memory()
    device = next(iter(jnp.asarray(x1).devices()))
    side = max(1, math.isqrt(_TILE // (entries * jnp.asarray(x1).dtype.itemsize)))
    left = _blocks(x1, side, device)
    right = left if x2 is None else _blocks(x2, side, device)
    shape = len(x1), len(x1 if x2 is None else x2)
    places = list(np.ndindex(len(left), len(right)))
    own = [(i, i) for i, j in places if x2 is None and i == j]  # of one side
    others = [(i, j) for i, j in places if x2 is not None or i < j]
    most = min(entries, _RUN)
    runs = [(run, None) for run in _runs(own, most)] + [(run, right) for run in _runs(others, most)]
    whole: Any = None
    for start in range(0, len(runs), _WAVE):
        some = runs[start : start + _WAVE]
        tiles = [_tiles(kernel, *_inputs(run, left, other)) for run, other in some]
        whole = whole or jax.tree.map(lambda leaf: aligned(shape, leaf.dtype), tiles[0])
        jax.block_until_ready(tiles)  # type: ignore[no-untyped-call]
        done = list(chain.from_iterable(run for run, _ in some))
        list(_copiers().map(partial(_place, done, symmetric=x2 is None), whole, *tiles))
    result: Kernels = jax.device_put(whole, device)
    return result


def _runs(places: list[Place], most: int) -> list[list[Place]]:
    """The places in runs of equal length, so that one program does for all."""
    length = max((k for k in range(1, most + 1) if len(places) % k == 0), default=1)
    return [places[start : start + length] for start in range(0, len(places), length)]


def _inputs(
    run: list[Place], left: list[Array], right: list[Array] | None
) -> tuple[list[Array], list[Array] | None]:
    """Of a run's tiles: the blocks on the left, and on the right."""
    return [left[i] for i, _ in run], right and [right[j] for _, j in run]


@wide
def _tiles(kernel: Any, left: list[Array], right: list[Array] | None) -> Kernels:
    """A run, tile by tile in one program: a small tile would take a fifth longer in its own."""
    sides = jnp.stack(left), None if right is None else jnp.stack(right)
    tiles: Kernels = jax.lax.map(lambda pair: _tile(kernel, *pair), sides)
    return tiles


def _tile(kernel: Any, x1: Array, x2: Array | None) -> Kernels:
    if x2 is not None or len(x1) == 1:
        tile: Kernels = kernel._tile(x1, x2)
        return tile
    a, b = jnp.split(x1, [len(x1) // 2])  # on the diagonal: three quarters of the work
    quarters = kernel._tile(a, None), kernel._tile(a, b), kernel._tile(b, None)
    whole: Kernels = jax.tree.map(lambda A, B, D: jnp.block([[A, B], [B.T, D]]), *quarters)
    return whole


def on_one_cpu(*inputs: Any) -> bool:
    """Whether all inputs are on the same CPU."""
    devices = set().union(*(jnp.asarray(x).devices() for x in inputs if x is not None))
    return len(devices) == 1 and next(iter(devices)).platform == "cpu"


def _blocks(x: Any, side: int, device: jax.Device) -> list[Array]:
    """The rows of x in blocks of equal size, so that one program does for all: zeros at the end."""
    rows, count = np.asarray(x), -(-len(x) // side)
    height = -(-len(rows) // count)
    parts = [rows[top : top + height] for top in range(0, len(rows), height)]
    zeros = np.zeros((height - len(parts[-1]), *rows.shape[1:]), rows.dtype)
    parts[-1] = np.concatenate([parts[-1], zeros]) if len(zeros) else parts[-1]
    blocks: list[Array] = jax.device_put(parts, device)
    return blocks


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array that JAX takes as it is: it copies what does not begin at a multiple of 64 bytes.

    Those too large to be kept take whole large pages, which a system is quicker to give.
    """
    size = math.prod(shape) * dtype.itemsize
    page = 64 if size + 2 * 64 <= _KEPT else _PAGE
    raw = np.empty(-(-size // page) * page + page, np.uint8)
    start = -raw.ctypes.data % page
    return raw[start : start + size].view(dtype).reshape(shape)


@cache
def keep_memory() -> None:
    """Make glibc keep freed memory, 64 MB at most, so that the next call needs no new pages.

    It keeps twice the largest block that it has seen freed. This one costs nothing: its pages are
    never touched.
    """
    np.empty(_KEPT, np.uint8)


@cache
def _copiers() -> ThreadPoolExecutor:
    """Two threads for good: to start them takes as long as to copy a small matrix."""
    return ThreadPoolExecutor(2)


def _place(places: list[Place], whole: np.ndarray, *runs: Array, symmetric: bool) -> None:
    """The tiles of some runs into the whole, and their mirror images."""
    tiles = (tile for run in runs for tile in np.asarray(run))
    for (i, j), tile in zip(places, tiles, strict=True):
        top, left = i * tile.shape[0], j * tile.shape[1]
        height, width = min(len(tile), len(whole) - top), min(tile.shape[1], whole.shape[1] - left)
        values = tile[:height, :width]
        whole[top : top + height, left : left + width] = values
        if symmetric and i != j:
            whole[left : left + width, top : top + height] = values.T
