"""Graph networks on small graphs of different sizes, for the laws."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from cases import Case
from jax.flatten_util import ravel_pytree

from ntklib.duals import Erf
from ntklib.graph import Graph
from ntklib.graphs import GraphBatch


def _inputs(n: int) -> GraphBatch:
    """Graphs of 2 to 5 nodes with edge weights and features of their own."""
    rng = np.random.default_rng(8)
    graphs = []
    for size in (2 + 3 * i % 4 for i in range(n)):
        half = np.triu(rng.uniform(0.5, 1.5, (size, size)) * (rng.random((size, size)) < 0.7), 1)
        graphs.append((half + half.T, rng.normal(size=(size, 3))))
    return GraphBatch.of([(jnp.asarray(A), jnp.asarray(X)) for A, X in graphs])


def _case(name: str, kernel: Graph) -> Case:
    def empirical(width: int, key: Any, x: GraphBatch) -> jax.Array:
        network = kernel.network(width)
        params, restore = ravel_pytree(network.init(key, x.features.shape[2]))
        J = jax.jacrev(lambda flat: network.apply(restore(flat), x)[:, 0])(params)
        return jnp.matmul(J, J.T, precision="highest")

    return Case(name, kernel, _inputs, widths=(64, 256), empirical=empirical)


CASES = [
    _case("graph-relu", Graph(2)),
    _case("graph-degree-jumping", Graph(2, mlp_layers=2, scaling="degree", readout="jumping")),
    _case("graph-erf-bias", Graph(2, dual=Erf(), sigma_b=0.3, scaling="degree")),
]
