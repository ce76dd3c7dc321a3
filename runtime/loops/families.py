"""Nests of the operators that read windows, multiply matrices or look at labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dslc.ir.graph import Node
from dslc.ops.window import pads_of
from runtime.loops.lower import Lowering, family
from runtime.loops.nest import Affine, Apply, Index, Length, Load, Number, Position, Reduce, Size, at
from runtime.loops.tensor import Tensor
from runtime.loops.tracer import Tracer, all_of
from runtime.loops.trim import NoNest

Attrs = Mapping[str, Any]


def product_sum(tracer: Tracer, a: int, b: int, axes: Sequence[str], dtype: str) -> int:
    value = tracer.writer.add(Apply("multiply", (a, b), dtype))
    return tracer.writer.add(Reduce("sum", value, tuple(axes), dtype)) if axes else value


def axis(name: str, count: int = 1) -> Affine:
    return Affine.of({name: count})


# ---- sizes and labels -----------------------------------------------------------------------------------------------------------


@family("size")
def size(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """A length as a number."""
    tracer = Tracer()
    (result,) = node.outputs
    dim, dtype = attrs["dim"], lowering.dtype(result)
    number = Number(dim, dtype) if isinstance(dim, int) else Length(dim, dtype)
    lowering.store(tracer, result, (), tracer.writer.add(number))
    lowering.finish(tracer, node)


# ---- matrices -------------------------------------------------------------------------------------------------------------------


@family("matmul")
def matmul(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """[..., m, k] · [..., k, n], with axes in front that are broadcast."""
    tracer = Tracer()
    a, b = (lowering.tensor(id, tracer) for id in node.inputs)
    (result,) = node.outputs
    if a.ndim < 2 or b.ndim < 2:
        raise NoNest("matmul of vectors")
    shape = lowering.shape(result)
    index = all_of(tracer, shape)
    k = tracer.writer.axis(a.shape[-1], "k")
    left = (*fitted(index[:-2], a), index[-2], axis(k))
    right = (*fitted(index[:-2], b), axis(k), index[-1])
    value = product_sum(tracer, a.read(left), b.read(right), [k], lowering.dtype(result))
    lowering.store(tracer, result, index, value)
    lowering.finish(tracer, node)


def fitted(lead: Index, x: Tensor) -> Index:
    """The index of the axes in front of an operand that is broadcast."""
    rank = x.ndim - 2
    return tuple(Affine() if size == 1 else item for item, size in zip(lead[len(lead) - rank :], x.shape[:rank], strict=True))


# ---- convolution ----------------------------------------------------------------------------------------------------------------


def fixed(sizes: Sequence[Size]) -> tuple[int, ...]:
    if not all(isinstance(size, int) for size in sizes):
        raise NoNest("windows over open axes")
    return tuple(int(size) for size in sizes)  # type: ignore[arg-type]


def window(count: str, tap: str, stride: int, dilation: int, before: int) -> Affine:
    """The place in the input of a tap of a window."""
    return Affine.of({count: stride, tap: dilation}, -before)


class Convolution:
    """The axes of x[n, g·i, s], w[g·o, i, k], y[n, g·o, t], for convolution and both gradients."""

    def __init__(self, tracer: Tracer, x: Sequence[Size], w: Sequence[Size], y: Sequence[Size], attrs: Attrs) -> None:
        writer, groups = tracer.writer, attrs["groups"]
        self.groups = groups
        channels, outputs = fixed([w[1], w[0]])
        sizes, kernel = fixed(x[2:]), fixed(w[2:])
        self.n = writer.axis(y[0], "n")
        self.g = writer.axis(groups, "g") if groups > 1 else ""
        self.o = writer.axis(outputs // groups, "o")
        self.i = writer.axis(channels, "c")
        self.t = [writer.axis(size, "p") for size in y[2:]]
        self.k = [writer.axis(size, "r") for size in kernel]
        self.channels, self.outputs = channels, outputs // groups
        pads = pads_of(attrs["pad"], sizes, kernel, attrs["stride"], attrs["dilation"])
        self.places = [
            window(t, k, s, d, before)
            for t, k, s, d, (before, _) in zip(self.t, self.k, attrs["stride"], attrs["dilation"], pads, strict=True)
        ]

    @property
    def x(self) -> Index:
        return at(self.n, grouped(self.g, self.i, self.channels), *self.places)

    @property
    def w(self) -> Index:
        return at(grouped(self.g, self.o, self.outputs), self.i, *self.k)

    @property
    def y(self) -> Index:
        return at(self.n, grouped(self.g, self.o, self.outputs), *self.t)


def grouped(group: str, axis: str, size: int) -> Affine:
    return Affine.of({axis: 1, group: size} if group else {axis: 1})


def guarded(x: Tensor, index: Index) -> int:
    """A load that is 0 outside of the array."""
    if x.place is None:
        raise NoNest("windows over what is no array")
    array, where = x.place(index)
    return x.tracer.writer.add(Load(array, where, x.dtype.name, 0.0))


@family("conv")
def conv(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    tracer = Tracer()
    x, w = (lowering.tensor(id, tracer) for id in node.inputs)
    (result,) = node.outputs
    axes = Convolution(tracer, x.shape, w.shape, lowering.shape(result), attrs)
    value = product_sum(tracer, guarded(x, axes.x), w.read(axes.w), [*axes.k, axes.i], lowering.dtype(result))
    lowering.store(tracer, result, axes.y, value)
    lowering.finish(tracer, node)


@family("conv_grad_w")
def conv_grad_w(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    tracer = Tracer()
    x, g = (lowering.tensor(id, tracer) for id in node.inputs)
    (result,) = node.outputs
    axes = Convolution(tracer, x.shape, lowering.shape(result), g.shape, attrs)
    value = product_sum(tracer, guarded(x, axes.x), g.read(axes.y), [axes.n, *axes.t], lowering.dtype(result))
    lowering.store(tracer, result, axes.w, value)
    lowering.finish(tracer, node)


@family("conv_grad_x")
def conv_grad_x(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """One nest for every residue of the places by the strides: the taps that reach such places are every stride-th one."""
    (result,) = node.outputs
    if any(step != 1 for step in attrs["dilation"]) and any(step != 1 for step in attrs["stride"]):
        raise NoNest("the gradient of a convolution with strides and dilation")
    for phase in phases(attrs["stride"]):
        grad_x_phase(lowering, node, attrs, result, phase)


def phases(strides: Sequence[int]) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = [()]
    for stride in strides:
        found = [(*phase, r) for phase in found for r in range(stride)]
    return found


def grad_x_phase(lowering: Lowering, node: Node, attrs: Attrs, result: int, phase: Sequence[int]) -> None:
    """x places q·stride + phase: g places (q·stride + phase + before - tap·dilation) / stride, for the taps where that is whole."""
    tracer = Tracer()
    writer = tracer.writer
    g, w = (lowering.tensor(id, tracer) for id in node.inputs)
    shape, groups = lowering.shape(result), attrs["groups"]
    sizes, kernel = fixed(shape[2:]), fixed(w.shape[2:])
    outputs, channels = fixed([w.shape[0], w.shape[1]])
    pads = pads_of(attrs["pad"], sizes, kernel, attrs["stride"], attrs["dilation"])
    n, group = writer.axis(shape[0], "n"), writer.axis(groups, "g") if groups > 1 else ""
    c, o = writer.axis(channels, "c"), writer.axis(outputs // groups, "o")
    into, taps, read, reduced = [], [], [], [o]
    for size, k, s, d, (before, _), r in zip(sizes, kernel, attrs["stride"], attrs["dilation"], pads, phase, strict=True):
        first = (r + before) % s
        places, count = -(-(size - r) // s), -(-(k - first) // s)
        if places <= 0:
            return
        q = writer.axis(places, "p")
        into.append(Affine.of({q: s}, r))
        if count <= 0:
            zero_phase(lowering, node, result, phase, attrs["stride"], sizes)
            return
        tap = writer.axis(count, "r")
        reduced.append(tap)
        taps.append(Affine.of({tap: s}, first))
        read.append(Affine.of({q: 1, tap: -d}, (r + before - first) // s))
    source = guarded(g, at(n, grouped(group, o, outputs // groups), *read))
    value = product_sum(tracer, source, w.read(at(grouped(group, o, outputs // groups), c, *taps)), reduced, lowering.dtype(result))
    lowering.store(tracer, result, at(n, grouped(group, c, channels), *into), value)
    lowering.finish(tracer, node)


def zero_phase(
    lowering: Lowering, node: Node, result: int, phase: Sequence[int], strides: Sequence[int], sizes: Sequence[int]
) -> None:  # fmt: skip
    """Places that no window reaches."""
    tracer = Tracer()
    shape = lowering.shape(result)
    lead = all_of(tracer, shape[:2])
    into = [Affine.of({tracer.writer.axis(-(-(n - r) // s), "p"): s}, r) for n, s, r in zip(sizes, strides, phase, strict=True)]
    dtype = lowering.dtype(result)
    lowering.store(tracer, result, (*lead, *into), tracer.writer.add(Number(0.0, dtype)))
    lowering.finish(tracer, node)


# ---- pooling --------------------------------------------------------------------------------------------------------------------


class Windows:
    """The axes of x[n, c, s] and y[n, c, t] with the taps of each window."""

    def __init__(self, tracer: Tracer, x: Sequence[Size], y: Sequence[Size], attrs: Attrs) -> None:
        writer = tracer.writer
        kernel, stride, sizes = attrs["kernel"], attrs["stride"], fixed(x[2:])
        ones = [1] * len(kernel)
        pads = pads_of(attrs["pad"], sizes, kernel, stride, ones)
        self.lead = all_of(tracer, y[:2], "n")
        self.t = [writer.axis(size, "p") for size in y[2:]]
        self.k = [writer.axis(size, "r") for size in kernel]
        self.kernel = kernel
        self.places = [
            window(t, k, s, 1, before) for t, k, s, (before, _) in zip(self.t, self.k, stride, pads, strict=True)
        ]  # fmt: skip
        self.inside = all(
            before == 0 and (fixed([count])[0] - 1) * s + k <= size
            for count, s, k, size, (before, _) in zip(y[2:], stride, kernel, sizes, pads, strict=True)
        )
        self.apart = all(s >= k for s, k in zip(stride, kernel, strict=True))
        self.covers = all(
            s == k and fixed([count])[0] * s == size for count, s, k, size in zip(y[2:], stride, kernel, sizes, strict=True)
        )  # fmt: skip

    @property
    def x(self) -> Index:
        return (*self.lead, *self.places)

    @property
    def y(self) -> Index:
        return (*self.lead, *at(*self.t))

    def tap(self, tracer: Tracer) -> int:
        """The number of a tap in its window."""
        place, step = Affine(), 1
        for name, size in zip(reversed(self.k), reversed(self.kernel), strict=True):
            place = place + Affine.of({name: step})
            step *= size
        return tracer.writer.add(Position(place, "int32"))


def window_load(x: Tensor, windows: Windows, outside: float) -> int:
    if x.place is None:
        raise NoNest("windows over what is no array")
    array, where = x.place(windows.x)
    return x.tracer.writer.add(Load(array, where, x.dtype.name, None if windows.inside else outside))


@family("max_pool")
def max_pool(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    tracer = Tracer()
    x = lowering.tensor(node.inputs[0], tracer)
    (result,) = node.outputs
    windows = Windows(tracer, x.shape, lowering.shape(result), attrs)
    value = tracer.writer.add(Reduce("max", window_load(x, windows, float("-inf")), tuple(windows.k), x.dtype.name))
    lowering.store(tracer, result, windows.y, value)
    lowering.finish(tracer, node)


@family("max_pool_grad")
def max_pool_grad(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """The gradient goes to the first tap that holds the maximum: the least number of those that equal it."""
    (result,) = node.outputs
    tracer = Tracer()
    writer = tracer.writer
    x, y, g = (lowering.tensor(id, tracer) for id in node.inputs)
    windows = Windows(tracer, x.shape, y.shape, attrs)
    if not windows.inside:
        raise NoNest("the gradient of windows that reach outside")
    if not windows.covers:
        filled = Tracer()
        lowering.store(filled, result, all_of(filled, x.shape), filled.writer.add(Number(0.0, x.dtype.name)))
        lowering.finish(filled, node)
    here, most = window_load(x, windows, float("-inf")), y.read(windows.y)
    hit = writer.add(Apply("equal", (here, most), "bool"))
    tap, never = windows.tap(tracer), writer.add(Number(2**30, "int32"))
    first = writer.add(Reduce("min", writer.add(Apply("where", (hit, tap, never), "int32")), tuple(windows.k), "int32"))
    chosen = writer.add(Apply("equal", (first, tap), "bool"))
    zero = writer.add(Number(0.0, x.dtype.name))
    value = writer.add(Apply("where", (chosen, g.read(windows.y), zero), x.dtype.name))
    lowering.store(tracer, result, windows.x, value, adds=not windows.apart)
    lowering.finish(tracer, node)
