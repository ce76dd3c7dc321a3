"""Pooling and its gradients, borders, columns of windows, sums over neighbouring channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from dslc.ir.graph import Node
from dslc.ir.types import Dim
from dslc.ops.pool import counted
from dslc.ops.unfold import fixed_counts
from dslc.ops.window import result_size
from runtime.loops.families.geometry import Geometry, Seen, fixed
from runtime.loops.lower import Lowering, expression, family, simple
from runtime.loops.nest import Affine, Index, Number, Position, Reduce, Size
from runtime.loops.tensor import Tensor
from runtime.loops.tracer import Tracer, all_of
from runtime.loops.trim import NoNest

Attrs = Mapping[str, Any]
NEVER = 2**30  # a tap that no window has


def counts_of(sizes: Sequence[Size], kernel: Any, stride: Any, pad: Any, ceil: bool) -> tuple[Size, ...]:
    return tuple(simple(result_size("pool", i, Dim.of(n), kernel[i], stride[i], 1, pad, ceil)) for i, n in enumerate(sizes))


def windows(x: Tensor, kernel: Any, stride: Any, pad: Any, ceil: bool, fill: float = 0.0) -> Tensor:
    return Geometry.of(x.shape[2:], kernel, stride, pad).windows(x, counts_of(x.shape[2:], kernel, stride, pad, ceil), fill)


def tap_axes(kernel: Sequence[int]) -> tuple[int, ...]:
    return tuple(range(-len(kernel), 0))


def over_taps(x: Tensor, kernel: Sequence[int]) -> Tensor:
    """[n, c, *t] to meet [n, c, *t, *kernel]."""
    return x[(..., *(None for _ in kernel))]


# ---- maximum ----------------------------------------------------------------------------------------------------------------


@expression("max_pool")
def max_pool(xp: Any, x: Tensor, *, kernel: Any, stride: Any, pad: Any, ceil: bool) -> Tensor:
    return xp.max(windows(x, kernel, stride, pad, ceil, float("-inf")), axis=tap_axes(kernel))


def tap_numbers(xp: Any, kernel: Sequence[int]) -> Tensor:
    return xp.arange(prod(kernel), "int32").reshape(tuple(kernel))


def first_tap(xp: Any, x: Tensor, y: Tensor, *, kernel: Any, stride: Any, pad: Any, ceil: bool) -> Tensor:
    """The number of the first tap of each window that holds its maximum y."""
    hit = windows(x, kernel, stride, pad, ceil, float("-inf")) == over_taps(y, kernel)
    return xp.min(xp.where(hit, tap_numbers(xp, kernel), NEVER), axis=tap_axes(kernel))


@expression("max_pool_take")
def max_pool_take(xp: Any, x: Tensor, y: Tensor, h: Tensor, *, kernel: Any, **settings: Any) -> Tensor:
    first = over_taps(first_tap(xp, x, y, kernel=kernel, **settings), kernel)
    return xp.sum(xp.where(first == tap_numbers(xp, kernel), windows(h, kernel, **settings), 0.0), axis=tap_axes(kernel))


@expression("max_pool_indices")
def max_pool_indices(xp: Any, x: Tensor, *, kernel: Any, stride: Any, pad: Any, ceil: bool) -> tuple[Tensor, Tensor]:
    """Of the places of each window that lie inside and are not below the maximum, the first."""
    y = max_pool(xp, x, kernel=kernel, stride=stride, pad=pad, ceil=ceil)
    geometry, rank = Geometry.of(x.shape[2:], kernel, stride, pad), len(kernel)
    counts = counts_of(x.shape[2:], kernel, stride, pad, ceil)
    hit = xp.logical_not(windows(x, kernel, stride, pad, ceil) < over_taps(y, kernel))
    number: Any = 0
    for axis, size in enumerate(geometry.sizes):

        def place(index: Index, axis: int = axis) -> int:
            item = geometry.places(index[:rank], index[rank:])[axis]
            assert isinstance(item, Affine)
            return x.tracer.writer.add(Position(item))

        along = Tensor(x.tracer, (*counts, *kernel), xp.dtype("int64"), place)
        hit = hit & (along >= 0) & (along < size)
        number = number * size + along
    return y, xp.min(xp.where(hit, number, prod(geometry.sizes)), axis=tap_axes(kernel))


@family("max_pool_grad")
def max_pool_grad(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """The gradient goes to the first tap that holds the maximum: from windows that are apart, else to each place from those that see it."""
    shape, counts = (lowering.shape(id) for id in (node.outputs[0], node.inputs[1]))
    geometry = Geometry.of(shape[2:], attrs["kernel"], attrs["stride"], attrs["pad"])
    if geometry.apart and geometry.inside(counts[2:]):
        give(lowering, node, attrs, geometry, counts)
    else:
        collect_maxima(lowering, node, attrs, geometry, counts)


def collect_maxima(lowering: Lowering, node: Node, attrs: Attrs, geometry: Geometry, counts: Sequence[Size]) -> None:
    tracer = Tracer()
    x, y = (lowering.tensor(id, tracer) for id in node.inputs[:2])
    first = first_tap(tracer.xp, x, y, **attrs)
    name = f"%{node.outputs[0]}.first"
    lowering.written(node, name, tracer, first)
    shape = first.shape

    def term(tracer: Tracer, lead: Index, seen: Seen) -> int:
        where = (*lead, *seen.windows)
        chosen = tracer.value(tracer.array(name, shape, "int32").fenced(where, NEVER))
        number = tracer.value(tracer.writer.add(Position(numbered(seen.taps, geometry.kernel), "int32")))
        given = tracer.value(lowering.tensor(node.inputs[2], tracer).fenced(where, 0.0))
        return tracer.xp.where(chosen == number, given, 0.0).read(())

    collect(lowering, node, geometry, term)


def numbered(taps: Sequence[Affine], kernel: Sequence[int]) -> Affine:
    total = Affine()
    for tap, size in zip(taps, kernel, strict=True):
        total = total * size + tap
    return total


def give(lowering: Lowering, node: Node, attrs: Attrs, geometry: Geometry, counts: Sequence[Size]) -> None:
    """Every window writes all of its places; those that no window has are 0 before."""
    (result,) = node.outputs
    shape = lowering.shape(result)
    if any(n * k != size for n, k, size in zip(counts[2:], geometry.kernel, geometry.sizes, strict=True)):
        zeros(lowering, node, result)
    tracer = Tracer()
    xp, kernel = tracer.xp, geometry.kernel
    x, y, g = (lowering.tensor(id, tracer) for id in node.inputs)
    first = over_taps(first_tap(xp, x, y, **attrs), kernel)
    value = xp.where(first == tap_numbers(xp, kernel), over_taps(g, kernel), 0.0)
    index = all_of(tracer, value.shape)
    places = geometry.places(index[2 : len(shape)], index[len(shape) :])
    lowering.store(tracer, result, (*index[:2], *places), value.read(index))
    lowering.finish(tracer, node)


def zeros(lowering: Lowering, node: Node, result: int) -> None:
    tracer = Tracer()
    lowering.store(tracer, result, all_of(tracer, lowering.shape(result)), tracer.writer.add(Number(0, lowering.dtype(result))))
    lowering.finish(tracer, node)


def collect(lowering: Lowering, node: Node, geometry: Geometry, term: Callable[[Tracer, Index, Seen], int]) -> None:
    """Each place of the result is the sum of the term over the windows that see it."""
    (result,) = node.outputs
    dtype = lowering.dtype(result)
    for phase in geometry.phases():
        tracer = Tracer()
        lead = all_of(tracer, lowering.shape(result)[:2])
        seen = geometry.seen(tracer, phase)
        value = Number(0.0, dtype) if seen.never else Reduce("sum", term(tracer, lead, seen), tuple(seen.axes), dtype)
        lowering.store(tracer, result, (*lead, *seen.into), tracer.writer.add(value))
        lowering.finish(tracer, node)


# ---- sums, means, norms -------------------------------------------------------------------------------------------------------


@expression("sum_pool")
def sum_pool(xp: Any, x: Tensor, *, kernel: Any, **settings: Any) -> Tensor:
    return xp.sum(windows(x, kernel, **settings), axis=tap_axes(kernel))


@expression("lp_pool")
def lp_pool(xp: Any, x: Tensor, *, kernel: Any, p: float, **settings: Any) -> Tensor:
    seen = windows(x, kernel, **settings)
    total = xp.sum(seen * seen if p == 2 else xp.abs(seen) ** p, axis=tap_axes(kernel))
    return xp.sqrt(total) if p == 2 else total ** (1 / p)


def divisor(xp: Any, dtype: Any, size: Sequence[Size], kernel: Any, stride: Any, pad: Any, ceil: bool, count_pad: bool) -> Any:
    """How many places each window's mean is over: a number, or an array of the shape of the windows."""
    geometry, counts = Geometry.of(size, kernel, stride, pad), counts_of(size, kernel, stride, pad, ceil)
    if geometry.inside(counts):
        return float(prod(kernel))
    return counted(xp, geometry.sizes, kernel, stride, geometry.pads, counts, count_pad, dtype)


@expression("avg_pool")
def avg_pool(xp: Any, x: Tensor, *, count_pad: bool, **settings: Any) -> Tensor:
    return sum_pool(xp, x, **settings) / divisor(xp, x.dtype, x.shape[2:], **settings, count_pad=count_pad)


@family("sum_pool_grad", "avg_pool_grad")
def sum_pool_grad(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """Each place gets the sum of what the windows that see it give: g, or its share."""
    geometry = Geometry.of(attrs["size"], attrs["kernel"], attrs["stride"], attrs["pad"])
    (source,) = node.inputs
    tracer = Tracer()
    by = divisor(tracer.xp, lowering.dtype(source), **attrs) if node.op == "avg_pool_grad" else 1.0
    name = f"%{source}"
    if isinstance(by, Tensor):
        name = f"%{node.outputs[0]}.share"
        lowering.written(node, name, tracer, lowering.tensor(source, tracer) / by)

    def term(tracer: Tracer, lead: Index, seen: Seen) -> int:
        g = lowering.tensor(source, tracer) if name == f"%{source}" else tracer.array(name, lowering.shape(source), lowering.dtype(source))
        value = tracer.value(g.fenced((*lead, *seen.windows), 0.0))
        return (value if isinstance(by, Tensor) or by == 1 else value / by).read(())

    collect(lowering, node, geometry, term)


# ---- columns ------------------------------------------------------------------------------------------------------------------


@expression("unfold")
def unfold(xp: Any, x: Tensor, *, kernel: Any, stride: Any, pad: Any, dilation: Any) -> Tensor:
    counts, rank = fixed_counts("unfold", fixed(x.shape[2:]), kernel, stride, pad, dilation), len(kernel)
    seen = Geometry.of(x.shape[2:], kernel, stride, pad, dilation).windows(x, counts, 0.0)
    columns = seen.transpose((0, 1, *range(2 + rank, 2 + 2 * rank), *range(2, 2 + rank)))
    return columns.reshape((x.shape[0], x.shape[1] * prod(kernel), prod(counts)))


@family("fold")
def fold(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """The columns as an array of [n, c, *kernel, *windows] first: windows that are none lie outside of it."""
    geometry = Geometry.of(attrs["size"], attrs["kernel"], attrs["stride"], attrs["pad"], attrs["dilation"])
    counts = fixed_counts("fold", **attrs)
    (source,), (result,) = node.inputs, node.outputs
    tracer = Tracer()
    shape = (*lowering.shape(result)[:2], *geometry.kernel, *counts)
    name = f"%{result}.columns"
    lowering.written(node, name, tracer, lowering.tensor(source, tracer).reshape(shape))

    def term(tracer: Tracer, lead: Index, seen: Seen) -> int:
        return tracer.array(name, shape, lowering.dtype(result)).fenced((*lead, *seen.taps, *seen.windows), 0.0)

    collect(lowering, node, geometry, term)


# ---- channels -----------------------------------------------------------------------------------------------------------------


def neighbours(x: Tensor, size: int) -> Tensor:
    """[n, c, *s, size]: the channels around each one, 0 outside."""

    def read(index: Index) -> int:
        channel, tap = index[1], index[-1]
        if not isinstance(channel, Affine) or not isinstance(tap, Affine):
            raise NoNest("neighbours of what is taken from an array")
        return x.fenced((index[0], channel + tap + Affine(-(size // 2)), *index[2:-1]), 0.0)

    return Tensor(x.tracer, (*x.shape, size), x.dtype, read)


@expression("channel_window_sum")
def channel_window_sum(xp: Any, x: Tensor, *, size: int) -> Tensor:
    return xp.sum(neighbours(x, size), axis=-1)


@expression("lrn")
def lrn(xp: Any, x: Tensor, *, size: int, alpha: float, beta: float, k: float) -> Tensor:
    near = neighbours(x, size)
    return x * (k + (alpha / size) * xp.sum(near * near, axis=-1)) ** -beta


# ---- borders ------------------------------------------------------------------------------------------------------------------


@expression("pad")
def pad(xp: Any, x: Tensor, *, before: Any, after: Any, value: Any, mode: str) -> Tensor:
    if mode != "constant":
        for axis, (size, low, high) in enumerate(zip(x.shape, before, after, strict=True)):
            if low or high:
                x = xp.take(x, source_places(xp, size, low, high, mode), axis=axis)
        return x
    shape = tuple(size + low + high for size, low, high in zip(x.shape, before, after, strict=True))

    def read(index: Index) -> int:
        moved = [item if not low else item + Affine(-low) for item, low in zip(index, fixed(before), strict=True)]  # type: ignore[operator]
        return x.fenced(tuple(moved), value)

    return Tensor(x.tracer, shape, x.dtype, read)


def source_places(xp: Any, size: Size, before: Size, after: Size, mode: str) -> Tensor:
    """For each place with its borders, which place of the axis it shows."""
    size, before, after = fixed([size, before, after])
    place = xp.arange(size + before + after) - before
    if mode == "edge":
        return xp.minimum(xp.maximum(place, 0), size - 1)
    if mode == "wrap":
        return xp.remainder(place, size)
    last = size - 1
    return last - xp.abs(last - xp.abs(place))
