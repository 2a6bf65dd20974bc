"""What the laws need to know of a kernel: itself, and how to draw inputs for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from ntklib import empirical_ntk


def take_rows(x: Any, rows: list[int]) -> Any:
    """Some of the inputs, for arrays and for pytrees of arrays with one row an input."""
    return jax.tree.map(lambda leaf: leaf[np.asarray(rows)], x)


@dataclass(frozen=True)
class Case:
    """One line of the registry.

    `inputs(n)` are n invented inputs, always the same, as the kernel takes them; `take(x, rows)`
    chooses some of them; `n` is how many inputs the laws use. The laws cast, trace and
    differentiate the floating-point JAX arrays of the inputs; all else in them (NumPy arrays,
    integers, objects) is structure, and stays as it is.

    `empirical(width, key, x)` is one draw of the finite twin's tangent kernel, (n, n), called under
    `jax.jit`. Without it the twin is `kernel.network(width)`, with `init(key, n_features)`.

    `rtol` is how far two ways to compute one entry may differ in float64. A law that the kernel
    cannot meet is named in `exempt`, with the reason: `exempt={"twin": "no finite network"}`.
    """

    name: str
    kernel: Any
    inputs: Callable[[int], Any]
    take: Callable[[Any, list[int]], Any] = take_rows
    n: int = 6
    widths: tuple[int, int] = (128, 512)  # of the finite twin
    draws: int = 24
    empirical: Callable[[int, Any, Any], Any] | None = None
    rtol: float = 1e-10
    exempt: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def draw(self, width: int, key: Any, x: Any) -> Any:
        """One draw of the finite twin's tangent kernel."""
        if self.empirical is not None:
            return self.empirical(width, key, x)
        network = self.kernel.network(width)
        return empirical_ntk(network.apply, network.init(key, x.shape[1]), x)
