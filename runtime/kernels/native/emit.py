"""Machine code of any nest: loops in the order of the stores, one axis in vector lanes, reductions where their domain is complete.

A value is written at the outermost loop that binds its domain. Contractions have a generator of their own (`tile.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dslc.ir.types import Dim
from runtime.arena import SIZES
from runtime.kernels.native.layout import Layout, Linear, certainly_inside, linear, linear_accesses
from runtime.kernels.native.scalars import JOINS, apply, join_lanes, literal, number, select
from runtime.kernels.native.text import Code, in_memory, is_number, llvm_type, splat
from runtime.loops.nest import Affine, Apply, Array, Index, Length, Load, Nest, Number, Position, Reduce, Size, Store, Taken
from runtime.loops.scalars import COMBINES
from runtime.loops.trim import needed, needs, roots

STRIP = 16  # places of an axis that is read across: a line of float32


@dataclass(frozen=True)
class Kernel:
    """One function: `void name(ptr array, …, i64 low, i64 high, i64 size, …)`.

    text: the function and what it calls, a part of a module. low, high: the part of the axis `band` that is computed.
    """

    name: str
    text: str
    declared: Mapping[str, str]
    arrays: tuple[str, ...]
    sizes: tuple[Dim, ...]
    band: str | None


@dataclass
class Scope:
    """Where code stands: places: the bound axes; known: the values at hand, with their lanes; mask: the lanes in use (None: all).

    strip: the part of the axis in strips that is passed through here.
    """

    places: dict[str, str] = field(default_factory=dict)
    known: dict[int, tuple[str, int]] = field(default_factory=dict)
    mask: str | None = None
    strip: tuple[str, str] | None = None

    def inner(self, axis: str, place: str, mask: str | None = None) -> Scope:
        return Scope({**self.places, axis: place}, dict(self.known), mask or self.mask, self.strip)


class Emitter:
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
        self.nest = adding(nest, sums)
        self.arrays = arrays
        self.layouts = layouts
        self.band = band
        self.code = Code()
        self.names = tuple(dict.fromkeys((*nest.reads, *nest.writes)))
        self.sizes: dict[Dim, str] = {}
        self.width = width
        self.vector = choose_vector(nest, layouts)
        self.lanes = width // 4 if self.vector else 1
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

    def mask(self, count: str) -> str:
        """The first `count` lanes."""
        if is_number(count):
            return known_mask(int(count), self.lanes)
        bound = splat(self.code, "i64", self.lanes, count)
        return self.code.value(f"icmp slt <{self.lanes} x i64> {self.iota(1)}, {bound}")

    def iota(self, step: int) -> str:
        return "<" + ", ".join(f"i64 {lane * step}" for lane in range(self.lanes)) + ">"

    def size(self, size: Size) -> str:
        """A length: a number, or the parameter that holds it."""
        if isinstance(size, int):
            return str(size)
        return self.sizes.setdefault(size, f"%size{len(self.sizes)}")

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

    def widened(self, at: int, scope: Scope, lanes: int) -> str:
        """A value in this many lanes."""
        name, have = self.value(at, scope)
        return name if have == lanes else splat(self.code, llvm_type(self.nest.values[at].dtype), lanes, name)

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

    def bound_vector(self, coefficient: Size, scope: Scope) -> bool:
        return bool(self.vector) and self.vector in scope.places and coefficient != 0

    def place(self, index: Affine, scope: Scope) -> str:
        """An index as a number; that of lane 0 where the vector axis is in it."""
        total = str(index.constant)
        for axis, count in index.terms:
            total = self.code.add(total, self.code.multiply(scope.places[axis], str(count)))
        return total

    # ---- memory -----------------------------------------------------------------------------------------------------------------

    def address(self, array: str, index: Index, scope: Scope) -> tuple[str, Linear]:
        """The pointer of an access (of lane 0), without indices that differ from lane to lane."""
        where = linear(index, self.layouts[array])
        offset = self.size(where.constant)
        for axis, stride in where.axes.items():
            offset = self.code.add(offset, self.code.multiply(scope.places[axis], self.size(stride)))
        for at, stride in where.taken:
            name, lanes = self.value(at, scope)
            if lanes == 1:
                wide = apply(self.code, "cast", [name], [self.nest.values[at].dtype], "int64", 1)
                offset = self.code.add(offset, self.code.multiply(wide, self.size(stride)))
        return self.code.pointer(f"%array{self.names.index(array)}", offset, in_memory(self.arrays[array].dtype)), where

    def lane_offsets(self, where: Linear, scope: Scope) -> str | None:
        """What to add to the address for each lane; None where all lanes have the same."""
        parts = []
        stride = where.stride(self.vector or "")
        if self.bound_vector(stride, scope):
            parts.append(self.iota(stride) if isinstance(stride, int) else self.scaled_iota(stride))
        for at, step in where.taken:
            name, lanes = self.value(at, scope)
            if lanes > 1:
                wide = apply(self.code, "cast", [name], [self.nest.values[at].dtype], "int64", lanes)
                parts.append(self.code.value(f"mul <{lanes} x i64> {wide}, {splat(self.code, 'i64', lanes, self.size(step))}"))
        if len(parts) < 2:
            return parts[0] if parts else None
        total = parts[0]
        for part in parts[1:]:
            total = self.code.value(f"add <{self.lanes} x i64> {total}, {part}")
        return total

    def scaled_iota(self, stride: Size) -> str:
        return self.code.value(f"mul <{self.lanes} x i64> {self.iota(1)}, {splat(self.code, 'i64', self.lanes, self.size(stride))}")

    def contiguous(self, where: Linear, scope: Scope) -> bool:
        stride = where.stride(self.vector or "")
        return stride == 1 and all(self.value(at, scope)[1] == 1 for at, _ in where.taken)

    def load(self, load: Load, scope: Scope) -> tuple[str, int]:
        dtype = self.arrays[load.array].dtype
        element = in_memory(dtype)
        inside, wide = self.inside(load, scope) if load.fill is not None else (None, False)
        pointer, where = self.address(load.array, load.index, scope)
        offsets = self.lane_offsets(where, scope)
        if offsets is None and not wide:
            return self.truth(self.scalar_load(load, pointer, element, inside, dtype), dtype, 1), 1
        type = f"<{self.lanes} x {element}>"
        mask = self.both(inside, wide, scope.mask)
        other = self.filler(load, element)
        if offsets is not None and self.contiguous(where, scope):
            name = self.vector_load(type, pointer, mask, other, dtype)
        else:
            name = self.gather(type, element, pointer, offsets, mask, other)
        return self.truth(name, dtype, self.lanes), self.lanes

    def filler(self, load: Load, element: str) -> str:
        if not load.fill:
            return "zeroinitializer"
        return splat(self.code, element, self.lanes, literal(load.fill, "uint8" if element == "i8" else load.dtype))

    def scalar_load(self, load: Load, pointer: str, element: str, inside: str | None, dtype: str) -> str:
        """Outside of the array its first element is read, and not used."""
        if inside is None:
            return self.code.value(f"load {element}, ptr {pointer}")
        safe = self.code.value(f"select i1 {inside}, ptr {pointer}, ptr %array{self.names.index(load.array)}")
        name = self.code.value(f"load {element}, ptr {safe}")
        return self.code.value(
            f"select i1 {inside}, {element} {name}, {element} {literal(load.fill or 0, 'uint8' if dtype == 'bool' else dtype)}"
        )

    def vector_load(self, type: str, pointer: str, mask: str | None, other: str, dtype: str) -> str:
        align = SIZES[dtype]
        if mask is None:
            return self.code.value(f"load {type}, ptr {pointer}, align {align}")
        lanes = lanes_of(type)
        name = f"@llvm.masked.load.v{lanes}{short(type)}.p0"
        self.code.declare(name, f"declare {type} {name}(ptr, <{lanes} x i1>, {type})")
        return self.code.value(f"call {type} {name}(ptr align {align} {pointer}, <{lanes} x i1> {mask}, {type} {other})")

    def gather(self, type: str, element: str, pointer: str, offsets: str | None, mask: str | None, other: str) -> str:
        lanes = self.lanes
        places = offsets or "zeroinitializer"
        pointers = self.code.value(f"getelementptr {element}, ptr {pointer}, <{lanes} x i64> {places}")
        name = f"@llvm.masked.gather.v{lanes}{short(type)}.v{lanes}p0"
        self.code.declare(name, f"declare {type} {name}(<{lanes} x ptr>, <{lanes} x i1>, {type})")
        active = mask or self.mask(str(lanes))
        return self.code.value(f"call {type} {name}(<{lanes} x ptr> align 1 {pointers}, <{lanes} x i1> {active}, {type} {other})")

    def inside(self, load: Load, scope: Scope) -> tuple[str | None, bool]:
        """Whether the index lies in the array: a truth value (None: certainly), and whether it differs from lane to lane."""
        found: str | None = None
        wide = False
        layout = self.layouts[load.array]
        for dim, (item, size) in enumerate(zip(load.index, self.arrays[load.array].shape, strict=True)):
            if isinstance(item, Taken) or certainly_inside(item, size, self.nest.axes, layout.border(dim) if load.fill == 0 else (0, 0)):
                continue
            place, lanes = self.position(item, "int64", scope)
            limit = splat(self.code, "i64", lanes, self.size(size))
            here = self.code.value(f"icmp ult {llvm_type('int64', lanes)} {place}, {limit}")
            found, wide = self.conjunction(found, wide, here, lanes > 1)
        return found, wide

    def conjunction(self, a: str | None, a_wide: bool, b: str, b_wide: bool) -> tuple[str, bool]:
        if a is None:
            return b, b_wide
        wide = a_wide or b_wide
        lanes = self.lanes if wide else 1
        sides = [name if one == wide else splat(self.code, "i1", lanes, name) for name, one in ((a, a_wide), (b, b_wide))]
        return self.code.value(f"and {llvm_type('bool', lanes)} {sides[0]}, {sides[1]}"), wide

    def both(self, inside: str | None, wide: bool, mask: str | None) -> str | None:
        """The lanes that are inside and in use."""
        if inside is None:
            return mask
        full = inside if wide else splat(self.code, "i1", self.lanes, inside)
        return full if mask is None else self.code.value(f"and <{self.lanes} x i1> {full}, {mask}")

    def truth(self, name: str, dtype: str, lanes: int) -> str:
        """A truth value of the byte that was loaded."""
        if dtype != "bool":
            return name
        zero = "0" if lanes == 1 else "zeroinitializer"
        return self.code.value(f"icmp ne {'i8' if lanes == 1 else f'<{lanes} x i8>'} {name}, {zero}")

    def store(self, store: Store, scope: Scope) -> None:
        dtype = self.arrays[store.array].dtype
        element = in_memory(dtype)
        pointer, where = self.address(store.array, store.index, scope)
        offsets = self.lane_offsets(where, scope)
        if offsets is None:
            self.scalar_store(store, scope, pointer, dtype)
            return
        name = self.widened(store.value, scope, self.lanes)
        type = f"<{self.lanes} x {element}>"
        mask, contiguous = scope.mask, self.contiguous(where, scope)
        if store.adds:
            old = (
                self.vector_load(type, pointer, mask, "zeroinitializer", dtype)
                if contiguous
                else self.gather(type, element, pointer, offsets, mask, "zeroinitializer")
            )
            name = apply(self.code, "add", [old, name], [dtype, dtype], dtype, self.lanes)
        self.vector_store(type, element, self.as_byte(name, dtype, self.lanes), pointer, offsets if not contiguous else None, mask, dtype)

    def scalar_store(self, store: Store, scope: Scope, pointer: str, dtype: str) -> None:
        element = in_memory(dtype)
        name, lanes = self.value(store.value, scope)
        if lanes > 1:
            raise AssertionError(f"{self.nest.name}: lanes meet in one element of {store.array}")
        if store.adds:
            old = self.code.value(f"load {element}, ptr {pointer}")
            name = apply(self.code, "add", [old, name], [dtype, dtype], dtype, 1)
        self.code.do(f"store {element} {self.as_byte(name, dtype, 1)}, ptr {pointer}")

    def vector_store(
        self, type: str, element: str, name: str, pointer: str, offsets: str | None, mask: str | None, dtype: str
    ) -> None:  # fmt: skip
        lanes, align = self.lanes, SIZES[dtype]
        if offsets is not None:
            pointers = self.code.value(f"getelementptr {element}, ptr {pointer}, <{lanes} x i64> {offsets}")
            scatter = f"@llvm.masked.scatter.v{lanes}{short(type)}.v{lanes}p0"
            self.code.declare(scatter, f"declare void {scatter}({type}, <{lanes} x ptr>, <{lanes} x i1>)")
            active = mask or self.mask(str(lanes))
            self.code.do(f"call void {scatter}({type} {name}, <{lanes} x ptr> align {align} {pointers}, <{lanes} x i1> {active})")
        elif mask is None:
            self.code.do(f"store {type} {name}, ptr {pointer}, align {align}")
        else:
            masked = f"@llvm.masked.store.v{lanes}{short(type)}.p0"
            self.code.declare(masked, f"declare void {masked}({type}, ptr, <{lanes} x i1>)")
            self.code.do(f"call void {masked}({type} {name}, ptr align {align} {pointer}, <{lanes} x i1> {mask})")

    def as_byte(self, name: str, dtype: str, lanes: int) -> str:
        if dtype != "bool":
            return name
        source, goal = ("i1", "i8") if lanes == 1 else (f"<{lanes} x i1>", f"<{lanes} x i8>")
        return self.code.value(f"zext {source} {name} to {goal}")

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


def known_mask(count: int, lanes: int) -> str:
    return "<" + ", ".join(f"i1 {'true' if lane < count else 'false'}" for lane in range(lanes)) + ">"


def lanes_of(type: str) -> int:
    return int(type[1:].split(" ")[0]) if type.startswith("<") else 1


def short(type: str) -> str:
    scalar = type[1:-1].split(" x ")[1]
    return {"float": "f32", "double": "f64", "half": "f16"}.get(scalar, scalar)


def choose_vector(nest: Nest, layouts: Mapping[str, Layout]) -> str | None:
    """The axis that most accesses have side by side, and that no store takes apart."""
    accesses = linear_accesses(nest, layouts)
    best, most = None, 0
    for axis in nest.axes:
        if not all(may_be_lanes(nest, store, layouts, axis) for store in nest.stores):
            continue
        score = 0
        for where, is_store in accesses:
            stride = where.stride(axis)
            score += (3 if is_store else 2) if stride == 1 else 0 if stride == 0 else -1
        if score > most:
            best, most = axis, score
    return best


def may_be_lanes(nest: Nest, store: Store, layouts: Mapping[str, Layout], axis: str) -> bool:
    """Whether neighbours along the axis are written to different elements, or to no element at all (the axis is reduced before)."""
    if axis not in nest.store_domain(store):
        return True
    taken = any(isinstance(item, Taken) and axis in nest.domains[item.value] for item in store.index)
    return not taken and linear(store.index, layouts[store.array]).stride(axis) != 0


def stripped(nest: Nest, layouts: Mapping[str, Layout], vector: str | None) -> str | None:
    """The axis to go through in strips, inside the vector axis: elements that lie side by side along it are read lane by lane.

    So a line of memory is read again while it is in the cache.
    """
    if vector is None or any(isinstance(value, Reduce) for value in nest.values):
        return None
    for load in nest.loads:
        where = linear(load.index, layouts[load.array])
        step = where.stride(vector)
        beside = [axis for axis, stride in where.axes.items() if stride == 1 and axis != vector]
        if beside and step not in (0, 1) and all(beside[0] in nest.store_domain(store) for store in nest.stores):
            return beside[0]
    return None


def loop_order(nest: Nest, layouts: Mapping[str, Layout], band: str | None, vector: str | None) -> list[str]:
    """First the axes of which a reduction makes one value each, so that it is done once; then the band; then by the stride of the first
    store; the vector axis last, unless it is one of the first.
    """
    where = linear(nest.stores[0].index, layouts[nest.stores[0].array])
    stored = nest.store_domain(nest.stores[0])
    domains = [nest.domains[at] for at, value in enumerate(nest.values) if isinstance(value, Reduce)]
    first = frozenset[str]().union(*(domain for domain in domains if domain < stored))

    def rank(axis: str) -> tuple[bool, int, int]:
        stride = where.stride(axis)
        if axis == band:
            return (axis not in first, 0, 0)
        if axis == vector:
            return (axis not in first, 3, 0)
        step = stride if isinstance(stride, int) else 2**60
        return (axis not in first, 1 if step else 2, -step)

    return sorted(nest.axes, key=rank)
