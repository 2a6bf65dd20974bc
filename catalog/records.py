"""The claims that the notebooks made, read from their executed copies and from their sources."""

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.model import Catalogue
from catalog.problems import Place, Problem, did_you_mean, relative

NOTEBOOKS = "notebooks"
EXECUTED = "_build/executed"
DOWNLOADS = "_build/downloads"
MIME = "application/vnd.ntklib.claim+json"


@dataclass(frozen=True)
class Record:
    """What one claim cell measured."""

    claim: str
    notebook: str
    measured: float
    low: float | None
    high: float | None
    verdict: str
    reason: str | None

    @property
    def accepted(self) -> str:
        """The accepted range in words."""
        if self.low is None:
            return f"at most {self.high:g}"
        if self.high is None:
            return f"at least {self.low:g}"
        return f"{self.low:g} to {self.high:g}"


def anchor(claim_id: str) -> str:
    """The label of the cell that makes the claim."""
    return "claim-" + claim_id.replace("/", "-")


def claims_of(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """The claim records among a cell's outputs."""
    bundles = (output.get("data", {}) for output in cell.get("outputs", []))
    return [bundle[MIME] for bundle in bundles if MIME in bundle]


def read(root: Path) -> dict[str, Record]:
    """Every claim made by an executed notebook, by its id."""
    records = {}
    for path in sorted((root / EXECUTED).glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for data in claims_of(cell):
                records[data["claim"]] = Record(notebook=path.stem, **data)
    return records


def problems_of_claims(catalogue: Catalogue, root: Path) -> list[Problem]:
    """Each claim of a theme file is made by exactly one notebook, and the other way round."""
    declared = {
        f"{entry.key}/{claim.id}": (entry.place, claim.notebook)
        for theme in catalogue.themes
        for entry in theme.papers
        for claim in entry.claims
    }
    made: dict[str, Place] = {}
    problems = []
    for path in sorted((root / NOTEBOOKS).glob("*.ipynb")):
        for claim_id, place in _calls(path, relative(path, root)):
            if claim_id in made:
                what = f"the claim {claim_id} is made at {made[claim_id]} already."
                problems.append(Problem(place, what, "Keep one of them."))
            made[claim_id] = place
            if declared.get(claim_id, (place, ""))[1] != path.stem:
                remedy = did_you_mean(claim_id, list(declared), "catalog/themes")
                what = f"the claim {claim_id} is not one of this notebook's in any theme."
                problems.append(Problem(place, what, remedy))
    for claim_id in declared.keys() - made.keys():
        place, notebook = declared[claim_id]
        remedy = f"Call ntklib.claim('{claim_id}', ...) there or drop the claim."
        problems.append(
            Problem(place, f"{claim_id} is not made in notebooks/{notebook}.ipynb.", remedy)
        )
    return problems


def _calls(path: Path, name: str) -> list[tuple[str, Place]]:
    """The claim calls of a notebook's code cells, and the file's line where each id stands."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    found = []
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] != "code":
            continue
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            if isinstance(node, ast.Call) and re.search(r"\bclaim$", ast.unparse(node.func)):
                first = node.args[0] if node.args else None
                value = first.value if isinstance(first, ast.Constant) else "?"
                line = next((i for i, row in enumerate(lines, 1) if str(value) in row), 1)
                found.append((str(value), Place(name, line)))
    return found
