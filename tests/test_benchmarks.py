"""The benchmarks' baselines compute what ntklib computes; nothing is timed here."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import convolution, dense, empirical, graph, graphon, regression, simplicial
from benchmarks.__main__ import FAMILIES
from benchmarks.environment import VERSIONS
from benchmarks.exact import rounded
from benchmarks.measure import Runner, error, refuse_another_kernel
from benchmarks.plan import Row
from benchmarks.worker import Worker

PYTHON = Path(sys.executable)
MODULES = [import_module(f"benchmarks.{name}") for name in FAMILIES]
ROWS = [row for module in MODULES for row in module.ROWS]
F32: dict[str, Any] = {"dtype": "float32"}


def relative(a: Any, b: Any) -> float:
    value = error(np.asarray(a).tolist(), np.asarray(b).tolist())
    assert value is not None
    return value


@pytest.mark.parametrize("dual", ["relu", "erf"])
@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_dense(dual: str, bias: float) -> None:
    x = dense.inputs(7, 5, "float32", False)
    K = dense.ours(7, 5, 3, "float32", dual, bias)()
    assert relative(K, dense.recursion(x.astype(float), 3, dual, bias)) < 1e-6


def test_near_duplicates_are_near() -> None:
    x = dense.inputs(8, 5, "float32", True)
    gaps = np.linalg.norm(x[1:6] - x[0], axis=1) / np.linalg.norm(x[0])
    assert gaps[0] == 0 and (np.diff(gaps) > 0).all() and gaps[1] < 1e-3


def test_convolution() -> None:
    x = convolution.inputs(3, 4, "float32")
    K = convolution.ours(3, 4, 2, "float32")()
    assert relative(K, convolution.recursion(x.astype(float), 2)) < 2e-6


def test_graph_by_kronecker_products_and_by_two() -> None:
    graphs = graph.inputs(3, "float64")
    K = graph.gram(graphs, 2, graph.by_products)
    assert relative(graph.kronecker(3, 2, "float64")(), K) < 1e-6
    assert relative(graph.ours(3, 2, "float32")(), K) < 1e-3  # symmetric nodes: see ntklib.Graph


@pytest.mark.parametrize("bias", [0.0, 0.3])
@pytest.mark.parametrize("rank", [0, 2])
def test_graphon(rank: int, bias: float) -> None:
    sizes = {"n": 4, "K": 6, "hidden": 3, "rank": rank, "bias": bias, **F32}
    K = graphon.numpy(**{**sizes, "dtype": "float64"})()
    assert relative(graphon.ours(**sizes)(), K) < 1e-6
    if rank:
        assert relative(graphon.full(**sizes)(), K) < 1e-6


def test_simplicial() -> None:
    K = simplicial.csr(20, "float64")()
    assert relative(simplicial.ours(20, "float32")(), K) < 1e-5


@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_empirical(network: str) -> None:
    sizes = {"network": network, "n": 2, "width": 3, **F32}
    K = empirical.ours(**sizes)()
    assert relative(K, empirical.jacrev(**sizes)()) < 1e-5
    assert K.shape == (2, 2, empirical.OUTPUTS, empirical.OUTPUTS)


def test_regression_measures_the_residual() -> None:
    w = regression.cholesky(20, "float64")()
    assert relative(regression.check(w), regression.exact(20, "float64")) < 1e-10
    assert relative(regression.check(w * 1.001), regression.exact(20, "float64")) > 1e-4


def test_the_corner_that_is_compared_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (convolution, dense, graph, graphon, simplicial):
        if module is not simplicial:
            monkeypatch.setattr(module, "many_digits", lambda x: np.asarray(x, float))
    monkeypatch.setattr(simplicial, "many_digits", lambda x: np.asarray(x, float))
    x = dense.inputs(9, 5, "float64", False)
    whole = dense.check(dense.recursion(x, 2, "relu", 0.3))
    assert relative(whole, dense.exact(9, 5, 2, "float64", bias=0.3)) < 1e-7
    whole = convolution.check(convolution.recursion(convolution.inputs(4, 4, "float64"), 2))
    assert relative(whole, convolution.exact(4, 4, 2, "float64")) < 1e-7
    whole = graph.check(graph.kronecker(4, 2, "float64")())
    assert relative(whole, graph.exact(4, 2, "float64")) < 1e-6
    whole = graphon.check(graphon.numpy(5, 4, 3, "float64")())
    assert relative(whole, graphon.exact(5, 4, 3, "float64")) < 1e-7
    whole = simplicial.check(simplicial.csr(30, "float64")())
    assert relative(whole, simplicial.exact(30, "float64")) < 1e-7


def test_each_row_can_be_measured() -> None:
    assert len({(row.name, row.peer.name) for row in ROWS}) == len(ROWS)
    for row in ROWS:
        module = import_module(f"benchmarks.{row.family}")
        for function in ("ours", row.peer.function, "check", "exact"):
            assert callable(getattr(module, function)), (row.name, function)
        assert set(module.work(**row.small().sizes)) <= {"gram", "flops", "bytes"}
        package = row.peer.package
        assert package is None or f"{package}==" in VERSIONS.read_text("utf-8")


def test_peers_are_versions_and_no_addresses() -> None:
    for line in VERSIONS.read_text("utf-8").splitlines():
        name, _, version = line.partition("==")
        assert name.replace("-", "").replace("_", "").isalnum() and version[:1].isdigit(), line


def test_a_row_through_its_processes() -> None:
    sizes = {"network": "mlp", "n": 2, "width": 3, "dtype": "float32"}
    row = Row("small", "empirical", empirical.JACREV, sizes, {}, {"ratio": 2})
    result = Runner(PYTHON, PYTHON, most=2).row(row)
    assert set(result) == {"name", "family", "peer", "ours", "theirs", "targets", "work"}
    for side in (result["ours"], result["theirs"]):
        assert side["first"] > side["seconds"] > 0 and side["error"] < 1e-5
    assert set(result["work"]) == {"gemm float32"}


@pytest.mark.parametrize("wrong", [0.5, float("nan")])
def test_another_kernel_is_refused(wrong: float) -> None:
    refuse_another_kernel("import", [1e-3, None])
    with pytest.raises(SystemExit, match="erf: both sides must compute the same kernel"):
        refuse_another_kernel("erf", [1e-7, wrong])


def test_a_worker_that_dies_says_so() -> None:
    with (
        Worker(PYTHON, "dense", double=False) as worker,
        pytest.raises(SystemExit, match="asked to prepare"),
    ):
        worker.ask("prepare", "numpy", {"n": 5})


def test_rounding() -> None:
    assert rounded(np.array([1, 2], dtype=object)).dtype == np.float64
