"""Pooling with indices, and unpooling.

ONNX counts the indices of MaxPool over all samples and channels; modulo the places of a plane they are ours. Unpooling is ScatterElements:
MaxUnpool wants those indices back, leaves open what stays of equal ones, and onnxruntime has it in single precision only. ScatterElements
leaves that open too, and backends write one after the other, as we do.
"""

from __future__ import annotations

from collections.abc import Sequence

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.support import product
from exporters.onnx.lowerings.base import counted, like, lowering, result
from exporters.onnx.lowerings.indexing import as_index
from exporters.onnx.lowerings.spatial import reshaped, shaped
from exporters.onnx.lowerings.window import pool_attributes
from exporters.onnx.model import Writer


@lowering("max_pool_indices")
def max_pool_indices(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    y, index = result(w, node), result(w, node, 1)
    names = [outputs[0], w.fresh("MaxPool")]
    w.emit_many("MaxPool", inputs, [y, index], names, **pool_attributes(w, node, inputs[0], y))
    w.emit("Mod", [names[1], w.size(product(w.type(inputs[0]).shape[2:]))], index, outputs[1])


def flattened(w: Writer, x: str) -> str:
    """[n, c, *s] as [n, c, places]."""
    type = w.type(x)
    return reshaped(w, x, [*type.shape[:2], product(type.shape[2:])])


def written(w: Writer, index: str, values: str, places: Dim) -> str:
    """Zeros [n, c, places] with the values [n, c, …] at their indices."""
    type = w.type(values)
    wanted = shaped(type, *type.shape[:2], places)
    zeros = w.emit("Expand", [w.constant(0, type.dtype), w.shape(wanted.shape)], wanted)
    return w.emit("ScatterElements", [zeros, index, values], wanted, axis=2)


@lowering("max_unpool")
def max_unpool(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    x, index = flattened(w, inputs[0]), flattened(w, as_index(w, inputs[1]))
    reshaped(w, written(w, index, x, product(type.shape[2:])), type.shape, outputs[0])


@lowering("unpool_kept")
def unpool_kept(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    size: Sequence[int | Dim] = node.attrs["size"]  # type: ignore[assignment]
    index = flattened(w, as_index(w, inputs[0]))
    type = TensorType(dtype=DType.i64, shape=w.type(index).shape)
    numbers = w.emit("Expand", [counted(w, type.shape[2], DType.i64), w.shape(type.shape)], type)
    places = written(w, index, numbers, product([Dim.of(n) for n in size]))
    found = w.emit("GatherElements", [places, index], type, axis=2)
    reshaped(w, w.emit("Equal", [found, numbers], like(type, DType.bool)), result(w, node).shape, outputs[0])
