"""Local response normalisation: LRN has the same meaning; backends know it for four axes only."""

from __future__ import annotations

from collections.abc import Sequence

from dslc.ir.graph import Node
from dslc.ir.types import Dim, TensorType
from dslc.ops.support import product
from exporters.onnx.lowerings.base import lowering, result
from exporters.onnx.model import Writer


@lowering("lrn")
def lrn(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    a = node.attrs
    settings = {"size": a["size"], "alpha": a["alpha"], "beta": a["beta"], "bias": a["k"]}
    if type.rank == 4:
        w.emit("LRN", inputs, type, outputs[0], **settings)
        return
    plane = TensorType(dtype=type.dtype, shape=(*type.shape[:2], product(type.shape[2:]), Dim.of(1)))
    flat = w.emit("Reshape", [inputs[0], w.ints([0, 0, -1, 1])], plane)
    w.emit("Reshape", [w.emit("LRN", [flat], plane, **settings), w.shape(type.shape)], type, outputs[0])
