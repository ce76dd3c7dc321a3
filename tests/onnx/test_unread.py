"""Results that nobody reads, and scores that lie far apart: both are exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import dslc
from exporters.onnx.backends import reference

BODIES = {
    "values of max_pool_indices": "v, _ = max_pool_indices(x, 2)\n  output y = v",
    "places of max_pool_indices": "_, i = max_pool_indices(x, 2)\n  output y = i",
    "values of top_k": "v, _ = top_k(x, 2)\n  output y = v",
    "one part of a split": "v, _ = split(x, 2, axis=-1)\n  output y = v",
}


@pytest.mark.parametrize("name", BODIES)
def test_a_result_that_nobody_reads_is_left_out(name: str, tmp_path: Path) -> None:
    (tmp_path / "spec.nn").write_text(f"dslc 1\n\nnetwork Net {{\n  input x: [batch, 2, 6, 6]\n  {BODIES[name]}\n}}\n")
    report = dslc.load(tmp_path / "spec.nn").network().export(tmp_path / "net.onnx")
    read = {name for node in onnx.load(tmp_path / "net.onnx").graph.node for name in node.input} | {"y"}
    assert report.nodes and all(read.intersection(node.output) for node in onnx.load(tmp_path / "net.onnx").graph.node)


@pytest.mark.parametrize("axis", [0, -1])
def test_the_reference_takes_scores_that_lie_far_apart(axis: int) -> None:
    scores = np.array([[0, 200, 1000]], np.float32) if axis else np.array([[0], [200], [1000]], np.float32)
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, scores.shape) for name in "xy"]
    graph = helper.make_graph([helper.make_node("LogSoftmax", ["x"], ["y"], axis=axis)], "scores", info[:1], info[1:])
    run = reference(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString())
    (found,) = run({"x": scores})
    assert found.ravel().tolist() == [-1000, -800, 0]
