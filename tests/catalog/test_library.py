"""The library as the catalogue sees it: names, sources and uses, and what is refused."""

from pathlib import Path

import pytest

from catalog.__main__ import main
from catalog.check import examine
from catalog.library import public_names, uses

ROOT = Path(__file__).parents[2]
MODULE = '''\
"""Warm kernels."""


def melt(x):
    """Melt it.

    .. math:: x = 0

    Source: curie2001warm, Theorem 2; noether2002cold for the rest.
    """
'''


@pytest.fixture
def library(project: Path) -> Path:
    """The invented catalogue with an invented library."""
    (project / "ntklib").mkdir()
    (project / "ntklib" / "__init__.py").write_text("from ntklib.warm import melt\n")
    (project / "ntklib" / "warm.py").write_text(MODULE)
    theme = project / "catalog/themes/warmth.yml"
    text = theme.read_text("utf-8")
    theme.write_text(text.replace("    claims:", "    implements: [ntklib.melt]\n    claims:"))
    return project


def test_names_and_sources(library: Path) -> None:
    (melt,) = public_names(library)
    assert (melt.name, melt.module, melt.summary) == ("melt", "warm", "Melt it.")
    assert melt.sources == ["curie2001warm", "noether2002cold"]
    assert main(["check"], library) == 0


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "ntklib/warm.py",
            "noether2002cold",
            "noether2002gold",
            "ntklib/warm.py:4  melt cites the unknown key 'noether2002gold'.  "
            "Did you mean 'noether2002cold'? The known ones are in papers.bib.",
        ),
        (
            "ntklib/warm.py",
            "Source: curie2001warm, Theorem 2; noether2002cold for the rest.",
            "",
            "ntklib/warm.py:4  melt gives a formula without a source.  "
            "End the docstring with 'Source: <key>' or 'derived'.",
        ),
        (
            "catalog/themes/warmth.yml",
            "ntklib.melt",
            "ntklib.melts",
            "catalog/themes/warmth.yml:7  curie2001warm: unknown name 'ntklib.melts'.  "
            "Did you mean 'ntklib.melt'? The known ones are in ntklib/__init__.py.",
        ),
        (
            "ntklib/warm.py",
            "curie2001warm, Theorem 2; ",
            "",
            "catalog/themes/warmth.yml:7  curie2001warm: ntklib.melt does not cite it as its "
            "source.  Mend the docstring or drop the name.",
        ),
    ],
)
def test_messages(
    library: Path, capsys: pytest.CaptureFixture[str], file: str, old: str, new: str, message: str
) -> None:
    path = library / file
    path.write_text(path.read_text("utf-8").replace(old, new), encoding="utf-8")
    assert main(["check"], library) == 1
    assert message in capsys.readouterr().err.splitlines()


def test_the_real_library_resolves_both_ways() -> None:
    names = {f"ntklib.{public.name}": public for public in public_names(ROOT)}
    catalogue, _ = examine(ROOT)
    implemented = {
        (entry.key, name)
        for theme in catalogue.themes
        for entry in theme.papers
        for name in entry.implements
    }
    assert ("jacot2018neural", "ntklib.Dense") in implemented
    assert all(key in names[name].sources for key, name in implemented)
    assert all(key in catalogue.papers for public in names.values() for key in public.sources)
    assert "infinite-width" in uses(ROOT)["Dense"]
