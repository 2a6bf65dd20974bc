"""The graphon of a factorised saliency: a weight's size times what its two neurons count."""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from ntklib.graphon_nodes import Axis, quadrature
from ntklib.graphons import SmoothGraphon

_erfc = np.vectorize(math.erfc, otypes=[float])


def saliency_graphon(
    row: Callable[[np.ndarray], np.ndarray],
    column: Callable[[np.ndarray], np.ndarray],
    *,
    density: float,
    nodes: int = 32,
) -> SmoothGraphon:
    r"""Where masks tend to that keep the largest of: a weight's size times r(u) and c(v).

    .. math:: W(u, v) = P(|w| \, r(u) \, c(v) > \tau)
              = \mathrm{erfc} \left( \frac{\tau}{\sqrt 2 \, r(u) \, c(v)} \right), \qquad
              \iint W \, du \, dv = p

    with w in N(0, 1). The threshold follows from the density p, by bisection. Constant r and c
    give the constant graphon p: pruning by magnitude.

    Args:
        row: r, smooth and positive, maps targets (t,) to (t,), in NumPy.
        column: c, likewise, of the sources.
        density: p, the part of the weights that is kept, in (0, 1].
        nodes: for the integrals, on each axis, as of `SmoothGraphon`.

    Raises:
        ValueError: if r or c is not positive, or `density` is outside (0, 1].

    Cost: 60 evaluations on the nodes.
    Source: derived; pham2026pruning proves a limit for a model of this flavour, not seen in full.
    """
    at, weights = quadrature(Axis(nodes=nodes))
    r, c = (np.asarray(f(at), float) * np.ones(at.size) for f in (row, column))
    problems = [
        f"`{name}` must be positive, got values from {values.min():.4g}. Bound it away from 0."
        for name, values in (("row", r), ("column", c))
        if not values.min() > 0
    ]
    if not 0 < density <= 1:
        problems.append(f"`density` must lie in (0, 1], got {density}. It is the part kept.")
    if problems:
        raise ValueError("\n".join(problems))

    def kept(tau: float) -> float:
        return float(weights @ _erfc(tau / (math.sqrt(2) * np.outer(r, c))) @ weights)

    low, high = 0.0, 10.0 * float(r.max() * c.max())
    for _ in range(60):
        tau = (low + high) / 2
        low, high = (tau, high) if kept(tau) > density else (low, tau)

    def W(u: Float[np.ndarray, "t 1"], v: Float[np.ndarray, "1 s"]) -> Float[np.ndarray, "t s"]:
        return np.asarray(_erfc(low / (math.sqrt(2) * row(u) * column(v))))

    return SmoothGraphon(W, nodes=nodes)
