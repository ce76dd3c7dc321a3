"""Contractions: sums of products, computed in register tiles.

    out[m, n] += a[m, k] * b[k, n]

n is an axis along which `b` lies side by side and `a` does not vary: it is in vector lanes. m is an axis along which `b` does not vary:
`rows` places of it times `vectors` vectors of n stay in registers while k runs. Every other parallel axis is a loop around; k is one or
more loops. Convolution, its gradients and matrix products of all orders are this with different accesses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from runtime.kernels.native.access import known_mask
from runtime.kernels.native.emit import Emitter
from runtime.kernels.native.epilogue import add_sum, sums_of
from runtime.kernels.native.layout import Layout, Linear, linear
from runtime.kernels.native.limits import limits
from runtime.kernels.native.machine import Target
from runtime.kernels.native.roles import Roles, computed, pieces, rank
from runtime.kernels.native.row import fit_for_row, write_row
from runtime.kernels.native.scalars import number
from runtime.kernels.native.scope import Kernel, Scope
from runtime.kernels.native.text import is_number, llvm_type, splat
from runtime.loops.nest import Array, Load, Nest, Reduce

UNROLLED = 8  # turns of the innermost loop that are written out, at most


@dataclass(frozen=True)
class Block:
    """A tile as it is written. mask: the lanes of its last vector that are in use, None: all; used: how many, where that is known."""

    rows: int
    vectors: int
    mask: str | None = None
    used: int | None = None

    def is_last(self, vector: int) -> bool:
        return vector == self.vectors - 1


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
        around = [axis for axis in self.order if axis not in (*self.ks, self.roles.n, self.roles.m)]
        first = [axis for axis in around if axis == self.band]
        rest = [axis for axis in around if axis != self.band]
        if not around and fit_for_row(self):
            self.row()
        self.around(first, rest, Scope())
        self.code.do("ret void")
        return self.finish(name)

    def row(self) -> None:
        """Where there is one row only, the code for it, which returns."""
        assert self.roles.m is not None
        low, high = self.bounds(self.roles.m)
        one = self.code.value(f"icmp eq i64 {self.minus(high, low)}, 1")
        row, rows = self.code.new_block("row"), self.code.new_block("rows")
        self.code.do(f"br i1 {one}, label %{row}, label %{rows}")
        self.code.label(row)
        write_row(self, Scope().inner(self.roles.m, low))
        self.code.do("ret void")
        self.code.label(rows)

    # ---- loops around the tile --------------------------------------------------------------------------------------------------

    def around(self, first: Sequence[str], rest: Sequence[str], scope: Scope) -> None:
        """Loops over `first`, then blocks of n, then loops over `rest`, then tiles of m."""
        if first:
            with self.code.loop(*self.bounds(first[0])) as loop:
                self.around(first[1:], rest, scope.inner(first[0], loop.index))
            return
        for place, block in self.columns():
            self.inside_columns(rest, scope.inner(self.roles.n, place), block)

    def columns(self) -> Iterator[tuple[str, Block]]:
        """Blocks of n: where, and how many vectors."""
        low, high = self.bounds(self.roles.n)
        if is_number(low) and is_number(high):
            yield from self.known_columns(int(high))
            return
        size = self.roles.vectors * self.lanes
        full = self.rounded(low, high, size)
        with self.code.loop(low, full, size) as loop:
            yield loop.index, Block(1, self.roles.vectors)
        with self.code.loop(full, high, self.lanes) as loop:
            yield loop.index, Block(1, 1, self.mask(self.code.value(f"sub i64 {high}, {loop.index}")))

    def known_columns(self, width: int) -> Iterator[tuple[str, Block]]:
        place = 0
        counts = pieces(-(-width // self.lanes), self.roles.vectors)
        while counts:
            count = counts[0]
            same = sum(1 for other in counts if other == count)
            last = place + same * count * self.lanes
            whole = same if last <= width else same - 1
            if whole:
                with self.code.loop(str(place), str(place + whole * count * self.lanes), count * self.lanes) as loop:
                    yield loop.index, Block(1, count)
            if whole < same:
                start = place + whole * count * self.lanes
                vectors = -(-(width - start) // self.lanes)
                rest = width - start - (vectors - 1) * self.lanes
                yield str(start), Block(1, vectors, self.mask(str(rest)), rest) if rest < self.lanes else Block(1, vectors)
            place, counts = last, [other for other in counts if other != count]

    def inside_columns(self, rest: Sequence[str], scope: Scope, block: Block) -> None:
        if rest:
            with self.code.loop(*self.bounds(rest[0])) as loop:
                self.inside_columns(rest[1:], scope.inner(rest[0], loop.index), block)
            return
        for place, rows in self.row_blocks():
            inner = scope if self.roles.m is None else scope.inner(self.roles.m, place)
            self.tile(inner, replace(block, rows=rows))

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

    def tile(self, scope: Scope, block: Block) -> None:
        """Sums for the rows and vectors of a block in registers, then what is made of them, then stores."""
        places = list(product(range(block.rows), range(block.vectors)))
        scopes = {place: self.at(scope, *place, block) for place in places}
        pointers = (self.base(self.a, self.where_a, scope), self.base(self.b, self.where_b, scope))
        sums = [self.cut(self.first(scopes[place]), self.lanes_at(place[1], block)) for place in places]
        sums = self.products(self.ks, scope, pointers, sums, block)
        for place, total in zip(places, sums, strict=True):
            scopes[place].known[self.roles.total] = (self.widened_again(total, self.lanes_at(place[1], block)), self.lanes)
        beside = sums_of(self.nest, self.roles.total)
        stores = [store for store in self.nest.stores if store not in beside]
        for store, place in product(stores, places):
            self.value(store.value, scopes[place])
        for store, place in product(stores, places):
            self.store(store, scopes[place])
        for store in beside:
            add_sum(self, store, scopes)

    def at(self, scope: Scope, row: int, vector: int, block: Block) -> Scope:
        """The scope of one vector of the tile."""
        places = dict(scope.places)
        if self.roles.m is not None:
            places[self.roles.m] = self.code.add(places[self.roles.m], str(row))
        places[self.roles.n] = self.code.add(places[self.roles.n], str(vector * self.lanes))
        return Scope(places, {}, block.mask if block.is_last(vector) else None)

    def lanes_at(self, vector: int, block: Block) -> int:
        """How many lanes of a vector of the block are computed."""
        return computed(block.used, self.lanes) if block.is_last(vector) and block.used is not None else self.lanes

    def cut(self, name: str, lanes: int) -> str:
        """The first lanes of a vector."""
        if lanes == self.lanes:
            return name
        order = ", ".join(f"i32 {lane}" for lane in range(lanes))
        return self.code.value(f"shufflevector {self.type} {name}, {self.type} poison, <{lanes} x i32> <{order}>")

    def widened_again(self, name: str, lanes: int) -> str:
        """The inverse of `cut`; what the other lanes hold is not used."""
        if lanes == self.lanes:
            return name
        type = llvm_type("float32", lanes)
        order = ", ".join(f"i32 {lane if lane < lanes else 'poison'}" for lane in range(self.lanes))
        return self.code.value(f"shufflevector {type} {name}, {type} poison, <{self.lanes} x i32> <{order}>")

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

    def products(self, axes: Sequence[str], scope: Scope, pointers: tuple[str, str], sums: Sequence[str], block: Block) -> list[str]:
        """The loops over k, from the outermost to the innermost."""
        if not axes:
            return self.turn(pointers, list(sums), block, 0)
        axis, rest = axes[0], axes[1:]
        low, high = limits(self, axis, scope)
        types = [llvm_type("float32", self.lanes_at(vector, block)) for _, vector in product(range(block.rows), range(block.vectors))]
        carried = [*zip(types, sums, strict=True)]
        if rest:
            with self.code.loop(low, high, 1, carried) as loop:
                loop.next = self.products(rest, scope.inner(axis, loop.index), self.moved(pointers, axis, loop.index), loop.carried, block)
            return loop.results
        step = unrolling(low, high)
        full = high if is_number(low) and is_number(high) else self.rounded(low, high, step)
        with self.code.loop(low, full, step, carried) as loop:
            turn = list(loop.carried)
            moved = self.moved(pointers, axis, loop.index)
            for number_of_turn in range(step):
                turn = self.turn(moved, turn, block, number_of_turn)
            loop.next = turn
        if full == high:
            return loop.results
        with self.code.loop(full, high, 1, [*zip(types, loop.results, strict=True)]) as tail:
            tail.next = self.turn(self.moved(pointers, axis, tail.index), list(tail.carried), block, 0)
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

    def turn(self, pointers: tuple[str, str], sums: list[str], block: Block, turn: int) -> list[str]:
        """One k: the vectors of b, then for every row its number of a in all lanes, and the products added to the sums."""
        inner = self.ks[-1] if self.ks else ""
        lanes = [self.lanes_at(vector, block) for vector in range(block.vectors)]
        types = [llvm_type("float32", count) for count in lanes]
        turned = self.code.multiply(str(turn), self.size(self.where_b.stride(inner)))
        bs = self.vectors_at(self.code.pointer(pointers[1], turned, "float"), block, lanes)
        fmas = [self.code.intrinsic("fma", type, 3) for type in types]
        for row in range(block.rows):
            offset = self.code.add(
                self.code.multiply(str(turn), self.size(self.where_a.stride(inner))),
                self.code.multiply(str(row), self.size(self.where_a.stride(self.roles.m or ""))),
            )
            ones = self.factors(self.code.pointer(pointers[0], offset, "float"), block, lanes)
            for vector, (fma, type) in enumerate(zip(fmas, types, strict=True)):
                at = row * block.vectors + vector
                factors = f"{type} {ones[vector]}, {type} {bs[vector]}"
                sums[at] = self.code.value(f"call {type} {fma}({factors}, {type} {sums[at]})")
        return sums

    def factors(self, pointer: str, block: Block, lanes: Sequence[int]) -> list[str]:
        """a in the lanes of each vector: vectors, or one number."""
        if self.roles.both:
            return self.vectors_at(pointer, block, lanes)
        one = self.code.value(f"load float, ptr {pointer}, align 4")
        wide = {count: splat(self.code, "float", count, one) for count in lanes}
        return [wide[count] for count in lanes]

    def vectors_at(self, pointer: str, block: Block, lanes: Sequence[int]) -> list[str]:
        """The vectors that lie one after the other."""
        found = []
        for vector, count in enumerate(lanes):
            place = self.code.pointer(pointer, str(vector * self.lanes), "float")
            mask = self.loaded_mask(block, count, vector)
            found.append(self.vector_load(llvm_type("float32", count), place, mask, "zeroinitializer", "float32"))
        return found

    def loaded_mask(self, block: Block, lanes: int, vector: int) -> str | None:
        """The lanes that are read: those of the last vector that are in use."""
        if lanes == self.lanes:
            return block.mask if block.is_last(vector) else None
        return known_mask(block.used, lanes) if block.used is not None and block.used < lanes else None

    def minus(self, a: str, b: str) -> str:
        return self.code.add(a, self.code.multiply(b, "-1"))


def unrolling(low: str, high: str) -> int:
    """How many turns of the innermost loop are written out."""
    if not (is_number(low) and is_number(high)):
        return 4
    length = int(high) - int(low)
    return max((step for step in range(1, UNROLLED + 1) if length > 0 and length % step == 0), default=1)
