"""Any activation by quadrature: against closed forms, with its stated error."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from ntklib import AbstractDual, Dense, Erf, Gelu, Quadrature, Relu, Sine

pytestmark = pytest.mark.usefixtures("shapes")

COVARIANCES = [
    (1.0, 0.3, 1.0),
    (0.7, -0.5, 2.0),
    (1.0, 1.0, 1.0),
    (2.0, -2.0, 2.0),
    (0.0, 0.0, 2.0),
]
CLOSED = [
    (Erf(), jax.scipy.special.erf, 1e-6),
    (Gelu(), lambda z: jax.nn.gelu(z, approximate=False), 1e-7),
    (Sine(0.7, 0.4), lambda z: jnp.sin(0.7 * z + 0.4), 1e-13),
]


def arrays(*values: Any) -> list[jax.Array]:
    return [jnp.asarray(value, float) for value in values]


@pytest.mark.parametrize(("dual", "f", "tolerance"), CLOSED)
@pytest.mark.parametrize("s", COVARIANCES)
def test_against_closed_forms(
    dual: AbstractDual, f: Any, tolerance: float, s: Any, x64: None
) -> None:
    """Within the stated error, which at 64 nodes is small."""
    rule = Quadrature(f)
    stated = rule.error(*arrays(*s))
    for name, error in zip(("phi", "derivative"), stated, strict=True):
        difference = getattr(rule, name)(*arrays(*s)) - getattr(dual, name)(*arrays(*s))
        assert abs(float(difference)) <= float(error) + 1e-14
        assert abs(float(difference)) < tolerance


@pytest.mark.parametrize("s", COVARIANCES)
def test_a_kink_is_within_the_stated_error(s: Any, x64: None) -> None:
    rule = Quadrature(jax.nn.relu)
    stated = rule.error(*arrays(*s))
    for name, error in zip(("phi", "derivative"), stated, strict=True):
        difference = getattr(rule, name)(*arrays(*s)) - getattr(Relu(), name)(*arrays(*s))
        assert abs(float(difference)) < 0.06
        if s[0] > 0 and abs(s[1]) < s[0]:
            assert abs(float(difference)) <= 2 * float(error) + 1e-3


def test_polynomials_are_exact(x64: None) -> None:
    """z^2 - z^3, with E[z1^2 z2^2] = s11 s22 + 2 s12^2 and so on (Isserlis)."""
    a, c, b = 0.7, -0.5, 2.0
    rule = Quadrature(lambda z: z**2 - z**3, order=4)
    phi = (a * b + 2 * c**2) + (9 * a * b * c + 6 * c**3)
    slope = 4 * c + 9 * (a * b + 2 * c**2)
    assert float(rule.phi(*arrays(a, c, b))) == pytest.approx(phi, rel=1e-13)
    assert float(rule.derivative(*arrays(a, c, b))) == pytest.approx(slope, rel=1e-13)


def test_more_nodes_are_better_and_the_error_says_so(x64: None) -> None:
    s = arrays(1.0, 0.9, 1.0)
    exact = float(Erf().phi(*s))
    errors = [
        abs(float(Quadrature(jax.scipy.special.erf, order=N).phi(*s)) - exact) for N in (8, 16, 32)
    ]
    stated = [float(Quadrature(jax.scipy.special.erf, order=N).error(*s)[0]) for N in (16, 32)]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    np.testing.assert_allclose(stated, errors[:2], rtol=0.2)  # the error of half as many nodes


def test_the_largest_order_is_still_accurate(x64: None) -> None:
    s = arrays(0.5, 0.3, 1.0)
    rule = Quadrature(jax.scipy.special.erf, order=200)
    assert float(rule.phi(*s)) == pytest.approx(float(Erf().phi(*s)), abs=1e-13)


def test_the_kernel_is_positive_at_any_order(x64: None) -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(12, 2)))
    for k in Dense(3, dual=Quadrature(jax.nn.relu, order=5))(x):
        eigenvalues = np.linalg.eigvalsh(k)
        assert eigenvalues[0] > -1e-12 * eigenvalues[-1]


def test_float32() -> None:
    s = [jnp.float32(v) for v in (1.0, 0.9, 1.0)]
    rule = Quadrature(jnp.tanh)
    with jax.enable_x64(True):
        wide = [float(f(*arrays(1.0, np.float32(0.9), 1.0))) for f in (rule.phi, rule.derivative)]
    assert [float(rule.phi(*s)), float(rule.derivative(*s))] == pytest.approx(wide, rel=2e-6)
    assert rule.phi(*s).dtype == jnp.float32


def test_the_activation_is_the_function(x64: None) -> None:
    z = jnp.linspace(-2.0, 2.0, 5)
    np.testing.assert_allclose(Quadrature(jax.scipy.special.erf).activation(z), erf(z), rtol=1e-14)


@pytest.mark.parametrize(
    ("function", "order", "message"),
    [
        (jnp.tanh, 1, r"`order` must be from 2 to 200, got 1\."),
        (jnp.tanh, 201, r"`order` must be from 2 to 200, got 201\."),
        (jnp.tanh, 0, r"`order` must be at least 1, got 0\."),
        (jnp.sum, 8, r"`function` must keep the shape \(3,\), got \(\)\. Write it with jnp"),
    ],
)
def test_errors(function: Any, order: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Quadrature(function, order=order)
