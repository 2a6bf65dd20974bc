"""The catalogue: papers.bib and the theme files, read, checked, and rendered into the book."""

from typing import Any


def setup(app: Any) -> dict[str, Any]:
    """Sphinx loads `catalog` as an extension; the command line needs no Sphinx."""
    from catalog.book import setup as setup_book

    return setup_book(app)
