"""Normalisations."""

from __future__ import annotations

from collections.abc import Sequence

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType
from exporters.onnx.lowerings.base import axes_of, lowering, optional, result
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
    axes = w.ints([i for i in range(source.rank) if i != 1])
    kept = TensorType(dtype=source.dtype, shape=tuple(s if i == 1 else Dim.of(1) for i, s in enumerate(source.shape)))
    w.emit("ReduceMean", [inputs[0], axes], result(w, node, 0), outputs[0], keepdims=0)
    centred = w.emit("Sub", [inputs[0], w.emit("ReduceMean", [inputs[0], axes], kept, keepdims=1)], source)
    w.emit("ReduceMean", [w.emit("Mul", [centred, centred], source), axes], result(w, node, 1), outputs[1], keepdims=0)


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
    """(x - mean) / √(mean((x - mean)²) + ε), which all axes have; LayerNormalization only knows the last ones."""
    type = result(w, node)
    over = axes_of(node, type.rank)
    axes = w.ints(over)
    kept = TensorType(dtype=type.dtype, shape=tuple(Dim.of(1) if i in over else s for i, s in enumerate(type.shape)))
    centred = w.emit("Sub", [inputs[0], w.emit("ReduceMean", [inputs[0], axes], kept, keepdims=1)], type)
    variance = w.emit("ReduceMean", [w.emit("Mul", [centred, centred], type), axes], kept, keepdims=1)
    shifted = w.emit("Add", [variance, w.constant(node.attrs["eps"], type.dtype)], kept)
    w.emit("Div", [centred, w.emit("Sqrt", [shifted], kept)], type, outputs[0])
