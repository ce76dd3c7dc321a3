"""Rows that move values or make constant ones: shapes, slices, joins, indexing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.support import attr_shape, checked_index, last_swapped, product, sizes, unbroadcast
from dslc.ops.support import reshape as reshaped
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F, Val


def checked_axis(x: TensorType, axis: int, extra: int = 0) -> int:
    """The axis from 0; Mismatch if x (with `extra` axes more) does not have it."""
    rank = x.rank + extra
    if not -rank <= axis < rank:
        raise Mismatch("axis", f"there is no axis {axis} in {x}", wanted=f"{-rank} … {rank - 1}", found=str(axis))
    return axis % rank


def dims(shape: Sequence[int | Dim]) -> tuple[Dim, ...]:
    return tuple(Dim.of(size) for size in shape)


def text(shape: Sequence[Dim]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def tensors(*shapes: tuple[int, ...], **attrs: Any) -> Any:
    """One case of uniform tensors of these shapes."""
    return lambda rng: Case(tuple(rng.uniform(-2, 2, shape) for shape in shapes), dict(attrs))


def several(*cases: Any) -> Any:
    return lambda rng: [case(rng) for case in cases]


# ---- shape ------------------------------------------------------------------------------------------------------------------


def reshape_shape(x: TensorType, shape: Any) -> TensorType:
    wanted = dims(shape)
    if product(wanted) != x.elements:
        reason = f"{x} has {x.elements} elements, {text(wanted)} has {product(wanted)}"
        raise Mismatch("shape", reason, wanted=str(x.elements), found=str(product(wanted)), other="x")
    return TensorType(dtype=x.dtype, shape=wanted)


def transpose_order(axes: Sequence[int] | None, rank: int) -> tuple[int, ...]:
    return (*range(rank - 2), rank - 1, rank - 2) if axes is None else tuple(a % rank for a in axes)


def transpose_shape(x: TensorType, axes: Any) -> TensorType:
    if axes is None and x.rank < 2:
        raise Mismatch("x", "`transpose` swaps the last two axes", wanted="at least 2 axes", found=str(x))
    order = tuple(range(x.rank)) if axes is None else tuple(checked_axis(x, a) for a in axes)
    if sorted(order) != list(range(x.rank)):
        raise Mismatch("axes", f"`axes` names each of the {x.rank} axes once", wanted=text(dims(range(x.rank))), found=text(dims(axes)))
    return TensorType(dtype=x.dtype, shape=tuple(x.shape[a] for a in transpose_order(axes, x.rank)))


def _transpose_grad(g: Val, y: Val, x: Val, axes: Any) -> Val:
    if axes is None:
        return last_swapped(g)
    order = transpose_order(axes, x.type.rank)
    return F.transpose(g, axes=tuple(order.index(a) for a in range(len(order))))


def flatten_shape(x: TensorType) -> TensorType:
    if x.rank < 1:
        raise Mismatch("x", "`flatten` keeps axis 0", wanted="at least 1 axis", found=str(x))
    return TensorType(dtype=x.dtype, shape=(x.shape[0], product(x.shape[1:])))


def broadcast_shape(x: TensorType, shape: Any) -> TensorType:
    wanted = dims(shape)
    tail = wanted[len(wanted) - x.rank :] if x.rank else ()
    if x.rank > len(wanted) or any(a not in (b, Dim.of(1)) for a, b in zip(x.shape, tail, strict=True)):
        raise Mismatch("shape", f"{x} does not broadcast to {text(wanted)}", wanted=text(wanted), found=str(x), other="x")
    return TensorType(dtype=x.dtype, shape=wanted)


op(
    "reshape(x: t[*s], shape: shape) -> t[*r]",
    "the same elements in another shape, in row-major order",
    kind="movement",
    eval=lambda xp, x, shape: x.reshape(shape),
    grad={"x": lambda g, y, x, shape: reshaped(g, sizes(x))},
    shape=reshape_shape,
    sample=several(tensors((2, 3), shape=(3, 2)), tensors((4,), shape=(2, 1, 2)), tensors((1,), shape=()), tensors((2, 3, 2), shape=(12,))),
    analytic=True,
    example="y = reshape(x, [batch, 3, 1])",
)
op(
    "flatten(x: t[*s]) -> t[*r]",
    "axis 0 is kept, all others become one",
    kind="movement",
    eval=lambda xp, x: x.reshape(x.shape[0], -1),
    grad={"x": lambda g, y, x: reshaped(g, sizes(x))},
    shape=flatten_shape,
    onnx="Flatten",
    sample=several(tensors((2, 3, 2)), tensors((3,)), tensors((1, 1, 1, 2))),
    analytic=True,
    example="y = flatten(image)",
)
op(
    "transpose(x: t[*s], axes: list[int] = none) -> t[*r]",
    "the axes in another order; without `axes` the last two are swapped",
    kind="movement",
    eval=lambda xp, x, axes: xp.ascontiguousarray(x.transpose(transpose_order(axes, x.ndim))),
    grad={"x": _transpose_grad},
    shape=transpose_shape,
    sample=several(tensors((2, 3), axes=None), tensors((2, 3, 4), axes=(2, 0, 1)), tensors((2, 1, 3), axes=None)),
    analytic=True,
    example="y = transpose(x)",
)
op(
    "broadcast(x: t[*s], shape: shape) -> t[*r]",
    "repeated along axes of size 1 and along new axes in front",
    kind="movement",
    eval=lambda xp, x, shape: xp.array(xp.broadcast_to(x, shape)),
    grad={"x": lambda g, y, x, shape: unbroadcast(g, x.type)},
    shape=broadcast_shape,
    sample=several(tensors((3,), shape=(2, 3)), tensors((2, 1), shape=(2, 4)), tensors((), shape=(2, 2)), tensors((1,), shape=(1,))),
    analytic=True,
    example="y = op.broadcast(b, shape=[batch, 3])",
)

# ---- slices -----------------------------------------------------------------------------------------------------------------


def slice_shape(x: TensorType, starts: Any, stops: Any) -> TensorType:
    if len(starts) != x.rank or len(stops) != x.rank:
        raise Mismatch("starts", f"`slice` has a start and a stop for each of {x.rank} axes", wanted=str(x.rank), found=str(len(starts)))
    found = []
    for axis, (start, stop, size) in enumerate(zip(dims(starts), dims(stops), x.shape, strict=True)):
        if start.sign() == -1 or (stop - start).sign() in (-1, 0) or (size - stop).sign() == -1:
            reason = f"{start}:{stop} is not a part of axis {axis} of size {size}"
            raise Mismatch("stops", reason, wanted=f"0 <= start < stop <= {size}", found=f"{start}:{stop}", axis=axis)
        found.append(stop - start)
    return TensorType(dtype=x.dtype, shape=tuple(found))


def _slice_grad(g: Val, y: Val, x: Val, starts: Any, stops: Any) -> Val:
    after = attr_shape([size - Dim.of(stop) for size, stop in zip(x.type.shape, stops, strict=True)])
    return F.pad(g, before=starts, after=after)


op(
    "slice(x: t[*s], starts: list[size], stops: list[size]) -> t[*r]",
    "from start to below stop along each axis: `x[a:b]`",
    kind="movement",
    eval=lambda xp, x, starts, stops: xp.ascontiguousarray(x[tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))]),
    grad={"x": _slice_grad},
    shape=slice_shape,
    sample=several(
        tensors((4,), starts=(1,), stops=(3,)), tensors((3, 4), starts=(0, 2), stops=(3, 4)), tensors((1, 2), starts=(0, 0), stops=(1, 1))
    ),
    analytic=True,
    example="y = x[:, 0:2]",
)

# ---- joins ------------------------------------------------------------------------------------------------------------------


def same_dtype(name: str, xs: Sequence[TensorType]) -> None:
    for x in xs:
        if x.dtype != xs[0].dtype:
            raise Mismatch("xs", f"the tensors of `{name}` have one dtype", wanted=str(xs[0]), found=str(x), other="xs")


def concat_shape(*xs: TensorType, axis: int) -> TensorType:
    same_dtype("concat", xs)
    first = xs[0]
    at = checked_axis(first, axis)
    total = Dim.of(0)
    for x in xs:
        if x.rank != first.rank or any(a != b for i, (a, b) in enumerate(zip(x.shape, first.shape, strict=False)) if i != at):
            raise Mismatch("xs", f"the tensors of `concat` agree in all axes but {axis}", wanted=str(first), found=str(x), other="xs")
        total = total + x.shape[at]
    return TensorType(dtype=first.dtype, shape=(*first.shape[:at], total, *first.shape[at + 1 :]))


def _concat_grad(g: Val, y: Val, *xs: Val, axis: int) -> list[Val]:
    at = axis % y.type.rank
    start, found = Dim.of(0), []
    for x in xs:
        stop = start + x.type.shape[at]
        starts = [start if i == at else Dim.of(0) for i in range(y.type.rank)]
        stops = [stop if i == at else size for i, size in enumerate(y.type.shape)]
        found.append(F.slice(g, starts=attr_shape(starts), stops=attr_shape(stops)))
        start = stop
    return found


def stack_shape(*xs: TensorType, axis: int) -> TensorType:
    same_dtype("stack", xs)
    for x in xs:
        if x.shape != xs[0].shape:
            raise Mismatch("xs", "the tensors of `stack` have one shape", wanted=str(xs[0]), found=str(x), other="xs")
    at = checked_axis(xs[0], axis, extra=1)
    return TensorType(dtype=xs[0].dtype, shape=(*xs[0].shape[:at], Dim.of(len(xs)), *xs[0].shape[at:]))


def _stack_grad(g: Val, y: Val, *xs: Val, axis: int) -> list[Val]:
    at = axis % y.type.rank
    found = []
    for number, x in enumerate(xs):
        starts = [Dim.of(number if i == at else 0) for i in range(y.type.rank)]
        stops = [Dim.of(number + 1) if i == at else size for i, size in enumerate(y.type.shape)]
        found.append(reshaped(F.slice(g, starts=attr_shape(starts), stops=attr_shape(stops)), sizes(x)))
    return found


def split_shape(x: TensorType, parts: int, axis: int) -> tuple[TensorType, ...]:
    at = checked_axis(x, axis)
    if not 1 <= parts <= 4096:
        raise Mismatch("parts", "`parts` is from 1 to 4096", wanted="1 … 4096", found=str(parts))
    if x.shape[at] % parts != Dim.of(0):
        raise Mismatch("parts", f"axis {axis} of size {x.shape[at]} has no {parts} equal parts", wanted="a divisor", found=str(parts))
    part = TensorType(dtype=x.dtype, shape=(*x.shape[:at], x.shape[at] // parts, *x.shape[at + 1 :]))
    return (part,) * parts


def _split_grad(g: Any, y: Any, x: Val, parts: int, axis: int) -> Val:
    gs = g if isinstance(g, tuple) else (g,)
    zero = x.builder.constant(0, x.type.dtype)
    piece = (y if isinstance(y, tuple) else (y,))[0]
    filled = [F.broadcast(zero, shape=sizes(piece)) if part is None else part for part in gs]
    return F.concat(*filled, axis=axis)


op(
    "concat(xs: list[t], axis: int = -1) -> t[*r]",
    "the tensors one after the other along the axis",
    kind="movement",
    eval=lambda xp, *xs, axis: xp.concatenate(xs, axis=axis),
    grad={"xs": _concat_grad},
    shape=concat_shape,
    sample=several(tensors((2, 3), (2, 1), axis=-1), tensors((2, 2), (1, 2), (3, 2), axis=0), tensors((4,), axis=0)),
    analytic=True,
    example="y = concat(x, x)",
)
op(
    "stack(xs: list[t], axis: int = -1) -> t[*r]",
    "the tensors side by side along a new axis",
    kind="movement",
    eval=lambda xp, *xs, axis: xp.stack(xs, axis=axis),
    grad={"xs": _stack_grad},
    shape=stack_shape,
    sample=several(tensors((2, 3), (2, 3), axis=-1), tensors((2,), (2,), (2,), axis=0), tensors((), (), axis=0)),
    analytic=True,
    example="y = stack(x, x, axis=1)",
)
op(
    "split(x: t[*s], parts: int, axis: int = -1) -> t[*r]",
    "equal parts along the axis, one result for each",
    kind="movement",
    eval=lambda xp, x, parts, axis: tuple(xp.ascontiguousarray(part) for part in xp.split(x, parts, axis=axis)),
    grad={"x": _split_grad},
    shape=split_shape,
    sample=several(tensors((2, 4), parts=2, axis=-1), tensors((3, 2), parts=3, axis=0), tensors((2, 2), parts=1, axis=0)),
    analytic=True,
    example="y, z = split(op.concat(x, x), 2)",
)

# ---- indexing ---------------------------------------------------------------------------------------------------------------


def gather_shape(x: TensorType, index: TensorType, axis: int) -> TensorType:
    at = checked_axis(x, axis)
    return TensorType(dtype=x.dtype, shape=(*x.shape[:at], *index.shape, *x.shape[at + 1 :]))


def scatter_shape(g: TensorType, index: TensorType, size: Any, axis: int) -> TensorType:
    at = axis % (g.rank - index.rank + 1)
    return TensorType(dtype=g.dtype, shape=(*g.shape[:at], Dim.of(size), *g.shape[at + index.rank :]))


def scatter_add(xp: Any, g: Any, index: Any, size: int, axis: int) -> Any:
    """Zeros with `size` places along the axis, to which each slice of g is added at its index."""
    at = axis % (g.ndim - index.ndim + 1)
    flat = g.reshape(*g.shape[:at], -1, *g.shape[at + index.ndim :])
    rows = xp.moveaxis(flat, at, 0)
    result = xp.zeros((size, *rows.shape[1:]), g.dtype)
    xp.add.at(result, checked_index(index.reshape(-1).astype("int64"), size, "an index", "places"), rows)
    return xp.ascontiguousarray(xp.moveaxis(result, 0, at))


def gather(xp: Any, x: Any, index: Any, axis: int) -> Any:
    return xp.take(x, checked_index(index.astype("int64"), x.shape[axis], "an index", "places"), axis=axis)


def gather_cases(rng: Any) -> list[Case]:
    shapes = (((5, 3), (4,), 0), ((2, 4), (2, 3), 1), ((3, 2), (), 0), ((2, 3, 4), (1, 2), -2), ((4,), (), 0))
    return [Case((rng.uniform(-2, 2, x), rng.integers(0, x[axis], i)), {"axis": axis}) for x, i, axis in shapes]


def scatter_cases(rng: Any) -> list[Case]:
    import numpy as np

    found = []
    for case in gather_cases(rng):
        x, index = case.inputs
        axis = case.attrs["axis"] % x.ndim
        found.append(Case((rng.uniform(-2, 2, np.take(x, index, axis).shape), index), {"size": x.shape[axis], "axis": axis}))
    return found


op(
    "gather(x: t[*s], index: i64[*i], axis: int = 0) -> t[*r]",
    "the slices of x at these indices along the axis, from 0: `x[index]`",
    kind="movement",
    eval=gather,
    grad={"x": lambda g, y, x, index, axis: F.scatter_add(g, index, size=sizes(x)[axis], axis=axis % x.type.rank)},
    shape=gather_shape,
    sample=gather_cases,
    analytic=True,
    example="y = w[label]",
)
op(
    "scatter_add(g: f[*g], index: i64[*i], size: size, axis: int = 0) -> f[*r]",
    "the gradient of gather: each slice of g is added at its index",
    kind="movement",
    eval=scatter_add,
    grad={"g": lambda h, y, g, index, size, axis: F.gather(h, index, axis=axis)},
    shape=scatter_shape,
    sample=scatter_cases,
    analytic=True,
    internal=True,
)

# ---- constants ---------------------------------------------------------------------------------------------------------------


def constant_shape(value: Any, dtype: DType) -> TensorType:
    """A number, a list, or a list of lists of equal length; whole numbers where the dtype is an integer."""
    if not isinstance(value, tuple):
        check_number(value, dtype)
        return TensorType(dtype=dtype, shape=())
    nested = any(isinstance(row, tuple) for row in value)
    if nested and (not all(isinstance(row, tuple) for row in value) or len({len(row) for row in value}) != 1):
        raise Mismatch("value", "the rows of a constant have one length", found=str(value)[:60])
    for number in chain.from_iterable(value) if nested else value:
        check_number(number, dtype)
    return TensorType(dtype=dtype, shape=dims((len(value), len(value[0])) if nested else (len(value),)))


def check_number(value: Any, dtype: DType) -> None:
    """Mismatch unless the value is a number that the dtype can hold."""
    if not isinstance(value, (int, float)):
        reason = "a constant is a number, a list of numbers, or a list of such lists"
        raise Mismatch("value", reason, wanted="a number", found=str(value)[:60])
    if not dtype.is_int:
        return
    if value != value // 1:
        raise Mismatch("value", f"{value} is not a whole number, and the constant is {dtype}", wanted=str(dtype), found=str(value))
    low, high = integer_range(dtype)
    if not low <= value <= high:
        raise Mismatch("value", f"{value} does not fit into {dtype}", wanted=f"{low} … {high}", found=str(value))


def integer_range(dtype: DType) -> tuple[int, int]:
    """The smallest and the largest number of an integer dtype."""
    bits = 8 * dtype.itemsize
    return (0, 2**bits - 1) if dtype in (DType.u8, DType.u64) else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


op(
    "constant(value: scalar, dtype: dtype = f32) -> t[*s]",
    "a number, or a list of numbers, as a tensor",
    kind="constant",
    eval=lambda xp, value, dtype: xp.asarray(value, dtype.numpy),
    shape=constant_shape,
    sample=lambda rng: [Case((), {"value": value, "dtype": DType.f64}) for value in (1.5, (1.0, 2.0), ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)))],
    example="y = x @ tensor([[1.0], [2.0], [3.0]])",
)
op(
    "size(dim: size, dtype: dtype = f32) -> t[]",
    "a dim as a number",
    kind="constant",
    eval=lambda xp, dim, dtype: xp.asarray(dim, dtype.numpy),
    shape=lambda dim, dtype: TensorType(dtype=dtype, shape=()),
    sample=lambda rng: [Case((), {"dim": 3, "dtype": dtype}) for dtype in (DType.f64, DType.i64)],
    example="y = x / batch",
)
op(
    "arange(count: size, dtype: dtype = i64) -> t[*s]",
    "0, 1, …, count - 1",
    kind="constant",
    eval=lambda xp, count, dtype: xp.arange(count, dtype=dtype.numpy),
    shape=lambda count, dtype: TensorType(dtype=dtype, shape=(Dim.of(count),)),
    sample=lambda rng: [Case((), {"count": 4, "dtype": dtype}) for dtype in (DType.i64, DType.f64)],
    example="y = x[arange(batch)]",
)
