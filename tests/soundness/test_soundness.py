"""Random specs: what `check` accepts runs, and every way to run it computes what the interpreter computes; what it refuses has diagnostics.

`EXAMPLES=1000 pytest tests/soundness` looks at more; a seed that fails stands in the name of its test.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from dslc.ir.types import Dim, DType
from tests.soundness.body import BATCH, Body, Names, Value
from tests.soundness.examine import examine
from tests.soundness.moves import index
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


@pytest.mark.parametrize("first", ["dslc.ops.unpool", "tests.soundness.structure"])
def test_a_seed_gives_one_spec_whatever_was_imported_before(first: str) -> None:
    program = f"import {first}\nfrom tests.soundness.specs import make_spec\nprint(*(make_spec(seed).text for seed in range(20)), end='')"
    found = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert found.stdout == " ".join(make_spec(seed).text for seed in range(20))


def test_nothing_is_chosen_of_an_axis_without_places() -> None:
    """A call with data that are too small for the windows of a network has such results, until it is refused."""
    body = Body(Random(0), Names(), "train")
    body.add(Value("net.y", "f", (BATCH, Dim.of(3), Dim.of(-2))))
    assert not any(index(body) for _ in range(20))
    assert body.lines == []
