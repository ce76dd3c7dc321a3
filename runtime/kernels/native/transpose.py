"""Copies and sums into another order of axes: squares are read along one axis, turned in registers, and written along the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from runtime.kernels.native.emit import Emitter
from runtime.kernels.native.layout import Layout, Linear, linear
from runtime.kernels.native.machine import Target
from runtime.kernels.native.scalars import apply
from runtime.kernels.native.scope import Kernel, Scope
from runtime.kernels.native.text import is_number
from runtime.loops.nest import Apply, Array, Load, Nest, Taken, Value

LANES = 4  # lanes that a vector needs for it to be worth while


@dataclass(frozen=True)
class Turn:
    """into: the axis that lies side by side in the result; group: those that lie side by side in the source, the last one innermost.

    A group of several axes fits into one vector.
    """

    into: str
    group: tuple[str, ...]


def find_turn(nest: Nest, arrays: Mapping[str, Array], layouts: Mapping[str, Layout], goal: Target) -> Turn | None:
    """How to do it, where all is read in one order, place by place, and written in another, in float32."""
    if len(nest.stores) != 1 or not nest.loads or not all(plain(value, arrays) for value in nest.values):
        return None
    store, found = nest.stores[0], [linear(load.index, layouts[load.array]) for load in nest.loads]
    if store.adds or arrays[store.array].dtype != "float32" or any(isinstance(item, Taken) for item in store.index):
        return None
    source, result = found[0], linear(store.index, layouts[store.array])
    if any(other.axes != source.axes for other in found):
        return None
    into = next((axis for axis in nest.axes if result.stride(axis) == 1), None)
    group = side_by_side(nest, source, goal.width // 4)
    if into is None or not group or into in group or source.stride(into) == 0 or not all(result.stride(axis) for axis in group):
        return None
    return Turn(into, group) if goal.width // 4 >= LANES else None


def plain(value: Value, arrays: Mapping[str, Array]) -> bool:
    """Whether it is read as it lies, or computed of such, in float32."""
    if value.dtype != "float32":
        return False
    if isinstance(value, Load):
        return arrays[value.array].dtype == "float32" and value.fill is None and not any(isinstance(item, Taken) for item in value.index)
    return isinstance(value, Apply)


def side_by_side(nest: Nest, source: Linear, lanes: int) -> tuple[str, ...]:
    """The innermost axes of the source, as many as fit into a vector, but at least one."""
    found: list[str] = []
    length = 1
    while axis := next((axis for axis in nest.axes if axis not in found and source.stride(axis) == length), None):
        size = nest.axes[axis]
        if found and not (isinstance(size, int) and length * size <= lanes):
            break
        found.insert(0, axis)
        if not isinstance(size, int) or size * length > lanes:
            break
        length *= size
    return tuple(found)


class Transposer(Emitter):
    """Writes one copy."""

    def __init__(
        self, nest: Nest, arrays: Mapping[str, Array], layouts: Mapping[str, Layout], goal: Target, band: str | None, turn: Turn
    ) -> None:  # fmt: skip
        super().__init__(nest, arrays, layouts, goal.width, band)
        self.vector, self.lanes, self.turn = turn.into, goal.width // 4, turn
        self.type = f"<{self.lanes} x float>"

    def kernel(self, name: str) -> Kernel:
        self.code.label("entry")
        turned = (self.turn.into, *self.turn.group)
        self.around([axis for axis in self.order if axis not in turned], Scope())
        self.code.do("ret void")
        return self.finish(name)

    def around(self, axes: Sequence[str], scope: Scope) -> None:
        if axes:
            with self.code.loop(*self.bounds(axes[0])) as loop:
                self.around(axes[1:], scope.inner(axes[0], loop.index))
            return
        for places, count in self.groups():
            for place, rows in self.blocks(self.turn.into):
                self.square(scope, place, rows, places, count)

    def groups(self) -> Iterator[tuple[dict[str, str], int]]:
        """Parts of the group that fit into a vector: where they begin, and how many elements they have."""
        lengths = [self.nest.axes[axis] for axis in self.turn.group]
        if len(lengths) > 1 and self.band not in self.turn.group:
            count = 1
            for length in lengths:
                assert isinstance(length, int)
                count *= length
            yield dict.fromkeys(self.turn.group, "0"), count
            return
        *outer, inner = self.turn.group
        yield from self.nested(outer, {}, inner)

    def nested(self, outer: Sequence[str], places: dict[str, str], inner: str) -> Iterator[tuple[dict[str, str], int]]:
        if outer:
            with self.code.loop(*self.bounds(outer[0])) as loop:
                yield from self.nested(outer[1:], {**places, outer[0]: loop.index}, inner)
            return
        for place, count in self.blocks(inner):
            yield {**places, inner: place}, count

    def blocks(self, axis: str) -> Iterator[tuple[str, int]]:
        """As many places as there are lanes at once, and the rest: together, or one by one where it is not known how many they are."""
        low, high = self.bounds(axis)
        full = self.full(low, high)
        if full != low:
            with self.code.loop(low, full, self.lanes) as loop:
                yield loop.index, self.lanes
        if is_number(low) and is_number(high):
            if full != high:
                yield full, int(high) - int(full)
            return
        with self.code.loop(full, high) as loop:
            yield loop.index, 1

    def square(self, scope: Scope, place: str, rows: int, places: Mapping[str, str], count: int) -> None:
        """Read `rows` vectors of `count` elements, write `count` vectors of `rows`."""
        first = scope.inner(self.turn.into, place)
        for axis, start in places.items():
            first = first.inner(axis, start)
        sources = {at: self.address(load.array, load.index, first) for at, load in enumerate(self.nest.values) if isinstance(load, Load)}
        vectors = ["poison"] * self.lanes
        for row in range(rows):
            vectors[row] = self.row(sources, row, self.mask(str(count)) if count < self.lanes else None)
        vectors = self.turned(vectors)
        store = self.nest.stores[0]
        result, where = self.address(store.array, store.index, first)
        mask = self.mask(str(rows)) if rows < self.lanes else None
        for vector, offset in zip(vectors, self.offsets(where, count), strict=False):
            self.vector_store(self.type, "float", vector, self.code.pointer(result, offset, "float"), None, mask, "float32")

    def row(self, sources: Mapping[int, tuple[str, Linear]], row: int, mask: str | None) -> str:
        """What is stored, of one vector of each source."""
        found: list[str] = []
        for at, value in enumerate(self.nest.values):
            if isinstance(value, Apply):
                names = [found[arg] for arg in value.args]
                found.append(apply(self.code, value.function, names, ["float32"] * len(names), "float32", self.lanes))
                continue
            start, where = sources[at]
            pointer = self.code.pointer(start, self.code.multiply(str(row), self.size(where.stride(self.turn.into))), "float")
            found.append(self.vector_load(self.type, pointer, mask, "zeroinitializer", "float32"))
        return found[self.nest.stores[0].value]

    def offsets(self, where: Linear, count: int) -> list[str]:
        """Where the elements of a part of the group lie in the result."""
        if len(self.turn.group) == 1 or self.band in self.turn.group:
            return [self.code.multiply(str(number), self.size(where.stride(self.turn.group[-1]))) for number in range(count)]
        found = []
        for place in product(*(range(int(self.nest.axes[axis])) for axis in self.turn.group)):  # type: ignore[arg-type]
            offset = "0"
            for axis, at in zip(self.turn.group, place, strict=True):
                offset = self.code.add(offset, self.code.multiply(str(at), self.size(where.stride(axis))))
            found.append(offset)
        return found

    def turned(self, rows: Sequence[str]) -> list[str]:
        """Lane i of row j becomes lane j of row i: squares of 1, 2, 4, … lanes change places."""
        rows = list(rows)
        step = 1
        while step < self.lanes:
            for row in range(self.lanes):
                if row & step == 0:
                    low = [lane if lane & step == 0 else self.lanes + lane - step for lane in range(self.lanes)]
                    high = [lane + step if lane & step == 0 else self.lanes + lane for lane in range(self.lanes)]
                    a, b = rows[row], rows[row + step]
                    rows[row], rows[row + step] = self.mixed(a, b, low), self.mixed(a, b, high)
            step *= 2
        return rows

    def mixed(self, a: str, b: str, order: Sequence[int]) -> str:
        if a == b == "poison":
            return a
        places = ", ".join(f"i32 {place}" for place in order)
        return self.code.value(f"shufflevector {self.type} {a}, {self.type} {b}, <{self.lanes} x i32> <{places}>")
