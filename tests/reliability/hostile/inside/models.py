"""ONNX models that nobody should trust, by name: broken graphs, and weights that stand elsewhere. `make(name)` gives one and its types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx
from onnx import TensorProto, helper

from dslc.ir.types import TensorType, tensor

X = tensor("f32", "batch", 4)
DEEP = 1000


def plain(*nodes: onnx.NodeProto, opsets: tuple[tuple[str, int], ...] = (("", 21),), ir: int = 10, **more: Any) -> onnx.ModelProto:
    """A model from `x` to `y`, f32[batch, 4]."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in ("x", "y")]
    graph = helper.make_graph(list(nodes), "N", ends[:1], ends[1:], **more)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(*item) for item in opsets])
    model.ir_version = ir
    return model


def node(op: str, inputs: str, outputs: str, **more: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), outputs.split(), **more)


def nested(op: str) -> onnx.ModelProto:
    """A graph in a graph in a graph, ..."""
    model = plain(node("Relu", "x", "y"))
    inner = model.graph.node[0]
    for _ in range(DEEP):
        inner.op_type = op
        graph = inner.attribute.add(name="body", type=onnx.AttributeProto.GRAPH).g
        graph.output.add(name="y")
        inner = graph.node.add(input=["x"], output=["y"])
    inner.op_type = "Identity"
    return model


def calls_itself() -> onnx.ModelProto:
    model = plain(node("F", "x", "y", domain="dslc"), opsets=(("", 21), ("dslc", 1)))
    body = [node("F", "x", "y", domain="dslc")]
    model.functions.append(helper.make_function("dslc", "F", ["x"], ["y"], body, [helper.make_opsetid("dslc", 1)]))
    return model


def doubled() -> onnx.ModelProto:
    """Forty functions, each of which calls the one before it twice."""
    ids = [helper.make_opsetid("dslc", 1), helper.make_opsetid("", 21)]
    model = plain(node("F40", "x", "y", domain="dslc"), opsets=(("", 21), ("dslc", 1)))
    model.functions.append(helper.make_function("dslc", "F0", ["x"], ["y"], [node("Relu", "x", "y")], ids))
    for k in range(1, 41):
        body = [node(f"F{k - 1}", "x", "h", domain="dslc"), node(f"F{k - 1}", "h", "y", domain="dslc")]
        model.functions.append(helper.make_function("dslc", f"F{k}", ["x"], ["y"], body, ids))
    return model


def huge_tensor() -> onnx.ModelProto:
    """2^31 by 2^31 numbers in four bytes."""
    model = plain(node("Add", "x w", "y"))
    model.graph.initializer.append(TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**31, 2**31], raw_data=bytes(4)))
    return model


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "a tensor of 2^62 numbers in four bytes": huge_tensor,
    "If in If, 1,000 deep": lambda: nested("If"),
    "Loop in Loop, 1,000 deep": lambda: nested("Loop"),
    "a cycle": lambda: plain(node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b", "y")),
    "nodes in the wrong order": lambda: plain(node("Relu", "h", "y"), node("Relu", "x", "h")),
    "two nodes of one name": lambda: plain(node("Relu", "x", "h", name="n"), node("Relu", "h", "y", name="n")),
    "two values of one name": lambda: plain(node("Relu", "x", "y"), node("Sigmoid", "x", "y")),
    "an input that is not there": lambda: plain(node("Add", "x nothing", "y")),
    "an output that is not there": lambda: plain(node("Relu", "x", "z")),
    "an operator of another domain": lambda: plain(node("Relu", "x", "y", domain="evil.example"), opsets=(("", 21), ("evil.example", 1))),
    "PyOp": lambda: plain(node("PyOp", "x", "y", domain="ai.onnx.contrib"), opsets=(("", 21), ("ai.onnx.contrib", 1))),
    "a function that calls itself": calls_itself,
    "functions that double forty times": doubled,
    "opset 9999": lambda: plain(node("Relu", "x", "y"), opsets=(("", 9999),)),
    "no opset": lambda: plain(node("Relu", "x", "y"), opsets=()),
    "IR version 0": lambda: plain(node("Relu", "x", "y"), ir=0),
    "IR version 10^9": lambda: plain(node("Relu", "x", "y"), ir=10**9),
}


def make(name: str) -> tuple[onnx.ModelProto, dict[str, TensorType]]:
    return MODELS[name](), {"x": X, "y": X}


def elsewhere(entries: dict[str, Any]) -> onnx.ModelProto:
    """A model with one weight of 2 by 3 that stands in a file; `dims`, `type` and `raw` belong to the tensor, the rest are its entries."""
    made = onnx.ModelProto()
    item = made.graph.initializer.add(name="w", data_type=entries.get("type", TensorProto.FLOAT), dims=entries.get("dims", [2, 3]))
    item.data_location = TensorProto.EXTERNAL
    item.raw_data = b"1234" if entries.get("raw") else b""
    for key, value in {"location": "m.data", "offset": 8, "length": 24, **entries}.items():
        if key not in ("dims", "type", "raw") and value is not None:
            item.external_data.add(key=key, value=str(value))
    return made
