"""Contractions by letters."""

from __future__ import annotations

from collections.abc import Sequence

from dslc.ir.graph import Node
from dslc.ops.einsum import expanded
from exporters.onnx.lowerings.base import lowering, result
from exporters.onnx.model import Writer


@lowering("einsum")
def einsum(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    equation = expanded(str(node.attrs["equation"]), [w.type(x).rank for x in inputs])
    w.emit("Einsum", inputs, result(w, node), outputs[0], equation=equation)
