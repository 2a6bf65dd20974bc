"""Sequences of different lengths in one array: padded, with the lengths beside it."""

from typing import Literal, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ntklib import _checks


@final
class SequenceBatch(eqx.Module):
    r"""n sequences, padded at the end to the longest.

    .. math:: x_i = (x_{i,1}, \dots, x_{i,T_i}), \qquad 1 \le T_i \le T

    Args:
        x: (sequences, time, features). What lies behind a sequence's end is never read.
        lengths: the length T_i of each sequence.

    Raises:
        ValueError: if the ranks or the lengths do not fit, `x` is not floating point, or a step
            that is read is not finite.

    Cost: none.
    Source: derived.
    """

    x: Float[Array, "n t d"]
    lengths: Int[Array, " n"]

    @staticmethod
    def of(x: "SequenceBatch | Float[Array, 'n t d']") -> "SequenceBatch":
        """A batch as it is read: zero behind each end. An array has sequences of full length.

        Args:
            x: a batch, or an array (sequences, time, features).

        Raises:
            ValueError: as for the batch.

        Cost: none.
        Source: derived.
        """
        if not isinstance(x, SequenceBatch):
            full = x.shape[1] if x.ndim > 1 else 0
            x = SequenceBatch(x, jnp.full(x.shape[:1], full))
        _checks.refuse(_problems(x.x, x.lengths))
        return SequenceBatch(jnp.where(x.read()[..., None], x.x, 0.0), x.lengths)

    def read(self) -> Bool[Array, "n t"]:
        r"""Which steps belong to their sequence: :math:`t \le T_i`.

        Cost: none.
        Source: derived.
        """
        return jnp.less(jnp.arange(self.x.shape[1]), jnp.asarray(self.lengths)[:, None])


def _problems(x: Array, lengths: Array) -> list[str]:
    if x.ndim != 3 or 0 in x.shape[1:]:
        hint = "One sequence is `x[None, :, :]`, one feature `x[:, :, None]`."
        return [f"Sequences must have shape (sequences, time, features), got {x.shape}. {hint}"]
    if np.shape(lengths) != x.shape[:1] or not jnp.issubdtype(lengths.dtype, jnp.integer):
        came = f"{lengths.dtype} of shape {np.shape(lengths)}"
        return [f"`lengths` must be {x.shape[0]} integers, one a sequence, got {came}."]
    if isinstance(lengths, jax.core.Tracer):
        return _checks.floats("x", x)
    longest = x.shape[1]
    wrong = [int(t) for t in np.asarray(lengths) if not 1 <= t <= longest]
    if wrong:
        hint = "A sequence has a first step; the array has room for the longest."
        return [f"`lengths` must be from 1 to {longest}, got {wrong[0]}. {hint}"]
    if isinstance(x, jax.core.Tracer):
        return _checks.floats("x", x)
    read = np.arange(longest) < np.asarray(lengths)[:, None]
    return _checks.floats("x", jnp.where(read[..., None], x, jnp.zeros((), x.dtype)))


Readout = Literal["last", "mean"]


class Aligned(NamedTuple):
    """Sequences on one clock of common length: for "last" they end together, else begin together.

    `begin` is the time of the first step on the clock, `weights` how much of each state is read.
    """

    x: Float[Array, "n t d"]
    begin: Int[Array, " n"]
    weights: Float[Array, "n t"]


def align(batch: SequenceBatch, steps: int, readout: Readout) -> Aligned:
    r"""The sequences on a clock of `steps` steps, so that the pairs that count meet.

    .. math:: \text{last:} \quad t \mapsto t + T - T_i, \qquad \text{mean:} \quad t \mapsto t

    Args:
        batch: the sequences, as `SequenceBatch.of` returns them.
        steps: the length T of the clock; no sequence is longer.
        readout: "last" reads the last state, "mean" all of them with weights 1 / T_i.

    Cost: one copy of the sequences.
    Source: derived.
    """
    lengths = jnp.asarray(batch.lengths)
    begin = steps - lengths if readout == "last" else jnp.zeros_like(lengths)
    index = jnp.arange(steps) - begin[:, None]
    inside = (index >= 0) & (index < lengths[:, None])
    position = jnp.clip(index, 0, batch.x.shape[1] - 1)
    x = jnp.where(inside[..., None], batch.x[jnp.arange(len(lengths))[:, None], position], 0.0)
    if readout == "last":
        weights = jnp.broadcast_to(jnp.arange(steps) == steps - 1, index.shape).astype(x.dtype)
    else:
        weights = inside / lengths[:, None].astype(x.dtype)
    return Aligned(x, begin, weights)
