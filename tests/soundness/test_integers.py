"""The part of a graph that computes with whole numbers stays whole, and nothing of it is lost behind a function that rounds."""

from __future__ import annotations

import numpy as np

from dslc.ir.text import from_text
from dslc.ir.verify import verify
from dslc.passes.differentiate import differentiate
from tests.soundness.integers import opened
from tests.soundness.rounding import Reference

GRAPH = """graph G {
  %0: f64[2, 3] = data x
  %1: f64[3, 4] = weight w
  %2: f64[2, 4] = matmul(%0, %1) "matmul0"
  %3: f64[] = constant() {value=0.3, dtype=f64} "constant0"
  %4: f64[2, 4] = multiply(%2, %3) "multiply0"
  %5: f64[2, 4] = tanh(%4) "tanh0"
  %6: f64[2, 4] = relu(%5) "relu0"
  %7: f64[4] = sum(%6) {axis=(0), keep=false} "sum0"
  %8: i64[] = argmax(%7) {axis=-1} "argmax0"
  %9: f64[] = mean(%7) {axis=none, keep=false} "mean0"
  output loss = %9
}
"""


def test_what_stands_behind_a_rounding_function_is_kept() -> None:
    numbers = np.random.default_rng(0)
    arrays = {"x": numbers.uniform(-1, 1, (2, 3)), "w": numbers.uniform(-1, 1, (3, 4))}
    graph, whole = opened(from_text(GRAPH), arrays, seed=1)
    verify(graph)
    assert {node.op for node in graph.nodes} >= {"matmul", "multiply", "relu", "sum", "argmax", "mean"}
    assert "tanh" not in {node.op for node in graph.nodes}
    assert [item.name for item in graph.inputs] == ["x", "w", "open.5", "weight.4", "weight.9"]
    assert all((array == np.rint(array)).all() for array in whole.values())
    assert next(node.attrs["value"] for node in graph.nodes if node.address == "constant0") == 0.25
    backward = differentiate(graph, "loss", ("x", "w", "open.5"))
    reference = Reference(backward, whole)
    assert all(map(reference.is_exact, reference.wanted))
    assert np.count_nonzero(reference.wanted["grad:w"]) > 6
    np.testing.assert_array_equal(reference.wanted["grad:w"], whole["x"].T @ whole["weight.4"] * 0.25)
