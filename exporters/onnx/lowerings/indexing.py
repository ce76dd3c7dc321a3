"""Order along an axis, values at indices, writing at indices, one-hot, filling."""

from __future__ import annotations

from collections.abc import Sequence

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType
from exporters.onnx.lowerings.base import axes_of, counted, like, lowering, reduce_over, result, scalar_size
from exporters.onnx.lowerings.sheet import Sheet
from exporters.onnx.model import ELEMENT, Writer

SINCE = {"add": 16, "mul": 16, "max": 18, "min": 18}  # ScatterElements reduces from these opsets on
COMBINE = {"add": ("ReduceSum", "Add"), "mul": ("ReduceProd", "Mul"), "max": ("ReduceMax", "Max"), "min": ("ReduceMin", "Min")}


def as_index(w: Writer, index: str) -> str:
    """The index in a type that ONNX takes."""
    if w.type(index).dtype in (DType.i32, DType.i64):
        return index
    return w.emit("Cast", [index], like(w.type(index), DType.i64), to=ELEMENT[DType.i64])


@lowering("take_along_axis")
def take_along_axis(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    w.emit("GatherElements", [inputs[0], as_index(w, inputs[1])], type, outputs[0], axis=axes_of(node, type.rank)[0])


@lowering("scatter")
def scatter(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    x, index, updates = inputs
    type, reduction = result(w, node), str(node.attrs["reduction"])
    (axis,) = axes_of(node, type.rank)
    index = as_index(w, index)
    if w.opset >= SINCE.get(reduction, 0):
        how = None if reduction == "set" else reduction
        w.emit("ScatterElements", [x, index, updates], type, outputs[0], axis=axis, reduction=how)
        return
    reduce, combine = COMBINE[reduction]
    hit, wide = hits(w, index, axis, type)
    spread = w.emit("Unsqueeze", [updates, w.ints([axis + 1])], widened(w.type(updates), axis + 1, Dim.of(1)))
    if reduction in ("add", "mul"):
        other = w.constant(int(reduction == "mul"), type.dtype)
    else:  # x itself changes no extreme
        other = w.emit("Unsqueeze", [x, w.ints([axis])], widened(type, axis, Dim.of(1)))
    chosen = w.emit("Where", [hit, spread, other], like(wide, type.dtype))
    w.emit(combine, [x, reduce_over(w, reduce, chosen, [axis], type)], type, outputs[0])


def widened(type: TensorType, at: int, size: Dim) -> TensorType:
    """With one axis more."""
    return TensorType(dtype=type.dtype, shape=(*type.shape[:at], size, *type.shape[at:]))


def hits(w: Writer, index: str, axis: int, target: TensorType) -> tuple[str, TensorType]:
    """For each index and each place of the axis (a new axis behind it) whether they are the same."""
    index_type = w.type(index)
    wide = TensorType(dtype=DType.bool, shape=widened(index_type, axis + 1, target.shape[axis]).shape)
    behind = target.rank - axis - 1
    numbers = counted(w, target.shape[axis], index_type.dtype, behind)
    spread = w.emit("Unsqueeze", [index, w.ints([axis + 1])], widened(index_type, axis + 1, Dim.of(1)))
    return w.emit("Equal", [spread, numbers], wide), wide


@lowering("sort", "argsort", "top_k")
def ordered(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    source = w.type(inputs[0])
    (axis,) = axes_of(node, source.rank)
    index = result(w, node, len(outputs) - 1)
    largest = bool(node.attrs["largest"] if node.op == "top_k" else node.attrs["descending"])
    names = [w.fresh("TopK"), outputs[0]] if node.op == "argsort" else list(outputs)
    results = [like(index, source.dtype), index]
    w.emit_many("TopK", [inputs[0], w.size(index.shape[axis])], results, names, axis=axis, largest=int(largest), sorted=1)


@lowering("one_hot")
def one_hot(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """OneHot for the types that runtimes have it for, else a comparison."""
    type, index = result(w, node), as_index(w, inputs[0])
    if type.rank > 1 and type.dtype in (DType.f32, DType.i64) and w.type(index).dtype is DType.i64:
        w.emit("OneHot", [index, scalar_size(w, type.shape[-1]), w.constant([0, 1], type.dtype)], type, outputs[0], axis=-1)
        return
    numbers = counted(w, type.shape[-1], w.type(index).dtype, 0)
    spread = w.emit("Unsqueeze", [index, w.ints([-1])], widened(w.type(index), type.rank - 1, Dim.of(1)))
    hit = w.emit("Equal", [spread, numbers], like(type, DType.bool))
    w.emit("Cast", [hit], type, outputs[0], to=ELEMENT[type.dtype])


@lowering("masked_fill")
def masked_fill(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    value: object = node.attrs["value"]
    Sheet(w, result(w, node))("Where", inputs[1], float(value), inputs[0], out=outputs[0])  # type: ignore[arg-type]
