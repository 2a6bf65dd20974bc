"""Residual networks: skip connections, for any mixing, and the dense residual network."""

from collections.abc import Callable
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from ntklib import _checks
from ntklib.dense import Dense, DenseMixing
from ntklib.duals import AbstractDual, Relu
from ntklib.gap import inputs
from ntklib.recursion import Covariances, Kernels, affine, layer

_WEIGHT = "It weighs a block against its skip, 1."


def skip(
    K: Covariances,
    branch: Callable[[Covariances], Covariances],
    *,
    alpha: ArrayLike = 1.0,
) -> Covariances:
    r"""The covariances of :math:`h + \alpha B(h)`: a skip connection around a branch of layers.

    .. math:: \Sigma \leftarrow \Sigma + \alpha^2 B(\Sigma), \qquad
              \Theta \leftarrow \Theta + \alpha^2 B(\Theta)

    The branch must end with a linear layer of its own random weights (`layer` or `affine`, with
    any mixing): only then is it uncorrelated with `h`, so that the cross terms vanish. A branch
    that ends with `activate` gives a wrong kernel, and no error.

    Args:
        K: the covariances of h.
        branch: the layers that are skipped, from covariances to covariances of the same sites.
        alpha: weight of the branch; the skip has weight 1.

    Raises:
        ValueError: if the branch changes the sites, or `alpha` is not one finite number.

    Cost: that of the branch, and one elementwise pass.
    Source: derived.
    """
    _checks.refuse(_checks.finite("alpha", alpha, _WEIGHT))
    B = branch(K)
    if (B.sites, B.Sigma.shape) != (K.sites, K.Sigma.shape):
        raise ValueError(
            f"`branch` must keep the sites, got {B.sites} {B.Sigma.shape} from {K.sites} "
            f"{K.Sigma.shape}. Use stride 1 inside a skip, and pool after it."
        )
    if B.gap is None:  # a branch that cannot carry it
        K = eqx.tree_at(lambda K: K.gap, K, None, is_leaf=lambda leaf: leaf is None)
    # K + alpha^2 B, leaf by leaf: Sigma, Theta and, where they are carried, left, right, gap.
    total: Covariances = jax.tree.map(lambda k, b: k + jnp.multiply(alpha**2, b), K, B)
    return total


@final
class Residual(eqx.Module):
    r"""The kernels of an infinitely wide dense residual network: `Residual(depth=5)(x1, x2).ntk`.

    .. math:: \Sigma^{l+1} = \Sigma^l + \alpha^2 (\sigma_w^2 \phi(\Sigma^l) + \sigma_b^2), \qquad
              \Theta^{l+1} = \Theta^l + \alpha^2 (\sigma_w^2 \phi(\Sigma^l) + \sigma_b^2
                             + \sigma_w^2 \dot\phi(\Sigma^l) \odot \Theta^l)

    It is `Dense` with a skip around each hidden layer: a first linear layer, depth - 2 blocks
    h + alpha (dense layer of phi(h)), and a read-out, a dense layer of phi(h). `alpha=0` is
    `Dense(depth=2)`; the shape tends to that of `Dense(depth)` as `alpha` grows (ReLU, no bias).

    With `alpha` fixed the variance grows exponentially with depth, and the kernel becomes spiky;
    with alpha ~ depth^(-1/2) both settle. tirer2021kernel, huang2020deep and belfer2024spectral
    study such kernels; their blocks and read-outs may differ from this one.

    Args:
        depth: number of weight layers; up to `depth=2` there is no block to skip.
        alpha: weight of each block, against 1 for its skip.
        dual: the nonlinearity.
        sigma_w: standard deviation of the weights; sqrt(2) is He initialisation, for ReLU.
        sigma_b: standard deviation of the biases, inside the blocks too.

    Raises:
        ValueError: if `depth` is below 1, `alpha` is not finite, or a standard deviation is
            negative.

    Cost: O(n m d + depth n m) time, O(n m) memory for n and m inputs of d features.
    Source: derived.
    """

    depth: int = eqx.field(static=True)
    alpha: ArrayLike = eqx.field(default=1.0, converter=_checks.number, kw_only=True)
    dual: AbstractDual = eqx.field(default_factory=Relu, kw_only=True)
    sigma_w: ArrayLike = eqx.field(default=2**0.5, converter=_checks.number, kw_only=True)
    sigma_b: ArrayLike = eqx.field(default=0.0, converter=_checks.number, kw_only=True)

    def __check_init__(self) -> None:
        _checks.refuse(
            _checks.at_least_one("depth", self.depth, "A linear model is `depth=1`.")
            + _checks.finite("alpha", self.alpha, _WEIGHT)
            + _checks.deviation("sigma_w", self.sigma_w)
            + _checks.deviation("sigma_b", self.sigma_b)
        )

    def __call__(self, x1: Float[Array, "n d"], x2: Float[Array, "m d"] | None = None) -> Kernels:
        r"""Both kernels between the rows of `x1` and `x2`, or of `x1` and itself.

        .. math:: K_{ij} = K(x_{1,i}, x_{2,j})

        Args:
            x1: inputs, one a row.
            x2: other inputs. Without them the result is the symmetric Gram matrix.

        Raises:
            ValueError: if an array has not two axes, is not floating point or not finite, or the
                features differ.

        Cost: O(n m d + depth n m) time, O(n m) memory.
        Source: derived.
        """
        _checks.two_tables(x1, x2)
        mix = DenseMixing(self.sigma_w, self.sigma_b)

        def block(K: Covariances) -> Covariances:
            return layer(K, dual=self.dual, mix=mix)

        K = affine(inputs(x1, x2, dual=self.dual), mix=mix)
        for _ in range(self.depth - 2):
            K = skip(K, block, alpha=self.alpha)
        K = block(K) if self.depth > 1 else K
        return Kernels(nngp=K.Sigma, ntk=K.Theta)

    def network(self, width: int, n_outputs: int = 1) -> "ResidualNetwork":
        """The same architecture at finite width; its kernel tends to this one as `width` grows.

        Args:
            width: neurons in each hidden layer, n.
            n_outputs: outputs; each has the same kernel in the limit.

        Raises:
            ValueError: if either is below 1.

        Cost: none; parameters are drawn by `init`.
        Source: derived.
        """
        return ResidualNetwork(self, width, n_outputs)


@final
class ResidualNetwork(eqx.Module):
    r"""A dense residual network of finite width in the NTK parameterisation.

    .. math:: h^1 = \frac{\sigma_w}{\sqrt d} W^1 x + \sigma_b b^1, \qquad
              h^{l+1} = h^l + \alpha \Big( \frac{\sigma_w}{\sqrt n} W^{l+1} \phi(h^l)
              + \sigma_b b^{l+1} \Big), \qquad
              f = \frac{\sigma_w}{\sqrt n} W \phi(h) + \sigma_b b

    All entries of W and b are drawn from N(0, 1) and all are trained.

    Args:
        kernel: the infinitely wide network it approaches.
        width: neurons in each hidden layer, n.
        n_outputs: outputs of the last layer.

    Cost: O(n width^2) for n inputs.
    Source: derived.
    """

    kernel: Residual
    width: int = eqx.field(static=True)
    n_outputs: int = eqx.field(static=True, default=1)

    def __check_init__(self) -> None:
        _checks.refuse(
            _checks.at_least_one("width", self.width, "It counts the neurons of a hidden layer.")
            + _checks.at_least_one("n_outputs", self.n_outputs, "A scalar function is 1.")
        )

    def init(self, key: PRNGKeyArray, n_features: int) -> list[dict[str, Array]]:
        """Draw the parameters: those of a dense network, layers of "W" (fan-in, fan-out) and "b".

        Args:
            key: the random key.
            n_features: features of the inputs, d.

        Raises:
            ValueError: if `n_features` is below 1.

        Cost: O(width^2) a layer.
        Source: derived.
        """
        return Dense(self.kernel.depth).network(self.width, self.n_outputs).init(key, n_features)

    def apply(
        self, params: list[dict[str, Array]], x: Float[Array, "n d"]
    ) -> Float[Array, "n outputs"]:
        """The network's outputs, one row for each row of `x`.

        Args:
            params: as drawn by `init`, or trained.
            x: inputs, one a row.

        Cost: O(n width^2) a layer.
        Source: derived.
        """
        act, sigma_w, sigma_b = (
            self.kernel.dual.activation,
            self.kernel.sigma_w,
            self.kernel.sigma_b,
        )

        def dense(p: dict[str, Array], h: Array) -> Array:
            return jnp.add(sigma_w / h.shape[1] ** 0.5 * (h @ p["W"]), sigma_b * p["b"])

        first, *rest = params
        h = dense(first, x)
        for p in rest[:-1]:
            h = h + self.kernel.alpha * dense(p, act(h))
        return dense(rest[-1], act(h)) if rest else h
