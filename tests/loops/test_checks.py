"""Indices that are asked whether they are places: those of the data when the nests run, those that are known at once."""

from __future__ import annotations

import numpy as np
import pytest

from dslc.ir.types import DType, tensor
from dslc.ops.value import Builder, Val
from runtime.loops.interpret import interpret_loops
from runtime.loops.lower import lower
from runtime.loops.nest import Loops
from tests.loops.code import run


def gathered(index: tuple[int, ...] | None) -> Loops:
    """x[index] with an index that is known, or that is data."""
    b = Builder("Gather")
    x = b.input("input", "x", tensor(DType.f32, 4, 3))
    where: Val = b.input("data", "i", tensor(DType.i64, 2)) if index is None else b.one("constant", (), value=index, dtype=DType.i64)
    b.output("y", b.one("gather", (x, where), axis=0))
    return lower(b.build())


@pytest.mark.parametrize(("index", "checks"), [((0, 3), 0), ((0, 4), 1), ((-1, 2), 1), (None, 1)])
def test_who_is_asked(index: tuple[int, ...] | None, checks: int) -> None:
    assert len(gathered(index).checks) == checks


@pytest.mark.parametrize(("index", "count"), [((1, 2), 0), ((-1, 2), 1), ((9, 4), 2)])
def test_places_that_are_none_are_counted(index: tuple[int, ...], count: int) -> None:
    loops = gathered(None)
    arrays = {name: np.ones(array.shape, array.dtype) for name, array in loops.arrays.items()}
    arrays["%1"][...] = index
    native = run(loops, arrays, {})
    interpret_loops(loops, arrays, {})
    assert arrays[loops.checks[0]] == native[loops.checks[0]] == count
