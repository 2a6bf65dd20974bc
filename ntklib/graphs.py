"""Graphs of different sizes in one batch: padded, with the sizes beside them."""

from collections.abc import Sequence
from typing import Literal, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ntklib import _checks
from ntklib.recursion import Covariances


@final
class GraphBatch(eqx.Module):
    r"""n graphs, padded with nodes that have no edges and no features to the largest.

    .. math:: G_i = (A_i, X_i), \qquad A_i \in \mathbb R^{N_i \times N_i}, \quad
              X_i \in \mathbb R^{N_i \times d}

    `GraphBatch.of` makes one from a list. Row u of A says what node u takes in; A may be weighted
    and need not be symmetric. Whatever is 0 in it is no edge.

    Args:
        adjacency: (graphs, nodes, nodes), with self loops where a node takes itself in.
        features: (graphs, nodes, features).
        sizes: the number of nodes N_i of each graph.

    Raises:
        ValueError: from the kernel that takes it, if shapes or sizes do not fit.

    Cost: none.
    Source: derived.
    """

    adjacency: Float[Array, "n u u"]
    features: Float[Array, "n u d"]
    sizes: Int[Array, " n"]

    @staticmethod
    def of(
        graphs: Sequence[tuple[Float[Array, "_ _"], Float[Array, "_ _"]]],
        *,
        loops: Literal["add", "given"] = "add",
    ) -> "GraphBatch":
        """A batch from a list of graphs, each an adjacency matrix and a table of features.

        Args:
            graphs: pairs (adjacency, features); the graphs may differ in size.
            loops: "add" gives every node a self loop of weight 1, as du2019graph do; "given" takes
                the diagonal as it is.

        Raises:
            ValueError: if the list or a graph is empty, shapes do not fit, an entry is not finite,
                or `loops` is "add" and a graph has self loops already.

        Cost: one copy of the graphs.
        Source: derived.
        """
        if loops not in ("add", "given"):
            raise ValueError(f'`loops` must be "add" or "given", got {loops!r}.')
        if not graphs:
            raise ValueError("A batch must have at least one graph, got an empty list.")
        pairs = [(jnp.asarray(A), jnp.asarray(X)) for A, X in graphs]
        d = pairs[0][1].shape[-1:]
        _checks.refuse(p for i, (A, X) in enumerate(pairs) for p in _graph(i, A, X, d, loops))
        largest = max(len(X) for _, X in pairs)
        adjacency, features = [], []
        for A, X in pairs:
            more = (0, largest - len(X))
            if loops == "add":
                A = A + jnp.eye(len(X), dtype=A.dtype)
            adjacency.append(jnp.pad(A, (more, more)))
            features.append(jnp.pad(X, (more, (0, 0))))
        sizes = jnp.asarray([len(X) for _, X in pairs])
        return GraphBatch(jnp.stack(adjacency), jnp.stack(features), sizes)

    def real(self) -> Bool[Array, "n u"]:
        r"""Which nodes belong to their graph: the first :math:`N_i`.

        Cost: none.
        Source: derived.
        """
        return jnp.less(jnp.arange(self.features.shape[1]), jnp.asarray(self.sizes)[:, None])


def feature_covariances(x1: GraphBatch, x2: GraphBatch | None) -> Covariances:
    r"""The Gram matrices of all pairs of graphs, not divided by the features.

    .. math:: \Sigma = X X'^\top, \qquad \Theta = 0

    Args:
        x1: graphs.
        x2: other graphs; None if they are the same.

    Cost: O(n m N^2 d).
    Source: du2019graph.
    """

    def gram(X: Array, Y: Array) -> Array:
        return jnp.matmul(X, jnp.swapaxes(Y, -1, -2), precision="highest")

    other = x1 if x2 is None else x2
    G = gram(x1.features[:, None], other.features[None])
    own = None if x2 is None else (gram(x1.features, x1.features), gram(x2.features, x2.features))
    left, right = own or (None, None)
    return Covariances(G, jnp.zeros_like(G), left, right, sites="full")


def two_batches(x1: GraphBatch, x2: GraphBatch | None) -> None:
    """Both sides of a kernel are batches over the same features."""
    problems = _batch("x1", x1) + ([] if x2 is None else _batch("x2", x2))
    if not problems and x2 is not None and x1.features.shape[2] != x2.features.shape[2]:
        came = f"{x1.features.shape[2]} and {x2.features.shape[2]}"
        problems = [f"`x1` and `x2` must have the same features, got {came}."]
    _checks.refuse(problems)


def _batch(name: str, batch: GraphBatch) -> list[str]:
    """What a kernel asks of a batch that was not made by `GraphBatch.of`."""
    if not isinstance(batch, GraphBatch):
        hint = "Use `GraphBatch.of([(adjacency, features), ...])`."
        return [f"`{name}` must be a `GraphBatch`, got {type(batch).__name__}. {hint}"]
    A, X, sizes = batch.adjacency, batch.features, batch.sizes
    n, u = X.shape[:2] if X.ndim == 3 else (0, 0)
    if X.ndim != 3 or A.shape != (n, u, u) or np.shape(sizes) != (n,):
        came = f"adjacency {A.shape}, features {X.shape}, sizes {np.shape(sizes)}"
        rule = "shapes (n, nodes, nodes), (n, nodes, features) and (n,)"
        return [f"`{name}` must have {rule}, got {came}. `GraphBatch.of` makes a batch."]
    problems = _checks.floats(f"{name}.adjacency", A) + _checks.floats(f"{name}.features", X)
    if isinstance(sizes, jax.core.Tracer):
        return problems
    wrong = [int(s) for s in np.asarray(sizes) if not 1 <= s <= u]
    if wrong:
        hint = "A graph has a node; the arrays have room for the largest."
        problems.append(f"`{name}.sizes` must be from 1 to {u}, got {wrong[0]}. {hint}")
    elif not any(isinstance(a, jax.core.Tracer) for a in (A, X)):
        ghost = np.arange(u) >= np.asarray(sizes)[:, None]
        if np.asarray(A).swapaxes(1, 2)[ghost].any() or np.asarray(A)[ghost].any():
            hint = "Padding must not be taken in; set those rows and columns to 0."
            problems.append(f"`{name}.adjacency` has edges at nodes past `sizes`. {hint}")
    return problems


def _graph(index: int, A: Array, X: Array, d: tuple[int, ...], loops: str) -> list[str]:
    name = f"graphs[{index}]"
    if X.ndim != 2 or 0 in X.shape:
        hint = "A graph has a node and a feature; without features use a column of ones."
        return [f"{name}: features must have shape (nodes, features), got {X.shape}. {hint}"]
    if A.shape != (len(X), len(X)):
        hint = "One row of features is one node."
        return [f"{name}: adjacency must be ({len(X)}, {len(X)}), got {A.shape}. {hint}"]
    problems = _checks.floats(f"{name}.adjacency", A) + _checks.floats(f"{name}.features", X)
    if X.shape[1:] != d:
        problems.append(f"{name}: all graphs must have {d[0]} features, got {X.shape[1]}.")
    if loops == "add" and not isinstance(A, jax.core.Tracer) and np.diagonal(A).any():
        hint = 'To keep its diagonal as it is, pass `loops="given"`.'
        problems.append(f"{name}: adjacency has self loops already. {hint}")
    return problems
