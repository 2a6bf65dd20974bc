"""papers.bib in and out: nothing lost, and pybtex reads what we read."""

from pathlib import Path

import pytest
from pybtex.database import parse_file

from catalog import bibliography
from catalog.model import Name

ROOT = Path(__file__).parents[2]


def read(tmp_path: Path, fields: str) -> bibliography.Paper:
    path = tmp_path / "one.bib"
    path.write_text(
        "@misc{x2000y, year = 2000, url = {https://a.org}, pdf = {https://a.org}, " + fields + "}",
        encoding="utf-8",
    )
    papers, problems = bibliography.read(path, "one.bib")
    assert problems == []
    return papers[0]


@pytest.mark.parametrize(
    ("author", "names"),
    [
        ('Lena{\\"i}c Chizat', [Name("Chizat", "Lenaïc")]),
        ("Chizat, L{\\'e}na{\\\"i}c", [Name("Chizat", "Lénaïc")]),
        ("{\\L}ukasz Ko{\\l}o", [Name("Koło", "Łukasz")]),
        (
            "Stéphane d'Ascoli and N{\\o}rgaard, Bo",
            [Name("d'Ascoli", "Stéphane"), Name("Nørgaard", "Bo")],
        ),
        ("de la Vega, Ana", [Name("de la Vega", "Ana")]),
        ("{The Team and Co}", [Name("The Team and Co", "")]),
    ],
)
def test_names(tmp_path: Path, author: str, names: list[Name]) -> None:
    assert list(read(tmp_path, f"title = {{T}}, author = {{{author}}}").authors) == names


def test_title_in_latex(tmp_path: Path) -> None:
    paper = read(tmp_path, 'title = "A {NTK} \\& $O(n_1)$ \\% -- M{\\"o}bius", author = {A, B}')
    assert paper.title == "A NTK & $O(n_1)$ % – Möbius"


def test_what_is_written_is_what_was_read(project: Path) -> None:
    text = (project / "papers.bib").read_text(encoding="utf-8")
    papers, problems = bibliography.read(project / "papers.bib", "papers.bib")
    assert problems == []
    assert bibliography.write(papers) == text


def test_pybtex_reads_the_same() -> None:
    papers, problems = bibliography.read(ROOT / "papers.bib", "papers.bib")
    theirs = parse_file(str(ROOT / "papers.bib")).entries
    assert problems == []
    assert sorted(theirs) == sorted(paper.key for paper in papers)
    for paper in papers:
        persons = theirs[paper.key].persons["author"]
        families = [" ".join([*p.prelast_names, *p.last_names, *p.lineage_names]) for p in persons]
        assert families == [name.family for name in paper.authors]
        assert theirs[paper.key].fields["year"] == str(paper.year)
        assert theirs[paper.key].fields["title"].replace("\\&", "&") == paper.title
