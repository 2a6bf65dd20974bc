r"""The one recursion: every infinite-width network is a nonlinearity and a mixing, in turn.

A layer is `activate` (the dual activation, entry by entry) and then `affine` (the mixing). An
architecture is a mixing: what its random linear layer does to a covariance.
"""

from abc import abstractmethod
from functools import partial, reduce
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib._grams import concrete
from ntklib.duals import AbstractDual, AbstractGapDual


class Kernels(NamedTuple):
    """Both kernels of an infinitely wide network: at initialisation, and in training."""

    nngp: Float[Array, "n m"]
    ntk: Float[Array, "n m"]


class Covariances(eqx.Module):
    """The state of the recursion between n inputs on the left and m on the right.

    Inputs may have sites: pixels, times, nodes, positions. `sites` says which pairs of them are
    kept. "diagonal" keeps a site with itself: `Sigma` is (n, m, sites), `left` is (n, sites). A
    dense network is the case of no site axis. "full" keeps all pairs: `Sigma` is (n, m, u, v),
    `left` is (n, u, u), `right` is (m, v, v); flatten images to one axis u.

    `left` and `right` are each input's covariance with itself, at all its sites, or in the "full"
    case only at each site, (n, u) and (m, v), if no mixing needs more. Both are None
    when the two sides are the same inputs. Then they are the diagonal of `Sigma`: read, not
    computed twice, so that no rounding can come between them.

    `gap` is Sigma(x, x) + Sigma(x', x') - 2 Sigma(x, x'), the squared distance of the features, for
    near-duplicates, whose distance `Sigma` has rounded away. It may be left out (None), and is only
    for "diagonal" sites; `with_gap` computes it from the inputs.
    """

    Sigma: Float[Array, "n m *pairs"]
    Theta: Float[Array, "n m *pairs"]
    left: Float[Array, "n *own"] | None = None
    right: Float[Array, "m *other"] | None = None
    sites: Literal["diagonal", "full"] = eqx.field(static=True, default="diagonal")
    gap: Float[Array, "n m *pairs"] | None = None


class AbstractMixing(eqx.Module):
    r"""What a random linear layer does to covariances: :math:`\mathcal M`, linear.

    `mix` acts on the site axes of one block, either (n, m, ...) between inputs or (n, ...) of
    inputs with themselves. Where the two sides differ (two graphs, say), `left` and `right` give
    the mixing of each side with itself.
    """

    @abstractmethod
    def mix(self, block: Float[Array, "..."]) -> Float[Array, "..."]:
        r""":math:`\mathcal M[C]`, the covariance after the layer's weights, without bias."""

    @abstractmethod
    def bias(self) -> ArrayLike:
        r""":math:`\sigma_b^2`, or any covariance that the layer adds; broadcasts to the block."""

    def grad(self, block: Float[Array, "..."]) -> Float[Array, "..."]:
        r""":math:`\mathcal G[C]`: the NTK of the layer's own weights. Unless stated it is `mix`."""
        return self.mix(block)

    def bias_grad(self) -> ArrayLike:
        r"""The NTK of the layer's own biases. Unless stated it is `bias`."""
        return self.bias()

    def left(self) -> "AbstractMixing":
        """The mixing between the inputs on the left and themselves."""
        return self

    def right(self) -> "AbstractMixing":
        """The mixing between the inputs on the right and themselves."""
        return self


def layer(K: Covariances, *, dual: AbstractDual, mix: AbstractMixing) -> Covariances:
    r"""One layer of the recursion: a nonlinearity, then a random linear map.

    .. math:: \Sigma^{l+1} = \mathcal M[\phi(\Sigma^l)] + \sigma_b^2, \qquad
              \Theta^{l+1} = \mathcal G[\phi(\Sigma^l)] + \sigma_b^2
                             + \mathcal M[\dot\phi(\Sigma^l) \odot \Theta^l]

    Args:
        K: the covariances before the layer.
        dual: the nonlinearity.
        mix: the random linear map.

    Cost: two elementwise passes of the dual and three calls of the mixing over the pairs.
    Source: jacot2018neural for the dense mixing; derived for the others.
    """
    return affine(activate(K, dual=dual), mix=mix)


def layers(
    K: Covariances, count: int, *, dual: AbstractDual, mix: AbstractMixing, unroll: int = 1
) -> Covariances:
    r"""So many layers alike, one after the other.

    Under a transformation they are a loop: XLA would merge them, in time exponential in `count`.

    Args:
        K: the covariances before the first.
        count: the number of layers.
        dual: their nonlinearity.
        mix: their random linear map.
        unroll: how many of them XLA may merge; worth it where a dual is sums and products alone.

    Cost: that of `layer`, `count` times.
    Source: jacot2018neural.
    """
    step = partial(layer, dual=dual, mix=mix)
    if concrete(*jax.tree.leaves((K, dual, mix))) or count < 2:
        return reduce(lambda K, _: step(K), range(count), K)
    K = jax.tree.map(lambda k, after: k.astype(after.dtype), K, jax.eval_shape(step, K))
    looped: Covariances = jax.lax.fori_loop(0, count, lambda _, K: step(K), K, unroll=unroll)
    return looped


def activate(K: Covariances, *, dual: AbstractDual) -> Covariances:
    r"""The covariances after a pointwise nonlinearity.

    .. math:: \Sigma \leftarrow \phi(\Sigma), \qquad \Theta \leftarrow \dot\phi(\Sigma) \odot \Theta

    Args:
        K: the covariances before it.
        dual: the nonlinearity.

    Cost: two elementwise passes over the pairs.
    Source: jacot2018neural.
    """
    return _activate(K, dual)


@eqx.filter_jit  # one compilation, where each operation would have its own
def _activate(K: Covariances, dual: AbstractDual) -> Covariances:
    # Rounded once: a compiler that computes Sigma and its diagonal apart makes them differ, and
    # the dual of ReLU, read where they are equal, jumps.
    K = jax.lax.optimization_barrier(K)  # type: ignore[no-untyped-call]
    v1, v2 = variances(K)
    if K.sites == "diagonal":
        s11, s22 = v1[:, None], v2[None, :]
    else:
        s11, s22 = v1[:, None, :, None], v2[None, :, None, :]
    if K.gap is not None and isinstance(dual, AbstractGapDual):
        Sigma, Sigma_dot, gap = dual.near(s11, K.Sigma, s22, K.gap)
    else:
        (Sigma, Sigma_dot), gap = both_duals(dual, s11, K.Sigma, s22), None
    return Covariances(
        Sigma=Sigma,
        Theta=Sigma_dot * K.Theta,
        left=_activate_self(K.left, v1, dual),
        right=_activate_self(K.right, v2, dual),
        sites=K.sites,
        gap=gap,
    )


def both_duals(dual: AbstractDual, s11: Array, s12: Array, s22: Array) -> tuple[Array, Array]:
    """`phi` and `derivative`, each in one pass: XLA would store what they share, which is slower.

    Args:
        dual: the nonlinearity.
        s11: variances of one side.
        s12: covariances.
        s22: variances of the other side.

    Cost: one elementwise pass each.
    Source: derived.
    """
    again = jax.lax.optimization_barrier((s11, s12, s22))  # type: ignore[no-untyped-call]
    return dual.phi(s11, s12, s22), dual.derivative(*again)


def affine(K: Covariances, *, mix: AbstractMixing) -> Covariances:
    r"""The covariances after a random linear map, whose own weights are trained too.

    .. math:: \Sigma \leftarrow \mathcal M[\Sigma] + \sigma_b^2, \qquad
              \Theta \leftarrow \mathcal G[\Sigma] + \sigma_b^2 + \mathcal M[\Theta]

    The first layer of a network is this map alone, from the inputs' Gram matrix and Theta = 0.

    Args:
        K: the covariances before it.
        mix: the random linear map.

    Cost: three calls of the mixing over the pairs.
    Source: jacot2018neural for the dense mixing; derived for the others.
    """
    return _affine(K, mix)


@eqx.filter_jit
def _affine(K: Covariances, mix: AbstractMixing) -> Covariances:
    left, right = mix.left(), mix.right()
    return Covariances(
        Sigma=mix.mix(K.Sigma) + mix.bias(),
        Theta=mix.grad(K.Sigma) + mix.bias_grad() + mix.mix(K.Theta),
        left=None if K.left is None else left.mix(K.left) + left.bias(),
        right=None if K.right is None else right.mix(K.right) + right.bias(),
        sites=K.sites,
        # Linear in the covariances if one mixing acts on them all, and then the bias cancels.
        gap=mix.mix(K.gap) if K.gap is not None and left is right is mix else None,
    )


def variances(K: Covariances) -> tuple[Float[Array, "n *sites"], Float[Array, "m *sites2"]]:
    r"""The variances of both sides, :math:`\Sigma(x, x)` and :math:`\Sigma(x', x')`, site by site.

    Args:
        K: the covariances that hold them.

    Cost: none, they are read.
    Source: derived.
    """
    if K.left is None or K.right is None:
        own = jnp.moveaxis(jnp.diagonal(K.Sigma, axis1=0, axis2=1), -1, 0)
        left = right = own
    else:
        left, right = K.left, K.right
    if K.sites == "diagonal" or left.ndim == 2:
        return left, right
    return jnp.diagonal(left, axis1=1, axis2=2), jnp.diagonal(right, axis1=1, axis2=2)


def _activate_self(block: Array | None, v: Array, dual: AbstractDual) -> Array | None:
    """The dual of the covariances of one side's inputs with themselves."""
    if block is None:
        return None
    if block.ndim == v.ndim:
        return dual.phi(v, block, v)
    return dual.phi(v[:, :, None], block, v[:, None, :])
