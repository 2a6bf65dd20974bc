"""A graphon times a number: where layers have second moments of weights and no probabilities."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib import _checks
from ntklib.graphon_nodes import Axis
from ntklib.graphons import AbstractGraphon


@final
class ScaledGraphon(AbstractGraphon):
    r"""A graphon times a number: second moments of weights, which may exceed 1.

    .. math:: V(u, v) = E[w^2 M] = s \, W(u, v)

    It is no probability: give the kernel a `gradient` beside it, and no mixture of input masks.

    Args:
        graphon: W.
        scale: the number s.

    Raises:
        ValueError: if `scale` is negative or not one finite number.

    Cost: as of the graphon.
    Source: derived.
    """

    graphon: AbstractGraphon
    scale: ArrayLike = eqx.field(converter=_checks.number)

    def __check_init__(self) -> None:
        problems = _checks.finite("scale", self.scale)
        if not problems and not isinstance(self.scale, jax.core.Tracer) and np.min(self.scale) < 0:
            problems = [f"`scale` must not be negative, got {self.scale}. V is a second moment."]
        _checks.refuse(problems)

    def axes(self) -> tuple[Axis, Axis]:
        return self.graphon.axes()

    def factors(
        self, u: Float[np.ndarray, " t"], v: Float[np.ndarray, " s"]
    ) -> tuple[Float[Array | np.ndarray, "_ _"], ...]:
        first, *rest = self.graphon.factors(u, v)
        return (jnp.multiply(self.scale, first), *rest)
