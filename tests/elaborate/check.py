"""What the tests of this folder share: check a text, and its codes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dslc.diagnostics import Diagnostic
from dslc.loading import Override, check_source
from dslc.program import Program
from dslc.render import render_text
from dslc.source import Source


def check(text: str, folder: Path | None = None, overrides: Sequence[Override] = ()) -> tuple[Program | None, list[Diagnostic]]:
    """The program and diagnostics of a text; the header is put before it."""
    return check_source(Source("t.nn", f"dslc 1\n{text}"), folder=folder, overrides=overrides)


def codes(text: str, folder: Path | None = None, overrides: Sequence[Override] = ()) -> list[str]:
    return [item.code for item in check(text, folder, overrides)[1]]


def program(text: str, folder: Path | None = None, overrides: Sequence[Override] = ()) -> Program:
    found, diagnostics = check(text, folder, overrides)
    assert found is not None, render_text(diagnostics)
    return found


def network(body: str, head: str = "") -> str:
    """A network `N` with the input x: [batch, 4] and this body."""
    return f"{head}\nnetwork N {{\n  input x: [batch, 4]\n{body}\n}}\n"
