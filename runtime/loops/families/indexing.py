"""Joins, and results whose places are taken from arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dslc.ir.graph import Node
from dslc.ops.indexing import places
from dslc.ops.resize import taps
from dslc.ops.support import checked_index
from runtime.loops.families.pools import source_places, zeros
from runtime.loops.lower import Lowering, expression, family
from runtime.loops.namespace import SHORT
from runtime.loops.nest import Affine, Index, Size, Taken
from runtime.loops.tensor import Tensor
from runtime.loops.tracer import Tracer, all_of
from runtime.loops.trim import NoNest

Attrs = Mapping[str, Any]


# ---- joins --------------------------------------------------------------------------------------------------------------------


@family("concat", "stack")
def join(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """A nest for each tensor, which writes its part of the result; one nest where a part begins at no fixed place."""
    (result,) = node.outputs
    axis = attrs["axis"] % len(lowering.shape(result))
    sizes = [1 if node.op == "stack" else lowering.shape(id)[axis] for id in node.inputs]
    if not all(isinstance(size, int) for size in sizes[:-1]):
        chosen(lowering, node, axis, sizes)
        return
    start = 0
    for id, size in zip(node.inputs, sizes, strict=True):
        tracer = Tracer()
        x = lowering.tensor(id, tracer)
        index = all_of(tracer, x.shape)
        place = Affine(start) if node.op == "stack" else index[axis] + Affine(start)  # type: ignore[operator]
        behind = index[axis:] if node.op == "stack" else index[axis + 1 :]
        lowering.store(tracer, result, (*index[:axis], place, *behind), x.read(index))
        lowering.finish(tracer, node)
        start += size if isinstance(size, int) else 0


def chosen(lowering: Lowering, node: Node, axis: int, sizes: Sequence[Size]) -> None:
    """For each place of the result the tensor that it lies in."""
    (result,) = node.outputs
    tracer = Tracer()
    xp, shape = tracer.xp, lowering.shape(result)
    value: Any = None
    start: Any = 0
    for id, size in zip(node.inputs, sizes, strict=True):
        place = xp.arange(shape[axis]) - start
        part = xp.take(lowering.tensor(id, tracer), xp.minimum(xp.maximum(place, 0), size - 1), axis=axis)
        begun = (place >= 0).reshape([-1 if i == axis else 1 for i in range(len(shape))])
        value = part if value is None else xp.where(begun, part, value)
        start = start + size
    index = all_of(tracer, shape)
    lowering.store(tracer, result, index, value.read(index))
    lowering.finish(tracer, node)


# ---- places that are taken ----------------------------------------------------------------------------------------------------


@family("scatter_add")
def scatter_add(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """0 first, then each slice is added at its index."""
    (result,) = node.outputs
    axis = attrs["axis"] % len(lowering.shape(result))

    def index_of(tracer: Tracer) -> Tensor:
        return checked_index(lowering.tensor(node.inputs[1], tracer).astype("int64"), attrs["size"], "an index", "places")

    zeros(lowering, node, result)
    tracer = Tracer()
    g, where = lowering.tensor(node.inputs[0], tracer), index_of(tracer)
    index = all_of(tracer, g.shape)
    behind = axis + where.ndim
    into = (*index[:axis], Taken(where.read(index[axis:behind])), *index[behind:])
    lowering.store(tracer, result, into, g.read(index), adds=True)
    lowering.finish(tracer, node)
    lowering.check(node, index_of)


@family("pad_grad")
def pad_grad(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """Each value is added to the place that it shows."""
    (result,) = node.outputs
    borders = list(zip(lowering.shape(result), attrs["before"], attrs["after"], strict=True))
    zeros(lowering, node, result)
    tracer = Tracer()
    g = lowering.tensor(node.inputs[0], tracer)
    index = all_of(tracer, g.shape)
    into = list(index)
    for axis, (size, before, after) in enumerate(borders):
        if before or after:
            into[axis] = Taken(source_places(tracer.xp, size, before, after, attrs["mode"]).read((index[axis],)))
    lowering.store(tracer, result, tuple(into), g.read(index), adds=True)
    lowering.finish(tracer, node)


@family("resize_grad")
def resize_grad(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """Every place gives its parts back to its neighbours: two along each axis, one where nothing is interpolated.

    A part of weight 0 is 0, whatever g is.
    """
    (result,) = node.outputs
    zeros(lowering, node, result)
    tracer = Tracer()
    xp, g = tracer.xp, lowering.tensor(node.inputs[0], tracer)
    index = all_of(tracer, g.shape)
    corners: list[tuple[Index, Any]] = [(index[:2], g)]
    for axis, size in enumerate(attrs["size"], 2):
        low, high, weight = taps(xp, size, g.shape[axis], attrs["mode"], attrs["coordinates"])
        factor = weight.astype(g.dtype).reshape([-1 if i == axis else 1 for i in range(g.ndim)])
        sides = [(low, 1 - factor), (high, factor)] if attrs["mode"] == "linear" else [(low, None)]
        corners = [
            (
                (*into, Taken(place.read((index[axis],)))),
                value if part is None else xp.where(part == 0, xp.zeros((), g.dtype), value * part),
            )
            for into, value in corners
            for place, part in sides
        ]
    for into, value in corners:
        lowering.store(tracer, result, into, value.read(index), adds=True)
    lowering.finish(tracer, node)


@expression("scatter")
def scatter(xp: Any, x: Tensor, index: Tensor, updates: Tensor, *, axis: int, reduction: str) -> Tensor:
    """For each place of the result all updates whose index it is, the last of them or combined."""
    at = axis % x.ndim
    size, count = x.shape[at], index.shape[at]
    if not isinstance(size, int) or not isinstance(count, int) or count > SHORT:
        raise NoNest("updates at indices of a long axis")
    where = xp.expand_dims(places(index, size, "scatter"), at + 1)
    hit = where == xp.arange(size).reshape([-1 if i == at + 1 else 1 for i in range(x.ndim + 1)])
    if reduction == "set":
        number = xp.arange(count).reshape([-1 if i == at else 1 for i in range(x.ndim + 1)])
        last = xp.max(xp.where(hit, number, -1), axis=at)
        return xp.where(last >= 0, xp.take_along_axis(updates, xp.maximum(last, 0), at), x)
    start, combine, join = {
        "add": (0, xp.sum, xp.add),
        "mul": (1, xp.prod, xp.multiply),
        "max": (float("-inf"), xp.max, xp.maximum),
        "min": (float("inf"), xp.min, xp.minimum),
    }[reduction]
    if x.dtype.kind != "f" and reduction in ("max", "min"):
        start = getattr(xp.iinfo(x.dtype), "min" if reduction == "max" else "max")
    return join(x, combine(xp.where(hit, xp.expand_dims(updates, at + 1), xp.dtype(x.dtype).type(start)), axis=at).astype(x.dtype))
