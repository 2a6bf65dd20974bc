"""The layers of a pruned network: their graphons, gradients, norms and both ends."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, cast, final, get_args

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib import _checks
from ntklib.graphon_mixing import (
    GraphonMixing,
    Normalisation,
    hidden_nodes,
    inverse_norm,
    matrices,
)
from ntklib.graphon_nodes import Nodes
from ntklib.graphons import AbstractGraphon, ConstantGraphon, probability

_MOST_FEATURES = 12  # of an exact mixture: 4096 masks for each position


@final
class GraphonLayers(eqx.Module):
    r"""The weight layers of a pruned network, which graphons describe.

    .. math:: M^l_{ij} \sim \mathrm{Bernoulli}(W^l(u_i, v_j)), \qquad
              E[(M w)^2] = W / \rho, \qquad E[M^2] = G / \rho

    `gradient`: which weights are trained. Readings of the paper differ in it. "masked", G = W, is
    the NTK of the pruned network. "dense", G = 1, trains the removed weights too, as if N(0, W)
    were the law of a parameter: our reading of the paper's set-up, because constant graphons c on
    all L + 1 layers then give its factor c^L (ReLU, no bias) where "masked" gives c^(L+1). Masks
    that depend on the weights (magnitude, SNIP) need two graphons: W = E[w^2 M] and G = E[M].

    Order: the sources of a layer must be ordered like the targets of the layer before. Permuting
    one axis alone, as by sorting each mask by itself, is another network. Never sort features.

    `masks`: with few features and sampled input masks "average" is not the limit at any width, as
    a neuron's first value is not Gaussian. It is off by about 1/d: at W = 0.3 by 1 % (ReLU) and
    3 % (erf) at d = 64, by 0.2 % at d = 784. "mixture" is exact.

    Args:
        graphons: W of each weight layer, L + 1 of them; the first is on the features.
        gradient: "masked", "dense", one graphon G for all layers, or one a layer.
        normalisation: rho: "none" is 1, "density" the mean of W, "fan_in" its mean over v, which
            leaves dead neurons at 0. At the inputs, v runs over the features.
        features: positions of the d features: "right" is j/d, "mid" is (j - 1/2)/d.
        masks: of the input layer. "average" is exact for soft (Gaussian) weights and W = 1, and
            the limit of many features; "mixture" is exact for sampled masks, with d up to 12.
        output: the output's position. Outputs elsewhere have other kernels, unless the output
            layer is constant: take one object each.

    Raises:
        ValueError: if a layer is no graphon, an option is unknown, `output` is outside [0, 1], or
            a mixture is not possible.

    Cost: none until used; "mixture" takes 2^d times the sites of the first layer.
    Source: pham2025graphon for graphons as limits of masks and for "right"; derived for the rest.
    """

    graphons: Sequence[AbstractGraphon] = eqx.field(converter=lambda W: _graphons("graphons", W))
    gradient: Literal["masked", "dense"] | AbstractGraphon | Sequence[AbstractGraphon] = eqx.field(
        default="masked", converter=lambda G: _gradient(G), kw_only=True
    )
    normalisation: Normalisation = eqx.field(static=True, default="none", kw_only=True)
    features: Literal["right", "mid"] = eqx.field(static=True, default="right", kw_only=True)
    masks: Literal["average", "mixture"] = eqx.field(static=True, default="average", kw_only=True)
    output: float = eqx.field(static=True, default=0.5, converter=float, kw_only=True)

    def __check_init__(self) -> None:
        problems = one_of("normalisation", self.normalisation, get_args(Normalisation))
        problems += one_of("features", self.features, ("right", "mid"))
        problems += one_of("masks", self.masks, ("average", "mixture"))
        if not 0 <= self.output <= 1:
            hint = "Positions of neurons are in [0, 1]."
            problems.append(f"`output` must lie in [0, 1], got {self.output}. {hint}")
        depth, Gs = len(self.graphons), self.gradients()
        if len(Gs) not in (0, depth):
            hint = 'Give one a layer, one for all, "masked" or "dense".'
            problems.append(f"`gradient` must have {depth} graphons, got {len(Gs)}. {hint}")
        elif self.masks == "mixture":
            problems += _mixture(depth, Gs)
        _checks.refuse(problems)

    def gradients(self) -> tuple[AbstractGraphon, ...]:
        """G of each layer; none at all if it is W. Cost: none."""
        Gs = cast(tuple[AbstractGraphon, ...], self.gradient)
        return Gs * len(self.graphons) if len(Gs) == 1 else Gs

    def places(self, n_features: int) -> list[Nodes]:
        """Positions and weights of the features, of each hidden layer, and of the output.

        Args:
            n_features: features of the inputs, d.

        Cost: O(d + k), in NumPy.
        Source: derived.
        """
        shift = {"right": 0.0, "mid": 0.5}[self.features]
        at = (np.arange(1, n_features + 1) - shift) / n_features
        first = Nodes(at, np.full(n_features, 1 / n_features))
        last = Nodes(np.array([self.output]), np.ones(1))
        return [first, *hidden_nodes(self.graphons, self.gradients()), last]

    def mixings(
        self, n_features: int, *, sigma_w: ArrayLike, sigma_b: ArrayLike
    ) -> list[GraphonMixing]:
        """The mixing of each weight layer, on its nodes.

        Args:
            n_features: features of the inputs, d.
            sigma_w: standard deviation of the weights.
            sigma_b: standard deviation of the biases.

        Raises:
            ValueError: if there are too many features for an exact mixture.

        Cost: O(k^2) a layer.
        Source: derived.
        """
        places, Gs = self.places(n_features), self.gradients()
        scales, mixings = [], []
        for i, (W, (sources, targets)) in enumerate(
            zip(self.graphons, pairwise(places), strict=True)
        ):
            scale = inverse_norm(W, targets.positions, sources=sources, norm=self.normalisation)
            C = matrices(W, targets=targets, sources=sources, scale=scale)
            G = matrices(Gs[i], targets=targets, sources=sources, scale=scale) if Gs else None
            mixings.append(GraphonMixing(C, G, sigma_w, sigma_b))
            scales.append(scale)
        if self.masks == "average":
            return mixings
        keep = self.graphons[0](places[1].positions, places[0].positions)
        return [*expand_input_masks(*mixings[:2], keep=keep, scale=scales[0]), *mixings[2:]]


def expand_input_masks(
    first: GraphonMixing,
    second: GraphonMixing,
    *,
    keep: Float[Array, "k d"],
    scale: Float[Array | np.ndarray, " k"],
) -> tuple[GraphonMixing, GraphonMixing]:
    r"""The first two layers when the input layer's masks are sampled: an exact mixture.

    .. math:: \Sigma^1(u, m) = \frac{\sigma_w^2}{d \rho(u)} \sum_j m_j x_j x'_j + \sigma_b^2, \qquad
              P(m | u) = \prod_j W(u, v_j)^{m_j} (1 - W(u, v_j))^{1 - m_j}

    With d features a neuron's first value is not Gaussian but a mixture of Gaussians, one for each
    mask m of its row. So the first layer's sites become the pairs (u, m), 2^d times as many, and
    the second layer averages over m.

    Args:
        first: the mixing of the input layer, `masked` or `dense`.
        second: the mixing of the layer after it.
        keep: W(u_i, v_j), the probabilities of the input layer.
        scale: 1 / rho(u_i) of the input layer.

    Raises:
        ValueError: if there are more than 12 features, or `keep` is no probability.

    Cost: O(k^2 2^d) to build; 2^d times the sites of the first layer, in time and memory.
    Source: derived.
    """
    k, d = keep.shape
    _checks.refuse(probability("keep", keep))
    if d > _MOST_FEATURES:
        raise ValueError(
            f'`masks="mixture"` takes at most {_MOST_FEATURES} features, got {d}. '
            'Use `masks="average"`: its error falls like one over the features.'
        )
    masks = (np.arange(2**d)[:, None] >> np.arange(d)) & 1
    odds = jnp.where(masks == 1, keep[:, None, :], 1 - keep[:, None, :]).prod(axis=2)
    merge = (jnp.eye(k)[:, :, None] * odds).reshape(k, -1)
    C = ((scale[:, None, None] * masks).reshape(-1, d) / d,)
    G = (jnp.repeat(scale, 2**d)[:, None], jnp.full((1, d), 1 / d))
    return (
        GraphonMixing(C, None if first.G is None else G, first.sigma_w, first.sigma_b),
        GraphonMixing(
            (*second.C, merge),
            None if second.G is None else (*second.G, merge),
            second.sigma_w,
            second.sigma_b,
        ),
    )


def one_of(name: str, value: object, known: Sequence[str]) -> list[str]:
    """`name` is one of the options that are known."""
    options = ", ".join(f'"{option}"' for option in known)
    return [] if value in known else [f"`{name}` must be one of {options}, got {value!r}."]


def _mixture(depth: int, gradients: Sequence[AbstractGraphon]) -> list[str]:
    """An exact mixture needs a nonlinearity after it, and masks that ignore the weights."""
    problems = []
    if depth == 1:
        problems.append(
            '`masks="mixture"` needs a hidden layer, got a linear model, whose NTK is random at '
            'every width. Its mean is `masks="average"`.'
        )
    G = gradients[0] if gradients else ConstantGraphon(1.0)
    if not (isinstance(G, ConstantGraphon) and G.value == 1):
        problems.append(
            '`masks="mixture"` needs `gradient` to be "masked", or 1 on the input layer: where '
            'masks depend on the weights there is no Gaussian mixture. Use `masks="average"`.'
        )
    return problems


def _graphons(name: str, graphons: Any) -> tuple[AbstractGraphon, ...]:
    """A sequence of graphons, as a tuple."""
    known = isinstance(graphons, Sequence) and not isinstance(graphons, str)
    if known and graphons and all(isinstance(W, AbstractGraphon) for W in graphons):
        return tuple(graphons)
    hint = "A linear model has one; `[ConstantGraphon(1.0)] * 3` is a dense network of depth 3."
    raise ValueError(f"`{name}` must be graphons, one a weight layer, got {graphons!r}. {hint}")


def _gradient(G: Any) -> tuple[AbstractGraphon, ...]:
    """No graphon if G is W, one if it is the same on all layers, else one a layer."""
    named = {"masked": (), "dense": (ConstantGraphon(1.0),)}
    if isinstance(G, str):
        _checks.refuse(one_of("gradient", G, tuple(named)))
        return named[G]
    if isinstance(G, AbstractGraphon):
        return (G,)
    return () if isinstance(G, tuple) and not G else _graphons("gradient", G)
