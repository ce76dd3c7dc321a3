"""The plain interpreter: dims from shapes, clear errors, values freed after their last use."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

from dslc.diagnostics import DataError, SpecError
from dslc.interpret import interpret, last_uses
from dslc.ir.graph import Node
from dslc.ir.text import from_text

AFFINE = """\
graph affine {
  %0: f32[batch, 3] = data x
  %1: f32[batch, <2*batch>] = data z
  %2: f32[3] = weight w
  %3: f32[batch, 3] = multiply(%0, %2) "multiply0"
  %4: f32[] = size() {dim=batch, dtype=f32} "size0"
  %5: f32[] = sum(%3) {axis=none, keep=false} "sum0"
  %6: f32[] = divide(%5, %4) "divide0"
  output mean = %6
  update w = %2
}
""".replace("<2*batch>", "2*batch")
GOOD = {"x": np.ones((2, 3), np.float32), "z": np.ones((2, 4), np.float32), "w": np.arange(3, dtype=np.float32)}


def test_sizes_come_from_the_arrays() -> None:
    found = interpret(from_text(AFFINE), np, GOOD | {"unused": np.zeros(1)})
    assert found["mean"] == 3.0 and found["mean"].dtype == np.float32 and found["mean"].shape == ()
    assert found["update:w"] is GOOD["w"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": None}, "`x`: no array is given for this data of affine, which is f32[batch, 3]"),
        ({"x": np.ones((2, 3))}, "`x`: the array is float64, float32 is needed"),
        ({"x": np.ones(3, np.float32)}, "`x`: the array has shape (3,), f32[batch, 3] is needed"),
        ({"x": np.ones((2, 4), np.float32)}, "`x`: axis 1 is 4, not 3 (f32[batch, 3] is needed)"),
        ({"z": np.ones((2, 5), np.float32)}, "`z`: axis 1 is 5, but 2*batch is 4 (f32[batch, 2*batch] is needed)"),
        ({"x": np.ones((0, 3), np.float32), "z": np.ones((0, 0), np.float32)}, "`x`: axis 0 is empty"),
    ],
)
def test_an_array_that_does_not_fit_is_named(arrays: dict[str, Any], message: str) -> None:
    given = {name: array for name, array in (GOOD | arrays).items() if array is not None}
    with pytest.raises(DataError) as caught:
        interpret(from_text(AFFINE), np, given)
    assert caught.value.diagnostics[0].message == message


def test_a_size_that_no_array_shows_is_named() -> None:
    text = "graph g {\n  %0: f32[2*h] = data x\n  output y = %0\n}"
    with pytest.raises(DataError, match="the size h in"):
        interpret(from_text(text), np, {"x": np.ones(4, np.float32)})


def test_an_operator_without_eval_is_named_with_its_place() -> None:
    text = 'graph g {\n  %0: f32[n] = data x\n  %1: f32[n] = scan(%0) "scan0" @net.nn:3:1 body graph b {\n  }\n  output y = %1\n}'
    with pytest.raises(SpecError, match=r"`scan` at net\.nn:3:1 cannot be run yet"):
        interpret(from_text(text), np, {"x": np.ones(4, np.float32)})


def test_a_value_is_freed_after_its_last_use() -> None:
    lines = "".join(f'  %{i}: f32[n] = exp(%{i - 1}) "exp{i}"\n' for i in range(1, 6))
    graph = from_text(f"graph g {{\n  %0: f32[n] = data x\n{lines}  output y = %5\n}}")
    made: list[weakref.ref[Any]] = []

    def watch(node: Node, results: Any) -> None:
        assert [ref() is not None for ref in made[:-1]] == [False] * len(made[:-1])
        made.append(weakref.ref(results[0]))

    interpret(graph, np, {"x": np.zeros(8, np.float32)}, watch)
    assert len(made) == 5


def test_results_that_nobody_uses_die_at_once() -> None:
    text = 'graph g {\n  %0: f32[n] = data x\n  %1: f32[n] = exp(%0) "a"\n  %2: f32[n] = exp(%0) "b"\n  output y = %2\n}'
    assert last_uses(from_text(text)) == [[1], [0]]


def test_overflow_is_silent() -> None:
    text = 'graph g {\n  %0: f32[n] = data x\n  %1: f32[n] = exp(%0) "a"\n  output y = %1\n}'
    assert np.isinf(interpret(from_text(text), np, {"x": np.full(2, 1e4, np.float32)})["y"]).all()


def test_a_size_that_no_input_shows_is_given_or_missing() -> None:
    text = 'graph g {\n  %0: f32[] = weight w\n  %1: f32[batch] = broadcast(%0) {shape=(batch)} "b"\n  output y = %1\n}'
    arrays = {"w": np.array(2.0, np.float32)}
    assert interpret(from_text(text), np, arrays, dims={"batch": 3})["y"].tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(DataError, match="`batch`: no input shows this size, which b needs"):
        interpret(from_text(text), np, arrays)
