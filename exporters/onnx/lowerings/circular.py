"""Circular convolution: the sum of the turned rows, each times its place of the kernel."""

from __future__ import annotations

from collections.abc import Sequence

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.circular import shifts
from exporters.onnx.lowerings.base import counted, lowering, result
from exporters.onnx.model import Writer


@lowering("circular_conv")
def circular_conv(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Gather of [*s, n, k] turned rows, weighted by the kernel as a matrix product: [*s, n, k] @ [*s, k, 1]."""
    type, kernel = result(w, node), w.type(inputs[1])
    n, k, lead = type.shape[-1], kernel.shape[-1].constant, type.shape[:-1]
    index = places(w, n, k)
    rows = w.emit("Gather", [inputs[0], index], TensorType(dtype=type.dtype, shape=(*lead, n, Dim.of(k))), axis=type.rank - 1)
    column = w.emit("Unsqueeze", [inputs[1], w.ints([-1])], TensorType(dtype=type.dtype, shape=(*lead, Dim.of(k), Dim.of(1))))
    product = w.emit("MatMul", [rows, column], TensorType(dtype=type.dtype, shape=(*type.shape, Dim.of(1))))
    w.emit("Squeeze", [product, w.ints([-1])], type, outputs[0])


def places(w: Writer, n: Dim, k: int) -> str:
    """[n, k]: (i - shift(a)) mod n; computed in the model where n is open."""
    if n.is_constant:
        return w.constant([[(i - shift) % n.constant for shift in shifts(k)] for i in range(n.constant)], DType.i64)
    grid = TensorType(dtype=DType.i64, shape=(n, Dim.of(k)))
    moved = w.emit("Sub", [counted(w, n, DType.i64, 1), w.ints(shifts(k))], grid)
    return w.emit("Mod", [moved, w.size(n)], grid)
