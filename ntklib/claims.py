"""Claims: sentences of papers, checked against numbers computed where they are stated."""

import math
import re
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, get_args

Verdict = Literal["holds", "holds in part", "not reproduced"]

_ID = re.compile(r"[a-z]+[0-9]{4}[a-z]+/[a-z0-9-]+")
_MIME = "application/vnd.ntklib.claim+json"


class ClaimError(AssertionError):
    """The measured value contradicts the verdict that the claim states."""


@dataclass(frozen=True)
class ClaimRecord:
    """A claim that has been checked; a notebook shows it as a line and stores it as data."""

    id: str
    measured: float
    low: float
    high: float
    verdict: Verdict
    reason: str | None

    def __str__(self) -> str:
        end = "" if self.reason is None else f" — {self.reason}"
        accepted = f"accepted {_range(self.low, self.high)}"
        return f"{self.id}: {self.verdict}; measured {self.measured:.3g}, {accepted}{end}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        record = {
            "claim": self.id,
            "measured": self.measured,
            "low": self.low if math.isfinite(self.low) else None,
            "high": self.high if math.isfinite(self.high) else None,
            "verdict": self.verdict,
            "reason": self.reason,
        }
        return {"text/plain": str(self), _MIME: record}


def check(
    claim_id: str,
    measured: Any,
    *,
    low: float,
    high: float,
    verdict: Verdict = "holds",
    reason: str | None = None,
) -> ClaimRecord:
    r"""Compare a measured number with the range that a paper's sentence requires.

    .. math:: \text{low} \le \text{measured} \le \text{high}

    Args:
        claim_id: "paper key/claim slug", as in the theme's file.
        measured: one number; an array without axes will do.
        low: the least value that the sentence allows, or -inf.
        high: the greatest value that it allows, or inf; not both infinite.
        verdict: "holds" and "holds in part" demand a value inside the range, "not reproduced" one
            outside. So each verdict can turn out wrong.
        reason: why the claim holds only in part, or why it was not reproduced.

    Raises:
        ClaimError: if the value contradicts the verdict, or is NaN.
        ValueError: if the claim itself is badly stated.

    Cost: none.
    Source: derived.
    """
    _well_stated(claim_id, low, high, verdict, reason)
    record = ClaimRecord(claim_id, float(measured), float(low), float(high), verdict, reason)
    inside = low <= record.measured <= high
    if math.isnan(record.measured) or inside == (verdict == "not reproduced"):
        where = "inside" if inside else "not inside"
        raise ClaimError(
            f"{claim_id} is said to be '{verdict}', but measured {record.measured:.6g} is {where} "
            f"the accepted range, {_range(low, high)}. Find out why; then mend code or verdict."
        )
    return record


def claim(
    claim_id: str,
    measured: Any,
    *,
    low: float,
    high: float,
    verdict: Verdict = "holds",
    reason: str | None = None,
) -> None:
    """Check a claim and show it: a line for the reader and a record for the book.

    Args: as for `check`.

    Raises: as `check`.

    Cost: none.
    Source: derived.
    """
    record = check(claim_id, measured, low=low, high=high, verdict=verdict, reason=reason)
    if "IPython" in sys.modules:
        import_module("IPython.display").display(record)
    else:
        print(record)


def _well_stated(claim_id: str, low: float, high: float, verdict: str, reason: str | None) -> None:
    problems = []
    if not _ID.fullmatch(claim_id):
        problems.append(
            f"A claim's id must be '<paper key>/<slug>', got {claim_id!r}. "
            "Write it as 'jacot2018neural/limit-rate'."
        )
    if not low <= high:
        problems.append(f"`low` must not exceed `high`, got {low} and {high}.")
    if math.isinf(low) and math.isinf(high):
        problems.append("`low` or `high` must be finite: a claim that cannot fail says nothing.")
    if verdict not in get_args(Verdict):
        problems.append(f"`verdict` must be one of {get_args(Verdict)}, got {verdict!r}.")
    elif verdict != "holds" and not reason:
        problems.append(f"The verdict '{verdict}' needs a `reason`, got {reason!r}.")
    if problems:
        raise ValueError("\n".join(problems))


def _range(low: float, high: float) -> str:
    if math.isinf(high):
        return f"at least {low:g}"
    if math.isinf(low):
        return f"at most {high:g}"
    return f"{low:g} to {high:g}"
