"""`same` with a stride over open sizes: its pads are computed from the sizes, in columns and in the gradients of windows."""

from __future__ import annotations

import pytest

from dslc.diagnostics import SpecError
from tests.onnx.test_opset_spatial import agreed, export

GRADIENT = "\n  output gx = grad(sum(y * y), x)"
LAYERS: dict[str, tuple[str, str]] = {
    "unfold": ("[batch, 2, h, w]", 'unfold([3, 4], stride=[2, 3], pad="same")'),
    "fold": ("[batch, 2, h, w]", 'unfold(3, stride=2, pad="same", dilation=2) -> fold([h, w], 3, stride=2, pad="same", dilation=2)'),
    "conv": ("[batch, 1, h, w]", f'op.conv(tensor([[0.5, -0.25, 1.0]])[_, _], stride=[2, 3], pad="same"){GRADIENT}'),
    "max_pool": ("[batch, 2, h, w]", f'max_pool([3, 2], stride=2, pad="same"){GRADIENT}'),
    "max_pool_1d": ("[batch, 2, time]", f'max_pool(4, stride=3, pad="same"){GRADIENT}'),
    "avg_pool": ("[batch, 2, h, w]", f'avg_pool(3, stride=2, pad="same", count_pad=true){GRADIENT}'),
    "sum_pool": ("[batch, 2, h, 5]", f'sum_pool(3, stride=2, pad="same"){GRADIENT}'),
    "lp_pool": ("[batch, 2, h, w]", f'lp_pool(3, stride=2, pad="same"){GRADIENT}'),
    "sum_pool_ceil": ("[batch, 2, h, 5]", f'sum_pool(3, stride=2, pad="same", ceil=true){GRADIENT}'),
    "lp_pool_ceil": ("[batch, 2, h, w]", f'lp_pool(3, stride=2, pad="same", ceil=true){GRADIENT}'),
    "lp_pool_ceil_of_one_place": ("[batch, 2, h, 1]", f'lp_pool(1, stride=[2, 1], pad="same", ceil=true){GRADIENT}'),
    "avg_pool_ceil": ("[batch, 2, h, w]", f'avg_pool(3, stride=2, pad="same", ceil=true, count_pad=true){GRADIENT}'),
    "one_place": ("[batch, 2, h, w]", 'unfold([1, 3], stride=2, pad="same") -> fold([h, w], [1, 3], stride=2, pad="same")'),
}


@pytest.mark.parametrize("opset", [13, 18, 28])
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str, opset: int) -> None:
    agreed(LAYERS[name], opset)


def test_a_stride_above_the_kernel_needs_fixed_sizes() -> None:
    with pytest.raises(SpecError, match="a stride above its kernel its input needs fixed sizes"):
        export(("[batch, 2, h, 6]", 'unfold(2, stride=3, pad="same")'), 18)
