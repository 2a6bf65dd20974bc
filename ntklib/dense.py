"""Dense networks: the kernel of an infinitely wide one, and its finite twin."""

from itertools import pairwise
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from ntklib import _checks
from ntklib.duals import AbstractDual, Relu
from ntklib.recursion import AbstractMixing, Covariances, Kernels, affine, layer


@final
class DenseMixing(AbstractMixing):
    r"""A dense layer of random weights: it scales the covariance.

    .. math:: \mathcal M[C] = \sigma_w^2 C

    Args:
        sigma_w: standard deviation of the weights.
        sigma_b: standard deviation of the biases.

    Cost: one elementwise pass, usually fused away.
    Source: jacot2018neural.
    """

    sigma_w: ArrayLike
    sigma_b: ArrayLike = 0.0

    def mix(self, block: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.multiply(self.sigma_w**2, block)

    def bias(self) -> ArrayLike:
        return self.sigma_b**2


@final
class Dense(eqx.Module):
    r"""The kernels of an infinitely wide dense network: `Dense(depth=3)(x1, x2).ntk`.

    .. math:: \Sigma^1 = \Theta^1 = \sigma_w^2 \, x \cdot x' / d + \sigma_b^2, \qquad
              \Sigma^{l+1} = \sigma_w^2 \phi(\Sigma^l) + \sigma_b^2, \qquad
              \Theta^{l+1} = \Sigma^{l+1} + \sigma_w^2 \dot\phi(\Sigma^l) \odot \Theta^l

    Args:
        depth: number of weight layers, L + 1; a linear model is `depth=1`.
        dual: the nonlinearity between the layers.
        sigma_w: standard deviation of the weights; sqrt(2) is He initialisation, for ReLU.
        sigma_b: standard deviation of the biases.

    Raises:
        ValueError: if `depth` is below 1 or a standard deviation is negative.

    Cost: O(n m d + depth n m) time, O(n m) memory for n and m inputs of d features.
    Source: jacot2018neural.
    """

    depth: int = eqx.field(static=True)
    dual: AbstractDual = eqx.field(default_factory=Relu, kw_only=True)
    sigma_w: ArrayLike = eqx.field(default=2**0.5, converter=_checks.number, kw_only=True)
    sigma_b: ArrayLike = eqx.field(default=0.0, converter=_checks.number, kw_only=True)

    def __check_init__(self) -> None:
        _checks.refuse(
            _checks.at_least_one("depth", self.depth, "A linear model is `depth=1`.")
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
        Source: jacot2018neural.
        """
        _checks.two_tables(x1, x2)
        mix = DenseMixing(self.sigma_w, self.sigma_b)
        K = affine(_inputs(x1, x2), mix=mix)
        for _ in range(self.depth - 1):
            K = layer(K, dual=self.dual, mix=mix)
        return Kernels(nngp=K.Sigma, ntk=K.Theta)

    def network(self, width: int, n_outputs: int = 1) -> "DenseNetwork":
        """The same architecture at finite width; its kernel tends to this one as `width` grows.

        Args:
            width: neurons in each hidden layer, n.
            n_outputs: outputs; each has the same kernel in the limit.

        Raises:
            ValueError: if either is below 1.

        Cost: none; parameters are drawn by `init`.
        Source: jacot2018neural.
        """
        return DenseNetwork(self, width, n_outputs)


@final
class DenseNetwork(eqx.Module):
    r"""A dense network of finite width in the NTK parameterisation.

    .. math:: z^1 = \frac{\sigma_w}{\sqrt d} W^1 x + \sigma_b b^1, \qquad
              z^{l+1} = \frac{\sigma_w}{\sqrt n} W^{l+1} \phi(z^l) + \sigma_b b^{l+1}

    All entries of W and b are drawn from N(0, 1) and all are trained.

    Args:
        kernel: the infinitely wide network it approaches.
        width: neurons in each hidden layer, n.
        n_outputs: outputs of the last layer.

    Cost: O(n width^2) for n inputs.
    Source: jacot2018neural.
    """

    kernel: Dense
    width: int = eqx.field(static=True)
    n_outputs: int = eqx.field(static=True, default=1)

    def __check_init__(self) -> None:
        _checks.refuse(
            _checks.at_least_one("width", self.width, "It counts the neurons of a hidden layer.")
            + _checks.at_least_one("n_outputs", self.n_outputs, "A scalar function is 1.")
        )

    def init(self, key: PRNGKeyArray, n_features: int) -> list[dict[str, Array]]:
        """Draw the parameters: a list of layers, each with "W" (fan-in, fan-out) and "b".

        Args:
            key: the random key.
            n_features: features of the inputs, d.

        Raises:
            ValueError: if `n_features` is below 1.

        Cost: O(width^2) a layer.
        Source: jacot2018neural.
        """
        hint = "It is the number of columns of `x`."
        _checks.refuse(_checks.at_least_one("n_features", n_features, hint))
        widths = [n_features, *[self.width] * (self.kernel.depth - 1), self.n_outputs]
        params = []
        for fan_in, fan_out in pairwise(widths):
            key, key_W, key_b = jax.random.split(key, 3)
            W = jax.random.normal(key_W, (fan_in, fan_out))
            params.append({"W": W, "b": jax.random.normal(key_b, (fan_out,))})
        return params

    def apply(
        self, params: list[dict[str, Array]], x: Float[Array, "n d"]
    ) -> Float[Array, "n outputs"]:
        """The network's outputs, one row for each row of `x`.

        Args:
            params: as drawn by `init`, or trained.
            x: inputs, one a row.

        Cost: O(n width^2) a layer.
        Source: jacot2018neural.
        """
        sigma_w, sigma_b = self.kernel.sigma_w, self.kernel.sigma_b
        h = x
        for index, p in enumerate(params):
            z = sigma_w / h.shape[1] ** 0.5 * (h @ p["W"]) + sigma_b * p["b"]
            h = self.kernel.dual.activation(z) if index < len(params) - 1 else z
        return h


def _inputs(x1: Array, x2: Array | None) -> Covariances:
    """The inputs' Gram matrix x . x' / d, before any weights. Never in TF32, GPUs' default."""
    d = x1.shape[1]
    other = x1 if x2 is None else x2
    G = jnp.matmul(x1, other.T, precision="highest") / d
    left, right = (None, None) if x2 is None else (_squares(x1), _squares(x2))
    return Covariances(G, jnp.zeros_like(G), left, right)


def _squares(x: Array) -> Float[Array, " n"]:
    return jnp.sum(x**2, axis=1) / x.shape[1]
