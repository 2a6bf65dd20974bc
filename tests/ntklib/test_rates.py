"""The exponent of a power law, and its standard error."""

import numpy as np
import pytest

from ntklib import power_law

N = np.array([64, 128, 256, 512])


def test_an_exact_power_law() -> None:
    law = power_law(N, np.tile(3.0 * N[:, None] ** -0.5, (1, 4)))
    assert law.exponent == pytest.approx(-0.5, abs=1e-12)
    assert law.scale == pytest.approx(3.0, rel=1e-12)
    assert law.standard_error == pytest.approx(0.0, abs=1e-12)
    assert law(N) == pytest.approx(3.0 * N**-0.5)


def test_the_standard_error_is_that_of_repeated_fits() -> None:
    rng = np.random.default_rng(0)
    draws = N[:, None] ** -1.0 * rng.lognormal(0.0, 0.3, (500, len(N), 20))
    laws = [power_law(N, table) for table in draws]
    spread = np.std([law.exponent for law in laws], ddof=1)
    stated = np.mean([law.standard_error for law in laws])
    assert stated == pytest.approx(spread, rel=0.1)  # 500 repeats know a spread to 3 %
    assert abs(np.mean([law.exponent for law in laws]) + 1) < 4 * spread / 500**0.5


@pytest.mark.parametrize(
    ("n", "errors", "message"),
    [
        ([1.0, 2.0], [[1.0], [1.0]], "two draws or more"),
        ([1.0, 2.0], [[1.0, 1.0]], "Put the draws of one size in one row"),
        ([2.0, 2.0], [[1.0, 1.0]] * 2, "two or more different positive sizes"),
        ([0.0, 2.0], [[1.0, 1.0]] * 2, "two or more different positive sizes"),
        ([1.0, 2.0], [[1.0, 0.0]] * 2, "`errors` must be positive and finite"),
        ([1.0, 2.0], [[1.0, np.nan]] * 2, "`errors` must be positive and finite"),
    ],
)
def test_errors(n: list[float], errors: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        power_law(np.array(n), np.array(errors))
