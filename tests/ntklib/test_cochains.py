"""Features on complexes: padding, choosing, errors."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases_simplicial import HOLED, SMALL

from ntklib.cochains import Cochains

LARGE, LITTLE = jnp.ones((10, 3)), 2 * jnp.ones((4, 3))


def test_padding_and_what_is_kept() -> None:
    x = Cochains.of([HOLED, SMALL], [LARGE, LITTLE])
    assert x.X.shape == (2, 10, 3) and len(x) == 2
    np.testing.assert_array_equal(x.X[1, :, 0], [2] * 4 + [0] * 6)
    np.testing.assert_array_equal(x.kept(), [*range(10), *range(10, 14)])
    np.testing.assert_array_equal(x.weights("sum")[1], [1] * 4 + [0] * 6)
    np.testing.assert_allclose(x.weights("mean").sum(axis=1), 1)


def test_choosing() -> None:
    x = Cochains.of([HOLED, SMALL], [LARGE, LITTLE])[[1, 0, 1]]
    assert x.complexes == (SMALL, HOLED, SMALL)
    np.testing.assert_array_equal(x.X[:, 0, 0], [2, 1, 2])


def test_only_the_features_are_traced() -> None:
    x = Cochains.of([HOLED, SMALL], [LARGE, LITTLE])
    assert len(jax.tree.leaves(x)) == 1
    twice = jax.jit(lambda X: Cochains.of([HOLED], [2 * X]))(LARGE)
    assert twice.complexes == (HOLED,) and twice.X[0, 0, 0] == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Cochains.of([], []), "must be as many, at least one, got 0 and 0"),
        (lambda: Cochains.of([HOLED, SMALL], [LARGE]), "at least one, got 2 and 1"),
        (
            lambda: Cochains.of([HOLED, SMALL], [LARGE, LARGE]),
            r"`features\[1\]` must have shape \(4, features\), got \(10, 3\). Rows are the edges",
        ),
        (
            lambda: Cochains.of([HOLED], [jnp.ones(10)]),
            r"`features\[0\]` must have shape \(10, features\)",
        ),
        (
            lambda: Cochains.of([HOLED, SMALL], [LARGE, LITTLE[:, :2]]),
            r"`features` must have as many columns in each complex, got \[2, 3\]",
        ),
        (
            lambda: Cochains.of([SMALL], [jnp.ones((4, 1), int)]),
            r"`features\[0\]` must be floating point",
        ),
        (
            lambda: Cochains.of([SMALL], [LITTLE.at[0, 0].set(jnp.nan)]),
            r"`features\[0\]` must be finite, got NaN",
        ),
        (
            lambda: Cochains((HOLED,), LITTLE[None]),
            r"`X` must have shape \(1, 10 or more, features\), got \(1, 4, 3\). Let `Cochains.of",
        ),
        (lambda: Cochains((SMALL,), jnp.ones((1, 4, 1), int)), "`X` must be floating point"),
    ],
)
def test_errors(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
