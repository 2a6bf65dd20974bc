"""Recurrent networks on sequences of equal and of different lengths, for the laws."""

from typing import Any

import jax
import jax.numpy as jnp
from cases import Case
from jax.flatten_util import ravel_pytree

from ntklib.duals import Erf
from ntklib.empirical import empirical_ntk
from ntklib.recurrent import Recurrent
from ntklib.sequences import SequenceBatch


def _equal(n: int) -> jax.Array:
    return jax.random.normal(jax.random.key(5), (n, 4, 3))


def _ragged(n: int) -> SequenceBatch:
    x = jax.random.normal(jax.random.key(6), (n, 5, 2))
    return SequenceBatch(x, jnp.asarray([(4, 1, 5, 2)[i % 4] for i in range(n)]))


def _case(name: str, kernel: Recurrent, inputs: Any) -> Case:
    def empirical(width: int, key: Any, x: Any) -> jax.Array:
        network = kernel.network(width)
        params = network.init(key, SequenceBatch.of(x).x.shape[2])
        if isinstance(x, jax.Array):
            return empirical_ntk(network.apply, params, x)
        params, restore = ravel_pytree(params)
        J = jax.jacrev(lambda flat: network.apply(restore(flat), x)[:, 0])(params)
        return jnp.matmul(J, J.T, precision="highest")

    return Case(name, kernel, inputs, widths=(64, 256), empirical=empirical)


CASES = [
    _case("recurrent-last-relu", Recurrent(sigma_b=0.3), _ragged),
    _case("recurrent-mean-erf", Recurrent("mean", dual=Erf(), sigma_b=0.2), _ragged),
    _case("recurrent-mean-relu", Recurrent("mean", sigma_w=1.0, sigma_v=1.5), _equal),
]
