"""Turning, shifting, repeating, axes of size 1, triangles, the identity matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.arrange import listed
from exporters.onnx.lowerings.base import axes_of, counted, lowering, result
from exporters.onnx.lowerings.indexing import widened
from exporters.onnx.model import ELEMENT, Writer

INT64_MIN = -(2**63)
TRILU = (DType.f32, DType.f64, DType.i64)  # what runtimes have it for


@lowering("flip")
def flip(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    axes = axes_of(node, type.rank)
    if not axes:
        w.emit("Identity", inputs, type, outputs[0])
        return
    bounds = [w.ints([value] * len(axes)) for value in (-1, INT64_MIN)]
    w.emit("Slice", [inputs[0], *bounds, w.ints(axes), w.ints([-1] * len(axes))], type, outputs[0])


@lowering("roll")
def roll(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Along each axis what stands at (place - shift) mod size."""
    type, name = result(w, node), inputs[0]
    shifts: Any = listed(node.attrs["shift"])  # type: ignore[arg-type]
    axes = [a % type.rank for a in listed(node.attrs["axis"])]  # type: ignore[arg-type]
    for number, (shift, axis) in enumerate(zip(shifts, axes, strict=True), 1):
        last = outputs[0] if number == len(axes) else None
        name = w.emit("Gather", [name, rolled(w, type.shape[axis], shift)], type, last, axis=axis)


def rolled(w: Writer, size: Dim, shift: int) -> str:
    if size.is_constant:
        return w.ints([(at - shift) % size.constant for at in range(size.constant)])
    vector = TensorType(dtype=DType.i64, shape=(size,))
    moved = w.emit("Sub", [counted(w, size, DType.i64, 0), w.ints([shift])], vector)
    return w.emit("Mod", [moved, w.size(size)], vector)


@lowering("tile")
def tile(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """A scalar has nothing to repeat along."""
    repeats: Any = node.attrs["repeats"]
    if repeats:
        w.emit("Tile", [inputs[0], w.shape(repeats)], result(w, node), outputs[0])
    else:
        w.emit("Identity", inputs, result(w, node), outputs[0])


@lowering("repeat")
def repeat(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """A new axis behind, repeated, then one with the axis."""
    source, type = w.type(inputs[0]), result(w, node)
    (axis,) = axes_of(node, source.rank)
    count = Dim.of(node.attrs["count"])  # type: ignore[arg-type]
    wide = widened(source, axis + 1, count)
    unit = w.emit("Unsqueeze", [inputs[0], w.ints([axis + 1])], widened(source, axis + 1, Dim.of(1)))
    spread = w.emit("Expand", [unit, w.shape(wide.shape)], wide)
    w.emit("Reshape", [spread, w.shape(type.shape)], type, outputs[0])


@lowering("squeeze", "unsqueeze")
def units(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Axes of size 1 left out or put in, counted where they are."""
    type, operator = result(w, node), {"squeeze": "Squeeze", "unsqueeze": "Unsqueeze"}[node.op]
    rank = w.type(inputs[0]).rank if node.op == "squeeze" else type.rank
    w.emit(operator, [inputs[0], w.ints(axes_of(node, rank))], type, outputs[0])


@lowering("tril", "triu")
def triangle(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Trilu from opset 14 on, else the places by column - row."""
    type, upper = result(w, node), node.op == "triu"
    k: Any = node.attrs["k"]
    if w.opset >= 14 and type.dtype in TRILU:
        w.emit("Trilu", [inputs[0], w.constant(k, DType.i64)], type, outputs[0], upper=int(upper))
        return
    rows, columns = type.shape[-2], type.shape[-1]
    limit = w.emit("Add", [counted(w, rows, DType.i64, 1), w.ints([k])], TensorType(dtype=DType.i64, shape=(rows, Dim.of(1))))
    inside = TensorType(dtype=DType.bool, shape=(rows, columns))
    kept = w.emit("GreaterOrEqual" if upper else "LessOrEqual", [counted(w, columns, DType.i64, 0), limit], inside)
    w.emit("Where", [kept, inputs[0], w.constant(0, type.dtype)], type, outputs[0])


@lowering("eye")
def eye(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    size = type.shape[0]
    hit = TensorType(dtype=DType.bool, shape=type.shape)
    last = outputs[0] if type.dtype is DType.bool else None
    same = w.emit("Equal", [counted(w, size, DType.i64, 1), counted(w, size, DType.i64, 0)], hit, last)
    if type.dtype is not DType.bool:
        w.emit("Cast", [same], type, outputs[0], to=ELEMENT[type.dtype])
