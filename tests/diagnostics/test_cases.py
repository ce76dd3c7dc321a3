"""Golden pairs: what is said about `cases/NAME.nn` stands in `cases/NAME.err`. `--update-golden` rewrites them; then look at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dslc.diagnostics import Diagnostic, Sink
from dslc.loading import check_source
from dslc.render import apply_fixes, render_text
from dslc.source import Source
from dslc.syntax.parse import parse
from tests.conftest import Golden

CASES = sorted((Path(__file__).parent / "cases").glob("*.nn"))
ROUNDS = 12


def source(path: Path) -> Source:
    return Source(path.name, path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_what_is_said(path: Path, golden: Golden) -> None:
    _, found = check_source(source(path))
    assert found
    golden(path.with_suffix(".err"), render_text(found))


def test_no_case_without_its_text() -> None:
    folder = Path(__file__).parent / "cases"
    assert sorted(path.stem for path in folder.glob("*.err")) == [path.stem for path in CASES]


def syntax_errors(text: str) -> list[Diagnostic]:
    sink = Sink()
    parse(Source("a.nn", text), sink)
    return list(sink)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_fixes_mend_what_they_say(path: Path) -> None:
    """Applied again and again, fixes come to an end, and none of the errors that had one is left."""
    text = path.read_text(encoding="utf-8")
    for _ in range(ROUNDS):
        errors = syntax_errors(text)
        fixable = [error for error in errors if error.fix is not None]
        if not fixable:
            break
        mended = apply_fixes(Source("a.nn", text), syntax_errors(text))
        assert mended != text
        text = mended
    left = syntax_errors(text)
    assert [error.code for error in left if error.fix is not None] == []
    if all(error.fix is not None for error in syntax_errors(path.read_text(encoding="utf-8"))):
        assert left == []


def test_many_errors_in_one_file_are_all_reported_and_none_twice() -> None:
    """One planted error a line: each line has one report, and nothing is said about other lines."""
    path = Path(__file__).parent / "cases" / "many_errors.nn"
    planted = [3, 4, 6, 7, 10, 12, 13, 15, 16, 17, 18, 21, 22, 23, 24, 28, 29, 30, 31, 32, 36, 38, 39]
    _, found = check_source(source(path))
    assert [diagnostic.span.source.position(diagnostic.span.start)[0] for diagnostic in found if diagnostic.span] == planted
