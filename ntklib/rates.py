"""Power laws in the width: the exponent of an error, and how well it is known."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from ntklib import _checks


class PowerLaw(NamedTuple):
    """A power law fitted to a mean: `scale * n ** exponent`."""

    exponent: float
    standard_error: float
    scale: float

    def __call__(self, n: Float[Array, " k"]) -> Float[np.ndarray, " k"]:
        """The fitted mean at the sizes `n`. Cost: none. Source: derived."""
        return np.asarray(self.scale * np.asarray(n, float) ** self.exponent)


def power_law(n: Float[Array, " k"], errors: Float[Array, "k draws"]) -> PowerLaw:
    r"""Fit the exponent of the mean error over draws against a size, by least squares of logs.

    .. math:: \log \bar e_i = a + b \log n_i, \qquad
              \mathrm{se}(b)^2 = \sum_i w_i^2 \, (s_i / \bar e_i)^2 / r, \qquad
              w_i = \frac{u_i}{\sum_j u_j^2}, \quad u_i = \log n_i - \overline{\log n}

    with :math:`\bar e_i` and :math:`s_i` the mean and the standard deviation over r draws.

    Args:
        n: at least two different sizes, positive: widths, say.
        errors: positive errors, one row a size and one column a draw; at least two draws.

    Raises:
        ValueError: if the shapes do not fit, or a size or an error is not positive and finite.

    Cost: O(k draws).
    Source: derived.
    """
    sizes, table = np.asarray(n, float), np.asarray(errors, float)
    _checks.refuse(_faults(sizes, table))
    mean, spread = table.mean(axis=1), table.std(axis=1, ddof=1)
    u = np.log(sizes) - np.log(sizes).mean()
    weights = u / (u @ u)
    exponent = float(weights @ np.log(mean))
    variance = (weights * spread / mean) ** 2 / table.shape[1]
    scale = float(np.exp(np.log(mean).mean() - exponent * np.log(sizes).mean()))
    return PowerLaw(exponent, float(variance.sum() ** 0.5), scale)


def _faults(sizes: Float[np.ndarray, "..."], table: Float[np.ndarray, "..."]) -> list[str]:
    if sizes.ndim != 1 or table.ndim != 2 or len(sizes) != len(table) or table.shape[1] < 2:
        return [
            f"`errors` must have shape (sizes, draws) with two draws or more, got {table.shape} "
            f"for `n` of shape {sizes.shape}. Put the draws of one size in one row."
        ]
    problems = []
    if not (np.isfinite(sizes).all() and (sizes > 0).all() and len(set(sizes.tolist())) > 1):
        problems.append("`n` must hold two or more different positive sizes. Add a size.")
    if not (np.isfinite(table).all() and (table > 0).all()):
        problems.append("`errors` must be positive and finite: a logarithm is taken of their mean.")
    return problems
