"""Networks on simplicial complexes, for the laws."""

from typing import Any

import jax
import jax.numpy as jnp
from cases import Case
from jax.flatten_util import ravel_pytree

from ntklib.cochains import Cochains
from ntklib.complexes import SimplicialComplex
from ntklib.duals import Erf
from ntklib.propagation import Propagation
from ntklib.simplicial import Convention, Simplicial

EDGES = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (3, 4), (4, 5), (3, 5), (0, 6), (5, 6)]
HOLED = SimplicialComplex(7, EDGES, [(0, 1, 2), (1, 2, 3)])  # two holes: 3-4-5 and 0-6-5-3-1
OTHER = SimplicialComplex(7, EDGES, [(3, 4, 5)])  # the same edges, filled elsewhere
SMALL = SimplicialComplex(4, [(0, 1), (1, 2), (0, 2), (2, 3)], [(0, 1, 2)])


def _inputs(n: int) -> Cochains:
    """Features on complexes of ten and four edges, in turn; no two inputs are equal."""
    complexes = [(HOLED, SMALL, OTHER)[i % 3] for i in range(n)]
    keys = jax.random.split(jax.random.key(0), n)
    shapes = [(len(one.edges), 3) for one in complexes]
    features = [jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True)]
    return Cochains.of(complexes, features)


def _case(name: str, kernel: Simplicial) -> Case:
    def empirical(width: int, key: Any, x: Cochains) -> jax.Array:
        network = kernel.network(width)
        params, restore = ravel_pytree(network.init(key, x.X.shape[-1]))
        J = jax.jacrev(lambda flat: network.apply(restore(flat), x)[:, 0])(params)
        return jnp.matmul(J, J.T, precision="highest")

    return Case(name, kernel, _inputs, take=lambda x, rows: x[rows], empirical=empirical)


CASES = [
    _case("simplicial-relu-shared", Simplicial(3, Propagation(0.5, 0.5, 0.5), readout="sum")),
    _case(
        "simplicial-erf-separate-bias",
        Simplicial(
            3,
            Propagation(0.5, 1.0, 1.0, channels="separate"),
            readout="mean",
            dual=Erf(),
            sigma_b=0.3,
        ),
    ),
    _case(
        "simplicial-absolute-unpropagated-inputs",
        Simplicial(
            3,
            Propagation(0.5, operator="absolute", normalise="total"),
            readout="mean",
            convention=Convention(prop_first=False, feat_div=False),
            sigma_b=0.3,
        ),
    ),
]
