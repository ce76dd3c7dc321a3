"""Lowerings of operators that are not one ONNX operator, keyed by the operator's name.

A lowering is `lower(w, node, inputs, outputs)`: `w` the Writer, `inputs` and `outputs` tensor names. It must define every output.
Operators whose row names an ONNX operator directly need nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType, tensor
from dslc.ops.support import normal_axes
from dslc.ops.window import pads_of
from exporters.onnx.model import ELEMENT, Writer

Lowering = Callable[[Writer, Node, Sequence[str], Sequence[str]], None]
LOWERINGS: dict[str, Lowering] = {}
INT64_MAX = 2**63 - 1


def lowering(*names: str) -> Callable[[Lowering], Lowering]:
    """Register a function as the lowering of these operators."""

    def register(function: Lowering) -> Lowering:
        LOWERINGS.update(dict.fromkeys(names, function))
        return function

    return register


def result(w: Writer, node: Node, index: int = 0) -> TensorType:
    """The type of the node's result."""
    return w.types[node.outputs[index]]


def like(type: TensorType, dtype: DType) -> TensorType:
    return TensorType(dtype=dtype, shape=type.shape)


def optional(node: Node, inputs: Sequence[str], required: int) -> dict[str, str]:
    """The optional inputs that are present, by name."""
    return dict(zip(node.attrs.get("optional", ()) or (), inputs[required:], strict=True))  # type: ignore[arg-type]


def axes_of(node: Node, rank: int) -> list[int]:
    """The attribute `axis` as a sorted list of non-negative axes; None means all."""
    axis: Any = node.attrs.get("axis")
    return list(normal_axes(axis, rank))


# ---- constants and sizes ------------------------------------------------------------------------------------------------


@lowering("constant")
def constant(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    import numpy as np

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
    count = w.emit("Squeeze", [w.size(Dim.of(node.attrs["count"])), w.ints([0])], tensor("i64"))  # type: ignore[arg-type]
    type = result(w, node)
    values = w.emit("Range", [w.constant(0, DType.i64), count, w.constant(1, DType.i64)], like(type, DType.i64),
                    outputs[0] if type.dtype is DType.i64 else None)  # fmt: skip
    if type.dtype is not DType.i64:
        w.emit("Cast", [values], type, outputs[0], to=ELEMENT[type.dtype])


# ---- elementwise ----------------------------------------------------------------------------------------------------------


@lowering("not_equal")
def not_equal(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    w.emit("Not", [w.emit("Equal", inputs, type)], type, outputs[0])


@lowering("cast")
def cast(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    w.emit("Cast", inputs, type, outputs[0], to=ELEMENT[type.dtype])


@lowering("floor_divide")
def floor_divide(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    if type.dtype.is_float:
        w.emit("Floor", [w.emit("Div", inputs, type)], type, outputs[0])
        return
    # Integer Div truncates; (a - (a mod b)) / b is exact, and Mod has the sign of b.
    rest = w.emit("Mod", inputs, type)
    w.emit("Div", [w.emit("Sub", [inputs[0], rest], type), inputs[1]], type, outputs[0])


@lowering("remainder")
def remainder(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    if not type.dtype.is_float:
        w.emit("Mod", inputs, type, outputs[0])
        return
    whole = w.emit("Mul", [w.emit("Floor", [w.emit("Div", inputs, type)], type), inputs[1]], type)
    w.emit("Sub", [inputs[0], whole], type, outputs[0])


@lowering("leaky_relu")
def leaky_relu(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    slope: Any = node.attrs["slope"]
    if type.dtype is DType.f32:
        w.emit("LeakyRelu", inputs, type, outputs[0], alpha=slope)
        return
    # ONNX keeps `alpha` in single precision, which is not enough here.
    positive = w.emit("Greater", [inputs[0], w.constant(0, type.dtype)], like(type, DType.bool))
    w.emit("Where", [positive, inputs[0], w.emit("Mul", [inputs[0], w.constant(slope, type.dtype)], type)], type, outputs[0])


@lowering("clip")
def clip(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    bounds = [w.constant(node.attrs[key], type.dtype) for key in ("min", "max")]
    w.emit("Clip", [inputs[0], *bounds], type, outputs[0])


@lowering("heaviside")
def heaviside(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    positive = w.emit("Greater", [inputs[0], w.constant(0, type.dtype)], like(type, DType.bool))
    w.emit("Cast", [positive], type, outputs[0], to=ELEMENT[type.dtype])


# ---- reductions -----------------------------------------------------------------------------------------------------------

REDUCE = {"sum": "ReduceSum", "mean": "ReduceMean", "max": "ReduceMax", "min": "ReduceMin"}


@lowering(*REDUCE)
def reduce(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    x = inputs[0]
    source = w.type(x)
    mask = optional(node, inputs, 1).get("mask")
    if mask is not None:  # only `sum` has one: what is masked adds nothing
        x = w.emit("Where", [mask, x, w.constant(0, source.dtype)], source)
    keep = int(bool(node.attrs["keep"]))
    w.emit(REDUCE[node.op], [x, w.ints(axes_of(node, source.rank))], result(w, node), outputs[0], keepdims=keep, noop_with_empty_axes=1)


@lowering("all")
def all_true(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    source, type = w.type(inputs[0]), result(w, node)
    numbers = w.emit("Cast", [inputs[0]], like(source, DType.i32), to=ELEMENT[DType.i32])
    least = w.emit("ReduceMin", [numbers, w.ints(axes_of(node, source.rank))], like(type, DType.i32),
                   keepdims=int(bool(node.attrs["keep"])), noop_with_empty_axes=1)  # fmt: skip
    w.emit("Cast", [least], type, outputs[0], to=ELEMENT[DType.bool])


@lowering("argmax")
def argmax(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    (axis,) = axes_of(node, w.type(inputs[0]).rank)
    w.emit("ArgMax", inputs, result(w, node), outputs[0], axis=axis, keepdims=int(bool(node.attrs.get("keep", False))))


# ---- movement -------------------------------------------------------------------------------------------------------------


@lowering("reshape")
def reshape(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    symbolic = [i for i, size in enumerate(type.shape) if not size.is_constant]
    if len(symbolic) == 1:  # the one open size is what is left
        shape = w.ints([-1 if i in symbolic else size.constant for i, size in enumerate(type.shape)])
    else:
        shape = w.shape(type.shape)
    w.emit("Reshape", [inputs[0], shape], type, outputs[0])


@lowering("transpose")
def transpose(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    rank = w.type(inputs[0]).rank
    axes: Any = node.attrs.get("axes")
    order = list(axes) if axes is not None else [*range(rank - 2), rank - 1, rank - 2]
    w.emit("Transpose", inputs, result(w, node), outputs[0], perm=[a % rank for a in order])


@lowering("slice")
def slice_(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    source = w.type(inputs[0])
    starts: Any = node.attrs["starts"]
    stops: Any = node.attrs["stops"]
    cut = [i for i in range(source.rank) if Dim.of(starts[i]) != Dim.of(0) or Dim.of(stops[i]) != source.shape[i]]
    ends = [INT64_MAX if Dim.of(stops[i]) == source.shape[i] else stops[i] for i in cut]
    bounds = [w.shape([starts[i] for i in cut]), w.shape(ends)]
    w.emit("Slice", [inputs[0], *bounds, w.ints(cut)], result(w, node), outputs[0])


@lowering("pad")
def pad(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    before: Any = node.attrs["before"]
    after: Any = node.attrs["after"]
    value = w.constant(node.attrs.get("value", 0), type.dtype)
    w.emit("Pad", [inputs[0], w.shape([*before, *after]), value], type, outputs[0])


@lowering("concat")
def concat(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    w.emit("Concat", inputs, type, outputs[0], axis=axes_of(node, type.rank)[0])


@lowering("stack")
def stack(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    (axis,) = axes_of(node, type.rank)
    one = TensorType(dtype=type.dtype, shape=tuple(Dim.of(1) if i == axis else size for i, size in enumerate(type.shape)))
    parts = [w.emit("Unsqueeze", [name, w.ints([axis])], one) for name in inputs]
    w.emit("Concat", parts, type, outputs[0], axis=axis)


@lowering("split")
def split(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    results = [result(w, node, i) for i in range(len(outputs))]
    (axis,) = axes_of(node, results[0].rank)
    w.emit_many("Split", inputs, results, outputs, axis=axis, num_outputs=len(outputs))


@lowering("broadcast")
def broadcast(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    w.emit("Expand", [inputs[0], w.shape(type.shape)], type, outputs[0])


@lowering("gather")
def gather(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    source, index = w.type(inputs[0]), inputs[1]
    if w.type(index).dtype not in (DType.i32, DType.i64):
        index = w.emit("Cast", [index], like(w.type(index), DType.i64), to=ELEMENT[DType.i64])
    w.emit("Gather", [inputs[0], index], result(w, node), outputs[0], axis=axes_of(node, source.rank)[0])


# ---- windows --------------------------------------------------------------------------------------------------------------


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
    if any(not size.is_constant and step > 1 for size, step in zip(source.shape[2:], stride, strict=True)) and pad == "same":
        return None
    sizes = [size.constant if size.is_constant else 1 for size in source.shape[2:]]  # with stride 1 the size does not matter
    return pads_of(pad, sizes, kernel, stride, dilation)


@lowering("conv")
def conv(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    w.emit("Conv", inputs, result(w, node), outputs[0], **conv_attributes(node, w.type(inputs[0]), w.type(inputs[1])))


def conv_attributes(node: Node, x: TensorType, weight: TensorType) -> dict[str, Any]:
    return window(node, x, [size.constant for size in weight.shape[2:]]) | {"group": node.attrs["groups"]}


@lowering("max_pool", "avg_pool")
def pool(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    kernel: Any = node.attrs["kernel"]
    attributes = window(node, w.type(inputs[0]), kernel) | {"ceil_mode": int(bool(node.attrs["ceil"]))}
    if node.op == "avg_pool":
        attributes["count_include_pad"] = int(bool(node.attrs["count_pad"]))
    w.emit("MaxPool" if node.op == "max_pool" else "AveragePool", inputs, result(w, node), outputs[0], **attributes)


# ---- norms ----------------------------------------------------------------------------------------------------------------


def per_channel(w: Writer, vector: str, rank: int) -> str:
    """A vector [c] as [c, 1, 1, ...], to meet axis 1 of a tensor of this rank."""
    type = w.type(vector)
    shape = TensorType(dtype=type.dtype, shape=(type.shape[0], *(Dim.of(1) for _ in range(rank - 2))))
    if rank == 2:
        return vector
    return w.emit("Unsqueeze", [vector, w.ints(range(1, rank - 1))], shape)


@lowering("channel_affine")
def channel_affine(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    scaled = w.emit("Mul", [inputs[0], per_channel(w, inputs[1], type.rank)], type)
    w.emit("Add", [scaled, per_channel(w, inputs[2], type.rank)], type, outputs[0])


@lowering("channel_moments")
def channel_moments(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    source = w.type(inputs[0])
    axes = w.ints([i for i in range(source.rank) if i != 1])
    kept = TensorType(dtype=source.dtype, shape=tuple(s if i == 1 else Dim.of(1) for i, s in enumerate(source.shape)))
    w.emit("ReduceMean", [inputs[0], axes], result(w, node, 0), outputs[0], keepdims=0)
    centred = w.emit("Sub", [inputs[0], w.emit("ReduceMean", [inputs[0], axes], kept, keepdims=1)], source)
    w.emit("ReduceMean", [w.emit("Mul", [centred, centred], source), axes], result(w, node, 1), outputs[1], keepdims=0)


@lowering("softmax", "log_softmax")
def softmax(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    (axis,) = axes_of(node, type.rank)
    mask = optional(node, inputs, 1).get("mask")
    op = "Softmax" if node.op == "softmax" else "LogSoftmax"
    if mask is None:
        w.emit(op, [inputs[0]], type, outputs[0], axis=axis)
        return
    # Masked positions count nothing: exp(lowest - max) is 0, and a row with no position at all gives zeros.
    lowest = w.constant(-3.4028234663852886e38 if type.dtype is DType.f32 else -1.7976931348623157e308, type.dtype)
    hidden = w.emit("Where", [mask, inputs[0], lowest], type)
    soft = w.emit(op, [hidden], type, axis=axis)
    w.emit("Where", [mask, soft, w.constant(0, type.dtype)], type, outputs[0])


@lowering("normalize")
def normalize(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """(x - mean) / √(mean((x - mean)²) + ε), which all axes have; LayerNormalization only knows the last ones."""
    type = result(w, node)
    over = axes_of(node, type.rank)
    axes = w.ints(over)
    kept = TensorType(dtype=type.dtype, shape=tuple(Dim.of(1) if i in over else s for i, s in enumerate(type.shape)))
    centred = w.emit("Sub", [inputs[0], w.emit("ReduceMean", [inputs[0], axes], kept, keepdims=1)], type)
    variance = w.emit("ReduceMean", [w.emit("Mul", [centred, centred], type), axes], kept, keepdims=1)
    shifted = w.emit("Add", [variance, w.constant(node.attrs["eps"], type.dtype)], kept)
    w.emit("Div", [centred, w.emit("Sqrt", [shifted], kept)], type, outputs[0])
