"""Gradient flow in function space for any differentiable loss, integrated step by step."""

from collections.abc import Callable
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntklib import _checks, _grams

_MAX_STEPS = 100_000

# Dormand and Prince's embedded pair of orders 5 and 4; the last row is also the solution.
_STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)


@final
class LossFlow(eqx.Module):
    r"""Outputs along a gradient flow: what `loss_flow` found, for any inputs.

    .. math:: f_t(x) = f_0(x) - \Theta(x, X) a_t, \qquad a_t = \int_0^t \nabla \ell(f_s(X)) \, ds

    Args:
        times: when the outputs are known.
        slopes: a_t, the gradient of the loss summed over the past.

    Cost: none, it is built by `loss_flow`.
    Source: lee2019wide.
    """

    times: Float[Array, " t"]
    slopes: Float[Array, "t n o"]

    def at(
        self, ntk: Float[Array, "m n"], f0: Float[Array, "m o"] | None = None
    ) -> Float[Array, "t m o"]:
        r"""The outputs at all times, on the training inputs or others.

        .. math:: f_t(x) = f_0(x) - \Theta(x, X) a_t

        Args:
            ntk: the kernel from these inputs (rows) to the training inputs.
            f0: their outputs at t = 0. Without them, 0.

        Raises:
            ValueError: if `ntk` does not have one column a training input.

        Cost: O(t m n o).
        Source: lee2019wide.
        """
        shape = (None, self.slopes.shape[1])
        _checks.refuse(_grams.block("ntk", ntk, shape, "inputs, training inputs"))
        change = -jnp.einsum("mn,tno->tmo", ntk, self.slopes, precision="highest")
        return change if f0 is None else f0 + change


def loss_flow(
    loss: Callable[[Array, Any], Array],
    ntk: Float[Array, "n n"],
    y: Any,
    times: Float[Array, " t"],
    *,
    f0: Float[Array, "n o"],
    rtol: float | None = None,
) -> LossFlow:
    r"""Gradient flow of any loss under a constant kernel.

    .. math:: \dot f_t(X) = -\Theta \nabla \ell(f_t(X))

    For the squared loss use `GradientFlow`, which is exact. Here Dormand and Prince's method of
    order 5 chooses its steps; they are limited by the largest eigenvalue, at about
    3 / (lambda_1 times the loss's curvature). The flow is not linear in f_0: the mean over an
    ensemble is not the flow from the mean. Draw `f0` from the NNGP, `jax.vmap`, then average.

    Args:
        loss: maps `(f, y)` to one number, the sum over training inputs (not their mean, or time
            runs n times slower), differentiably in f.
        ntk: the kernel among the training inputs.
        y: targets, whatever `loss` understands, such as integer labels.
        times: increasing, the first not negative.
        f0: outputs at t = 0; zeros of the right shape for the mean of a wide network.
        rtol: relative error of a step. Without it 1e-5 in float32 and 1e-8 in float64.

    Raises:
        ValueError: if shapes do not fit, an entry is not finite, or times do not increase.
        RuntimeError: if 100000 steps do not suffice (equinox's, under jit too).

    Cost: 7 products of the kernel with (n, o) a step, O(n^2 o) each.
    Source: lee2019wide for the equation; derived for its integral form.
    """
    _checks.refuse(_problems(loss, ntk, y, times, f0))
    tolerance = (1e-5 if f0.dtype == jnp.float32 else 1e-8) if rtol is None else rtol

    def velocity(a: Array) -> Array:
        slope: Array = jax.grad(loss)(f0 - jnp.matmul(ntk, a, precision="highest"), y)
        return slope

    def to_next(state: Any, end: Array) -> tuple[Any, Array]:
        state = jax.lax.while_loop(
            lambda s: (s[0] < end) & (s[3] < _MAX_STEPS),
            lambda s: _step(velocity, s, end, tolerance),
            state,
        )
        return state, state[1]

    first = 0.01 / (jnp.trace(ntk) + float(np.finfo(f0.dtype).tiny))
    start = (jnp.zeros_like(times[0]), jnp.zeros_like(f0), first, jnp.array(0))
    (_, _, _, count), slopes = jax.lax.scan(to_next, start, times)
    message = f"`loss_flow` needs more than {_MAX_STEPS} steps. Ask for earlier `times`: "
    message += "they are too long for the largest eigenvalue, or the loss has no finite slope."
    bad = (count >= _MAX_STEPS) | ~jnp.all(jnp.isfinite(slopes))
    return LossFlow(times, eqx.error_if(slopes, bad, message))


def _step(
    velocity: Callable[[Array], Array], state: tuple[Array, ...], end: Array, rtol: float
) -> tuple[Array, ...]:
    """Try one step of size h, not past `end`; keep it if its error is small, and adapt h."""
    t, a, h, count = state
    last = t + h >= end
    dt = jnp.where(last, end - t, h).astype(a.dtype)
    stages = [velocity(a)]
    moved = a
    for row in _STAGES:
        moved = a + dt * sum(c * s for c, s in zip(row, stages, strict=True))
        stages.append(velocity(moved))
    error = dt * sum(c * s for c, s in zip(_ERROR, stages, strict=True))
    scale = rtol * (jnp.max(jnp.abs(moved)) + jnp.max(jnp.abs(dt * stages[0])))
    ratio = jnp.max(jnp.abs(error)) / jnp.maximum(scale, float(np.finfo(a.dtype).tiny))
    good = ratio <= 1  # a NaN is not
    factor = jnp.clip(0.9 * jnp.maximum(ratio, 1e-10) ** -0.2, 0.2, 5.0)
    grown = jnp.where(jnp.isfinite(factor), factor, 0.2).astype(h.dtype)
    reached = jnp.where(last, end, t + dt.astype(t.dtype))
    h_next = jnp.where(good & last, jnp.maximum(h, dt * grown), dt * grown).astype(h.dtype)
    return jnp.where(good, reached, t), jnp.where(good, moved, a), h_next, count + 1


def _problems(loss: Any, ntk: Array, y: Any, times: Array, f0: Array) -> list[str]:
    """A Gram matrix, outputs that fit it, increasing times and a loss with one value."""
    problems = _grams.symmetric("ntk", ntk) + _checks.floats("f0", f0)
    if f0.ndim != 2 or f0.shape[:1] != ntk.shape[:1]:
        hint = "One output is `f0[:, None]`."
        problems.append(f"`f0` must have shape ({ntk.shape[0]}, outputs), got {f0.shape}. {hint}")
    if times.ndim != 1 or times.shape[0] == 0:
        problems.append(f"`times` must have shape (t,), got {times.shape}. One time is `[t]`.")
    else:
        problems += _checks.floats("times", times)
        if _grams.concrete(times) and (np.diff(np.asarray(times), prepend=-1e-30) <= 0).any():
            problems.append("`times` must increase, from 0 at the earliest. Sort them.")
    if not problems and (shape := jax.eval_shape(loss, f0, y).shape) != ():
        problems.append(f"`loss(f, y)` must be one number, got shape {shape}. Sum over inputs.")
    return problems
