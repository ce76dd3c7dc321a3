"""Each rule of docs/language.md (R1-R25): passing specs, and failing ones with their messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from dslc.loading import check_source
from dslc.render import render_text
from dslc.source import Source
from tests.conftest import Golden

FOLDER = Path(__file__).parent / "rules"
PASSING = sorted(FOLDER.glob("R*_ok*.nn"))
FAILING = sorted(FOLDER.glob("R*_bad*.nn"))


def source(path: Path) -> Source:
    return Source(path.name, path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PASSING, ids=lambda path: path.stem)
def test_passing(path: Path) -> None:
    program, diagnostics = check_source(source(path), folder=FOLDER)
    assert program is not None, render_text(diagnostics)
    assert [item for item in diagnostics if item.severity != "note"] == []


@pytest.mark.parametrize("path", FAILING, ids=lambda path: path.stem)
def test_failing(path: Path, golden: Golden) -> None:
    program, diagnostics = check_source(source(path), folder=FOLDER)
    assert program is None
    golden(path.with_suffix(".err"), render_text(diagnostics))


@pytest.mark.parametrize("number", range(1, 26))
def test_every_rule_has_both(number: int) -> None:
    name = f"R{number:02}_"
    assert any(path.name.startswith(name) for path in PASSING)
    assert any(path.name.startswith(name) for path in FAILING)
