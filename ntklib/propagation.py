"""Propagation between the edges of a complex: its operators, and what they do to covariances."""

from collections.abc import Sequence
from typing import Literal, final, get_args

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib import _checks
from ntklib.complexes import SimplicialComplex
from ntklib.recursion import AbstractMixing

Operator = Literal["hodge", "absolute", "adjacency"]
Normalise = Literal["raw", "each", "total"]
Channels = Literal["shared", "separate"]


@final
class Propagation(eqx.Module):
    r"""What a simplicial layer does between edges, before its weights: :math:`P`.

    .. math:: P = a I + b L_{down} + c L_{up}

    `operator` chooses the two Laplacians:

    - "hodge": signed, from the boundary maps. They follow an orientation: L -> D L D.
    - "absolute": entry by entry `abs(L_down)` and `abs(L_up)`; no orientation.
    - "adjacency": edges that share a vertex, edges of one filled triangle; each with self loops,
      every row divided by its sum. No orientation. Not symmetric. An edge in no triangle keeps
      its self loop, so that without triangles the upper one is I and not 0. The author's DBLP
      script uses this one, not the boundary maps, with a = 0 and b = c = 1/2.

    `normalise`: "raw" takes them as they are; "each" divides either by its largest singular
    value (0 stays 0); "total" does that and then divides P by its own (the author's
    triangle-count script).

    `channels`: "shared" gives all three terms one weight matrix, "separate" one each. These are
    different networks: with separate weights the kernel has no products of different channels.

    With `upper=0` a kernel sees no triangle; with `operator="adjacency"` and a = 0 too, it is a
    graph network's on the line graph. The features may still know triangles: those of the DBLP
    script hold the number of filled triangles at an edge.

    Args:
        residual: a, the part that stays on the edge. Nothing else in a signed P reaches harmonic
            flows: with a = 0 and no bias they are never learned, whatever the activation, if the
            read-out propagates.
        lower: b, through shared vertices.
        upper: c, through filled triangles.

    Raises:
        ValueError: if a coefficient is not one finite number or an option is unknown.

    Cost: none; operators are made by a call.
    Source: krishnagopal2026topological for "hodge" with "each" and "total", and for "adjacency",
    as the author's code has them; derived for the others.
    """

    residual: ArrayLike = eqx.field(default=1.0, converter=_checks.number)
    lower: ArrayLike = eqx.field(default=1.0, converter=_checks.number)
    upper: ArrayLike = eqx.field(default=1.0, converter=_checks.number)
    operator: Operator = eqx.field(static=True, default="hodge", kw_only=True)
    normalise: Normalise = eqx.field(static=True, default="each", kw_only=True)
    channels: Channels = eqx.field(static=True, default="shared", kw_only=True)

    def __check_init__(self) -> None:
        problems = []
        for name in ("residual", "lower", "upper"):
            problems += _checks.finite(name, getattr(self, name), "It is a coefficient of P.")
        for name, options in (
            ("operator", Operator),
            ("normalise", Normalise),
            ("channels", Channels),
        ):
            if getattr(self, name) not in get_args(options):
                problems.append(
                    f"`{name}` must be one of {get_args(options)}, got {getattr(self, name)!r}."
                )
        _checks.refuse(problems)

    def __call__(self, complex_: SimplicialComplex) -> Float[Array, "channels edges edges"]:
        r"""The operators of one complex: P alone (shared), or a I, b L_down and c L_up (separate).

        Args:
            complex_: the complex.

        Cost: O(E^3) time with a normalisation, O(E^2) memory: they are dense.
        Source: derived.
        """
        lower, upper = (_operator(L, self.operator) for L in complex_.laplacians())
        if self.normalise != "raw":
            lower, upper = (L / (np.linalg.norm(L, 2) or 1.0) for L in (lower, upper))
        identity = np.eye(len(lower))
        P = jnp.stack([self.residual * identity, self.lower * lower, self.upper * upper])
        if self.normalise == "total":
            norm = jnp.linalg.norm(P.sum(axis=0), ord=2)
            P = P / jnp.where(norm > 0, norm, 1.0)
        return P.sum(axis=0, keepdims=True) if self.channels == "shared" else P


def operators(
    complexes: Sequence[SimplicialComplex], propagation: Propagation, size: int
) -> Float[Array, "n channels size size"]:
    r"""The operators of several complexes, padded with zeros to `size` edges.

    A zero column reads nothing, so that padding never reaches an edge, not even by its bias.

    Args:
        complexes: n complexes; equal ones are computed once.
        propagation: the operators to make.
        size: edges of each operator, at least those of the largest complex.

    Cost: O(E^3) for each different complex, O(n size^2) memory.
    Source: derived.
    """
    made = {one: propagation(one) for one in dict.fromkeys(complexes)}
    padding = {one: size - len(one.edges) for one in made}
    padded = {
        one: jnp.pad(P, ((0, 0), (0, padding[one]), (0, padding[one]))) for one, P in made.items()
    }
    return jnp.stack([padded[one] for one in complexes])


@final
class SimplicialMixing(AbstractMixing):
    r"""A layer that propagates over each complex and then mixes channels with random weights.

    .. math:: \mathcal M[C]_{ij} = \sigma_w^2 \sum_c P_{i,c} \, C_{ij} \, Q_{j,c}^\top

    The sum runs over operators with weights of their own; there are no products between them.

    Args:
        P: operators of the n complexes on the left, (n, channels, E, E).
        Q: operators of the m complexes on the right, (m, channels, F, F).
        sigma_w: standard deviation of the weights.
        sigma_b: standard deviation of the biases, one a neuron and the same on all edges.

    Cost: O(n m channels (E^2 F + E F^2)) time.
    Source: krishnagopal2026topological for one complex and one operator; derived for the others.
    """

    P: Float[Array, "n channels edges edges"]
    Q: Float[Array, "m channels edges2 edges2"]
    sigma_w: ArrayLike
    sigma_b: ArrayLike = 0.0

    def mix(self, block: Float[Array, "..."]) -> Float[Array, "..."]:
        pairs = "nau,nmuv,mbv->nmab" if block.ndim == 4 else "nau,nuv,nbv->nab"
        total = sum(
            jnp.einsum(pairs, self.P[:, c], block, self.Q[:, c], precision="highest")
            for c in range(self.P.shape[1])
        )
        return jnp.multiply(self.sigma_w**2, total)

    def bias(self) -> ArrayLike:
        return self.sigma_b**2

    def left(self) -> "SimplicialMixing":
        return SimplicialMixing(self.P, self.P, self.sigma_w, self.sigma_b)

    def right(self) -> "SimplicialMixing":
        return SimplicialMixing(self.Q, self.Q, self.sigma_w, self.sigma_b)


def _operator(L: np.ndarray, operator: Operator) -> np.ndarray:
    """The chosen form of a Hodge Laplacian. Off its diagonal, entries are -1, 0 and 1."""
    if operator == "hodge":
        return L
    if operator == "absolute":
        return np.asarray(np.abs(L))
    A = (L != 0).astype(float)
    np.fill_diagonal(A, 1.0)
    return np.asarray(A / A.sum(axis=1, keepdims=True))
