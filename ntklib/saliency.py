"""Saliencies: how much each weight of a network counts, before any training."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ntklib import _checks

Params = TypeVar("Params")


def random_scores(key: PRNGKeyArray, params: Params) -> Params:
    r"""Scores that know nothing, for pruning at random.

    .. math:: s_i \sim U(0, 1)

    Args:
        key: the random key.
        params: any pytree of floating-point arrays.

    Raises:
        ValueError: if a leaf is not floating point.

    Cost: O(P) for P parameters.
    Source: derived.
    """
    _checks.floating_leaves("params", params)
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    draws = [jax.random.uniform(k, p.shape, p.dtype) for k, p in zip(keys, leaves, strict=True)]
    scores: Params = jax.tree.unflatten(tree, draws)
    return scores


def magnitude_scores(params: Params) -> Params:
    r"""The size of each weight.

    .. math:: s_i = |\theta_i|

    Unlike the scores below it changes with the parameterisation: with all weights in N(0, 1) it
    prefers no layer, with weights in N(0, 1 / n) it prefers the narrow ones.

    Args:
        params: any pytree of floating-point arrays.

    Raises:
        ValueError: if a leaf is not floating point.

    Cost: O(P) for P parameters.
    Source: derived.
    """
    _checks.floating_leaves("params", params)
    scores: Params = jax.tree.map(jnp.abs, params)
    return scores


def snip_scores(loss: Callable[[Params], Float[Array, ""]], params: Params) -> Params:
    r"""SNIP: how strongly the loss reacts when a weight is switched off.

    .. math:: s_i = \left| \theta_i \frac{\partial \mathcal L}{\partial \theta_i} \right|

    A factor between a layer's weights and its parameters leaves the scores as they are.

    Args:
        loss: maps `params` to a number: `lambda p: jnp.mean((f(p, x) - y) ** 2)`.
        params: any pytree of floating-point arrays.

    Raises:
        ValueError: if a leaf is not floating point, or the loss no single number.

    Cost: one gradient.
    Source: derived, from the definition by Lee, Ajanthan and Torr (2019).
    """
    _scalar(loss, params)
    gradient = jax.grad(loss)(params)
    scores: Params = jax.tree.map(lambda p, g: jnp.abs(p * g), params, gradient)
    return scores


def grasp_scores(loss: Callable[[Params], Float[Array, ""]], params: Params) -> Params:
    r"""GraSP: how much gradient flow is lost when a weight is removed.

    .. math:: s_i = \theta_i (H g)_i, \qquad
              |\nabla \mathcal L(\theta - \theta_i e_i)|^2 - |g|^2 = -2 s_i + O(\theta_i^2),
              \qquad g = \nabla \mathcal L, \; H = \nabla^2 \mathcal L

    The score is signed: removing a weight with a negative one increases the gradient. The paper
    removes the largest of the opposite number, -theta Hg, which is the same order.

    Args:
        loss: maps `params` to a number, twice differentiably.
        params: any pytree of floating-point arrays.

    Raises:
        ValueError: if a leaf is not floating point, or the loss no single number.

    Cost: one gradient and one Hessian-vector product, about four calls of `loss`' gradient.
    Source: wang2020picking.
    """
    _scalar(loss, params)
    gradient = jax.grad(loss)
    _, Hg = jax.jvp(gradient, (params,), (gradient(params),))
    scores: Params = jax.tree.map(jnp.multiply, params, Hg)
    return scores


def synflow_scores(
    f: Callable[[Params, Array], Array], params: Params, shape: tuple[int, ...]
) -> Params:
    r"""SynFlow: the flow through each weight, if all weights were positive and all inputs one.

    .. math:: R = \sum_k f_k(\mathbf 1; |\theta|), \qquad
              s_i = |\theta_i| \frac{\partial R}{\partial |\theta_i|}

    It takes no data. The score is a share of the flow only where f is linear at positive numbers,
    as with ReLU, pooling or no nonlinearity, and without biases: R is then the sum over all paths
    of the product of their weights, and each layer's scores sum to R. For any other network, with
    erf, say, the formula is computed as it stands and means less.

    Args:
        f: maps `(params, x)` to (n, outputs).
        params: any pytree of floating-point arrays.
        shape: of one input, without the axis of inputs: `(64,)`.

    Raises:
        ValueError: if a leaf is not floating point.

    Cost: one gradient on a single input.
    Source: derived, from the definition by Tanaka, Kunin, Yamins and Ganguli (2020).
    """
    _checks.floating_leaves("params", params)
    dtype = jnp.result_type(*jax.tree.leaves(params))
    positive = jax.tree.map(jnp.abs, params)
    gradient = jax.grad(lambda p: jnp.sum(f(p, jnp.ones((1, *shape), dtype))))(positive)
    scores: Params = jax.tree.map(jnp.multiply, positive, gradient)
    return scores


def _scalar(loss: Callable[[Params], Array], params: Params) -> None:
    _checks.floating_leaves("params", params)
    shape = jax.eval_shape(loss, params).shape
    if shape != ():
        hint = "Take its mean over inputs and outputs."
        raise ValueError(f"`loss(params)` must be one number, got shape {shape}. {hint}")
