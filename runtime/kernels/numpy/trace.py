"""Writes down what a row's `eval` does: run once on `Traced` values, it leaves a list of steps in single-assignment form.

Only what ufuncs, reductions and views can express is traced; anything else raises `Untraceable` and the row runs as `eval`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Shape = tuple[int, ...]


class Untraceable(Exception):
    """`eval` uses something that is not a ufunc, a reduction or a view."""


@dataclass(eq=False)
class Traced:
    """A value of the trace. `index` is its number: the inputs come first, then one for each step."""

    tape: Tape
    index: int
    shape: Shape
    dtype: np.dtype[Any]

    __array_ufunc__ = None
    __hash__ = object.__hash__

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def T(self) -> Traced:
        return self.tape.view(lambda x: x.T, self)

    @property
    def real(self) -> Traced:
        return self

    def astype(self, dtype: Any, copy: bool = True) -> Traced:
        return self.tape.cast(self, np.dtype(dtype))

    def reshape(self, *shape: Any) -> Traced:
        sizes = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        return self.tape.view(lambda x: x.reshape(sizes), self)

    def transpose(self, *axes: Any) -> Traced:
        return self.tape.view(lambda x: x.transpose(*axes), self)

    def __getitem__(self, index: Any) -> Traced:
        items = index if isinstance(index, tuple) else (index,)
        if not all(item is None or item is Ellipsis or isinstance(item, (int, slice)) for item in items):
            raise Untraceable("an index that is not a view")
        return self.tape.view(lambda x: x[index], self)

    def sum(self, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Traced:
        return self.tape.reduce(np.add, self, axis, keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Traced:
        return self.tape.reduce(np.maximum, self, axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Traced:
        return self.tape.reduce(np.minimum, self, axis, keepdims)

    def __bool__(self) -> bool:
        raise Untraceable("a value decides")

    def __iter__(self) -> Any:
        raise Untraceable("a loop over values")

    def __float__(self) -> float:
        raise Untraceable("a value leaves the trace")

    __int__ = __index__ = __len__ = __float__  # type: ignore[assignment]


OPERATORS = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide, "mod": np.remainder,
    "pow": np.power, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "lshift": np.left_shift, "rshift": np.right_shift,
}  # fmt: skip
COMPARISONS = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
}  # fmt: skip


def give_operators(kind: type, apply: Callable[..., Any]) -> None:
    """Python's operators for a kind of traced values; apply(value, ufunc, *operands) writes one down."""

    def method(ufunc: np.ufunc, swap: bool = False) -> Any:
        return lambda self, *others: apply(self, ufunc, *((*others, self) if swap else (self, *others)))

    for name, ufunc in OPERATORS.items():
        setattr(kind, f"__{name}__", method(ufunc))
        setattr(kind, f"__r{name}__", method(ufunc, swap=True))
    for name, ufunc in (COMPARISONS | {"neg": np.negative, "abs": np.absolute, "invert": np.invert}).items():
        setattr(kind, f"__{name}__", method(ufunc))


give_operators(Traced, lambda value, ufunc, *operands: value.tape.ufunc(ufunc, *operands))

Operand = Traced | np.generic | bool | int | float


@dataclass(frozen=True)
class Step:
    """One step: `kind` is ufunc, cast, where, reduce, view or fill; `args` are values or numbers; `result` its value."""

    kind: str
    function: Any
    args: tuple[Operand, ...]
    result: Traced
    settings: dict[str, Any] = field(default_factory=dict)


class Tape:
    """The steps so far, and the array namespace `xp` that writes them."""

    def __init__(self) -> None:
        self.inputs: list[Traced] = []
        self.steps: list[Step] = []
        self.xp = Namespace(self)

    def input(self, shape: Sequence[int], dtype: Any) -> Traced:
        value = Traced(self, len(self.inputs), tuple(shape), np.dtype(dtype))
        self.inputs.append(value)
        return value

    def record(self, kind: str, function: Any, args: tuple[Operand, ...], shape: Shape, dtype: Any, **settings: Any) -> Traced:
        value = Traced(self, len(self.inputs) + len(self.steps), tuple(shape), np.dtype(dtype))
        self.steps.append(Step(kind, function, args, value, settings))
        return value

    def ufunc(self, function: np.ufunc, *args: Any, **rest: Any) -> Traced:
        if rest.pop("dtype", None) is not None or rest:
            raise Untraceable(f"settings of {function.__name__}")
        operands = tuple(operand(value) for value in args)
        loop = function.resolve_dtypes((*(weak(value) for value in operands), *([None] * function.nout)))
        if function.nout != 1:
            raise Untraceable(f"{function.__name__} has several results")
        converted = tuple(
            self.cast(value, dtype) if isinstance(value, Traced) else dtype.type(value)
            for value, dtype in zip(operands, loop, strict=False)
        )
        shape = np.broadcast_shapes(*(value.shape if isinstance(value, Traced) else () for value in converted))
        return self.record("ufunc", function, converted, shape, loop[-1])

    def cast(self, value: Traced, dtype: np.dtype[Any]) -> Traced:
        return value if value.dtype == dtype else self.record("cast", None, (value,), value.shape, dtype)

    def reduce(self, function: np.ufunc, value: Traced, axis: Any, keep: bool) -> Traced:
        axes = tuple(range(value.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        axes = tuple(a % value.ndim for a in axes)
        if function is np.add and value.dtype.kind not in "fiu":
            raise Untraceable("a sum of truth values")
        shape = tuple(1 if i in axes else n for i, n in enumerate(value.shape) if keep or i not in axes)
        return self.record("reduce", function, (value,), shape, value.dtype, axis=axes, keepdims=keep)

    def view(self, function: Callable[[Any], Any], value: Traced) -> Traced:
        """`function` makes a view; its shape is found on an array without memory."""
        found = function(np.lib.stride_tricks.as_strided(np.empty(1, value.dtype), value.shape, [0] * value.ndim))
        return self.record("view", function, (value,), found.shape, value.dtype)


def operand(value: Any) -> Operand:
    if isinstance(value, (Traced, bool, int, float, np.generic)):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 0:
        number: np.generic = value[()]
        return number
    raise Untraceable(f"an operand of type {type(value).__name__}")


def weak(value: Operand) -> Any:
    """What `resolve_dtypes` wants: a dtype, or the Python type of a number without one."""
    if isinstance(value, bool):
        return np.dtype(bool)
    return type(value) if isinstance(value, (int, float)) and not isinstance(value, np.generic) else value.dtype  # type: ignore[union-attr]


class Namespace:
    """`xp` of a trace: NumPy's names for ufuncs, reductions, views and the few functions that rows use."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.__name__ = "trace"

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name, None)
        if isinstance(found, np.ufunc):
            return lambda *args, **rest: self._tape.ufunc(found, *args, **rest)
        if isinstance(found, (type, float)):  # dtypes, pi, inf
            return found
        raise Untraceable(f"xp.{name}")

    def where(self, condition: Any, a: Any, b: Any) -> Traced:
        values = (a, b)
        if not isinstance(condition, Traced):
            raise Untraceable("a condition that is no tensor")
        dtype = np.result_type(*(v.dtype if isinstance(v, (Traced, np.generic)) else v for v in values))
        sides = tuple(self._tape.cast(v, dtype) if isinstance(v, Traced) else dtype.type(operand(v)) for v in values)
        shape = np.broadcast_shapes(condition.shape, *(v.shape for v in sides))
        return self._tape.record("where", None, (self._tape.cast(condition, np.dtype(bool)), *sides), shape, dtype)

    def sum(self, x: Traced, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Traced:
        value = x if dtype is None else self._tape.cast(x, np.dtype(dtype))
        return self._tape.reduce(np.add, value, axis, keepdims)

    def max(self, x: Traced, axis: Any = None, keepdims: bool = False) -> Traced:
        return self._tape.reduce(np.maximum, x, axis, keepdims)

    def min(self, x: Traced, axis: Any = None, keepdims: bool = False) -> Traced:
        return self._tape.reduce(np.minimum, x, axis, keepdims)

    amax, amin = max, min

    def all(self, x: Traced, axis: Any = None, keepdims: bool = False) -> Traced:
        return self._tape.reduce(np.logical_and, x, axis, keepdims)

    def any(self, x: Traced, axis: Any = None, keepdims: bool = False) -> Traced:
        return self._tape.reduce(np.logical_or, x, axis, keepdims)

    def prod(self, x: Traced, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Traced:
        value = x if dtype is None else self._tape.cast(x, np.dtype(dtype))
        return self._tape.reduce(np.multiply, value, axis, keepdims)

    def mean(self, x: Traced, axis: Any = None, keepdims: bool = False) -> Traced:
        total = self._tape.reduce(np.add, x, axis, keepdims)
        return total / (x.size // max(total.size, 1))

    def reshape(self, x: Traced, shape: Any) -> Traced:
        return self._tape.view(lambda a: np.reshape(a, shape), x)

    def transpose(self, x: Traced, axes: Any = None) -> Traced:
        return self._tape.view(lambda a: np.transpose(a, axes), x)

    def broadcast_to(self, x: Traced, shape: Any) -> Traced:
        return self._tape.view(lambda a: np.broadcast_to(a, shape), x)

    def expand_dims(self, x: Traced, axis: Any) -> Traced:
        return self._tape.view(lambda a: np.expand_dims(a, axis), x)

    def squeeze(self, x: Traced, axis: Any = None) -> Traced:
        return self._tape.view(lambda a: np.squeeze(a, axis), x)

    def asarray(self, x: Any, dtype: Any = None) -> Any:
        return x.astype(dtype) if isinstance(x, Traced) and dtype is not None else x

    def full_like(self, x: Traced, value: Any, dtype: Any = None) -> Traced:
        kind = np.dtype(dtype) if dtype is not None else x.dtype
        return self._tape.record("fill", None, (kind.type(operand(value)),), x.shape, kind)

    def zeros_like(self, x: Traced, dtype: Any = None) -> Traced:
        return self.full_like(x, 0, dtype)

    def ones_like(self, x: Traced, dtype: Any = None) -> Traced:
        return self.full_like(x, 1, dtype)

    def full(self, shape: Any, value: Any, dtype: Any) -> Traced:
        kind = np.dtype(dtype)
        return self._tape.record("fill", None, (kind.type(operand(value)),), shape if isinstance(shape, tuple) else (shape,), kind)

    def zeros(self, shape: Any, dtype: Any) -> Traced:
        return self.full(shape, 0, dtype)

    def ones(self, shape: Any, dtype: Any) -> Traced:
        return self.full(shape, 1, dtype)
