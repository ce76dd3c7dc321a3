"""Contractions: sums of products, computed in register tiles.

    out[m, n] += a[m, k] * b[k, n]

n is an axis along which `b` lies side by side and `a` does not vary: it is in vector lanes. m is an axis along which `b` does not vary:
`rows` places of it times `vectors` vectors of n stay in registers while k runs. Every other parallel axis is a loop around; k is one or
more loops. Convolution, its gradients and matrix products of all orders are this with different accesses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from runtime.kernels.native.emit import Emitter, Kernel, Scope
from runtime.kernels.native.layout import Layout, Linear, certainly_inside, linear
from runtime.kernels.native.machine import Target
from runtime.kernels.native.scalars import number
from runtime.kernels.native.text import is_number, llvm_type, splat
from runtime.loops.nest import Affine, Apply, Array, Load, Nest, Reduce, Size, Taken

FAR = 4096  # elements between rows of a tile, beyond which they do not share pages
UNROLLED = 8  # turns of the innermost loop that are written out, at most


@dataclass(frozen=True)
class Roles:
    """Which value is what. total: the sum; a, b: the loads; m (None: there is no such axis) and n: the axes of the tile."""

    total: int
    a: int
    b: int
    m: str | None
    n: str
    rows: int
    vectors: int


def product_of(nest: Nest, reduce: Reduce) -> tuple[int, int] | None:
    """The two loads whose product is summed."""
    value = nest.values[reduce.arg]
    if not (isinstance(value, Apply) and value.function == "multiply" and len(value.args) == 2):
        return None
    a, b = value.args
    return (a, b) if isinstance(nest.values[a], Load) and isinstance(nest.values[b], Load) else None


def find_roles(nest: Nest, arrays: Mapping[str, Array], layouts: Mapping[str, Layout], goal: Target, band: str | None) -> Roles | None:
    """The cheapest tile for a nest with one sum of products; None where it is no such nest, or no axis is fit to be in lanes."""
    return cheapest(nest, arrays, layouts, goal, band)[1]


def cheapest(
    nest: Nest, arrays: Mapping[str, Array], layouts: Mapping[str, Layout], goal: Target, band: str | None
) -> tuple[float, Roles | None]:
    """The cheapest tile, with its cost: cycles for each product."""
    none: tuple[float, Roles | None] = (float("inf"), None)
    sums = [(at, value) for at, value in enumerate(nest.values) if isinstance(value, Reduce)]
    if len(sums) != 1 or sums[0][1].function != "sum" or sums[0][1].dtype != "float32":
        return none
    at, reduce = sums[0]
    pair = product_of(nest, reduce)
    if pair is None or any(isinstance(item, Taken) for one in pair for item in nest.values[one].index):  # type: ignore[union-attr]
        return none
    found = [roles for a, b in (pair, pair[::-1]) for roles in candidates(nest, at, a, b, arrays, layouts, goal, band)]
    return min(found, default=none, key=lambda item: item[0])


def candidates(
    nest: Nest, at: int, a: int, b: int, arrays: Mapping[str, Array], layouts: Mapping[str, Layout], goal: Target, band: str | None
) -> Iterator[tuple[float, Roles]]:
    """Tiles with their costs: (cycles for each useful multiplication, roles)."""
    loads = [nest.values[a], nest.values[b]]
    where = [linear(load.index, layouts[load.array]) for load in loads]  # type: ignore[union-attr]
    stored = linear(nest.stores[0].index, layouts[nest.stores[0].array])
    inner = [axis for axis in nest.axes if axis in nest.domains[at]]
    for n in inner:
        if where[1].stride(n) != 1 or n in nest.domains[a] or n == band or guarded(nest, b, n, arrays, layouts):
            continue
        fit = [axis for axis in inner if axis not in nest.domains[b] and not guarded(nest, a, axis, arrays, layouts)]
        for m in fit or [None]:
            far = m is not None and not 0 < rank(where[0].stride(m)) <= FAR
            cost, rows, vectors = best_tile(nest.axes[n], nest.axes[m] if m else None, goal)
            yield cost * (1.0 if stored.stride(n) == 1 else 1.5) * (1.1 if far else 1.0), Roles(at, a, b, m, n, rows, vectors)


def guarded(nest: Nest, at: int, axis: str, arrays: Mapping[str, Array], layouts: Mapping[str, Layout]) -> bool:
    """Whether a load looks at its bounds along this axis."""
    load = nest.values[at]
    assert isinstance(load, Load)
    return any(axis in dict(item.terms) for item, _ in open_items(nest, load, arrays, layouts))


def open_items(nest: Nest, load: Load, arrays: Mapping[str, Array], layouts: Mapping[str, Layout]) -> list[tuple[Affine, Size]]:
    """The indices of a load that may lie outside of what is in memory, with the lengths of the axes."""
    if load.fill is None:
        return []
    pairs = enumerate(zip(load.index, arrays[load.array].shape, strict=True))
    layout = layouts[load.array]
    return [
        (item, size)
        for axis, (item, size) in pairs
        if isinstance(item, Affine) and not certainly_inside(item, size, nest.axes, layout.border(axis) if load.fill == 0 else (0, 0))
    ]


def tiles(goal: Target) -> list[tuple[int, int]]:
    """The (rows, vectors) that fit into the registers, beside the vectors of b and one for a."""
    return [(rows, vectors) for vectors, rows in product(range(1, 5), range(1, 29)) if rows * vectors + vectors + 1 <= goal.registers]


@lru_cache(maxsize=1 << 12)
def best_tile(n: Size, m: Size | None, goal: Target) -> tuple[float, int, int]:
    """The cheapest tile for these lengths: (cost, rows, vectors)."""
    fit = [(rows, vectors) for rows, vectors in tiles(goal) if m is not None or rows == 1]
    costs = [(tile_cost(n, 1 if m is None else m, rows, vectors, goal.width // 4), rows, vectors) for rows, vectors in fit]
    return min(costs, key=lambda item: item[0])


def tile_cost(n: Size, m: Size, rows: int, vectors: int, lanes: int) -> float:
    """Cycles for each useful product: two vectors of them or two loads a cycle, and a sum waits four cycles for the one before it.

    A load costs a little even where it is hidden.
    """
    total = 0.0
    width = n if isinstance(n, int) else lanes * vectors * 4
    height = m if isinstance(m, int) else rows * 8
    for (vector_count, columns), (row_count, blocks) in product(tally(-(-width // lanes), vectors), tally(height, rows)):
        products, loads = row_count * vector_count, row_count + vector_count
        total += columns * blocks * (max(products / 2, loads / 2, 4.0) + loads / 16)
    return total / (width * height)


def pieces(length: int, most: int) -> list[int]:
    """The length cut into as few nearly equal pieces as there can be."""
    count = -(-length // most)
    return [length * (i + 1) // count - length * i // count for i in range(count)]


def tally(length: int, most: int) -> list[tuple[int, int]]:
    """The sizes of the pieces, each with how many there are."""
    count = -(-length // most)
    size, larger = divmod(length, count) if count else (0, 0)
    return [(size + 1, larger), (size, count - larger)]


class Tiler(Emitter):
    """Writes one contraction."""

    def __init__(
        self, nest: Nest, arrays: Mapping[str, Array], layouts: Mapping[str, Layout], goal: Target, band: str | None, roles: Roles
    ) -> None:  # fmt: skip
        super().__init__(nest, arrays, layouts, goal.width, band)
        self.vector, self.lanes, self.roles = roles.n, goal.width // 4, roles
        reduce = nest.values[roles.total]
        assert isinstance(reduce, Reduce)
        self.a, self.b = self.loaded(roles.a), self.loaded(roles.b)
        self.where_a, self.where_b = (linear(load.index, layouts[load.array]) for load in (self.a, self.b))
        self.adds = band in reduce.axes
        self.ks = sorted(reduce.axes, key=lambda axis: (axis != band, -rank(self.where_a.stride(axis)), -rank(self.where_b.stride(axis))))
        self.type = llvm_type("float32", self.lanes)

    def loaded(self, at: int) -> Load:
        load = self.nest.values[at]
        assert isinstance(load, Load)
        return load

    def kernel(self, name: str) -> Kernel:
        self.code.label("entry")
        around = [axis for axis in self.order if axis in self.nest.domains[self.roles.total] and axis not in (self.roles.n, self.roles.m)]
        first = [axis for axis in around if axis == self.band]
        self.around(first, [axis for axis in around if axis != self.band], Scope())
        self.code.do("ret void")
        return self.finish(name)

    # ---- loops around the tile --------------------------------------------------------------------------------------------------

    def around(self, first: Sequence[str], rest: Sequence[str], scope: Scope) -> None:
        """Loops over `first`, then blocks of n, then loops over `rest`, then tiles of m."""
        if first:
            with self.code.loop(*self.bounds(first[0])) as loop:
                self.around(first[1:], rest, scope.inner(first[0], loop.index))
            return
        for place, vectors, mask in self.columns():
            self.inside_columns(rest, scope.inner(self.roles.n, place), vectors, mask)

    def columns(self) -> Iterator[tuple[str, int, str | None]]:
        """Blocks of n: where, how many vectors, and the lanes of the last vector that are in use."""
        width = self.nest.axes[self.roles.n]
        if isinstance(width, int):
            yield from self.known_columns(width)
            return
        block, high = self.roles.vectors * self.lanes, self.size(width)
        full = self.code.multiply(self.code.value(f"sdiv i64 {high}, {block}"), str(block))
        with self.code.loop("0", full, block) as loop:
            yield loop.index, self.roles.vectors, None
        with self.code.loop(full, high, self.lanes) as loop:
            yield loop.index, 1, self.mask(self.code.value(f"sub i64 {high}, {loop.index}"))

    def known_columns(self, width: int) -> Iterator[tuple[str, int, str | None]]:
        place = 0
        counts = pieces(-(-width // self.lanes), self.roles.vectors)
        while counts:
            count = counts[0]
            same = sum(1 for other in counts if other == count)
            last = place + same * count * self.lanes
            whole = same if last <= width else same - 1
            if whole:
                with self.code.loop(str(place), str(place + whole * count * self.lanes), count * self.lanes) as loop:
                    yield loop.index, count, None
            if whole < same:
                start = place + whole * count * self.lanes
                used = -(-(width - start) // self.lanes)
                rest = width - start - (used - 1) * self.lanes
                yield str(start), used, self.mask(str(rest)) if rest < self.lanes else None
            place, counts = last, [other for other in counts if other != count]

    def inside_columns(self, rest: Sequence[str], scope: Scope, vectors: int, mask: str | None) -> None:
        if rest:
            with self.code.loop(*self.bounds(rest[0])) as loop:
                self.inside_columns(rest[1:], scope.inner(rest[0], loop.index), vectors, mask)
            return
        for place, rows in self.row_blocks():
            inner = scope if self.roles.m is None else scope.inner(self.roles.m, place)
            self.tile(inner, rows, vectors, mask)

    def row_blocks(self) -> Iterator[tuple[str, int]]:
        """Blocks of m: where, and how many rows."""
        if self.roles.m is None:
            yield "0", 1
            return
        low, high = self.bounds(self.roles.m)
        if is_number(low) and is_number(high):
            yield from self.known_rows(int(high))
            return
        rows = self.roles.rows
        while rows:
            length = self.code.value(f"sub i64 {high}, {low}")
            full = self.code.add(low, self.code.multiply(self.code.value(f"sdiv i64 {length}, {rows}"), str(rows)))
            with self.code.loop(low, full, rows) as loop:
                yield loop.index, rows
            low, rows = full, rows // 2

    def known_rows(self, height: int) -> Iterator[tuple[str, int]]:
        counts = pieces(height, self.roles.rows)
        place = 0
        for count in sorted(set(counts), reverse=True):
            last = place + counts.count(count) * count
            with self.code.loop(str(place), str(last), count) as loop:
                yield loop.index, count
            place = last

    # ---- the tile ---------------------------------------------------------------------------------------------------------------

    def tile(self, scope: Scope, rows: int, vectors: int, mask: str | None) -> None:
        """Sums for `rows` places of m and `vectors` vectors of n in registers, then what is made of them, then stores."""
        places = list(product(range(rows), range(vectors)))
        scopes = {place: self.at(scope, *place, vectors, mask) for place in places}
        pointers = (self.base(self.a, self.where_a, scope), self.base(self.b, self.where_b, scope))
        sums = [self.first(scopes[place]) for place in places]
        sums = self.products(self.ks, scope, pointers, sums, (rows, vectors, mask))
        for place, total in zip(places, sums, strict=True):
            scopes[place].known[self.roles.total] = (total, self.lanes)
        for store, place in product(self.nest.stores, places):
            self.value(store.value, scopes[place])
        for store, place in product(self.nest.stores, places):
            self.store(store, scopes[place])

    def at(self, scope: Scope, row: int, vector: int, vectors: int, mask: str | None) -> Scope:
        """The scope of one vector of the tile."""
        places = dict(scope.places)
        if self.roles.m is not None:
            places[self.roles.m] = self.code.add(places[self.roles.m], str(row))
        places[self.roles.n] = self.code.add(places[self.roles.n], str(vector * self.lanes))
        return Scope(places, {}, mask if vector == vectors - 1 else None)

    def base(self, load: Load, where: Linear, scope: Scope) -> str:
        """The address of a load where every k is 0."""
        offset = self.size(where.constant)
        for axis, stride in where.axes.items():
            if axis in scope.places:
                offset = self.code.add(offset, self.code.multiply(scope.places[axis], self.size(stride)))
        return self.code.pointer(f"%array{self.names.index(load.array)}", offset, "float")

    def first(self, scope: Scope) -> str:
        """What a sum begins with: 0, or what is in memory where a part of the sum is there already."""
        if not self.adds:
            return number(self.code, 0.0, "float32", self.lanes)
        store = self.nest.stores[0]
        pointer, where = self.address(store.array, store.index, scope)
        if self.contiguous(where, scope):
            return self.vector_load(self.type, pointer, scope.mask, "zeroinitializer", "float32")
        return self.gather(self.type, "float", pointer, self.lane_offsets(where, scope), scope.mask, "zeroinitializer")

    def products(
        self, axes: Sequence[str], scope: Scope, pointers: tuple[str, str], sums: Sequence[str], shape: tuple[int, int, str | None]
    ) -> list[str]:
        """The loops over k, from the outermost to the innermost."""
        if not axes:
            return self.turn(pointers, list(sums), shape, 0)
        axis, rest = axes[0], axes[1:]
        low, high = self.limits(axis, scope)
        carried = [(self.type, name) for name in sums]
        if rest:
            with self.code.loop(low, high, 1, carried) as loop:
                loop.next = self.products(rest, scope.inner(axis, loop.index), self.moved(pointers, axis, loop.index), loop.carried, shape)
            return loop.results
        step = unrolling(low, high)
        full = high if is_number(low) and is_number(high) else self.rounded(low, high, step)
        with self.code.loop(low, full, step, carried) as loop:
            turn = list(loop.carried)
            moved = self.moved(pointers, axis, loop.index)
            for number_of_turn in range(step):
                turn = self.turn(moved, turn, shape, number_of_turn)
            loop.next = turn
        if full == high:
            return loop.results
        with self.code.loop(full, high, 1, [(self.type, name) for name in loop.results]) as tail:
            tail.next = self.turn(self.moved(pointers, axis, tail.index), list(tail.carried), shape, 0)
        return tail.results

    def rounded(self, low: str, high: str, step: int) -> str:
        length = self.code.value(f"sub i64 {high}, {low}")
        return self.code.add(low, self.code.multiply(self.code.value(f"sdiv i64 {length}, {step}"), str(step)))

    def moved(self, pointers: tuple[str, str], axis: str, place: str) -> tuple[str, str]:
        moved = [
            self.code.pointer(pointer, self.code.multiply(place, self.size(where.stride(axis))), "float")
            for pointer, where in zip(pointers, (self.where_a, self.where_b), strict=True)
        ]
        return moved[0], moved[1]

    def turn(self, pointers: tuple[str, str], sums: list[str], shape: tuple[int, int, str | None], turn: int) -> list[str]:
        """One k: the vectors of b, then for every row its number of a in all lanes, and the products added to the sums."""
        rows, vectors, mask = shape
        inner = self.ks[-1] if self.ks else ""
        bs = []
        for vector in range(vectors):
            offset = self.code.add(self.code.multiply(str(turn), self.size(self.where_b.stride(inner))), str(vector * self.lanes))
            pointer = self.code.pointer(pointers[1], offset, "float")
            bs.append(self.vector_load(self.type, pointer, mask if vector == vectors - 1 else None, "zeroinitializer", "float32"))
        fma = self.code.intrinsic("fma", self.type, 3)
        for row in range(rows):
            offset = self.code.add(
                self.code.multiply(str(turn), self.size(self.where_a.stride(inner))),
                self.code.multiply(str(row), self.size(self.where_a.stride(self.roles.m or ""))),
            )
            one = self.code.value(f"load float, ptr {self.code.pointer(pointers[0], offset, 'float')}, align 4")
            wide = splat(self.code, "float", self.lanes, one)
            for vector in range(vectors):
                at = row * vectors + vector
                sums[at] = self.code.value(f"call {self.type} {fma}({self.type} {wide}, {self.type} {bs[vector]}, {self.type} {sums[at]})")
        return sums

    # ---- bounds -----------------------------------------------------------------------------------------------------------------

    def limits(self, axis: str, scope: Scope) -> tuple[str, str]:
        """The part of an axis of k in which both loads lie inside: a product with what is outside would be 0."""
        low, high = self.bounds(axis)
        for load in (self.a, self.b):
            for item, size in open_items(self.nest, load, self.arrays, self.layouts):
                count = item.coefficient(axis)
                others = {name for name, _ in item.terms if name != axis}
                if count and others <= scope.places.keys():
                    low, high = self.narrowed(low, high, item, axis, size, scope)
        return low, high

    def narrowed(self, low: str, high: str, item: Affine, axis: str, size: Size, scope: Scope) -> tuple[str, str]:
        """0 <= count * place + rest < size, for places of the axis."""
        count = item.coefficient(axis)
        rest = self.place(Affine(item.constant, tuple(term for term in item.terms if term[0] != axis)), scope)
        if count < 0:  # mirrored: rest - |count| * place
            first = self.floor_divided(self.code.add(self.minus(rest, self.size(size)), str(-count)), -count)
            last = self.code.add(self.floor_divided(rest, -count), "1")
        else:
            first = self.floor_divided(self.code.add(self.minus("0", rest), str(count - 1)), count)
            last = self.code.add(self.floor_divided(self.minus(self.code.add(self.size(size), "-1"), rest), count), "1")
        return self.code.larger(low, first), self.code.smaller(high, last)

    def minus(self, a: str, b: str) -> str:
        return self.code.add(a, self.code.multiply(b, "-1"))

    def floor_divided(self, a: str, by: int) -> str:
        if by == 1:
            return a
        if is_number(a):
            return str(int(a) // by)
        negative = self.code.value(f"icmp slt i64 {a}, 0")
        shifted = self.code.value(f"select i1 {negative}, i64 {by - 1}, i64 0")
        return self.code.value(f"sdiv i64 {self.minus(a, shifted)}, {by}")


def rank(stride: Size) -> int:
    return stride if isinstance(stride, int) else 2**40


def unrolling(low: str, high: str) -> int:
    """How many turns of the innermost loop are written out."""
    if not (is_number(low) and is_number(high)):
        return 4
    length = int(high) - int(low)
    return max((step for step in range(1, UNROLLED + 1) if length > 0 and length % step == 0), default=1)
