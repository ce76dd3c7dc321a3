"""The transposed convolution: ConvTranspose is it, with the same weight layout, in every opset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.graph import Node
from dslc.ir.types import TensorType
from exporters.onnx.lowerings.base import lowering, result
from exporters.onnx.model import Writer


@lowering("conv_transpose")
def conv_transpose(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    w.emit("ConvTranspose", inputs, result(w, node), outputs[0], **transpose_attributes(node, w.type(inputs[1])))


def transpose_attributes(node: Node, weight: TensorType) -> dict[str, Any]:
    """Kernel, strides, dilations, pads, output_padding and group; `same` is written as the pads or the output padding that it means."""
    a: dict[str, Any] = dict(node.attrs)
    kernel = [size.constant for size in weight.shape[2:]]
    pads, extra = a["pad"], list(a["output_pad"])
    if pads == "same":
        excess = [(k - 1) * d + 1 - s for k, d, s in zip(kernel, a["dilation"], a["stride"], strict=True)]
        pads = [(max(n, 0) // 2, max(n, 0) - max(n, 0) // 2) for n in excess]
        extra = [max(-n, 0) for n in excess]
    return {
        "kernel_shape": kernel,
        "strides": list(a["stride"]),
        "dilations": list(a["dilation"]),
        "pads": [before for before, _ in pads] + [after for _, after in pads],
        "output_padding": extra,
        "group": a["groups"],
    }
