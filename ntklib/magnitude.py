"""Pruning by magnitude: the largest weights stay, wherever they are."""

from typing import NamedTuple

import numpy as np
from jax.scipy.stats import norm

from ntklib import _checks
from ntklib.graphons import AbstractGraphon, ConstantGraphon


class TwoGraphons(NamedTuple):
    """What masks that look at the weights leave: `second_moment` E[w^2 M], and `kept` E[M]."""

    second_moment: AbstractGraphon
    kept: AbstractGraphon


def magnitude_graphons(keep: float) -> TwoGraphons:
    r"""The two graphons of pruning by magnitude, of weights in N(0, 1); both are constant.

    .. math:: V = E[w^2 \, \mathbf 1(|w| > t)] = p + 2 t \, g(t), \qquad
              G = P(|w| > t) = p

    with g the density of N(0, 1). On all L + 1 layers, with ReLU and without biases, the kernel
    of the pruned network is :math:`p V^L` times the dense one; random masks with as many weights
    give :math:`p^{L+1}`. Layers take
    `GraphonLayers([V] * depth, gradient=[G] * depth)`.

    Args:
        keep: the part p of the weights that stays, in (0, 1].

    Raises:
        ValueError: if `keep` is not above 0 and at most 1.

    Cost: none.
    Source: derived.
    """
    _checks.refuse(_checks.share("keep", keep))
    t = float(-norm.ppf(keep / 2))
    V = keep + 2 * t * np.exp(-(t**2) / 2) / (2 * np.pi) ** 0.5
    return TwoGraphons(ConstantGraphon(float(V)), ConstantGraphon(keep))
