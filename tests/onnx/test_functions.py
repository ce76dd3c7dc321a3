"""One FunctionProto for each user block: shared bodies, nested calls, regions that are none, parity of both forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from dslc.ir.types import tensor
from dslc.loading import load_program
from dslc.ops.value import Builder, F
from dslc.program import LayerRow, Network
from exporters.onnx.backends import reference
from exporters.onnx.check import static_checks
from exporters.onnx.export import export_network, make_subject
from exporters.onnx.functions import extract
from exporters.onnx.lint import lint
from tests.onnx.networks import network, parameters
from tests.onnx.test_specs import only_network

NESTED = """dslc 1

block twice(x: [batch, n]) {
  return x -> dense(n) -> tanh -> dense(n)
}

block outer(x: [batch, n]) {
  return relu(x -> twice -> twice) + x
}

network Net {
  input x: [batch, 4]
  a = x -> outer -> outer
  output y = a -> dense(3) -> twice
}
"""


def spec(text: str, folder: Path) -> Network:
    (folder / "net.nn").write_text(text)
    return next(iter(load_program(folder / "net.nn")[0].networks.values()))


def with_functions(net: Network, opset: int = 21) -> onnx.ModelProto:
    subject = make_subject(net, parameters(net), opset=opset)[0]
    extract(subject.model, net.layers, subject.outside)
    static_checks(subject)
    return subject.model


def test_equal_expansions_share_a_function() -> None:
    net = only_network("resnet20")
    report = export_network(net, parameters(net), None)
    assert [(item.name, item.calls, item.nodes) for item in report.functions] == [("residual", 7, 7), ("residual_1", 2, 9)]
    assert (report.nodes, report.operators["Conv"], report.inline) == (73, 21, ())
    assert {row.backend for row in report.parity} >= {"onnx.reference", "onnx.reference, functions"}
    assert "lint, with functions" in [check.name for check in report.checks]
    assert "function  residual: 7 nodes, called 7 times" in report.text()


def test_the_body_of_a_function() -> None:
    model = with_functions(only_network("resnet20"))
    body = next(item for item in model.functions if item.name == "residual")
    assert list(body.input[:3]) == ["x", "conv0.w", "batch_norm0.gamma"]
    assert [node.op_type for node in body.node] == ["Conv", "BatchNormalization", "Relu", "Conv", "BatchNormalization", "Add", "Relu"]
    held = [{item.key: item.value for item in node.metadata_props} for node in body.node]
    assert held[0] == {"dslc.address": "conv0/conv0", "dslc.source": "specs/resnet20.nn:5:8"}
    call = next(node for node in model.graph.node if node.op_type == "residual")
    assert call.name == "ResNet20.stage0.unit0.residual0"
    assert {item.key: item.value for item in call.metadata_props}["dslc.source"] == "specs/resnet20.nn:18:16"
    assert call.input[1] == "ResNet20.stage0.unit0.residual0.conv0.w"


@pytest.mark.parametrize("opset", [13, 17, 21, 28])
def test_functions_call_functions(opset: int, tmp_path: Path) -> None:
    net = spec(NESTED, tmp_path)
    model = with_functions(net, opset)
    assert {item.name: [node.op_type for node in item.node] for item in model.functions} == {
        "twice": ["MatMul", "Add", "Tanh", "MatMul", "Add"],
        "outer": ["twice", "twice", "Relu", "Add"],
    }
    assert [node.op_type for node in model.graph.node] == ["outer", "outer", "MatMul", "Add", "twice"]
    report = export_network(net, parameters(net), tmp_path / "m.onnx", opset=opset)
    assert {item.name: item.calls for item in report.functions} == {"twice": 5, "outer": 2}


def test_flat_has_no_functions(tmp_path: Path) -> None:
    net = spec(NESTED, tmp_path)
    report = export_network(net, parameters(net), tmp_path / "m.onnx", flat=True)
    model = onnx.load(tmp_path / "m.onnx")
    assert (report.functions, len(model.functions), len(model.graph.node)) == ((), 0, report.nodes)


def test_both_forms_give_the_same_bits(tmp_path: Path) -> None:
    net = spec(NESTED, tmp_path)
    subject = make_subject(net, parameters(net))[0]
    flat = reference(subject.model.SerializeToString())
    extract(subject.model, net.layers, subject.outside)
    functions = reference(subject.model.SerializeToString())
    x = {"x": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)}
    np.testing.assert_array_equal(flat(x)[0], functions(x)[0])


def crossing(leaves: bool) -> Network:
    """A block whose second node reads what a node outside made of its first one, or (not `leaves`) only what came before."""
    b = Builder("Net")
    x = b.input("input", "x", tensor("f32", "batch", "time", 2))
    b.scope = "Net.part0"
    first = F.exp(x)
    b.scope = "Net"
    outside = F.tanh(first if leaves else x)
    b.scope = "Net.part0"
    b.output("y", F.reshape(first * outside, shape=(x.type.shape[0] * x.type.shape[1], 2)))
    b.scope = "Net"
    b.output("z", F.sqrt(first))
    row = LayerRow(address="Net.part0", block="part", outputs=(), depth=1, place="a.nn:1:1")
    return network(b.build()).model_copy(update={"layers": (row,)})


def test_a_region_that_is_left_and_entered_again_stays_inline() -> None:
    report = export_network(crossing(leaves=True), {}, None)
    assert (report.functions, report.inline) == ((), ("Net.part0",))


def test_a_region_with_nodes_of_others_between_is_one_function() -> None:
    report = export_network(crossing(leaves=False), {}, None)
    assert [(item.name, item.calls) for item in report.functions] == [("part", 1)]
    assert report.inline == ()


def test_sizes_of_the_inputs_are_computed_outside(tmp_path: Path) -> None:
    text = """dslc 1

block merge(x: [batch, time, n]) {
  return reshape(x, [batch * time, n]) -> dense(n)
}

network Net {
  input x: [batch, time, 4]
  input z: [batch, time, 4]
  output y = merge(x) + merge(z)
}
"""
    net = spec(text, tmp_path)
    report = export_network(net, parameters(net), None)
    assert [(item.name, item.calls) for item in report.functions] == [("merge", 2)]


def faulty(break_: str) -> list[str]:
    net = only_network("resnet20")
    subject = make_subject(net, parameters(net))[0]
    extract(subject.model, net.layers, subject.outside)
    model = subject.model
    body = model.functions[0]
    if break_ == "order":
        nodes = list(body.node)[::-1]
        del body.node[:]
        body.node.extend(nodes)
    elif break_ == "dead":
        body.node.add(op_type="Relu", input=["x"], output=["spare"], name="spare")
    elif break_ == "unused":
        body.input.append("spare")
    elif break_ == "uncalled":
        model.functions.add(name="spare", domain="dslc").opset_import.add(domain="", version=21)
    elif break_ == "twice":
        model.functions.append(body)
    elif break_ == "opset":
        body.opset_import[0].version = 20
    elif break_ == "unnamed":
        body.node[0].name = ""
    return lint(model, subject.types)


@pytest.mark.parametrize(
    ("break_", "says"),
    [
        ("", None),
        ("order", "residual: relu1 reads add0 before it is defined"),
        ("dead", "residual: nothing reads spare"),
        ("unused", "residual: input spare is never read"),
        ("uncalled", "nothing calls the function spare"),
        ("twice", "two functions are called residual"),
        ("opset", "the function residual imports the opsets [20], the model 21"),
        ("unnamed", "residual: a node has no name"),
    ],
)
def test_faults_in_functions_are_found(break_: str, says: str | None) -> None:
    findings = faulty(break_)
    assert findings == [] if says is None else says in findings


MISREAD = """dslc 1

block norm(x: [batch, 7, h, w]) {
  return x -> lrn(size=3, alpha=0.5)
}

network Net {
  input x: [batch, 7, h, w]
  output y = x -> norm
}
"""


def test_what_the_reference_misreads_in_a_function_is_left_out(tmp_path: Path) -> None:
    report = export_network(spec(MISREAD, tmp_path), {}, None)
    assert [item.name for item in report.functions] == ["norm"]
    details = {check.name: check.detail for check in report.checks if check.verdict == "left out"}
    names = ("parity with onnx.reference", "parity with onnx.reference, with functions")
    assert all("it does not follow the standard in LRN" in details[name] for name in names)
