"""`xp` of a trace: NumPy's names for what a nest can say."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.loops.nest import Affine, Apply, Index, Position, Taken
from runtime.loops.places import broadcast_shape, narrowed, tuple_of
from runtime.loops.scalars import FUNCTIONS
from runtime.loops.tensor import FUNCTION_NAMES, Tensor, applied, constant, converted, operand, reduced
from runtime.loops.tracer import Tracer
from runtime.loops.trim import NoNest, product

SHORT = 64  # places of an axis over which a nest may run for every place of another


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

        known: dict[Index, int] = {}

        def read(index: Index) -> int:
            if index not in known:
                parts = zip((condition, *sides), (np.dtype(bool), dtype, dtype), strict=True)
                values = tuple(converted(self._tracer, part, goal, index) for part, goal in parts)
                known[index] = self._tracer.writer.add(Apply("where", values, dtype.name))
            return known[index]

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

    def take(self, x: Tensor, indices: Tensor, axis: int) -> Tensor:
        at, behind = axis % x.ndim, axis % x.ndim + indices.ndim

        def index(items: Index) -> Index:
            return (*items[:at], taken(self._tracer, indices.read(items[at:behind])), *items[behind:])

        return x.viewed((*x.shape[:at], *indices.shape, *x.shape[at + 1 :]), index)

    def argmax(self, x: Tensor, axis: int) -> Tensor:
        return first_of(x, self.max(x, axis, True), axis)

    def argmin(self, x: Tensor, axis: int) -> Tensor:
        return first_of(x, self.min(x, axis, True), axis)

    def cumsum(self, x: Tensor, axis: int, dtype: Any) -> Tensor:
        return self.sum(up_to(x.astype(dtype), axis, 0), axis % x.ndim, dtype=dtype)

    def cumprod(self, x: Tensor, axis: int, dtype: Any) -> Tensor:
        return self.prod(up_to(x.astype(dtype), axis, 1), axis % x.ndim, dtype=dtype)

    def roll(self, x: Tensor, shift: Any, axis: Any) -> Tensor:
        for by, at in zip(tuple_of(shift), tuple_of(axis), strict=True):
            x = self.take(x, self.remainder(self.arange(x.shape[at]) - by, x.shape[at]), at)
        return x

    def tile(self, x: Tensor, repeats: Any) -> Tensor:
        parts = [size for length in x.shape for size in (1, length)]
        wide = [size for count, length in zip(repeats, x.shape, strict=True) for size in (count, length)]
        return self.broadcast_to(x.reshape(parts), wide).reshape([product(pair) for pair in zip(repeats, x.shape, strict=True)])

    def repeat(self, x: Tensor, count: Any, axis: int) -> Tensor:
        at = axis % x.ndim
        wide = (*x.shape[: at + 1], count, *x.shape[at + 1 :])
        shape = (*x.shape[:at], product([x.shape[at], count]), *x.shape[at + 1 :])
        return self.broadcast_to(self.expand_dims(x, at + 1), wide).reshape(shape)

    def diagonal_distance(self, rows: Any, columns: Any) -> Tensor:
        """How far each place of a matrix lies right of the diagonal."""
        return self.arange(columns) - self.arange(rows)[:, None]

    def tril(self, x: Tensor, k: int) -> Tensor:
        return self.where(self.diagonal_distance(*x.shape[-2:]) <= k, x, x.dtype.type(0))

    def triu(self, x: Tensor, k: int) -> Tensor:
        return self.where(self.diagonal_distance(*x.shape[-2:]) >= k, x, x.dtype.type(0))

    def eye(self, count: Any, dtype: Any) -> Tensor:
        return (self.diagonal_distance(count, count) == 0).astype(dtype)

    def split(self, x: Tensor, parts: int, axis: int) -> list[Tensor]:
        at, size = axis % x.ndim, x.shape[axis]
        if not isinstance(size, int):
            raise NoNest("parts of an open axis")
        step = size // parts
        return [x[(*(slice(None),) * at, slice(start, start + step))] for start in range(0, size, step)]

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


def taken(tracer: Tracer, number: int) -> Affine | Taken:
    """A value as an index: a place itself where it is one."""
    value = tracer.writer.values[number]
    return value.index if isinstance(value, Position) else Taken(number)


def first_of(x: Tensor, most: Tensor, axis: int) -> Tensor:
    """The first place along the axis that holds this value; where the value is NaN, the first NaN."""
    xp, at = x.tracer.xp, axis % x.ndim
    hit = (x == most) | (x != x) if x.dtype.kind == "f" else x == most
    number = xp.arange(x.shape[at]).reshape([-1 if i == at else 1 for i in range(x.ndim)])
    return xp.min(xp.where(hit, number, np.iinfo(np.int64).max), axis=at)


def up_to(x: Tensor, axis: int, neutral: int) -> Tensor:
    """[*s, n, n, *r] of x[*s, n, *r]: for each place along the axis the values up to it, behind it a value that changes nothing."""
    xp, at = x.tracer.xp, axis % x.ndim
    size = x.shape[at]
    if not isinstance(size, int) or size > SHORT:
        raise NoNest("running along a long axis")
    before = (xp.diagonal_distance(size, size) >= 0).reshape([size, size, *(1 for _ in x.shape[at + 1 :])])
    return xp.where(before, xp.expand_dims(x, at + 1), x.dtype.type(neutral))
