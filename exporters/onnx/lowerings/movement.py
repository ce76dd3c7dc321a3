"""Shapes, slices, joins, indexing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType
from exporters.onnx.lowerings.base import axes_of, like, lowering, result
from exporters.onnx.model import ELEMENT, Writer

INT64_MAX = 2**63 - 1


@lowering("reshape")
def reshape(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    symbolic = [i for i, size in enumerate(type.shape) if not size.is_constant]
    if len(symbolic) == 1:  # the one open size is what is left
        shape = w.ints([-1 if i in symbolic else size.constant for i, size in enumerate(type.shape)])
    else:
        shape = w.shape(type.shape)
    w.emit("Reshape", [inputs[0], shape], type, outputs[0])


@lowering("transpose")
def transpose(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    rank = w.type(inputs[0]).rank
    axes: Any = node.attrs.get("axes")
    order = list(axes) if axes is not None else [*range(rank - 2), rank - 1, rank - 2]
    w.emit("Transpose", inputs, result(w, node), outputs[0], perm=[a % rank for a in order])


@lowering("slice")
def slice_(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    source = w.type(inputs[0])
    starts: Any = node.attrs["starts"]
    stops: Any = node.attrs["stops"]
    cut = [i for i in range(source.rank) if Dim.of(starts[i]) != Dim.of(0) or Dim.of(stops[i]) != source.shape[i]]
    ends = [INT64_MAX if Dim.of(stops[i]) == source.shape[i] else stops[i] for i in cut]
    bounds = [w.shape([starts[i] for i in cut]), w.shape(ends)]
    w.emit("Slice", [inputs[0], *bounds, w.ints(cut)], result(w, node), outputs[0])


@lowering("concat")
def concat(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    w.emit("Concat", inputs, type, outputs[0], axis=axes_of(node, type.rank)[0])


@lowering("stack")
def stack(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    (axis,) = axes_of(node, type.rank)
    one = TensorType(dtype=type.dtype, shape=tuple(Dim.of(1) if i == axis else size for i, size in enumerate(type.shape)))
    parts = [w.emit("Unsqueeze", [name, w.ints([axis])], one) for name in inputs]
    w.emit("Concat", parts, type, outputs[0], axis=axis)


@lowering("split")
def split(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    results = [result(w, node, i) for i in range(len(outputs))]
    (axis,) = axes_of(node, results[0].rank)
    count = len(outputs) if w.opset >= 18 else None  # below, the number of results says it
    w.emit_many("Split", inputs, results, outputs, axis=axis, num_outputs=count)


@lowering("broadcast")
def broadcast(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    w.emit("Expand", [inputs[0], w.shape(type.shape)], type, outputs[0])


@lowering("gather")
def gather(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    source, index = w.type(inputs[0]), inputs[1]
    if w.type(index).dtype not in (DType.i32, DType.i64):
        index = w.emit("Cast", [index], like(w.type(index), DType.i64), to=ELEMENT[DType.i64])
    w.emit("Gather", [inputs[0], index], result(w, node), outputs[0], axis=axes_of(node, source.rank)[0])
