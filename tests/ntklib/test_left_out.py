"""Leaving one out: by hand, and against fitting again without it."""

import numpy as np
import pytest

from ntklib.left_out import left_out


@pytest.mark.usefixtures("shapes")
def test_by_hand() -> None:
    """K = [[2, 1], [1, 2]], ridge 1: the other input predicts a third of its target."""
    K, y = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[3.0], [6.0]])
    np.testing.assert_allclose(left_out(K, y, ridge=1.0), [[3 - 6 / 3], [6 - 3 / 3]])


@pytest.mark.parametrize("indefinite", [False, True])
def test_against_fitting_again(indefinite: bool) -> None:
    rng = np.random.default_rng(0)
    M, y = rng.normal(size=(6, 6)), rng.normal(size=(6, 2))
    K = M + M.T if indefinite else M @ M.T
    errors = left_out(K, y, ridge=0.3)
    for i in range(6):
        rest = np.delete(np.arange(6), i)
        inverse = np.linalg.inv(K[np.ix_(rest, rest)] + 0.3 * np.eye(5))
        np.testing.assert_allclose(errors[i], y[i] - K[i, rest] @ inverse @ y[rest], rtol=1e-9)


def test_precision_is_that_of_the_kernel() -> None:
    K, y = np.eye(2, dtype=np.float32), np.ones((2, 1), np.float32)
    assert left_out(K, y, ridge=0.1).dtype == np.float32


def test_errors() -> None:
    K, y = np.eye(2), np.ones((2, 1))
    with pytest.raises(ValueError, match="`K` must be symmetric"):
        left_out(np.array([[1.0, 0.0], [1.0, 1.0]]), y)
    with pytest.raises(ValueError, match=r"`y` must have shape \(2, outputs\), got \(2,\)"):
        left_out(K, y[:, 0])
    with pytest.raises(ValueError, match="`ridge` must be finite and not negative, got -1"):
        left_out(K, y, ridge=-1.0)
    with pytest.raises(ValueError, match=r"`K \+ ridge` must be regular.*add a `ridge` above"):
        left_out(np.ones((2, 2)), y)
