"""The Hodge decomposition of a simplicial complex's edge flows: projectors and Betti numbers."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ntklib.complexes import SimplicialComplex


class Hodge(NamedTuple):
    """The orthogonal projectors of the Hodge decomposition, each (E, E); they add up to I."""

    gradient: Float[np.ndarray, "edges edges"]
    harmonic: Float[np.ndarray, "edges edges"]
    curl: Float[np.ndarray, "edges edges"]


def projectors(complex_: SimplicialComplex) -> Hodge:
    r"""The projectors onto gradients, harmonic flows and curls.

    .. math:: R^E = \mathrm{im} B_1^\top \oplus \ker L_1 \oplus \mathrm{im} B_2, \qquad
              P_g = B_1^+ B_1, \quad P_c = B_2 B_2^+, \quad P_h = I - P_g - P_c

    The signed propagation operators (`operator="hodge"`) commute with them. Kernels need more:
    see `Simplicial`.

    Args:
        complex_: the complex.

    Cost: O(E^3), two singular value decompositions.
    Source: derived.
    """
    B1, B2 = complex_.boundaries()
    gradient, curl = _onto_range(B1.T), _onto_range(B2)
    return Hodge(gradient, np.eye(len(gradient)) - gradient - curl, curl)


def betti(complex_: SimplicialComplex) -> tuple[int, int, int]:
    r"""The Betti numbers: components, holes and cavities.

    .. math:: \beta_0 = V - \mathrm{rk} B_1, \qquad \beta_1 = E - \mathrm{rk} B_1 - \mathrm{rk} B_2,
              \qquad \beta_2 = T - \mathrm{rk} B_2

    :math:`\beta_1` is the dimension of the harmonic flows.

    Args:
        complex_: the complex.

    Cost: O(E^3), two singular value decompositions.
    Source: derived.
    """
    B1, B2 = complex_.boundaries()
    rank1, rank2 = _basis(B1.T).shape[1], _basis(B2).shape[1]
    V, E = B1.shape
    return V - rank1, E - rank1 - rank2, B2.shape[1] - rank2


def _basis(B: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the range, its rank being a matter of rounding only."""
    U, singular, _ = np.linalg.svd(B, full_matrices=False)
    small = max(B.shape) * np.finfo(float).eps * singular.max(initial=0.0)
    return np.asarray(U[:, singular > small])


def _onto_range(B: np.ndarray) -> np.ndarray:
    U = _basis(B)
    return np.asarray(U @ U.T)
