"""What an exported model holds, and that a fault anywhere leaves no file behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from dslc.diagnostics import DataError, DslcError, InternalError, SpecError
from dslc.ir.graph import Graph, Node
from dslc.ir.types import DType, tensor
from dslc.ops.value import Builder, F
from exporters.onnx.export import export_network, make_subject
from exporters.onnx.external import storage_for
from exporters.onnx.lowerings import LOWERINGS
from exporters.onnx.model import Writer, shown_place
from exporters.onnx.report import Report
from tests.onnx.networks import network, parameters


def small(place: str = "specs/net.nn") -> Builder:
    """softmax(relu(x @ w + b)) with places and addresses as the elaborator stamps them."""
    b = Builder("Net")
    x = b.input("input", "x", tensor("f32", "batch", 4))
    w = b.input("weight", "Net.dense0.w", tensor("f32", 4, 3))
    bias = b.input("weight", "Net.dense0.b", tensor("f32", 3))
    b.scope, b.place = "Net.dense0", f"{place}:4:8"
    h = x @ w + bias
    b.scope, b.place = "Net", f"{place}:5:8"
    b.output("y", F.softmax(F.relu(h)))
    return b


def exported(graph: Graph, path: Path | None = None, **options: object) -> tuple[Report, onnx.ModelProto]:
    net = network(graph)
    report = export_network(net, parameters(net), path, **options)  # type: ignore[arg-type]
    return report, make_subject(net, parameters(net), **options)[0].model  # type: ignore[arg-type]


# ---- contents -----------------------------------------------------------------------------------------------------------------


def test_names_types_and_places() -> None:
    _, model = exported(small().build())
    assert (model.ir_version, [(item.domain, item.version) for item in model.opset_import]) == (10, [("", 21)])
    assert [(node.op_type, node.output[0]) for node in model.graph.node] == [
        ("MatMul", "Net.dense0/matmul0"),
        ("Add", "Net.dense0/add0"),
        ("Relu", "Net/relu0"),
        ("Softmax", "y"),
    ]
    assert [item.name for item in model.graph.initializer] == ["Net.dense0.w", "Net.dense0.b"]
    place = {"dslc.address": "Net/softmax0", "dslc.source": "specs/net.nn:5:8"}
    assert {item.key: item.value for item in model.graph.node[3].metadata_props} == place
    infos = {item.name: item.type.tensor_type for item in (*model.graph.input, *model.graph.value_info, *model.graph.output)}
    assert sorted(infos) == ["Net.dense0/add0", "Net.dense0/matmul0", "Net/relu0", "x", "y"]
    assert all(info.shape.dim[0].dim_param == "batch" for info in infos.values())


def test_metadata() -> None:
    report, model = exported(small().build(), classes=("cat", "döner", "dog"), contract={"x": "data.x / 255"}, spec_text="dslc 1\n")
    held = {item.key: item.value for item in model.metadata_props}
    assert held == report.metadata
    assert json.loads(held["dslc.classes"]) == ["cat", "döner", "dog"]
    assert json.loads(held["dslc.input_contract"]) == {"x": "data.x / 255"}
    assert len(held["dslc.spec_sha256"]) == len(held["dslc.weights_sha256"]) == 64
    net = network(small().build())
    other = make_subject(net, {**parameters(net), "Net.dense0.b": np.ones(3, np.float32)})[2]
    assert other["dslc.weights_sha256"] != held["dslc.weights_sha256"]


def test_an_input_with_a_default_stays_an_input() -> None:
    b = Builder("Net")
    x, scale = b.input("input", "x", tensor("f32", "batch")), b.input("input", "scale", tensor("f32"))
    b.output("y", x * scale)
    net = network(b.build(), defaults={"scale": 2.0})
    subject, _, metadata = make_subject(net, {})
    assert [item.name for item in subject.model.graph.input] == ["x", "scale"]
    assert json.loads(metadata["dslc.input_defaults"]) == {"scale": 2.0}


def test_outputs_that_are_no_plain_results() -> None:
    """An output named as an input, an input, a weight, a constant, and one value twice."""
    b = Builder("Net")
    x, w = b.input("input", "x", tensor("f32", "batch")), b.input("weight", "Net.w", tensor("f32"))
    y = x * w
    for name, value in (("x", y), ("same", y), ("given", x), ("weight", w), ("three", b.constant(3, DType.f32))):
        b.output(name, value)
    report, model = exported(b.build())
    assert [item.name for item in report.outputs] == ["x_out", "same", "given", "weight", "three"]
    assert [node.op_type for node in model.graph.node] == ["Mul"] + ["Identity"] * 4


def test_report_in_text_and_json() -> None:
    report, _ = exported(small().build())
    text = report.text()
    for line in ("Net, opset 21 (IR 10)", "input     x: f32[batch, 4]", "passed    lint", "onnx.reference              batch 5"):
        assert line in text
    again = Report.model_validate_json(report.model_dump_json())
    assert (again, again.version, again.operators["Softmax"]) == (report, 1, 1)


def test_a_dry_run_and_one_without_parity(tmp_path: Path) -> None:
    net = network(small().build())
    assert export_network(net, parameters(net), None).file == "(not written)"
    report = export_network(net, parameters(net), tmp_path / "m.onnx", verify=False)
    assert [check.verdict for check in report.checks] == ["passed", "passed", "passed", "left out"]
    assert len((tmp_path / "m.onnx").read_bytes()) == report.bytes


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("specs/lenet.nn:8:8", "specs/lenet.nn:8:8"),
        ("/home/anna/nets/a.nn:8:8", "a.nn:8:8"),
        ("../../anna/a.nn:1:2", "a.nn:1:2"),
        ("C:\\Users\\anna\\a.nn:1:2", "a.nn:1:2"),
    ],
)
def test_places_name_no_folder_of_a_machine(place: str, shown: str) -> None:
    assert shown_place(place) == shown


# ---- sizes --------------------------------------------------------------------------------------------------------------------


def movements() -> Graph:
    """Reshape, broadcast, slice, pad, arange and size over three symbolic dims."""
    b = Builder("Net")
    x = b.input("input", "x", tensor("f32", "batch", "time", "width"))
    batch, time, width = x.type.shape
    flat = F.reshape(x, shape=(batch * time, width))
    b.output("flat", flat)
    b.output("wide", F.broadcast(F.mean(x, axis=(1,), keep=True), shape=(batch, time * 2, width)))
    b.output("padded", F.pad(x, before=(0, 1, 0), after=(0, 2, time)))
    b.output("half", F.slice(x, starts=(0, time // 2, 0), stops=(batch, time, width)))
    b.output("steps", b.one("arange", (), count=time))
    b.output("scaled", x / b.one("size", (), dim=time, dtype=DType.f32))
    return b.build()


def test_symbolic_sizes_are_computed() -> None:
    report, model = exported(movements())
    assert len({tuple(row.sizes.items()) for row in report.parity}) == 12
    assert all(row.max_absolute <= 1e-6 for row in report.parity)
    declared = {item.name: item for item in model.graph.output}
    assert [dim.dim_param or dim.dim_value for dim in declared["wide"].type.tensor_type.shape.dim] == ["batch", "2*time", "width"]


@pytest.mark.parametrize(("kernel", "sizes"), [(5, {(7, 7), (7, 19), (19, 7), (19, 19)}), (23, {(24, 24), (27, 27), (53, 53)})])
def test_a_window_needs_so_many_pixels(kernel: int, sizes: set[tuple[int, int]]) -> None:
    """The usual sizes where they fit, else the smallest that fits, an odd and a larger one."""
    b = Builder("Net")
    x, w = b.input("input", "x", tensor("f32", "batch", 2, "h", "w")), b.input("weight", "Net.w", tensor("f32", 3, 2, kernel, kernel))
    b.output("y", F.max_pool(F.conv(x, w), kernel=2))
    report, _ = exported(b.build())
    found = {(row.sizes["h"], row.sizes["w"]) for row in report.parity}
    assert found <= sizes
    assert len(found) >= 2


# ---- faults: no file is written -------------------------------------------------------------------------------------------------


def refused(tmp_path: Path, graph: Graph, error: type[DslcError]) -> str:
    """The message of the refusal; an older file of that name is still there, and nothing else."""
    path = tmp_path / "m.onnx"
    path.write_bytes(b"older")
    net = network(graph)
    with pytest.raises(error) as caught:
        export_network(net, parameters(net), path)
    assert [(item.name, item.read_bytes()) for item in tmp_path.iterdir()] == [("m.onnx", b"older")]
    return str(caught.value)


def break_lowering(monkeypatch: pytest.MonkeyPatch, name: str, op: str, **attributes: object) -> None:
    """Let the operator `name` be lowered to one ONNX operator with these attributes."""

    def wrong(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        w.emit(op, inputs, w.types[node.outputs[0]], outputs[0], **attributes)

    monkeypatch.setitem(LOWERINGS, name, wrong)


def test_a_wrong_axis_is_found_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_lowering(monkeypatch, "softmax", "Softmax", axis=0)
    message = refused(tmp_path, small().build(), InternalError)
    assert "onnx.reference computes another `y`" in message
    assert "first at Net/softmax0 (specs/net.nn:5:8)" in message


def test_a_wrong_constant_is_found_and_its_first_node_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_lowering(monkeypatch, "leaky_relu", "LeakyRelu", alpha=0.02)
    b = Builder("Net")
    x = b.input("input", "x", tensor("f32", "batch", 4))
    b.output("y", F.exp(F.leaky_relu(F.exp(x) - 1.0, slope=0.01)) * 3.0)
    assert "first at leaky_relu0" in refused(tmp_path, b.build(), InternalError)


def test_a_node_that_stops_the_runtime_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        w.emit("Gather", [inputs[0], w.ints([7])], w.types[node.outputs[0]], outputs[0], axis=1)

    monkeypatch.setitem(LOWERINGS, "sum", wrong)
    b = Builder("Net")
    x = b.input("input", "x", tensor("f32", "batch", "n"))
    b.output("y", F.exp(F.sum(F.exp(x), axis=(1,), keep=True)))
    message = refused(tmp_path, b.build(), InternalError)
    assert "it stops with" in message
    assert "first at sum0" in message


def test_a_wrong_shape_is_refused_by_the_static_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_lowering(monkeypatch, "concat", "Concat", axis=1)
    b = Builder("Net")
    x = b.input("input", "x", tensor("f32", 2, 3))
    b.output("y", b.one("concat", (x, x), axis=0))
    assert "onnx-check" in refused(tmp_path, b.build(), InternalError)


def test_an_operator_without_a_form_is_named_with_its_place(tmp_path: Path) -> None:
    b = small()
    b.place = "specs/net.nn:6:3"
    b.output("draw", F.bernoulli(b.key(), p=0.5, shape=(3,)))
    message = refused(tmp_path, b.build(), SpecError)
    assert "`bernoulli` at specs/net.nn:6:3 has no ONNX form" in message


def test_weights_above_two_gigabytes_in_one_file() -> None:
    b = Builder("Net")
    x, w = b.input("input", "x", tensor("f32", "batch", 30000)), b.input("weight", "Net.w", tensor("f32", 30000, 30000))
    b.output("y", x @ w)
    with pytest.raises(SpecError, match="3,600,000,000 bytes of weights"):
        export_network(network(b.build()), {}, None, storage=storage_for(None, False))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (None, "Net.dense0.w is missing"),
        (np.zeros((3, 4), np.float32), r"is float32\[3, 4\], not f32\[4, 3\]"),
        (np.zeros((4, 3)), r"is float64\[4, 3\]"),
        (np.full((4, 3), np.inf, np.float32), "not finite"),
    ],
)
def test_parameters_that_do_not_fit(array: np.ndarray | None, words: str) -> None:
    net = network(small().build())
    given = {**parameters(net), "Net.dense0.w": array}
    with pytest.raises(DataError, match=words):
        export_network(net, {key: value for key, value in given.items() if value is not None}, None)


def test_paths_that_cannot_be_written(tmp_path: Path) -> None:
    net = network(small().build())
    (tmp_path / "link.onnx").symlink_to(tmp_path / "elsewhere.onnx")
    for path in (tmp_path / "link.onnx", tmp_path, tmp_path / "missing" / "m.onnx"):
        with pytest.raises(DataError, match="cannot write"):
            export_network(net, parameters(net), path, verify=False)
    assert [item.name for item in tmp_path.iterdir()] == ["link.onnx"]
