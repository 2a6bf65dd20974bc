"""Graphons: how probable it is that a layer keeps a weight, by the positions it connects."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib import _checks
from ntklib.graphon_nodes import CLOSE, Axis, quadrature


class AbstractGraphon(eqx.Module):
    r"""A function :math:`W: [0,1]^2 \to [0,1]`: the weight from v to u is kept with W(u, v).

    The target comes first, then the source: W is laid out like the matrix of the layer.
    """

    @abstractmethod
    def axes(self) -> tuple[Axis, Axis]:
        """How to integrate along the targets, and along the sources."""

    @abstractmethod
    def factors(
        self, u: Float[np.ndarray, " t"], v: Float[np.ndarray, " s"]
    ) -> tuple[Float[Array | np.ndarray, "_ _"], ...]:
        """Matrices whose product is W(u_i, v_j): one, or two if the rank is low."""

    def __call__(self, u: ArrayLike, v: ArrayLike) -> Float[Array, "t s"]:
        """The matrix W(u_i, v_j) at positions in [0, 1]. Cost: O(t s), times the rank if low."""
        u, v = np.asarray(u, dtype=float), np.asarray(v, dtype=float)
        first, *rest = self.factors(u, v)
        return jnp.matmul(first, rest[0], precision="highest") if rest else jnp.asarray(first)

    def density(self) -> Float[Array, ""]:
        r"""The part of the weights that is kept, :math:`\iint W`. Cost: one evaluation."""
        (u, w_u), (v, w_v) = (quadrature(axis) for axis in self.axes())
        return jnp.asarray(w_u) @ self(u, v) @ w_v


@final
class ConstantGraphon(AbstractGraphon):
    r"""Every weight is kept with the same probability: random pruning; 1 is a dense layer.

    .. math:: W(u, v) = c

    Args:
        value: the probability c.

    Raises:
        ValueError: if it is not one number in [0, 1].

    Cost: as of rank one.
    Source: pham2025graphon, for random pruning.
    """

    value: ArrayLike = eqx.field(converter=_checks.number)

    def __check_init__(self) -> None:
        if np.shape(self.value) != ():
            shape = np.shape(self.value)
            raise ValueError(f"`value` must be one number, got shape {shape}. Use StepGraphon.")
        _checks.refuse(probability("value", self.value))

    def axes(self) -> tuple[Axis, Axis]:
        return Axis(), Axis()

    def factors(
        self, u: Float[np.ndarray, " t"], v: Float[np.ndarray, " s"]
    ) -> tuple[Float[Array | np.ndarray, "_ _"], ...]:
        return self.value * np.ones((u.size, 1)), np.ones((1, v.size))


@final
class StepGraphon(AbstractGraphon):
    r"""Constant on blocks: exact with one node a block, whatever the blocks' measures.

    .. math:: W(u, v) = W_{ij} \quad \text{for } u \text{ in target block } i,
              \; v \text{ in source block } j

    A block owns its right end, so that feature j of d, at j/d, is in block j of d equal ones. With
    `values` at the centres of equal blocks, hidden layers integrate a function by the midpoint
    rule, better if it has kinks. Features and the output see their block's value: take an odd
    number of blocks for an output at 0.5. Jit `lambda x: kernel(x)`: arrays have no hash.

    Args:
        values: one row a target block, one column a source block.
        targets: measures of the target blocks, summing to 1. Without them, equal.
        sources: measures of the source blocks, likewise.

    Raises:
        ValueError: if a value is outside [0, 1], a measure is not positive, or they do not fit.

    Cost: O(t s).
    Source: derived.
    """

    values: Float[Array | np.ndarray, "..."] = eqx.field(
        converter=lambda W: W if isinstance(W, jax.Array) else np.asarray(W, dtype=float)
    )
    targets: tuple[float, ...] = eqx.field(
        static=True, default=(), converter=lambda m: tuple(map(float, m)), kw_only=True
    )
    sources: tuple[float, ...] = eqx.field(
        static=True, default=(), converter=lambda m: tuple(map(float, m)), kw_only=True
    )

    def __check_init__(self) -> None:
        if self.values.ndim != 2 or self.values.size == 0:
            hint = "One row a target block, one column a source block."
            raise ValueError(f"`values` must be a matrix, got shape {self.values.shape}. {hint}")
        _checks.refuse(_checks.floats("values", self.values) or probability("values", self.values))
        _checks.refuse(
            _measures("targets", self.targets, self.values.shape[0])
            + _measures("sources", self.sources, self.values.shape[1])
        )

    def axes(self) -> tuple[Axis, Axis]:
        return (
            Axis(_edges(self.targets, self.values.shape[0])),
            Axis(_edges(self.sources, self.values.shape[1])),
        )

    def factors(
        self, u: Float[np.ndarray, " t"], v: Float[np.ndarray, " s"]
    ) -> tuple[Float[Array | np.ndarray, "_ _"], ...]:
        rows, columns = (
            np.searchsorted(np.asarray(axis.edges[1:-1]) + CLOSE, positions)
            for axis, positions in zip(self.axes(), (u, v), strict=True)
        )
        return (self.values[rows[:, None], columns[None, :]],)


@final
class SmoothGraphon(AbstractGraphon):
    r"""A smooth function, integrated by Gauss-Legendre quadrature.

    .. math:: W(u, v) = f(u, v)

    Only for smooth functions. At a kink off the axes the error falls slowly, at a jump it may
    not fall steadily: take a `StepGraphon` with the function's values at the centres of many
    blocks. Blocks belong in a `StepGraphon` too, which is exact.

    Args:
        f: maps NumPy columns u (t, 1) and rows v (1, s) to values; it broadcasts.
        nodes: on each axis; 32 resolve a logistic step of slope 20 to 1e-9.

    Raises:
        ValueError: if a value is outside [0, 1] or `nodes` is below 1.

    Cost: O(t s).
    Source: derived.
    """

    f: Callable[[np.ndarray, np.ndarray], ArrayLike] = eqx.field(static=True)
    nodes: int = eqx.field(static=True, default=32, kw_only=True)

    def __check_init__(self) -> None:
        _checks.refuse(_checks.at_least_one("nodes", self.nodes, "One node is the midpoint rule."))
        _probe(self, "f")

    def axes(self) -> tuple[Axis, Axis]:
        return Axis(nodes=self.nodes), Axis(nodes=self.nodes)

    def factors(
        self, u: Float[np.ndarray, " t"], v: Float[np.ndarray, " s"]
    ) -> tuple[Float[Array | np.ndarray, "_ _"], ...]:
        W = _numbers(self.f(u[:, None], v[None, :])) * np.ones((u.size, v.size))
        _checks.refuse(probability("f", W))
        return (W,)


@final
class LowRankGraphon(AbstractGraphon):
    r"""A sum of few products of smooth functions; rank one when `a` and `b` return vectors.

    .. math:: W(u, v) = \sum_{k=1}^{r} a_k(u) \, b_k(v)

    Args:
        a: maps targets (t,) to (t,) or (t, r), in NumPy.
        b: maps sources (s,) to (s,) or (s, r).
        nodes: on each axis, as of a `SmoothGraphon`, whose warning holds here too.

    Raises:
        ValueError: if a value of W is outside [0, 1] or `nodes` is below 1.

    Cost: O((t + s) r); the mixing costs O((t + s) r) a pair of inputs and not O(t s).
    Source: derived.
    """

    a: Callable[[np.ndarray], ArrayLike] = eqx.field(static=True)
    b: Callable[[np.ndarray], ArrayLike] = eqx.field(static=True)
    nodes: int = eqx.field(static=True, default=32, kw_only=True)

    def __check_init__(self) -> None:
        _checks.refuse(_checks.at_least_one("nodes", self.nodes, "One node is the midpoint rule."))
        _probe(self, "a(u) b(v)")

    def axes(self) -> tuple[Axis, Axis]:
        return Axis(nodes=self.nodes), Axis(nodes=self.nodes)

    def factors(
        self, u: Float[np.ndarray, " t"], v: Float[np.ndarray, " s"]
    ) -> tuple[Float[Array | np.ndarray, "_ _"], ...]:
        return _numbers(self.a(u)).reshape(u.size, -1), _numbers(self.b(v)).reshape(v.size, -1).T


def _numbers(values: ArrayLike) -> Array | np.ndarray:
    """In float64 where they are known: they are rounded once, when layers have been merged."""
    return values if isinstance(values, jax.Array) else np.asarray(values, dtype=float)


def _probe(graphon: AbstractGraphon, name: str) -> None:
    """Evaluate where it will be integrated, and at 1, where the last feature may be."""
    at = np.append(quadrature(*graphon.axes()).positions, 1.0)
    _checks.refuse(probability(name, graphon(at, at)))


def probability(name: str, W: ArrayLike) -> list[str]:
    """`name` holds probabilities, up to rounding in float32 (when concrete)."""
    if isinstance(W, jax.core.Tracer):
        return []
    low, high = float(np.min(np.asarray(W))), float(np.max(np.asarray(W)))
    if low >= -1e-6 and high <= 1 + 1e-6:
        return []
    hint = "A graphon is the probability that a weight is kept: rescale or clip it."
    return [f"`{name}` must lie in [0, 1], got values from {low:.4g} to {high:.4g}. {hint}"]


def _measures(name: str, measures: Iterable[float], blocks: int) -> list[str]:
    """`name` divides [0, 1] into as many blocks as `values` has."""
    m = np.asarray(tuple(measures))
    if m.size == 0:
        return []
    if m.size != blocks:
        return [f"`{name}` must have one measure a block, got {m.size} for {blocks} blocks."]
    if m.min() > 0 and abs(m.sum() - 1) < 1e-6:
        return []
    hint = "Divide the blocks' sizes by their sum, and drop empty blocks."
    return [f"`{name}` must be positive and sum to 1, got {m.tolist()}. {hint}"]


def _edges(measures: tuple[float, ...], blocks: int) -> tuple[float, ...]:
    total = np.cumsum(measures or [1.0] * blocks)
    return (0.0, *(float(t) for t in total / total[-1]))
