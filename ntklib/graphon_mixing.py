"""What a pruned layer does to covariances that depend on the neuron's position."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, final

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ntklib.gap import same_inputs
from ntklib.graphon_nodes import Nodes, quadrature
from ntklib.graphons import AbstractGraphon
from ntklib.recursion import AbstractMixing, Covariances

Normalisation = Literal["none", "density", "fan_in"]


@final
class GraphonMixing(AbstractMixing):
    r"""A layer of masked random weights: it moves the covariance from sources to targets.

    .. math:: \mathcal M[C](u) = \sigma_w^2 \int \frac{W(u, v)}{\rho(u)} C(v) \, dv, \qquad
              \mathcal G[C](u) = \sigma_w^2 \int \frac{G(u, v)}{\rho(u)} C(v) \, dv

    The one mixing whose gradient may differ from it. The matrices hold the quadrature weights of
    the sources; a tuple of them is a product, so that a low rank stays low.

    Args:
        C: matrices (targets, ..., sources) of W / rho.
        G: matrices of G / rho. Without them the gradient is `masked`: G is W.
        sigma_w: standard deviation of the weights.
        sigma_b: standard deviation of the biases.

    Cost: O(t s) for each pair of inputs, O((t + s) r) at rank r.
    Source: derived.
    """

    C: tuple[Float[Array | np.ndarray, "_ _"], ...]
    G: tuple[Float[Array | np.ndarray, "_ _"], ...] | None
    sigma_w: ArrayLike
    sigma_b: ArrayLike = 0.0

    def mix(self, block: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.multiply(self.sigma_w**2, _through(self.C, block))

    def grad(self, block: Float[Array, "..."]) -> Float[Array, "..."]:
        factors = self.C if self.G is None else self.G
        return jnp.multiply(self.sigma_w**2, _through(factors, block))

    def bias(self) -> ArrayLike:
        return self.sigma_b**2

    def inputs(self, x1: Float[Array, "n d"], x2: Float[Array, "m d"] | None = None) -> Covariances:
        r"""The first layer: `affine` at Theta = 0 with the features as sites.

        .. math:: \Sigma^1(u) = \frac{\sigma_w^2}{d} \sum_j \frac{W(u, v_j)}{\rho(u)} x_j x'_j
                  + \sigma_b^2

        The products of the features, (n, m, d), are never formed.

        Args:
            x1: inputs, one a row.
            x2: other inputs. Without them the covariances are between `x1` and itself.

        Cost: O(n m d r) time and O(n (m + d) r) memory; r is 1 for a dense layer, else the targets.
        Source: derived.
        """
        other = x1 if x2 is None else x2

        def mixed(factors: tuple[Array | np.ndarray, ...], products: Array) -> Array:
            through = jnp.multiply(self.sigma_w**2, _through(factors[:-1], products))
            return jnp.add(through, self.bias())

        def between(factors: tuple[Array | np.ndarray, ...]) -> Array:
            rows = x1[:, None, :] * factors[-1]
            return mixed(factors, jnp.einsum("nrj,mj->nmr", rows, other, precision="highest"))

        def own(x: Array) -> Array:
            return mixed(self.C, jnp.sum(x[:, None, :] ** 2 * self.C[-1], axis=-1))

        Sigma = between(self.C)
        if x2 is None:  # the diagonal by sums of its own, which round less than a matrix product
            Sigma = jnp.where(same_inputs(Sigma.shape), own(x1)[:, None], Sigma)
        return Covariances(
            Sigma=Sigma,
            Theta=Sigma if self.G is None else between(self.G),
            left=None if x2 is None else own(x1),
            right=None if x2 is None else own(x2),
        )


def matrices(
    graphon: AbstractGraphon,
    *,
    targets: Nodes,
    sources: Nodes,
    scale: Float[Array | np.ndarray, " t"],
) -> tuple[Float[Array | np.ndarray, "_ _"], ...]:
    r"""The matrices of one layer, on the nodes of its targets and sources.

    .. math:: C_{ij} = \frac{W(u_i, v_j)}{\rho(u_i)} w_j

    Args:
        graphon: W, or G for the gradient.
        targets: where the layer ends.
        sources: where it starts, with weights w.
        scale: 1 / rho at the targets.

    Cost: O(t s), O((t + s) r) at rank r.
    Source: derived.
    """
    first, *rest = graphon.factors(targets.positions, sources.positions)
    *others, last = (scale[:, None] * first, *rest)
    return (*others, last * sources.weights)


def inverse_norm(
    W: AbstractGraphon,
    u: Float[np.ndarray, " t"],
    *,
    sources: Nodes,
    norm: Normalisation,
) -> Float[Array | np.ndarray, " t"]:
    r""":math:`1 / \rho(u)`, and 0 where nothing is kept: dead neurons divide nothing by zero.

    .. math:: \rho = 1, \qquad \rho = \iint W \, du \, dv, \qquad \rho(u) = \int W(u, v) \, dv

    Args:
        W: the graphon of the layer.
        u: positions of the targets.
        sources: where the layer starts; at the inputs the integral is the mean over features.
        norm: "none", "density" or "fan_in", in the formula's order.

    Cost: O(t s).
    Source: derived.
    """
    if norm == "none":
        return np.ones(u.size)
    if norm == "density":
        fine = quadrature(W.axes()[0])
        rho = fine.weights @ W(fine.positions, sources.positions) @ sources.weights
        rho = rho * np.ones(u.size)
    else:
        rho = W(u, sources.positions) @ sources.weights
    alive = rho > 0
    return jnp.where(alive, 1 / jnp.where(alive, rho, 1.0), 0.0)


def hidden_nodes(
    graphons: Sequence[AbstractGraphon], also: Sequence[AbstractGraphon] = ()
) -> list[Nodes]:
    """The nodes of each hidden layer: fine enough for the graphons on both of its sides.

    Args:
        graphons: one a weight layer.
        also: others that must be integrated on the same nodes, likewise.

    Cost: O(k), in NumPy.
    Source: derived.
    """
    stacks = [graphons, also] if also else [graphons]
    return [
        quadrature(*(axis for W in stacks for axis in (W[i].axes()[0], W[i + 1].axes()[1])))
        for i in range(len(graphons) - 1)
    ]


def path_density(graphons: Sequence[AbstractGraphon], *, output: float = 0.5) -> Float[Array, ""]:
    r"""The chance that a path, drawn at random back from the output, is kept on all layers.

    .. math:: t = \int \prod_{l \ge 2} W^l(u_l, u_{l-1}) \, du_1 \dots du_L, \qquad
              q^{l+1}(u) = \int W^{l+1}(u, v) \, q^l(v) \, dv

    For ReLU without bias, with a dense input layer, masked gradient and no normalisation, NNGP and
    NTK are t times the dense ones, whatever the graphons: they change no spectrum but by a factor.
    An input layer a(u) b(v) does the same to the dense kernel of inputs weighted by b. A bias,
    another activation, another input layer or the dense gradient break it.

    Args:
        graphons: of the layers that the path crosses; of a kernel, `kernel.graphons[1:]`.
        output: position of the output, in [0, 1].

    Cost: O(k^2) a layer.
    Source: derived.
    """
    start = quadrature(graphons[0].axes()[1])
    end = Nodes(np.array([float(output)]), np.ones(1))
    q = jnp.ones(start.positions.size)
    for W, (sources, targets) in zip(
        graphons, pairwise([start, *hidden_nodes(graphons), end]), strict=True
    ):
        q = W(targets.positions, sources.positions) @ (sources.weights * q)
    return q[0]


def _through(factors: Sequence[Array | np.ndarray], block: Array) -> Array:
    """The product of the matrices, applied to the last axis of `block`."""
    for factor in reversed(factors):
        block = jnp.matmul(block, factor.T, precision="highest")
    return block
