"""Graphons: their values, how they are integrated, and what they refuse."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib.graphon_nodes import Axis, quadrature
from ntklib.graphons import (
    AbstractGraphon,
    ConstantGraphon,
    LowRankGraphon,
    SmoothGraphon,
    StepGraphon,
)

pytestmark = pytest.mark.usefixtures("x64")


def test_nodes_are_one_a_block_on_the_common_refinement() -> None:
    positions, weights = quadrature(Axis((0.0, 0.3, 1.0)), Axis((0.0, 0.3 + 1e-15, 0.5, 1.0)))
    np.testing.assert_allclose(positions, [0.15, 0.4, 0.75])
    np.testing.assert_allclose(weights, [0.3, 0.2, 0.5])


def test_gauss_legendre_is_exact_for_polynomials() -> None:
    positions, weights = quadrature(Axis((0.0, 0.7, 1.0)), Axis(nodes=4))
    for degree in range(8):
        assert weights @ positions**degree == pytest.approx(1 / (degree + 1), rel=1e-14)
    assert weights @ positions**8 != pytest.approx(1 / 9, rel=1e-12)


def test_values_and_densities() -> None:
    u, v = np.array([0.1, 0.9]), np.array([0.2, 0.5, 1.0])
    step = StepGraphon([[0.1, 0.2], [0.3, 0.4]], targets=[0.25, 0.75], sources=[0.5, 0.5])
    np.testing.assert_allclose(step(u, v), [[0.1, 0.1, 0.2], [0.3, 0.3, 0.4]])
    assert float(step.density()) == pytest.approx(0.25 * 0.15 + 0.75 * 0.35, rel=1e-15)
    smooth = SmoothGraphon(lambda u, v: np.exp(-u * v))
    np.testing.assert_allclose(smooth(u, v), np.exp(-np.outer(u, v)))
    rank_two = LowRankGraphon(
        lambda u: np.stack([u / 2, 1 - u], axis=1), lambda v: np.stack([v, v / 3], axis=1)
    )
    np.testing.assert_allclose(rank_two(u, v), np.outer(u / 2, v) + np.outer(1 - u, v / 3))
    assert float(rank_two.density()) == pytest.approx(1 / 8 + 1 / 12, rel=1e-14)
    np.testing.assert_allclose(ConstantGraphon(0.3)(u, v), np.full((2, 3), 0.3))
    assert float(ConstantGraphon(0.3).density()) == pytest.approx(0.3)


def test_a_constant_function_may_have_any_broadcastable_shape() -> None:
    assert SmoothGraphon(lambda u, v: 0.5)(np.ones(2), np.ones(3)).shape == (2, 3)
    np.testing.assert_allclose(
        LowRankGraphon(lambda u: 0 * u + 0.5, lambda v: v)([0.1], [0.2, 1.0]), [[0.1, 0.5]]
    )


@pytest.mark.parametrize("d", [3, 10, 49])
def test_a_block_owns_its_right_end(d: int) -> None:
    """Feature j of d, at j/d, is in block j of d equal ones, however the sums are rounded."""
    graphon = StepGraphon(np.arange(d)[None, :] / d)
    for at in (np.arange(1, d + 1) / d, (np.arange(1, d + 1) - 0.5) / d):
        np.testing.assert_array_equal(graphon([0.5], at)[0], np.arange(d) / d)
    np.testing.assert_array_equal(graphon([0.0], [0.0]), [[0.0]])


def test_the_gradient_reaches_the_values() -> None:
    def density(values: jax.Array) -> jax.Array:
        return StepGraphon(values, targets=[0.25, 0.75], sources=[0.5, 0.5]).density()

    gradient = jax.grad(density)(jnp.full((2, 2), 0.5))
    np.testing.assert_allclose(gradient, [[0.125, 0.125], [0.375, 0.375]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConstantGraphon(1.2), r"`value` must lie in \[0, 1\], got values from 1.2 to 1.2"),
        (lambda: ConstantGraphon(float("nan")), r"`value` must lie in \[0, 1\], got values from n"),
        (lambda: ConstantGraphon(np.ones(2)), r"one number, got shape \(2,\)\. Use StepGraphon"),
        (lambda: StepGraphon([[0.5, -0.1]]), r"`values` must lie in \[0, 1\].*from -0.1 to 0.5"),
        (lambda: StepGraphon([[0.5, np.nan]]), "`values` must be finite"),
        (lambda: StepGraphon([0.5]), r"`values` must be a matrix, got shape \(1,\)"),
        (lambda: StepGraphon(jnp.ones((2, 2), int)), "`values` must be floating point, got int"),
        (lambda: StepGraphon([[1.0]], targets=[0.5, 0.5]), "`targets` must have one measure a blo"),
        (
            lambda: StepGraphon([[1.0, 1.0]], sources=[0.5, 0.6]),
            r"`sources` must be positive and sum to 1, got \[0.5, 0.6\]. Divide",
        ),
        (lambda: StepGraphon([[1.0, 1.0]], sources=[1.0, 0.0]), "drop empty blocks"),
        (lambda: SmoothGraphon(lambda u, v: u + v), r"`f` must lie in \[0, 1\].*rescale or clip"),
        (lambda: SmoothGraphon(lambda u, v: u, nodes=0), "`nodes` must be at least 1, got 0"),
        (lambda: LowRankGraphon(lambda u: 2 * u, lambda v: v), r"`a\(u\) b\(v\)` must lie in"),
        (lambda: LowRankGraphon(lambda u: u, lambda v: v, nodes=0), "`nodes` must be at least"),
    ],
)
def test_errors(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_value_between_the_nodes_is_checked_when_it_is_met() -> None:
    spike = SmoothGraphon(lambda u, v: 0 * u + np.where(v == 0.123, 7.0, 0.5), nodes=4)
    with pytest.raises(ValueError, match=r"`f` must lie in \[0, 1\], got values from 0.5 to 7"):
        spike(np.array([0.5]), np.array([0.1, 0.123]))


def test_rounding_in_float32_is_no_error_and_traced_values_pass() -> None:
    ConstantGraphon(1 + 1e-7)
    made: AbstractGraphon = jax.jit(lambda c: ConstantGraphon(c))(jnp.asarray(0.5))
    assert isinstance(made, ConstantGraphon)
