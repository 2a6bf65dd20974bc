"""Empirical kernels from the backward pass: products of factors where a Jacobian has them.

The derivative by the weights of a dense layer is the outer product of the layer's input x and the
cotangent c at its output. Its share of the kernel is then (x x') (c c'), and the Jacobian, far
larger than its factors, is never formed. A layer that is used at several positions t, such as a
convolution, sums such products over t. Other parameters keep their plain Jacobian.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import Literal as Constant
from jaxtyping import Array, Float

BUDGET = 2**27  # bytes for the derivatives of a block of rows, and for a block of the kernel
_TERMS, _PARTS = 256, 16  # of a sum: terms of a part, about, and parts, at most
CALLS = ("jit", "pjit", "closed_call", "checkpoint", "remat2")
REARRANGED = ("transpose", "reshape", "squeeze", "broadcast_in_dim", "reduce_sum")
SCALED: dict[str, Callable[..., Array]] = {
    "mul": jnp.multiply,
    "div": jnp.divide,
    "neg": jnp.negative,
}
LazyFactors = Callable[[], tuple[Array, Array]]


class Factors(NamedTuple):
    """One row's Jacobian by one array of parameters: `x.T @ c[a]`, in some order of its entries."""

    x: Float[Array, "t k"] | None  # without it, `c` is the Jacobian
    c: Float[Array, "outputs t f"]


class Pulled(NamedTuple):
    """A value of the backward pass that depends on the cotangent of the outputs."""

    whole: Callable[[], Array]
    factors: LazyFactors | None = None


def tangent_kernel(
    f: Callable[[Any, Array], Array],
    params: Any,
    x1: Float[Array, "n *features"],
    x2: Float[Array, "m *features"] | None,
    outputs: Literal["full", "trace"],
) -> Float[Array, "n m ..."]:
    """All pairs of outputs, (n, m, o, o), or their sum over equal outputs, (n, m)."""
    rows = functools.partial(jacobian, f, params)

    def pair(J1: list[Factors], J2: list[Factors]) -> Array:
        shares = [_share(a, b, outputs) for a, b in zip(J1, J2, strict=True)]
        return functools.reduce(jnp.add, shares)

    J = jax.eval_shape(rows, jnp.zeros(x1.shape[1:], x1.dtype))
    row_size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(J))
    kept = slice(2) if outputs == "full" else slice(1, 2)  # axes of c that a pair has twice
    pair_size = max(math.prod(leaf.c.shape[kept]) ** 2 * leaf.c.dtype.itemsize for leaf in J)
    block = max(1, min(BUDGET // max(1, row_size), math.isqrt(BUDGET // max(1, pair_size))))
    others = x1 if x2 is None else x2
    if max(x1.shape[0], others.shape[0]) <= block:
        J1 = jax.vmap(rows)(x1)
        J2 = J1 if x2 is None else jax.vmap(rows)(x2)
        kernel: Array = jax.vmap(jax.vmap(pair, (None, 0)), (0, None))(J1, J2)
        return kernel

    def row(a: Array) -> Array:
        J1 = rows(a)
        of_others: Array = jax.lax.map(lambda b: pair(J1, rows(b)), others, batch_size=block)
        return of_others

    blocks: Array = jax.lax.map(row, x1, batch_size=block)
    return blocks


def jacobian(
    f: Callable[[Any, Array], Array], params: Any, row: Float[Array, "*features"]
) -> list[Factors]:
    """The derivatives of one row's outputs by each array of parameters."""
    value, pull = jax.vjp(lambda p: f(p, row[None])[0], params)
    backward = jax.make_jaxpr(pull)(value)

    def one_output(cotangent: Array) -> tuple[list[Array | None], list[Array]]:
        ends = _evaluate(backward.jaxpr, backward.consts, [Pulled(lambda: cotangent)])
        factors = [_factored(end) for end in ends]
        return [x for x, _ in factors], [c for _, c in factors]

    x, c = jax.vmap(one_output, out_axes=(None, 0))(jnp.eye(value.shape[0], dtype=value.dtype))
    return [Factors(*both) for both in zip(x, c, strict=True)]


def _share(a: Factors, b: Factors, outputs: str) -> Array:
    """What one array of parameters adds to the kernel of two rows."""
    C = _product({"full": "atf,bsf->abts", "trace": "atf,asf->ts"}[outputs], a.c, b.c)
    if a.x is not None and b.x is not None:
        C = C * _product("tk,sk->ts", a.x, b.x)
    return C.sum((-2, -1))


def _product(subscripts: str, a: Array, b: Array) -> Array:
    """The sum over the last axis, in parts: one long sum rounds more. Not in TF32, as on GPUs."""
    length = a.shape[-1]
    count = min(-(-length // _TERMS), _PARTS)
    cuts = [length * part // count for part in range(1, count)]
    parts = zip(jnp.split(a, cuts, axis=-1), jnp.split(b, cuts, axis=-1), strict=True)
    products = (jnp.einsum(subscripts, *part, precision="highest") for part in parts)
    total: Array = functools.reduce(jnp.add, products)
    return total


def _factored(end: Any) -> tuple[Array | None, Array]:
    """The factors, where their products take less work than the Jacobian; else the Jacobian."""
    if not isinstance(end, Pulled):  # no output depends on these parameters
        return None, jnp.zeros((1, 0), end.dtype)
    if end.factors is None:
        return None, end.whole().reshape(1, -1)
    x, c = end.factors()
    (t, k), f = x.shape, c.shape[1]
    if t**2 * (k + f) <= k * f:
        return x, c
    return None, jnp.einsum("tk,tf->kf", x, c, precision="highest").reshape(1, -1)


def _evaluate(jaxpr: Any, consts: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """The results of the backward pass, seen through calls."""
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *inputs], strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Constant) else known[atom]

    for equation in jaxpr.eqns:
        values = [read(atom) for atom in equation.invars]
        if equation.primitive.name in CALLS:
            inner = equation.params["jaxpr"]  # closed, or without constants
            results = _evaluate(
                getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), values
            )
        else:
            variables = [atom for atom in equation.invars if not isinstance(atom, Constant)]
            parts = {"invars": variables, "outvars": equation.outvars, "eqns": [equation]}
            results = _apply(jaxpr.replace(constvars=[], **parts), values)
        known.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(jaxpr: Any, values: list[Any]) -> list[Any]:
    """The results of a single equation; those that may have factors wait until they are needed."""
    (equation,) = jaxpr.eqns

    @functools.cache
    def results() -> list[Array]:
        inputs = [
            v.whole() if isinstance(v, Pulled) else v
            for v, atom in zip(values, equation.invars, strict=True)
            if not isinstance(atom, Constant)
        ]
        return jax.core.eval_jaxpr(jaxpr, (), *inputs)

    pulled = [index for index, v in enumerate(values) if isinstance(v, Pulled)]
    if not pulled:
        return results()
    factors = _factors(equation, values, pulled[0]) if len(pulled) == 1 else None
    if factors is not None:
        return [Pulled(lambda: results()[0], factors)]
    return [Pulled(functools.partial(lambda array: array, array)) for array in results()]


def _factors(equation: Any, values: list[Any], index: int) -> LazyFactors | None:
    """How to find the factors of a result, if it has any, from the one value that is pulled."""
    name, params, pulled = equation.primitive.name, equation.params, values[index]
    others = values[:index] + values[index + 1 :]
    if name in REARRANGED and equation.invars[0].aval.size == equation.outvars[0].aval.size:
        factors: LazyFactors | None = pulled.factors
        return factors
    if name in SCALED and pulled.factors and all(jnp.ndim(v) == 0 for v in others):
        return lambda: _scaled(pulled.factors(), SCALED[name], *others)
    if name == "dot_general" and not params["dimension_numbers"][1][0]:
        summed = params["dimension_numbers"][0]
        return lambda: (
            _flat(others[0], summed[1 - index]),
            _flat(pulled.whole(), summed[index]),
        )
    grouped = params.get("feature_group_count") != 1 or params.get("batch_group_count") != 1
    if name == "conv_general_dilated" and index == 1 and not grouped:
        return lambda: _windows(equation, others[0], pulled.whole())
    return None


def _scaled(
    factors: tuple[Array, Array], by: Callable[..., Array], *others: Array
) -> tuple[Array, Array]:
    x, c = factors
    return x, by(c, *others)


def _flat(array: Array, summed: Sequence[int]) -> Array:
    """The axes that are summed over as one, then all others as one."""
    free = [axis for axis in range(array.ndim) if axis not in summed]
    size = math.prod(array.shape[axis] for axis in summed)
    return array.transpose(*summed, *free).reshape(size, -1)


def _windows(equation: Any, x: Array, c: Array) -> tuple[Array, Array]:
    """The factors of a convolution of x by c: all windows of x, and c."""
    params, shape = equation.params, equation.outvars[0].aval.shape
    x_spec, c_spec, out_spec = params["dimension_numbers"]
    x, c = x.transpose(x_spec), c.transpose(c_spec)
    padding = zip(params["padding"], params["lhs_dilation"], strict=True)
    edges = [(low, high, by - 1) for (low, high), by in padding]
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), (0, 0, 0), *edges])
    steps = zip(params["window_strides"], params["rhs_dilation"], strict=True)
    for axis, (stride, by) in enumerate(steps, 2):
        starts = range(0, stride * shape[out_spec[axis]], stride)
        reach, place = (c.shape[axis] - 1) * by + 1, axis - c.ndim
        x = jnp.stack([jax.lax.slice_in_dim(x, k, k + reach, by, place) for k in starts])
    return _flat(x, range(x.ndim - c.ndim + 1, x.ndim)), _flat(c, range(1, c.ndim))
