"""Places along an axis: order (sort, top_k), one value for each index (take_along_axis), writing at indices (scatter), one-hot, filling."""

from __future__ import annotations

from math import prod
from typing import Any

from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.movement import checked_axis
from dslc.ops.support import checked_index, numbers_along, one, sizes, zero
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F, Val

REDUCTIONS = ("set", "add", "mul", "max", "min")


def places(index: Any, size: int, name: str) -> Any:
    """The indices as i64; IndexError where one is not of the axis."""
    return checked_index(index.astype("int64"), size, f"an index of `{name}`", "places")


def zeros_like(x: Val) -> Val:
    return F.broadcast(zero(x), shape=sizes(x))


# ---- one value for each index -------------------------------------------------------------------------------------------------------


def along_shape(x: TensorType, index: TensorType, axis: int) -> TensorType:
    """The index has x's shape, but for its size along the axis."""
    at = checked_axis(x, axis)
    if index.rank != x.rank or any(a != b for i, (a, b) in enumerate(zip(index.shape, x.shape, strict=True)) if i != at):
        reason = f"`index` has the shape of `x` in all axes but {axis}"
        raise Mismatch("index", reason, wanted=str(x), found=str(index), other="x")
    return TensorType(dtype=x.dtype, shape=index.shape)


def take_along_axis(xp: Any, x: Any, index: Any, axis: int) -> Any:
    return xp.take_along_axis(x, places(index, x.shape[axis], "take_along_axis"), axis)


def _take_grad(g: Val, y: Val, x: Val, index: Val, axis: int) -> Val:
    return F.scatter(zeros_like(x), index, g, axis=axis, reduction="add")


def _take_cases(rng: Any) -> list[Case]:
    shapes = (((3, 4), (3, 2), -1), ((3, 2), (5, 2), 0), ((2, 3, 2), (2, 4, 2), 1), ((4,), (1,), 0))
    return [Case((rng.uniform(-2, 2, x), rng.integers(0, x[axis], i)), {"axis": axis}) for x, i, axis in shapes]


op(
    "take_along_axis(x: t[*s], index: i64[*i], axis: int = -1) -> t[*i]",
    "for each index the value at that place of its own row: y[i, j] = x[i, index[i, j]]",
    kind="movement",
    eval=take_along_axis,
    grad={"x": _take_grad},
    shape=along_shape,
    sample=_take_cases,
    analytic=True,
    example="y = take_along_axis(x, argsort(x))",
)

# ---- writing at indices -------------------------------------------------------------------------------------------------------------


def scatter_shape(x: TensorType, index: TensorType, updates: TensorType, axis: int, reduction: str) -> TensorType:
    along_shape(x, index, axis)
    if reduction not in REDUCTIONS:
        wanted = ", ".join(f'"{name}"' for name in REDUCTIONS)
        raise Mismatch("reduction", f"`reduction` is one of {wanted}", wanted=wanted, found=f'"{reduction}"')
    if reduction != "set" and x.dtype is DType.bool:
        raise Mismatch("x", f"`{reduction}` is for numbers", wanted="numbers", found=str(x))
    return x


def scatter(xp: Any, x: Any, index: Any, updates: Any, axis: int, reduction: str) -> Any:
    """A copy of x, written in the order of the indices."""
    y = xp.array(x)
    at = axis % x.ndim
    index = places(index, x.shape[at], "scatter")
    where = tuple(
        index if i == at else xp.arange(n).reshape([-1 if j == i else 1 for j in range(x.ndim)]) for i, n in enumerate(index.shape)
    )
    if reduction == "set":
        y[where] = updates
    else:
        {"add": xp.add, "mul": xp.multiply, "max": xp.maximum, "min": xp.minimum}[reduction].at(y, where, updates)
    return y


def at_index(value: Val, index: Val, axis: int) -> Val:
    return F.take_along_axis(value, index, axis=axis)


def winners(x: Val, index: Val, axis: int) -> Val:
    """Which updates stay where several have one index: the last of them."""
    numbers = F.broadcast(numbers_along(index, axis % x.type.rank), shape=sizes(index))
    nowhere = F.broadcast(x.builder.constant(0, DType.i64), shape=sizes(x))
    return F.equal(at_index(F.scatter(nowhere, index, numbers, axis=axis, reduction="max"), index, axis), numbers)


def _scatter_grad_x(g: Val, y: Val, x: Val, index: Val, updates: Val, axis: int, reduction: str) -> Val:
    if reduction == "add":
        return g
    if reduction == "set":
        return F.scatter(g, index, zeros_like(updates), axis=axis)
    if reduction == "mul":
        return F.scatter(g, index, updates, axis=axis, reduction="mul")
    return shared(g, y, x, index, updates, axis) * held(x, y)


def _scatter_grad_updates(g: Val, y: Val, x: Val, index: Val, updates: Val, axis: int, reduction: str) -> Val:
    if reduction == "add":
        return at_index(g, index, axis)
    if reduction == "set":
        return F.where(winners(x, index, axis), at_index(g, index, axis), zero(g))
    if reduction == "mul":
        return at_index(g, index, axis) * other_factors(x, index, updates, axis)
    return at_index(shared(g, y, x, index, updates, axis), index, axis) * held(updates, at_index(y, index, axis))


def held(value: Val, extreme: Val) -> Val:
    """1 where the value is the extreme one."""
    return F.cast(F.equal(value, extreme), dtype=value.type.dtype)


def shared(g: Val, y: Val, x: Val, index: Val, updates: Val, axis: int) -> Val:
    """Equal extremes share the gradient."""
    return g / F.scatter(held(x, y), index, held(updates, at_index(y, index, axis)), axis=axis, reduction="add")


def other_factors(x: Val, index: Val, updates: Val, axis: int) -> Val:
    """The product without the update itself: without one zero it is what the others make, with two it is 0."""
    nought = F.equal(updates, zero(updates))
    ones = F.cast(nought, dtype=x.type.dtype)
    zeros = at_index(F.scatter(zeros_like(x), index, ones, axis=axis, reduction="add"), index, axis)
    safe = F.where(nought, one(updates), updates)
    others = at_index(F.scatter(x, index, safe, axis=axis, reduction="mul"), index, axis) / safe
    return F.where(F.equal(zeros, ones), others, zero(x))


def _scatter_cases(rng: Any) -> list[Case]:
    import numpy as np

    found = []
    for x, i, axis in (((3, 4), (3, 2), -1), ((4, 2), (3, 2), 0), ((2, 3, 2), (2, 3, 2), 1)):
        for reduction in REDUCTIONS:
            index = np.argsort(rng.uniform(size=x), axis)
            index = np.take(index, range(i[axis]), axis)  # each place once
            index = index if reduction == "set" else np.minimum(index, x[axis] - 2)
            values = rng.permutation(int(np.prod(x) + np.prod(i))) * 0.17 + 0.3
            values = values * rng.choice([-1, 1], values.size)
            arrays = (values[: np.prod(x)].reshape(x), index, values[np.prod(x) :].reshape(i))
            found.append(Case(arrays, {"axis": axis, "reduction": reduction}))
    return found


op(
    'scatter(x: t[*s], index: i64[*i], updates: t[*i], axis: int = -1, reduction: string = "set") -> t[*s]',
    'x with each update put at its index along the axis: "set" (of equal indices the last one stays), "add", "mul", "max" or "min"',
    kind="movement",
    eval=scatter,
    grad={"x": _scatter_grad_x, "updates": _scatter_grad_updates},
    shape=scatter_shape,
    sample=_scatter_cases,
    example='y = scatter(x, argsort(w), w, reduction="add")',
)

# ---- order ------------------------------------------------------------------------------------------------------------------------


def order(xp: Any, x: Any, axis: int, descending: bool) -> Any:
    """The stable order along the axis: of equal values the lower index comes first, either way."""
    if not descending:
        return xp.argsort(x, axis=axis, kind="stable")
    return x.shape[axis] - 1 - xp.flip(xp.argsort(xp.flip(x, axis), axis=axis, kind="stable"), axis)


def sort(xp: Any, x: Any, axis: int, descending: bool) -> tuple[Any, Any]:
    index = order(xp, x, axis, descending)
    return xp.take_along_axis(x, index, axis), index.astype("int64")


def top_k(xp: Any, x: Any, k: int, axis: int, largest: bool) -> tuple[Any, Any]:
    index = xp.take(order(xp, x, axis, largest), xp.arange(k), axis=axis)
    return xp.take_along_axis(x, index, axis), index.astype("int64")


def _sort_shape(x: TensorType, axis: int, descending: bool) -> tuple[TensorType, TensorType]:
    checked_axis(x, axis)
    return x, TensorType(dtype=DType.i64, shape=x.shape)


def _top_shape(x: TensorType, k: int, axis: int, largest: bool) -> tuple[TensorType, TensorType]:
    at = checked_axis(x, axis)
    if k < 1 or (x.shape[at] - Dim.of(k)).sign() == -1:
        raise Mismatch("k", f"`k` is from 1 to the size of axis {axis}, {x.shape[at]}", wanted=f"1 … {x.shape[at]}", found=str(k))
    shape = (*x.shape[:at], Dim.of(k), *x.shape[at + 1 :])
    return TensorType(dtype=x.dtype, shape=shape), TensorType(dtype=DType.i64, shape=shape)


def _ordered_grad(g: Any, y: Any, x: Val, axis: int, **_: Any) -> Val:
    """Each value goes back to the place that it came from."""
    return zeros_like(x) if g[0] is None else F.scatter(zeros_like(x), y[1], g[0], axis=axis, reduction="add")


def _apart(rng: Any, shape: tuple[int, ...]) -> Any:
    return rng.permutation(prod(shape)).reshape(shape) * 0.37 - 1.0


def _sort_cases(rng: Any) -> list[Case]:
    shapes = (((5,), 0), ((2, 4), -1), ((3, 2), 0), ((2, 3, 2), 1))
    return [Case((_apart(rng, s),), {"axis": axis, "descending": d}) for s, axis in shapes for d in (False, True)]


def _top_cases(rng: Any) -> list[Case]:
    shapes = (((5,), 0, 5), ((2, 4), -1, 2), ((3, 2), 0, 1), ((2, 3, 2), 1, 2))
    return [Case((_apart(rng, s),), {"axis": axis, "k": k, "largest": d}) for s, axis, k in shapes for d in (False, True)]


op(
    "sort(x: n[*s], axis: int = -1, descending: bool = false) -> n[*s], i64[*s]",
    "the values in order along the axis, and where each stood; of equal ones the lower index comes first",
    kind="movement",
    eval=sort,
    grad={"x": _ordered_grad},
    shape=_sort_shape,
    sample=_sort_cases,
    example="y, place = sort(x, descending=true)",
)
op(
    "argsort(x: n[*s], axis: int = -1, descending: bool = false) -> i64[*s]",
    "the indices that put the values in order along the axis; of equal ones the lower index comes first",
    kind="movement",
    eval=lambda xp, x, axis, descending: order(xp, x, axis, descending).astype("int64"),
    grad={"x": None},
    shape=lambda x, axis, descending: _sort_shape(x, axis, descending)[1],
    sample=_sort_cases,
    example="y = argsort(x)",
)
op(
    "top_k(x: n[*s], k: int, axis: int = -1, largest: bool = true) -> n[*r], i64[*r]",
    "the k largest values along the axis (or the smallest) in order, and where each stood; of equal ones the lower index comes first",
    kind="movement",
    eval=top_k,
    grad={"x": _ordered_grad},
    shape=_top_shape,
    sample=_top_cases,
    example="y, place = top_k(x, 2)",
)

# ---- classes, filling ---------------------------------------------------------------------------------------------------------------


def _one_hot(xp: Any, x: Any, classes: int, dtype: DType) -> Any:
    index = places(x, classes, "one_hot")
    return (xp.expand_dims(index, -1) == xp.arange(classes)).astype(dtype.numpy)


def _one_hot_shape(x: TensorType, classes: Any, dtype: DType) -> TensorType:
    if Dim.of(classes).sign() in (-1, 0):
        raise Mismatch("classes", "`classes` is at least 1", wanted=">= 1", found=str(classes))
    return TensorType(dtype=dtype, shape=(*x.shape, Dim.of(classes)))


op(
    "one_hot(x: i64[*s], classes: size, dtype: dtype = f32) -> t[*r]",
    "1 at the place of each index along a new last axis, 0 elsewhere",
    kind="movement",
    eval=_one_hot,
    shape=_one_hot_shape,
    sample=lambda rng: [
        Case((rng.integers(0, 3, shape),), {"classes": 3, "dtype": dtype})
        for shape in ((4,), (2, 3), ())
        for dtype in (DType.f64, DType.i64)
    ],
    example="y = one_hot(label, 3)",
)


def _fill_cases(rng: Any) -> list[Case]:
    shapes = (((2, 3), (2, 3)), ((3,), (2, 3)), ((2, 3), (3,)))
    return [Case((rng.uniform(-2, 2, x), rng.integers(0, 2, m).astype(bool)), {"value": -1.5}) for x, m in shapes]


op(
    "masked_fill(x: f[*s], mask: bool[*s], value: float = 0.0) -> f[*s]",
    "`value` where the mask is true, else x",
    kind="elementwise",
    eval=lambda xp, x, mask, value: xp.where(mask, xp.zeros_like(x) + value, x),
    grad={"x": lambda g, y, x, mask, value: F.where(mask, zero(g), g)},
    sample=_fill_cases,
    analytic=True,
    example="y = masked_fill(x, x > 0, -1.0)",
)
