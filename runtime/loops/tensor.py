"""Tensors of loop nests: what an array expression reads at an index, as a function from index to value.

A row's `eval` run on `Tensor`s leaves the values of a nest in a `Writer`: arithmetic becomes values, `transpose`, slices and broadcasts
become indices, `sum` and `max` become reductions. What cannot be said in this way raises `NoNest`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dslc.ir.types import Dim
from runtime.kernels.numpy.trace import give_operators
from runtime.loops.nest import Affine, Apply, Index, Length, Load, Number, Reduce, Size, Taken
from runtime.loops.places import broadcast_shape, filled_in, matched, narrowed, regrouped, slice_bounds, tuple_of
from runtime.loops.tracer import Place, Read, Shape, Tracer
from runtime.loops.trim import NoNest, product

FUNCTION_NAMES = {"divide": "true_divide", "abs": "absolute"}


@dataclass(eq=False)
class Tensor:
    """shape: lengths of the axes; read: the number of the value at an index; place: which element of which array it is, if it is one.

    whole: outside of its shape there is nothing else of that array.
    """

    tracer: Tracer
    shape: Shape
    dtype: np.dtype[Any]
    read: Read
    place: Place | None = None
    whole: bool = False

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

    def fenced(self, index: Index, fill: float) -> int:
        """The element at an index that may lie outside, where it is `fill`."""
        if not self.whole or self.place is None:
            raise NoNest("places outside of what is no array of its own")
        array, where = self.place(index)
        return self.tracer.writer.add(Load(array, where, self.dtype.name, fill))

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
        shape = tuple(self.shape[axis] for axis in order)
        return replace(self.viewed(shape, lambda i: tuple(i[places[axis]] for axis in range(self.ndim))), whole=self.whole)

    def swapaxes(self, a: int, b: int) -> Tensor:
        order = list(range(self.ndim))
        order[a], order[b] = order[b], order[a]
        return self.transpose(order)

    def reshape(self, *shape: Any) -> Tensor:
        sizes = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        goal = filled_in(self.shape, sizes)
        if goal == self.shape:
            return self
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

    def watched(self, count: Size) -> Tensor:
        """These indices, brought inside; whether they were there is asked by a nest of its own."""
        self.tracer.watched.append((self, count))
        xp = self.tracer.xp
        return xp.minimum(xp.maximum(self, 0), applied(self.tracer, np.subtract, count, 1))

    def changed(self, other: Any) -> Any:
        raise NoNest("an array that is changed in place")

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __iand__ = __ior__ = changed

    def __iter__(self) -> Any:
        raise NoNest("a loop over values")

    def __float__(self) -> float:
        raise NoNest("a value leaves the trace")

    __int__ = __index__ = __len__ = __float__  # type: ignore[assignment]


give_operators(Tensor, lambda value, ufunc, *operands: applied(value.tracer, ufunc, *operands))


# ---- slices ----


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

    known: dict[Index, int] = {}

    def read(index: Index) -> int:
        if index not in known:
            values = tuple(converted(tracer, value, dtype, index) for value, dtype in zip(operands, loop, strict=False))
            known[index] = tracer.writer.add(Apply(name, values, loop[-1].name))
        return known[index]

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
