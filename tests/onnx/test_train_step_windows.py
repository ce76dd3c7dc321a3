"""Borders, columns, norms of windows and unpooling in a training step: exported, it trains in onnxruntime to our weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.onnx.test_train_step import loaded, ours, text, theirs

WINDOWS = """
network Windows {
  input image: [batch, 1, 28, 28]
  x = image -> avg_pool(2) -> pad_spatial([1, 2], after=[0, 1], mode="reflect") -> conv(4, kernel=3, bias=false)
  small, place = max_pool_indices(x, 3, stride=2, pad=1)
  y = small -> pad_spatial(1, mode="wrap") -> depthwise_conv(kernel=3) -> tanh
  z = max_unpool(y, place, 3, stride=2, pad=1, size=[13, 15]) -> pad_spatial([0, 1], after=[1, 0], mode="edge")
  a = z -> pixel_unshuffle(2) -> lp_pool(3, p=3, stride=2)
  b = image -> avg_pool(4) -> unfold(3, stride=2, pad=1) -> fold([7, 7], 3, stride=2, pad=1) -> local_conv(2, kernel=3, stride=2)
  output logits = concat(flatten(a), flatten(sum_pool(b, 2, stride=1))) -> dense(10)
}
"""


@pytest.mark.parametrize("opset", [13, 21])
def test_trains_to_the_same_weights(opset: int, tmp_path: Path) -> None:
    spec = loaded(tmp_path, text(WINDOWS, "optimizer: sgd(0.1, momentum=0.9)"))
    spec.export_step(tmp_path / "step.onnx", seed=3, opset=opset, verify=False)
    wanted, losses, rate = ours(spec, 3)
    values, found = theirs(tmp_path / "step.onnx", 3, rate)
    np.testing.assert_allclose(found, losses, rtol=1e-4)
    for name, array in wanted.items():
        np.testing.assert_allclose(values[name], array, rtol=1e-4, atol=1e-5, err_msg=name)
