"""docs/optimizers.md is what the code says."""

from __future__ import annotations

from pathlib import Path

from dslc.vocabulary import OPTIMIZERS, SCHEDULES
from runtime.train.document import text
from runtime.train.optimizers import OPTIMIZERS as ROWS
from runtime.train.schedules import SCHEDULES as FUNCTIONS


def test_the_page_is_fresh() -> None:
    page = Path(__file__).parent.parent.parent / "docs" / "optimizers.md"
    assert page.read_text(encoding="utf-8") == text(), "run `make docs`"


def test_every_function_has_its_formula() -> None:
    assert all(row.update.__doc__ for row in ROWS.values()) and all(function.__doc__ for function in FUNCTIONS.values())
    lines = text().splitlines()
    for word in (*OPTIMIZERS.values(), *SCHEDULES.values()):
        assert any(line.startswith(f"| `{word.text}` |") for line in lines), word.name
