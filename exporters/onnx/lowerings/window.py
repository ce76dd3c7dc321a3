"""Convolution and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from dslc.diagnostics import SpecError
from dslc.ir.graph import Node
from dslc.ir.types import TensorType
from dslc.ops.pool import counted
from dslc.ops.window import pads_of
from exporters.onnx.errors import NotExportable
from exporters.onnx.lowerings.base import lowering, result
from exporters.onnx.model import Writer


def window(node: Node, source: TensorType, kernel: Sequence[int]) -> dict[str, Any]:
    """Kernel, strides, dilations and pads as ONNX attributes."""
    a: dict[str, Any] = dict(node.attrs)
    attributes: dict[str, Any] = {"kernel_shape": list(kernel), "strides": list(a["stride"])}
    if "dilation" in a:
        attributes["dilations"] = list(a["dilation"])
    pads = fixed_pads(source, kernel, a["stride"], a.get("dilation", (1,) * len(kernel)), a["pad"])
    if pads is None:
        return attributes | {"auto_pad": "SAME_UPPER"}
    return attributes | {"pads": [before for before, _ in pads] + [after for _, after in pads]}


def fixed_pads(source: TensorType, kernel: Sequence[int], stride: Any, dilation: Any, pad: Any) -> Any:
    """(before, after) for each spatial axis; None where `same` depends on a symbolic size."""
    axes = zip(source.shape[2:], kernel, stride, strict=True)
    if pad == "same" and any(not size.is_constant and step > 1 and places > 1 for size, places, step in axes):
        return None
    sizes = [size.constant if size.is_constant else 1 for size in source.shape[2:]]  # with stride 1 or kernel 1 the size does not matter
    return pads_of(pad, sizes, kernel, stride, dilation)


@lowering("conv")
def conv(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    w.emit("Conv", inputs, result(w, node), outputs[0], **conv_attributes(node, w.type(inputs[0]), w.type(inputs[1])))


def conv_attributes(node: Node, x: TensorType, weight: TensorType) -> dict[str, Any]:
    attributes = window(node, x, [size.constant for size in weight.shape[2:]])
    if "auto_pad" in attributes and set(attributes["dilations"]) != {1}:
        raise refused(node, 'with pad="same", a stride and a dilation its input needs fixed sizes')  # onnxruntime takes no dilation then
    return attributes | {"group": node.attrs["groups"]}


def rounds_up(node: Node) -> bool:
    """Whether `ceil` says anything: `same` fixes the sizes by itself, and with stride 1 there is nothing to round."""
    a: dict[str, Any] = dict(node.attrs)
    return bool(a.get("ceil")) and a["pad"] != "same" and set(a["stride"]) != {1}


def pool_attributes(w: Writer, node: Node, x: str, y: TensorType) -> dict[str, Any]:
    """Kernel, strides, pads and ceil_mode of a pool, so that all backends have the same windows."""
    kernel: Any = node.attrs["kernel"]
    rounds = rounds_up(node)
    attributes = window(node, w.type(x), kernel) | {"ceil_mode": int(rounds)}
    if "auto_pad" in attributes and any(step > places for places, step in zip(kernel, attributes["strides"], strict=True)):
        # backends compute negative pads
        raise refused(node, 'with pad="same" and a stride above its kernel its input needs fixed sizes')
    return attributes | rounded_up(node, w.type(x), y, attributes) if rounds else attributes


@lowering("max_pool")
def max_pool(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    y = result(w, node)
    w.emit("MaxPool", inputs, y, outputs[0], **pool_attributes(w, node, inputs[0], y))


@lowering("avg_pool")
def avg_pool(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    y = result(w, node)
    attributes = pool_attributes(w, node, inputs[0], y) | {"count_include_pad": int(bool(node.attrs["count_pad"]))}
    scale = None if attributes["ceil_mode"] else rescaled(node, w.type(inputs[0]), y)
    if scale is None:
        w.emit("AveragePool", inputs, y, outputs[0], **attributes)
    else:
        w.emit("Mul", [w.emit("AveragePool", inputs, y, **attributes), w.constant(scale, y.dtype)], y, outputs[0])


def rescaled(node: Node, x: TensorType, y: TensorType) -> Any:
    """For a mean that counts padding: what makes of the mean over all places of a window that over those before the end of the padding.

    None where `ceil` gives no window that reaches beyond it.
    """
    a: dict[str, Any] = dict(node.attrs)
    if not (a["count_pad"] and rounds_up(node)):
        return None
    sizes, count = [size.constant for size in x.shape[2:]], [size.constant for size in y.shape[2:]]
    pads = pads_of(a["pad"], sizes, a["kernel"], a["stride"], (1,) * len(sizes))
    scale = prod(a["kernel"]) / counted(np, sizes, a["kernel"], a["stride"], pads, count, True, np.dtype("float64"))
    return None if (scale == 1).all() else scale


def refused(node: Node, reason: str) -> SpecError:
    return SpecError(NotExportable(operator=node.op, place=node.place or node.address, reason=reason))


def rounded_up(node: Node, x: TensorType, y: TensorType, attributes: dict[str, Any]) -> dict[str, Any]:
    """`ceil` as pads that say the same, where sizes are fixed: backends differ in which last windows they count.

    Padding up to the end of the last window adds nothing to a maximum, nor to a mean over what is inside.
    """
    rank = len(attributes["strides"])
    pads, strides, kernel = attributes["pads"], attributes["strides"], attributes["kernel_shape"]
    befores, afters = pads[:rank], pads[rank:]
    rooms = [size + (b + a - k) for size, b, a, k in zip(x.shape[2:], befores, afters, kernel, strict=True)]
    if all(size.is_constant for size in x.shape[2:]):
        ends = [((count - 1) * step - room).constant for count, step, room in zip(y.shape[2:], strides, rooms, strict=True)]
        return {"ceil_mode": 0, "pads": [*befores, *(a + max(end, 0) for a, end in zip(afters, ends, strict=True))]}
    if all((room + (step - 1)) // step + 1 == count for room, step, count in zip(rooms, strides, y.shape[2:], strict=True)):
        return {}
    raise refused(node, "with `ceil`, this stride and this padding it has windows that backends count in several ways")
