"""The laws of what a stranger writes: it comes out as it went in, or is reported with a place."""

import re
import unicodedata
from collections import Counter
from pathlib import Path

from ruamel.yaml import YAML

from catalog import bibliography, chapters
from catalog.forms import read_form
from catalog.model import Theme
from catalog.problems import CatalogueError, Problem

LAYOUT = set(" \t\n\r\v\f{}[]\"',-–—\\~`“”?!¿¡|>")  # what the writers may change, apart from order


def letters(text: str) -> Counter[str]:
    """Every character that says something, in any order and case, and accents apart."""
    apart = unicodedata.normalize("NFD", text.casefold())
    return Counter(char for char in apart if char not in LAYOUT and not char.isspace())


def without_macros(text: str) -> str:
    """What LaTeX would still print if it did not know its macros."""
    return re.sub(r"\\([a-zA-Z]+|.)", "", text)


def are_said_well(problems: list[Problem], text: str) -> None:
    """Each problem has a place inside the file, in one line that a terminal can print."""
    last = text.replace("\r", "\n").count("\n") + 1
    for problem in problems:
        assert 1 <= problem.place.line <= last, problem
        assert problem.what.endswith(".") and problem.remedy, problem
        assert str(problem).isprintable() and problem.annotation.count("\n") == 0, problem


def of_bibtex(text: str, folder: Path) -> bool:
    """What is read without a problem is written whole, and reads the same ever after."""
    path = folder / "papers.bib"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    papers, problems = bibliography.read(path, "papers.bib")
    are_said_well(problems, text)
    if problems:
        return False
    written = bibliography.write(papers)
    path.write_text(written, encoding="utf-8")
    again, problems = bibliography.read(path, "papers.bib")
    assert problems == []
    assert [p.model_dump(exclude={"place"}) for p in again] == [
        p.model_dump(exclude={"place"}) for p in sorted(papers, key=lambda p: p.key)
    ]
    assert bibliography.write(again) == written
    assert letters(without_macros(text)) <= letters(written), written
    if "\\" not in text:
        assert letters(text) == letters(written), written
    return True


def of_yaml(text: str, folder: Path) -> bool:
    """What is read without a problem is written whole, with its comments, and once is enough."""
    path = folder / "theme.yml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    theme, problems = chapters.read(path, "theme.yml")
    are_said_well(problems, text)
    if theme is None:
        assert problems
        return False
    try:
        written = chapters.write(path, "theme.yml")
    except CatalogueError as error:
        are_said_well(error.problems, text)
        return False
    safe = YAML(typ="safe", pure=True)
    assert safe.load(written) == safe.load(text)
    path.write_text(written, encoding="utf-8")
    again, problems = chapters.read(path, "theme.yml")
    assert problems == [] and again is not None
    assert facts(again) == facts(theme)
    assert chapters.write(path, "theme.yml") == written
    if "\\" not in text:
        said = re.sub(r"^\.\.\.$", "", text, flags=re.MULTILINE)  # the end of the document
        assert letters(said) == letters(written), written
    return True


def facts(theme: Theme) -> object:
    """The theme wherever it stands."""
    papers = [entry.model_dump(exclude={"place"}) for entry in theme.papers]
    return theme.model_dump(exclude={"place", "papers"}), papers


def of_a_form(text: str, folder: Path) -> bool:
    """A form is a request or a list of problems."""
    path = folder / "form.in"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read_form(path)
    except CatalogueError as error:
        are_said_well(error.problems, text)
        return False
    return True


LAWS = {"bibtex": of_bibtex, "yaml": of_yaml, "form": of_a_form}
