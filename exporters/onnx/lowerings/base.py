"""What all lowerings share: the registry, and how they read a node.

A lowering is `lower(w, node, inputs, outputs)`: `w` the Writer, `inputs` and `outputs` tensor names. It must define every output.
Operators whose row names an ONNX operator directly need none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType, tensor
from dslc.ops.support import normal_axes
from exporters.onnx.model import ELEMENT, Writer

Lowering = Callable[[Writer, Node, Sequence[str], Sequence[str]], None]
LOWERINGS: dict[str, Lowering] = {}


def lowering(*names: str) -> Callable[[Lowering], Lowering]:
    """Register a function as the lowering of these operators."""

    def register(function: Lowering) -> Lowering:
        LOWERINGS.update(dict.fromkeys(names, function))
        return function

    return register


def result(w: Writer, node: Node, index: int = 0) -> TensorType:
    """The type of the node's result."""
    return w.types[node.outputs[index]]


def like(type: TensorType, dtype: DType) -> TensorType:
    return TensorType(dtype=dtype, shape=type.shape)


def optional(node: Node, inputs: Sequence[str], required: int) -> dict[str, str]:
    """The optional inputs that are present, by name."""
    return dict(zip(node.attrs.get("optional", ()) or (), inputs[required:], strict=True))  # type: ignore[arg-type]


def axes_of(node: Node, rank: int) -> list[int]:
    """The attribute `axis` as a sorted list of non-negative axes; None means all."""
    axis: Any = node.attrs.get("axis")
    return list(normal_axes(axis, rank))


def kept(type: TensorType, axes: Sequence[int]) -> TensorType:
    """The type with these axes of size 1."""
    return TensorType(dtype=type.dtype, shape=tuple(Dim.of(1) if i in axes else size for i, size in enumerate(type.shape)))


def reduce_over(w: Writer, op: str, x: str, axes: Sequence[int], type: TensorType, output: str | None = None, *, keep: bool = False) -> str:
    """A reduction (`ReduceMean`, …) with result `type`; no axes leave `x` as it is. Axes are an input from opset 18 (ReduceSum: 13) on."""
    if not axes:
        return w.emit("Identity", [x], type, output)
    if op == "ReduceSum" or w.opset >= 18:
        return w.emit(op, [x, w.ints(axes)], type, output, keepdims=int(keep))
    return w.emit(op, [x], type, output, axes=list(axes), keepdims=int(keep))


def scalar_size(w: Writer, size: Dim) -> str:
    """A size as an i64 scalar."""
    return w.emit("Squeeze", [w.size(size), w.ints([0])], tensor("i64"))


def counted(w: Writer, size: Dim, dtype: DType, behind: int = 0, output: str | None = None) -> str:
    """0, 1, … as [size, 1, …] with this many axes behind; `output`: the tensor's name where there are none."""
    vector = TensorType(dtype=DType.i64, shape=(size,))
    last = output if dtype is DType.i64 else None
    numbers = w.emit("Range", [w.constant(0, DType.i64), scalar_size(w, size), w.constant(1, DType.i64)], vector, last)
    if dtype is not DType.i64:
        numbers = w.emit("Cast", [numbers], like(vector, dtype), output, to=ELEMENT[dtype])
    if not behind:
        return numbers
    shape = TensorType(dtype=dtype, shape=(size, *[Dim.of(1)] * behind))
    return w.emit("Reshape", [numbers, w.ints([-1, *[1] * behind])], shape)
