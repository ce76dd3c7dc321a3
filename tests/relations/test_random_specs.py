"""Every relation of the table holds of random specs, and finds a fault that is planted. The campaign `relations` looks at many more."""

from __future__ import annotations

import pytest

from tests.relations.faults import FAULTS
from tests.relations.random_specs import NAMES, Case

FIRST = 100_000  # seeds that the campaign does not reach
MOST = 60
ENOUGH = 2


@pytest.mark.parametrize("name", NAMES)
def test_it_holds(name: str) -> None:
    passed = 0
    for seed in range(FIRST, FIRST + MOST):
        passed += Case(name, seed).look() == "passed"
        if passed == ENOUGH:
            return
    pytest.fail(f"it says something of {passed} of {MOST} specs only")


@pytest.mark.parametrize("name", NAMES)
def test_it_finds_a_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[name](monkeypatch)
    for seed in range(FIRST, FIRST + MOST):
        try:
            Case(name, seed).look()
        except AssertionError:
            return
    pytest.fail("the fault is not found")
