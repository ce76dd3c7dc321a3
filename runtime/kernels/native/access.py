"""Loads and stores of a nest: scalars, vectors side by side, gathered and scattered ones, with masks where lanes are not in use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from dslc.ir.types import Dim
from runtime.arena import SIZES
from runtime.kernels.native.layout import Layout, Linear, certainly_inside, linear
from runtime.kernels.native.order import choose_vector
from runtime.kernels.native.scalars import apply, literal
from runtime.kernels.native.scope import Scope
from runtime.kernels.native.text import Code, in_memory, is_number, llvm_type, splat
from runtime.loops.nest import Affine, Array, Index, Load, Nest, Size, Store, Taken


class Access(ABC):
    """Writes what a nest reads and stores. vector: the axis in lanes, None for none; sizes: lengths that the function is given."""

    def __init__(self, nest: Nest, arrays: Mapping[str, Array], layouts: Mapping[str, Layout], width: int) -> None:
        self.nest = nest
        self.arrays = arrays
        self.layouts = layouts
        self.code = Code()
        self.names = tuple(dict.fromkeys((*nest.reads, *nest.writes)))
        self.sizes: dict[Dim, str] = {}
        self.width = width
        self.vector = choose_vector(nest, layouts)
        self.lanes = width // 4 if self.vector else 1

    @abstractmethod
    def value(self, at: int, scope: Scope) -> tuple[str, int]:
        """The name of a value of the nest and its lanes."""

    def widened(self, at: int, scope: Scope, lanes: int) -> str:
        """A value in this many lanes."""
        name, have = self.value(at, scope)
        return name if have == lanes else splat(self.code, llvm_type(self.nest.values[at].dtype), lanes, name)

    # ---- places -----------------------------------------------------------------------------------------------------------------

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

    def bound_vector(self, coefficient: Size, scope: Scope) -> bool:
        return bool(self.vector) and self.vector in scope.places and coefficient != 0

    def place(self, index: Affine, scope: Scope) -> str:
        """An index as a number; that of lane 0 where the vector axis is in it."""
        total = str(index.constant)
        for axis, count in index.terms:
            total = self.code.add(total, self.code.multiply(scope.places[axis], str(count)))
        return total

    # ---- loads and stores -------------------------------------------------------------------------------------------------------

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


def known_mask(count: int, lanes: int) -> str:
    return "<" + ", ".join(f"i1 {'true' if lane < count else 'false'}" for lane in range(lanes)) + ">"


def lanes_of(type: str) -> int:
    return int(type[1:].split(" ")[0]) if type.startswith("<") else 1


def short(type: str) -> str:
    scalar = type[1:-1].split(" x ")[1]
    return {"float": "f32", "double": "f64", "half": "f16"}.get(scalar, scalar)
