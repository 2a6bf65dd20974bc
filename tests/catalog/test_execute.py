"""Notebooks run once, again when something changed, and a failing one stops the build."""

import json
from pathlib import Path

import pytest

from catalog.execute import execute_all
from catalog.records import DOWNLOADS, EXECUTED, anchor, read

MIME = "application/vnd.ntklib.claim+json"
CODE = """\
import pathlib
from IPython.display import display
log = pathlib.Path("log"); log.write_text(log.read_text() + "run " if log.exists() else "run ")
display({"text/plain": "x", "%s": {"claim": "a2000b/c", "measured": 1.5, "low": 1,
    "high": None, "verdict": "holds", "reason": None}}, raw=True)
"""


def notebook(code: str) -> str:
    cell = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": code,
    }
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps(
        {"cells": [{**cell, "id": "a"}], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "ntklib").mkdir()
    (tmp_path / "ntklib" / "a.py").write_text("x = 1\n")
    (tmp_path / "notebooks" / "n.ipynb").write_text(notebook(CODE % MIME))
    return tmp_path


def runs(project: Path) -> int:
    return (project / "notebooks" / "log").read_text().count("run")


def test_once_and_again_when_the_library_changes(project: Path) -> None:
    execute_all(project)
    execute_all(project)
    assert runs(project) == 1
    (project / "ntklib" / "a.py").write_text("x = 2\n")
    execute_all(project)
    assert runs(project) == 2
    record = read(project)["a2000b/c"]
    assert (record.measured, record.accepted, record.notebook) == (1.5, "at least 1", "n")
    assert anchor(record.claim) == "claim-a2000b-c"
    downloads = {path.name for path in (project / DOWNLOADS / "exports").iterdir()}
    assert downloads == {"n.ipynb", "n.py", "n.html"}


def test_a_failing_cell_stops_the_build_and_leaves_no_result(project: Path) -> None:
    execute_all(project)
    (project / "notebooks" / "n.ipynb").write_text(notebook("raise ValueError('outside')"))
    with pytest.raises(Exception, match="outside"):
        execute_all(project)
    with pytest.raises(Exception, match="outside"):
        execute_all(project)


def test_results_of_a_removed_notebook_go(project: Path) -> None:
    execute_all(project)
    (project / "notebooks" / "n.ipynb").unlink()
    execute_all(project)
    assert list((project / EXECUTED).glob("*.ipynb")) == []
    assert read(project) == {}
