"""Spectra: numbers one can do by hand, NumPy, and a simulation of the confidence interval."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntklib.spectra import (
    centred,
    decay_exponent,
    effective_dimension,
    effective_rank,
    eigenvalues,
    participation_ratio,
    target_alignment,
    top_energy,
)


def gram(n: int, seed: int) -> Any:
    x = jax.random.normal(jax.random.key(seed), (n, n + 2))
    return x @ x.T


@pytest.mark.usefixtures("shapes")
def test_by_hand() -> None:
    K = jnp.array([[2.0, 1.0], [1.0, 2.0]])
    np.testing.assert_allclose(eigenvalues(K), [3, 1], rtol=1e-6)
    spectrum = jnp.array([1.0, 3.0])
    np.testing.assert_allclose(effective_rank(spectrum), 4 / 3, rtol=1e-6)
    np.testing.assert_allclose(participation_ratio(spectrum), 1.6, rtol=1e-6)
    np.testing.assert_allclose(effective_dimension(spectrum, 1.0), 3 / 4 + 1 / 2, rtol=1e-6)
    assert effective_dimension(jnp.array([2.0, 0.0, 1.0]), 0.0) == 2  # the rank
    # y = (1, 0): y'Ky = 2, |K| = sqrt(10), |yy'| = 1.
    y = jnp.array([[1.0], [0.0]])
    np.testing.assert_allclose(target_alignment(K, y), 2 / 10**0.5, rtol=1e-6)
    np.testing.assert_allclose(centred(K), [[0.5, -0.5], [-0.5, 0.5]], atol=1e-6)


@pytest.mark.usefixtures("x64", "shapes")
def test_against_numpy() -> None:
    K = gram(9, 0)
    y = jax.random.normal(jax.random.key(1), (9, 2))
    lam = np.linalg.eigvalsh(K)[::-1]
    np.testing.assert_allclose(eigenvalues(K), lam, rtol=1e-12)
    np.testing.assert_allclose(participation_ratio(eigenvalues(K)), lam.sum() ** 2 / (lam**2).sum())
    smooth = np.trace(K @ np.linalg.inv(K + 0.7 * np.eye(9)))
    np.testing.assert_allclose(effective_dimension(eigenvalues(K), 0.7), smooth, rtol=1e-11)
    ideal, total = np.asarray(y) @ np.asarray(y).T, 0.0
    for i in range(9):
        for j in range(9):
            total += K[i, j] * ideal[i, j]
    expected = total / (np.linalg.norm(K) * np.linalg.norm(ideal))
    np.testing.assert_allclose(target_alignment(K, y), expected, rtol=1e-12)
    np.testing.assert_allclose(target_alignment(y @ y.T, y), 1.0, rtol=1e-12)
    H = np.eye(9) - 1 / 9
    np.testing.assert_allclose(centred(K), H @ K @ H, atol=1e-13 * float(jnp.abs(K).max()) * 9)


@pytest.mark.usefixtures("x64", "shapes")
def test_decay_of_a_power_law_is_exact() -> None:
    k = jnp.arange(1.0, 101)
    exact = decay_exponent(3 * k**-1.7)
    np.testing.assert_allclose(exact, [1.7] * 3, rtol=1e-12)
    bent = jnp.where(k < 20, 1.0, k**-1.7)  # only the part that is asked for counts
    np.testing.assert_allclose(decay_exponent(bent, first=20, last=90)[0], 1.7, rtol=1e-12)


@pytest.mark.usefixtures("x64")
def test_decay_is_least_squares() -> None:
    lam = eigenvalues(gram(30, 3))
    slope = np.polyfit(np.log(np.arange(2, 26)), np.log(lam[1:25]), 1)[0]
    fit = decay_exponent(lam, first=2, last=25)
    np.testing.assert_allclose(fit.exponent, -slope, rtol=1e-10)
    assert fit.low < fit.exponent < fit.high
    wider = decay_exponent(lam, first=2, last=25, level=0.99)
    ratio = (wider.high - wider.low) / (fit.high - fit.low)
    np.testing.assert_allclose(ratio, 2.5758293 / 1.9599640, rtol=1e-6)


@pytest.mark.parametrize("correlation", [0.0, 0.6])
@pytest.mark.usefixtures("x64")
def test_interval_covers(correlation: float) -> None:
    """Simulated departures, independent or correlated along k; 95 % is aimed at.

    The textbook interval, which ignores correlation, covers less. A standard error estimated with
    so many lags is biased low by about their share, so 83 % is what may be asked for.
    """
    k = jnp.arange(20, 220)

    def covered(key: Any) -> Any:
        shocks = 0.001 * jax.random.normal(key, (200,))
        shocks = shocks.at[0].divide((1 - correlation**2) ** 0.5)

        def step(e: Any, s: Any) -> tuple[Any, Any]:
            return (correlation * e + s,) * 2

        _, noise = jax.lax.scan(step, 0.0, shocks)
        lam = jnp.sort(jnp.exp(-2 * jnp.log(k / 20.0) + noise))[::-1]
        return jnp.concatenate([jnp.full(19, lam[0]), lam])

    spectra = jax.vmap(covered)(jax.random.split(jax.random.key(5), 300))
    fits = jax.jit(jax.vmap(lambda lam: decay_exponent(lam, first=20)))(spectra)
    share = float(jnp.mean((fits.low < 2) & (fits.high > 2)))
    assert 0.83 < share < 0.99


def test_float32_and_jit() -> None:
    K = gram(12, 7)
    lam = jax.jit(eigenvalues)(K)
    assert lam.dtype == jnp.float32
    for quantity in (effective_rank, participation_ratio):
        np.testing.assert_allclose(jax.jit(quantity)(lam), quantity(lam), rtol=1e-6)
        assert quantity(1e30 * lam) < 13  # squares do not overflow
    slope = jax.grad(lambda r: effective_dimension(lam.at[-1].set(0.0), r))(0.0)
    assert jnp.isfinite(slope)


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"`K` must be square, got \(2, 3\)"):
        eigenvalues(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match="`K` must be symmetric, got entries 1 apart"):
        eigenvalues(jnp.array([[1.0, 0.0], [1.0, 1.0]]))
    with pytest.raises(ValueError, match="`K` must be floating point, got int32"):
        centred(jnp.eye(2, dtype=int))
    with pytest.raises(ValueError, match=r"`eigenvalues` must have shape \(n,\), got \(2, 2\)"):
        effective_rank(jnp.eye(2))
    with pytest.raises(ValueError, match="must not all be zero"):
        participation_ratio(jnp.zeros(3))
    with pytest.raises(ValueError, match="`ridge` must be finite and not negative, got -1"):
        effective_dimension(jnp.ones(3), -1.0)
    with pytest.raises(ValueError, match=r"`y` must have shape \(2, outputs\), got \(2,\)"):
        target_alignment(jnp.eye(2), jnp.ones(2))
    with pytest.raises(ValueError, match="`y` must not be 0 everywhere"):
        target_alignment(jnp.eye(2), jnp.zeros((2, 1)))


def test_errors_of_the_fit() -> None:
    lam = jnp.arange(1.0, 31)[::-1]
    with pytest.raises(ValueError, match="needs 10 eigenvalues, got 9"):
        decay_exponent(lam, last=9)
    with pytest.raises(ValueError, match="must be within 1 to 30, in order, got 0"):
        decay_exponent(lam, first=0)
    with pytest.raises(ValueError, match="sorted, largest first"):
        decay_exponent(lam[::-1])
    with pytest.raises(ValueError, match=r"eigenvalue 30 is not positive.*`last=29`"):
        decay_exponent(lam - 1)
    with pytest.raises(ValueError, match="`level` must be between 0 and 1, got 95"):
        decay_exponent(lam, level=95)


def test_top_energy_by_hand() -> None:
    lam = jnp.array([4.0, 3.0, 2.0, 1.0])
    assert float(top_energy(lam, first=2)) == pytest.approx(0.7)
    assert float(top_energy(lam)) == 1  # five of four
    with pytest.raises(ValueError, match=r"`first` must be at least 1, got 0\. The paper has 5"):
        top_energy(lam, first=0)
