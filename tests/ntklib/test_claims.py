"""Each verdict can turn out wrong, and says so."""

import math
import sys
import types
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from ntklib import ClaimError, check, claim

ID = "curie2001warm/warm-limit"
MIME = "application/vnd.ntklib.claim+json"


@pytest.mark.parametrize("measured", [1.0, 1.5, 2.0, np.float32(1.5), jnp.array(1.5)])
@pytest.mark.parametrize(("verdict", "reason"), [("holds", None), ("holds in part", "one case")])
def test_a_claim_holds_inside_its_range(measured: Any, verdict: Any, reason: Any) -> None:
    record = check(ID, measured, low=1, high=2, verdict=verdict, reason=reason)
    assert (record.id, record.low, record.high) == (ID, 1.0, 2.0)
    assert (record.verdict, record.reason) == (verdict, reason)
    assert type(record.measured) is float and record.measured == float(measured)


@pytest.mark.parametrize("measured", [0.999, 2.001, math.inf, -math.inf, math.nan])
@pytest.mark.parametrize(("verdict", "reason"), [("holds", None), ("holds in part", "one case")])
def test_a_claim_does_not_hold_outside(measured: float, verdict: Any, reason: Any) -> None:
    message = (
        rf"{ID} is said to be '{verdict}', but measured {measured:.6g} is not inside "
        r"the accepted range, 1 to 2\. Find out why; then mend code or verdict\."
    )
    with pytest.raises(ClaimError, match=message):
        check(ID, measured, low=1, high=2, verdict=verdict, reason=reason)


@pytest.mark.parametrize("measured", [0.999, 2.001, math.inf])
def test_not_reproduced_is_outside(measured: float) -> None:
    record = check(ID, measured, low=1, high=2, verdict="not reproduced", reason="too small")
    assert record.verdict == "not reproduced"


@pytest.mark.parametrize("measured", [1.0, 1.5, 2.0])
def test_not_reproduced_can_turn_out_wrong(measured: float) -> None:
    message = rf"'not reproduced', but measured {measured:g} is inside the accepted range, 1 to 2"
    with pytest.raises(ClaimError, match=message):
        check(ID, measured, low=1, high=2, verdict="not reproduced", reason="too small")


def test_nan_supports_no_verdict() -> None:
    with pytest.raises(ClaimError, match="'not reproduced', but measured nan is not inside"):
        check(ID, math.nan, low=1, high=2, verdict="not reproduced", reason="too small")


def test_one_sided_ranges() -> None:
    assert (
        str(check(ID, 5, low=1, high=math.inf)) == f"{ID}: holds; measured 5, accepted at least 1"
    )
    assert str(check(ID, -5, low=-math.inf, high=2)).endswith("measured -5, accepted at most 2")
    with pytest.raises(ClaimError, match="measured 0 is not inside the accepted range, at least 1"):
        check(ID, 0, low=1, high=math.inf)
    with pytest.raises(ClaimError, match="measured 3 is not inside the accepted range, at most 2"):
        check(ID, 3, low=-math.inf, high=2)


def test_the_line_for_the_reader() -> None:
    record = check(ID, -0.49712, low=-0.6, high=-0.4)
    assert str(record) == f"{ID}: holds; measured -0.497, accepted -0.6 to -0.4"
    record = check(ID, 1, low=0, high=2, verdict="holds in part", reason="for ReLU")
    assert str(record) == f"{ID}: holds in part; measured 1, accepted 0 to 2 — for ReLU"


def test_the_record_for_the_book() -> None:
    record = check(ID, 3, low=1, high=math.inf, verdict="holds in part", reason="for ReLU")
    assert record._repr_mimebundle_() == {
        "text/plain": str(record),
        MIME: {
            "claim": ID,
            "measured": 3.0,
            "low": 1.0,
            "high": None,
            "verdict": "holds in part",
            "reason": "for ReLU",
        },
    }
    data = check(ID, 3, low=-math.inf, high=4)._repr_mimebundle_()[MIME]
    assert (data["low"], data["high"], data["reason"]) == (None, 4.0, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"claim_id": "warm"}, r"id must be '<paper key>/<slug>', got 'warm'\. Write it as"),
        ({"claim_id": "curie2001warm/Warm"}, "got 'curie2001warm/Warm'"),
        ({"claim_id": "curie2001warm/warm/er"}, "got 'curie2001warm/warm/er'"),
        ({"low": 3}, r"`low` must not exceed `high`, got 3 and 2\."),
        ({"low": math.nan}, "`low` must not exceed `high`, got nan and 2"),
        ({"low": -math.inf, "high": math.inf}, "a claim that cannot fail says nothing"),
        ({"verdict": "fails"}, r"`verdict` must be one of \('holds', .*\), got 'fails'\."),
        ({"verdict": "holds in part"}, "verdict 'holds in part' needs a `reason`, got None"),
        ({"verdict": "not reproduced", "reason": ""}, "'not reproduced' needs a `reason`, got ''"),
        ({"claim_id": "x", "low": 3}, "(?s)id must be .*`low` must not exceed"),
    ],
)
def test_errors(changes: dict[str, Any], message: str) -> None:
    stated = {"claim_id": ID, "measured": 1.5, "low": 1, "high": 2} | changes
    with pytest.raises(ValueError, match=message):
        check(stated.pop("claim_id"), stated.pop("measured"), **stated)


def test_without_ipython_a_claim_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    claim(ID, 1.5, low=1, high=2)
    assert capsys.readouterr().out == f"{ID}: holds; measured 1.5, accepted 1 to 2\n"


def test_in_ipython_a_claim_is_displayed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[Any] = []
    display = types.ModuleType("IPython.display")
    display.display = shown.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    claim(ID, 1.5, low=1, high=2, verdict="holds in part", reason="for ReLU")
    assert shown == [check(ID, 1.5, low=1, high=2, verdict="holds in part", reason="for ReLU")]
    assert capsys.readouterr().out == ""


def test_a_wrong_claim_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ClaimError, match="not inside"):
        claim(ID, 5, low=1, high=2)
    assert capsys.readouterr().out == ""
