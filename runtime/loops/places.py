"""Indices of the views of a tensor: axes taken apart and put together, slices, broadcasts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from dslc.ir.types import Dim
from runtime.loops.nest import Affine, Apply, Index, Number, Position, Size, Taken
from runtime.loops.tracer import Shape, Tracer
from runtime.loops.trim import NoNest, product


def tuple_of(axis: Any) -> tuple[int, ...]:
    return tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)


def filled_in(shape: Shape, sizes: Sequence[Any]) -> Shape:
    """A shape with its -1 computed."""
    if -1 not in sizes:
        return tuple(sizes)
    rest = Dim.of(product([size for size in sizes if size != -1]))
    found = Dim.of(product(shape)).exact_div(rest)
    if found is None:
        raise NoNest(f"a shape {sizes} for {shape}")
    return tuple((found.constant if found.is_constant else found) if size == -1 else size for size in sizes)


def matched(a: Shape, b: Shape) -> list[tuple[list[int], list[int]]]:
    """The axes of two shapes of the same elements in the smallest groups of equal size."""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(a) or j < len(b):
        mine, theirs = ([i], [j]) if i < len(a) and j < len(b) else ([*range(i, len(a))], [*range(j, len(b))])
        i, j = i + len(mine), j + len(theirs)
        while product([a[x] for x in mine]) != product([b[x] for x in theirs]):
            if j < len(b) and (i >= len(a) or smaller(product([b[x] for x in theirs]), product([a[x] for x in mine]))):
                theirs.append(j)
                j += 1
            elif i < len(a):
                mine.append(i)
                i += 1
            else:
                raise NoNest(f"{a} as {b}")
        groups.append((mine, theirs))
    return groups


def smaller(a: Size, b: Size) -> bool:
    """Whether a is a proper divisor of b, as far as is known."""
    if isinstance(a, int) and isinstance(b, int):
        return a < b
    return Dim.of(b).exact_div(Dim.of(a)) is not None


def regrouped(tracer: Tracer, mine: Sequence[Size], theirs: Sequence[Size], items: Sequence[Affine | Taken]) -> list[Affine | Taken]:
    """The indices of one group of axes, of those of the group that has the same elements.

    Both are cut into the same small parts: [4, 6] and [8, 3] into [4, 2, 3]. Where there are none, the number of the element is divided.
    """
    if len(mine) == len(theirs) == 1:
        return list(items)
    edges = edges_of(mine, theirs)
    if any(large % small for large, small in pairwise(edges)):
        return numbered(tracer, mine, together(items, steps_of(theirs)))
    lengths = [product_over(product(mine), edges[0]), *(a // b for a, b in pairwise(edges))] if edges else []
    parts: dict[int, Affine | Taken] = {}
    for item, own in zip(items, owned(theirs, edges), strict=True):
        parts.update(zip(own, parts_of(tracer, item, [lengths[edges.index(edge)] for edge in own]), strict=True))
    return [together([parts[edge] for edge in own], [edge // own[-1] for edge in own]) for own in owned(mine, edges)]


def steps_of(sizes: Sequence[Size]) -> list[int]:
    """How many elements lie between neighbours along each axis; 1 for axes of size 1."""
    found: list[int] = []
    step: Size = 1
    for size in reversed(sizes):
        if size != 1 and not isinstance(step, int):
            raise NoNest("a part of an axis inside another has no fixed length")
        found.append(1 if size == 1 else int(step))  # type: ignore[arg-type]
        step = product([step, size])
    return found[::-1]


def edges_of(a: Sequence[Size], b: Sequence[Size]) -> list[int]:
    """The steps of both shapes, the largest first."""
    steps = {step for sizes in (a, b) for step, size in zip(steps_of(sizes), sizes, strict=True) if size != 1}
    return sorted(steps, reverse=True)


def numbered(tracer: Tracer, sizes: Sequence[Size], number: Affine | Taken) -> list[Affine | Taken]:
    """The indices of an element of this number in row-major order, by division."""
    if isinstance(number, Taken):
        raise NoNest("an index that is taken from an array, in parts")

    def divided_by(function: str, value: int, size: int) -> int:
        return tracer.writer.add(Apply(function, (value, tracer.writer.add(Number(size, "int64"))), "int64"))

    found: list[Affine | Taken] = []
    for size, step in zip(sizes, steps_of(sizes), strict=True):
        value = divided_by("floor_divide", tracer.writer.add(Position(number)), step)
        first = all(isinstance(item, Affine) for item in found)
        found.append(Affine() if size == 1 else Taken(value if first else divided_by("remainder", value, int(size))))  # type: ignore[arg-type]
    return found


def owned(sizes: Sequence[Size], edges: Sequence[int]) -> list[list[int]]:
    """The steps of the parts of each axis."""
    return [
        [edge for edge in edges if size != 1 and edge >= step and (not isinstance(size, int) or edge < step * size)]
        for step, size in zip(steps_of(sizes), sizes, strict=True)
    ]


def product_over(total: Size, divisor: int) -> Size:
    found = Dim.of(total).exact_div(Dim.of(divisor))
    if found is None:
        raise NoNest(f"parts of {divisor} of an axis of {total}")
    return found.constant if found.is_constant else found


def together(items: Sequence[Affine | Taken], steps: Sequence[int]) -> Affine | Taken:
    """The place along one axis of the places along its parts."""
    if len(items) == 1:
        return items[0]
    total = Affine()
    for item, step in zip(items, steps, strict=True):
        if isinstance(item, Taken):
            raise NoNest("an index that is no sum of places")
        total = total + item * step
    return total


def parts_of(tracer: Tracer, item: Affine | Taken, sizes: Sequence[Size]) -> list[Affine | Taken]:
    """The places along the parts of an axis, of the place along it."""
    found: list[Affine | Taken] = []
    for at in range(1, len(sizes)):
        if isinstance(item, Taken):
            raise NoNest("an index that is taken from an array, in parts")
        step = product(sizes[at:])
        if not isinstance(step, int):
            raise NoNest("a part of an axis inside another has no fixed length")
        high, item = divided(tracer, item, step)
        found.append(high)
    return [*found, item] if sizes else found


def divided(tracer: Tracer, item: Affine, step: int) -> tuple[Affine, Affine]:
    """Quotient and remainder of a place; the axis that lies across multiples of the step is cut."""
    item = tracer.in_parts(item)
    high = Affine(item.constant // step, tuple((axis, count // step) for axis, count in item.terms if count % step == 0))
    low = Affine(item.constant % step, tuple((axis, count) for axis, count in item.terms if count % step))
    lengths = {axis: tracer.writer.axes[axis] for axis, _ in low.terms}
    across = [axis for axis, count in low.terms if not isinstance(lengths[axis], int) or abs(count) * (int(lengths[axis]) - 1) >= step]
    if not across:
        ends = [count * (int(lengths[axis]) - 1) for axis, count in low.terms]  # type: ignore[arg-type]
        if low.constant + sum(min(end, 0) for end in ends) < 0 or low.constant + sum(max(end, 0) for end in ends) >= step:
            raise NoNest("a place that cannot be taken apart")
        return high, low
    axis = across[0]
    count = item.coefficient(axis)
    if len(across) > 1 or count < 1 or step % count:
        raise NoNest("a place that cannot be taken apart")
    tracer.cut(axis, [product_over(lengths[axis], step // count), step // count])
    return divided(tracer, item, step)


def slice_bounds(item: slice, size: Size) -> tuple[int, Size, int]:
    """Start, length and step. Along an open axis: from a number of places on, without leaving out any."""
    if isinstance(size, int):
        start, stop, step = item.indices(size)
        return start, len(range(start, stop, step)), step
    start, stop = item.start or 0, size if item.stop is None else item.stop
    if item.step not in (None, 1) or not isinstance(start, int) or start < 0:
        raise NoNest("a part of an open axis that has no fixed start")
    length = Dim.of(stop) - start if not isinstance(stop, int) or stop >= 0 else size + (stop - start)
    return start, (length.constant if length.is_constant else length), 1


def broadcast_shape(*shapes: Shape) -> Shape:
    rank = max((len(shape) for shape in shapes), default=0)
    found: list[Size] = [1] * rank
    for shape in shapes:
        for place, size in enumerate(shape, rank - len(shape)):
            if size != 1:
                if found[place] not in (1, size):
                    raise NoNest(f"shapes {shapes}")
                found[place] = size
    return tuple(found)


def narrowed(index: Index, shape: Shape) -> Index:
    """The index of an operand that is broadcast."""
    return tuple(Affine() if size == 1 else item for item, size in zip(index[len(index) - len(shape) :], shape, strict=True))
