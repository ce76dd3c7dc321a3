"""Sums and p-norms of windows: AveragePool over all places times their number, and LpPool, whose `p` is a whole number."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from dslc.ir.graph import Node
from dslc.ir.types import TensorType
from exporters.onnx.lowerings.base import lowering, result
from exporters.onnx.lowerings.spatial import padded, planes, reshaped, window_of
from exporters.onnx.lowerings.window import refused, rounds_up, window
from exporters.onnx.model import Writer


def framed(w: Writer, node: Node, x: str, y: TensorType) -> tuple[str, dict[str, Any]]:
    """The input and the attributes of a pool. Where `ceil` rounds, the input has its border already, so that all backends count alike."""
    kernel: Any = node.attrs["kernel"]
    attributes = window(node, w.type(x), kernel)
    if "auto_pad" in attributes and any(step > places for places, step in zip(kernel, attributes["strides"], strict=True)):
        # backends compute negative pads
        raise refused(node, 'with pad="same" and a stride above its kernel its input needs fixed sizes')
    if rounds_up(node):
        x = padded(w, x, window_of(node, w.type(x), y, kernel), 0.0)
        attributes["pads"] = [0, 0] * len(kernel)
    return x, attributes


def summed(w: Writer, node: Node, x: str, y: TensorType, output: str | None = None) -> str:
    full, attributes = framed(w, node, x, y)
    mean = w.emit("AveragePool", [full], y, count_include_pad=1, **attributes)
    return w.emit("Mul", [mean, w.constant(prod(attributes["kernel_shape"]), y.dtype)], y, output)


@lowering("sum_pool")
def sum_pool(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    summed(w, node, inputs[0], result(w, node), outputs[0])


@lowering("sum_pool_grad")
def sum_pool_grad(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    kernel: Any = node.attrs["kernel"]
    g = w.type(inputs[0])
    places = window_of(node, result(w, node), g, kernel)
    flat = reshaped(w, inputs[0], [g.shape[0] * g.shape[1], 1, *g.shape[2:]])
    planes(w, flat, np.ones((1, 1, *kernel)), places, g, outputs[0])


@lowering("lp_pool")
def lp_pool(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    y = result(w, node)
    p: Any = node.attrs["p"]
    if p == int(p):
        full, attributes = framed(w, node, inputs[0], y)
        w.emit("LpPool", [full], y, outputs[0], p=int(p), **attributes)
        return
    x = w.type(inputs[0])
    powers = w.emit("Pow", [w.emit("Abs", inputs, x), w.constant(p, x.dtype)], x)
    w.emit("Pow", [summed(w, node, powers, y), w.constant(1 / p, y.dtype)], y, outputs[0])
