"""Dense networks, for the laws."""

import jax
from cases import Case

from ntklib import Dense, Erf


def _inputs(n: int) -> jax.Array:
    return jax.random.normal(jax.random.key(0), (n, 4))


CASES = [
    *(Case(f"dense-relu-{L}", Dense(L), _inputs) for L in (1, 3, 5)),
    *(Case(f"dense-relu-bias-{L}", Dense(L, sigma_b=0.5), _inputs) for L in (1, 3, 5)),
    *(Case(f"dense-erf-{L}", Dense(L, dual=Erf(), sigma_w=1.5), _inputs) for L in (1, 3, 5)),
]
