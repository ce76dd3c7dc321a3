"""The definition of loop nests: every point of every store, in plain Python over NumPy scalars. Slow on purpose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from runtime.loops.nest import Affine, Apply, Index, Length, Load, Loops, Nest, Number, Position, Reduce, Size, value_of
from runtime.loops.scalars import COMBINES, FUNCTIONS

Arrays = Mapping[str, np.ndarray]
Point = dict[str, int]


def interpret_loops(loops: Loops, arrays: Arrays, dims: Mapping[str, int]) -> None:
    """Run every nest in order; results are written into `arrays`."""
    for nest in loops.nests:
        interpret_nest(nest, arrays, dims)


def interpret_nest(nest: Nest, arrays: Arrays, dims: Mapping[str, int]) -> None:
    """Everything is computed before anything is stored."""
    Run(nest, arrays, dims).run()


class Run:
    """One run of a nest over arrays; dims: the lengths that have names."""

    def __init__(self, nest: Nest, arrays: Arrays, dims: Mapping[str, int]) -> None:
        self.nest = nest
        self.arrays = arrays
        self.dims = dims
        self.known: dict[tuple[int, tuple[tuple[str, int], ...]], Any] = {}

    def run(self) -> None:
        with np.errstate(all="ignore"):
            writes = [
                (store, tuple(self.place(store.index, point)), self.value(store.value, point))
                for store in self.nest.stores
                for point in self.points(self.nest.store_domain(store), {})
            ]
            for store, place, value in writes:
                self.arrays[store.array][place] = self.arrays[store.array][place] + value if store.adds else value

    def size(self, size: Size) -> int:
        return value_of(size, self.dims)

    def points(self, axes: frozenset[str], outer: Point) -> Iterator[Point]:
        """All points of these axes, the first of the nest outermost."""
        names = [axis for axis in self.nest.axes if axis in axes]
        for places in product(*(range(self.size(self.nest.axes[axis])) for axis in names)):
            yield {**outer, **dict(zip(names, places, strict=True))}

    def place(self, index: Index, point: Point) -> Iterator[int]:
        for item in index:
            yield item.evaluate(point) if isinstance(item, Affine) else int(self.value(item.value, point))

    def value(self, number: int, point: Point) -> Any:
        """A value at a point, computed once for each point of its domain."""
        domain = self.nest.domains[number]
        key = (number, tuple((axis, point[axis]) for axis in self.nest.axes if axis in domain))
        if key not in self.known:
            self.known[key] = self.compute(number, point)
        return self.known[key]

    def compute(self, number: int, point: Point) -> Any:
        value = self.nest.values[number]
        dtype = np.dtype(value.dtype).type
        match value:
            case Load():
                return self.load(value, point)
            case Number(value=constant):
                return dtype(constant)
            case Position(index=index):
                return dtype(index.evaluate(point))
            case Length(size=size):
                return dtype(self.size(size))
            case Apply(function="cast", args=(arg,)):
                return np.asarray(self.value(arg, point)).astype(value.dtype)[()]
            case Apply(function=function, args=args):
                return np.asarray(FUNCTIONS[function].numpy(*(self.value(arg, point) for arg in args)), dtype=value.dtype)[()]
            case Reduce():
                return self.reduce(value, point)

    def load(self, load: Load, point: Point) -> Any:
        place = tuple(self.place(load.index, point))
        array = self.arrays[load.array]
        inside = all(0 <= i < size for i, size in zip(place, array.shape, strict=True))
        if not inside and load.fill is None:
            raise IndexError(f"{self.nest.name} reads {load.array}{list(place)} of {list(array.shape)}")
        return array[place] if inside else array.dtype.type(load.fill)

    def reduce(self, reduce: Reduce, point: Point) -> Any:
        combine = COMBINES[reduce.function]
        dtype = np.dtype(reduce.dtype).type
        total = dtype(combine.start(reduce.dtype))
        for inner in self.points(frozenset(reduce.axes), point):
            total = dtype(combine.numpy(total, self.value(reduce.arg, inner)))
        return total
