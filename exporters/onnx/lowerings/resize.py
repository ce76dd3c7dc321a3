"""Resizing. Resize computes places in single precision, where a half may fall to either side: indices of fixed sizes are written out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.resize import taps
from exporters.onnx.lowerings.base import lowering, result
from exporters.onnx.model import Writer


@lowering("resize")
def resize(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    a: dict[str, Any] = dict(node.attrs)
    x, y = w.type(inputs[0]), result(w, node)
    factors = scales(x, y)
    nearest = a["mode"] == "nearest"
    fixed = all(size.is_constant for size in (*x.shape[2:], *y.shape[2:]))
    if nearest and fixed and (factors is None or a["coordinates"] == "align_corners"):
        gathered(w, node, inputs[0], outputs[0])
        return
    settings = {"mode": a["mode"], "coordinate_transformation_mode": a["coordinates"]}
    if nearest:
        settings["nearest_mode"] = "floor" if a["coordinates"] == "asymmetric" else "round_prefer_ceil"
    if nearest and factors is not None and a["coordinates"] == "half_pixel":  # of whole factors the same places
        settings |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    if factors is not None:
        wanted = [inputs[0], "", w.constant([1, 1, *factors], DType.f32)]
    else:
        wanted = [inputs[0], "", "", w.shape(y.shape)]
    w.emit("Resize", wanted, y, outputs[0], **settings)


def scales(x: TensorType, y: TensorType) -> list[int] | None:
    """The whole numbers by which the spatial axes grow, None where they are none."""
    found = []
    for source, target in zip(x.shape[2:], y.shape[2:], strict=True):
        ratio = target.exact_div(source) if len(source.terms) == 1 else None
        if ratio is None or not ratio.is_constant:
            return None
        found.append(ratio.constant)
    return found


def gathered(w: Writer, node: Node, x: str, output: str) -> None:
    """Nearest neighbours of fixed sizes: one Gather an axis, along which the size changes."""
    a: dict[str, Any] = dict(node.attrs)
    y, shape = result(w, node), list(w.type(x).shape)
    changed = [axis for axis in range(2, y.rank) if shape[axis] != y.shape[axis]]
    for axis in changed:
        index, _, _ = taps(np, shape[axis].constant, y.shape[axis].constant, a["mode"], a["coordinates"])
        shape[axis] = Dim.of(len(index))
        type = TensorType(dtype=y.dtype, shape=tuple(shape))
        x = w.emit("Gather", [x, w.ints(index.tolist())], type, output if axis == changed[-1] else None, axis=axis)
    if not changed:
        w.emit("Identity", [x], y, output)
