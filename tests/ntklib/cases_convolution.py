"""Convolutional networks on small images and sequences, for the laws."""

from collections.abc import Callable

import jax
from cases import Case

from ntklib import Erf, empirical_ntk
from ntklib.convolution import Convolution
from ntklib.windows import Window


def _images(*shape: int) -> Callable[[int], jax.Array]:
    return lambda n: jax.random.normal(jax.random.key(3), (n, *shape))


def _case(name: str, kernel: Convolution, shape: tuple[int, ...]) -> Case:
    def draw(width: int, key: jax.Array, x: jax.Array) -> jax.Array:
        network = kernel.network(width)
        return empirical_ntk(network.apply, network.init(key, *shape), x)

    return Case(name, kernel, _images(*shape), n=4, widths=(32, 128), draws=16, empirical=draw)


CASES = [
    _case("convolution-flatten-zero", Convolution(3, sigma_b=0.3), (3, 4, 2)),
    _case(
        "convolution-pool-circular-erf",
        Convolution(3, window=Window(3, padding="circular"), readout="pool", dual=Erf()),
        (4, 3, 2),
    ),
    _case(
        "convolution-pool-strided-1d",
        Convolution(3, window=Window(2, stride=2), readout="pool", sigma_b=0.2),
        (7, 3),
    ),
]
