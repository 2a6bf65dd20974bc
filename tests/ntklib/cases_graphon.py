"""Pruned networks, for the laws."""

import jax
import numpy as np
from cases import Case

from ntklib import Erf
from ntklib.graphon import GraphonKernel
from ntklib.graphon_layers import GraphonLayers
from ntklib.graphons import ConstantGraphon, LowRankGraphon, SmoothGraphon, StepGraphon

_STEP = StepGraphon([[0.9, 0.2], [0.5, 0.0]], targets=[0.25, 0.75])
_SMOOTH = SmoothGraphon(lambda u, v: np.exp(-((u - v) ** 2) - u), nodes=6)
_RANK_ONE = LowRankGraphon(lambda u: 1 - 0.6 * u, lambda v: 0.4 + 0.5 * v, nodes=6)


def _inputs(n: int) -> jax.Array:
    return jax.random.normal(jax.random.key(11), (n, 4))


CASES = [
    Case(
        "graphon-step-relu-bias",
        GraphonKernel([ConstantGraphon(0.7), _STEP, _STEP], sigma_b=0.3),
        _inputs,
        n=4,
    ),
    Case(
        "graphon-smooth-erf-dense-gradient",
        GraphonKernel(
            GraphonLayers([_SMOOTH, _RANK_ONE, _STEP], gradient="dense", normalisation="density"),
            dual=Erf(),
            sigma_b=0.2,
        ),
        _inputs,
        n=4,
    ),
    Case(
        "graphon-input-masks-fan-in",
        GraphonKernel(
            GraphonLayers([_STEP, _SMOOTH, _RANK_ONE], normalisation="fan_in", masks="mixture"),
            dual=Erf(),
        ),
        _inputs,
        n=4,
    ),
]
