"""The shrinker: a planted fault becomes a spec of a few lines that still has it, and its pinned file gives the same spec again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dslc.ir.types import DType
from tests.soundness import pins
from tests.soundness.examine import accepted
from tests.soundness.shrink import pinned_on_failure, shrunk, simpler, way
from tests.soundness.specs import Spec, make_spec

OPERATORS = ("sigmoid", "conv")


class Planted(Exception):
    """The fault that is looked for."""


def faulty(op: str) -> Callable[[Spec, Path], None]:
    """A check that fails for every accepted spec whose step applies this operator."""

    def check(spec: Spec, folder: Path) -> None:
        program = accepted(spec, folder, DType.f64)
        for training in program.trainings.values() if program is not None else ():
            if any(node.op == op for node in training.steps[0].graph.nodes):
                raise Planted("fault: planted")

    return check


@pytest.mark.parametrize("op", OPERATORS)
def test_a_planted_fault_is_shrunk(op: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pins, "FOLDER", tmp_path)
    check = faulty(op)
    spec = next(spec for seed in range(100) if way(check, spec := make_spec(seed)) is not None)
    small = shrunk(spec, check)
    assert way(check, small) == way(check, spec) == "Planted fault"
    assert len(small.text.splitlines()) <= 22 < len(spec.text.splitlines())
    again = pins.read(pins.write(op, small))
    assert way(check, again) == "Planted fault"
    assert again.whole == small.whole
    assert all(
        np.array_equal(again.arrays[name], array) and again.arrays[name].dtype == array.dtype for name, array in small.arrays.items()
    )


def test_what_holds_alone_is_not_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pins, "FOLDER", tmp_path)
    with pytest.raises(Planted), pinned_on_failure("accepted", 0, make_spec(2_000_000)):
        raise Planted
    assert not list(tmp_path.iterdir())


def test_lines_become_simpler() -> None:
    found = set(simpler("  v1 = tanh(x0) + w0 -> conv(2, kernel=[1, 3], pad=1)"))
    assert {
        "  v1 = tanh(x0) -> conv(2, kernel=[1, 3], pad=1)",
        "  v1 = tanh(x0) + w0 -> conv(2, pad=1)",
        "  v1 = tanh(x0) + w0 -> conv(2, kernel=[1, 3])",
        "  v1 = tanh(x0) + w0",
        "  v1 = x0 + w0 -> conv(2, kernel=[1, 3], pad=1)",
    } <= found
