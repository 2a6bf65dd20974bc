"""Residual networks, for the laws."""

import jax
from cases import Case

from ntklib import Erf
from ntklib.residual import Residual


def _inputs(n: int) -> jax.Array:
    return jax.random.normal(jax.random.key(7), (n, 5))


CASES = [
    Case("residual-relu", Residual(4, alpha=0.5), _inputs),
    Case("residual-erf-bias", Residual(5, alpha=0.7, dual=Erf(), sigma_b=0.3), _inputs),
]
