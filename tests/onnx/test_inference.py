"""The strict inference of shapes, where onnx's own propagation of values is wrong and where a model is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporters.onnx.check import LOSES_RANK, inference


def stacked(rows: list[int]) -> Any:
    """Three vectors of whole numbers, stacked to [3, 2], and a vector added: what `inference` looks at."""
    vectors = [numpy_helper.from_array(np.array([1, 1]), f"w{i}") for i in range(4)]
    nodes = [helper.make_node("Unsqueeze", [f"w{i}", "axis"], [f"u{i}"]) for i in range(3)]
    nodes += [helper.make_node("Concat", ["u0", "u1", "u2"], ["v"], axis=0), helper.make_node("Add", ["v", "w3"], ["y"])]
    result = helper.make_tensor_value_info("y", TensorProto.INT64, rows)
    graph = helper.make_graph(nodes, "g", [], [result], [*vectors, numpy_helper.from_array(np.array([0]), "axis")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return SimpleNamespace(data=model.SerializeToString())


def test_a_rank_that_onnx_loses_is_no_fault_of_the_model() -> None:
    subject = stacked([3, 2])
    with pytest.raises(onnx.shape_inference.InferenceError, match=LOSES_RANK):
        onnx.shape_inference.infer_shapes(subject.data, check_type=True, strict_mode=True, data_prop=True)
    assert inference(subject) == ""


def test_a_wrong_shape_is_found_all_the_same() -> None:
    assert "dimension" in inference(stacked([3, 4]))
