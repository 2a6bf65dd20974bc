"""Random features of dense kernels: columns whose products approximate both kernels."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ntklib import _checks
from ntklib.dense import Dense


class Features(NamedTuple):
    """Features, one row an input, whose inner products approximate the kernels."""

    nngp: Float[Array, "n k"]
    ntk: Float[Array, "n k2"]


def random_features(
    kernel: Dense, key: PRNGKeyArray, x: Float[Array, "n d"], *, width: int
) -> Features:
    r"""Random features of a dense network's kernels, for more inputs than a Gram matrix can hold.

    .. math:: \psi^{l+1} = \big[\tfrac{\sigma_w}{\sqrt m} \phi(W \psi^l), \sigma_b\big], \qquad
              \chi^{l+1} = \big[\psi^{l+1},
              \tfrac{\sigma_w}{\sqrt m} \dot\phi(W \psi^l) \odot (S \chi^l)\big]

    W has independent entries N(0, 1) and S random signs, both m rows. Then
    :math:`\psi \cdot \psi' \approx \Sigma` and :math:`\chi \cdot \chi' \approx \Theta`, each layer
    without bias given the one before, because the mean of the product of W's and S's factors is
    :math:`\dot\phi(\Sigma) \odot \Theta`. The error is proportional to m^-1/2. Equal keys give
    equal maps: `F1 = random_features(kernel, key, x1, width=m)` and the same for `x2` make
    `F1.ntk @ F2.ntk.T` the cross kernel. These are not the kernels of a finite network, which
    ties W to the forward pass of all layers and has many more parameters.

    Args:
        kernel: the dense kernel; any dual activation.
        key: the random key of the map.
        x: inputs, one a row.
        width: random features m of a layer; there are m + 1 columns for the NNGP kernel and
            2 m + 1 for the NTK. A linear model, depth 1, has d + 1, and no error.

    Raises:
        ValueError: if `kernel` is not a `Dense` in the NTK parameterisation, `x` is not a table,
            or `width` is below 1.

    Cost: O(depth n m^2) time and O(n m) memory, against O(n^2) for the exact kernel.
    Source: han2021random for the idea; derived for the products with random signs.
    """
    problems = _checks.rows("x", x)
    problems += _checks.at_least_one("width", width, "It counts random features.")
    if not isinstance(kernel, Dense):
        name = type(kernel).__name__
        problems.append(f"`kernel` must be a `Dense`, got {name}. Others have no features yet.")
    elif kernel.parameterisation != "ntk":
        hint = "Leave `parameterisation` and `base_width` out."
        problems.append(
            f"`kernel` must be in the NTK parameterisation, got the standard one. {hint}"
        )
    _checks.refuse(problems)
    bias = jnp.full((x.shape[0], 1), kernel.sigma_b, dtype=x.dtype)
    psi = jnp.concatenate([kernel.sigma_w / x.shape[1] ** 0.5 * x, bias], axis=1)
    chi = psi
    for _ in range(kernel.depth - 1):
        key, key_W, key_S = jax.random.split(key, 3)
        W = jax.random.normal(key_W, (psi.shape[1], width), dtype=x.dtype)
        S = jax.random.rademacher(key_S, (chi.shape[1], width), dtype=x.dtype)
        z = jnp.matmul(psi, W, precision="highest")
        phi, slope = jax.jvp(kernel.dual.activation, (z,), (jnp.ones_like(z),))
        scale = kernel.sigma_w / width**0.5
        psi = jnp.concatenate([scale * phi, bias], axis=1)
        projected = jnp.matmul(chi, S, precision="highest")
        chi = jnp.concatenate([psi, scale * slope * projected], axis=1)
    return Features(nngp=psi, ntk=chi)
