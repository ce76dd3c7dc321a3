"""Random specs: what `check` accepts runs, and every way to run it computes what the interpreter computes; what it refuses has diagnostics.

`EXAMPLES=1000 pytest tests/soundness` looks at more; a seed that fails stands in the name of its test.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soundness.examine import examine
from tests.soundness.specs import make_spec

EXAMPLES = int(os.environ.get("EXAMPLES", "40"))
FIRST = int(os.environ.get("FIRST", "0"))
accepted: list[int] = []


@pytest.mark.parametrize("seed", range(FIRST, FIRST + EXAMPLES))
def test_an_accepted_spec_runs(seed: int, tmp_path: Path) -> None:
    spec = make_spec(seed)
    try:
        if examine(spec, tmp_path, export=seed % 5 == 0):
            accepted.append(seed)
    except Exception as error:
        raise AssertionError(f"seed {seed}:\n{spec.text}") from error


def test_many_specs_are_accepted() -> None:
    """The generator still speaks the language."""
    assert len(accepted) >= EXAMPLES // 3
