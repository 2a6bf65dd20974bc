"""Networks on simplicial complexes: the kernel on edges and on complexes, and its finite twin."""

from typing import final, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from ntklib import _checks, _sandwich
from ntklib.cochains import Cochains, Readout, gram, read_out, two_cochains
from ntklib.dense import DenseMixing
from ntklib.duals import AbstractDual, Relu
from ntklib.propagation import Propagation, SimplicialMixing, operators
from ntklib.recursion import Kernels, affine, layer


@final
class Convention(eqx.Module):
    """Where a simplicial network propagates, and how it scales its features.

    `Convention(prop_first=False, feat_div=False)` is the author's scripts: they start from X X^T
    and then propagate `depth - 1` times, the last time in the read-out. The scripts have no factor
    on X X^T: divide X by `sigma_w`. `Convention(prop_last=False, feat_div=False)` is GNTK's order.

    Args:
        prop_first: does the first layer propagate?
        prop_last: does the last layer, the read-out, propagate? With `depth=1` both must say so.
        feat_div: is the features' Gram matrix divided by their number, X Y^T / d?

    Source: krishnagopal2026topological for the author's scripts; du2019graph for GNTK.
    """

    prop_first: bool = eqx.field(static=True, default=True, kw_only=True)
    prop_last: bool = eqx.field(static=True, default=True, kw_only=True)
    feat_div: bool = eqx.field(static=True, default=True, kw_only=True)


@final
class Simplicial(eqx.Module):
    r"""The TopoNTK, on edges and on complexes: `Simplicial(depth=3)(Cochains.of([K], [X])).ntk`.

    .. math:: \Sigma^1 = \Theta^1 = \sigma_w^2 P X Y^\top Q^\top / d + \sigma_b^2, \qquad
              \Sigma^{l+1} = \sigma_w^2 P \phi(\Sigma^l) Q^\top + \sigma_b^2, \qquad
              \Theta^{l+1} = \Sigma^{l+1}
                             + \sigma_w^2 P (\dot\phi(\Sigma^l) \odot \Theta^l) Q^\top

    between features X on a complex with propagation P and features Y on one with Q. Separate
    channels replace P M Q^T by the sum of P_c M Q_c^T.

    Orientation. If features are cochains (flows) and edges are flipped, X -> D X, then Theta ->
    D Theta D exactly, but only for an odd (or linear) activation *and* `sigma_b=0`: a bias is a
    constant cochain, which has an orientation. With ReLU, or with a bias, results depend on the
    arbitrary orientation. Remedies: an odd activation without bias; `operator="absolute"` or
    "adjacency" with features that have no sign; or one orientation for all samples (low to high),
    and results are then relative to it. Features that do not flip are no remedy.

    Hodge structure. Signed P commute with the Hodge projectors; the kernel does so only for a
    linear activation and features with X X^T that commutes (X = I). ReLU kernels have no exact
    block structure.

    Expressivity. Complexes that differ only in their filled triangles can have equal kernels:
    with `upper=0`, and with linear activation and gradient features X = B_1^T F.

    Complexes. Compare two complexes by this kernel between them: it is positive semidefinite over
    any collection. The sample kernel x^T (K_i + K_j) x / 2 of the author's script, made of each
    complex's kernel with itself, is of rank 2 and indefinite.

    Args:
        depth: number of weight layers, L + 1; a linear model is `depth=1`.
        propagation: the operator P of a complex.
        readout: "edges" keeps one row an edge, complex after complex; "sum" and "mean" make one
            output of each complex, r^T Theta r with r = 1 or 1/E.
        convention: where to propagate, and the scale of the features.
        dual: the nonlinearity between the layers.
        sigma_w: standard deviation of the weights; sqrt(2) is He initialisation, for ReLU.
        sigma_b: standard deviation of the biases.

    Raises:
        ValueError: if `depth` is below 1, a standard deviation is negative or `readout` unknown.

    Cost: O(n m channels depth E^3) time, O(n m E^2) memory for n and m complexes of E edges. Pass
    a few complexes at a time as `x1` where that is too much. On a CPU, for large complexes whose
    operators have few entries a row, k, O(n m channels depth E^2 k): never a dense operator.
    Source: krishnagopal2026topological for the recursion on one complex, without bias, as the
    author's code has it; derived for the others.
    """

    depth: int = eqx.field(static=True)
    propagation: Propagation = eqx.field(default_factory=Propagation)
    readout: Readout = eqx.field(static=True, default="edges", kw_only=True)
    convention: Convention = eqx.field(default_factory=Convention, kw_only=True)
    dual: AbstractDual = eqx.field(default_factory=Relu, kw_only=True)
    sigma_w: ArrayLike = eqx.field(default=2**0.5, converter=_checks.number, kw_only=True)
    sigma_b: ArrayLike = eqx.field(default=0.0, converter=_checks.number, kw_only=True)

    def __check_init__(self) -> None:
        problems = _checks.at_least_one("depth", self.depth, "A linear model is `depth=1`.")
        problems += _checks.deviation("sigma_w", self.sigma_w)
        problems += _checks.deviation("sigma_b", self.sigma_b)
        if self.readout not in get_args(Readout):
            problems.append(f"`readout` must be one of {get_args(Readout)}, got {self.readout!r}.")
        _checks.refuse(problems)

    def __call__(self, x1: Cochains, x2: Cochains | None = None) -> Kernels:
        r"""Both kernels between the complexes of `x1` and `x2`, or of `x1` and itself.

        .. math:: K_{ij} = K(x_{1,i}, x_{2,j}) \quad \text{(edges or complexes)}

        Args:
            x1: features on complexes.
            x2: others. Without them the result is the symmetric Gram matrix.

        Raises:
            ValueError: if an argument is not `Cochains` or the features differ.

        Cost: as the class says; self-covariances once for each complex.
        Source: derived.
        """
        two_cochains(x1, x2)
        return _sandwich.through(self, x1, x2)

    def _recursion(self, x1: Cochains, x2: Cochains | None) -> Kernels:
        other = x1 if x2 is None else x2
        P = _operators(x1, self.propagation)
        Q = P if x2 is None else _operators(other, self.propagation)
        over = SimplicialMixing(P, Q, self.sigma_w, self.sigma_b)
        K = gram(x1, x2, self.convention.feat_div)
        for index, propagates in enumerate(self._propagates()):
            mix = over if propagates else DenseMixing(self.sigma_w, self.sigma_b)
            K = affine(K, mix=mix) if index == 0 else layer(K, dual=self.dual, mix=mix)
        nngp, ntk = (read_out(block, x1, other, self.readout) for block in (K.Sigma, K.Theta))
        return Kernels(nngp=nngp, ntk=ntk)

    def _propagates(self) -> list[bool]:
        """Which layers propagate."""
        first, last = self.convention.prop_first, self.convention.prop_last
        return [(first or i > 0) and (last or i < self.depth - 1) for i in range(self.depth)]

    def network(self, width: int, n_outputs: int = 1) -> "SimplicialNetwork":
        """The same architecture at finite width; its kernel tends to this one as `width` grows.

        Args:
            width: neurons in each hidden layer, n.
            n_outputs: outputs; each has the same kernel in the limit.

        Raises:
            ValueError: if either is below 1.

        Cost: none; parameters are drawn by `init`.
        Source: derived.
        """
        return SimplicialNetwork(self, width, n_outputs)


@final
class SimplicialNetwork(eqx.Module):
    r"""A simplicial network of finite width in the NTK parameterisation.

    .. math:: Z^1 = \frac{\sigma_w}{\sqrt d} \sum_c P_c X W_c^1 + \sigma_b b^1, \qquad
              Z^{l+1} = \frac{\sigma_w}{\sqrt n} \sum_c P_c \phi(Z^l) W_c^{l+1} + \sigma_b b^{l+1}

    All entries of W and b are drawn from N(0, 1) and all are trained. Shared channels have one
    operator and one W.

    Args:
        kernel: the infinitely wide network it approaches.
        width: neurons in each hidden layer, n.
        n_outputs: outputs of the last layer.

    Cost: O(E^2 width + E width^2) for each complex, channel and layer.
    Source: krishnagopal2026topological for shared channels without bias; derived for the others.
    """

    kernel: Simplicial
    width: int = eqx.field(static=True)
    n_outputs: int = eqx.field(static=True, default=1)

    def __check_init__(self) -> None:
        _checks.refuse(
            _checks.at_least_one("width", self.width, "It counts the neurons of a hidden layer.")
            + _checks.at_least_one("n_outputs", self.n_outputs, "A scalar function is 1.")
        )

    def init(self, key: PRNGKeyArray, n_features: int) -> list[dict[str, Array]]:
        """Draw the parameters: a list of layers, each with "W" (channels, fan-in, fan-out), "b".

        Args:
            key: the random key.
            n_features: features of an edge, d.

        Raises:
            ValueError: if `n_features` is below 1.

        Cost: O(channels width^2) a layer.
        Source: derived.
        """
        _checks.refuse(_checks.at_least_one("n_features", n_features, "It is `x.X.shape[-1]`."))
        widths = [n_features, *[self.width] * (self.kernel.depth - 1), self.n_outputs]
        many = 3 if self.kernel.propagation.channels == "separate" else 1
        params = []
        for index, propagates in enumerate(self.kernel._propagates()):
            key, key_W, key_b = jax.random.split(key, 3)
            W = jax.random.normal(key_W, (many if propagates else 1, *widths[index : index + 2]))
            params.append({"W": W, "b": jax.random.normal(key_b, widths[index + 1 : index + 2])})
        return params

    def apply(self, params: list[dict[str, Array]], x: Cochains) -> Float[Array, "rows outputs"]:
        """The network's outputs: a row for each edge, or for each complex if these are read out.

        Args:
            params: as drawn by `init`, or trained.
            x: features on complexes.

        Cost: O(E^2 width + E width^2) for each complex, channel and layer.
        Source: derived.
        """
        kernel, h = self.kernel, x.X
        P = _operators(x, kernel.propagation)
        for index, propagates in enumerate(kernel._propagates()):
            W, b = params[index]["W"], params[index]["b"]
            fan_in = 1 if index == 0 and not kernel.convention.feat_div else h.shape[-1]
            mixed = jnp.einsum("nud,cdh->ncuh", h, W)
            z = jnp.einsum("ncuv,ncvh->nuh", P, mixed) if propagates else mixed[:, 0]
            z = kernel.sigma_w / fan_in**0.5 * z + kernel.sigma_b * b
            h = kernel.dual.activation(z) if index < kernel.depth - 1 else z
        if kernel.readout == "edges":
            return h.reshape(-1, self.n_outputs)[x.kept()]
        return jnp.einsum("nu,nuo->no", x.weights(kernel.readout), h)


def _operators(x: Cochains, propagation: Propagation) -> Float[Array, "n channels edges edges"]:
    return operators(x.complexes, propagation, x.X.shape[1]).astype(x.X.dtype)
