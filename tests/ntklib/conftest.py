"""Shape checking, and float64, for the tests that ask for them."""

from collections.abc import Iterator
from itertools import count

import jax
import jaxtyping
import pytest

# Before anyone imports ntklib. Off unless a test asks: an error's message is what a reader meets,
# and readers have no shape checking.
jaxtyping.install_import_hook("ntklib", "beartype.beartype")
jaxtyping.config.update("jaxtyping_disable", True)


_ran = count(1)


@pytest.fixture(autouse=True)
def few_programs() -> Iterator[None]:
    """Linux gives a process 65,530 memory maps, and what a test compiles keeps some 80 of them."""
    yield
    if next(_ran) % 200 == 0:
        jax.clear_caches()


@pytest.fixture
def shapes() -> Iterator[None]:
    """Every annotation of ntklib is checked, shapes included."""
    jaxtyping.config.update("jaxtyping_disable", False)
    yield
    jaxtyping.config.update("jaxtyping_disable", True)


@pytest.fixture
def x64() -> Iterator[None]:
    """Arrays are float64."""
    with jax.enable_x64(True):
        yield
