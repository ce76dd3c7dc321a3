"""Constants and sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, tensor
from exporters.onnx.lowerings.base import counted, lowering, result
from exporters.onnx.model import ELEMENT, Writer


@lowering("constant")
def constant(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    array = np.asarray(node.attrs["value"], type.dtype.numpy).reshape([size.constant for size in type.shape])
    # The initializer stands under its own name: the value is renamed, no node is needed.
    w.names[node.outputs[0]] = w.constant(array, type.dtype)


@lowering("size")
def size(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    vector = w.size(Dim.of(node.attrs["dim"]))  # type: ignore[arg-type]
    scalar = w.emit("Squeeze", [vector, w.ints([0])], tensor("i64"), outputs[0] if type.dtype is DType.i64 else None)
    if type.dtype is not DType.i64:
        w.emit("Cast", [scalar], type, outputs[0], to=ELEMENT[type.dtype])


@lowering("arange")
def arange(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    counted(w, Dim.of(node.attrs["count"]), result(w, node).dtype, output=outputs[0])  # type: ignore[arg-type]
