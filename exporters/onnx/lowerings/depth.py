"""Places into channels and back: SpaceToDepth and DepthToSpace for floats, a transpose for other types and what the first lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.graph import Node
from dslc.ops.depth import ORDER
from exporters.onnx.lowerings.base import lowering, result
from exporters.onnx.lowerings.spatial import reshaped, transposed
from exporters.onnx.model import Writer


@lowering("space_to_depth")
def space_to_depth(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    scale: Any = node.attrs["scale"]
    mode, y, x = str(node.attrs["mode"]), result(w, node), w.type(inputs[0])
    if mode == "DCR" and x.dtype.is_float:
        w.emit("SpaceToDepth", inputs, y, outputs[0], blocksize=scale)
        return
    squares = reshaped(w, inputs[0], [*x.shape[:2], y.shape[2], scale, y.shape[3], scale])
    reshaped(w, transposed(w, squares, ORDER[mode]), y.shape, outputs[0])


@lowering("depth_to_space")
def depth_to_space(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    scale: Any = node.attrs["scale"]
    mode, y, x = str(node.attrs["mode"]), result(w, node), w.type(inputs[0])
    if x.dtype.is_float:
        w.emit("DepthToSpace", inputs, y, outputs[0], blocksize=scale, mode=mode)
        return
    channels = [scale, scale, y.shape[1]] if mode == "DCR" else [y.shape[1], scale, scale]
    split = reshaped(w, inputs[0], [x.shape[0], *channels, *x.shape[2:]])
    reshaped(w, transposed(w, split, [ORDER[mode].index(axis) for axis in range(6)]), y.shape, outputs[0])
