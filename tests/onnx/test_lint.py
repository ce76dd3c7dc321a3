"""Seeded faults: each is found by our lint and refused by the static checks; a clean model is refused by neither."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from dslc.diagnostics import InternalError
from dslc.ir.graph import Graph, Node
from dslc.ir.types import TensorType, tensor
from exporters.onnx.check import STATIC, Subject, full_check, inference, static_checks
from exporters.onnx.lint import lint
from exporters.onnx.model import Writer
from tests.onnx.test_specs import only_network

X, H, Y = tensor("f32", "batch", 4), tensor("f32", "batch", 3), tensor("f32", "batch", 6)


def clean() -> tuple[onnx.ModelProto, dict[str, TensorType]]:
    """x @ w + b, joined with its relu."""
    w = Writer(())
    w.current = Node(op="", inputs=(), outputs=(), address="Net/dense0", place="specs/net.nn:4:3")
    w.input("x", X)
    w.initializer("Net.dense0.w", np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3))
    w.initializer("Net.dense0.b", np.ones(3, np.float32))
    w.emit("MatMul", ["x", "Net.dense0.w"], H, "matmul0")
    w.emit("Add", ["matmul0", "Net.dense0.b"], H, "add0")
    w.emit("Relu", ["add0"], H, "relu0")
    w.emit("Concat", ["add0", "relu0"], Y, "y", axis=1)
    return w.model("Net", [("y", Y)], {"dslc.network": "Net"}, "0.1.0"), {**w.known, "y": Y}


def subject(model: onnx.ModelProto, types: dict[str, TensorType]) -> Subject:
    graph = Graph(name="Net", types=(), inputs=(), nodes=(), outputs=())
    return Subject(model=model, definition=graph, graph=graph, names={}, types=types, parameters={})


def node(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    return next(item for item in model.graph.node if item.name == name)


def weight(model: onnx.ModelProto) -> onnx.TensorProto:
    return next(item for item in model.graph.initializer if item.name == "Net.dense0.w")


# ---- the faults: (what our lint says, how the model is broken), by name -----------------------------------------------------

Fault = Callable[[onnx.ModelProto], object]
FAULTS: dict[str, tuple[str, Fault]] = {}


def fault(says: str) -> Callable[[Fault], Fault]:
    def register(function: Fault) -> Fault:
        FAULTS[function.__name__] = (says, function)
        return function

    return register


@fault("initializer spare is never read")
def unused_initializer(m: onnx.ModelProto) -> None:
    m.graph.initializer.append(helper.make_tensor("spare", TensorProto.FLOAT, [1], b"\0\0\0\0", raw=True))


@fault("nothing reads spare")
def dead_node(m: onnx.ModelProto) -> None:
    m.graph.node.append(helper.make_node("Neg", ["add0"], ["spare"], name="spare"))
    m.graph.value_info.append(helper.make_tensor_value_info("spare", TensorProto.FLOAT, ["batch", 3]))


@fault("holds a value that is not finite")
def nan_weights(m: onnx.ModelProto) -> None:
    weight(m).raw_data = np.full((4, 3), np.nan, np.float32).tobytes()


@fault("a node has no name")
def unnamed_node(m: onnx.ModelProto) -> None:
    node(m, "relu0").name = ""


@fault("two nodes are called relu0")
def duplicate_node_name(m: onnx.ModelProto) -> None:
    node(m, "add0").name = "relu0"


@fault("y is declared as [rows, 6]")
def misnamed_output_dim(m: onnx.ModelProto) -> None:
    m.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "rows"


@fault("y is declared as [1, 6]")
def frozen_output_dim(m: onnx.ModelProto) -> None:
    m.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1


@fault("y is declared as [batch, 5]")
def wrong_static_output_dim(m: onnx.ModelProto) -> None:
    m.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 5


@fault("is listed as an input")
def initializer_as_input(m: onnx.ModelProto) -> None:
    m.graph.input.append(helper.make_tensor_value_info("Net.dense0.w", TensorProto.FLOAT, [4, 3]))


@fault("calls the unknown local.Missing")
def missing_function(m: onnx.ModelProto) -> None:
    m.opset_import.add(domain="local", version=1)
    node(m, "relu0").op_type, node(m, "relu0").domain = "Missing", "local"


@fault("the function local.Again calls itself")
def recursive_function(m: onnx.ModelProto) -> None:
    m.opset_import.add(domain="local", version=1)
    body = [helper.make_node("Again", ["a"], ["b"], name="again", domain="local")]
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("local", 1)]
    m.functions.append(helper.make_function("local", "Again", ["a"], ["b"], body, imports))
    node(m, "relu0").op_type, node(m, "relu0").domain = "Again", "local"


@fault("the unknown domain com.example is imported")
def unknown_domain(m: onnx.ModelProto) -> None:
    m.opset_import.add(domain="com.example", version=1)
    node(m, "relu0").domain = "com.example"


@fault("add0 is declared as [batch, 7]")
def wrong_value_info(m: onnx.ModelProto) -> None:
    item = next(item for item in m.graph.value_info if item.name == "add0")
    item.type.tensor_type.shape.dim[1].dim_value = 7


@fault("declared as FLOAT[3, 4], it is f32[4, 3]")
def wrong_weight_shape(m: onnx.ModelProto) -> None:
    weight(m).dims[:] = [3, 4]


@fault("declared as DOUBLE[4, 3], it is f32[4, 3]")
def wrong_weight_dtype(m: onnx.ModelProto) -> None:
    weight(m).data_type = TensorProto.DOUBLE
    weight(m).raw_data = np.ones((4, 3)).tobytes()


@fault("has the axis 2, its input has 2")
def wrong_axis(m: onnx.ModelProto) -> None:
    node(m, "y").attribute[0].i = 2


@fault("two initializers are called Net.dense0.w")
def duplicate_initializer(m: onnx.ModelProto) -> None:
    m.graph.initializer.append(weight(m))


@fault("IR version 9 is too low")
def low_ir(m: onnx.ModelProto) -> None:
    m.ir_version = 9


@fault("metadata key dslc.network stands twice")
def duplicate_metadata_key(m: onnx.ModelProto) -> None:
    m.metadata_props.add(key="dslc.network", value="Other")


@fault("relu0 reads add0 before it is defined")
def unsorted_graph(m: onnx.ModelProto) -> None:
    nodes = list(m.graph.node)
    del m.graph.node[:]
    m.graph.node.extend([nodes[0], nodes[2], nodes[1], nodes[3]])


@fault("has the unknown attribute alpha")
def bad_attribute(m: onnx.ModelProto) -> None:
    node(m, "relu0").attribute.append(helper.make_attribute("alpha", 0.1))


@fault("holds 44 bytes, its shape says 48")
def raw_data_length(m: onnx.ModelProto) -> None:
    weight(m).raw_data = weight(m).raw_data[:-4]


@fault("add0 is defined twice")
def assigned_twice(m: onnx.ModelProto) -> None:
    node(m, "relu0").output[0] = "add0"
    node(m, "y").input[1] = "add0"


@fault("x has the size 1099511627776")
def huge_dim(m: onnx.ModelProto) -> None:
    m.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2**40


@fault("x has the size -1")
def negative_dim(m: onnx.ModelProto) -> None:
    m.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1


# ---- tests ------------------------------------------------------------------------------------------------------------------


def test_a_clean_model_passes() -> None:
    model, types = clean()
    assert lint(model, types) == []
    assert [check.verdict for check in static_checks(subject(model, types))] == ["passed"] * len(STATIC)


def test_there_are_25_faults() -> None:
    assert len(FAULTS) == 25


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found(name: str) -> None:
    says, break_ = FAULTS[name]
    model, types = clean()
    break_(model)
    findings = lint(model, types)
    assert any(says in finding for finding in findings), findings
    with pytest.raises(InternalError, match="onnx-check"):
        static_checks(subject(model, types))


@pytest.mark.parametrize("name", FAULTS)
def test_export_with_a_fault_writes_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault is put into the model that the exporter has just built: an older file of that name stays."""
    from exporters.onnx import export

    model, types = clean()
    FAULTS[name][1](model)
    monkeypatch.setattr(export, "make_subject", lambda *args, **settings: (subject(model, types), [], {}))
    (tmp_path / "m.onnx").write_bytes(b"older")
    with pytest.raises(InternalError, match="onnx-check"):
        export.export_network(only_network("softmax"), {}, tmp_path / "m.onnx")
    assert [(item.name, item.read_bytes()) for item in tmp_path.iterdir()] == [("m.onnx", b"older")]


def caught(name: str) -> list[str]:
    """Which checks, each run alone, find a fault: ours, onnx.checker, strict inference, onnxruntime."""
    ort = pytest.importorskip("onnxruntime", reason='onnxruntime is one of the checks: pip install "dslc[ort]"')
    model, types = clean()
    FAULTS[name][1](model)
    broken = subject(model, types)
    found = ["lint"] if lint(model, types) else []
    if name == "recursive_function":  # the others have no end, or end the process
        return found
    found += ["checker"] if full_check(broken) else []
    found += ["inference"] if inference(broken) else []
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        ort.InferenceSession(broken.data, options, providers=["CPUExecutionProvider"])
    except Exception:  # it has a dozen exceptions of its own
        found.append("onnxruntime")
    return found


def test_the_table_of_the_manual_is_what_the_checks_find() -> None:
    text = (Path(__file__).parents[2] / "docs" / "onnx.md").read_text()
    rows = dict(re.findall(r"^\| (\w+) \| ([a-z, ]+) \|$", text, re.MULTILINE))
    assert {name: rows.get(name) for name in FAULTS} == {name: ", ".join(caught(name)) for name in FAULTS}


def test_checkers_find_what_the_lint_cannot_see() -> None:
    """An axis that exists and is the wrong one: only shape inference notices."""
    model, types = clean()
    node(model, "y").attribute[0].i = 0
    assert lint(model, types) == []
    with pytest.raises(InternalError, match=r"onnx\.checker|inference"):
        static_checks(subject(model, types))
