"""Empirical NTKs of networks of finite width, with all pairs of 10 outputs."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.exact import Array
from benchmarks.plan import NEURAL_TANGENTS, Peer, Row

CORNER = 2  # inputs whose numbers are compared
OUTPUTS = 10
JACREV = Peer("plain jacrev", "jacrev")
Params = list[tuple[Any, Any]]


def shapes(network: str, width: int) -> list[tuple[int, ...]]:
    """Shapes of the weights: 784 features and two hidden layers, or three convolutions of 3 x 3."""
    if network == "mlp":
        return [(784, width), (width, width), (width, OUTPUTS)]
    return [(3, 3, 3, width), *[(3, 3, width, width)] * 2, (width, OUTPUTS)]


def inputs(network: str, n: int, width: int, dtype: str) -> tuple[Params, Array]:
    """Parameters in He initialisation and normal inputs: of 784 features, or 16 x 16 pixels."""
    rng, params = np.random.default_rng(0), []
    for shape in shapes(network, width):
        W = rng.standard_normal(shape) * (2 / np.prod(shape[:-1])) ** 0.5
        params.append((W.astype(dtype), 0.1 * rng.standard_normal(shape[-1]).astype(dtype)))
    x = rng.standard_normal((n, 784) if network == "mlp" else (n, 16, 16, 3))
    return params, x.astype(dtype)


def apply(params: Params, x: Any) -> Any:
    """The network, as anybody writes it."""
    import jax
    import jax.numpy as jnp

    *hidden, (W_out, b_out) = params
    for W, b in hidden:
        if W.ndim == 2:
            x = jnp.maximum(x @ W + b, 0)
        else:
            layout = ("NHWC", "HWIO", "NHWC")
            z = jax.lax.conv_general_dilated(x, W, (1, 1), "SAME", dimension_numbers=layout)
            x = jnp.maximum(z + b, 0)
    h = x if x.ndim == 2 else x.mean(axis=(1, 2))
    return h @ W_out + b_out


def ours(network: str, n: int, width: int, dtype: str) -> Callable[[], Any]:
    """The public call, under jit."""
    import jax

    import ntklib

    params, x = jax.tree.map(jax.numpy.asarray, inputs(network, n, width, dtype))
    ntk = jax.jit(lambda params, x: ntklib.empirical_ntk(apply, params, x, outputs="full"))
    return lambda: ntk(params, x).block_until_ready()


def contract(params: Params, x: Any) -> Any:
    """The Jacobian of every output with respect to every parameter, times its transpose."""
    import jax
    import jax.numpy as jnp

    J = jax.vmap(lambda row: jax.jacrev(lambda p: apply(p, row[None])[0])(params))(x)
    flat = (leaf.reshape(*leaf.shape[:2], -1) for leaf in jax.tree.leaves(J))
    return sum(jnp.einsum("iap,jbp->ijab", leaf, leaf, precision="highest") for leaf in flat)


def jacrev(network: str, n: int, width: int, dtype: str) -> Callable[[], Any]:
    """The definition, under jit."""
    import jax

    params, x = jax.tree.map(jax.numpy.asarray, inputs(network, n, width, dtype))
    ntk = jax.jit(contract)
    return lambda: ntk(params, x).block_until_ready()


def neural_tangents(network: str, n: int, width: int, dtype: str) -> Callable[[], Any]:
    """Its default, Jacobian contraction; structured derivatives need a JAX before 0.4.26."""
    import jax
    import neural_tangents

    params, x = jax.tree.map(jax.numpy.asarray, inputs(network, n, width, dtype))
    kernel = neural_tangents.empirical_ntk_fn(lambda p, x: apply(p, x), trace_axes=())
    ntk = jax.jit(lambda params, x: kernel(x, None, params))
    return lambda: ntk(params, x).block_until_ready()


def check(result: Any) -> Array:
    """The corner that `exact` computes."""
    return np.asarray(result[:CORNER, :CORNER])


def exact(network: str, n: int, width: int, dtype: str) -> Array:
    """The definition in float64, at the parameters and inputs as rounded."""
    params, x = inputs(network, n, width, dtype)
    wide = [(W.astype(float), b.astype(float)) for W, b in params]
    return np.asarray(contract(wide, x[:CORNER].astype(float)))


def work(network: str, n: int, width: int, dtype: str) -> dict[str, float]:
    """For each layer the product of all pairs' activations, or for pixels of their gradients."""
    flops = 0.0
    for *fan_in, fan_out in shapes(network, width):
        if network == "mlp" or len(fan_in) == 1:
            flops += 2.0 * n * n * fan_in[-1] + 2.0 * (n * OUTPUTS) ** 2 * fan_out
        else:
            parameters = float(np.prod(fan_in)) * fan_out
            flops += 2 * n * OUTPUTS * 256 * parameters + 2 * (n * OUTPUTS) ** 2 * parameters
    return {"flops": flops}


_MLP = {"network": "mlp", "n": 64, "width": 512, "dtype": "float32"}
_CNN = {"network": "cnn", "n": 32, "width": 32, "dtype": "float32"}
_SMALL = {"n": 4, "width": 16}
_NAME = "empirical NTK of an MLP 784-512-512-10, n = 64, float32"
ROWS = (
    Row(_NAME, "empirical", JACREV, _MLP, _SMALL, {"ratio": 300}),
    Row(_NAME, "empirical", NEURAL_TANGENTS, _MLP, _SMALL, {"ratio": 50}),
    Row(
        "empirical NTK of a CNN, three layers of 32 channels, 16 x 16, n = 32, float32",
        "empirical",
        NEURAL_TANGENTS,
        _CNN,
        _SMALL,
        {"ratio": 1.5},
    ),
)
GROWTHS = ()
