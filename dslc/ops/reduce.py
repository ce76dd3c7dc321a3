"""Reductions over axes (`axis`: an int, a list of ints, or all)."""

from __future__ import annotations

from typing import Any

from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.support import as_float, normal_axes, number, product, spread, zero
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F, Val


def reduced(x: TensorType, axis: Any, keep: bool) -> TensorType:
    """The result type of a reduction; Mismatch for an axis that x does not have."""
    for a in () if axis is None else axis if isinstance(axis, tuple) else (axis,):
        if not -x.rank <= a < x.rank:
            raise Mismatch("axis", f"there is no axis {a} in {x}", wanted=f"{-x.rank} … {x.rank - 1}", found=str(a))
    axes = normal_axes(axis, x.rank)
    if len(set(axes)) != len(axes):
        raise Mismatch("axis", "an axis is named twice", found=str(axis))
    shape = [Dim.of(1) if i in axes else size for i, size in enumerate(x.shape) if keep or i not in axes]
    return TensorType(dtype=x.dtype, shape=tuple(shape))


def shape_of(x: TensorType, axis: Any, keep: bool) -> TensorType:
    return reduced(x, axis, keep)


def cases(rng: Any) -> list[Case]:
    """Distinct values, so that max and min have no ties."""
    import numpy as np

    found = []
    for shape, axis, keep in (
        ((4,), None, False),
        ((2, 3), 0, False),
        ((2, 3), -1, True),
        ((2, 3, 5), (0, 2), False),
        ((1, 3), (0, 1), True),
    ):
        count = int(np.prod(shape))
        found.append(Case((rng.permutation(count).reshape(shape) * 0.37 - 1.0,), {"axis": axis, "keep": keep}))
    return found


def _count(g: Val, x: Val, axis: Any) -> Val:
    return number(g, product([x.type.shape[a] for a in normal_axes(axis, x.type.rank)]))


def _mean_parts(x: Val, axis: Any, keep: bool) -> tuple[Val, Val]:
    return F.sum(x, axis=axis, keep=keep), _count(x, x, axis)


def _extreme(g: Val, y: Val, x: Val, axis: Any, keep: bool) -> Val:
    """The gradient is shared evenly by all places that hold the extreme value."""
    hit = F.cast(F.equal(x, spread(y, x, axis, keep)), dtype=x.type.dtype)
    return spread(g / F.sum(hit, axis=axis, keep=keep), x, axis, keep) * hit


def _sum(xp: Any, x: Any, mask: Any = None, *, axis: Any, keep: bool) -> Any:
    return xp.sum(x if mask is None else xp.where(mask, x, xp.zeros((), x.dtype)), axis=axis, keepdims=keep, dtype=x.dtype)


def _sum_shape(x: TensorType, mask: TensorType | None = None, *, axis: Any, keep: bool) -> TensorType:
    if mask is not None and mask.shape != x.shape:
        raise Mismatch("mask", "`mask` has the shape of `x`", wanted=str(x), found=str(mask), other="x")
    return reduced(x, axis, keep)


def _sum_grad(g: Val, y: Val, x: Val, mask: Val | None = None, *, axis: Any, keep: bool) -> Val:
    full = spread(g, x, axis, keep)
    return full if mask is None else F.where(mask, full, zero(g))


def _sum_cases(rng: Any) -> list[Case]:
    masked = [Case((case.inputs[0], rng.integers(0, 2, case.inputs[0].shape).astype(bool)), {**case.attrs, "optional": ("mask",)})
              for case in cases(rng)]  # fmt: skip
    return cases(rng) + masked


op(
    "sum(x: n[*s], mask: bool[*m] = none, axis: axes = none, keep: bool = false) -> n[*s]",
    "the sum over the axes, of the places where `mask` is true",
    kind="reduce",
    eval=_sum,
    grad={"x": _sum_grad},
    shape=_sum_shape,
    sample=_sum_cases,
    analytic=True,
    example="y = sum(x, axis=-1)",
)
op(
    "mean(x: f[*s], axis: axes = none, keep: bool = false) -> f[*s]",
    "the mean over the axes",
    kind="reduce",
    eval=lambda xp, x, axis, keep: xp.mean(x, axis=axis, keepdims=keep),
    grad={"x": lambda g, y, x, axis, keep: spread(g / _count(g, x, axis), x, axis, keep)},
    shape=shape_of,
    sample=cases,
    analytic=True,
    parts=_mean_parts,
    example="y = mean(x, axis=-1, keep=true)",
)
for _name, _words in (("max", "largest"), ("min", "smallest")):
    op(
        f"{_name}(x: n[*s], axis: axes = none, keep: bool = false) -> n[*s]",
        f"the {_words} value over the axes; equal ones share the gradient",
        kind="reduce",
        eval=(lambda xp, x, axis, keep: xp.max(x, axis=axis, keepdims=keep))
        if _name == "max"
        else (lambda xp, x, axis, keep: xp.min(x, axis=axis, keepdims=keep)),
        grad={"x": _extreme},
        shape=shape_of,
        sample=cases,
        example=f"y = {_name}(x, axis=-1)",
    )


def _all_shape(x: TensorType, axis: Any, keep: bool) -> TensorType:
    return reduced(x, axis, keep)


def _all_cases(rng: Any) -> list[Case]:
    return [Case((case.inputs[0] > 0,), case.attrs) for case in cases(rng)]


op(
    "all(x: bool[*s], axis: axes = none, keep: bool = false) -> bool[*s]",
    "whether all are true over the axes",
    kind="reduce",
    eval=lambda xp, x, axis, keep: xp.all(x, axis=axis, keepdims=keep),
    shape=_all_shape,
    sample=_all_cases,
    example="y = all(x > 0, axis=-1)",
)


def _argmax_shape(x: TensorType, axis: int) -> TensorType:
    return TensorType(dtype=DType.i64, shape=reduced(x, axis, False).shape)


def _argmax_cases(rng: Any) -> list[Case]:
    return [Case((rng.permutation(12).reshape(3, 4) * 0.5,), {"axis": axis}) for axis in (-1, 0)] + [
        Case((rng.uniform(0, 1, (5,)),), {"axis": 0})
    ]


op(
    "argmax(x: n[*s], axis: int = -1) -> i64[*s]",
    "the index of the largest value along the axis; the first of equal ones",
    kind="reduce",
    eval=lambda xp, x, axis: xp.argmax(x, axis=axis),
    grad={"x": None},
    shape=_argmax_shape,
    sample=_argmax_cases,
    example="y = argmax(x)",
)


def mean_over(total: Val, count: Val) -> Val:
    """total / count, and 0 where nothing counts."""
    return total / F.maximum(as_float(count, total.type.dtype), total.builder.constant(1, total.type.dtype))
