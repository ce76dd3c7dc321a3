"""What losses and metrics share: the mean over the predictions that count (R15), in arrays and as a graph."""

from __future__ import annotations

from typing import Any

from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.support import as_float, attr_shape, checked_index, number, one, product, reshape, sizes, zero
from dslc.ops.table import Mismatch
from dslc.ops.value import F, Val


def counted(xp: Any, shape: tuple[int, ...], dtype: Any, mask: Any, weight: Any, hit: Any = None) -> Any:
    """How much each prediction counts, or None where all count 1."""
    factors = [f.astype(dtype) for f in (hit, mask, weight) if f is not None]
    if not factors:
        return None
    total = xp.ones(shape, dtype)
    for factor in factors:
        total = total * factor
    return total


def averaged(xp: Any, each: Any, count: Any, keep: bool) -> Any:
    """`each` as it counts, or its mean over what counts; 0 where nothing counts. What does not count is 0, also if it is nan."""
    if count is not None:
        each = xp.where(count == 0, xp.zeros((), each.dtype), each * count)
    if keep:
        return each
    if count is None:
        return xp.mean(each)
    total = xp.sum(count)
    return xp.sum(each) / xp.where(total == 0, xp.ones((), total.dtype), total)


def counted_val(x: Val, shape: tuple[Dim, ...], mask: Val | None, weight: Val | None, hit: Val | None = None) -> Val | None:
    """`counted` as a graph."""
    total: Val | None = None
    for factor in (hit, mask, weight):
        if factor is not None:
            factor = as_float(factor, x.type.dtype)
            total = factor if total is None else total * factor
    if total is not None and total.type.shape != shape:
        total = F.broadcast(total, shape=attr_shape(shape))
    return total


def count_of(x: Val, shape: tuple[Dim, ...], count: Val | None) -> Val:
    """The number of predictions that count."""
    return number(x, product(shape)) if count is None else F.sum(count)


def as_counted(product: Val, count: Val | None) -> Val:
    """A product with `count`, 0 where that is 0: nan · 0 is nan."""
    return product if count is None else F.where(F.equal(count, zero(count)), zero(product), product)


def coefficient(g: Val, x: Val, shape: tuple[Dim, ...], count: Val | None, each: bool) -> Val:
    """∂L/∂(each prediction's loss): a scalar, or one for each prediction."""
    if each:
        return g if count is None else g * count
    if count is None:
        return g / number(g, product(shape))
    total = F.sum(count)
    safe = F.where(F.equal(total, zero(g)), one(g), total)
    return g / safe * count


def check_factors(shape: tuple[Dim, ...], dtype: DType, **factors: TensorType | None) -> None:
    """mask and weight have one entry for each prediction, or are scalars."""
    wanted = TensorType(dtype=dtype, shape=shape)
    for name, type in factors.items():
        if type is not None and type.shape not in (shape, ()):
            raise Mismatch(name, f"`{name}` has one value for each prediction", wanted=str(wanted), found=str(type))


def extras(**factors: Val | None) -> tuple[list[Val], tuple[str, ...]]:
    """The optional inputs that are given, and their names."""
    given = {name: value for name, value in factors.items() if value is not None}
    return list(given.values()), tuple(given)


def averaged_val(each: Val, count: Val | None, keep: bool) -> Val:
    """`averaged` as a graph."""
    if count is not None:
        each = as_counted(each * count, count)
    if keep:
        return each
    if count is None:
        return F.mean(each)
    total = F.sum(count)
    return F.sum(each) / F.where(F.equal(total, zero(each)), one(each), total)


# ---- along the axis of the classes ------------------------------------------------------------------------------------------


def rest(x: TensorType, axis: int) -> tuple[Dim, ...]:
    """The shape of x without the axis of the classes."""
    if not -x.rank <= axis < x.rank:
        raise Mismatch("axis", f"there is no axis {axis} in {x}", wanted=f"{-x.rank} … {x.rank - 1}", found=str(axis))
    return tuple(size for i, size in enumerate(x.shape) if i != axis % x.rank)


def class_shape(x: TensorType, label: TensorType, mask: TensorType | None = None, weight: TensorType | None = None, *, axis: int,
                each: bool, **settings: Any) -> TensorType:  # fmt: skip
    shape = rest(x, axis)
    if label.shape != shape:
        wanted = TensorType(dtype=label.dtype, shape=shape)
        raise Mismatch("label", "`label` has one class index for each prediction", wanted=str(wanted), found=str(label), other="x")
    check_factors(shape, x.dtype, mask=mask, weight=weight)
    smoothing = settings.get("smoothing", 0.0)
    if not 0 <= smoothing < 1:
        raise Mismatch("smoothing", "`smoothing` is from 0 to below 1", wanted="0 … 1", found=str(smoothing))
    if settings.get("k", 1) < 1:
        raise Mismatch("k", "`k` is at least 1", wanted=">= 1", found=str(settings["k"]))
    return TensorType(dtype=x.dtype, shape=shape if each else ())


def class_index(xp: Any, label: Any, hit: Any, mask: Any, classes: int) -> Any:
    """The labels, 0 where they do not count (ignored, or with a mask of 0); IndexError where one that counts is no class."""
    counts = hit if mask is None else mask != 0 if hit is None else hit & (mask != 0)
    index = (label if counts is None else xp.where(counts, label, xp.zeros((), label.dtype))).astype("int64")
    return checked_index(index, classes, "a label", "classes")


def kept(label: Val, ignore: int | None) -> Val | None:
    """Where the label is not the ignored one."""
    if ignore is None:
        return None
    wide = label if label.type.dtype is DType.i64 else F.cast(label, dtype=DType.i64)  # `ignore` may not fit into the labels' dtype
    return F.not_equal(wide, wide.builder.constant(ignore, DType.i64))


def inserted(value: Val, axis: int) -> Val:
    """With an axis of size 1 put in."""
    shape = list(sizes(value))
    return reshape(value, [*shape[:axis], 1, *shape[axis:]])
