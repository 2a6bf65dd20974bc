"""Break ntklib on purpose, one line at a time: every notebook that it affects must fail.

    python tests/mutations.py [MUTATION ...] [NOTEBOOK ...]     (make mutations)

First every notebook runs with all the lines marked and none changed, which says which lines it
reaches. Then each mutation runs in the notebooks that reach it. It affects a notebook if a claim's
number changes, and survives if all claims still stand. Exit status 1 if one survives, or if no
notebook catches it. All of them take about half an hour on two cores.
"""

import ast
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CLAIM = "application/vnd.ntklib.claim+json"


class Mutation(NamedTuple):
    """One wrong line: the file of ntklib, what stands there, and what is put in its place."""

    name: str
    file: str
    old: str
    new: str


MUTATIONS = [
    Mutation(
        "slope-of-relu",
        "duals.py",
        "return jnp.where(a.alive, a.opposite / (2 * jnp.pi), 0.0)",
        "return jnp.where(a.alive, a.opposite / jnp.pi, 0.0)",
    ),
    Mutation("slope-of-erf", "duals.py", "return 4 / jnp.pi / root", "return 2 / jnp.pi / root"),
    Mutation(
        "bias-of-dense",
        "dense.py",
        "        return self.sigma_b**2\n",
        "        return 0.0 * self.sigma_b\n",
    ),
    Mutation("chain-rule", "recursion.py", "Theta=Sigma_dot * K.Theta,", "Theta=K.Theta / 2,"),
    Mutation(
        "pooling",
        "convolution.py",
        'K = with_own_sites(K, self._pixels(x1, x2, "diagonal", take))',
        'K = self._pixels(x1, x2, "diagonal", take)',
    ),
    Mutation(
        "mean-of-layer-norm",
        "layer_norm.py",
        "self.dual.phi(s11, s12, s22) - self._means(s11, s22)",
        "self.dual.phi(s11, s12, s22)",
    ),
    Mutation(
        "shared-in-time",
        "recurrent.py",
        'lags = 1 if self.readout == "last" else steps',
        "lags = 1",
    ),
    Mutation("skip", "residual.py", "lambda k, b: k + jnp.multiply(alpha**2, b)", "lambda k, b: b"),
    Mutation(
        "graph-transposed",
        "aggregation.py",
        'right = jnp.matmul(block, jnp.swapaxes(self.P2, -1, -2), precision="highest")',
        'right = jnp.matmul(block, self.P2, precision="highest")',
    ),
    Mutation(
        "laplacians-exchanged",
        "propagation.py",
        "self.lower * lower, self.upper * upper])",
        "self.lower * upper, self.upper * lower])",
    ),
    Mutation(
        "graphon-weights",
        "graphon_mixing.py",
        "return (*others, last * sources.weights)",
        "return (*others, last)",
    ),
    Mutation(
        "hessian",
        "curvature.py",
        "Hv = jax.jvp(slope, (flat,), (v,))[1]",
        "Hv = jax.jvp(slope, (flat,), (v,))[0]",
    ),
    Mutation(
        "gauss-newton",
        "gauss_newton.py",
        "(at_x - y).reshape(-1)",
        "0.9 * (at_x - y).reshape(-1)",
    ),
    Mutation(
        "solve",
        "regression.py",
        "self.weights = cho_solve((self.factor, True), y)",
        "self.weights = cho_solve((self.factor, False), y)",
    ),
    Mutation(
        "sketch",
        "sketches.py",
        "jnp.asarray(np.sqrt(c), dtype=x.dtype)",
        "jnp.asarray(c, dtype=x.dtype)",
    ),
    Mutation("exploration", "bandits.py", "mean + bonus * deviation", "mean + 0 * deviation"),
    Mutation(
        "spread-of-ensemble",
        "ensembles.py",
        "variance = prior + jnp.sum(A * (AK - 2 * cross.nngp), axis=1)",
        "variance = prior + jnp.sum(A * (AK + 2 * cross.nngp), axis=1)",
    ),
]


def mutate(source: str, mutation: Mutation, *, marker: Path, change: bool) -> str:
    """`source`, the line marked and on demand changed; ValueError unless it stands there once."""
    if source.count(mutation.old) != 1:
        raise ValueError(
            f"'{mutation.old}' stands {source.count(mutation.old)} times in {mutation.file}, not "
            f"once: mend the mutation '{mutation.name}'."
        )
    line = source[: source.index(mutation.old)].count("\n") + 1
    statement = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0)
    ][-1]
    text = source.replace(mutation.old, mutation.new) if change else source
    lines = text.splitlines(keepends=True)
    mark = f"__import__('pathlib').Path({str(marker)!r}).touch()\n"
    lines.insert(statement.lineno - 1, " " * statement.col_offset + mark)
    return "".join(lines)


def run(
    notebook: str, mutations: list[Mutation], *, change: bool
) -> tuple[set[str], dict[str, float], str]:
    """Run one notebook on a marred ntklib: what it reached, the claims' numbers, and its error."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "ntklib", folder / "ntklib")
        for mutation in mutations:
            path = folder / "ntklib" / mutation.file
            marred = mutate(
                path.read_text("utf-8"), mutation, marker=folder / mutation.name, change=change
            )
            path.write_text(marred, encoding="utf-8")
        command = [sys.executable, "-m", "papermill", str(ROOT / "notebooks" / f"{notebook}.ipynb")]
        command += [str(folder / "out.ipynb"), "-k", "python3", "--no-progress-bar"]
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        subprocess.run(
            [*command, "--cwd", str(ROOT / "notebooks")], env=environment, capture_output=True
        )
        reached = {mutation.name for mutation in mutations if (folder / mutation.name).exists()}
        return reached, *_end(folder / "out.ipynb")


def _end(executed: Path) -> tuple[dict[str, float], str]:
    """The numbers of the claims that were made, and the error that stopped the notebook."""
    measured: dict[str, float] = {}
    for cell in json.loads(executed.read_text("utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                return measured, f"{output['ename']}: {output['evalue'].partition(chr(10))[0]}"
            if record := output.get("data", {}).get(CLAIM):
                measured[record["claim"]] = record["measured"]
    return measured, ""


def verdict(before: dict[str, float], after: dict[str, float], error: str) -> str:
    """ "caught", "survived", or "out of reach": no claim's number differs by a thousandth."""
    if error:
        return "caught"
    same = [math.isclose(after[claim], before[claim], rel_tol=1e-3) for claim in before]
    return "out of reach" if all(same) else "survived"


def main(*names: str) -> int:
    chosen = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    chosen = [notebook for notebook in chosen if notebook in names] or chosen
    mutations = [m for m in MUTATIONS if m.name in names] or MUTATIONS
    ends: list[str] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        marked = list(pool.map(lambda notebook: run(notebook, mutations, change=False), chosen))
        pairs = []
        for notebook, (reached, before, error) in zip(chosen, marked, strict=True):
            if error:
                raise SystemExit(f"{notebook} fails before anything is changed: {error}")
            pairs += [(m, notebook, before) for m in mutations if m.name in reached]
        for (mutation, notebook, before), (_, after, error) in zip(
            pairs, pool.map(lambda pair: run(pair[1], [pair[0]], change=True), pairs), strict=True
        ):
            ends.append(verdict(before, after, error))
            print(f"{mutation.name} in {notebook}: {ends[-1]} {error}".rstrip(), flush=True)
    survived = ends.count("survived")
    caught = {pair[0].name for pair, end in zip(pairs, ends, strict=True) if end == "caught"}
    print(f"{len(mutations)} mutations, {len(pairs)} runs, {survived} survived.")
    for name in sorted({m.name for m in mutations} - caught):
        print(f"{name}: no notebook catches this.")
    return 1 if survived or len(caught) < len(mutations) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
