"""Dense networks: the kernel of an infinitely wide one, and its finite twin."""

from itertools import pairwise
from typing import Literal, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from ntklib import _checks, _in_cache
from ntklib._erf import moderate_or_not
from ntklib._zonal import evaluated, zonal
from ntklib.duals import AbstractDual, Erf, Relu
from ntklib.gap import inputs
from ntklib.recursion import AbstractMixing, Kernels, affine, layers


@final
class DenseMixing(AbstractMixing):
    r"""A dense layer of random weights: it scales the covariance.

    .. math:: \mathcal M[C] = \sigma_w^2 C, \qquad
              \mathcal G[C] = \sigma_w^2 C \;\text{(NTK)} \quad\text{or}\quad
              N C \;\text{(standard)}

    Args:
        sigma_w: standard deviation of the weights.
        sigma_b: standard deviation of the biases.
        fan_in: N of the standard parameterisation, in which the NTK of the biases is 1.

    Cost: one elementwise pass, usually fused away.
    Source: jacot2018neural; derived for the standard parameterisation.
    """

    sigma_w: ArrayLike
    sigma_b: ArrayLike = 0.0
    fan_in: int | None = eqx.field(static=True, default=None)

    def mix(self, block: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.multiply(self.sigma_w**2, block)

    def bias(self) -> ArrayLike:
        return self.sigma_b**2

    def grad(self, block: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.mix(block) if self.fan_in is None else self.fan_in * block

    def bias_grad(self) -> ArrayLike:
        return self.bias() if self.fan_in is None else 1.0


@final
class Dense(eqx.Module):
    r"""The kernels of an infinitely wide dense network: `Dense(depth=3)(x1, x2).ntk`.

    .. math:: \Sigma^1 = \Theta^1 = \sigma_w^2 \, x \cdot x' / d + \sigma_b^2, \qquad
              \Sigma^{l+1} = \sigma_w^2 \phi(\Sigma^l) + \sigma_b^2, \qquad
              \Theta^{l+1} = \Sigma^{l+1} + \sigma_w^2 \dot\phi(\Sigma^l) \odot \Theta^l

    In the standard parameterisation the weights themselves have variance sigma_w^2 / N, the biases
    sigma_b^2. The NNGP kernel is the same, and

    .. math:: \Theta^{l+1} = N \phi(\Sigma^l) + 1 + \sigma_w^2 \dot\phi(\Sigma^l) \odot \Theta^l

    with N = d and x . x' / d in the first layer. Wide layers alone would let N diverge; the limit
    keeps the `base_width` N and multiplies the width by s, the layers' sums by s^(-1/2). At s = 1
    it is the network of most libraries. Its biases are trained, hence the 1, even from sigma_b = 0.

    Args:
        depth: number of weight layers, L + 1; a linear model is `depth=1`.
        dual: the nonlinearity between the layers.
        sigma_w: standard deviation of the weights; sqrt(2) is He initialisation, for ReLU.
        sigma_b: standard deviation of the biases.
        parameterisation: which learning rates the layers have, "ntk" or "standard".
        base_width: neurons N of a hidden layer whose kernel is wanted; only for "standard".

    Raises:
        ValueError: if `depth` is below 1, a standard deviation is negative, or `base_width` does
            not go with the parameterisation.

    Cost: O(n m d + depth n m) time, O(n m) memory for n and m inputs of d features.
    Source: jacot2018neural; sohldickstein2020infinite for the standard parameterisation, in the
    form its authors' library gives it; derived for its kernel.
    """

    depth: int = eqx.field(static=True)
    dual: AbstractDual = eqx.field(default_factory=Relu, kw_only=True)
    sigma_w: ArrayLike = eqx.field(default=2**0.5, converter=_checks.number, kw_only=True)
    sigma_b: ArrayLike = eqx.field(default=0.0, converter=_checks.number, kw_only=True)
    parameterisation: Literal["ntk", "standard"] = eqx.field(
        static=True, default="ntk", kw_only=True
    )
    base_width: int | None = eqx.field(static=True, default=None, kw_only=True)

    def __check_init__(self) -> None:
        _checks.refuse(
            _checks.at_least_one("depth", self.depth, "A linear model is `depth=1`.")
            + _checks.deviation("sigma_w", self.sigma_w)
            + _checks.deviation("sigma_b", self.sigma_b)
            + _checks.parameterisation(self.parameterisation, self.base_width)
        )

    def _mixing(self, fan_in: int | None) -> DenseMixing:
        return DenseMixing(
            self.sigma_w, self.sigma_b, None if self.parameterisation == "ntk" else fan_in
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
        return _in_cache.through(self, x1, x2)

    def _tile(self, x1: Array, x2: Array | None) -> Kernels:
        """The same, where all but the inputs is known: its time may be independent of the depth."""
        series = zonal(self.dual, self.sigma_w, self.sigma_b, self.depth, x1.dtype)
        if series is not None and self.parameterisation == "ntk":
            return Kernels(*evaluated(series, inputs(x1, x2, dual=self.dual)))
        if isinstance(self.dual, Erf) and x1.dtype.itemsize < 8:  # in float64 it would not pay
            return moderate_or_not(self, x1, x2)
        return self._recursion(x1, x2)

    def _recursion(self, x1: Array, x2: Array | None, unroll: int = 1) -> Kernels:
        K = inputs(x1, x2, dual=self.dual)
        K = affine(K, mix=self._mixing(x1.shape[1]))
        mix = self._mixing(self.base_width)
        K = layers(K, self.depth - 1, dual=self.dual, mix=mix, unroll=unroll)
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
    r"""A dense network of finite width, in the parameterisation of its kernel.

    .. math:: z^1 = \frac{\sigma_w}{\sqrt d} W^1 x + \sigma_b b^1, \qquad
              z^{l+1} = \frac{\sigma_w}{\sqrt n} W^{l+1} \phi(z^l) + \sigma_b b^{l+1}

    All entries of W and b are drawn from N(0, 1) and all are trained. That is the NTK
    parameterisation; in the standard one, with s = n / N and N the base width, it is

    .. math:: z^1 = W^1 x + b^1, \qquad z^{l+1} = s^{-1/2} W^{l+1} \phi(z^l) + b^{l+1}, \qquad
              W^{l+1}_{ij} \sim N(0, \sigma_w^2 / N), \quad b_i \sim N(0, \sigma_b^2)

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
        params: list[dict[str, Array]] = []
        for fan_in, fan_out in pairwise(widths):
            key, key_W, key_b = jax.random.split(key, 3)
            W = jax.random.normal(key_W, (fan_in, fan_out))
            b = jax.random.normal(key_b, (fan_out,))
            if self.kernel.parameterisation == "standard":
                base = self._base() if params else fan_in
                W = jnp.multiply(self.kernel.sigma_w / base**0.5, W)
                b = jnp.multiply(self.kernel.sigma_b, b)
            params.append({"W": W, "b": b})
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
        h = x
        for index, p in enumerate(params):
            if self.kernel.parameterisation == "ntk":
                scale, bias = self.kernel.sigma_w / h.shape[1] ** 0.5, self.kernel.sigma_b
            else:
                scale, bias = (self._base() / self.width) ** 0.5 if index else 1.0, 1.0
            z = scale * (h @ p["W"]) + bias * p["b"]
            h = self.kernel.dual.activation(z) if index < len(params) - 1 else z
        return h

    def _base(self) -> int:
        return self.kernel.base_width or self.width
