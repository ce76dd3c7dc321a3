"""Gradients of convolution, pooling, normalisation and indexing: what stands in training steps, and behind `grad` in a network.

They are written with operators that every opset has. Where ONNX has a gradient of its own (MaxUnpool, ScatterElements that adds, Col2Im),
it came later, or backends differ in ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.pool import counted as counted_places
from dslc.ops.resize import matrix
from dslc.ops.support import product
from exporters.onnx.lowerings.base import axes_of, counted, like, lowering, reduce_over, result
from exporters.onnx.lowerings.spatial import Window, cut, gathered, padded, planes, reshaped, shaped, spread, taps, transposed, window_of
from exporters.onnx.lowerings.window import refused
from exporters.onnx.model import ELEMENT, Writer

# ---- convolution ------------------------------------------------------------------------------------------------------------------


@lowering("conv_grad_x")
def conv_grad_x(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    x, weight = result(w, node), w.type(inputs[1])
    window = window_of(node, x, w.type(inputs[0]), [size.constant for size in weight.shape[2:]])
    groups: Any = node.attrs["groups"]
    spread(w, inputs[0], inputs[1], window, x.shape[1], groups, outputs[0])


@lowering("conv_grad_w")
def conv_grad_w(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """A convolution of x with g as its kernel, in which the samples are the channels and the stride is the dilation.

    ∂L/∂w[o, i, k] = Σ_n Σ_p x[n, i, p·stride + k·dilation - before] · g[n, o, p]; the channels of a group stay together.
    """
    x, g, type = w.type(inputs[0]), w.type(inputs[1]), result(w, node)
    window = window_of(node, x, g, [size.constant for size in type.shape[2:]])
    groups: Any = node.attrs["groups"]
    source, sizes, pads = inputs[0], window.sizes, window.pads
    if pads is None:
        source, pads = padded(w, source, window, 0.0), ((0, 0),) * window.rank
        sizes = w.type(source).shape[2:]
    image = by_samples(w, source, groups)
    each = list(range(2, g.rank))
    kernel = transposed(w, inputs[1], [1, 0, *each])
    found = [
        (size + before + after - ((n - 1) * s + 1)) // d + 1
        for size, (before, after), n, s, d in zip(sizes, pads, window.count, window.stride, window.dilation, strict=True)
    ]
    made = shaped(type, type.shape[1], type.shape[0], *found)
    befores, afters = zip(*pads, strict=True)
    settings = {"strides": list(window.dilation), "dilations": list(window.stride), "pads": [*befores, *afters], "group": groups}
    grown = w.emit("Conv", [image, kernel], made, **settings)
    if tuple(found) != type.shape[2:]:  # the stride leaves a rest of x
        grown = cut(w, grown, [0] * window.rank, type.shape[2:], [1] * window.rank)
    transposed(w, grown, [1, 0, *each], outputs[0])


def by_samples(w: Writer, x: str, groups: int) -> str:
    """[n, groups·i, *s] as [i, groups·n, *s]."""
    type = w.type(x)
    each = list(range(2, type.rank))
    if groups == 1:
        return transposed(w, x, [1, 0, *each])
    n, inner = type.shape[0], type.shape[1] // groups
    split = reshaped(w, x, [n, groups, inner, *type.shape[2:]])
    return reshaped(w, transposed(w, split, [2, 1, 0, *(axis + 1 for axis in each)]), [inner, n * groups, *type.shape[2:]])


# ---- pooling ----------------------------------------------------------------------------------------------------------------------


def pool_window(w: Writer, node: Node, x: TensorType, y: TensorType) -> Window:
    kernel: Any = node.attrs["kernel"]
    return window_of(node, x, y, kernel)


def first_maximum(w: Writer, x: str, y: str, window: Window) -> str:
    """[n, c, places, *windows]: whether a place is the first one of its window that holds the maximum."""
    lowest = float(np.finfo(w.type(x).dtype.numpy).min)  # a model holds finite numbers only
    held = taps(w, x, window, lowest)
    type, wide = w.type(held), widened(w, y)
    equal = w.emit("Equal", [held, wide], like(type, DType.bool))
    numbers = w.emit("Cast", [equal], like(type, DType.i32), to=ELEMENT[DType.i32])
    few = TensorType(dtype=DType.i64, shape=(*type.shape[:2], Dim.of(1), *type.shape[3:]))
    first = w.emit("ArgMax", [numbers], few, axis=2, keepdims=1)
    places = np.arange(prod(window.kernel)).reshape(1, 1, -1, *[1] * window.rank)
    chosen = w.emit("Equal", [first, w.constant(places, DType.i64)], like(type, DType.bool))
    return w.emit("And", [equal, chosen], like(type, DType.bool))  # a NaN is equal to nothing


def widened(w: Writer, y: str) -> str:
    """[n, c, *windows] as [n, c, 1, *windows]."""
    type = w.type(y)
    return w.emit("Unsqueeze", [y, w.ints([2])], shaped(type, *type.shape[:2], 1, *type.shape[2:]))


@lowering("max_pool_grad")
def max_pool_grad(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    x, y, g = inputs
    window = pool_window(w, node, w.type(x), w.type(y))
    mask = first_maximum(w, x, y, window)
    parts = w.emit("Where", [mask, widened(w, g), w.constant(0, w.type(g).dtype)], like(w.type(mask), w.type(g).dtype))
    gathered(w, parts, window, outputs[0])


@lowering("max_pool_take")
def max_pool_take(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    x, y, h = inputs
    window = pool_window(w, node, w.type(x), w.type(y))
    mask = first_maximum(w, x, y, window)
    held = taps(w, h, window, 0.0)
    parts = w.emit("Where", [mask, held, w.constant(0, w.type(h).dtype)], w.type(held))
    reduce_over(w, "ReduceSum", parts, [2], result(w, node), outputs[0])


@lowering("avg_pool_grad")
def avg_pool_grad(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    x, g = result(w, node), w.type(inputs[0])
    window = pool_window(w, node, x, g)
    share = w.emit("Div", [inputs[0], w.constant(counts(node, window), g.dtype)], g)
    flat = reshaped(w, share, [g.shape[0] * g.shape[1], 1, *g.shape[2:]])
    planes(w, flat, np.ones((1, 1, *window.kernel)), window, g, outputs[0])


def counts(node: Node, window: Window) -> Any:
    """How many places the mean of each window is over: of fixed sizes, or where all windows lie inside."""
    counts_pad = bool(node.attrs["count_pad"])
    if window.pads is not None and all(size.is_constant for size in window.sizes):
        sizes, count = [size.constant for size in window.sizes], [size.constant for size in window.count]
        return counted_places(np, sizes, window.kernel, window.stride, window.pads, count, counts_pad, np.dtype("float64"))
    if window.ceil or ((window.pads is None or any(map(any, window.pads))) and not counts_pad):
        raise refused(node, "with padding that does not count, or `ceil`, its input needs fixed sizes")
    return float(prod(window.kernel))


# ---- resizing, channels, indices --------------------------------------------------------------------------------------------------


@lowering("resize_grad")
def resize_grad(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Along each axis a product with the matrix of the resize."""
    a: dict[str, Any] = dict(node.attrs)
    type, x = result(w, node), inputs[0]
    if not all(size.is_constant for size in (*type.shape[2:], *w.type(x).shape[2:])):
        raise refused(node, "its input needs fixed sizes")
    for axis in range(2, type.rank):
        now = w.type(x)
        factors = matrix(np, type.shape[axis].constant, now.shape[axis].constant, a["mode"], a["coordinates"], np.dtype("float64"))
        order = [i for i in range(type.rank) if i != axis]
        back = [*range(axis), type.rank - 1, *range(axis, type.rank - 1)]
        moved = transposed(w, x, [*order, axis])
        grown = shaped(type, *w.type(moved).shape[:-1], type.shape[axis])
        x = transposed(w, w.emit("MatMul", [moved, w.constant(factors, type.dtype)], grown), back)
    w.emit("Identity", [x], type, outputs[0])


@lowering("channel_dot")
def channel_dot(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    source = w.type(inputs[0])
    products = w.emit("Mul", inputs, source)
    reduce_over(w, "ReduceSum", products, [axis for axis in range(source.rank) if axis != 1], result(w, node), outputs[0])


@lowering("channel_window_sum")
def channel_window_sum(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    size: Any = node.attrs["size"]
    type, half = result(w, node), size // 2
    if not half:
        w.emit("Identity", inputs, type, outputs[0])
        return
    border = [0] * (type.rank - 2)
    grown = shaped(type, type.shape[0], type.shape[1] + 2 * half, *type.shape[2:])
    full = w.emit("Pad", [inputs[0], w.ints([0, half, *border, 0, half, *border]), w.constant(0, type.dtype)], grown)
    axis = w.ints([1])
    parts = [w.emit("Slice", [full, w.ints([at]), w.shape([type.shape[1] + at]), axis], type) for at in range(size)]
    w.emit("Sum", parts, type, outputs[0])


@lowering("scatter_add")
def scatter_add(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Rows with the same index add up: ScatterND adds from opset 16 on, below it is a product with a one-hot matrix."""
    g, index, type = w.type(inputs[0]), w.type(inputs[1]), result(w, node)
    (axis,) = axes_of(node, type.rank)
    places = inputs[1] if index.dtype is DType.i64 else w.emit("Cast", [inputs[1]], like(index, DType.i64), to=ELEMENT[DType.i64])
    count = product(index.shape)
    inner = list(range(axis, axis + index.rank))
    outer = [i for i in range(g.rank) if i not in inner]
    rest = [g.shape[i] for i in outer]
    rows = reshaped(w, transposed(w, inputs[0], [*inner, *outer]), [count, *rest])
    flat = reshaped(w, places, [count, 1])
    wanted = shaped(type, type.shape[axis], *rest)
    back = [*range(1, axis + 1), 0, *range(axis + 1, type.rank)]
    if w.opset >= 16:
        zeros = w.emit("Expand", [w.constant(0, type.dtype), w.shape(wanted.shape)], wanted)
        added = w.emit("ScatterND", [zeros, flat, rows], wanted, reduction="add")
    else:
        added = one_hot_product(w, flat, rows, wanted)
    transposed(w, added, back, outputs[0])


def one_hot_product(w: Writer, index: str, rows: str, wanted: TensorType) -> str:
    """[size, count] · [count, rest]: row after row is added at its index."""
    count, size = w.type(rows).shape[0], wanted.shape[0]
    row = reshaped(w, index, [1, count])
    equal = w.emit("Equal", [counted(w, size, DType.i64, 1), row], TensorType(dtype=DType.bool, shape=(size, count)))
    hot = w.emit("Cast", [equal], TensorType(dtype=wanted.dtype, shape=(size, count)), to=ELEMENT[wanted.dtype])
    rest = product(wanted.shape[1:])
    found = w.emit("MatMul", [hot, reshaped(w, rows, [count, rest])], shaped(wanted, size, rest))
    return reshaped(w, found, wanted.shape)
