"""Orders along an axis, counts of classes, values put back where they stood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dslc.ir.graph import Node
from dslc.ops.metric import Decisions, decide
from dslc.ops.support import checked_index
from runtime.loops.families.pools import zeros
from runtime.loops.lower import Lowering, expression, family
from runtime.loops.namespace import SHORT
from runtime.loops.nest import Affine, Index, Size, Taken
from runtime.loops.tensor import Tensor
from runtime.loops.tracer import Tracer, all_of
from runtime.loops.trim import NoNest, product

Attrs = Mapping[str, Any]
PLANE = 1024  # windows of a plane of which each is compared with each
Parts = Iterator[tuple[Index, int]]

# ---- orders -------------------------------------------------------------------------------------------------------------------


def ranks(x: Tensor, axis: int, descending: bool) -> Tensor:
    """How many values along the axis come before each one: those in order, of equal ones those of lower index. NaN is the largest."""
    xp, size = x.tracer.xp, x.shape[axis]
    mine, other = xp.expand_dims(x, axis), xp.expand_dims(x, axis + 1)
    before = other > mine if descending else other < mine
    equal = other == mine
    if x.dtype.kind == "f":
        large, small = (other, mine) if descending else (mine, other)
        before = before | ((large != large) & (small == small))
        equal = equal | ((other != other) & (mine != mine))
    earlier = (xp.diagonal_distance(size, size) > 0).reshape([size, size, *(1 for _ in x.shape[axis + 1 :])])
    return xp.sum(before | (equal & earlier), axis=axis)


@family("sort", "argsort", "top_k")
def sort(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """For each place of the order the value that has this rank."""
    shape = lowering.shape(node.inputs[0])
    axis = attrs["axis"] % len(shape)
    if not isinstance(shape[axis], int) or int(shape[axis]) > SHORT:  # type: ignore[arg-type]
        raise NoNest("the order along a long axis")
    name = f"%{node.outputs[0]}.rank"
    tracer = Tracer()
    x = lowering.tensor(node.inputs[0], tracer)
    lowering.written(node, name, tracer, ranks(x, axis, attrs["largest"] if node.op == "top_k" else attrs["descending"]))
    tracer = Tracer()
    xp, x = tracer.xp, lowering.tensor(node.inputs[0], tracer)
    rank = xp.expand_dims(tracer.array(name, shape, "int64"), axis + 1)
    places = xp.arange(lowering.shape(node.outputs[0])[axis]).reshape([-1 if i == axis + 1 else 1 for i in range(x.ndim + 1)])
    number = xp.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(x.ndim + 1)])
    order = xp.sum(xp.where(rank == places, number, 0), axis=axis)
    results = [order] if node.op == "argsort" else [xp.take_along_axis(x, order, axis), order]
    index = all_of(tracer, order.shape)
    for id, result in zip(node.outputs, results, strict=True):
        lowering.store(tracer, id, index, result.read(index))
    lowering.finish(tracer, node)


# ---- counts -------------------------------------------------------------------------------------------------------------------


@family("class_counts", "confusion_matrix")
def counts(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """Where each decision is counted, it adds 1."""
    settings = {name: attrs[name] for name in ("threshold", "ignore", "axis")}
    shape = lowering.shape(node.inputs[1])
    several = shape != lowering.shape(node.inputs[0])

    def decided(tracer: Tracer) -> Decisions:
        x, label, *mask = (lowering.tensor(id, tracer) for id in node.inputs)
        return decide(tracer.xp, x, label, mask[0] if mask else None, **settings)

    (result,) = node.outputs
    zeros(lowering, node, result)
    tracer = Tracer()
    decisions = decided(tracer)
    index = all_of(tracer, shape)
    if node.op == "confusion_matrix":
        found = matrix_parts(tracer.xp, decisions, index)
    elif several:
        found = class_parts(tracer.xp, decisions, index)
    else:
        found = truth_parts(tracer.xp, decisions, index, attrs["axis"] % len(shape) if attrs["multilabel"] else None)
    for into, counted in found:
        lowering.store(tracer, result, into, counted, adds=True)
    lowering.finish(tracer, node)
    lowering.check(node, decided)


def matrix_parts(xp: Any, found: Decisions, index: Index) -> Parts:
    into = (Taken(found.meant.read(index)), Taken(xp.maximum(found.seen, 0).read(index)))
    yield into, one(xp, found.kept & (found.seen >= 0)).read(index)


def one(xp: Any, condition: Tensor) -> Tensor:
    return xp.where(condition, 1, 0)


def class_parts(xp: Any, found: Decisions, index: Index) -> Parts:
    """Of each class: hit, predicted, actual; and for all classes how many count."""
    meant, seen = Taken(found.meant.read(index)), Taken(xp.maximum(found.seen, 0).read(index))
    yield (Affine(0), meant), one(xp, found.kept & (found.seen == found.meant)).read(index)
    yield (Affine(1), seen), one(xp, found.kept & (found.seen >= 0)).read(index)
    yield (Affine(2), meant), one(xp, found.kept).read(index)
    yield (Affine(3), *all_of(found.kept.tracer, (found.classes,))), xp.sum(found.kept).read(())


def truth_parts(xp: Any, found: Decisions, index: Index, axis: int | None) -> Parts:
    """Of class 1, or of each class along the axis."""
    seen, meant = found.kept & (found.seen == 1), found.kept & (found.meant == 1)
    for row, counted in enumerate((seen & meant, seen, meant, found.kept)):
        others = tuple(i for i in range(counted.ndim) if i != axis)
        total = xp.sum(counted, axis=others) if others else one(xp, counted)
        yield (Affine(row), Affine() if axis is None else index[axis]), total.read(() if axis is None else (index[axis],))


# ---- unpooling ----------------------------------------------------------------------------------------------------------------


def planes(index: Tensor, size: Sequence[Size]) -> Tensor:
    """[n, c, windows]: the places of each plane."""
    flat = index.reshape((*index.shape[:2], product(index.shape[2:]))).astype("int64")
    return checked_index(flat, product(size), "an index of `max_unpool`", "places in a plane")


def staying(flat: Tensor) -> Tensor:
    """Whether no later window has the same index."""
    xp, count = flat.tracer.xp, flat.shape[2]
    if not isinstance(count, int) or count > PLANE:
        raise NoNest("an order of many windows")
    later = xp.diagonal_distance(count, count) > 0
    return xp.logical_not(xp.any(later & (flat[..., None] == flat[:, :, None, :]), axis=-1))


@expression("unpool_kept")
def unpool_kept(xp: Any, index: Tensor, *, size: Sequence[Size]) -> Tensor:
    return staying(planes(index, size)).reshape(index.shape)


@family("max_unpool")
def max_unpool(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """0 first; each value that stays is added at its index, the others add 0."""
    (result,) = node.outputs
    shape = lowering.shape(result)
    name = f"%{result}.plane"
    lead = (*shape[:2], product(shape[2:]))

    def places(tracer: Tracer) -> Tensor:
        return planes(lowering.tensor(node.inputs[1], tracer), shape[2:])

    tracer = Tracer()
    lowering.written(node, name, tracer, tracer.xp.zeros(lead, lowering.dtype(result)))
    tracer = Tracer()
    x, flat = lowering.tensor(node.inputs[0], tracer), places(tracer)
    index = all_of(tracer, flat.shape)
    value = tracer.xp.where(staying(flat), x.reshape(flat.shape), x.dtype.type(0))
    tracer.writer.store(name, (*index[:2], Taken(flat.read(index))), value.read(index), adds=True)
    lowering.finish(tracer, node)
    tracer = Tracer()
    index = all_of(tracer, shape)
    lowering.store(tracer, result, index, tracer.array(name, lead, x.dtype).reshape(shape).read(index))
    lowering.finish(tracer, node)
    lowering.check(node, places)
