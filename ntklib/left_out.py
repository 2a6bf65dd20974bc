"""The error of ridge regression on inputs left out one by one, without fitting again."""

import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float

from ntklib import _checks, _grams


def left_out(
    K: Float[np.ndarray, "n n"], y: Float[np.ndarray, "n o"], *, ridge: ArrayLike = 0.0
) -> Float[np.ndarray, "n o"]:
    r"""What ridge regression misses on each input when it is fitted to all the others.

    .. math:: y_i - f_{-i}(x_i)
              = \frac{[(K + \rho)^{-1} y]_i}{[(K + \rho)^{-1}]_{ii}}

    `K` may be any symmetric matrix: unlike `KernelRegression`, this also judges a "kernel" that
    has negative eigenvalues. It runs in NumPy and in the precision of `K`: give it float64 where
    K + rho is close to singular.

    Args:
        K: the kernel among the inputs.
        y: targets, one row an input.
        ridge: rho, added to the diagonal as it is.

    Raises:
        ValueError: if shapes do not fit, an entry is not finite, the ridge is negative, or
            `K + ridge` is singular to working precision.

    Cost: O(n^3) once.
    Source: derived.
    """
    K, y = np.asarray(K), np.asarray(y)
    _checks.refuse(
        _grams.symmetric("K", K)
        + (_grams.targets(y, K.shape[0]) if K.ndim else [])
        + _grams.not_negative("ridge", ridge, "It is added to the diagonal of `K`.")
    )
    eigenvalues, U = np.linalg.eigh(K)
    shifted = eigenvalues + np.asarray(ridge, K.dtype)
    least, floor = abs(shifted).min(), len(K) * np.finfo(K.dtype).eps * abs(shifted).max()
    if not least > floor:
        raise ValueError(
            f"`K + ridge` must be regular, but has an eigenvalue of size {least:.2g}, singular to "
            f"working precision in {K.dtype}. Use float64, or add a `ridge` above {floor:.1g}."
        )
    inverse = U / shifted @ U.T
    return np.asarray(inverse @ y / inverse.diagonal()[:, None])
