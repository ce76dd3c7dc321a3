"""The rows and layers over spatial axes at every opset that changes something: exported, and run by a peer that loads the opset."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.types import DType
from dslc.loading import check_source
from dslc.ops.table import Op, lookup, rows
from dslc.source import Source
from exporters.onnx.backends import BACKENDS, LeftOut
from exporters.onnx.check import static_checks
from exporters.onnx.export import export_network, make_subject
from exporters.onnx.lower import why_not
from tests.onnx.networks import network, parameters
from tests.onnx.test_rows import arrays, assert_same, one_node

OPSETS = (13, 14, 17, 18, 20, 21, 22, 23, 28)
KINDS = ("conv", "pool")
NAMED = ("softmax", "log_softmax", "lrn", "group_normalize", "rms_normalize", "circular_conv")
ROWS = [row for row in rows() if (row.kind in KINDS or row.name in NAMED) and not why_not(row.name)]


def run(data: bytes, inputs: dict[str, np.ndarray]) -> list[np.ndarray] | None:
    """By onnxruntime, or by onnx.reference where that does not load the opset; None where neither judges it."""
    for name in ("onnxruntime", "onnx.reference"):
        try:
            return BACKENDS[name](data)(inputs)
        except LeftOut:
            continue
    return None


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(row: Op, opset: int) -> None:
    assert row.sample is not None
    for case in row.sample(np.random.default_rng(3)):
        inputs = arrays(case, DType.f32)
        subject = make_subject(network(one_node(row.name, case, DType.f32)), {}, opset=opset)[0]
        static_checks(subject)
        found = run(subject.data, inputs)
        assert found is not None
        wanted = interpret(subject.definition, np, inputs)
        for at, array in enumerate(found):
            assert_same(wanted[f"y{at}"], array)


# Layers of the standard library and open sizes: input type -> body; `x` is the input, `y` the output.
LAYERS: dict[str, tuple[str, str]] = {
    "conv_transpose": ("[batch, 4, h, w]", "conv_transpose(6, kernel=4, stride=2, pad=1, groups=2)"),
    "conv_transpose_1d": ("[batch, 3, time]", "conv_transpose(2, kernel=3, stride=2, output_pad=1, dilation=2)"),
    "max_pool_ceil": ("[batch, 2, h, w]", "max_pool(kernel=3, stride=2, ceil=true)"),
    "max_pool_same_ceil": ("[batch, 2, h, w]", 'max_pool(kernel=3, stride=2, pad="same", ceil=true)'),
    "avg_pool_ceil": ("[batch, 2, h, 9]", "avg_pool(kernel=3, stride=2, pad=1, ceil=true)"),
    "avg_pool_count_pad": ("[batch, 2, 8, 9]", "avg_pool(kernel=3, stride=3, pad=1, ceil=true, count_pad=true)"),
    "depthwise_conv": ("[batch, 4, h, w]", "depthwise_conv(kernel=3, pad=1, multiplier=2)"),
    "separable_conv_1d": ("[batch, 4, time]", "separable_conv(6, kernel=3, pad=1, dilation=2)"),
    "conv_3d": ("[batch, 4, 4, h, 5]", "conv(6, kernel=[1, 3, 2], stride=[2, 1, 1], groups=2)"),
    "instance_norm": ("[batch, 4, h, w]", "instance_norm"),
    "instance_norm_1d": ("[batch, 3, time]", "instance_norm(eps=0.1)"),
    "instance_norm_of_one": ("[batch, 3, 1, 1]", "instance_norm"),
    "group_norm": ("[batch, 4, h, 3]", "group_norm(2)"),
    "group_norm_3d": ("[batch, 6, 2, h, 3]", "group_norm(3, eps=0.01)"),
    "group_norm_flat": ("[batch, 6]", "group_norm(2)"),
    "layer_norm": ("[batch, time, 6]", "layer_norm"),
    "rms_norm": ("[batch, time, 6]", "rms_norm"),
    "l2_normalize": ("[batch, time, 6]", "l2_normalize(axis=[1, 2])"),
    "weight_norm_dense": ("[batch, time, 6]", "weight_norm_dense(4)"),
    "weight_norm_conv": ("[batch, 4, h, w]", "weight_norm_conv(6, kernel=3, pad=1, groups=2)"),
    "spectral_norm_dense": ("[batch, time, 6]", "spectral_norm_dense(4, iterations=2)"),
    "spectral_norm_conv": ("[batch, 4, time]", "spectral_norm_conv(6, kernel=3)"),
    "cosine_similarity": ("[batch, time, 6]", "cosine_similarity(x * x)"),
    "rbf": ("[batch, time, 6]", "rbf(4)"),
    "maxout": ("[batch, time, 6]", "maxout(4, pieces=3)"),
    "channel_shuffle": ("[batch, 6, h, w]", "channel_shuffle(3)"),
    "prelu": ("[batch, 4, h, w]", "prelu"),
    "glu": ("[batch, 4, h, w]", "glu(axis=1)"),
    "gram": ("[batch, 3, 4, 5]", "gram"),
    "outer": ("[batch, time, 4]", "outer(exp(x))"),
    "diag": ("[batch, time, 3]", "diag"),
    "diagonal": ("[batch, time, 3, 3]", "diagonal"),
    "flip": ("[batch, time, 6]", "flip(axis=[1, 2])"),
    "roll_open": ("[batch, time, 6]", "roll([-7, 2], axis=[1, 2])"),
    "repeat_open": ("[batch, time, 6]", "repeat(3, axis=1)"),
    "tile_open": ("[batch, time, 6]", "tile([1, 3, 2])"),
    "squeeze": ("[batch, time, 1]", "squeeze(axis=-1) -> unsqueeze(axis=[1, 3]) -> squeeze(axis=1)"),
    "tril_open": ("[batch, time, time]", "tril(-1)"),
    "triu_open": ("[batch, time, 5]", "triu(1)"),
    "cumprod_open": ("[batch, time, 3]", "cumprod(axis=1)"),
    "eye_open": ("[batch, 3, time]", "matmul(eye(time))"),
    "argsort_open": ("[batch, time, 3]", "argsort(axis=1, descending=true)"),
    "take_open": ("[batch, time, 3]", "take_along_axis(argsort(x, axis=1), axis=1)"),
    "scatter_set_open": ("[batch, time, 3]", "scatter(argsort(x, axis=1), exp(x), axis=1)"),
    "scatter_add_open": ("[batch, time, 3]", 'scatter(argmax(x)[:, :, _], x[:, :, 0:1], reduction="add")'),
    "scatter_mul_open": ("[batch, time, 3]", 'scatter(argsort(x, axis=1), x, axis=1, reduction="mul")'),
    "scatter_max_open": ("[batch, time, 3]", 'scatter(argsort(x, axis=1), x, axis=1, reduction="max")'),
    "masked_softmax": ("[batch, time, 6]", "softmax(mask=x > 0)"),
    "masked_softmax_axis": ("[batch, time, 6]", "softmax(mask=x > 100, axis=1)"),
    "circular_conv": ("[batch, time]", "circular_conv(tensor([[0.25, 0.5, 0.125, 0.0625]]) * sum(x, axis=-1, keep=true))"),
    "lrn": ("[batch, 6, h, w]", "lrn(size=3, alpha=0.1)"),
    "lrn_3d": ("[batch, 6, h, w, 3]", "lrn(size=5, k=2, beta=0.5)"),
    "upsample": ("[batch, 2, h, w]", "upsample"),
    "upsample_linear": ("[batch, 2, 3, w]", 'upsample(scale=[2, 3], mode="linear")'),
    "upsample_corners": ("[batch, 2, time]", 'upsample(scale=3, mode="linear", coordinates="align_corners")'),
    "resize_to_size": ("[batch, 2, h, 6]", 'op.resize(size=[4, 5], mode="linear")'),
}
# Operators that a model of the layer has from an opset on, and lacks below it.
NATIVE: dict[str, tuple[str, int]] = {
    "conv_transpose": ("ConvTranspose", 13),
    "lrn": ("LRN", 13),
    "upsample": ("Resize", 13),
    "instance_norm": ("InstanceNormalization", 13),
    "group_norm": ("GroupNormalization", 21),
    "layer_norm": ("LayerNormalization", 17),
    "rms_norm": ("RMSNormalization", 23),
    "tril_open": ("Trilu", 14),
    "cumprod_open": ("CumProd", 26),
    "scatter_set_open": ("ScatterElements", 13),
    "scatter_add_open": ("ScatterElements", 16),
    "scatter_mul_open": ("ScatterElements", 16),
    "scatter_max_open": ("ScatterElements", 18),
    "argsort_open": ("TopK", 13),
}


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str, opset: int) -> None:
    report = agreed(LAYERS[name], opset)
    if name in NATIVE:
        operator, since = NATIVE[name]
        assert (operator in report.operators) == (opset >= since)


def export(layer: tuple[str, str], opset: int) -> Any:
    type, body = layer
    text = f"dslc 1\nnetwork N {{\n  input x: {type}\n  output y = x -> {body}\n}}\n"
    program, found = check_source(Source("n.nn", text))
    assert program is not None, [d.message for d in found]
    net = program.networks["N"]
    return export_network(net, parameters(net), None, opset=opset)


def agreed(layer: tuple[str, str], opset: int) -> Any:
    """The report of an export that is compared and agrees."""
    report = export(layer, opset)
    assert report.parity
    assert all(row.max_absolute < 1e-4 for row in report.parity)
    return report


def test_the_rows_of_the_families_are_here() -> None:
    assert {row.name for row in ROWS} >= {"conv", "conv_transpose", "max_pool", "avg_pool"}
    assert all(lookup(name) in ROWS for name in NAMED)
