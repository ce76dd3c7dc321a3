"""Export in float16: what is stored and computed so, how far it may be from float32, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from dslc.diagnostics import DataError, InternalError, SpecError
from dslc.ir.types import DType
from dslc.loading import load_program
from dslc.program import Network
from exporters.onnx import agreement
from exporters.onnx.agreement import Samples
from exporters.onnx.export import export_network, make_subject
from exporters.onnx.half import refuse_half_step
from exporters.onnx.parity import parity
from tests.onnx.networks import parameters
from tests.onnx.test_specs import ROOT, only_network
from tests.specs.subjects import reduced

HALF, SINGLE = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT


def spec(folder: Path, body: str, precision: DType = DType.f32) -> Network:
    path = folder / "net.nn"
    path.write_text(f"dslc 1\n\nnetwork Net {{\n{body}\n}}\n")
    (net,) = load_program(path, precision=precision)[0].networks.values()
    return net


def values(net: Network) -> dict[str, np.ndarray]:
    """Weights of both signs, variances above 0."""
    return {name: np.abs(array) + np.float32(0.1) if name.endswith(".var") else array for name, array in parameters(net).items()}


def elements(model: onnx.ModelProto) -> dict[str, int]:
    """The element type of every tensor."""
    graph = model.graph
    declared = {item.name: item.type.tensor_type.elem_type for item in (*graph.input, *graph.output, *graph.value_info)}
    return declared | {item.name: item.data_type for item in graph.initializer}


# ---- what is float16 --------------------------------------------------------------------------------------------------------------------


def test_weights_and_operators_of_lenet() -> None:
    net = only_network("lenet")
    model = make_subject(net, values(net), half=True)[0].model
    found = elements(model)
    for node in model.graph.node:
        if node.op_type in ("Conv", "MatMul", "MaxPool", "Relu", "Add"):
            assert {found[name] for name in (*node.input, *node.output)} == {HALF}, node.name
    assert {item.name: item.data_type for item in model.graph.initializer if item.name in net_weights(net)} == dict.fromkeys(
        net_weights(net), HALF
    )
    assert [found[item.name] for item in (*model.graph.input, *model.graph.output)] == [SINGLE, SINGLE, onnx.TensorProto.INT64]
    assert [node.op_type for node in model.graph.node].count("Cast") == 2


def net_weights(net: Network) -> list[str]:
    return [weight.address for weight in net.weights]


def test_the_report_says_what_is_float16_and_how_far_it_is(tmp_path: Path) -> None:
    net = only_network("lenet")
    single = export_network(net, values(net), tmp_path / "single.onnx", verify=False)
    report = export_network(net, values(net), tmp_path / "half.onnx", dtype="f16")
    assert report.half is not None
    assert (report.half.tensors, report.half.bytes, report.half.bytes_f32, report.half.casts) == (8, 862_160, 1_724_320, 2)
    assert (tmp_path / "half.onnx").stat().st_size == report.bytes < 0.51 * single.bytes
    text = report.text()
    assert "  float16   8 weights, 862,160 bytes with what stays float32, instead of 1,724,320" in text
    assert re.search("samples in float16: 64 drawn: values up to [0-9.]+, the class of `class` is the same in 64 of 64", text)
    assert re.search("float16 may move `logits` by 0[.][345][0-9]% of its largest value", text)
    assert max(row.max_absolute for row in report.parity) > 1e-4, "float32 was compared"


def test_normalisations_softmax_sums_and_exponentials_stay_in_float32(tmp_path: Path) -> None:
    body = """  input x: [batch, 3, 8, 8]
  h = x -> conv(4, kernel=3) -> batch_norm -> relu
  g = h -> group_norm(2) -> layer_norm
  output y = softmax(mean(exp(g * 0.1), axis=[2, 3]))"""
    net = spec(tmp_path, body)
    for opset in (13, 21):
        subject = make_subject(net, values(net), half=True, opset=opset)[0]
        found = elements(subject.model)
        single = [node for node in subject.model.graph.node if node.op_type in ("BatchNormalization", "Softmax", "ReduceMean", "Exp")]
        single += [node for node in subject.model.graph.node if "Normalization" in node.op_type or node.op_type in ("Sqrt", "Div")]
        assert len(single) >= 4
        assert {found[name] for node in single for name in (*node.input, *node.output) if found[name] in (HALF, SINGLE)} == {SINGLE}
        assert {name: found[name] for name in found if name.endswith((".mean", ".var"))} == {
            "Net.batch_norm0.mean": SINGLE, "Net.batch_norm0.var": SINGLE,
        }  # fmt: skip
        assert found["Net.conv0.w"] == HALF
        parity(subject)


def test_a_constant_that_float16_does_not_hold_keeps_its_node_in_float32(tmp_path: Path) -> None:
    net = spec(tmp_path, "  input x: [batch, 3]\n  output y = (x + 0.000001) * 2 + relu(x * 100000)")
    model = make_subject(net, {}, half=True)[0].model
    found = elements(model)
    kinds = [(node.op_type, found[node.output[0]]) for node in model.graph.node if node.op_type != "Cast"]
    assert kinds.count(("Add", SINGLE)) >= 1
    assert kinds.count(("Mul", HALF)) == 1
    assert ("constant/f32/scalar/100000.0" in found, "constant/f16/scalar/2.0" in found) == (True, True)


def test_integers_and_indices_are_left_as_they_are(tmp_path: Path) -> None:
    body = "  input x: i64[batch, 3]\n  output y = x -> embedding(10, 4) -> dense(2)\n  output n = x + 70000"
    net = spec(tmp_path, body)
    subject = make_subject(net, values(net), half=True)[0]
    found = elements(subject.model)
    assert {found["x"], found["n"]} == {onnx.TensorProto.INT64}
    assert found["Net.embedding0.w"] == HALF
    parity(subject)


# ---- specs, opsets, functions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mobilenet2", "densenet121", "vae", "unet"])
def test_specs(name: str) -> None:
    for net in reduced(name).networks.values():
        report = export_network(net, values(net), None, dtype="f16")
        assert report.half is not None
        assert report.half.bytes < 0.6 * report.half.bytes_f32
        assert report.parity


@pytest.mark.parametrize("opset", [13, 21])
def test_a_transformer(opset: int, tmp_path: Path) -> None:
    """Two layers of causal attention, with the table of the embedding as the last matrix."""
    text = (ROOT / "tests" / "targets" / "gpt.nn").read_text().replace("192", "24").replace("0..6", "0..2").replace("4096", "40")
    (tmp_path / "gpt.nn").write_text(text)
    (net,) = load_program(tmp_path / "gpt.nn")[0].networks.values()
    report = export_network(net, values(net), None, dtype="f16", opset=opset, flat=opset == 13)
    assert report.half is not None
    assert (report.half.single["Softmax"], report.half.single.get("LayerNormalization")) == (2, 5 if opset == 21 else None)
    assert report.half.bytes < 0.52 * report.half.bytes_f32
    assert "the class of `logits` is the same in " in report.text()


@pytest.mark.parametrize("opset", [13, 18, 24, 28])
def test_with_folded_normalisations_and_functions(opset: int) -> None:
    net = only_network("resnet20")
    report = export_network(net, values(net), None, dtype="f16", fold_batch_norm=True, opset=opset, verify=opset in (18,))
    assert report.half is not None
    assert (report.half.casts, report.half.single) == (4, {"ReduceMean": 1})
    assert [item.calls for item in report.functions] == [7, 2]
    flat = export_network(net, values(net), None, dtype="f16", flat=True, opset=opset, verify=False)
    assert (flat.functions, flat.operators["BatchNormalization"], flat.operators["Cast"]) == ((), 21, 46)


def test_blocks_that_are_functions_cast_for_themselves() -> None:
    net = only_network("resnet20")
    report = export_network(net, values(net), None, dtype="f16", verify=False)
    assert [(item.name, item.calls) for item in report.functions] == [("residual", 7), ("residual_1", 2)]


def test_the_same_bytes_twice() -> None:
    net = only_network("resnet20")
    assert make_subject(net, values(net), half=True)[0].data == make_subject(net, values(net), half=True)[0].data


# ---- what is refused --------------------------------------------------------------------------------------------------------------------


def test_a_weight_beyond_the_range_is_refused(tmp_path: Path) -> None:
    net = spec(tmp_path, "  input x: [batch, 3]\n  output y = x -> dense(2)")
    given = values(net) | {"Net.dense0.b": np.array([1, -65536], np.float32)}
    with pytest.raises(DataError, match=r"onnx-half-range.*Net.dense0.b holds 65536, and float16 ends at 65504"):
        export_network(net, given, tmp_path / "m.onnx", dtype="f16")
    assert not (tmp_path / "m.onnx").exists()


def test_a_value_beyond_the_range_is_refused(tmp_path: Path) -> None:
    net = spec(tmp_path, "  input x: [batch, 3]\n  output y = x -> dense(2) -> dense(2)")
    given = values(net) | {"Net.dense0.b": np.full(2, 60000, np.float32), "Net.dense1.w": np.full((2, 2), 4, np.float32)}
    with pytest.raises(DataError, match=r"onnx-half-range.*Net.dense1/matmul0 holds 4[78]"):
        export_network(net, given, None, dtype="f16")


def test_a_sample_that_leaves_the_range_is_refused(tmp_path: Path) -> None:
    net = spec(tmp_path, "  input x: [batch, 3]\n  output y = x -> dense(2) -> relu")
    samples = Samples({"x": np.array([[1, 2, 3], [30000, 60000, 60000], [1e5, 0, 0]], np.float32)}, "rows")
    given = {name: np.ones_like(array) for name, array in values(net).items()}
    first, second, third = (replace(samples, arrays={"x": samples.arrays["x"][at : at + 1]}) for at in range(3))
    assert export_network(net, given, None, dtype="f16", samples=first).checks[-1].detail == "rows: values up to 7"
    with pytest.raises(DataError, match=r"onnx-half-range.*Net.dense0/matmul0 holds 150000"):
        export_network(net, given, None, dtype="f16", samples=second)
    with pytest.raises(DataError, match=r"onnx-half-range.*x holds 100000"):
        export_network(net, given, None, dtype="f16", samples=third)


def test_values_that_become_zero_are_reported(tmp_path: Path) -> None:
    net = spec(tmp_path, "  input x: [batch, 3]\n  output y = x -> dense(2)")
    given = values(net) | {"Net.dense0.b": np.array([1e-8, 1], np.float32)}
    report = export_network(net, given, None, dtype="f16")
    assert report.half is not None
    assert report.half.lost == ("Net.dense0.b: 1 of 2 values are below 2⁻²⁵ and become 0",)


def test_a_network_that_needs_more_digits_is_refused(tmp_path: Path) -> None:
    net = spec(tmp_path, "  input x: [batch, 3]\n  output y = (x + 1000) - 1000")
    with pytest.raises(DataError, match=r"onnx-half-digits.*its roundings move `y` by"):
        export_network(net, {}, tmp_path / "m.onnx", dtype="f16")
    assert not (tmp_path / "m.onnx").exists()


def test_double_precision_other_names_and_training_steps_are_refused(tmp_path: Path) -> None:
    net = spec(tmp_path, "  input x: [batch, 3]\n  output y = x -> dense(2)", DType.f64)
    with pytest.raises(SpecError, match=r"is in double precision"):
        export_network(net, parameters(net), None, dtype="f16")
    with pytest.raises(SpecError, match=r"f32 .as it was trained. or f16 can be written, not bf16"):
        export_network(net, parameters(net), None, dtype="bf16")
    with pytest.raises(SpecError, match=r"a training step is written in the precision of its training"):
        refuse_half_step("f16")


# ---- what the comparison finds ----------------------------------------------------------------------------------------------------------


def test_a_wrong_weight_is_found() -> None:
    """A filter of the first layer that is five percent larger, far below what a class would show."""
    net = only_network("lenet")
    subject = make_subject(net, values(net), half=True)[0]
    (item,) = (item for item in subject.model.graph.initializer if item.name == "LeNet.conv0.w")
    kernels = np.frombuffer(item.raw_data, np.float16).copy()
    kernels[:25] *= np.float16(1.05)
    item.raw_data = kernels.tobytes()
    with pytest.raises(InternalError, match=r"onnx-parity.*first at LeNet.conv0/"):
        parity(replace(subject))


def test_another_class_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    net = only_network("lenet")
    subject = make_subject(net, values(net), half=True)[0]
    run = agreement.runner(subject)
    assert run is not None
    image = np.random.default_rng(0).uniform(-1, 1, (10, 1, 28, 28)).astype(np.float32)
    check = agreement.agreement(subject, (), Samples({"image": image}, "ten images"))
    assert re.fullmatch("ten images: values up to [0-9.]+, the class of `class` is the same in 10 of 10", check.detail)
    monkeypatch.setattr(agreement, "runner", lambda _: lambda inputs: [run(inputs)[0], (run(inputs)[1] + 1) % 10])
    with pytest.raises(InternalError, match=r"another class, though its score is"):
        agreement.agreement(subject, (), Samples({"image": image}, "ten images"))


def test_scores_of_labelled_classes_are_compared(tmp_path: Path) -> None:
    net = spec(tmp_path, "  input x: [batch, 3]\n  output scores = x -> dense(2)\n  output other = x -> dense(4)")
    report = export_network(net, values(net), None, dtype="f16", classes=("no", "yes"))
    assert re.search("the class of `scores` is the same in 6[0-4] of 64", report.text())
    assert "`other` is the same" not in report.text()


def test_a_comparison_may_differ_where_float16_cannot_tell(tmp_path: Path) -> None:
    net = spec(tmp_path, "  input x: [batch, 300]\n  output y = dense(x, 6000) > 0")
    assert export_network(net, values(net), None, dtype="f16").parity
    other = spec(tmp_path, "  input x: [batch, 300]\n  output y = not (dense(x, 6000) > 0)")
    with pytest.raises(DataError, match=r"onnx-half-decision.*`y`: its roundings alone change \d of its 6,000 values"):
        export_network(other, values(other), None, dtype="f16")
