"""Reductions."""

from __future__ import annotations

from collections.abc import Sequence

from dslc.ir.graph import Node
from dslc.ir.types import DType
from exporters.onnx.lowerings.base import axes_of, like, lowering, optional, reduce_over, result
from exporters.onnx.model import ELEMENT, Writer

REDUCE = {"sum": "ReduceSum", "mean": "ReduceMean", "max": "ReduceMax", "min": "ReduceMin"}


@lowering(*REDUCE)
def reduce(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    x = inputs[0]
    source = w.type(x)
    mask = optional(node, inputs, 1).get("mask")
    if mask is not None:  # only `sum` has one: what is masked adds nothing
        x = w.emit("Where", [mask, x, w.constant(0, source.dtype)], source)
    reduce_over(w, REDUCE[node.op], x, axes_of(node, source.rank), result(w, node), outputs[0], keep=bool(node.attrs["keep"]))


@lowering("all", "any")
def truth(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    source, type = w.type(inputs[0]), result(w, node)
    numbers = w.emit("Cast", [inputs[0]], like(source, DType.i32), to=ELEMENT[DType.i32])
    extreme = reduce_over(
        w,
        {"all": "ReduceMin", "any": "ReduceMax"}[node.op],
        numbers,
        axes_of(node, source.rank),
        like(type, DType.i32),
        keep=bool(node.attrs["keep"]),
    )
    w.emit("Cast", [extreme], type, outputs[0], to=ELEMENT[DType.bool])


@lowering("argmax", "argmin")
def place(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    (axis,) = axes_of(node, w.type(inputs[0]).rank)
    w.emit(
        {"argmax": "ArgMax", "argmin": "ArgMin"}[node.op],
        inputs,
        result(w, node),
        outputs[0],
        axis=axis,
        keepdims=int(bool(node.attrs.get("keep", False))),
    )
