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
