"""Tensors of loop nests: what an array expression reads at an index, as a function from index to value.

A row's `eval` run on `Tensor`s leaves the values of a nest in a `Writer`: arithmetic becomes values, `transpose`, slices and broadcasts
become indices, `sum` and `max` become reductions. What cannot be said in this way raises `NoNest`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dslc.ir.types import Dim
from runtime.kernels.numpy.trace import COMPARISONS, OPERATORS
from runtime.loops.nest import Affine, Apply, Index, Length, Load, Nest, Number, Position, Reduce, Size, Taken, Value, Writer, at
from runtime.loops.scalars import FUNCTIONS

FUNCTION_NAMES = {"divide": "true_divide", "abs": "absolute"}

Shape = tuple[Size, ...]
Read = Callable[[Index], int]
Place = Callable[[Index], tuple[str, Index]]


class NoNest(Exception):
    """An array expression that is no loop nest: another way to run it is needed."""


def product(sizes: Sequence[Size]) -> Size:
    total = Dim.of(1)
    for size in sizes:
        total = total * size
    return total.constant if total.is_constant else total


@dataclass
class Check:
    """Where `count` was not 0 after the run, `words` say what is wrong with the data. array: where the count is written."""

    array: str
    words: str


@dataclass
class Tracer:
    """One nest while it is made. parts: axes that were cut into several, the outermost first."""

    writer: Writer = field(default_factory=Writer)
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def xp(self) -> Namespace:
        return Namespace(self)

    def array(self, name: str, shape: Shape, dtype: Any) -> Tensor:
        """All of an array."""
        return self.placed(lambda index: (name, index), shape, dtype)

    def placed(self, place: Place, shape: Shape, dtype: Any) -> Tensor:
        """Elements of an array, in an order of their own."""

        def read(index: Index) -> int:
            array, where = place(index)
            return self.writer.add(Load(array, where, np.dtype(dtype).name))

        return Tensor(self, shape, np.dtype(dtype), read, place)

    def cut(self, axis: str, sizes: Sequence[Size]) -> list[Affine]:
        """Places along parts of an axis; the axis is their mixed number. NoNest where it was cut in another way."""
        if axis not in self.parts:
            self.parts[axis] = tuple(self.writer.axis(size, axis) for size in sizes)
        parts = self.parts[axis]
        if [self.writer.axes[part] for part in parts] != list(sizes):
            raise NoNest(f"the axis {axis} would have to be cut in two ways")
        return [Affine(0, ((part, 1),)) for part in parts]

    def nest(self, name: str) -> Nest:
        nest = self.writer.nest(name)
        for axis, parts in self.parts.items():
            nest = joined(nest, axis, parts)
        return used(nest)


def joined(nest: Nest, axis: str, parts: tuple[str, ...]) -> Nest:
    """The nest with an axis replaced by its parts."""
    counts: dict[str, int] = {}
    step: Size = 1
    for part in reversed(parts):
        if not isinstance(step, int):
            raise NoNest(f"a part of {axis} inside another has no fixed length")
        counts[part] = step
        step = product([step, nest.axes[part]])
    whole = {axis: Affine.of(counts)}

    def index(items: Index) -> Index:
        return tuple(item.substitute(whole) if isinstance(item, Affine) else item for item in items)

    def value(old: Value) -> Value:
        match old:
            case Load(array=array, index=items, dtype=dtype, fill=fill):
                return Load(array, index(items), dtype, fill)
            case Position(index=place, dtype=dtype):
                return Position(place.substitute(whole), dtype)
            case Reduce(function=function, arg=arg, axes=axes, dtype=dtype) if axis in axes:
                return Reduce(function, arg, tuple(new for name in axes for new in (parts if name == axis else (name,))), dtype)
            case _:
                return old

    stores = tuple(type(store)(store.array, index(store.index), store.value, store.adds) for store in nest.stores)
    axes = {name: size for name, size in nest.axes.items() if name != axis}
    return Nest(nest.name, axes, tuple(value(old) for old in nest.values), stores)


def used(nest: Nest) -> Nest:
    """The nest without values that no store needs, and without axes that no value has."""
    keep: set[int] = set()
    todo = [item.value for store in nest.stores for item in store.index if isinstance(item, Taken)] + [store.value for store in nest.stores]
    while todo:
        number = todo.pop()
        if number not in keep:
            keep.add(number)
            todo += needs(nest.values[number])
    order = {old: new for new, old in enumerate(sorted(keep))}

    def index(items: Index) -> Index:
        return tuple(Taken(order[item.value]) if isinstance(item, Taken) else item for item in items)

    def value(old: Value) -> Value:
        match old:
            case Load(array=array, index=items, dtype=dtype, fill=fill):
                return Load(array, index(items), dtype, fill)
            case Apply(function=function, args=args, dtype=dtype):
                return Apply(function, tuple(order[arg] for arg in args), dtype)
            case Reduce(function=function, arg=arg, axes=axes, dtype=dtype):
                return Reduce(function, order[arg], axes, dtype)
            case _:
                return old

    values = tuple(value(nest.values[old]) for old in order)
    stores = tuple(type(store)(store.array, index(store.index), order[store.value], store.adds) for store in nest.stores)
    small = Nest(nest.name, nest.axes, values, stores)
    present = {axis for domain in small.domains for axis in domain} | {axis for store in stores for axis in small.store_domain(store)}
    present |= {axis for item in values if isinstance(item, Reduce) for axis in item.axes}
    return Nest(nest.name, {axis: size for axis, size in nest.axes.items() if axis in present}, values, stores)


def needs(value: Value) -> list[int]:
    match value:
        case Load(index=index):
            return [item.value for item in index if isinstance(item, Taken)]
        case Apply(args=args):
            return list(args)
        case Reduce(arg=arg):
            return [arg]
        case _:
            return []


@dataclass(eq=False)
class Tensor:
    """shape: lengths of the axes; read: the number of the value at an index; place: which element of which array it is, if it is one."""

    tracer: Tracer
    shape: Shape
    dtype: np.dtype[Any]
    read: Read
    place: Place | None = None

    __array_ufunc__ = None
    __hash__ = object.__hash__

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> Size:
        return product(self.shape)

    @property
    def real(self) -> Tensor:
        return self

    @property
    def T(self) -> Tensor:
        return self.transpose()

    def viewed(self, shape: Shape, index: Callable[[Index], Index]) -> Tensor:
        """The same elements under other indices."""
        place = self.place
        return Tensor(
            self.tracer, shape, self.dtype, lambda i: self.read(index(i)), None if place is None else (lambda i: place(index(i)))
        )  # fmt: skip

    def astype(self, dtype: Any, copy: bool = True) -> Tensor:
        goal = np.dtype(dtype)
        if goal == self.dtype:
            return self
        return Tensor(self.tracer, self.shape, goal, lambda i: self.tracer.writer.add(Apply("cast", (self.read(i),), goal.name)))

    def transpose(self, *axes: Any) -> Tensor:
        given = axes[0] if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes
        order = tuple(given) or tuple(reversed(range(self.ndim)))
        order = tuple(axis % self.ndim for axis in order)
        places = {axis: position for position, axis in enumerate(order)}
        return self.viewed(tuple(self.shape[axis] for axis in order), lambda i: tuple(i[places[axis]] for axis in range(self.ndim)))

    def swapaxes(self, a: int, b: int) -> Tensor:
        order = list(range(self.ndim))
        order[a], order[b] = order[b], order[a]
        return self.transpose(order)

    def reshape(self, *shape: Any) -> Tensor:
        sizes = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        goal = filled_in(self.shape, sizes)
        groups = matched(self.shape, goal)

        def index(items: Index) -> Index:
            found: list[Affine | Taken] = []
            for mine, theirs in groups:
                found += regrouped(self.tracer, [self.shape[i] for i in mine], [goal[i] for i in theirs], [items[i] for i in theirs])
            return tuple(found)

        return self.viewed(goal, index)

    def squeeze(self, axis: Any = None) -> Tensor:
        dropped = [i for i, size in enumerate(self.shape) if size == 1] if axis is None else [a % self.ndim for a in tuple_of(axis)]
        kept = [i for i in range(self.ndim) if i not in dropped]

        def index(items: Index) -> Index:
            found: list[Affine | Taken] = [Affine()] * self.ndim
            for place, axis in enumerate(kept):
                found[axis] = items[place]
            return tuple(found)

        return self.viewed(tuple(self.shape[i] for i in kept), index)

    def __getitem__(self, key: Any) -> Tensor:
        return sliced(self, key if isinstance(key, tuple) else (key,))

    def sum(self, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
        return self.tracer.xp.sum(self, axis, keepdims, dtype)

    def max(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return reduced(self, "max", axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return reduced(self, "min", axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return self.tracer.xp.mean(self, axis, keepdims)

    def __bool__(self) -> bool:
        raise NoNest("a value decides")

    def changed(self, other: Any) -> Any:
        raise NoNest("an array that is changed in place")

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __iand__ = __ior__ = changed

    def __iter__(self) -> Any:
        raise NoNest("a loop over values")

    def __float__(self) -> float:
        raise NoNest("a value leaves the trace")

    __int__ = __index__ = __len__ = __float__  # type: ignore[assignment]


def operator(ufunc: np.ufunc, swap: bool = False) -> Any:
    def method(self: Tensor, *others: Any) -> Tensor:
        return applied(self.tracer, ufunc, *((*others, self) if swap else (self, *others)))

    return method


for _name, _ufunc in OPERATORS.items():
    setattr(Tensor, f"__{_name}__", operator(_ufunc))
    setattr(Tensor, f"__r{_name}__", operator(_ufunc, swap=True))
for _name, _ufunc in (COMPARISONS | {"neg": np.negative, "abs": np.absolute, "invert": np.invert}).items():
    setattr(Tensor, f"__{_name}__", operator(_ufunc))


# ---- shapes ---------------------------------------------------------------------------------------------------------------------


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
    """The indices of one group of axes, of those of the group that has the same elements."""
    if len(mine) == len(theirs) == 1:
        return list(items)
    plain = [item for item, size in zip(items, theirs, strict=True) if size != 1]
    wide = [size for size in theirs if size != 1]
    real = [i for i, size in enumerate(mine) if size != 1]
    found: list[Affine | Taken] = [Affine()] * len(mine)
    if len(real) <= 1:
        if real:
            found[real[0]] = mixed(plain, wide)
        return found
    if len(plain) != 1:
        raise NoNest("several axes as several others")
    for place, part in zip(real, parts_of(tracer, plain[0], [mine[i] for i in real]), strict=True):
        found[place] = part
    return found


def mixed(items: Sequence[Affine | Taken], sizes: Sequence[Size]) -> Affine | Taken:
    """The place along one axis of the places along its parts."""
    if len(items) == 1:
        return items[0]
    total = Affine()
    step: Size = 1
    for item, size in zip(reversed(items), reversed(sizes), strict=True):
        if isinstance(item, Taken) or not isinstance(step, int):
            raise NoNest("an index that is no sum of places")
        total = total + item * step
        step = product([step, size])
    return total


def parts_of(tracer: Tracer, item: Affine | Taken, sizes: Sequence[Size]) -> Sequence[Affine]:
    if isinstance(item, Affine) and not item.terms:
        places, rest = [], item.constant
        for size in reversed(sizes):
            if not isinstance(size, int):
                raise NoNest("a place in parts without fixed lengths")
            places.append(Affine(rest % size))
            rest //= size
        return places[::-1]
    if isinstance(item, Taken) or item.constant or len(item.terms) != 1 or item.terms[0][1] != 1:
        raise NoNest("a place that cannot be taken apart")
    axis = item.terms[0][0]
    if tracer.writer.axes[axis] != product(sizes):
        raise NoNest("a part of an axis that cannot be taken apart")
    return tracer.cut(axis, sizes)


def sliced(x: Tensor, key: tuple[Any, ...]) -> Tensor:
    """`x[key]` with numbers, slices, None and `...`."""
    if not all(item is None or item is Ellipsis or isinstance(item, (int, np.integer, slice)) for item in key):
        raise NoNest("an index that is no view")
    if Ellipsis not in key:
        key = (*key, Ellipsis)
    real = sum(1 for item in key if item is not None and item is not Ellipsis)
    full: list[Any] = []
    for item in key:
        full += [slice(None)] * (x.ndim - real) if item is Ellipsis else [item]
    shape: list[Size] = []
    rules: list[tuple[int | None, int, int]] = []  # of each axis of x: place in the result (None: fixed), start, step
    axis = 0
    for item in full:
        if item is None:
            shape.append(1)
            continue
        size = x.shape[axis]
        axis += 1
        if isinstance(item, slice):
            start, length, step = slice_bounds(item, size)
            rules.append((len(shape), start, step))
            shape.append(length)
        elif isinstance(size, int):
            rules.append((None, int(item) % size, 0))
        elif item >= 0:
            rules.append((None, int(item), 0))
        else:
            raise NoNest("a place from the end of an open axis")

    def index(items: Index) -> Index:
        found: list[Affine | Taken] = []
        for place, start, step in rules:
            if place is None:
                found.append(Affine(start))
                continue
            item = items[place]
            if isinstance(item, Taken):
                if (start, step) != (0, 1):
                    raise NoNest("a slice of what is taken")
                found.append(item)
            else:
                found.append(item * step + Affine(start))
        return tuple(found)

    return x.viewed(tuple(shape), index)


def slice_bounds(item: slice, size: Size) -> tuple[int, Size, int]:
    if isinstance(size, int):
        start, stop, step = item.indices(size)
        return start, len(range(start, stop, step)), step
    if item == slice(None):
        return 0, size, 1
    raise NoNest("a part of an open axis")


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


# ---- functions ------------------------------------------------------------------------------------------------------------------


def weak(value: Any) -> Any:
    """What `resolve_dtypes` wants: a dtype, or the Python type of a number without one."""
    if isinstance(value, Dim):
        return int
    if isinstance(value, bool):
        return np.dtype(bool)
    return type(value) if isinstance(value, (int, float)) and not isinstance(value, np.generic) else value.dtype


def operand(value: Any) -> Any:
    if isinstance(value, (Tensor, Dim, bool, int, float, np.generic)):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return value[()]
    raise NoNest(f"an operand of type {type(value).__name__}")


def constant(tracer: Tracer, value: Any, dtype: np.dtype[Any]) -> int:
    if isinstance(value, Dim):
        return tracer.writer.add(Length(value, dtype.name))
    return tracer.writer.add(Number(dtype.type(value).item(), dtype.name))


def converted(tracer: Tracer, value: Any, dtype: np.dtype[Any], index: Index) -> int:
    """An operand at an index of the result, as this dtype."""
    if not isinstance(value, Tensor):
        return constant(tracer, value, dtype)
    wide = value.astype(dtype)
    return wide.read(narrowed(index, wide.shape))


def applied(tracer: Tracer, function: np.ufunc, *args: Any, **settings: Any) -> Tensor:
    """A ufunc of one result."""
    if settings or function.nout != 1:
        raise NoNest(f"{function.__name__} with settings, or with several results")
    operands = [operand(value) for value in args]
    loop = function.resolve_dtypes((*(weak(value) for value in operands), *([None] * function.nout)))
    shape = broadcast_shape(*(value.shape for value in operands if isinstance(value, Tensor)))
    name = FUNCTION_NAMES.get(function.__name__, function.__name__)

    def read(index: Index) -> int:
        values = tuple(converted(tracer, value, dtype, index) for value, dtype in zip(operands, loop, strict=False))
        return tracer.writer.add(Apply(name, values, loop[-1].name))

    return Tensor(tracer, shape, loop[-1], read)


def reduced(x: Tensor, function: str, axis: Any, keep: bool) -> Tensor:
    """A reduction over axes (None: all)."""
    axes = tuple(range(x.ndim)) if axis is None else tuple(a % x.ndim for a in tuple_of(axis))
    names = {a: x.tracer.writer.axis(x.shape[a], "k") for a in axes}
    shape = tuple(1 if i in axes else size for i, size in enumerate(x.shape) if keep or i not in axes)

    def read(index: Index) -> int:
        rest = iter(item for place, item in enumerate(index) if not keep or place not in axes)
        inner = tuple(Affine(0, ((names[a], 1),)) if a in names else next(rest) for a in range(x.ndim))
        return x.tracer.writer.add(Reduce(function, x.read(inner), tuple(names.values()), x.dtype.name))

    return Tensor(x.tracer, shape, x.dtype, read)


class Namespace:
    """`xp` of a trace: NumPy's names for what a nest can say."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self.__name__ = "nest"

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name, None)
        if isinstance(found, np.ufunc) and FUNCTION_NAMES.get(name, name) in FUNCTIONS:
            return lambda *args, **rest: applied(self._tracer, found, *args, **rest)
        if isinstance(found, (type, float)) or name == "finfo":
            return found
        raise NoNest(f"xp.{name}")

    def where(self, condition: Any, a: Any, b: Any) -> Tensor:
        if not isinstance(condition, Tensor):
            raise NoNest("a condition that is no tensor")
        dtype = np.result_type(*(v.dtype if isinstance(v, (Tensor, np.generic, np.ndarray)) else v for v in (a, b)))
        sides = (operand(a), operand(b))
        shape = broadcast_shape(condition.shape, *(v.shape for v in sides if isinstance(v, Tensor)))

        def read(index: Index) -> int:
            values = (converted(self._tracer, condition, np.dtype(bool), index), *(converted(self._tracer, v, dtype, index) for v in sides))
            return self._tracer.writer.add(Apply("where", values, dtype.name))

        return Tensor(self._tracer, shape, dtype, read)

    def sum(self, x: Tensor, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
        goal = dtype or {"b": np.int64, "i": np.int64, "u": np.uint64}.get(x.dtype.kind, x.dtype)
        return reduced(x.astype(goal), "sum", axis, keepdims)

    def prod(self, x: Tensor, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
        goal = dtype or {"b": np.int64, "i": np.int64, "u": np.uint64}.get(x.dtype.kind, x.dtype)
        return reduced(x.astype(goal), "product", axis, keepdims)

    def max(self, x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        return reduced(x, "max", axis, keepdims)

    def min(self, x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        return reduced(x, "min", axis, keepdims)

    amax, amin = max, min

    def all(self, x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        return reduced(x.astype(bool), "all", axis, keepdims)

    def any(self, x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        return reduced(x.astype(bool), "any", axis, keepdims)

    def mean(self, x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        axes = range(x.ndim) if axis is None else [a % x.ndim for a in tuple_of(axis)]
        return applied(self._tracer, np.true_divide, reduced(x, "sum", axis, keepdims), product([x.shape[a] for a in axes]))

    def arange(self, count: Any, dtype: Any = np.int64) -> Tensor:
        def read(index: Index) -> int:
            item = index[0]
            if isinstance(item, Taken):
                return item.value
            return self._tracer.writer.add(Position(item, np.dtype(dtype).name))

        return Tensor(self._tracer, (count,), np.dtype(dtype), read)

    def full(self, shape: Any, value: Any, dtype: Any = np.float64) -> Tensor:
        goal = np.dtype(dtype)
        return Tensor(self._tracer, tuple_of(shape), goal, lambda index: constant(self._tracer, value, goal))

    def ones(self, shape: Any, dtype: Any = np.float64) -> Tensor:
        return self.full(shape, 1, dtype)

    def zeros(self, shape: Any, dtype: Any = np.float64) -> Tensor:
        return self.full(shape, 0, dtype)

    def zeros_like(self, x: Tensor) -> Tensor:
        return self.full(x.shape, 0, x.dtype)

    def ones_like(self, x: Tensor) -> Tensor:
        return self.full(x.shape, 1, x.dtype)

    def take_along_axis(self, x: Tensor, indices: Tensor, axis: int) -> Tensor:
        at = axis % x.ndim

        def index(items: Index) -> Index:
            return tuple(Taken(indices.read(items)) if i == at else Affine() if x.shape[i] == 1 else item for i, item in enumerate(items))

        return x.viewed(indices.shape, index)

    def reshape(self, x: Tensor, shape: Any) -> Tensor:
        return x.reshape(shape)

    def transpose(self, x: Tensor, axes: Any = None) -> Tensor:
        return x.transpose(axes or tuple(reversed(range(x.ndim))))

    def broadcast_to(self, x: Tensor, shape: Any) -> Tensor:
        return x.viewed(tuple(shape), lambda index: narrowed(index, x.shape))

    def expand_dims(self, x: Tensor, axis: Any) -> Tensor:
        rank = x.ndim + len(tuple_of(axis))
        new = {a % rank for a in tuple_of(axis)}
        shape = iter(x.shape)
        return x.viewed(
            tuple(1 if i in new else next(shape) for i in range(rank)),
            lambda index: tuple(item for i, item in enumerate(index) if i not in new),
        )

    def squeeze(self, x: Tensor, axis: Any = None) -> Tensor:
        return x.squeeze(axis)

    def flip(self, x: Tensor, axis: Any = None) -> Tensor:
        axes = range(x.ndim) if axis is None else [a % x.ndim for a in tuple_of(axis)]
        if not all(isinstance(x.shape[a], int) for a in axes):
            raise NoNest("an open axis backwards")
        return x[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim))]

    def asarray(self, x: Any, dtype: Any = None) -> Any:
        return x.astype(dtype) if isinstance(x, Tensor) and dtype is not None else x if isinstance(x, Tensor) else np.asarray(x, dtype)

    array = ascontiguousarray = asarray


def all_of(tracer: Tracer, shape: Shape, hint: str = "i") -> Index:
    """New axes for every place of a shape."""
    return at(*(tracer.writer.axis(size, hint) if size != 1 else 0 for size in shape))
