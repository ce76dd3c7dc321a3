"""Normalisations."""

from __future__ import annotations

from collections.abc import Sequence

from dslc.ir.graph import Attr, Node
from dslc.ir.types import Dim, DType, TensorType
from exporters.onnx.lowerings.base import axes_of, kept, lowering, optional, reduce_over, result
from exporters.onnx.model import Writer


def per_channel(w: Writer, vector: str, rank: int) -> str:
    """A vector [c] as [c, 1, 1, ...], to meet axis 1 of a tensor of this rank."""
    type = w.type(vector)
    shape = TensorType(dtype=type.dtype, shape=(type.shape[0], *(Dim.of(1) for _ in range(rank - 2))))
    if rank == 2:
        return vector
    return w.emit("Unsqueeze", [vector, w.ints(range(1, rank - 1))], shape)


@lowering("channel_affine")
def channel_affine(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    scaled = w.emit("Mul", [inputs[0], per_channel(w, inputs[1], type.rank)], type)
    w.emit("Add", [scaled, per_channel(w, inputs[2], type.rank)], type, outputs[0])


@lowering("channel_moments")
def channel_moments(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    source = w.type(inputs[0])
    axes = [i for i in range(source.rank) if i != 1]
    reduce_over(w, "ReduceMean", inputs[0], axes, result(w, node, 0), outputs[0])
    mean = reduce_over(w, "ReduceMean", inputs[0], axes, kept(source, axes), keep=True)
    centred = w.emit("Sub", [inputs[0], mean], source)
    reduce_over(w, "ReduceMean", w.emit("Mul", [centred, centred], source), axes, result(w, node, 1), outputs[1])


@lowering("softmax", "log_softmax")
def softmax(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    (axis,) = axes_of(node, type.rank)
    mask = optional(node, inputs, 1).get("mask")
    op = "Softmax" if node.op == "softmax" else "LogSoftmax"
    if mask is None:
        w.emit(op, [inputs[0]], type, outputs[0], axis=axis)
        return
    # Masked positions count nothing: exp(lowest - max) is 0, and a row with no position at all gives zeros.
    lowest = w.constant(-3.4028234663852886e38 if type.dtype is DType.f32 else -1.7976931348623157e308, type.dtype)
    hidden = w.emit("Where", [mask, inputs[0], lowest], type)
    soft = w.emit(op, [hidden], type, axis=axis)
    w.emit("Where", [mask, soft, w.constant(0, type.dtype)], type, outputs[0])


@lowering("normalize")
def normalize(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    normalized(w, inputs[0], axes_of(node, result(w, node).rank), node.attrs["eps"], outputs[0])


def normalized(w: Writer, x: str, axes: Sequence[int], eps: Attr, output: str | None = None) -> str:
    """(x - mean) / √(mean((x - mean)²) + ε), which all axes have; LayerNormalization only knows the last ones."""
    type = w.type(x)
    few = kept(type, axes)
    centred = w.emit("Sub", [x, reduce_over(w, "ReduceMean", x, axes, few, keep=True)], type)
    variance = reduce_over(w, "ReduceMean", w.emit("Mul", [centred, centred], type), axes, few, keep=True)
    shifted = w.emit("Add", [variance, w.constant(eps, type.dtype)], few)
    return w.emit("Div", [centred, w.emit("Sqrt", [shifted], few)], type, output)
