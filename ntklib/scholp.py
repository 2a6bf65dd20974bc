"""The public ScHoLP files of simplices with times: coauthors of DBLP, e-mails, contacts."""

from pathlib import Path

import numpy as np
from jaxtyping import Int

from ntklib import _checks
from ntklib.simplices import Simplices

_MOST = 3  # lines of one file that a message quotes


def load_simplices(folder: str | Path, name: str) -> Simplices:
    r"""Read a data set in the format of the ScHoLP collection: three text files, a number a line.

    `name-nverts.txt` has the number of vertices of each simplex, `name-simplices.txt` their
    vertices, counted from 1, simplex after simplex, and `name-times.txt` the time of each:

    .. math:: \#\{\text{times}\} = \#\{\text{nverts}\}, \qquad
              \#\{\text{vertices}\} = \sum_i \text{nverts}_i

    Args:
        folder: where the files are, unpacked.
        name: what their names begin with: "coauth-DBLP", "email-Eu".

    Raises:
        ValueError: with all that is wrong, by file and line: a file is missing, a line is not a
            whole number, a count or a vertex is below 1, the files' lengths do not fit (one was
            cut off), or a simplex lists a vertex twice.

    Cost: O(entries log entries) time, O(entries) memory.
    Source: derived.
    """
    counted, listed, dated = (
        Path(folder) / f"{name}-{part}.txt" for part in ("nverts", "simplices", "times")
    )
    nverts, problems = _column(counted, least=1)
    vertices, more = _column(listed, least=1)
    times, most = _column(dated, least=None)
    _checks.refuse(problems + more + most)
    offsets = np.append(0, np.cumsum(nverts))
    problems = _fits(dated, len(times), len(nverts), f"as {counted.name} has simplices")
    more = _fits(listed, len(vertices), int(offsets[-1]), f"the sum of {counted.name}")
    _checks.refuse(problems + (more or _twice(listed, offsets, vertices)))
    return Simplices(offsets, vertices, times)


def _column(path: Path, least: int | None) -> tuple[Int[np.ndarray, " n"], list[str]]:
    """One whole number a line, and what is wrong with the lines."""
    none = np.zeros(0, dtype=np.int64)
    if not path.is_file():
        packed = Path(f"{path}.gz").is_file()
        hint = f"Unpack {path.name}.gz." if packed else "A data set is three files: fetch them all."
        return none, [f"{path} must be there, but is not. {hint}"]
    text = path.read_bytes()
    if not text.strip():
        return none, [f"{path} must not be empty. Fetch it again."]
    try:
        column = np.loadtxt(path, dtype=np.int64, comments=None, ndmin=1)
    except ValueError:
        column = none
    one_each = column.shape == (text.count(b"\n") + (not text.endswith(b"\n")),)
    if one_each and (least is None or column.min() >= least):
        return column, []
    return none, _wrong_lines(path, text, least)


def _wrong_lines(path: Path, text: bytes, least: int | None) -> list[str]:
    """The slow way, line by line: only when it is known that there is something to say."""
    problems = []
    for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), start=1):
        at, word = f"{path}:{number}", line.strip()
        if not word.removeprefix("-").isdecimal() or abs(int(word)) >= 2**63:
            rule = "must be a whole number" + " below 2^63" * word.isdecimal()
            problems.append(f"{at} {rule}, got {line!r}. Mend it or fetch again.")
        elif least is not None and int(word) < least:
            hint = "Vertices count from 1, and a simplex has one: mend or renumber."
            problems.append(f"{at} must be at least {least}, got {word}. {hint}")
    return _shortened(path, problems)


def _fits(path: Path, came: int, wanted: int, why: str) -> list[str]:
    if came == wanted:
        return []
    hint = "One of the two was cut off or is of another data set: fetch both again."
    return [f"{path} must have {wanted} lines, {why}, got {came}. {hint}"]


def _twice(path: Path, offsets: np.ndarray, vertices: np.ndarray) -> list[str]:
    """Simplices that list a vertex twice."""
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((vertices, owner))  # stable: the later line comes later
    same = (np.diff(owner[order]) == 0) & (np.diff(vertices[order]) == 0)
    again = np.sort(order[1:][same])
    return _shortened(
        path,
        [
            f"{path}:{line + 1} must not list vertex {vertices[line]} a second time in simplex "
            f"{owner[line] + 1}. Drop the line and lower that simplex's count by 1."
            for line in again
        ],
    )


def _shortened(path: Path, problems: list[str]) -> list[str]:
    rest = len(problems) - _MOST
    return problems[:_MOST] + ([f"{path} has {rest} more such lines."] if rest > 0 else [])
