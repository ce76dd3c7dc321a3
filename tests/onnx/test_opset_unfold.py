"""Columns of windows of open sizes, at the opsets around the cut point of Col2Im."""

from __future__ import annotations

import pytest

from tests.onnx.test_opset_spatial import agreed

OPSETS = (13, 17, 18, 23, 28)
LAYERS: dict[str, tuple[str, str]] = {
    "unfold": ("[batch, 2, h, w]", "unfold([3, 2], stride=2, pad=[[1, 0], [0, 2]], dilation=[1, 2])"),
    "unfold_same": ("[batch, 2, h, w]", 'unfold(3, pad="same")'),
    "fold": ("[batch, 2, h, w]", "unfold(3, stride=2, pad=1) -> fold([h, w], 3, stride=2, pad=1)"),
    "fold_1d": ("[batch, 2, time]", "unfold(3, dilation=2) -> fold([time], 3, dilation=2)"),
    "fold_3d": ("[batch, 2, 3, h, 4]", "unfold(2) -> fold([3, h, 4], 2)"),
    "local_conv": ("[batch, 2, 5, 4]", "local_conv(3, kernel=2, stride=2, pad=1)"),
}


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str, opset: int) -> None:
    report = agreed(LAYERS[name], opset)
    if name == "fold":
        assert ("Col2Im" in report.operators) == (opset >= 18)


@pytest.mark.parametrize("opset", OPSETS)
def test_gradient(opset: int) -> None:
    body = "unfold(3, stride=2, pad=1)\n  output gx = grad(sum(y * y * y), x)"
    agreed(("[batch, 2, h, w]", body), opset)
