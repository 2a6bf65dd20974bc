"""How the error of kernel regression falls with the number of training inputs, mode by mode."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib import _checks, _grams


class Modes(NamedTuple):
    """A target seen by a kernel: eigenvalues of the integral operator, power in each mode."""

    eigenvalues: Float[Array, " k"]
    power: Float[Array, " k"]


class LearningCurve(NamedTuple):
    """Predicted errors for p training inputs; `modes` and `noise` add up to `error`.

    `modes` is the error that the target's power in a mode causes, not the error along that mode.
    """

    error: Float[Array, "*p"]
    modes: Float[Array, "*p k"]
    noise: Float[Array, "*p"]
    kappa: Float[Array, "*p"]


def learning_curve(
    modes: Modes,
    p: ArrayLike,
    *,
    ridge: ArrayLike = 0.0,
    noise: ArrayLike = 0.0,
    multiplicities: ArrayLike | None = None,
) -> LearningCurve:
    r"""The expected error of kernel regression on p random inputs, mode by mode.

    .. math:: \kappa = \rho + \kappa \sum_k \frac{N_k \lambda_k}{\kappa + p \lambda_k}, \qquad
              \gamma = \sum_k \frac{N_k p \lambda_k^2}{(\kappa + p \lambda_k)^2}, \qquad
              E_k = \frac{\bar a_k^2}{1 - \gamma} \frac{\kappa^2}{(\kappa + p \lambda_k)^2}

    The error is the mean of :math:`|f(x) - f_*(x)|^2` over new inputs and training sets, without
    the noise on a test target. Noise on the training targets adds
    :math:`\sigma^2 \gamma / (1 - \gamma)`. It is a theory for many inputs that treats modes as
    Gaussian: within 2 % where we simulated it, but on a sphere of few dimensions, with little
    ridge and about as many inputs as harmonics up to some degree, errors were 22 % larger. At
    exact interpolation (ridge 0, p modes) the noise part is infinite. Modes that are left out act
    as a ridge: add their trace to it.

    Args:
        modes: eigenvalues of the integral operator (of a Gram matrix over n, see
            `empirical_modes`), and the target's squared coefficients in the eigenfunctions.
        p: numbers of training inputs, one or an array of them; 0 is no training.
        ridge: rho of `KernelRegression`, added to the p by p Gram matrix.
        noise: variance of the noise on the training targets.
        multiplicities: N_k, if an entry of `modes` stands for a whole eigenspace, as degrees on
            the sphere do; power is then the sum over it.

    Raises:
        ValueError: if shapes do not fit, or an eigenvalue, a power, p, the ridge or the noise is
            negative.

    Cost: O(k) for each p, about 100 passes.
    Source: bordelon2020spectrum for the modes; derived for the noise.
    """
    eigenvalues, power = modes
    counts = jnp.ones_like(eigenvalues) if multiplicities is None else jnp.asarray(multiplicities)
    _checks.refuse(_fit(eigenvalues, power, counts, p, ridge, noise))
    counts = counts.astype(eigenvalues.dtype)
    sizes = jnp.asarray(p, dtype=eigenvalues.dtype)

    def one_size(size: Array) -> LearningCurve:
        kappa = _kappa(eigenvalues, counts, size, ridge)
        gone = (kappa == 0) & (eigenvalues == 0)
        total = jnp.where(gone, 1.0, kappa + size * eigenvalues)
        gamma = jnp.sum(counts * size * (eigenvalues / total) ** 2)
        unlearned = jnp.where(gone, 1.0, kappa / total)
        rest = jnp.maximum(1 - gamma, 0)
        errors = jnp.where(unlearned > 0, power * unlearned**2 / rest, 0.0)
        spread = jnp.where(jnp.asarray(noise) > 0, noise * gamma / rest, jnp.zeros_like(gamma))
        return LearningCurve(jnp.sum(errors) + spread, errors, spread, kappa)

    curves: LearningCurve = jax.vmap(one_size)(sizes.ravel())
    shaped: LearningCurve = jax.tree.map(lambda c: c.reshape(*sizes.shape, *c.shape[1:]), curves)
    return shaped


def empirical_modes(K: Float[Array, "n n"], y: Float[Array, "n o"]) -> Modes:
    r"""Eigenvalues and a target's power, from a Gram matrix on many inputs.

    .. math:: \lambda_k = \frac{1}{n} \mathrm{eig}_k K, \qquad
              \bar a_k^2 = \frac{1}{n} \sum_a (u_k^\top y_a)^2

    The n inputs stand for their distribution: the learning curve is then that of training on p of
    them, drawn with replacement, and testing on all. Their power adds up to the mean of
    :math:`|y|^2`.

    Args:
        K: the kernel among n inputs, more than any p of interest.
        y: the target at them, one row an input.

    Raises:
        ValueError: if `K` is not a Gram matrix or the rows differ.

    Cost: O(n^3).
    Source: bordelon2020spectrum.
    """
    _checks.refuse(_grams.symmetric("K", K) + _grams.targets(y, K.shape[0] if K.ndim else 0))
    values, vectors = jnp.linalg.eigh(K)
    n = K.shape[0]
    power = jnp.sum(jnp.matmul(vectors.T, y, precision="highest") ** 2, axis=1) / n
    return Modes(jnp.maximum(values[::-1], 0) / n, power[::-1])


def _kappa(eigenvalues: Array, counts: Array, p: Array, ridge: ArrayLike) -> Array:
    """The root of the self-consistent equation; it is unique, as `excess` falls with kappa.

    Bisection in log kappa, without gradient, then one Newton step, which polishes it and carries
    the gradient. Without ridge and with at least as many inputs as modes the root is 0.
    """

    def excess(kappa: Array) -> Array:
        share = jnp.sum(counts * eigenvalues / (kappa + p * eigenvalues))
        return jnp.divide(ridge, kappa) + share - 1

    def halve(_: ArrayLike, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = jnp.sqrt(low) * jnp.sqrt(high)
        above = excess(middle) > 0
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    top = jnp.add(ridge, jnp.sum(counts * eigenvalues))
    floor = top * float(np.finfo(eigenvalues.dtype).eps) ** 2
    _, high = jax.lax.fori_loop(0, 80, halve, (floor, top))
    rough = jax.lax.stop_gradient(high)
    refined = rough - excess(rough) / jax.grad(excess)(rough)
    rank = jnp.sum(jnp.where(eigenvalues > 0, counts, 0.0))
    vanished = (jnp.asarray(ridge) == 0) & (p >= rank)
    return jnp.where(vanished, 0.0, refined)


def _fit(
    eigenvalues: Array,
    power: Array,
    counts: Array,
    p: ArrayLike,
    ridge: ArrayLike,
    noise: ArrayLike,
) -> list[str]:
    """One power and one multiplicity for each eigenvalue; nothing negative."""
    n = eigenvalues.shape[0] if eigenvalues.ndim else 0
    problems = _grams.spectrum(eigenvalues) + _grams.block("modes.power", power, (n,), "modes")
    if counts.shape != (n,):
        problems.append(f"`multiplicities` must have shape ({n},), got {counts.shape}.")
    clip = "Clip those that are rounding: `jnp.maximum(eigenvalues, 0)`."
    return (
        problems
        + _grams.not_negative("modes.eigenvalues", eigenvalues, clip)
        + _grams.not_negative("modes.power", power, "It is the square of a coefficient.")
        + _grams.not_negative("multiplicities", counts, "It counts eigenfunctions.")
        + _grams.not_negative("p", p, "It counts training inputs.")
        + _grams.not_negative("ridge", ridge, "It is added to the Gram matrix.")
        + _grams.not_negative("noise", noise, "It is a variance.")
    )
