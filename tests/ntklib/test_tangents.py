"""Products with the tangent kernel agree with the kernel; they never form the Jacobian."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

from ntklib.empirical import empirical_ntk
from ntklib.tangents import diagonal_ntk, ntk_operator


def dict_network(params: dict[str, dict[str, Any]], x: Any) -> Any:
    """Two layers, with parameters in a dict of dicts."""
    h = jnp.tanh(x @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"])
    return h @ params["Dense_1"]["kernel"]


def dict_params(width: int = 8) -> dict[str, dict[str, Any]]:
    k1, k2, k3 = jax.random.split(jax.random.key(0), 3)
    first = {"kernel": jax.random.normal(k1, (4, width)), "bias": jax.random.normal(k2, (width,))}
    return {"Dense_0": first, "Dense_1": {"kernel": jax.random.normal(k3, (width, 3))}}


def flax_module() -> tuple[Any, Any]:
    first, last = (linen.Dense(n, param_dtype=jnp.result_type(float)) for n in (8, 3))
    model = linen.Sequential([first, linen.tanh, last])
    return model.apply, model.init(jax.random.key(0), jnp.ones((1, 4)))


def equinox_module() -> tuple[Any, Any]:
    model = eqx.nn.MLP(4, 3, 8, 2, key=jax.random.key(1))
    params, static = eqx.partition(model, eqx.is_inexact_array)
    return lambda p, x: jax.vmap(eqx.combine(p, static))(x), params


def plain() -> tuple[Any, Any]:
    return lambda W, x: jnp.sin(x @ W) ** 2, jax.random.normal(jax.random.key(2), (4, 3))


NETWORKS = [flax_module, equinox_module, plain]


def inputs(n: int, seed: int) -> Any:
    return jax.random.normal(jax.random.key(seed), (n, 4))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.usefixtures("x64", "shapes")
def test_operator_is_the_kernel(network: Any, own: bool) -> None:
    f, params = network()
    x1, x2 = inputs(5, 3), None if own else inputs(6, 4)
    v = jax.random.normal(jax.random.key(5), (5 if own else 6, 3))
    full = empirical_ntk(f, params, x1, x2, outputs="full")
    expected = jnp.einsum("ijab,jb->ia", full, v)
    operator = ntk_operator(f, params, x1, x2)
    np.testing.assert_allclose(operator(v), expected, rtol=1e-11)
    np.testing.assert_allclose(jax.jit(operator)(v), expected, rtol=1e-11)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.usefixtures("x64", "shapes")
def test_diagonal_is_the_diagonal(network: Any) -> None:
    f, params = network()
    x1, x2 = inputs(5, 3), inputs(6, 4)
    full = empirical_ntk(f, params, x1, x2, outputs="full")
    diagonal = diagonal_ntk(f, params, x1, x2)
    np.testing.assert_allclose(diagonal, jnp.einsum("ijaa->ija", full), rtol=1e-11)
    traced = empirical_ntk(f, params, x1)
    np.testing.assert_allclose(diagonal_ntk(f, params, x1).mean(-1), traced, rtol=1e-11)


def test_by_hand() -> None:
    """f_a = w_a x: the gradient of output a with respect to w_b is x if a = b."""
    x = jnp.array([[1.0], [2.0]])
    f, w = (lambda w, x: x * w), jnp.array([3.0, 5.0, 7.0])
    expected = jnp.array([[1.0, 2.0], [2.0, 4.0]])
    np.testing.assert_array_equal(diagonal_ntk(f, w, x), jnp.stack([expected] * 3, -1))
    v = jnp.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    np.testing.assert_array_equal(ntk_operator(f, w, x)(v), expected @ v)


@pytest.mark.usefixtures("x64")
def test_conjugate_gradients_solve_kernel_regression() -> None:
    f, params = dict_network, dict_params()
    x, y = inputs(4, 3), inputs(4, 6)[:, :3]
    operator = ntk_operator(f, params, x)
    solution, _ = jax.scipy.sparse.linalg.cg(operator, y, tol=1e-12, maxiter=500)
    full = empirical_ntk(f, params, x, outputs="full")
    K = full.transpose(0, 2, 1, 3).reshape(12, 12)
    np.testing.assert_allclose(solution.ravel(), jnp.linalg.solve(K, y.ravel()), rtol=1e-7)


def test_jacobian_is_never_formed() -> None:
    """Working memory, as the compiler counts it, stays far below the Jacobian's."""
    params, x, v = dict_params(2000), inputs(64, 3), jnp.ones((64, 3))
    jacobian = 64 * 3 * sum(leaf.nbytes for leaf in jax.tree.leaves(params))

    def temporaries(product: Any) -> int:
        analysis = jax.jit(product).lower(params).compile().memory_analysis()
        return int(analysis.temp_size_in_bytes)

    activations = 64 * 2000 * 4  # the Jacobian is 24 times as large
    assert temporaries(lambda p: ntk_operator(dict_network, p, x)(v)) < 5 * activations
    assert jacobian == 24 * activations
    one_by_one = temporaries(lambda p: diagonal_ntk(dict_network, p, x))
    assert one_by_one < 0.7 * temporaries(lambda p: empirical_ntk(dict_network, p, x))


def test_errors() -> None:
    f, params = dict_network, dict_params()
    x = inputs(5, 3)
    with pytest.raises(ValueError, match=r"`v` must have shape \(5, 3\), got \(5,\)"):
        ntk_operator(f, params, x)(jnp.ones(5))
    counted = {**params, "steps": jnp.array(3)}
    for build in (ntk_operator, diagonal_ntk):
        with pytest.raises(ValueError, match=r"`params\['steps'\]` must be a floating-point array"):
            build(f, counted, x)
        with pytest.raises(ValueError, match=r"must have shape \(5, outputs\), got \(5,\)"):
            build(lambda p, x: f(p, x)[:, 0], params, x)
        with pytest.raises(ValueError, match="must be finite, got NaN"):
            build(f, params, x, x.at[0, 0].set(jnp.nan))
        with pytest.raises(ValueError, match="`params` must hold at least one array"):
            build(lambda p, x: x, {}, x)
