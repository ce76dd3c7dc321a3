"""Global, adaptive and other pools and shuffles of pixels, with open sizes where they take them, exported at every opset of a cut point."""

from __future__ import annotations

import pytest

from tests.onnx.test_opset_spatial import OPSETS, agreed

# input type -> body; `x` is the input, `y` the output
LAYERS: dict[str, tuple[str, str]] = {
    "global_avg_pool_1d": ("[batch, 3, time]", "global_avg_pool"),
    "global_max_pool": ("[batch, 3, h, w]", "global_max_pool"),
    "global_max_pool_3d": ("[batch, 3, h, w, 2]", "global_max_pool"),
    "max_pool_ceil_of_stride_1": ("[batch, 2, h, w]", "max_pool(2, stride=1, pad=1, ceil=true)"),
    "max_pool_3d_of_stride_1": ("[batch, 2, h, w, 2]", "max_pool(2, stride=1, pad=1)"),
    "avg_pool_ceil_of_stride_1": ("[batch, 2, h, w]", "avg_pool([2, 3], stride=1, pad=1, ceil=true, count_pad=true)"),
    "avg_pool_ceil_of_stride_3": ("[batch, 2, h]", "avg_pool(4, stride=3, ceil=true)"),
    "sum_pool_ceil_of_stride_1": ("[batch, 2, h, 4]", "sum_pool(2, stride=1, pad=1, ceil=true)"),
    "pixel_shuffle": ("[batch, 8, h, w]", "pixel_shuffle(2)"),
    "pixel_unshuffle": ("[batch, 2, 4, 6]", "pixel_unshuffle(2)"),
    "space_to_depth": ("[batch, 2, 4, 6]", "space_to_depth(2)"),
    "depth_to_space": ("[batch, 8, h, w]", "depth_to_space(2)"),
    "adaptive_avg_pool": ("[batch, 2, h, 7]", "adaptive_avg_pool([1, 3])"),
    "adaptive_avg_pool_even": ("[batch, 2, 6, 8]", "adaptive_avg_pool([3, 2])"),
    "adaptive_max_pool": ("[batch, 2, h, 7]", "adaptive_max_pool([1, 3])"),
    "adaptive_max_pool_3d": ("[batch, 2, 3, 4, 5]", "adaptive_max_pool(2)"),
}


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str, opset: int) -> None:
    agreed(LAYERS[name], opset)
