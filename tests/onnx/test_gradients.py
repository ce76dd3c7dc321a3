"""Gradients in networks (R25): exported through convolution and pooling, with sizes that stay open."""

from __future__ import annotations

from pathlib import Path

import pytest

import dslc
from dslc.diagnostics import SpecError
from exporters.onnx.backends import BACKENDS
from exporters.onnx.check import static_checks
from exporters.onnx.export import make_subject
from exporters.onnx.parity import compare_all

SPEC = """dslc 1

network Saliency {{
  input image: [batch, 2, {sizes}]
  x = image -> conv(4, kernel=3, stride=2, pad=1) -> {pool}
  x = x -> conv(4, kernel=2, bias=false) -> tanh -> avg_pool(2, stride=1)
  output score = sum(x * x)
  output map = grad(score, image)
}}
"""


def network(tmp_path: Path, sizes: str, pool: str) -> dslc.api.Network:
    (tmp_path / "spec.nn").write_text(SPEC.format(sizes=sizes, pool=pool), encoding="utf-8")
    return dslc.load(tmp_path / "spec.nn").network()


@pytest.mark.parametrize("opset", [13, 21])
@pytest.mark.parametrize("pool", ["max_pool(3, stride=2)", "max_pool(2, ceil=true)", "avg_pool(3, stride=2, pad=1)"])
def test_fixed_sizes(pool: str, opset: int, tmp_path: Path) -> None:
    report = network(tmp_path, "15, 18", pool).export(tmp_path / "net.onnx", opset=opset)
    assert len(report.parity) >= 3


@pytest.mark.parametrize("pool", ["max_pool(3, stride=2)", "max_pool(2)", "avg_pool(3, stride=2)"])
def test_open_sizes(pool: str, tmp_path: Path) -> None:
    """With each remainder that the strides leave."""
    pytest.importorskip("onnxruntime", reason='the comparison with onnxruntime needs: pip install "dslc[ort]"')
    net = network(tmp_path, "height, width", pool)
    subject, _, _ = make_subject(net.program, net.initial(), opset=13)
    static_checks(subject)
    runs = {"onnxruntime": BACKENDS["onnxruntime"](subject.data)}
    for height in range(13, 18):
        compare_all(subject, runs, {"batch": 2, "height": height, "width": 30 - height})


def test_what_needs_fixed_sizes_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"`avg_pool_grad` at \S*spec\.nn:5:\d+ .*its input needs fixed sizes"):
        network(tmp_path, "height, width", "avg_pool(3, stride=2, pad=1)").export(tmp_path / "net.onnx")
