"""Recurrent networks: the same weights at all times, sequences of different lengths."""

from typing import final, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from ntklib import _checks
from ntklib.dense import DenseMixing
from ntklib.duals import AbstractDual, Relu
from ntklib.recurrence import Cell, states
from ntklib.recursion import Kernels, affine
from ntklib.sequences import Readout, SequenceBatch, align


@final
class Recurrent(eqx.Module):
    r"""The kernels of an infinitely wide recurrent network with one set of weights at all times.

    .. math:: z_t = \frac{\sigma_w}{\sqrt n} W h_{t-1} + \frac{\sigma_u}{\sqrt d} U x_t
                    + \sigma_b b, \quad h_t = \phi(z_t), \quad h_0 = 0; \qquad
              f = \frac{\sigma_v}{\sqrt n} V h_T \ \text{or} \
                  \frac{\sigma_v}{\sqrt n} V \frac1T \sum_t h_t

    .. math:: \Sigma_{t,t'} = \sigma_w^2 \phi(\Sigma_{t-1,t'-1}) + \sigma_u^2 x_t \cdot x'_{t'} / d
                              + \sigma_b^2, \qquad
              \Theta_{t,t'} = \Sigma_{t,t'}
                              + \sigma_w^2 \dot\phi(\Sigma_{t-1,t'-1}) \Theta_{t-1,t'-1}

    Times count from the end for the last state: K(x, x') compares x_{T-k} with x'_{T'-k}, and no
    other pair, although the weights are shared. The mean needs all pairs of times. It has one V for
    all times; weights of their own for each time would keep the pairs t = t' alone.

    Args:
        readout: "last" reads the last state, "mean" the average of all states.
        dual: the nonlinearity.
        sigma_w: standard deviation of the weights from state to state.
        sigma_u: standard deviation of the weights from input to state.
        sigma_b: standard deviation of the bias of the state; the read-out has none.
        sigma_v: standard deviation of the read-out weights.

    Raises:
        ValueError: if `readout` is unknown or a standard deviation is negative.

    Cost: "last": O(n m T d) time and O(n m) memory for n and m sequences of up to T steps of d
    features; "mean": O(n m T^2 d) time and O(n m T) memory.
    Source: alemohammad2021recurrent for the last state; yang2020tensor for the mean.
    """

    readout: Readout = eqx.field(static=True, default="last")
    dual: AbstractDual = eqx.field(default_factory=Relu, kw_only=True)
    sigma_w: ArrayLike = eqx.field(default=2**0.5, converter=_checks.number, kw_only=True)
    sigma_u: ArrayLike = eqx.field(default=1.0, converter=_checks.number, kw_only=True)
    sigma_b: ArrayLike = eqx.field(default=0.0, converter=_checks.number, kw_only=True)
    sigma_v: ArrayLike = eqx.field(default=1.0, converter=_checks.number, kw_only=True)

    def __check_init__(self) -> None:
        problems = []
        if self.readout not in get_args(Readout):
            problems = [f'`readout` must be "last" or "mean", got {self.readout!r}.']
        for name in ("sigma_w", "sigma_u", "sigma_b", "sigma_v"):
            problems += _checks.deviation(name, getattr(self, name))
        _checks.refuse(problems)

    def __call__(
        self,
        x1: Float[Array, "n t d"] | SequenceBatch,
        x2: Float[Array, "m s d"] | SequenceBatch | None = None,
    ) -> Kernels:
        r"""Both kernels between the sequences of `x1` and `x2`, or of `x1` and itself.

        .. math:: K_{ij} = K(x_{1,i}, x_{2,j})

        Args:
            x1: sequences, (sequences, time, features); a `SequenceBatch` if lengths differ.
            x2: other sequences, of any length. Without them the result is the Gram matrix.

        Raises:
            ValueError: if a batch is badly formed or the features differ.

        Cost: as stated for the class.
        Source: alemohammad2021recurrent, yang2020tensor.
        """
        one = SequenceBatch.of(x1)
        two = one if x2 is None else SequenceBatch.of(x2)
        d1, d2 = one.x.shape[2], two.x.shape[2]
        if d1 != d2:
            hint = "Lengths may differ, features may not."
            raise ValueError(f"Sequences must have the same features, got {d1} and {d2}. {hint}")
        steps = max(one.x.shape[1], two.x.shape[1])
        lags = 1 if self.readout == "last" else steps
        left = align(one, steps, self.readout)
        right = None if x2 is None else align(two, steps, self.readout)
        cell = Cell(self.dual, self.sigma_w, self.sigma_u, self.sigma_b)
        K = affine(states(cell, left, right, lags=lags), mix=DenseMixing(self.sigma_v))
        return Kernels(nngp=K.Sigma, ntk=K.Theta)

    def network(self, width: int, n_outputs: int = 1) -> "RecurrentNetwork":
        """The same architecture at finite width; its kernel tends to this one as `width` grows.

        Args:
            width: neurons of the state, n.
            n_outputs: outputs; each has the same kernel in the limit.

        Raises:
            ValueError: if either is below 1.

        Cost: none; parameters are drawn by `init`.
        Source: alemohammad2021recurrent.
        """
        return RecurrentNetwork(self, width, n_outputs)


@final
class RecurrentNetwork(eqx.Module):
    r"""A recurrent network of finite width in the NTK parameterisation: `Recurrent`'s equations.

    All entries of W, U, b and V are drawn from N(0, 1) and all are trained.

    Args:
        kernel: the infinitely wide network it approaches.
        width: neurons of the state, n.
        n_outputs: outputs of the read-out.

    Cost: O(N T width^2) for N sequences of T steps.
    Source: alemohammad2021recurrent.
    """

    kernel: Recurrent
    width: int = eqx.field(static=True)
    n_outputs: int = eqx.field(static=True, default=1)

    def __check_init__(self) -> None:
        _checks.refuse(
            _checks.at_least_one("width", self.width, "It counts the neurons of the state.")
            + _checks.at_least_one("n_outputs", self.n_outputs, "A scalar function is 1.")
        )

    def init(self, key: PRNGKeyArray, n_features: int) -> dict[str, Array]:
        """Draw the parameters: "W" (n, n), "U" (features, n), "b" (n,) and "V" (n, outputs).

        Args:
            key: the random key.
            n_features: features of a step, d.

        Raises:
            ValueError: if `n_features` is below 1.

        Cost: O(width^2).
        Source: alemohammad2021recurrent.
        """
        hint = "It is the last axis of `x`."
        _checks.refuse(_checks.at_least_one("n_features", n_features, hint))
        n = self.width
        shapes = {"W": (n, n), "U": (n_features, n), "b": (n,), "V": (n, self.n_outputs)}
        keys = jax.random.split(key, len(shapes))
        return {
            name: jax.random.normal(k, shape)
            for k, (name, shape) in zip(keys, shapes.items(), strict=True)
        }

    def apply(
        self, params: dict[str, Array], x: Float[Array, "n t d"] | SequenceBatch
    ) -> Float[Array, "n outputs"]:
        """The network's outputs, one row for each sequence of `x`.

        Args:
            params: as drawn by `init`, or trained.
            x: sequences, as the kernel takes them.

        Cost: O(N T width^2) for N sequences of T steps.
        Source: alemohammad2021recurrent.
        """
        batch, k = SequenceBatch.of(x), self.kernel
        x, _, weights = align(batch, batch.x.shape[1], "mean")
        if k.readout == "last":
            weights = jnp.asarray(batch.lengths)[:, None] == jnp.arange(1, x.shape[1] + 1)
        drive = k.sigma_u / x.shape[2] ** 0.5 * (x @ params["U"])
        drive = drive + k.sigma_b * params["b"]

        def step(h: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
            drive_t, weight_t = now
            h = k.dual.activation(k.sigma_w / self.width**0.5 * (h @ params["W"]) + drive_t)
            return h, weight_t[:, None] * h

        h_0 = jnp.zeros_like(drive[:, 0])
        _, read = jax.lax.scan(step, h_0, (jnp.moveaxis(drive, 1, 0), weights.T))
        return jnp.multiply(k.sigma_v / self.width**0.5, jnp.sum(read, axis=0) @ params["V"])
