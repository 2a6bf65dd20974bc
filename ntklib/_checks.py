"""What every public function asks of its arguments: the rule, what came, what to do."""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array


def refuse(problems: Iterable[str]) -> None:
    """Raise one `ValueError` that lists every problem, or return if there is none."""
    text = "\n".join(problems)
    if text:
        raise ValueError(text)


def at_least_one(name: str, value: int, hint: str) -> list[str]:
    """`name` counts something that there must be."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        return [f"`{name}` must be an integer, got {value!r}. {hint}"]
    return [] if value >= 1 else [f"`{name}` must be at least 1, got {value}. {hint}"]


def number(value: ArrayLike) -> ArrayLike:
    """A plain number as a Python float, which never widens float32 arrays; arrays as they are."""
    return float(value) if isinstance(value, int | float | np.generic) else value


def deviation(name: str, value: ArrayLike) -> list[str]:
    """`name` is a standard deviation: one number, finite and not negative (when concrete)."""
    if np.shape(value) != ():
        return [f"`{name}` must be one number, got shape {np.shape(value)}. Pass a scalar."]
    if isinstance(value, jax.core.Tracer) or (np.isfinite(value) and np.asarray(value) >= 0):
        return []
    hint = "It is a standard deviation, not a variance."
    return [f"`{name}` must be finite and not negative, got {value}. {hint}"]


def finite(name: str, value: ArrayLike, hint: str = "Pass a number.") -> list[str]:
    """`name` is one number of either sign, finite (when concrete)."""
    if np.shape(value) != ():
        return [f"`{name}` must be one number, got shape {np.shape(value)}. Pass a scalar."]
    if isinstance(value, jax.core.Tracer) or np.isfinite(np.asarray(value)):
        return []
    return [f"`{name}` must be finite, got {value}. {hint}"]


def share(name: str, value: float) -> list[str]:
    """`name` is the part of the weights that stays."""
    if 0 < value <= 1:
        return []
    hint = "It is the part that stays: 90 % sparsity is `keep=0.1`."
    return [f"`{name}` must lie in (0, 1], got {value}. {hint}"]


def parameterisation(name: str, base_width: int | None) -> list[str]:
    """The parameterisation has a name, and the standard one a base width."""
    if name not in ("ntk", "standard"):
        return [f"`parameterisation` must be 'ntk' or 'standard', got {name!r}. Pick one."]
    if name == "ntk" and base_width is None:
        return []
    hint = "It is the width of the network whose kernel is wanted, N."
    if name == "ntk":
        return [f"`base_width` must be left out of the NTK parameterisation, got {base_width}."]
    if base_width is None:
        return [f"`base_width` must be given in the standard parameterisation, got None. {hint}"]
    return at_least_one("base_width", base_width, hint)


def floats(name: str, x: Array | np.ndarray) -> list[str]:
    """`name` holds floating-point numbers, none of them NaN or infinite (when concrete)."""
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return [f"`{name}` must be floating point, got {x.dtype}. Use `{name}.astype(float)`."]
    if isinstance(x, jax.core.Tracer) or bool(np.isfinite(np.asarray(x)).all()):
        return []
    return [f"`{name}` must be finite, got NaN or infinity. Clean or drop those rows first."]


def rows(name: str, x: Array) -> list[str]:
    """`name` is a table: one input a row, at least one feature."""
    if x.ndim == 2 and x.shape[1] > 0:
        return floats(name, x)
    hint = f"One input is `{name}[None, :]`; flatten images first."
    return [f"`{name}` must have shape (inputs, features), got {x.shape}. {hint}"]


def two_tables(x1: Array, x2: Array | None) -> None:
    """Both sides of a kernel are tables over the same features."""
    problems = rows("x1", x1)
    if x2 is not None:
        problems += rows("x2", x2)
        if x1.ndim == 2 and x2.ndim == 2 and x1.shape[1] != x2.shape[1]:
            problems.append(
                f"`x1` and `x2` must have the same features, got {x1.shape[1]} and "
                f"{x2.shape[1]}. Rows are inputs, columns are features."
            )
    refuse(problems)


def one_row_each(f: Callable[[Any, Array], Array], params: Any, x: Array) -> None:
    """`f(params, x)` gives one row of outputs for each row of `x`."""
    refuse(floats("x", x) if x.ndim else ["`x` must have one row an input, got a scalar."])
    shape = jax.eval_shape(f, params, x).shape
    if len(shape) != 2 or shape[0] != x.shape[0]:
        hint = "A network with one output returns (n, 1): add `[:, None]`."
        raise ValueError(
            f"`f(params, x)` must have shape ({x.shape[0]}, outputs), got {shape}. {hint}"
        )


def floating_leaves(name: str, tree: Any) -> None:
    """Every leaf can be differentiated; the message names those that cannot."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    hint = "Split it off, as with `eqx.partition(params, eqx.is_inexact_array)`."
    if not leaves:
        raise ValueError(f"`{name}` must hold at least one array, got none.")
    refuse(
        f"`{name}{jax.tree_util.keystr(path)}` must be a floating-point array, "
        f"got {getattr(leaf, 'dtype', type(leaf).__name__)}. {hint}"
        for path, leaf in leaves
        if not jnp.issubdtype(getattr(leaf, "dtype", object), jnp.floating)
    )
