"""Spectra of Gram matrices: how fast they decay, how many directions count, and which ones."""

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib import _checks, _grams


class Decay(NamedTuple):
    """The exponent alpha of a power law, and a confidence interval for it."""

    exponent: Float[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]


def eigenvalues(K: Float[Array, "n n"]) -> Float[Array, " n"]:
    r"""The eigenvalues of a Gram matrix, largest first.

    .. math:: K u_k = \lambda_k u_k, \qquad \lambda_1 \ge \lambda_2 \ge \dots \ge \lambda_n

    Those of the integral operator are approximated by :math:`\lambda_k / n`. Eigenvalues below
    rounding, about eps n lambda_1, are noise and can be negative; they are not clipped.

    Args:
        K: the kernel among n inputs.

    Raises:
        ValueError: if `K` is not square, not symmetric or not finite.

    Cost: O(n^3).
    Source: derived.
    """
    _checks.refuse(_grams.symmetric("K", K))
    return jnp.flip(jnp.linalg.eigvalsh(K))


def decay_exponent(
    eigenvalues: Float[Array, " n"], *, first: int = 1, last: int | None = None, level: float = 0.95
) -> Decay:
    r"""The exponent of a power law fitted to ordered eigenvalues, with a confidence interval.

    .. math:: \log \lambda_k = c - \alpha \log k + \varepsilon_k, \qquad k = k_1, \dots, k_2

    Least squares. Departures of a spectrum from a power law are correlated along k, so the
    interval uses the Newey-West standard error with ceil(sqrt(number of eigenvalues)) lags; the
    textbook interval is too short. It says how well a power law fits this spectrum; it does not
    know of the random choice of inputs.

    Args:
        eigenvalues: largest first.
        first: index of the first one used, counted from 1. The head is seldom a power law.
        last: index of the last one used. Without it all that follow are used; leave out those at
            the level of rounding, and the tail, which few inputs bend down.
        level: the probability that the interval aims at.

    Raises:
        ValueError: if fewer than 10 are used, one of them is not positive, or they are not in
            order.

    Cost: O(n^1.5).
    Source: pham2025graphon for the exponent; derived for the interval.
    """
    last = eigenvalues.shape[0] if last is None and eigenvalues.ndim == 1 else last
    _checks.refuse(_grams.spectrum(eigenvalues) or _fit_range(eigenvalues, first, last, level))
    x = jnp.log(jnp.arange(first, (last or 0) + 1, dtype=eigenvalues.dtype))
    y = jnp.log(eigenvalues[first - 1 : last])
    centred_x = x - x.mean()
    spread = jnp.sum(centred_x**2)
    slope = jnp.sum(centred_x * y) / spread
    n = y.shape[0]
    score = centred_x * (y - y.mean() - slope * centred_x)
    variance = jnp.sum(score**2)
    lags = math.ceil(math.sqrt(n))
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * jnp.sum(score[lag:] * score[:-lag])
    error = jnp.sqrt(jnp.maximum(variance, 0) * n / (n - 2)) / spread
    half = norm.ppf((1 + level) / 2).astype(error.dtype) * error
    return Decay(-slope, -slope - half, -slope + half)


def effective_rank(eigenvalues: Float[Array, " n"]) -> Float[Array, ""]:
    r"""The trace over the largest eigenvalue: 1 if one direction has it all, n if all are equal.

    .. math:: r = \frac{\sum_k \lambda_k}{\lambda_1}

    Args:
        eigenvalues: in any order.

    Raises:
        ValueError: if there are none, or none is positive.

    Cost: O(n).
    Source: pham2025graphon.
    """
    _checks.refuse(_grams.spectrum(eigenvalues))
    return jnp.sum(eigenvalues) / jnp.max(eigenvalues)


def top_energy(eigenvalues: Float[Array, " n"], *, first: int = 5) -> Float[Array, ""]:
    r"""The part of the trace that the largest eigenvalues hold.

    .. math:: E_m = \frac{\sum_{k \le m} \lambda_k}{\sum_k \lambda_k}

    Args:
        eigenvalues: largest first.
        first: how many, m.

    Raises:
        ValueError: if there are none, none is positive, or `first` is below 1.

    Cost: O(n).
    Source: pham2025graphon.
    """
    _checks.refuse(
        _grams.spectrum(eigenvalues) + _checks.at_least_one("first", first, "The paper has 5.")
    )
    return jnp.sum(eigenvalues[:first]) / jnp.sum(eigenvalues)


def participation_ratio(eigenvalues: Float[Array, " n"]) -> Float[Array, ""]:
    r"""Another count of the directions that matter; at least as large as none, at most n.

    .. math:: \mathrm{PR} = \frac{(\sum_k \lambda_k)^2}{\sum_k \lambda_k^2}, \qquad
              r \le \mathrm{PR} \le n

    Args:
        eigenvalues: in any order.

    Raises:
        ValueError: if there are none, or none is positive.

    Cost: O(n).
    Source: derived.
    """
    _checks.refuse(_grams.spectrum(eigenvalues))
    scaled = eigenvalues / jnp.max(eigenvalues)
    return jnp.sum(scaled) ** 2 / jnp.sum(scaled**2)


def effective_dimension(eigenvalues: Float[Array, " n"], ridge: ArrayLike) -> Float[Array, ""]:
    r"""The degrees of freedom of ridge regression: the directions above the ridge, softly counted.

    .. math:: d(\rho) = \mathrm{tr}\, K (K + \rho)^{-1} = \sum_k \frac{\lambda_k}{\lambda_k + \rho}

    Args:
        eigenvalues: in any order; those not above 0 count as 0.
        ridge: rho, added to the diagonal of the same Gram matrix. At 0 it is the rank.

    Raises:
        ValueError: if there are no eigenvalues, none is positive, or the ridge is negative.

    Cost: O(n).
    Source: derived.
    """
    _checks.refuse(
        _grams.spectrum(eigenvalues) + _grams.not_negative("ridge", ridge, "It is added to `K`.")
    )
    alive = eigenvalues > 0
    safe = jnp.where(alive, eigenvalues, 1.0)
    return jnp.sum(jnp.where(alive, safe / (safe + ridge), 0.0))


def target_alignment(K: Float[Array, "n n"], y: Float[Array, "n o"]) -> Float[Array, ""]:
    r"""The cosine between a kernel and the ideal kernel of the targets.

    .. math:: A = \frac{\langle K, y y^\top \rangle_F}{\|K\|_F \, \|y y^\top\|_F} \in [0, 1]

    The centred one is `target_alignment(centred(K), y - y.mean(axis=0))`.

    Args:
        K: the kernel among n inputs.
        y: targets, one row an input.

    Raises:
        ValueError: if `K` is not a Gram matrix, the rows differ, or either is 0.

    Cost: O(n^2 o).
    Source: derived; baratin2021implicit uses an alignment of this kind.
    """
    _checks.refuse(_grams.symmetric("K", K) + _grams.targets(y, K.shape[0]))
    for name, array in (("K", K), ("y", y)):
        if _grams.concrete(array) and not np.any(np.asarray(array)):
            raise ValueError(f"`{name}` must not be 0 everywhere: no angle is defined.")
    inner = jnp.sum(y * jnp.matmul(K, y, precision="highest"))
    ideal = jnp.linalg.norm(jnp.matmul(y.T, y, precision="highest"))
    return jnp.divide(inner, jnp.linalg.norm(K) * ideal)


def centred(K: Float[Array, "n n"]) -> Float[Array, "n n"]:
    r"""The kernel of the features less their mean over the inputs.

    .. math:: H K H, \qquad H = 1 - \tfrac{1}{n} \mathbf 1 \mathbf 1^\top

    Args:
        K: the kernel among n inputs.

    Raises:
        ValueError: if `K` is not square, not symmetric or not finite.

    Cost: O(n^2).
    Source: derived.
    """
    _checks.refuse(_grams.symmetric("K", K))
    less = K - K.mean(axis=0, keepdims=True)
    return less - less.mean(axis=1, keepdims=True)


def _fit_range(eigenvalues: Array, first: int, last: int | None, level: float) -> list[str]:
    """At least ten positive eigenvalues in order, and a probability."""
    n, end = eigenvalues.shape[0], last or 0
    if not 1 <= first <= end <= n:
        return [f"`first` and `last` must be within 1 to {n}, in order, got {first} and {last}."]
    if end - first < 9:
        count = end - first + 1
        return [f"`decay_exponent` needs 10 eigenvalues, got {count}. Fewer show no power law."]
    if not 0 < level < 1:
        return [f"`level` must be between 0 and 1, got {level}. 95 % is `level=0.95`."]
    if not _grams.concrete(eigenvalues):
        return []
    used = np.asarray(eigenvalues)[first - 1 : last]
    if not (used > 0).all():
        worst = first + int(np.argmin(used > 0))
        return [f"eigenvalue {worst} is not positive. It is rounding: end with `last={worst - 1}`."]
    if (np.diff(used) > 0).any():
        return ["`eigenvalues` must be sorted, largest first, as `ntklib.eigenvalues` gives them."]
    return []
