"""Where the elements of an array lie, and what an access of a nest becomes over it: a sum of strides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from dslc.ir.types import Dim
from runtime.loops.nest import Affine, Array, Index, Nest, Size, Taken, value_of


@dataclass(frozen=True)
class Layout:
    """strides: elements from one place to the next along each axis; offset: where the element [0, 0, …] lies.

    halo: for each axis how many places before and behind it lie in memory too, and hold 0; empty: none. elements: of all the memory.
    """

    strides: tuple[Size, ...]
    offset: Size = 0
    halo: tuple[tuple[int, int], ...] = ()
    elements: Size = 0

    def border(self, axis: int) -> tuple[int, int]:
        return self.halo[axis] if self.halo else (0, 0)


def times(a: Size, b: Size) -> Size:
    return simple(Dim.of(a) * Dim.of(b)) if isinstance(a, Dim) or isinstance(b, Dim) else a * b


def plus(a: Size, b: Size) -> Size:
    return simple(Dim.of(a) + Dim.of(b)) if isinstance(a, Dim) or isinstance(b, Dim) else a + b


def elements(sizes: Iterable[Size], dims: Mapping[str, int]) -> int:
    """The product of lengths."""
    return prod(value_of(size, dims) for size in sizes)


def simple(size: Dim) -> Size:
    return size.constant if size.is_constant else size


def in_order(shape: Sequence[Size], order: Sequence[int] | None = None, halo: Sequence[tuple[int, int]] = (), gap: int = 0) -> Layout:
    """With the axes in this order from the outermost to the innermost (default: as they stand).

    gap: elements behind each row of the innermost axis, which are not used.
    """
    strides: list[Size] = [0] * len(shape)
    step: Size = 1
    offset: Size = 0
    for axis in reversed(range(len(shape)) if order is None else order):
        before, behind = halo[axis] if halo else (0, 0)
        strides[axis] = step
        offset = plus(offset, times(before, step))
        step = times(step, plus(shape[axis], before + behind + gap))
        gap = 0
    return Layout(tuple(strides), offset, tuple(halo), step)


@dataclass
class Linear:
    """An access as one number: constant + the sum of stride * place over axes + the sum of stride * value over taken indices."""

    constant: Size = 0
    axes: dict[str, Size] = field(default_factory=dict)
    taken: list[tuple[int, Size]] = field(default_factory=list)

    def stride(self, axis: str) -> Size:
        return self.axes.get(axis, 0)


def linear(index: Index, layout: Layout) -> Linear:
    found = Linear(layout.offset)
    for item, stride in zip(index, layout.strides, strict=True):
        if isinstance(item, Taken):
            found.taken.append((item.value, stride))
            continue
        found.constant = plus(found.constant, times(item.constant, stride))
        for axis, count in item.terms:
            found.axes[axis] = plus(found.axes.get(axis, 0), times(count, stride))
    return found


def certainly_inside(item: Affine, size: Size, axes: Mapping[str, Size], border: tuple[int, int] = (0, 0)) -> bool:
    """Whether an index always lies in memory: from 0 to size - 1, or in the border, as far as numbers that are known tell."""
    if item.constant == 0 and len(item.terms) == 1 and item.terms[0][1] == 1 and axes[item.terms[0][0]] == size:
        return True
    low = high = item.constant
    for axis, count in item.terms:
        length = axes[axis]
        if not isinstance(length, int):
            return False
        low, high = low + min(0, count * (length - 1)), high + max(0, count * (length - 1))
    return isinstance(size, int) and low >= -border[0] and high < size + border[1]


def linear_accesses(nest: Nest, layouts: Mapping[str, Layout]) -> list[tuple[Linear, bool]]:
    """Every load and store as a sum of strides, with whether it is a store."""
    loads = [(linear(load.index, layouts[load.array]), False) for load in nest.loads]
    return loads + [(linear(store.index, layouts[store.array]), True) for store in nest.stores]


def plain(arrays: Mapping[str, Array]) -> dict[str, Layout]:
    return {name: in_order(array.shape) for name, array in arrays.items()}
