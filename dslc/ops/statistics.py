"""Reductions made of sums and products: products, moments, norms, running sums, the log of a sum of exponentials."""

from __future__ import annotations

from math import prod
from typing import Any

from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.reduce import cases, reduced, shape_of
from dslc.ops.support import constant, normal_axes, number, one, product, spread, zero
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F, Val


def apart_from_zero(rng: Any) -> list[Case]:
    """Distinct sizes from 0.3 on, of both signs."""
    found = []
    for case in cases(rng):
        shape = case.inputs[0].shape
        x = 0.3 + rng.permutation(case.inputs[0].size).reshape(shape) * 0.11
        found.append(Case((x * rng.choice([-1, 1], shape),), dict(case.attrs)))
    return found


def with_attrs(**attrs: Any) -> Any:
    return lambda rng: [Case(case.inputs, {**case.attrs, **attrs}) for case in apart_from_zero(rng)]


def _prod_grad(g: Val, y: Val, x: Val, axis: Any, keep: bool) -> Val:
    """The product of the others: y / x; with one zero it is what the others make at that place, with two it is 0."""
    nought = F.equal(x, zero(x))
    zeros = spread(F.sum(F.cast(nought, dtype=x.type.dtype), axis=axis, keep=True), x, axis, True)
    safe = F.where(nought, one(x), x)
    others = spread(F.prod(safe, axis=axis, keep=True), x, axis, True) / safe
    counts = F.equal(zeros, F.cast(nought, dtype=x.type.dtype))
    return spread(g, x, axis, keep) * F.where(counts, others, zero(x))


op(
    "prod(x: n[*s], axis: axes = none, keep: bool = false) -> n[*s]",
    "the product over the axes",
    kind="reduce",
    eval=lambda xp, x, axis, keep: xp.prod(x, axis=axis, keepdims=keep, dtype=x.dtype),
    grad={"x": _prod_grad},
    shape=shape_of,
    sample=apart_from_zero,
    analytic=True,
    example="y = prod(x, axis=-1)",
)


def _logsumexp(xp: Any, x: Any, axis: Any, keep: bool) -> Any:
    """m + log Σ exp(x - m) with the largest m; where m is infinite it is the result."""
    largest = xp.max(x.real, axis=axis, keepdims=True)
    m = xp.where(xp.isfinite(largest), largest, xp.zeros_like(largest))
    total = xp.log(xp.sum(xp.exp(x - m), axis=axis, keepdims=True)) + m
    return total if keep else total.reshape(tuple(n for i, n in enumerate(x.shape) if i not in normal_axes(axis, x.ndim)))


op(
    "logsumexp(x: f[*s], axis: axes = none, keep: bool = false) -> f[*s]",
    "log Σ exp(x) over the axes, written so that it does not overflow",
    kind="reduce",
    eval=_logsumexp,
    grad={"x": lambda g, y, x, axis, keep: spread(g, x, axis, keep) * F.exp(x - spread(y, x, axis, keep))},
    shape=shape_of,
    sample=cases,
    example="y = logsumexp(x, axis=-1)",
)
op(
    "any(x: bool[*s], axis: axes = none, keep: bool = false) -> bool[*s]",
    "whether one or more are true over the axes",
    kind="reduce",
    eval=lambda xp, x, axis, keep: xp.any(x, axis=axis, keepdims=keep),
    shape=lambda x, axis, keep: reduced(x, axis, keep),
    sample=lambda rng: [Case((case.inputs[0] > 0.5,), case.attrs) for case in cases(rng)],
    example="y = any(x > 0, axis=-1)",
)


def _count_cases(rng: Any) -> list[Case]:
    """Some zeros, of every sort of dtype."""
    found = []
    for case in cases(rng):
        x = case.inputs[0] * rng.integers(0, 2, case.inputs[0].shape)
        found += [Case((array,), case.attrs) for array in (x, x > 0, x.astype("int64"))]
    return found


op(
    "count_nonzero(x: t[*s], axis: axes = none, keep: bool = false) -> i64[*s]",
    "how many values are not 0 (or are true) over the axes",
    kind="reduce",
    eval=lambda xp, x, axis, keep: xp.sum(x != 0, axis=axis, keepdims=keep, dtype="int64"),
    grad={"x": None},
    shape=lambda x, axis, keep: TensorType(dtype=DType.i64, shape=reduced(x, axis, keep).shape),
    sample=_count_cases,
    example="y = count_nonzero(x, axis=-1)",
)

# ---- moments -----------------------------------------------------------------------------------------------------------------------


def degrees(x: TensorType, axis: Any, correction: int) -> Dim:
    """How many values a moment counts: the size less `correction`."""
    return product([x.shape[a] for a in normal_axes(axis, x.rank)]) - Dim.of(correction)


def _moment_shape(x: TensorType, axis: Any, keep: bool, correction: int) -> TensorType:
    result = reduced(x, axis, keep)
    if correction < 0 or degrees(x, axis, correction).sign() in (-1, 0):
        raise Mismatch("correction", "`correction` is from 0 to below the number of values", wanted="0 …", found=str(correction))
    return result


def _var(xp: Any, x: Any, axis: Any, keep: bool, correction: int) -> Any:
    centred = x - xp.mean(x, axis=axis, keepdims=True)
    square = xp.sum(centred * centred, axis=axis, keepdims=keep)
    count = prod(x.shape[a] for a in normal_axes(axis, x.ndim))
    return square / (count - correction)


def _centred(g: Val, x: Val, axis: Any, correction: int) -> Val:
    """(x - mean) / (count - correction)."""
    mean = spread(F.mean(x, axis=axis, keep=True), x, axis, True)
    return (x - mean) / number(g, degrees(x.type, axis, correction))


def _var_grad(g: Val, y: Val, x: Val, axis: Any, keep: bool, correction: int) -> Val:
    return spread(g, x, axis, keep) * _centred(g, x, axis, correction) * 2.0


def _std_grad(g: Val, y: Val, x: Val, axis: Any, keep: bool, correction: int) -> Val:
    return spread(g / y, x, axis, keep) * _centred(g, x, axis, correction)


def _moment_cases(rng: Any) -> list[Case]:
    several = [case for case in apart_from_zero(rng) if case.attrs["axis"] != (0, 1)]
    return [Case(case.inputs, {**case.attrs, "correction": at % 2}) for at, case in enumerate(several)]


op(
    "var(x: f[*s], axis: axes = none, keep: bool = false, correction: int = 0) -> f[*s]",
    "the variance Σ (x - mean)² / (count - correction) over the axes",
    kind="reduce",
    eval=_var,
    grad={"x": _var_grad},
    shape=_moment_shape,
    sample=_moment_cases,
    analytic=True,
    example="y = var(x, axis=-1)",
)
op(
    "std(x: f[*s], axis: axes = none, keep: bool = false, correction: int = 0) -> f[*s]",
    "the standard deviation, the square root of `var`; its gradient is infinite at 0",
    kind="reduce",
    eval=lambda xp, x, axis, keep, correction: xp.sqrt(_var(xp, x, axis, keep, correction)),
    grad={"x": _std_grad},
    shape=_moment_shape,
    sample=_moment_cases,
    analytic=True,
    example="y = std(x, axis=-1, correction=1)",
)

# ---- norms -------------------------------------------------------------------------------------------------------------------------


def _norm_shape(x: TensorType, p: float, axis: Any, keep: bool) -> TensorType:
    if p < 1:
        raise Mismatch("p", "`p` of `norm` is at least 1", wanted=">= 1", found=str(p))
    return reduced(x, axis, keep)


def _norm(xp: Any, x: Any, p: float, axis: Any, keep: bool) -> Any:
    if p == 2:
        return xp.sqrt(xp.sum(x * x, axis=axis, keepdims=keep))
    total = xp.sum(xp.abs(x) if p == 1 else xp.power(xp.abs(x), p), axis=axis, keepdims=keep)
    return total if p == 1 else xp.power(total, 1 / p)


def _norm_grad(g: Val, y: Val, x: Val, p: float, axis: Any, keep: bool) -> Val:
    """sign(x)·(|x| / y)^(p - 1), and 0 where the norm is 0."""
    if p == 1:
        return spread(g, x, axis, keep) * F.sign(x)
    safe = spread(F.where(F.equal(y, zero(y)), one(y), y), x, axis, keep)
    ratio = x / safe if p == 2 else F.sign(x) * F.pow(F.abs(x) / safe, constant(x, p - 1))
    return spread(g, x, axis, keep) * ratio


op(
    "norm(x: f[*s], p: float = 2.0, axis: axes = none, keep: bool = false) -> f[*s]",
    "(Σ |x|^p)^(1/p) over the axes; `max(abs(x))` is the norm of infinite p",
    kind="reduce",
    eval=_norm,
    grad={"x": _norm_grad},
    shape=_norm_shape,
    sample=lambda rng: [case for p in (1.0, 2.0, 3.0) for case in with_attrs(p=p)(rng)],
    example="y = norm(x, axis=-1)",
)

# ---- along an axis -----------------------------------------------------------------------------------------------------------------


def _along(x: TensorType, axis: int, **_: Any) -> TensorType:
    reduced(x, axis, True)
    return x


def _cumsum(xp: Any, x: Any, axis: int, exclusive: bool, reverse: bool) -> Any:
    ahead = xp.flip(x, axis) if reverse else x
    total = xp.cumsum(ahead, axis=axis, dtype=x.dtype)
    total = total - ahead if exclusive else total
    return xp.ascontiguousarray(xp.flip(total, axis) if reverse else total)


def _cumsum_grad(g: Val, y: Val, x: Val, axis: int, exclusive: bool, reverse: bool) -> Val:
    return F.cumsum(g, axis=axis, exclusive=exclusive, reverse=not reverse)


def _cumsum_cases(rng: Any) -> list[Case]:
    flags = ((False, False), (True, False), (False, True), (True, True))
    shapes = (((4,), -1), ((2, 3), 0), ((2, 3, 2), 1))
    return [Case((rng.uniform(-2, 2, s),), {"axis": a, "exclusive": e, "reverse": r}) for s, a in shapes for e, r in flags]


op(
    "cumsum(x: n[*s], axis: int = -1, exclusive: bool = false, reverse: bool = false) -> n[*s]",
    "the running sum along the axis; `exclusive` leaves the place itself out, `reverse` runs from the end",
    kind="reduce",
    eval=_cumsum,
    grad={"x": _cumsum_grad},
    shape=_along,
    sample=_cumsum_cases,
    analytic=True,
    example="y = cumsum(x, axis=0)",
)


def _cumprod_grad(g: Val, y: Val, x: Val, axis: int) -> Val:
    """(Σ_{j ≥ i} g_j·y_j) / x_i. From the first zero on y is 0; there the sum goes over products that leave this zero out."""
    nought = F.equal(x, zero(x))
    ones = F.cast(nought, dtype=x.type.dtype)
    first = F.equal(ones * F.cumsum(ones, axis=axis), one(x))
    left_out = F.cumprod(F.where(first, one(x), x), axis=axis)
    others = F.cumsum(g * y, axis=axis, reverse=True) / F.where(nought, one(x), x)
    return F.where(first, F.cumsum(g * left_out, axis=axis, reverse=True), others)


op(
    "cumprod(x: n[*s], axis: int = -1) -> n[*s]",
    "the running product along the axis",
    kind="reduce",
    eval=lambda xp, x, axis: xp.cumprod(x, axis=axis, dtype=x.dtype),
    grad={"x": _cumprod_grad},
    shape=_along,
    sample=lambda rng: [
        Case((rng.uniform(0.5, 2, s) * rng.choice([-1, 1], s),), {"axis": a}) for s, a in (((4,), -1), ((2, 3), 0), ((2, 3, 2), 1))
    ],
    analytic=True,
    example="y = cumprod(x, axis=0)",
)
op(
    "argmin(x: n[*s], axis: int = -1) -> i64[*s]",
    "the index of the smallest value along the axis; the first of equal ones",
    kind="reduce",
    eval=lambda xp, x, axis: xp.argmin(x, axis=axis),
    grad={"x": None},
    shape=lambda x, axis: TensorType(dtype=DType.i64, shape=reduced(x, axis, False).shape),
    sample=lambda rng: [Case((rng.permutation(12).reshape(3, 4) * 0.5,), {"axis": axis}) for axis in (-1, 0)],
    example="y = argmin(x)",
)
