"""Machine code of any nest: loops in the order of the stores, one axis in vector lanes, reductions where their domain is complete.

A value is written at the outermost loop that binds its domain. Contractions have a generator of their own (`tile.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from runtime.kernels.native.access import Access, lanes_of
from runtime.kernels.native.layout import Layout, linear
from runtime.kernels.native.order import loop_order, stripped
from runtime.kernels.native.scalars import JOINS, apply, join_lanes, literal, number, select
from runtime.kernels.native.scope import Kernel, Scope
from runtime.kernels.native.text import is_number, llvm_type, splat
from runtime.loops.nest import Affine, Apply, Array, Length, Load, Nest, Number, Position, Reduce, Store, Taken
from runtime.loops.scalars import COMBINES
from runtime.loops.trim import needed, needs, roots

STRIP = 16  # places of an axis that is read across: a line of float32


class Emitter(Access):
    """Writes one nest. vector: the axis in lanes, None for none; order: the loops of the stores, the outermost first."""

    def __init__(
        self,
        nest: Nest,
        arrays: Mapping[str, Array],
        layouts: Mapping[str, Layout],
        width: int,
        band: str | None,
        sums: Collection[str] = (),
    ) -> None:
        super().__init__(adding(nest, sums), arrays, layouts, width)
        self.band = band
        self.order = loop_order(nest, layouts, band, self.vector)
        self.strip = stripped(nest, layouts, self.vector)
        self.riders: list[Store] = []  # what is stored inside the loops of a sum over it

    def kernel(self, name: str) -> Kernel:
        self.code.label("entry")
        self.stores(Scope(), self.nest.stores)
        self.code.do("ret void")
        return self.finish(name)

    def finish(self, name: str) -> Kernel:
        params = [*(f"ptr %array{i}" for i in range(len(self.names))), "i64 %low", "i64 %high", *(f"i64 {p}" for p in self.sizes.values())]
        text = "\n".join([f"define void @{name}({', '.join(params)}) {{", *self.code.lines, "}", ""])
        return Kernel(name, text, self.code.declared, self.names, tuple(self.sizes), self.band)

    # ---- loops ------------------------------------------------------------------------------------------------------------------

    def stores(self, scope: Scope, stores: Sequence[Store]) -> None:
        """The stores whose domain is bound, then loops for the others."""
        riders = self.riding(scope, stores)
        self.riders = riders
        self.hoist(scope, [store for store in stores if store not in riders])
        self.riders = []
        later = []
        for store in stores:
            if store in riders:
                continue
            if self.nest.store_domain(store) <= scope.places.keys():
                self.store(store, scope)
            else:
                later.append(store)
        while later:
            axis = self.next_axis(scope, later[0])
            inside = [store for store in later if axis in self.nest.store_domain(store)]
            later = [store for store in later if store not in inside]
            if axis == self.strip and scope.strip is None:
                low, high = self.bounds(axis)
                with self.code.loop(low, high, STRIP) as loop:
                    end = self.code.smaller(self.code.add(loop.index, str(STRIP)), high)
                    self.stores(replace(scope, known=dict(scope.known), strip=(loop.index, end)), inside)
                continue
            for inner, _ in self.carried_turns(axis, scope, []):
                self.stores(inner, inside)

    def riding(self, scope: Scope, stores: Sequence[Store]) -> list[Store]:
        """The stores in the loops of a reduction that is made here for another store."""
        bound = [store.value for store in stores if self.nest.store_domain(store) <= scope.places.keys() and store.value not in scope.known]
        loops = [scope.places.keys() | set(value.axes) for value in map(self.nest.values.__getitem__, bound) if isinstance(value, Reduce)]
        return [store for store in stores if not store.adds and self.nest.store_domain(store) in loops and self.before_sums(store)]

    def before_sums(self, store: Store) -> bool:
        """Whether nothing that it needs is a reduction over an axis that it is stored along."""
        need = (self.nest.values[at] for at in needed(self.nest.values, roots([store])))
        return not any(isinstance(value, Reduce) and self.nest.store_domain(store) & set(value.axes) for value in need)

    def next_axis(self, scope: Scope, store: Store) -> str:
        """The next loop; that through a strip is the last one."""
        left = [axis for axis in self.order if axis not in scope.places and axis in self.nest.store_domain(store)]
        return next((axis for axis in left if axis != self.strip or scope.strip is None), left[0])

    def bounds(self, axis: str) -> tuple[str, str]:
        return ("%low", "%high") if axis == self.band else ("0", self.size(self.nest.axes[axis]))

    def carried_turns(self, axis: str, scope: Scope, carried: list[tuple[str, str]]) -> Iterator[tuple[Scope, list[str]]]:
        """The body of the loop over an axis: written once, or twice where the last vector is not full.

        carried: values that go from turn to turn: (type, first value), then the last. The body changes the list it gets.
        """
        low, high = scope.strip if axis == self.strip and scope.strip is not None else self.bounds(axis)
        if axis != self.vector:
            with self.code.loop(low, high, 1, carried) as loop:
                values = list(loop.carried)
                yield scope.inner(axis, loop.index), values
                loop.next = values
            carried[:] = [(type, last) for (type, _), last in zip(carried, loop.results, strict=True)]
            return
        full = self.full(low, high)
        if full != low:
            with self.code.loop(low, full, self.lanes, carried) as loop:
                values = list(loop.carried)
                yield scope.inner(axis, loop.index), values
                loop.next = values
            carried[:] = [(type, last) for (type, _), last in zip(carried, loop.results, strict=True)]
        if full != high:
            with self.code.loop(full, high, self.lanes, carried) as loop:
                mask = self.mask(self.code.value(f"sub i64 {high}, {loop.index}") if not is_number(high) else str(int(high) - int(full)))
                values = list(loop.carried)
                before = list(values)
                yield scope.inner(axis, loop.index, mask), values
                loop.next = [
                    value if value == old else select(self.code, self.lanes, mask, value, old, type)
                    for value, old, (type, _) in zip(values, before, carried, strict=True)
                ]
            carried[:] = [(type, last) for (type, _), last in zip(carried, loop.results, strict=True)]

    def full(self, low: str, high: str) -> str:
        """Where the last full vector of a loop ends."""
        if is_number(low) and is_number(high):
            return str(int(low) + (int(high) - int(low)) // self.lanes * self.lanes)
        length = self.code.value(f"sub i64 {high}, {low}")
        whole = self.code.value(f"and i64 {length}, {-self.lanes}")
        return self.code.add(low, whole)

    # ---- values -----------------------------------------------------------------------------------------------------------------

    def hoist(self, scope: Scope, stores: Sequence[Store]) -> None:
        """Write every value that the stores need and whose domain is bound."""
        self.hoist_values(scope, roots(stores))

    def hoist_values(self, scope: Scope, first: Sequence[int]) -> None:
        for at in sorted(needed(self.nest.values, first)):
            if self.nest.domains[at] <= scope.places.keys():
                self.value(at, scope)

    def value(self, at: int, scope: Scope) -> tuple[str, int]:
        """The name of a value and its lanes."""
        if at not in scope.known:
            scope.known[at] = self.write(at, scope)
        return scope.known[at]

    def write(self, at: int, scope: Scope) -> tuple[str, int]:
        value = self.nest.values[at]
        match value:
            case Load():
                return self.load(value, scope)
            case Number(value=constant, dtype=dtype):
                return literal(constant, dtype), 1
            case Length(size=size, dtype=dtype):
                return apply(self.code, "cast", [self.size(size)], ["int64"], dtype, 1), 1
            case Position(index=index, dtype=dtype):
                return self.position(index, dtype, scope)
            case Reduce():
                return self.reduce(at, value, scope)
            case Apply(function=function, args=args, dtype=dtype):
                lanes = max(self.value(arg, scope)[1] for arg in args)
                names = [self.widened(arg, scope, lanes) for arg in args]
                return apply(self.code, function, names, [self.nest.values[arg].dtype for arg in args], dtype, lanes), lanes

    def position(self, index: Affine, dtype: str, scope: Scope) -> tuple[str, int]:
        place = self.place(index, scope)
        lanes = self.lanes if self.bound_vector(index.coefficient(self.vector or ""), scope) else 1
        if lanes > 1:
            base = splat(self.code, "i64", lanes, place)
            place = self.code.value(f"add <{lanes} x i64> {base}, {self.iota(index.coefficient(self.vector or ''))}")
        return apply(self.code, "cast", [place], ["int64"], dtype, lanes), lanes

    # ---- reductions -------------------------------------------------------------------------------------------------------------

    def reduce(self, at: int, reduce: Reduce, scope: Scope) -> tuple[str, int]:
        """This reduction and all others over the same axes that can run in the same loops; those become known too."""
        outside = self.vector, self.lanes
        if self.vector is None or self.vector not in scope.places:
            self.vector = self.inner_vector(reduce) or self.vector
            self.lanes = self.width // 4 if self.vector else 1
        together = [at, *self.companions(at, reduce, scope)]
        wide = self.vector in reduce.axes
        carried = []
        for one in together:
            item = self.nest.values[one]
            assert isinstance(item, Reduce)
            lanes = self.lanes if wide or self.bound_vector(int(self.vector in self.nest.domains[one]), scope) else 1
            start = number(self.code, COMBINES[item.function].start(item.dtype), item.dtype, lanes)
            carried.append((llvm_type(item.dtype, lanes), start))
        axes = [axis for axis in self.nest.axes if axis in reduce.axes and axis != self.vector] + (
            [self.vector] if wide and self.vector else []
        )
        self.reduce_loops(axes, together, carried, scope)
        for one, (_, name) in zip(together, carried, strict=True):
            item = self.nest.values[one]
            assert isinstance(item, Reduce)
            lanes = self.lanes if wide or self.bound_vector(int(self.vector in self.nest.domains[one]), scope) else 1
            scope.known[one] = (join_lanes(self.code, item.function, name, item.dtype, lanes), 1) if wide else (name, lanes)
        self.vector, self.lanes = outside
        return scope.known[at]

    def inner_vector(self, reduce: Reduce) -> str | None:
        """The axis of a reduction along which all that it reads lies side by side, or does not vary: it is in lanes inside of it."""
        if self.vector in reduce.axes:
            return self.vector
        values = [self.nest.values[need] for need in needed(self.nest.values, [reduce.arg])]
        loads = [value for value in values if isinstance(value, Load)]
        if any(isinstance(item, Taken) for load in loads for item in load.index):
            return None
        where = [linear(load.index, self.layouts[load.array]) for load in loads]
        for axis in reduce.axes:
            strides = {one.stride(axis) for one in where}
            if 1 in strides and strides <= {0, 1}:
                return axis
        return None

    def companions(self, at: int, reduce: Reduce, scope: Scope) -> list[int]:
        """Other reductions over the same axes, not known yet, that need nothing that is not known outside of the loops."""
        found = []
        for other, value in enumerate(self.nest.values):
            if other == at or other in scope.known or not isinstance(value, Reduce) or set(value.axes) != set(reduce.axes):
                continue
            waiting = [need for need in needed(self.nest.values, [value.arg]) if isinstance(self.nest.values[need], Reduce)]
            if self.nest.domains[other] == self.nest.domains[at] and all(need in scope.known for need in waiting):
                found.append(other)
        return found

    def reduce_loops(self, axes: Sequence[str], together: Sequence[int], carried: list[tuple[str, str]], scope: Scope) -> None:
        if not axes:
            for place, one in enumerate(together):
                item = self.nest.values[one]
                assert isinstance(item, Reduce)
                type, total = carried[place]
                lanes = lanes_of(type)
                added = self.widened(item.arg, scope, lanes)
                carried[place] = (type, apply(self.code, JOINS[item.function], [total, added], [item.dtype] * 2, item.dtype, lanes))
            for store in self.riders:
                if self.nest.store_domain(store) == scope.places.keys():
                    self.store(store, scope)
            return
        self.hoist_values(scope, [needs(self.nest.values[one])[0] for one in together])
        for inner, values in self.carried_turns(axes[0], scope, carried):
            rest = [(type, name) for (type, _), name in zip(carried, values, strict=True)]
            self.reduce_loops(axes[1:], together, rest, inner)
            values[:] = [name for _, name in rest]


def adding(nest: Nest, sums: Collection[str]) -> Nest:
    """The nest whose stores in these arrays add to what is there."""
    return replace(nest, stores=tuple(replace(store, adds=True) if store.array in sums else store for store in nest.stores))
