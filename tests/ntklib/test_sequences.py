"""Batches of sequences: what is read, the common clock, and every error."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib.sequences import SequenceBatch, align


def batch() -> SequenceBatch:
    x = jnp.arange(1.0, 13.0).reshape(2, 3, 2)
    return SequenceBatch.of(SequenceBatch(x, jnp.asarray([3, 1])))


def test_what_lies_behind_the_end_is_zero() -> None:
    x = jnp.full((1, 3, 1), jnp.nan).at[0, 0].set(2.0)
    read = SequenceBatch.of(SequenceBatch(x, jnp.asarray([1])))
    np.testing.assert_array_equal(read.x[0, :, 0], [2, 0, 0])
    np.testing.assert_array_equal(read.read(), [[True, False, False]])


def test_an_array_has_sequences_of_full_length() -> None:
    np.testing.assert_array_equal(SequenceBatch.of(jnp.ones((2, 4, 1))).lengths, [4, 4])


def test_aligned_at_the_end() -> None:
    x, begin, weights = align(batch(), 4, "last")
    np.testing.assert_array_equal(x[:, :, 0], [[0, 1, 3, 5], [0, 0, 0, 7]])
    np.testing.assert_array_equal(begin, [1, 3])
    np.testing.assert_array_equal(weights, [[0, 0, 0, 1]] * 2)


def test_aligned_at_the_beginning() -> None:
    x, begin, weights = align(batch(), 4, "mean")
    np.testing.assert_array_equal(x[:, :, 0], [[1, 3, 5, 0], [7, 0, 0, 0]])
    np.testing.assert_array_equal(begin, [0, 0])
    np.testing.assert_allclose(weights, [[1 / 3] * 3 + [0], [1, 0, 0, 0]], rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "lengths", "message"),
    [
        (jnp.ones((2, 3)), [1, 1], r"must have shape \(sequences, time, features\), got \(2, 3\)"),
        (jnp.ones((2, 0, 3)), [0, 0], r"must have shape .* got \(2, 0, 3\)"),
        (jnp.ones((2, 3, 1)), [3, 0], "`lengths` must be from 1 to 3, got 0"),
        (jnp.ones((2, 3, 1)), [4, 1], "`lengths` must be from 1 to 3, got 4"),
        (jnp.ones((2, 3, 1)), [1], "`lengths` must be 2 integers, one a sequence, got int32"),
        (jnp.ones((2, 3, 1)), [1.0, 2.0], "`lengths` must be 2 integers.* got float32"),
        (jnp.ones((2, 3, 1), int), [1, 2], "`x` must be floating point, got int32"),
        (jnp.full((1, 2, 1), jnp.nan), [1], "`x` must be finite, got NaN"),
    ],
)
def test_errors(x: jax.Array, lengths: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SequenceBatch.of(SequenceBatch(x, jnp.asarray(lengths)))
