"""Recurrent kernels: closed forms, loops in NumPy, lengths and padding, errors, the finite twin."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from ntklib.dense import Dense
from ntklib.duals import AbstractDual, Erf, Relu
from ntklib.recurrent import Recurrent
from ntklib.sequences import SequenceBatch

Pair = tuple[float, float]
LENGTHS = [4, 1, 3, 4]
rng = np.random.default_rng(2)
X = rng.normal(size=(4, 4, 3))
X[3] = X[0]  # the same sequence twice


class Cosine(AbstractDual):
    """phi(z) = cos z, which is not 0 at z = 0."""

    def activation(self, z: jax.Array) -> jax.Array:
        return jnp.cos(z)

    def phi(self, s11: jax.Array, s12: jax.Array, s22: jax.Array) -> jax.Array:
        return jnp.exp(-(s11 + s22) / 2) * jnp.cosh(s12)

    def derivative(self, s11: jax.Array, s12: jax.Array, s22: jax.Array) -> jax.Array:
        return jnp.exp(-(s11 + s22) / 2) * jnp.sinh(s12)


class Strict(AbstractDual):
    """phi(z) = z, and NaN if it is asked about what no Gaussian pair can have."""

    def activation(self, z: jax.Array) -> jax.Array:
        return z

    def phi(self, s11: jax.Array, s12: jax.Array, s22: jax.Array) -> jax.Array:
        return jnp.where(s12**2 <= s11 * s22 * (1 + 1e-9), s12, jnp.nan)

    def derivative(self, s11: jax.Array, s12: jax.Array, s22: jax.Array) -> jax.Array:
        return jnp.where(s12**2 <= s11 * s22 * (1 + 1e-9), 1.0, jnp.nan)


def relu(a: float, c: float, b: float) -> Pair:
    theta = math.acos(max(-1.0, min(1.0, c / math.sqrt(a * b))))
    root = math.sqrt(a * b) * math.sin(theta)
    return (root + (math.pi - theta) * c) / (2 * math.pi), (math.pi - theta) / (2 * math.pi)


def erf(a: float, c: float, b: float) -> Pair:
    product = (1 + 2 * a) * (1 + 2 * b)
    angle = math.asin(2 * c / math.sqrt(product))
    return 2 / math.pi * angle, 4 / math.pi / math.sqrt(product - 4 * c * c)


def cosine(a: float, c: float, b: float) -> Pair:
    return math.exp(-(a + b) / 2) * math.cosh(c), math.exp(-(a + b) / 2) * math.sinh(c)


def by_hand(
    x: np.ndarray, y: np.ndarray, readout: str, s: dict[str, float], dual: Callable[..., Pair]
) -> Pair:
    """NNGP and NTK of two sequences as the paper has it: sum over times of Pi x Sigma.

    Forward in time the covariances, back in time the covariances Pi of the gradients, for all pairs
    of times; the other order of summation than the library's.
    """

    def forward(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        S = np.zeros((len(p), len(q)))
        for t in range(len(p)):
            for r in range(len(q)):
                S[t, r] = s["u"] ** 2 * p[t] @ q[r] / p.shape[1] + s["b"] ** 2
                if t and r:
                    own = (Sp[t - 1, t - 1], S[t - 1, r - 1], Sq[r - 1, r - 1])
                    S[t, r] += s["w"] ** 2 * dual(*own)[0]
        return S

    def own(p: np.ndarray) -> np.ndarray:
        v = np.zeros(len(p))
        for t in range(len(p)):
            before = dual(v[t - 1], v[t - 1], v[t - 1])[0] if t else 0.0
            v[t] = s["u"] ** 2 * p[t] @ p[t] / p.shape[1] + s["b"] ** 2 + s["w"] ** 2 * before
        return np.diag(v)

    Sp, Sq = own(x), own(y)
    S, Pi = forward(x, y), np.zeros((len(x), len(y)))
    read = np.zeros_like(S)
    if readout == "last":
        read[-1, -1] = s["v"] ** 2
    else:
        read[:] = s["v"] ** 2 / S.size
    nngp = 0.0
    for t in reversed(range(len(x))):
        for r in reversed(range(len(y))):
            phi, phidot = dual(Sp[t, t], S[t, r], Sq[r, r])
            later = Pi[t + 1, r + 1] if t + 1 < len(x) and r + 1 < len(y) else 0.0
            Pi[t, r] = phidot * (read[t, r] + s["w"] ** 2 * later)
            nngp += read[t, r] * phi
    return nngp, nngp + float((Pi * S).sum())


@pytest.mark.parametrize("readout", ["last", "mean"])
@pytest.mark.parametrize(
    ("dual", "by"), [(Relu(), relu), (Erf(), erf), (Cosine(), cosine)], ids=["relu", "erf", "cos"]
)
def test_loops(readout: str, dual: AbstractDual, by: Callable[..., Pair], x64: None) -> None:
    s = {"w": 1.2, "u": 0.9, "b": 0.4, "v": 1.1}
    kernel = Recurrent(readout, dual=dual, **{f"sigma_{k}": v for k, v in s.items()})
    x = SequenceBatch(jnp.asarray(X), jnp.asarray(LENGTHS))
    y = SequenceBatch(jnp.asarray(X[:3, :3]), jnp.asarray([2, 1, 3]))
    ends, other = list(zip(X, LENGTHS, strict=True)), list(zip(X[:3], [2, 1, 3], strict=True))
    for K, right in ((kernel(x), ends), (kernel(x, y), other)):
        expected = np.array(
            [[by_hand(p[:a], q[:b], readout, s, by) for q, b in right] for p, a in ends]
        )
        # Equal sequences have parallel states, where acos(1 - e) = sqrt(2 e): a law of the oracle.
        rtol = 1e-7 if by is relu else 1e-12
        np.testing.assert_allclose(K.nngp, expected[..., 0], rtol=rtol)
        np.testing.assert_allclose(K.ntk, expected[..., 1], rtol=rtol)


def test_one_step_is_a_dense_network(x64: None) -> None:
    x, dense = jnp.asarray(X[:, :1]), Dense(2, sigma_w=1.3)(jnp.asarray(X[:, 0]))
    for readout in ("last", "mean"):
        K = Recurrent(readout, sigma_w=9.0, sigma_u=1.3, sigma_v=1.3)(x)
        np.testing.assert_allclose(K.nngp, dense.nngp, rtol=1e-14)
        np.testing.assert_allclose(K.ntk, dense.ntk, rtol=1e-14)


def test_zeros_after_the_first_step_make_a_deep_network(x64: None) -> None:
    """Shared weights have the kernel of independent ones when one pair of times is read."""
    x = jnp.asarray(X).at[:, 1:].set(0)
    K = Recurrent(sigma_w=1.3, sigma_u=1.3, sigma_v=1.3)(x)
    dense = Dense(5, sigma_w=1.3)(x[:, 0])
    np.testing.assert_allclose(K.nngp, dense.nngp, rtol=1e-14)
    np.testing.assert_allclose(K.ntk, dense.ntk, rtol=1e-14)


def test_a_step_of_norm_one_by_hand(x64: None) -> None:
    """ReLU, all sigma 1: S = 1, phi = 1/2, so K = 1/2 NTK = 1; a second step: S = 3/2."""
    x = jnp.ones((1, 2, 1))
    one, two = Recurrent(sigma_w=1.0)(x[:, :1]), Recurrent(sigma_w=1.0)(x)
    np.testing.assert_allclose([one.nngp[0, 0], one.ntk[0, 0]], [0.5, 1.0])
    np.testing.assert_allclose([two.nngp[0, 0], two.ntk[0, 0]], [0.75, 0.75 + 0.5 * (1.5 + 0.5)])


def test_times_count_from_the_end(x64: None) -> None:
    """Zeros before a sequence change nothing without a bias, zeros behind it do."""
    x, zeros = jnp.asarray(X[:3]), jnp.zeros((3, 2, 3))
    kernel = Recurrent(dual=Erf())
    K = kernel(x)
    before = kernel(x, jnp.concatenate([zeros, x], axis=1))
    behind = kernel(x, jnp.concatenate([x, zeros], axis=1))
    np.testing.assert_allclose(before.ntk, K.ntk, rtol=1e-13)
    assert abs(behind.ntk - K.ntk).max() > 0.1
    biased = Recurrent(dual=Erf(), sigma_b=1.0)
    more = biased(x, jnp.concatenate([zeros, x], axis=1))
    assert abs(more.ntk - biased(x).ntk).max() > 0.05


@pytest.mark.parametrize("readout", ["last", "mean"])
def test_padding_is_never_read(readout: str, x64: None) -> None:
    kernel, lengths = Recurrent(readout, sigma_b=0.3), jnp.asarray(LENGTHS)
    K = kernel(SequenceBatch(jnp.asarray(X), lengths))
    spoilt = jnp.where(jnp.arange(4)[:, None] < lengths[:, None, None], X, jnp.nan)
    longer = jnp.concatenate([spoilt, jnp.full((4, 2, 3), jnp.inf)], axis=1)
    again = kernel(SequenceBatch(longer, lengths))
    np.testing.assert_allclose(again.ntk, K.ntk, rtol=1e-13)
    total = jax.grad(lambda x: kernel(SequenceBatch(x, lengths)).ntk.sum())
    gradient = total(longer)
    assert jnp.isfinite(gradient).all() and (gradient[:, 4:] == 0).all() and (gradient != 0).any()


@pytest.mark.parametrize("readout", ["last", "mean"])
def test_the_dual_sees_covariances_alone(readout: str, x64: None) -> None:
    """Also before a sequence begins, where nothing is read: a NaN there would spread."""
    kernel, x = Recurrent(readout, dual=Strict()), SequenceBatch(jnp.asarray(X), jnp.array(LENGTHS))
    assert jnp.isfinite(kernel(x).ntk).all() and jnp.isfinite(kernel(x, x).ntk).all()


def test_lengths_may_be_traced() -> None:
    kernel, x, lengths = Recurrent("mean"), jnp.asarray(X, "float32"), jnp.asarray(LENGTHS)
    K = jax.jit(lambda x, t: kernel(SequenceBatch(x, t)))(x, lengths)
    np.testing.assert_allclose(K.ntk, kernel(SequenceBatch(x, lengths)).ntk, rtol=1e-5)


def test_the_mean_is_not_of_equal_times_alone(x64: None) -> None:
    """Two steps, the first one zero: h_1 = 0, so the mean is a quarter of the last state's kernel;
    and with steps (x, 0) against (0, x) only the pair t = 1, t' = 2 is left of h_1."""
    x = jnp.asarray(X[:1, :1])
    late = jnp.concatenate([jnp.zeros_like(x), x], axis=1)
    mean, last = Recurrent("mean"), Recurrent("last")
    np.testing.assert_allclose(mean(late).ntk, last(late).ntk / 4, rtol=1e-14)
    early = jnp.concatenate([x, jnp.zeros_like(x)], axis=1)
    assert mean(early, late).nngp[0, 0] > 0.9 * last(x).nngp[0, 0] / 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"readout": "first"}, '`readout` must be "last" or "mean", got \'first\''),
        ({"sigma_w": -1.0}, "`sigma_w` must be finite and not negative, got -1.0"),
        ({"sigma_u": math.nan}, "`sigma_u` must be finite"),
        ({"sigma_b": math.inf}, "`sigma_b` must be finite"),
        ({"sigma_v": -1.0}, "`sigma_v` must be finite and not negative"),
    ],
)
def test_bad_kernels(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recurrent(**options)


def test_bad_calls() -> None:
    kernel, x = Recurrent(), jnp.ones((2, 3, 1))
    with pytest.raises(ValueError, match="must have the same features, got 1 and 2"):
        kernel(x, jnp.ones((2, 5, 2)))
    with pytest.raises(ValueError, match="must have shape"):
        kernel(x, x[0])
    with pytest.raises(ValueError, match="`width` must be at least 1, got 0"):
        kernel.network(0)
    with pytest.raises(ValueError, match="`n_outputs` must be at least 1, got 0"):
        kernel.network(3, 0)
    with pytest.raises(ValueError, match="`n_features` must be at least 1, got 0"):
        kernel.network(3).init(jax.random.key(0), 0)


@pytest.mark.parametrize("readout", ["last", "mean"])
def test_the_twin_is_the_network_of_the_equations(readout: str) -> None:
    s = {"sigma_w": 1.2, "sigma_u": 0.9, "sigma_b": 0.4, "sigma_v": 1.1}
    network = Recurrent(readout, dual=Erf(), **s).network(5, n_outputs=2)
    params = network.init(jax.random.key(1), 3)
    f = network.apply(params, SequenceBatch(jnp.asarray(X, "float32"), jnp.asarray(LENGTHS)))
    W, U, b, V = (np.asarray(params[k], float) for k in "WUbV")
    for x, length, out in zip(X, LENGTHS, f, strict=True):
        h, states = np.zeros(5), []
        for t in range(length):
            z = 1.2 / 5**0.5 * h @ W + 0.9 / 3**0.5 * x[t] @ U + 0.4 * b
            h = np.array([math.erf(a) for a in z])
            states.append(h)
        read = states[-1] if readout == "last" else np.mean(states, axis=0)
        np.testing.assert_allclose(out, 1.1 / 5**0.5 * read @ V, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("readout", ["last", "mean"])
def test_the_twin_converges(readout: str) -> None:
    """Different lengths, bias, all sigma apart: mean of draws within 4 standard errors."""
    s = {"sigma_w": 1.2, "sigma_u": 0.9, "sigma_b": 0.4, "sigma_v": 1.1}
    kernel = Recurrent(readout, dual=Erf(), **s)
    network, draws = kernel.network(400), 12
    x = SequenceBatch(jnp.asarray(X[:3], "float32"), jnp.asarray(LENGTHS[:3]))

    @jax.jit
    def one(key: jax.Array) -> jax.Array:
        params, restore = ravel_pytree(network.init(key, 3))
        J = jax.jacrev(lambda flat: network.apply(restore(flat), x)[:, 0])(params)
        return J @ J.T

    sample = np.stack([one(k) for k in jax.random.split(jax.random.key(3), draws)])
    limit = np.asarray(kernel(x).ntk)
    error = np.linalg.norm(sample.mean(axis=0) - limit)
    assert error < 4 * (sample.var(axis=0, ddof=1).sum() / draws) ** 0.5
    assert error < 0.1 * np.linalg.norm(limit)  # and the draws are not just scattered
