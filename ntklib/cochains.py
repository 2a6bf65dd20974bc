"""Features on the edges of simplicial complexes."""

from collections.abc import Sequence
from typing import Literal, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ntklib import _checks
from ntklib.complexes import SimplicialComplex
from ntklib.recursion import Covariances

Readout = Literal["edges", "sum", "mean"]


@final
class Cochains(eqx.Module):
    """Features on the edges of several complexes; `Cochains.of` builds it from lists.

    The complexes may differ in size: rows of `X` past a complex's edges are padding, which no
    kernel reads. Only `X` is an array; under jit the complexes are constants. `x[[0, 2]]` chooses.

    Args:
        complexes: n complexes.
        X: their features, one row an edge, (n, E, d), E edges in the largest.

    Raises:
        ValueError: if the shape does not fit the complexes, or `X` is not floating or not finite.

    Cost: O(n E d) memory.
    Source: derived.
    """

    complexes: tuple[SimplicialComplex, ...] = eqx.field(static=True)
    X: Float[Array, "n edges d"] = eqx.field(converter=jnp.asarray)

    def __check_init__(self) -> None:
        most = max((len(one.edges) for one in self.complexes), default=0)
        if self.X.ndim == 3 and self.X.shape[0] == len(self.complexes) and self.X.shape[1] >= most:
            _checks.refuse(_checks.floats("X", self.X))
            return
        hint = "Let `Cochains.of(complexes, features)` pad them."
        raise ValueError(
            f"`X` must have shape ({len(self.complexes)}, {most} or more, features), "
            f"got {self.X.shape}. {hint}"
        )

    @classmethod
    def of(
        cls, complexes: Sequence[SimplicialComplex], features: Sequence[Float[Array, "_ d"]]
    ) -> "Cochains":
        r"""Features on the edges of complexes: :math:`X_c \in R^{E_c \times d}` for each complex c.

        Args:
            complexes: one or more complexes.
            features: for each its features, one row an edge, (E_c, d).

        Raises:
            ValueError: if a complex has no features or the other way round, the rows are not its
                edges, the numbers of features differ, or they are not floating or not finite.

        Cost: O(n E d) for n complexes of at most E edges.
        Source: derived.
        """
        arrays = [jnp.asarray(X) for X in features]
        _checks.refuse(_misfits(complexes, arrays))
        most = max(len(one.edges) for one in complexes)
        padded = [jnp.pad(X, ((0, most - X.shape[0]), (0, 0))) for X in arrays]
        return cls(tuple(complexes), jnp.stack(padded))

    def __len__(self) -> int:
        return len(self.complexes)

    def __getitem__(self, rows: Sequence[int]) -> "Cochains":
        return Cochains(tuple(self.complexes[row] for row in rows), self.X[np.asarray(rows)])

    def weights(self, readout: Readout) -> Float[np.ndarray, "n edges"]:
        """The read-out r of each complex: ones ("sum") or 1/E ("mean") on its edges, 0 on padding.

        Cost: O(n E). Source: derived.
        """
        counts = np.array([[len(one.edges)] for one in self.complexes])
        ones = np.arange(self.X.shape[1]) < counts
        return np.asarray(ones / counts if readout == "mean" else ones, dtype=self.X.dtype)

    def kept(self) -> Int[np.ndarray, " rows"]:
        """The rows that are edges and not padding, complex after complex.

        Cost: O(n E). Source: derived.
        """
        return np.flatnonzero(self.weights("sum"))


def gram(x1: Cochains, x2: Cochains | None, feat_div: bool) -> Covariances:
    """The Gram matrices X Y^T (/ d) of all pairs of edges. Never in TF32, GPUs' default."""
    d = x1.X.shape[-1] if feat_div else 1
    other = x1 if x2 is None else x2
    G = jnp.einsum("nud,mvd->nmuv", x1.X, other.X, precision="highest") / d
    left, right = (None, None) if x2 is None else (_own(x1.X) / d, _own(x2.X) / d)
    nothing = 0.0 * G  # not a constant: under jit, XLA would multiply it by P while it compiles
    return Covariances(G, nothing, left, right, sites="full")


def _own(X: Array) -> Float[Array, "n edges edges"]:
    return jnp.einsum("nud,nvd->nuv", X, X, precision="highest")


def read_out(block: Array, x1: Cochains, x2: Cochains, readout: Readout) -> Float[Array, "n m"]:
    """From all pairs of edges to the kernel: without padding, or summed over each complex."""
    if readout == "edges":
        n, m, E, F = block.shape
        return block.transpose(0, 2, 1, 3).reshape(n * E, m * F)[np.ix_(x1.kept(), x2.kept())]
    r1, r2 = x1.weights(readout), x2.weights(readout)
    return jnp.einsum("nu,nmuv,mv->nm", r1, block, r2, precision="highest")


def two_cochains(x1: Cochains, x2: Cochains | None) -> None:
    """Both sides of a kernel are cochains with the same features."""
    sides = {"x1": x1} if x2 is None else {"x1": x1, "x2": x2}
    hint = "Build it with `Cochains.of(complexes, features)`."
    _checks.refuse(
        f"`{name}` must be Cochains, got {type(x).__name__}. {hint}"
        for name, x in sides.items()
        if not isinstance(x, Cochains)
    )
    if x2 is not None and x1.X.shape[-1] != x2.X.shape[-1]:
        raise ValueError(
            f"`x1` and `x2` must have the same features, got {x1.X.shape[-1]} and "
            f"{x2.X.shape[-1]}. Rows are edges, columns are features."
        )


def _misfits(complexes: Sequence[SimplicialComplex], arrays: list[Array]) -> list[str]:
    """What keeps the features from being features of these complexes."""
    problems = []
    if not complexes or len(complexes) != len(arrays):
        problems.append(
            f"`complexes` and `features` must be as many, at least one, got {len(complexes)} and "
            f"{len(arrays)}. One complex is `Cochains.of([K], [X])`."
        )
    for index, (one, X) in enumerate(zip(complexes, arrays, strict=False)):
        if X.ndim == 2 and X.shape[0] == len(one.edges) and X.shape[1] > 0:
            problems += _checks.floats(f"features[{index}]", X)
        else:
            problems.append(
                f"`features[{index}]` must have shape ({len(one.edges)}, features), got {X.shape}. "
                "Rows are the edges of the complex, in its order."
            )
    widths = sorted({X.shape[1] for X in arrays if X.ndim == 2})
    if len(widths) > 1:
        problems.append(f"`features` must have as many columns in each complex, got {widths}.")
    return problems
