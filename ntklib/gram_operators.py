"""Gram matrices that are never stored: each product computes the tiles anew."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import Float

from ntklib import _checks, _grams
from ntklib._in_cache import on_one_cpu
from ntklib.tiled import computed, gram, share
from ntklib.tiles import Tile, Tiling, tiling

K = TypeVar("K")


def gram_operator(
    kernel: Callable[..., K],
    x: Any,
    *,
    memory: int = 2**30,
    devices: Sequence[jax.Device] | None = None,
) -> K:
    r"""What `gram(kernel, x)` returns, not as arrays but as maps `v -> K @ v` that store nothing.

    .. math:: v \mapsto K v, \qquad (K v)_a = \sum_b K_{ab} v_b

    for blocks a and b of inputs: `solve(gram_operator(kernel, x).ntk, y, ridge=...)`. Every product
    computes the tiles on and above the diagonal anew, on all devices, and with `jax.distributed` in
    all processes, each its share.

    Args:
        kernel: as for `gram`.
        x: inputs.
        memory: bytes to work in, beside the inputs, for all devices together.
        devices: where to compute; all of this process unless stated.

    Raises:
        ValueError: as `gram`.

    Cost: nothing now; a product is the work of `gram` and O(n^2) for each column.
    Source: derived.
    """
    chosen = tuple(devices or jax.local_devices())
    plan = tiling(kernel, x, None, memory=memory, lanes=len(chosen), side=None)
    leaves, tree = jax.tree.flatten(plan.shapes)
    operators = [GramOperator(kernel, x, leaf, plan, chosen) for leaf in range(len(leaves))]
    result: K = jax.tree.unflatten(tree, operators)
    return result


@final
class GramOperator(eqx.Module):
    r"""One Gram matrix as a map; made by `gram_operator`.

    .. math:: v \mapsto K v

    Args:
        kernel: as for `gram`.
        x: inputs.
        leaf: which of the kernel's arrays this is.
        plan: how the matrix is cut into tiles.
        devices: where tiles are computed.

    Cost: none.
    Source: derived.
    """

    kernel: Callable[..., Any]
    x: Any
    leaf: int = eqx.field(static=True)
    plan: Tiling = eqx.field(static=True)
    devices: tuple[jax.Device, ...] = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, int]:
        """The shape (n, n) of the matrix."""
        return self.plan.n, self.plan.m

    @property
    def dtype(self) -> np.dtype:
        """The type of its entries."""
        found: np.dtype = jax.tree.leaves(self.plan.shapes)[self.leaf].dtype
        return found

    def __matmul__(self, v: Float[np.ndarray, "n o"]) -> Float[np.ndarray, "n o"]:
        r"""The product with the columns of v, in their precision.

        .. math:: K v

        Args:
            v: columns, the same in all processes.

        Raises:
            ValueError: if `v` has not shape (n, columns).

        Cost: the work of `gram`, and O(n^2) for each column.
        Source: derived.
        """
        _checks.refuse(_grams.block("v", v, (self.plan.n, None), "inputs, columns"))
        tiles = share(list(self.plan.tiles()))
        blocks = computed(self.kernel, self.x, None, tiles, self.devices)
        return tile_product(((t, jax.tree.leaves(b)[self.leaf]) for t, b in blocks), v)

    def whole(self) -> jax.Array:
        """The matrix itself, by `gram`."""
        leaves = jax.tree.leaves(gram(self.kernel, self.x, devices=self.devices))
        return jnp.asarray(leaves[self.leaf])


def tile_product(blocks: Iterable[tuple[Tile, Any]], v: np.ndarray) -> np.ndarray:
    """The product of a symmetric matrix, given by its upper tiles in all processes together."""
    result = np.zeros_like(v)
    for tile, block in blocks:
        if on_host(block):
            block = np.asarray(block)
        result[tile.rows] += block_product(block, v[tile.columns])
        if tile.row != tile.column:
            result[tile.columns] += block_product(block.T, v[tile.rows])
    if jax.process_count() > 1:
        bits = np.ascontiguousarray(result).view(np.uint32)  # JAX may have no float64
        every = np.asarray(multihost_utils.process_allgather(bits))
        result = np.sum([np.ascontiguousarray(part).view(v.dtype) for part in every], axis=0)
    return result


def block_product(block: Any, v: np.ndarray) -> np.ndarray:
    """A block times columns: on the host in their precision, on a device in the block's."""
    if not on_host(block):
        there = jax.device_put(v.astype(block.dtype), block.sharding)
        return np.asarray(jnp.matmul(block, there, precision="highest"), v.dtype)
    rows, v = np.asarray(block), np.asfortranarray(v)  # the order in which BLAS is quickest
    if rows.dtype == v.dtype:
        return _multiplied(rows, v)
    height = max(1, 2**22 // max(rows.shape[1], 1))  # the copy in another type stays small
    parts = (rows[start : start + height] for start in range(0, len(rows), height))
    return np.concatenate([_multiplied(part.astype(v.dtype), v) for part in parts])


def _multiplied(A: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A v by SciPy's BLAS, as its LAPACK is used too: threads of a second one would be in its way.

    As (v' A')', the order of Fortran: equal columns of v then stay equal in every bit.
    """
    from scipy.linalg import get_blas_funcs  # only where it is needed: it takes a while to load

    multiply = get_blas_funcs("gemm", (A, v))
    rows = {"b": A.T} if A.flags.c_contiguous else {"b": A, "trans_b": True}
    return np.asarray(multiply(1.0, v, trans_a=True, **rows).T)


def on_host(block: Any) -> bool:
    """Does NumPy read the array where it is?"""
    return not isinstance(block, jax.Array) or on_one_cpu(block)
