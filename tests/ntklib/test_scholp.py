"""Reading the ScHoLP format: an invented sample, and files broken in every way."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from ntklib import load_simplices

# Three papers: by 1 and 2; by 5 alone; by 2, 3 and 1.
SAMPLE = {"nverts": "2\n1\n3\n", "simplices": "1\n2\n5\n2\n3\n1\n", "times": "1999\n-3\n2001\n"}


def write(folder: Path, **parts: str) -> None:
    for part, text in (SAMPLE | parts).items():
        (folder / f"toy-{part}.txt").write_text(text, "utf-8")


def message(folder: Path) -> str:
    with pytest.raises(ValueError) as caught:
        load_simplices(folder, "toy")
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("change", [str, str.rstrip, lambda text: text.replace("\n", "\r\n")])
def test_the_sample(change: object, tmp_path: Path) -> None:
    assert callable(change)
    write(tmp_path, **{part: change(text) for part, text in SAMPLE.items()})
    x = load_simplices(tmp_path, "toy")
    assert x.offsets.tolist() == [0, 2, 3, 6]
    assert x.vertices.tolist() == [1, 2, 5, 2, 3, 1]
    assert x.times.tolist() == [1999, -3, 2001]
    assert {a.dtype for a in (x.offsets, x.vertices, x.times)} == {np.dtype(np.int64)}


def test_missing_files_are_named_together(tmp_path: Path) -> None:
    write(tmp_path)
    for part in ("nverts", "times"):
        (tmp_path / f"toy-{part}.txt").unlink()
    (tmp_path / "toy-times.txt.gz").write_bytes(gzip.compress(b"1\n"))
    assert message(tmp_path).splitlines() == [
        "toy-nverts.txt must be there, but is not. A data set is three files: fetch them all.",
        "toy-times.txt must be there, but is not. Unpack toy-times.txt.gz.",
    ]


def test_files_that_were_cut_off(tmp_path: Path) -> None:
    write(tmp_path, simplices="1\n2\n5\n2\n", times="1999\n")
    cut = "One of the two was cut off or is of another data set: fetch both again."
    assert message(tmp_path).splitlines() == [
        f"toy-times.txt must have 3 lines, as toy-nverts.txt has simplices, got 1. {cut}",
        f"toy-simplices.txt must have 6 lines, the sum of toy-nverts.txt, got 4. {cut}",
    ]
    write(tmp_path, times="\n")
    assert message(tmp_path) == "toy-times.txt must not be empty. Fetch it again."


def test_lines_that_are_no_numbers_or_too_small(tmp_path: Path) -> None:
    write(tmp_path, nverts="2\n0\n3\n", simplices="1\n\n5\n2.5\n3 4\nx\n-1\n", times="1\n1e3\n2\n")
    lines = message(tmp_path).splitlines()
    mend = "Mend it or fetch again."
    assert lines == [
        "toy-nverts.txt:2 must be at least 1, got 0. Vertices count from 1, and a simplex has "
        "one: mend or renumber.",
        f"toy-simplices.txt:2 must be a whole number, got ''. {mend}",
        f"toy-simplices.txt:4 must be a whole number, got '2.5'. {mend}",
        f"toy-simplices.txt:5 must be a whole number, got '3 4'. {mend}",
        "toy-simplices.txt has 2 more such lines.",
        f"toy-times.txt:2 must be a whole number, got '1e3'. {mend}",
    ]
    write(tmp_path, simplices="1\n2\n0\n2\n-7\n1\n")
    found = re.findall(
        r"toy-simplices.txt:(\d) must be at least 1, got (\S+)\. ", message(tmp_path)
    )
    assert found == [("3", "0"), ("5", "-7")]


def test_a_number_too_large_for_64_bits_is_named(tmp_path: Path) -> None:
    write(tmp_path, times="1\n99999999999999999999\n2\n")
    assert message(tmp_path).startswith("toy-times.txt:2 must be a whole number below 2^63")


def test_a_vertex_listed_twice(tmp_path: Path) -> None:
    write(tmp_path, simplices="1\n2\n2\n3\n1\n3\n")  # 2 and 2 are of different simplices
    assert message(tmp_path) == (
        "toy-simplices.txt:6 must not list vertex 3 a second time in simplex 3. "
        "Drop the line and lower that simplex's count by 1."
    )
