"""Products, moments, norms, running sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.statistics import degrees
from exporters.onnx.lowerings.base import axes_of, counted, kept, like, lowering, reduce_over, result, scalar_size
from exporters.onnx.lowerings.indexing import widened
from exporters.onnx.lowerings.sheet import Sheet
from exporters.onnx.model import ELEMENT, Writer


@lowering("prod", "logsumexp")
def reduction(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    operator = {"prod": "ReduceProd", "logsumexp": "ReduceLogSumExp"}[node.op]
    axes = axes_of(node, w.type(inputs[0]).rank)
    reduce_over(w, operator, inputs[0], axes, result(w, node), outputs[0], keep=bool(node.attrs["keep"]))


@lowering("count_nonzero")
def count_nonzero(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    source, type = w.type(inputs[0]), result(w, node)
    hit = inputs[0]
    if source.dtype is not DType.bool:
        nought = w.emit("Equal", [hit, w.constant(0, source.dtype)], like(source, DType.bool))
        hit = w.emit("Not", [nought], like(source, DType.bool))
    numbers = w.emit("Cast", [hit], like(source, DType.i64), to=ELEMENT[DType.i64])
    reduce_over(w, "ReduceSum", numbers, axes_of(node, source.rank), type, outputs[0], keep=bool(node.attrs["keep"]))


@lowering("var", "std")
def moment(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    source, type = w.type(inputs[0]), result(w, node)
    a: Any = node.attrs
    axes = axes_of(node, source.rank)
    mean = reduce_over(w, "ReduceMean", inputs[0], axes, kept(source, axes), keep=True)
    s, r = Sheet(w, source), Sheet(w, type)
    centred = s("Sub", inputs[0], mean)
    total = reduce_over(w, "ReduceSum", s("Mul", centred, centred), axes, type, keep=bool(a["keep"]))
    last = outputs[0] if node.op == "var" else None
    variance = r("Div", total, degrees_of(w, source, a["axis"], a["correction"]), out=last)
    if node.op == "std":
        r("Sqrt", variance, out=outputs[0])


def degrees_of(w: Writer, source: TensorType, axis: Any, correction: int) -> str:
    """The number of values less the correction, as a scalar of the source's dtype."""
    scalar = scalar_size(w, degrees(source, axis, correction))
    return w.emit("Cast", [scalar], TensorType(dtype=source.dtype, shape=()), to=ELEMENT[source.dtype])


@lowering("norm")
def norm(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    source, type = w.type(inputs[0]), result(w, node)
    p: Any = node.attrs["p"]
    axes, keep = axes_of(node, source.rank), bool(node.attrs["keep"])
    s, r = Sheet(w, source), Sheet(w, type)
    if p in (1, 2) and axes:
        reduce_over(w, "ReduceL1" if p == 1 else "ReduceL2", inputs[0], axes, type, outputs[0], keep=keep)
        return
    total = reduce_over(w, "ReduceSum", s("Pow", s("Abs", inputs[0]), p), axes, type, keep=keep)
    r("Pow", total, 1 / p, out=outputs[0])


@lowering("cumsum")
def cumsum(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    (axis,) = axes_of(node, type.rank)
    flags = {key: int(bool(node.attrs[key])) for key in ("exclusive", "reverse")}
    w.emit("CumSum", [inputs[0], w.constant(axis, DType.i64)], type, outputs[0], **flags)


@lowering("cumprod")
def cumprod(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """CumProd from opset 26 on; below, the product over the places up to each, of a copy of the axis for each place."""
    type = result(w, node)
    (axis,) = axes_of(node, type.rank)
    if w.opset >= 26:
        w.emit("CumProd", [inputs[0], w.constant(axis, DType.i64)], type, outputs[0])
        return
    size, behind = type.shape[axis], type.rank - axis - 1
    square = TensorType(dtype=DType.bool, shape=(size, size, *[Dim.of(1)] * behind))
    before = w.emit("LessOrEqual", [counted(w, size, DType.i64, behind), counted(w, size, DType.i64, behind + 1)], square)
    unit = w.emit("Unsqueeze", [inputs[0], w.ints([axis])], widened(type, axis, Dim.of(1)))
    factors = w.emit("Where", [before, unit, w.constant(1, type.dtype)], widened(type, axis, size))
    reduce_over(w, "ReduceProd", factors, [axis + 1], type, outputs[0])
