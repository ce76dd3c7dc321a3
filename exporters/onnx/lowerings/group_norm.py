"""Normalising over groups of channels and by the root of the mean square; the layers around them are recognised (`norms.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.group_norm import members
from exporters.onnx.lowerings.base import axes_of, kept, lowering, reduce_over, result
from exporters.onnx.lowerings.norm import normalized
from exporters.onnx.model import Writer


@lowering("group_normalize")
def group_normalize(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """InstanceNormalization of [n, groups, members], which every opset has; peers know it for single precision only."""
    type = result(w, node)
    groups, eps = count(node.attrs["groups"]), node.attrs["eps"]
    rows = TensorType(dtype=type.dtype, shape=members(type.shape, groups))
    flat = w.emit("Reshape", [inputs[0], w.ints([0, groups, -1])], rows)
    if type.dtype is DType.f32 and rows.shape[2] != Dim.of(1):
        ones, zeros = (w.constant([value] * groups, type.dtype) for value in (1.0, 0.0))
        even = w.emit("InstanceNormalization", [flat, ones, zeros], rows, epsilon=eps)
    else:
        even = normalized(w, flat, [2], eps)
    w.emit("Reshape", [even, w.shape(type.shape)], type, outputs[0])


def count(value: Any) -> int:
    return int(value)


@lowering("rms_normalize")
def rms_normalize(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """x / √(mean(x²) + ε)."""
    type = result(w, node)
    axes = axes_of(node, type.rank)
    few = kept(type, axes)
    square = reduce_over(w, "ReduceMean", w.emit("Mul", [inputs[0], inputs[0]], type), axes, few, keep=True)
    shifted = w.emit("Add", [square, w.constant(node.attrs["eps"], type.dtype)], few)
    w.emit("Div", [inputs[0], w.emit("Sqrt", [shifted], few)], type, outputs[0])
