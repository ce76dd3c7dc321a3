"""The ledger joins what goes on where another record ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.reliability import ledger
from tests.reliability.campaign import Tally


def tallied(first: int, cases: int) -> dict[str, Any]:
    tally = Tally()
    for case in range(first, first + cases):
        tally.count("cases")
        tally.count("odd" if case % 2 else "even")
        tally.note("thirds", str(case % 3))
        tally.measure("case", case)
    return ledger.record("numbers", first, tally, 2.0)


@pytest.fixture(autouse=True)
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "FILE", tmp_path / "ledger.json")


def test_records_that_follow_each_other_are_as_one_run() -> None:
    for first in (0, 4, 8):
        ledger.append(tallied(first, 4))
    whole = tallied(0, 12)
    assert ledger.read() == [whole | {"seconds": 6}]


@pytest.mark.parametrize("other", [{"commit": "another"}, {"first": 5}, {"campaign": "others"}])
def test_others_stay_apart(other: dict[str, Any]) -> None:
    ledger.append(tallied(0, 4))
    ledger.append(tallied(4, 4) | other)
    assert len(ledger.read()) == 2
