"""Rows that turn, shift, repeat and cut values: flip, roll, tile, repeat, squeeze, unsqueeze, triangles, the identity matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.movement import checked_axis, dims, several, tensors
from dslc.ops.reduce import reduced
from dslc.ops.support import normal_axes, reshape, sizes
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F, Val


def listed(value: int | Sequence[int]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


def some(name: str, axis: Any) -> Any:
    """The axes; Mismatch where there are none."""
    if axis == ():
        raise Mismatch(name, f"`{name}` names at least one axis", wanted="an axis", found="[]")
    return axis


# ---- turning and shifting ---------------------------------------------------------------------------------------------------------


def _flip_shape(x: TensorType, axis: Any) -> TensorType:
    reduced(x, axis, True)
    return x


def roll_shape(x: TensorType, shift: Any, axis: Any) -> TensorType:
    reduced(x, some("axis", axis), True)
    if len(listed(shift)) != len(listed(axis)):
        reason = "`roll` has one `shift` for each axis"
        raise Mismatch("shift", reason, wanted=str(len(listed(axis))), found=str(len(listed(shift))), other="axis")
    return x


def _roll_grad(g: Val, y: Val, x: Val, shift: Any, axis: Any) -> Val:
    return F.roll(g, shift=tuple(-s for s in listed(shift)), axis=listed(axis))


ROLLS = (((5,), 2, 0), ((2, 3), -1, -1), ((2, 3), 7, 1), ((2, 3, 4), (1, -5), (0, 2)), ((3, 2), 0, 0))  # shape, shift, axis
op(
    "flip(x: t[*s], axis: axes = none) -> t[*s]",
    "the order turned around along the axes",
    kind="movement",
    eval=lambda xp, x, axis: xp.ascontiguousarray(xp.flip(x, normal_axes(axis, x.ndim))).reshape(x.shape),
    grad={"x": lambda g, y, x, axis: F.flip(g, axis=axis)},
    shape=_flip_shape,
    sample=several(tensors((4,), axis=0), tensors((2, 3), axis=-1), tensors((2, 3, 2), axis=(0, 2)), tensors((2, 3), axis=None)),
    analytic=True,
    example="y = flip(x, axis=-1)",
)
op(
    "roll(x: t[*s], shift: axes, axis: axes = -1) -> t[*s]",
    "moved by `shift` places towards the end along each axis; what falls off comes in at the start",
    kind="movement",
    eval=lambda xp, x, shift, axis: xp.roll(x, listed(shift), listed(axis)),
    grad={"x": _roll_grad},
    shape=roll_shape,
    sample=several(*(tensors(s, shift=shift, axis=axis) for s, shift, axis in ROLLS)),
    analytic=True,
    example="y = roll(x, 1)",
)

# ---- repeating --------------------------------------------------------------------------------------------------------------------


def tile_shape(x: TensorType, repeats: Any) -> TensorType:
    if len(repeats) != x.rank:
        raise Mismatch("repeats", f"`repeats` has one number for each of {x.rank} axes", wanted=str(x.rank), found=str(len(repeats)))
    for count in dims(repeats):
        at_least_one("repeats", count)
    return TensorType(dtype=x.dtype, shape=tuple(size * count for size, count in zip(x.shape, dims(repeats), strict=True)))


def at_least_one(name: str, count: Dim) -> None:
    if count.sign() in (-1, 0):
        raise Mismatch(name, f"`{name}` is at least 1", wanted=">= 1", found=str(count))


def _tile_grad(g: Val, y: Val, x: Val, repeats: Any) -> Val:
    parts = [size for count, n in zip(repeats, sizes(x), strict=True) for size in (count, n)]
    return F.sum(reshape(g, parts), axis=tuple(range(0, len(parts), 2))) if parts else g


def repeat_shape(x: TensorType, count: Any, axis: int) -> TensorType:
    at = checked_axis(x, axis)
    at_least_one("count", Dim.of(count))
    return TensorType(dtype=x.dtype, shape=(*x.shape[:at], x.shape[at] * Dim.of(count), *x.shape[at + 1 :]))


def _repeat_grad(g: Val, y: Val, x: Val, count: Any, axis: int) -> Val:
    at, shape = axis % x.type.rank, sizes(x)
    return F.sum(reshape(g, [*shape[: at + 1], count, *shape[at + 1 :]]), axis=at + 1)


op(
    "tile(x: t[*s], repeats: list[size]) -> t[*r]",
    "the whole tensor so many times along each axis",
    kind="movement",
    eval=lambda xp, x, repeats: xp.tile(x, repeats),
    grad={"x": _tile_grad},
    shape=tile_shape,
    sample=several(tensors((3,), repeats=(2,)), tensors((2, 3), repeats=(1, 2)), tensors((2, 1, 3), repeats=(3, 2, 1))),
    analytic=True,
    example="y = tile(x, [1, 2])",
)
op(
    "repeat(x: t[*s], count: size, axis: int = -1) -> t[*r]",
    "each entry along the axis so many times, one after the other",
    kind="movement",
    eval=lambda xp, x, count, axis: xp.repeat(x, count, axis=axis),
    grad={"x": _repeat_grad},
    shape=repeat_shape,
    sample=several(tensors((3,), count=2, axis=0), tensors((2, 3), count=3, axis=-1), tensors((2, 3, 2), count=2, axis=1)),
    analytic=True,
    example="y = repeat(x, 2)",
)

# ---- axes of size 1 ---------------------------------------------------------------------------------------------------------------


def squeeze_shape(x: TensorType, axis: Any) -> TensorType:
    reduced(x, some("axis", axis), True)
    axes = normal_axes(axis, x.rank)
    for at in axes:
        if x.shape[at] != Dim.of(1):
            raise Mismatch("axis", f"axis {at} of {x} has not size 1", wanted="1", found=str(x.shape[at]), other="x")
    return TensorType(dtype=x.dtype, shape=tuple(size for at, size in enumerate(x.shape) if at not in axes))


def unsqueeze_shape(x: TensorType, axis: Any) -> TensorType:
    rank = x.rank + len(listed(axis))
    for a in listed(some("axis", axis)):
        checked_axis(x, a, extra=len(listed(axis)))
    axes = normal_axes(axis, rank)
    if len(set(axes)) != len(axes):
        raise Mismatch("axis", "an axis is named twice", found=str(axis))
    rest = iter(x.shape)
    return TensorType(dtype=x.dtype, shape=tuple(Dim.of(1) if at in axes else next(rest) for at in range(rank)))


def _back(g: Val, y: Val, x: Val, axis: Any) -> Val:
    return reshape(g, sizes(x))


op(
    "squeeze(x: t[*s], axis: axes) -> t[*r]",
    "without these axes, which have size 1",
    kind="movement",
    eval=lambda xp, x, axis: x.squeeze(normal_axes(axis, x.ndim)),
    grad={"x": _back},
    shape=squeeze_shape,
    sample=several(tensors((2, 1, 3, 1), axis=(-1, 1)), tensors((2, 1, 3, 1), axis=-1), tensors((1, 2, 1), axis=0), tensors((1,), axis=0)),
    analytic=True,
    example="y = squeeze(mean(x, axis=1, keep=true), axis=1)",
)
op(
    "unsqueeze(x: t[*s], axis: axes) -> t[*r]",
    "with axes of size 1 at these places of the result",
    kind="movement",
    eval=lambda xp, x, axis: xp.expand_dims(x, listed(axis)),
    grad={"x": _back},
    shape=unsqueeze_shape,
    sample=several(tensors((2, 3), axis=0), tensors((2, 3), axis=-1), tensors((2,), axis=(0, 2)), tensors((), axis=0)),
    analytic=True,
    example="y = unsqueeze(x, axis=1)",
)

# ---- triangles and diagonals ------------------------------------------------------------------------------------------------------


def _triangle_shape(x: TensorType, k: int) -> TensorType:
    if x.rank < 2:
        raise Mismatch("x", "a triangle is of a matrix or a stack of matrices", wanted="at least 2 axes", found=str(x))
    return x


_SAMPLE = several(*(tensors(shape, k=k) for shape, k in (((3, 3), 0), ((2, 3, 4), 1), ((4, 3), -1), ((2, 2), 5))))
op(
    "tril(x: t[*s], k: int = 0) -> t[*s]",
    "the matrices of the last two axes with 0 above the k-th diagonal",
    kind="movement",
    eval=lambda xp, x, k: xp.tril(x, k),
    grad={"x": lambda g, y, x, k: F.tril(g, k=k)},
    shape=_triangle_shape,
    sample=_SAMPLE,
    analytic=True,
    example="y = tril(x @ transpose(x))",
)
op(
    "triu(x: t[*s], k: int = 0) -> t[*s]",
    "the matrices of the last two axes with 0 below the k-th diagonal",
    kind="movement",
    eval=lambda xp, x, k: xp.triu(x, k),
    grad={"x": lambda g, y, x, k: F.triu(g, k=k)},
    shape=_triangle_shape,
    sample=_SAMPLE,
    analytic=True,
    example="y = triu(x @ transpose(x), 1)",
)
op(
    "eye(count: size, dtype: dtype = f32) -> t[*s]",
    "the identity matrix",
    kind="constant",
    eval=lambda xp, count, dtype: xp.eye(count, dtype=dtype.numpy),
    shape=lambda count, dtype: TensorType(dtype=dtype, shape=(Dim.of(count), Dim.of(count))),
    sample=lambda rng: [Case((), {"count": count, "dtype": dtype}) for count in (1, 3) for dtype in (DType.f64, DType.i64, DType.bool)],
    example="y = x @ eye(3)",
)
