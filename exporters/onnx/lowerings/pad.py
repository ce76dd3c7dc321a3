"""Borders and their adjoint. Pad has the mode `wrap` from opset 19 on; below, each axis is joined with its two ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.graph import Node
from dslc.ir.types import Dim, TensorType
from dslc.ops.movement import dims
from exporters.onnx.lowerings.base import lowering, reduce_over, result
from exporters.onnx.model import Writer

INT64_MIN = -(2**63)
WRAP = 19


@lowering("pad")
def pad(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type, mode = result(w, node), str(node.attrs["mode"])
    before: Any = node.attrs["before"]
    after: Any = node.attrs["after"]
    if mode == "wrap" and w.opset < WRAP:
        joined(w, inputs[0], dims(before), dims(after), outputs[0])
        return
    amounts = w.shape([*before, *after])
    if mode == "constant":
        w.emit("Pad", [inputs[0], amounts, w.constant(node.attrs["value"], type.dtype)], type, outputs[0])
    else:
        w.emit("Pad", [inputs[0], amounts], type, outputs[0], mode=mode)


def resized(type: TensorType, axis: int, size: Dim) -> TensorType:
    return TensorType(dtype=type.dtype, shape=(*type.shape[:axis], size, *type.shape[axis + 1 :]))


def part(w: Writer, x: str, axis: int, start: Dim, stop: Dim) -> str:
    """From start to below stop along the axis."""
    bounds = [w.shape([start]), w.shape([stop]), w.ints([axis])]
    return w.emit("Slice", [x, *bounds], resized(w.type(x), axis, stop - start))


def joined(w: Writer, x: str, before: Sequence[Dim], after: Sequence[Dim], output: str) -> None:
    """Along each axis that has a border: the end, the axis, the start."""
    none = Dim.of(0)
    for axis, (b, a) in enumerate(zip(before, after, strict=True)):
        size = w.type(x).shape[axis]
        head = [part(w, x, axis, size - b, size)] if b != none else []
        tail = [part(w, x, axis, none, a)] if a != none else []
        if head or tail:
            x = w.emit("Concat", [*head, x, *tail], resized(w.type(x), axis, size + b + a), axis=axis)
    w.emit("Identity", [x], w.type(x), output)


@lowering("pad_grad")
def pad_grad(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    x, mode = inputs[0], str(node.attrs["mode"])
    before: Any = node.attrs["before"]
    after: Any = node.attrs["after"]
    for axis, (b, a) in enumerate(zip(dims(before), dims(after), strict=True)):
        if b != Dim.of(0) or a != Dim.of(0):
            x = folded(w, x, axis, b, a, mode)
    w.emit("Identity", [x], result(w, node), outputs[0])


def folded(w: Writer, x: str, axis: int, before: Dim, after: Dim, mode: str) -> str:
    """The middle along the axis, and each border, with zeros around it, added to the places that it came from."""
    grown = w.type(x).shape[axis]
    size = grown - before - after
    total = part(w, x, axis, before, before + size)
    for start, stop, first in border_places(size, before, after, mode):
        if start != stop:
            border = part(w, x, axis, start, stop)
            total = w.emit("Add", [total, placed(w, border, axis, first, size, mode)], w.type(total))
    return total


def border_places(size: Dim, before: Dim, after: Dim, mode: str) -> list[tuple[Dim, Dim, Dim]]:
    """For both borders (start, stop) in the padded axis, and the first place of x that they come from."""
    firsts = {
        "edge": (Dim.of(0), size - 1),
        "reflect": (Dim.of(1), size - 1 - after),
        "wrap": (size - before, Dim.of(0)),
    }[mode]
    return [(Dim.of(0), before, firsts[0]), (before + size, before + size + after, firsts[1])]


def placed(w: Writer, border: str, axis: int, first: Dim, size: Dim, mode: str) -> str:
    """A border as it lies on x, with zeros on both sides."""
    type = w.type(border)
    if mode == "edge":
        border = reduce_over(w, "ReduceSum", border, [axis], resized(type, axis, Dim.of(1)), keep=True)
    elif mode == "reflect":
        border = w.emit("Slice", [border, w.ints([-1]), w.ints([INT64_MIN]), w.ints([axis]), w.ints([-1])], type)
    last = size - first - w.type(border).shape[axis]
    none = [0] * type.rank
    around = [*none[:axis], first, *none[axis + 1 :], *none[:axis], last, *none[axis + 1 :]]
    return w.emit("Pad", [border, w.shape(around), w.constant(0, type.dtype)], resized(type, axis, size))
