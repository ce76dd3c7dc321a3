"""Random specs: what `check` accepts runs, and every way to run it computes what the interpreter computes; what it refuses has diagnostics.

`EXAMPLES=1000 pytest tests/soundness` looks at more; a seed that fails stands in the name of its test.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dslc.ir.types import DType
from tests.soundness.examine import examine
from tests.soundness.specs import make_spec

EXAMPLES = int(os.environ.get("EXAMPLES", "20"))
FIRST = int(os.environ.get("FIRST", "0"))
accepted: list[int] = []


def how(seed: int) -> dict[str, Any]:
    """How a seed is examined: most in double precision, some exported, some trained from the file."""
    single = seed % 10 in (5, 6)
    options = {"opset": 13 + seed // 5 % 16, "flat": seed % 2 == 0, "fold_batch_norm": seed % 3 == 0}
    return {"precision": DType.f32 if single else DType.f64, "export": options if seed % 5 == 0 else None, "train": seed % 10 == 2}


@pytest.mark.parametrize("seed", range(FIRST, FIRST + EXAMPLES))
def test_an_accepted_spec_runs(seed: int, tmp_path: Path) -> None:
    spec = make_spec(seed)
    try:
        if examine(spec, tmp_path, **how(seed)):
            accepted.append(seed)
    except Exception as error:
        raise AssertionError(f"seed {seed}:\n{spec.text}") from error


def test_many_specs_are_accepted() -> None:
    """The generator still speaks the language."""
    assert len(accepted) >= EXAMPLES // 3


def test_data_that_are_too_small_for_a_network_are_refused(tmp_path: Path) -> None:
    """What the network would make of them has a negative size, which the generator goes on with."""
    assert not examine(make_spec(1_001_172), tmp_path)
