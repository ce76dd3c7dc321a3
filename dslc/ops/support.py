"""What gradient rules of several families share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.value import F, Val


def zero(g: Val) -> Val:
    """0 of the dtype of `g`."""
    return g.builder.constant(0, g.type.dtype)


def one(g: Val) -> Val:
    return g.builder.constant(1, g.type.dtype)


def constant(x: Val, value: float) -> Val:
    """A number of the dtype of `x`."""
    return x.builder.constant(value, x.type.dtype)


def numbers_along(x: Val, axis: int) -> Val:
    """0, 1, … along this axis of `x`, which has size 1 along the others: i64."""
    size = sizes(x)[axis]
    return reshape(x.builder.one("arange", (), count=size), [size if i == axis else 1 for i in range(x.type.rank)])


def checked_index(index: Any, count: int, index_words: str, count_words: str) -> Any:
    """The indices of an array; IndexError where one is not from 0 on below `count` (a negative one would count from the end).

    Arrays whose elements are not known yet have a method `watched` that remembers the question.
    """
    watched = getattr(index, "watched", None)
    if watched is not None:
        return watched(count)
    low, high = index.min(), index.max()
    if low < 0 or high >= count:
        raise IndexError(f"{index_words} is {low if low < 0 else high}, and there are {count} {count_words} from 0 on")
    return index


def normal_axes(axis: int | tuple[int, ...] | None, rank: int) -> tuple[int, ...]:
    """Axes as sorted non-negative ints; None means all."""
    if axis is None:
        return tuple(range(rank))
    return tuple(sorted(a % rank for a in (axis if isinstance(axis, tuple) else (axis,))))


def sizes(value: Val) -> tuple[int | Dim, ...]:
    """The shape as an attribute: ints where fixed."""
    return attr_shape(value.type.shape)


def attr_shape(shape: Sequence[Dim]) -> tuple[int | Dim, ...]:
    return tuple(size.constant if size.is_constant else size for size in shape)


def number(g: Val, dim: Dim) -> Val:
    """A size as a scalar of the dtype of `g`."""
    if dim.is_constant:
        return g.builder.constant(dim.constant, g.type.dtype)
    return g.builder.one("size", (), dim=dim, dtype=g.type.dtype)


def product(shape: Sequence[Dim]) -> Dim:
    total = Dim.of(1)
    for size in shape:
        total = total * size
    return total


def reshape(value: Val, shape: Sequence[int | Dim]) -> Val:
    return value.builder.one("reshape", (value,), shape=tuple(shape))


def spread(g: Val, x: Val, axis: int | tuple[int, ...] | None, keep: bool) -> Val:
    """Undo a reduction's shape: put the reduced axes back and repeat along them."""
    axes = normal_axes(axis, x.type.rank)
    if not keep:
        g = reshape(g, [1 if i in axes else size for i, size in enumerate(sizes(x))])
    return F.broadcast(g, shape=sizes(x))


def unbroadcast(g: Val, type: TensorType) -> Val:
    """Sum over the axes along which a value of `type` was repeated to become `g`'s shape."""
    extra = g.type.rank - type.rank
    unit = Dim.of(1)
    axes = [*range(extra), *(i + extra for i, size in enumerate(type.shape) if size == unit and g.type.shape[i + extra] != unit)]
    if axes:
        g = F.sum(g, axis=tuple(axes), keep=False)
    return g if g.type.shape == type.shape else reshape(g, attr_shape(type.shape))


def last_swapped(value: Val) -> Val:
    """The matrix transpose: the last two axes swapped."""
    rank = value.type.rank
    return F.transpose(value, axes=(*range(rank - 2), rank - 1, rank - 2))


def per_channel(vector: Val, rank: int) -> Val:
    """[c] as [1, c, 1, ...] of this rank, to meet axis 1."""
    return reshape(vector, [1, *sizes(vector), *([1] * (rank - 2))])


def as_float(value: Val, dtype: DType) -> Val:
    return value if value.type.dtype == dtype else F.cast(value, dtype=dtype)
