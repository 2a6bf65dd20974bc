"""Graph neural networks: the kernels between graphs, and between their nodes."""

from typing import Literal, final, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from ntklib import _checks, _unions
from ntklib.aggregation import GraphMixing, Scaling, aggregation
from ntklib.dense import DenseMixing
from ntklib.duals import AbstractDual, Relu
from ntklib.graphs import GraphBatch, feature_covariances, two_batches
from ntklib.recursion import Kernels, activate, affine, layer

Readout = Literal["last", "jumping"]


@final
class Graph(eqx.Module):
    r"""The graph neural tangent kernel: B blocks of an aggregation and R layers at each node.

    .. math:: \Sigma \leftarrow P X X'^\top P'^\top, \ \Theta \leftarrow \Sigma; \quad
              \text{in a block, R times:} \quad
              \Theta \leftarrow \sigma_w^2 (\phi(\Sigma) + \dot\phi(\Sigma) \odot \Theta), \
              \Sigma \leftarrow \sigma_w^2 \phi(\Sigma); \quad
              \text{between blocks:} \quad
              \Sigma \leftarrow P \Sigma P'^\top, \ \Theta \leftarrow P \Theta P'^\top

    .. math:: K(G, G') = \sum_{u, u'} \Theta_{uu'}

    The first of the 1 + B R layers has weights of variance 1 and does not divide by the features,
    as in du2019graph. The authors' code returns 2 x this sum; for ReLU without bias that is the
    kernel with `sigma_w` in the first layer too. Every layer but the read-out of X adds sigma_b^2
    to all pairs of nodes, after the aggregation if it has one.

    Growing graphs of a graphon W have a limit if A is divided by N. To compute it, pass as A
    W(u_i, u_j) q_j with quadrature weights q, and `loops="given"`; nodes with q = 0 read it
    elsewhere. This graphon kernel of graph data is not that of pruned networks.

    Nodes in symmetric positions have parallel states, where the ReLU kernel has a square-root
    kink: rounding in Sigma shows as its root in Theta, 1e-8 in float64 and 3e-4 in float32.

    Args:
        blocks: B, aggregations; the authors' `num_layers` is B + 1.
        mlp_layers: R, nonlinearities after each.
        dual: the nonlinearity.
        sigma_w: standard deviation of the weights after the first layer.
        sigma_b: standard deviation of the biases.
        scaling: c_u is 1 if "uniform", 1 / (row sum of A) if "degree".
        readout: "last" reads the last block, "jumping" the sum over all blocks and of X X'^T.

    Raises:
        ValueError: if a count is below 1, a deviation is negative, or a choice is unknown.

    Cost: O(B n m (N^3 + R N^2)) time, O(n m N^2) memory for n m pairs of graphs of N nodes.
    Source: du2019graph; derived for the bias and the limit of large graphs.
    """

    blocks: int = eqx.field(static=True)
    mlp_layers: int = eqx.field(static=True, default=1, kw_only=True)
    dual: AbstractDual = eqx.field(default_factory=Relu, kw_only=True)
    sigma_w: ArrayLike = eqx.field(default=2**0.5, converter=_checks.number, kw_only=True)
    sigma_b: ArrayLike = eqx.field(default=0.0, converter=_checks.number, kw_only=True)
    scaling: Scaling = eqx.field(static=True, default="uniform", kw_only=True)
    readout: Readout = eqx.field(static=True, default="last", kw_only=True)

    def __check_init__(self) -> None:
        problems = _checks.at_least_one("blocks", self.blocks, "It counts the aggregations.")
        problems += _checks.at_least_one("mlp_layers", self.mlp_layers, "It counts nonlinearities.")
        for name in ("sigma_w", "sigma_b"):
            problems += _checks.deviation(name, getattr(self, name))
        for name, choices in (("scaling", get_args(Scaling)), ("readout", get_args(Readout))):
            if (came := getattr(self, name)) not in choices:
                problems.append(f"`{name}` must be one of {choices}, got {came!r}.")
        _checks.refuse(problems)

    def __call__(self, x1: GraphBatch, x2: GraphBatch | None = None) -> Kernels:
        r"""Both kernels between the graphs of `x1` and `x2`: sums over their nodes.

        .. math:: K_{ij} = \sum_{u \in G_i} \sum_{v \in G'_j} K_{uv}

        Args:
            x1: graphs.
            x2: other graphs, of any size. Without them the result is the symmetric Gram matrix.

        Raises:
            ValueError: as `nodes`.

        Cost: as stated for the class; where it runs tile by tile, on a CPU, O(n m) memory.
        Source: du2019graph.
        """
        return _unions.sums(self, x1, x2)

    def nodes(self, x1: GraphBatch, x2: GraphBatch | None = None) -> Kernels:
        r"""Both kernels between all nodes of all graphs, (n, m, nodes, nodes); 0 at padding.

        .. math:: K_{ijuv} = K(u \in G_i, v \in G'_j)

        Args:
            x1: graphs; for one graph G, `kernel.nodes(GraphBatch.of([G])).ntk[0, 0]`.
            x2: other graphs. Without them those of `x1`.

        Raises:
            ValueError: if a batch is badly formed, features differ, or with `scaling="degree"` a
                node has no neighbours.

        Cost: as stated for the class.
        Source: du2019graph.
        """
        two_batches(x1, x2)
        P1 = aggregation("x1", x1, self.scaling)
        P2 = P1 if x2 is None else aggregation("x2", x2, self.scaling)
        K = feature_covariances(x1, x2)
        nngp, ntk = [K.Sigma], [K.Sigma]
        K = affine(K, mix=GraphMixing(P1, P2, 1.0, self.sigma_b))
        dense = DenseMixing(self.sigma_w, self.sigma_b)
        for block in range(self.blocks):
            for _ in range(self.mlp_layers - 1):
                K = layer(K, dual=self.dual, mix=dense)
            A = activate(K, dual=self.dual)
            K = affine(A, mix=dense)
            nngp.append(K.Sigma)
            ntk.append(K.Theta)
            if block < self.blocks - 1:
                K = affine(A, mix=GraphMixing(P1, P2, self.sigma_w, self.sigma_b))
        other = x1 if x2 is None else x2
        real = x1.real()[:, None, :, None] & other.real()[None, :, None, :]
        first = 0 if self.readout == "jumping" else -1
        return Kernels(*(jnp.where(real, sum(k[first:]), 0.0) for k in (nngp, ntk)))

    def network(self, width: int, n_outputs: int = 1) -> "GraphNetwork":
        """The same architecture at finite width; its kernel tends to this one as `width` grows.

        Args:
            width: features of a node in each hidden layer, n.
            n_outputs: outputs; each has the same kernel in the limit.

        Raises:
            ValueError: if either is below 1.

        Cost: none; parameters are drawn by `init`.
        Source: du2019graph.
        """
        return GraphNetwork(self, width, n_outputs)


@final
class GraphNetwork(eqx.Module):
    r"""A graph network of finite width in the NTK parameterisation.

    .. math:: Z = P X W + \sigma_b b, \qquad
              Z \leftarrow \frac{\sigma_w}{\sqrt n} (P) \, \phi(Z) W + \sigma_b b, \qquad
              f = \sum_u \Big( \frac{\sigma_w}{\sqrt n} \phi(Z) V + \sigma_b b \Big)_u

    P is there in the last layer of a block, if another follows. With jumping knowledge each block
    has a read-out V of its own, and so have the inputs: X V, without bias. All entries are drawn
    from N(0, 1).

    Args:
        kernel: the infinitely wide network it approaches.
        width: features of a node in each hidden layer, n.
        n_outputs: outputs of the read-out.

    Cost: O(N^2 width + N width^2) a layer and graph.
    Source: du2019graph; derived for the read-outs.
    """

    kernel: Graph
    width: int = eqx.field(static=True)
    n_outputs: int = eqx.field(static=True, default=1)

    def __check_init__(self) -> None:
        _checks.refuse(
            _checks.at_least_one("width", self.width, "It counts the features of a hidden layer.")
            + _checks.at_least_one("n_outputs", self.n_outputs, "A scalar function is 1.")
        )

    def init(self, key: PRNGKeyArray, n_features: int) -> dict[str, list[dict[str, Array]]]:
        """Draw lists of {"W", "b"}: "layers", read-outs "heads" and, if jumping, "inputs".

        Args:
            key: the random key.
            n_features: features of the nodes, d.

        Raises:
            ValueError: if `n_features` is below 1.

        Cost: O(width^2) a layer.
        Source: du2019graph.
        """
        hint = "It is the last axis of the features."
        _checks.refuse(_checks.at_least_one("n_features", n_features, hint))
        k, n, o = self.kernel, self.width, self.n_outputs
        layers = [(n_features, n)] + [(n, n)] * (k.blocks * k.mlp_layers - 1)
        heads = [(n, o)] * (k.blocks if k.readout == "jumping" else 1)
        key, *keys = jax.random.split(key, 1 + len(layers) + len(heads))
        drawn = [_draw(k, shape) for k, shape in zip(keys, layers + heads, strict=True)]
        params = {"layers": drawn[: len(layers)], "heads": drawn[len(layers) :]}
        if k.readout == "jumping":
            params["inputs"] = [{"W": jax.random.normal(key, (n_features, o))}]
        return params

    def apply(
        self, params: dict[str, list[dict[str, Array]]], x: GraphBatch
    ) -> Float[Array, "n outputs"]:
        """The network's outputs, one row for each graph: the sum of `nodes`.

        Args:
            params: as drawn by `init`, or trained.
            x: graphs.

        Cost: O(N^2 width + N width^2) a layer and graph.
        Source: du2019graph.
        """
        return jnp.sum(self.nodes(params, x), axis=1)

    def nodes(
        self, params: dict[str, list[dict[str, Array]]], x: GraphBatch
    ) -> Float[Array, "n u outputs"]:
        """The network's outputs at each node of each graph; 0 at padding.

        Args:
            params: as drawn by `init`, or trained.
            x: graphs.

        Cost: O(N^2 width + N width^2) a layer and graph.
        Source: du2019graph.
        """
        k, (first, *layers), heads = self.kernel, params["layers"], list(params["heads"])
        P, scale = aggregation("x", x, k.scaling), k.sigma_w / self.width**0.5
        f = [x.features @ p["W"] for p in params.get("inputs", [])]
        Z = P @ (x.features @ first["W"]) + k.sigma_b * first["b"]
        for index, p in enumerate([*layers, None], start=1):
            h = k.dual.activation(Z)
            ends = index % k.mlp_layers == 0  # a block
            if ends and (k.readout == "jumping" or p is None):
                head = heads.pop(0)
                f.append(scale * (h @ head["W"]) + k.sigma_b * head["b"])
            if p is not None:
                Z = scale * ((P @ h if ends else h) @ p["W"]) + k.sigma_b * p["b"]
        return jnp.where(x.real()[..., None], sum(f), 0.0)


def _draw(key: PRNGKeyArray, shape: tuple[int, int]) -> dict[str, Array]:
    key_W, key_b = jax.random.split(key)
    return {"W": jax.random.normal(key_W, shape), "b": jax.random.normal(key_b, shape[1:])}
