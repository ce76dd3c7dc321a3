"""Windows as columns, and back. Col2Im is there from opset 18 on; onnxruntime adds wrongly over one and three spatial axes with it.

Below, and for other than two spatial axes, the columns are spread by a transposed convolution with a kernel of ones and zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from dslc.ir.graph import Node
from dslc.ir.types import Dim, TensorType
from dslc.ops.unfold import counts_of
from exporters.onnx.lowerings.base import lowering, result
from exporters.onnx.lowerings.spatial import Window, gathered, reshaped, shaped, taps, window_of
from exporters.onnx.model import Writer

COL2IM = 18


def window_over(node: Node, image: TensorType) -> Window:
    """The windows of a node over an image [n, c, *spatial]."""
    a: dict[str, Any] = {key: value for key, value in node.attrs.items() if key != "size"}
    count = counts_of(node.op, image.shape[2:], **a)
    return window_of(node, image, shaped(image, *image.shape[:2], *count), a["kernel"])


@lowering("unfold")
def unfold(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """A slice for each place of the kernel, side by side."""
    held = taps(w, inputs[0], window_over(node, w.type(inputs[0])), 0.0)
    reshaped(w, held, result(w, node).shape, outputs[0])


@lowering("fold")
def fold(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    image = result(w, node)
    window = window_over(node, image)
    if w.opset >= COL2IM and window.rank == 2 and window.pads is not None:
        befores, afters = zip(*window.pads, strict=True)
        settings = {"strides": list(window.stride), "dilations": list(window.dilation), "pads": [*befores, *afters]}
        w.emit("Col2Im", [inputs[0], w.shape(image.shape[2:]), w.ints(window.kernel)], image, outputs[0], **settings)
        return
    places: list[int | Dim] = [*image.shape[:2], prod(window.kernel), *window.count]
    gathered(w, reshaped(w, inputs[0], places), window, outputs[0])
