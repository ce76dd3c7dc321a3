"""Fixtures of all tests: golden files; and what a run left out, said at its end."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.terminal import heed_signals

Golden = Callable[[Path, str], None]


def pytest_configure() -> None:
    """Trainings that name no device run on NumPy, the reference, which compiles nothing; tests of machine code name the cpu device."""
    heed_signals()
    os.environ["DSLC_DEVICE"] = "numpy"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files instead of comparing with them")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """`golden(path, text)`: the file holds exactly this text; with `--update-golden` it is written instead."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"{path.name} is missing: run with --update-golden and look at it"
        assert text == path.read_text(encoding="utf-8"), f"{path.name} differs"

    return compare


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Reasons of the tests that were skipped, each once: comparisons whose library is not installed, devices that are not there."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped if isinstance(report.longrepr, tuple))
    if reasons:
        terminalreporter.section("left out")
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} test{'s' if count > 1 else ''}: {reason}")
