"""What the writer of generated kernels takes down, and what it leaves to a row's `eval`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from runtime.kernels.numpy.trace import Tape, Traced, Untraceable

Formula = Callable[[Any, Any, Any, Any], Any]

# x: f32[3, 4], b: bool[3, 4], i: i64[3, 4]
LEFT: dict[str, Formula] = {
    "a given type": lambda xp, x, b, i: xp.add(x, x, dtype="float64"),
    "a place for the result": lambda xp, x, b, i: xp.add(x, x, out=x),
    "two results": lambda xp, x, b, i: xp.divmod(x, x),
    "a sum of truth values": lambda xp, x, b, i: xp.sum(b),
    "an array": lambda xp, x, b, i: x + np.ones(4, np.float32),
    "a list": lambda xp, x, b, i: xp.add(x, [1, 2, 3, 4]),
    "a condition that is known": lambda xp, x, b, i: xp.where(True, x, 0),
    "another function": lambda xp, x, b, i: xp.sort(x),
    "an index of values": lambda xp, x, b, i: x[i],
    "a decision": lambda xp, x, b, i: x if x > 0 else b,
    "a loop": lambda xp, x, b, i: sum(row for row in x),
    "a number of a value": lambda xp, x, b, i: float(x.sum()),
}


def values() -> tuple[Tape, Traced, Traced, Traced]:
    tape = Tape()
    return tape, tape.input((3, 4), "float32"), tape.input((3, 4), "bool"), tape.input((3, 4), "int64")


@pytest.mark.parametrize("name", LEFT)
def test_left_to_eval(name: str) -> None:
    tape, *inputs = values()
    with pytest.raises(Untraceable):
        LEFT[name](tape.xp, *inputs)


TAKEN: dict[str, tuple[Formula, tuple[int, ...], str]] = {
    "a number without axes": (lambda xp, x, b, i: x * np.array(2.0, np.float32), (3, 4), "float32"),
    "a truth value": (lambda xp, x, b, i: xp.logical_or(b, True), (3, 4), "bool"),
    "a number": (lambda xp, x, b, i: 1 - x, (3, 4), "float32"),
    "numbers of one kind": (lambda xp, x, b, i: xp.where(b, i, 0), (3, 4), "int64"),
    "a condition of numbers": (lambda xp, x, b, i: xp.where(i, x, 0.5), (3, 4), "float32"),
    "all of an axis": (lambda xp, x, b, i: xp.all(b, axis=-1), (3,), "bool"),
    "a mean": (lambda xp, x, b, i: xp.mean(x, axis=(0, 1), keepdims=True), (1, 1), "float32"),
    "views": (lambda xp, x, b, i: x[:, None, ::2].T, (2, 1, 3), "float32"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_taken_down_with_the_shape_and_type_of_numpy(name: str) -> None:
    formula, shape, dtype = TAKEN[name]
    tape, *inputs = values()
    found = formula(tape.xp, *inputs)
    real = formula(np, *(np.ones(value.shape, value.dtype) for value in inputs))
    assert isinstance(found, Traced) and len(tape.steps) > 0
    assert (found.shape, found.dtype) == (shape, np.dtype(dtype)) == (real.shape, real.dtype)
