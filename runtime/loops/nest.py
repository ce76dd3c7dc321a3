"""Loop nests: what stands between a graph and machine code.

A nest is a small graph of scalar values over named axes. Every value has a domain, the axes on which it depends; a reduction takes axes
away. A store writes a value for every point of its domain. Nothing is said of the order of loops, of vectors, tiles or threads, nor of
where arrays lie in memory: that is for whoever makes code of it. `runtime/loops/interpret.py` is the definition of what a nest means.

    nest %13 = conv(%12, %1)
      axes n: batch, o: 20, h: 24, w: 24, c: 1, r: 5, s: 5
      0: f32 load %12[n, c, h + r, w + s]
      1: f32 load LeNet.conv0.w[o, c, r, s]
      2: f32 multiply 0 1
      3: f32 sum 2 over c, r, s
      store %13[n, o, h, w] = 3
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from dslc.ir.types import Dim

Size = int | Dim
"""The length of an axis: a number, or one that is known when the code runs (`batch`)."""


def value_of(size: Size, dims: Mapping[str, int]) -> int:
    return size if isinstance(size, int) else size.evaluate(dims)


@dataclass(frozen=True, slots=True)
class Affine:
    """constant + the sum of coefficient * axis. terms: (axis, coefficient), sorted by axis, without zeros."""

    constant: int = 0
    terms: tuple[tuple[str, int], ...] = ()

    @staticmethod
    def of(axes: Mapping[str, int], constant: int = 0) -> Affine:
        return Affine(constant, tuple(sorted((axis, count) for axis, count in axes.items() if count)))

    def coefficient(self, axis: str) -> int:
        return dict(self.terms).get(axis, 0)

    def __add__(self, other: Affine) -> Affine:
        counts = dict(self.terms)
        for axis, count in other.terms:
            counts[axis] = counts.get(axis, 0) + count
        return Affine.of(counts, self.constant + other.constant)

    def __mul__(self, factor: int) -> Affine:
        return Affine.of({axis: count * factor for axis, count in self.terms}, self.constant * factor)

    def substitute(self, axes: Mapping[str, Affine]) -> Affine:
        """Every axis that is named in `axes` is replaced."""
        if not any(axis in axes for axis, _ in self.terms):
            return self
        total = Affine(self.constant)
        for axis, count in self.terms:
            total = total + axes.get(axis, Affine(0, ((axis, 1),))) * count
        return total

    def evaluate(self, point: Mapping[str, int]) -> int:
        return self.constant + sum(count * point[axis] for axis, count in self.terms)

    def __str__(self) -> str:
        parts = [axis if count == 1 else f"{count} {axis}" for axis, count in self.terms]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts).replace("+ -", "- ")


@dataclass(frozen=True, slots=True)
class Taken:
    """An index that is itself a value of the nest (a gather, a scatter)."""

    value: int

    def __str__(self) -> str:
        return f"({self.value})"


Index = tuple[Affine | Taken, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """An element of an array. fill: what is read where the index lies outside; None: it never does."""

    array: str
    index: Index
    dtype: str
    fill: float | None = None


@dataclass(frozen=True, slots=True)
class Number:
    value: float | int | bool
    dtype: str


@dataclass(frozen=True, slots=True)
class Position:
    """The place along an axis, or a sum of such, as an integer."""

    index: Affine
    dtype: str = "int64"


@dataclass(frozen=True, slots=True)
class Length:
    """The length of an axis as a number of this dtype."""

    size: Size
    dtype: str


@dataclass(frozen=True, slots=True)
class Apply:
    """A scalar function (a row of `runtime/loops/scalars.py`) of other values. `cast` converts to `dtype`."""

    function: str
    args: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Reduce:
    """A value combined over axes: function is sum, product, max, min, all or any."""

    function: str
    arg: int
    axes: tuple[str, ...]
    dtype: str


Value = Load | Number | Position | Length | Apply | Reduce


@dataclass(frozen=True, slots=True)
class Store:
    """Writes `value` for every point of its domain and of `index`. adds: to what is there already, in any order of the points."""

    array: str
    index: Index
    value: int
    adds: bool = False


@dataclass(frozen=True)
class Nest:
    """name: what it computes, for people; axes: their lengths; values: each is made of earlier ones; stores: done when all is loaded."""

    name: str
    axes: dict[str, Size]
    values: tuple[Value, ...]
    stores: tuple[Store, ...]

    @cached_property
    def domains(self) -> tuple[frozenset[str], ...]:
        """The axes on which each value depends."""
        found: list[frozenset[str]] = []
        for value in self.values:
            found.append(self.domain_of(value, found))
        return tuple(found)

    def domain_of(self, value: Value, known: Sequence[frozenset[str]]) -> frozenset[str]:
        match value:
            case Load(index=index):
                return index_domain(index, known)
            case Position(index=index):
                return frozenset(axis for axis, _ in index.terms)
            case Apply(args=args):
                return frozenset().union(*(known[arg] for arg in args))
            case Reduce(arg=arg, axes=axes):
                return known[arg] - frozenset(axes)
            case _:
                return frozenset()

    def store_domain(self, store: Store) -> frozenset[str]:
        return self.domains[store.value] | index_domain(store.index, self.domains)

    @cached_property
    def loads(self) -> tuple[Load, ...]:
        return tuple(value for value in self.values if isinstance(value, Load))

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The arrays that are read, each once."""
        return tuple(dict.fromkeys(load.array for load in self.loads))

    @cached_property
    def writes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(store.array for store in self.stores))

    @cached_property
    def parallel(self) -> tuple[str, ...]:
        """The axes whose points are independent of each other: each names a place of its own in every store."""
        chosen = [axis for axis in self.axes if all(self.separates(store, axis) for store in self.stores)]
        return tuple(chosen)

    def separates(self, store: Store, axis: str) -> bool:
        """Whether different places along the axis write different elements: one index is the axis alone, or a multiple of it."""
        return any(isinstance(item, Affine) and [name for name, _ in item.terms] == [axis] for item in store.index)

    def __str__(self) -> str:
        return "\n".join(nest_lines(self))


def index_domain(index: Index, known: Sequence[frozenset[str]]) -> frozenset[str]:
    found: set[str] = set()
    for item in index:
        found |= known[item.value] if isinstance(item, Taken) else {axis for axis, _ in item.terms}
    return frozenset(found)


@dataclass(frozen=True)
class Foreign:
    """A step that is no nest: whoever runs the program runs it in another way. at: its number among the nodes of the graph.

    why: what of it cannot be said in nests; reads, writes: arrays that lie as they stand.
    """

    name: str
    at: int
    why: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]

    axes = MappingProxyType[str, Size]({})
    values: ClassVar[tuple[Value, ...]] = ()
    stores: ClassVar[tuple[Store, ...]] = ()
    loads: ClassVar[tuple[Load, ...]] = ()

    def __str__(self) -> str:
        return f"foreign {self.name}: {self.why}"


@dataclass(frozen=True)
class Array:
    """What a nest reads and writes: the lengths of its axes and NumPy's name of the dtype."""

    shape: tuple[Size, ...]
    dtype: str


@dataclass(frozen=True)
class Loops:
    """A program: steps that run one after the other over named arrays. checks: arrays that hold 0 unless the data are wrong.

    constants: the arrays that are known.
    """

    arrays: dict[str, Array]
    steps: tuple[Nest | Foreign, ...]
    checks: tuple[str, ...] = ()
    constants: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    @property
    def nests(self) -> tuple[Nest, ...]:
        return tuple(step for step in self.steps if isinstance(step, Nest))

    @property
    def foreign(self) -> tuple[Foreign, ...]:
        return tuple(step for step in self.steps if isinstance(step, Foreign))

    def __str__(self) -> str:
        return "\n".join(str(step) for step in self.steps)


# ---- making nests ---------------------------------------------------------------------------------------------------------------


@dataclass
class Writer:
    """Makes the values of a nest one by one; the same value is made once."""

    axes: dict[str, Size] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)
    known: dict[Value | str, int] = field(default_factory=dict)
    stores: list[Store] = field(default_factory=list)

    def add(self, value: Value) -> int:
        key = repr(value) if isinstance(value, Number) else value  # 0.0 == -0.0, and they are two values
        if key not in self.known:
            self.known[key] = len(self.values)
            self.values.append(value)
        return self.known[key]

    def axis(self, size: Size, hint: str = "i") -> str:
        """A new axis of this length; its name begins with `hint`."""
        name, number = hint, 0
        while name in self.axes:
            number += 1
            name = f"{hint}{number}"
        self.axes[name] = size
        return name

    def store(self, array: str, index: Index, value: int, *, adds: bool = False) -> None:
        self.stores.append(Store(array, index, value, adds))

    def nest(self, name: str) -> Nest:
        return Nest(name, dict(self.axes), tuple(self.values), tuple(self.stores))


def at(*axes: str | int | Affine) -> Index:
    """An index of plain axes, numbers and affine expressions."""
    return tuple(item if isinstance(item, Affine) else Affine(item) if isinstance(item, int) else Affine(0, ((item, 1),)) for item in axes)


# ---- text -----------------------------------------------------------------------------------------------------------------------


def nest_lines(nest: Nest) -> Iterator[str]:
    yield f"nest {nest.name}"
    yield "  axes " + (", ".join(f"{axis}: {size}" for axis, size in nest.axes.items()) or "none")
    for number, value in enumerate(nest.values):
        yield f"  {number}: {value_text(value)}"
    for store in nest.stores:
        yield f"  {'add' if store.adds else 'store'} {store.array}{index_text(store.index)} {'+=' if store.adds else '='} {store.value}"


def index_text(index: Index) -> str:
    return f"[{', '.join(map(str, index))}]"


def value_text(value: Value) -> str:
    match value:
        case Load(array=array, index=index, fill=fill):
            body = f"load {array}{index_text(index)}" + ("" if fill is None else f" else {fill}")
        case Number(value=number):
            body = f"number {number}"
        case Position(index=place):
            body = f"position {place}"
        case Length(size=size):
            body = f"length {size}"
        case Apply(function=function, args=args):
            body = " ".join([function, *map(str, args)])
        case Reduce(function=function, arg=arg, axes=axes):
            body = f"{function} {arg} over {', '.join(axes)}"
    return f"{value.dtype} {body}"
