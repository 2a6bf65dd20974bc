"""Aggregation over the neighbours in a graph: the operator, and the mixing that it makes."""

from typing import Literal, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib import _checks
from ntklib.graphs import GraphBatch
from ntklib.recursion import AbstractMixing

Scaling = Literal["uniform", "degree"]


@final
class GraphMixing(AbstractMixing):
    r"""A dense layer whose output each node aggregates over its neighbours.

    .. math:: \mathcal M[C] = \sigma_w^2 \, P C P'^\top, \qquad P = \mathrm{diag}(c) A

    Args:
        P1: the aggregation of each graph on the left.
        P2: that of each graph on the right.
        sigma_w: standard deviation of the weights.
        sigma_b: standard deviation of the bias, added after the aggregation.

    Cost: O(n m N^3) for n m pairs of graphs of N nodes.
    Source: du2019graph; derived for the bias.
    """

    P1: Float[Array, "n u u"]
    P2: Float[Array, "m v v"]
    sigma_w: ArrayLike
    sigma_b: ArrayLike = 0.0

    def mix(self, block: Float[Array, "..."]) -> Float[Array, "..."]:
        P1 = self.P1[:, None] if block.ndim == 4 else self.P1
        right = jnp.matmul(block, jnp.swapaxes(self.P2, -1, -2), precision="highest")
        return jnp.multiply(self.sigma_w**2, jnp.matmul(P1, right, precision="highest"))

    def bias(self) -> ArrayLike:
        return self.sigma_b**2

    def left(self) -> "GraphMixing":
        return GraphMixing(self.P1, self.P1, self.sigma_w, self.sigma_b)

    def right(self) -> "GraphMixing":
        return GraphMixing(self.P2, self.P2, self.sigma_w, self.sigma_b)


def aggregation(name: str, batch: GraphBatch, scaling: Scaling) -> Float[Array, "n u u"]:
    r"""What each node takes in, graph by graph.

    .. math:: P = \mathrm{diag}(c) A, \qquad c_u = 1 \ \text{or} \ 1 / \sum_v A_{uv}

    Args:
        name: what the caller calls the batch, for messages.
        batch: the graphs.
        scaling: "uniform" is c_u = 1, "degree" the mean over neighbours.

    Raises:
        ValueError: if `scaling` is "degree" and a node's row of A does not sum to more than 0.

    Cost: O(n N^2).
    Source: du2019graph.
    """
    A = batch.adjacency
    if scaling == "uniform":
        return A
    if not any(isinstance(a, jax.core.Tracer) for a in (A, batch.sizes)):
        real = np.arange(A.shape[1]) < np.asarray(batch.sizes)[:, None]
        alone = np.argwhere(real & (np.asarray(A).sum(axis=2) <= 0))
        if len(alone):
            graph, node = alone[0]
            hint = 'Give it a self loop: `GraphBatch.of(graphs, loops="add")`.'
            rule = f'`scaling="degree"` needs nodes with neighbours; in `{name}`'
            _checks.refuse([f"{rule}, node {node} of graph {graph} has none. {hint}"])
    degrees = jnp.sum(A, axis=2)
    has = degrees > 0
    return jnp.where(has, 1 / jnp.where(has, degrees, 1.0), 0.0)[:, :, None] * A
