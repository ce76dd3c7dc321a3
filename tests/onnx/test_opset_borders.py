"""Borders in all modes and their gradients, of fixed and of open sizes, at the opsets around each cut point."""

from __future__ import annotations

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.types import DType
from dslc.ops.table import lookup
from exporters.onnx.check import static_checks
from exporters.onnx.export import make_subject
from tests.onnx.networks import network
from tests.onnx.test_opset_spatial import agreed, run
from tests.onnx.test_rows import arrays, assert_same, one_node

OPSETS = (13, 15, 18, 19, 23, 28)
LAYERS: dict[str, tuple[str, str]] = {
    "edge": ("[batch, 2, h, w]", 'pad_spatial([1, 3], after=[0, 2], mode="edge")'),
    "reflect": ("[batch, 2, h, 4]", 'pad_spatial([0, 3], after=[0, 1], mode="reflect") -> conv(3, kernel=3)'),
    "wrap": ("[batch, 2, 3, w]", 'pad_spatial([3, 1], after=[2, 0], mode="wrap")'),
    "constant": ("[batch, 2, h, w]", "pad_spatial(1, value=0.5) -> max_pool(2)"),
    "as_long_as_another": ("[batch, time, 3]", 'pad(before=[0, time, 0], after=[0, 0, 0], mode="edge")'),
}


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("name", ["pad", "pad_grad"])
def test_row(name: str, opset: int) -> None:
    sample = lookup(name).sample
    assert sample is not None
    for case in sample(np.random.default_rng(3)):
        inputs = arrays(case, DType.f32)
        subject = make_subject(network(one_node(name, case, DType.f32)), {}, opset=opset)[0]
        static_checks(subject)
        found = run(subject.data, inputs)
        assert found is not None
        assert_same(interpret(subject.definition, np, inputs)["y0"], found[0])


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str, opset: int) -> None:
    report = agreed(LAYERS[name], opset)
    if name == "wrap":
        assert ("Pad" in report.operators) == (opset >= 19)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("mode", ["edge", "reflect", "wrap"])
def test_gradient_of_open_sizes(mode: str, opset: int) -> None:
    body = f'pad_spatial([1, 0], after=[2, 1], mode="{mode}")\n  output gx = grad(sum(y * y * y), x)'
    agreed(("[batch, 2, h, w]", body), opset)
