"""What `make bench` recorded: read from the one file, checked, and written to it."""

from datetime import date
from math import log
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from catalog.problems import CatalogueError, Place, Problem

PATH = "benchmarks/recorded.json"
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]
Target = Literal["ratio", "seconds", "error", "ceiling"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Machine(_Frozen):
    """What was measured on; `load` is how many processes ran when it began."""

    cpu: Text
    cores: int = Field(gt=0)
    memory: int = Field(gt=0)  # GiB
    system: Text
    load: float = Field(ge=0)


class Side(_Frozen):
    """One side of a row: seconds of a call in the median turn, and of the first, which compiles."""

    seconds: Positive
    first: Positive
    memory: int | None = None  # bytes, at the peak of the first call
    error: float | None = Field(default=None, ge=0)


class Row(_Frozen):
    """One kernel, ours and a peer's."""

    name: Text
    family: Text
    peer: Text
    ours: Side
    theirs: Side
    targets: dict[Target, Positive] = {}
    work: dict[str, Positive] = {}  # by the rate at which the machine does it
    device: str | None = None  # the accelerator, if ours ran on one

    @property
    def ratio(self) -> float:
        """The peer's time over ours."""
        return self.theirs.seconds / self.ours.seconds


class Growth(_Frozen):
    """Seconds at several sizes."""

    name: Text
    family: Text
    peer: Text
    symbol: Text
    sizes: tuple[int, ...] = Field(min_length=2)
    ours: tuple[Positive, ...]
    theirs: tuple[Positive, ...]

    @model_validator(mode="after")
    def _one_time_a_size(self) -> Self:
        if not len(self.sizes) == len(self.ours) == len(self.theirs):
            raise ValueError("there must be one time of each side for each size")
        if list(self.sizes) != sorted(set(self.sizes)) or self.sizes[0] < 1:
            raise ValueError("the sizes must be positive and increase")
        return self


class Run(_Frozen):
    """One run of `make bench`."""

    date: date
    machine: Machine
    versions: dict[Literal["ours", "theirs"], dict[str, str]]
    rates: dict[str, Positive]  # operations, or bytes, a second
    rows: tuple[Row, ...] = Field(min_length=1)
    growths: tuple[Growth, ...]

    @model_validator(mode="after")
    def _known_rates(self) -> Self:
        for row in self.rows:
            if unknown := row.work.keys() - self.rates.keys():
                raise ValueError(f"'{row.name}' works at the unknown rate {sorted(unknown)[0]!r}")
        return self

    def ceiling(self, row: Row) -> float | None:
        """How many times longer ours took than this machine must take for the work."""
        least = max((amount / self.rates[name] for name, amount in row.work.items()), default=0.0)
        return row.ours.seconds / least if least else None

    def reached(self, row: Row) -> dict[Target, bool]:
        """Of each target of a row, whether it was reached."""
        found = {
            "ratio": row.ratio,
            "seconds": row.ours.seconds,
            "error": row.ours.error,
            "ceiling": self.ceiling(row),
        }
        return {
            name: (value := found[name]) is not None
            and (value >= target if name == "ratio" else value <= target)
            for name, target in row.targets.items()
        }


def exponent(sizes: tuple[int, ...], seconds: tuple[float, ...]) -> float:
    """The slope of log seconds against log size, by least squares."""
    x, y = [log(size) for size in sizes], [log(s) for s in seconds]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return slope / sum((a - mean_x) ** 2 for a in x)


def read(root: Path) -> Run:
    """The recorded run; raises CatalogueError with every problem of the file."""
    try:
        return Run.model_validate_json((root / PATH).read_bytes())
    except OSError as error:
        problems = [error.strerror or "cannot be read"]
    except ValidationError as error:
        found = [(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors()]
        problems = [f"{where}: {what}" if where else what for where, what in found]
    remedy = "Run make bench, or take the file back from git."
    raise CatalogueError([Problem(Place(PATH, 0), f"{what}.", remedy) for what in problems])


def problems_of_record(root: Path) -> list[Problem]:
    """What is wrong with the file, if there is one."""
    try:
        if (root / PATH).exists():
            read(root)
    except CatalogueError as error:
        return error.problems
    return []


def write(run: Run, path: Path) -> None:
    """The run as the file that git keeps."""
    path.write_text(run.model_dump_json(indent=1, exclude_defaults=True) + "\n", encoding="utf-8")
