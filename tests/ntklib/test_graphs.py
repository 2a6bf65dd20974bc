"""Batches of graphs: padding, self loops, aggregation, and every error."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib.aggregation import GraphMixing, aggregation
from ntklib.graph import Graph
from ntklib.graphs import GraphBatch

PATH = jnp.asarray([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
EDGE = jnp.asarray([[0.0, 1.0], [1.0, 0.0]])
X3, X2 = jnp.ones((3, 1)), jnp.ones((2, 1))


def test_a_batch_is_padded() -> None:
    batch = GraphBatch.of([(PATH, X3), (EDGE, X2)])
    np.testing.assert_array_equal(batch.adjacency[0], PATH + jnp.eye(3))
    np.testing.assert_array_equal(batch.adjacency[1], [[1, 1, 0], [1, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(batch.features[1, :, 0], [1, 1, 0])
    np.testing.assert_array_equal(batch.real(), [[True] * 3, [True, True, False]])
    given = GraphBatch.of([(PATH, X3)], loops="given")
    np.testing.assert_array_equal(given.adjacency[0], PATH)


def test_aggregation() -> None:
    batch = GraphBatch.of([(PATH, X3), (EDGE, X2)])
    np.testing.assert_array_equal(aggregation("x", batch, "uniform"), batch.adjacency)
    P = aggregation("x", batch, "degree")
    np.testing.assert_allclose(P[0], [[1 / 2, 1 / 2, 0], [1 / 3] * 3, [0, 1 / 2, 1 / 2]], rtol=1e-6)
    np.testing.assert_array_equal(P[1], [[1 / 2, 1 / 2, 0], [1 / 2, 1 / 2, 0], [0, 0, 0]])


def test_rows_take_in() -> None:
    """A directed edge: node 0 takes in node 1, and not the other way round."""
    P = jnp.asarray([[[0.0, 1.0], [0.0, 0.0]]])
    block = jnp.asarray([[[[1.0, 2.0], [3.0, 4.0]]]])
    mix = GraphMixing(P, P, 2.0, 0.5)
    np.testing.assert_array_equal(mix.mix(block)[0, 0], [[16, 0], [0, 0]])
    np.testing.assert_array_equal(mix.left().mix(block[0])[0], [[16, 0], [0, 0]])
    assert mix.bias() == mix.right().bias() == 0.25


def test_the_gradient_at_padding_is_finite() -> None:
    def total(A: jax.Array) -> jax.Array:
        return aggregation(
            "x", GraphBatch(A, jnp.ones((1, 2, 1)), jnp.asarray([1])), "degree"
        ).sum()

    gradient = jax.grad(total)(jnp.asarray([[[2.0, 0.0], [0.0, 0.0]]]))
    assert jnp.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("graphs", "options", "message"),
    [
        ([], {}, "at least one graph, got an empty list"),
        ([(EDGE, X2)], {"loops": "yes"}, '`loops` must be "add" or "given", got \'yes\''),
        ([(jnp.ones((0, 0)), jnp.ones((0, 1)))], {}, r"graphs\[0\]: features .* got \(0, 1\)"),
        ([(EDGE, jnp.ones((2, 0)))], {}, "without features use a column of ones"),
        ([(EDGE, jnp.ones(2))], {}, r"features must have shape \(nodes, features\), got \(2,\)"),
        ([(EDGE, X3)], {}, r"adjacency must be \(3, 3\), got \(2, 2\)"),
        ([(EDGE, X2), (PATH, jnp.ones((3, 2)))], {}, r"graphs\[1\]: all graphs must have 1"),
        ([(EDGE.astype(int), X2)], {}, r"`graphs\[0\].adjacency` must be floating point"),
        ([(EDGE, X2 * jnp.nan)], {}, r"`graphs\[0\].features` must be finite"),
        ([(EDGE + jnp.eye(2), X2)], {}, 'self loops already.*`loops="given"`'),
    ],
)
def test_bad_lists(graphs: list[Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GraphBatch.of(graphs, **options)


def test_all_problems_are_listed() -> None:
    with pytest.raises(ValueError, match=r"(?s)graphs\[0\].*graphs\[1\]"):
        GraphBatch.of([(EDGE, X3), (PATH, X2)])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([(EDGE, X2)], "`x1` must be a `GraphBatch`, got list. Use `GraphBatch.of"),
        (GraphBatch(EDGE[None], X3[None], jnp.asarray([2])), r"adjacency \(1, 2, 2\), features"),
        (GraphBatch(EDGE[None], X2[None], jnp.asarray([3])), "sizes` must be from 1 to 2, got 3"),
        (GraphBatch(EDGE[None], X2[None], jnp.asarray([0])), "sizes` must be from 1 to 2, got 0"),
        (GraphBatch(EDGE[None], X2[None], jnp.asarray([1])), "has edges at nodes past `sizes`"),
        (GraphBatch(EDGE[None], X2[None] * jnp.nan, jnp.asarray([2])), "features` must be finite"),
    ],
)
def test_bad_batches(x: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Graph(1)(x)


def test_bad_pairs() -> None:
    one, two = GraphBatch.of([(EDGE, X2)]), GraphBatch.of([(EDGE, jnp.ones((2, 2)))])
    with pytest.raises(ValueError, match="must have the same features, got 1 and 2"):
        Graph(1)(one, two)
    with pytest.raises(ValueError, match="`x2` must be a `GraphBatch`, got tuple"):
        Graph(1)(one, (EDGE, X2))
    alone = GraphBatch.of([(EDGE, X2), (EDGE * 0, X2)], loops="given")
    with pytest.raises(ValueError, match="in `x2`, node 0 of graph 1 has none"):
        Graph(1, scaling="degree")(one, alone)
    assert bool(jnp.isfinite(Graph(1)(one, alone).ntk).all())
