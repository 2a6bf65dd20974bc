"""Quadrature on [0, 1]: the positions of a hidden layer, and what each counts for."""

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

CLOSE = 1e-9  # positions nearer than this are one: it only absorbs the rounding of sums


class Axis(NamedTuple):
    """How to integrate along one axis of a graphon: the cells of [0, 1], and nodes in each."""

    edges: tuple[float, ...] = (0.0, 1.0)
    nodes: int = 1


class Nodes(NamedTuple):
    """Positions in [0, 1] and what each counts for; the weights sum to 1."""

    positions: Float[np.ndarray, " k"]
    weights: Float[np.ndarray, " k"]


def quadrature(*axes: Axis) -> Nodes:
    r"""Gauss-Legendre nodes in every cell of the common refinement of some axes.

    .. math:: \int_0^1 f(v) \, dv \approx \sum_k w_k f(v_k)

    Block graphons get one node a cell, which is exact; smooth ones get theirs in each cell.

    Args:
        axes: the axes that meet at a hidden layer, one at least.

    Cost: cells times nodes, in NumPy.
    Source: derived.
    """
    edges = np.sort(np.concatenate([axis.edges for axis in axes]))
    edges = edges[np.diff(edges, prepend=-1.0) > CLOSE]
    t, w = _gauss(max(axis.nodes for axis in axes))
    left, width = edges[:-1, None], np.diff(edges)[:, None]
    return Nodes((left + width * (t + 1) / 2).ravel(), (width * w / 2).ravel())


_gauss = cache(np.polynomial.legendre.leggauss)  # with many nodes it takes as long as a kernel
