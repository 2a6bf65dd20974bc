"""Networks with pruned layers: the Graphon NTK, and its finite twin."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from ntklib import _checks, _in_cache
from ntklib._pruned import pruned
from ntklib.duals import AbstractDual, Relu
from ntklib.graphon_layers import GraphonLayers, one_of
from ntklib.graphon_mixing import inverse_norm
from ntklib.graphons import AbstractGraphon
from ntklib.recursion import Kernels


@final
class GraphonKernel(eqx.Module):
    r"""The kernels of an infinitely wide pruned network: `GraphonKernel([W1, W2, W3])(x).ntk`.

    .. math:: \Sigma^1(u) = \frac{\sigma_w^2}{d} \sum_j \frac{W^1(u, v_j)}{\rho^1(u)} x_j x'_j
              + \sigma_b^2, \qquad
              \Sigma^{l+1}(u) = \sigma_w^2 \int \frac{W^{l+1}(u, v)}{\rho^{l+1}(u)}
              \phi(\Sigma^l(v)) \, dv + \sigma_b^2

    .. math:: \Theta^{l+1}(u) = \sigma_w^2 \int \frac{G^{l+1}(u, v)}{\rho^{l+1}(u)}
              \phi(\Sigma^l(v)) \, dv + \sigma_b^2 + \sigma_w^2
              \int \frac{W^{l+1}(u, v)}{\rho^{l+1}(u)} \dot\phi(\Sigma^l(v)) \Theta^l(v) \, dv

    A covariance depends on the neuron's position u. Theta^1 is Sigma^1 with G in place of W.

    A constant graphon c, masked, is sigma_w^2 -> c sigma_w^2 on its layer, for any nonlinearity.
    The factors c^(L+1) ("masked") and c^L ("dense") to the dense kernel need ReLU, no bias, and
    for "dense" the same c on all layers.

    With ReLU, no bias, a dense input layer and "masked", no graphon of the later layers changes
    the kernel's shape: it is `path_density` times the dense kernel.

    This is not the graphon limit of a graph network's kernel, whose graphon is the data.

    Args:
        layers: `GraphonLayers`, or just their graphons. Gradients, norms, ends: see there.
        dual: the nonlinearity between the layers.
        sigma_w: standard deviation of the weights; the paper has 1.
        sigma_b: standard deviation of the biases; the paper has none.

    Raises:
        ValueError: if a layer is no graphon or a standard deviation is negative.

    Cost: for n and m inputs and k nodes a layer, O(L k n m) duals and O(L k^2 n m) mixing (k r
    at rank r), O(k n m) memory; O(n m) on one CPU, where large calls run in tiles. Positions that
    cannot differ count as one node: all k in the case above, and those before the first graphon.
    Source: pham2025graphon for the idea and the law of the weights; derived for the formulas.
    """

    layers: GraphonLayers | Sequence[AbstractGraphon] = eqx.field(converter=lambda W: _layers(W))
    dual: AbstractDual = eqx.field(default_factory=Relu, kw_only=True)
    sigma_w: ArrayLike = eqx.field(default=2**0.5, converter=_checks.number, kw_only=True)
    sigma_b: ArrayLike = eqx.field(default=0.0, converter=_checks.number, kw_only=True)

    def __check_init__(self) -> None:
        _checks.refuse(
            _checks.deviation("sigma_w", self.sigma_w) + _checks.deviation("sigma_b", self.sigma_b)
        )

    def __call__(self, x1: Float[Array, "n d"], x2: Float[Array, "m d"] | None = None) -> Kernels:
        r"""Both kernels between the rows of `x1` and `x2`, or of `x1` and itself.

        .. math:: K_{ij} = K(x_{1,i}, x_{2,j})

        Args:
            x1: inputs, one a row.
            x2: other inputs. Without them the result is the symmetric Gram matrix.

        Raises:
            ValueError: if an array has not two axes, is not floating point or not finite, the
                features differ, or are too many for an exact mixture.

        Cost: as of the kernel object.
        Source: derived.
        """
        _checks.two_tables(x1, x2)
        dtype = x1.dtype if x2 is None else jnp.result_type(x1, x2)
        mixings = _layers(self.layers).mixings(
            x1.shape[1], sigma_w=self.sigma_w, sigma_b=self.sigma_b
        )
        network = pruned(mixings, self.dual, dtype)
        return _in_cache.through(network, x1, x2, entries=network.sites())

    def network(
        self, width: int, n_outputs: int = 1, *, weights: Literal["masks", "soft"] = "masks"
    ) -> "GraphonNetwork":
        """The same architecture at finite width; its kernel tends to this one as `width` grows.

        Args:
            width: neurons in each hidden layer, n.
            n_outputs: outputs, all at the kernel's output position.
            weights: "masks" samples them; "soft" scales Gaussian weights instead and has the same
                limit. The input layer is soft unless the kernel is a mixture: then it is masked.

        Raises:
            ValueError: if a number is below 1 or `weights` is unknown.

        Cost: none; parameters are drawn by `init`.
        Source: derived.
        """
        return GraphonNetwork(self, width, n_outputs, weights=weights)


@final
class GraphonNetwork(eqx.Module):
    r"""A pruned network of finite width in the NTK parameterisation.

    .. math:: z^l_i = \frac{\sigma_w}{\sqrt{n_{l-1} \rho^l_i}} \sum_j M^l_{ij} w^l_{ij}
              \phi(z^{l-1}_j) + \sigma_b b^l_i, \qquad
              M^l_{ij} \sim \mathrm{Bernoulli}(G^l(u_i, v_j))

    Hidden neuron i sits at (i - 1/2)/n. All w and b are trained, from b in N(0, 1) and w of
    variance W/G: 1 when "masked". With the "dense" gradient M is 1, and w starts as a mask times
    N(0, 1), or, soft, as N(0, W). Soft "masked" layers have the root of G in place of M. Where G
    is 0, W must be 0 too.

    Args:
        kernel: the infinitely wide network it approaches.
        width: neurons in each hidden layer, n.
        n_outputs: outputs, all at the kernel's output position, with masks of their own.
        weights: of the layers after the first, "masks" or "soft".

    Cost: O(n width^2) for n inputs.
    Source: pham2025graphon for weights in N(0, W); derived for the conventions.
    """

    kernel: GraphonKernel
    width: int = eqx.field(static=True)
    n_outputs: int = eqx.field(static=True, default=1)
    weights: Literal["masks", "soft"] = eqx.field(static=True, default="masks", kw_only=True)

    def __check_init__(self) -> None:
        _checks.refuse(
            _checks.at_least_one("width", self.width, "It counts the neurons of a hidden layer.")
            + _checks.at_least_one("n_outputs", self.n_outputs, "A scalar function is 1.")
            + one_of("weights", self.weights, ("masks", "soft"))
        )

    def init(self, key: PRNGKeyArray, n_features: int) -> list[dict[str, Array]]:
        r"""Draw the parameters: a list of layers, each with "W" (fan-in, fan-out), "b" and "mask".

        "mask" is M over the root of rho. It is not trained: `apply` gives it no gradient. Weight
        decay would still shrink it.

        Args:
            key: the random key.
            n_features: features of the inputs, d.

        Raises:
            ValueError: if `n_features` is below 1.

        Cost: O(width^2) a layer.
        Source: derived.
        """
        hint = "It is the number of columns of `x`."
        _checks.refuse(_checks.at_least_one("n_features", n_features, hint))
        layers = _layers(self.kernel.layers)
        places, Gs = layers.places(n_features), layers.gradients()
        hidden = (np.arange(self.width) + 0.5) / self.width
        output = np.full(self.n_outputs, layers.output)
        at = [places[0].positions, *[hidden] * (len(layers.graphons) - 1), output]
        params = []
        for i, (v, u) in enumerate(pairwise(at)):
            key, key_w, key_b = jax.random.split(key, 3)
            W = layers.graphons[i]
            V = W(u, v)
            soft = self.weights == "soft" if i else layers.masks == "average"
            mask, w = _draw(key_w, V, Gs[i](u, v) if Gs else V, soft)
            root = jnp.sqrt(inverse_norm(W, u, sources=places[i], norm=layers.normalisation))
            b = jax.random.normal(key_b, (u.size,))
            params.append({"W": w.T, "b": b, "mask": (root[:, None] * mask).T})
        return params

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
        sigma_w, sigma_b = self.kernel.sigma_w, self.kernel.sigma_b
        h = x
        for index, p in enumerate(params):
            W = jax.lax.stop_gradient(p["mask"]) * p["W"]
            z = sigma_w / h.shape[1] ** 0.5 * (h @ W) + sigma_b * p["b"]
            h = self.kernel.dual.activation(z) if index < len(params) - 1 else z
        return h


def _draw(key: PRNGKeyArray, V: Array, G: Array, soft: bool) -> tuple[Array, Array]:
    """A mask M with E[M^2] = G and weights w at the start, with E[(M w)^2] = V."""
    key_mask, key_start, key_w = jax.random.split(key, 3)
    ratio = jnp.where(G > 0, V / jnp.where(G > 0, G, 1.0), 0.0)
    w = jax.random.normal(key_w, V.shape)
    if soft:
        return jnp.sqrt(G), jnp.sqrt(ratio) * w
    mask = jax.random.bernoulli(key_mask, G).astype(w.dtype)
    start = jax.random.bernoulli(key_start, jnp.minimum(ratio, 1.0))
    return mask, jnp.sqrt(jnp.maximum(ratio, 1.0)) * start * w


def _layers(layers: Any) -> GraphonLayers:
    return layers if isinstance(layers, GraphonLayers) else GraphonLayers(layers)
