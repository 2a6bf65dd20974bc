"""`python -m catalog check | fmt | execute`: the catalogue's command line."""

import argparse
import sys
from pathlib import Path

from catalog.check import examine
from catalog.fmt import fmt, unformatted
from catalog.problems import CatalogueError, Place, Problem, relative

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run one command; the exit status is 1 if there is a problem."""
    parser = argparse.ArgumentParser(prog="python -m catalog", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="report every problem of the catalogue")
    commands.add_parser("fmt", help="put papers.bib and the theme files in order")
    commands.add_parser("execute", help="run the notebooks whose results are out of date")
    command = parser.parse_args(arguments).command
    try:
        return {"check": _check, "fmt": _fmt, "execute": _execute}[command](root)
    except CatalogueError as error:
        return _report(error.problems)


def _check(root: Path) -> int:
    catalogue, problems = examine(root)
    if not problems:
        from catalog.library import problems_of_library
        from catalog.records import problems_of_claims

        problems = problems_of_claims(catalogue, root)
        problems += problems_of_library(catalogue, root)
        problems += [
            Problem(
                Place(relative(path, root), 1), "is not in order.", "Run python -m catalog fmt."
            )
            for path in unformatted(root)
        ]
    if problems:
        return _report(problems)
    claims = sum(len(entry.claims) for theme in catalogue.themes for entry in theme.papers)
    papers, themes = len(catalogue.papers), len(catalogue.themes)
    print(f"{papers} papers in {themes} themes, {claims} claims: no problem.")
    return 0


def _fmt(root: Path) -> int:
    for path in fmt(root):
        print(f"{relative(path, root)}  put in order")
    return 0


def _execute(root: Path) -> int:
    from catalog.execute import execute_all

    execute_all(root)
    return 0


def _report(problems: list[Problem]) -> int:
    for problem in sorted(problems):
        print(problem, file=sys.stderr)
    print(f"{len(problems)} problem{'s' if len(problems) != 1 else ''}.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
