"""Normalising over groups of channels (group and instance norm are made of it), and by the root of the mean square (RMS norm)."""

from __future__ import annotations

from typing import Any

from dslc.ir.types import Dim, TensorType
from dslc.ops.norm import normalize, normalize_cases, normalize_grad, normalize_shape
from dslc.ops.support import attr_shape, product, reshape
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F, Val

# ---- groups of channels -----------------------------------------------------------------------------------------------------


def members(shape: tuple[Dim, ...], groups: int) -> tuple[Dim, ...]:
    """[n, groups, what a group holds]: the shape [n, c, *s] with the members of each group on one axis."""
    return (shape[0], Dim.of(groups), shape[1] // groups * product(shape[2:]))


def group_shape(x: TensorType, groups: int, eps: float) -> TensorType:
    if groups < 1 or x.shape[1] % groups != Dim.of(0):
        reason = f"`groups` divides the channels, {x.shape[1]}"
        raise Mismatch("groups", reason, wanted=f"a divisor of {x.shape[1]}", found=str(groups))
    if eps <= 0:
        raise Mismatch("eps", "`eps` is above 0", wanted="> 0", found=str(eps))
    return x


def group_normalize(xp: Any, x: Any, groups: int, eps: float) -> Any:
    rows = x.reshape(x.shape[0], groups, -1)
    return normalize(xp, rows, -1, eps).reshape(x.shape)


def _group_grad(g: Val, y: Val, x: Val, groups: int, eps: float) -> Val:
    rows = attr_shape(members(x.type.shape, groups))
    inner = normalize_grad(reshape(g, rows), reshape(y, rows), reshape(x, rows), -1, eps)
    return reshape(inner, attr_shape(x.type.shape))


def _group_cases(rng: Any) -> list[Case]:
    shapes = (((2, 4, 3), 2), ((1, 3, 2, 2), 3), ((2, 3, 2, 2), 1), ((1, 4, 2, 1, 2), 2), ((2, 6), 2))
    return [Case((rng.uniform(-2, 2, shape),), {"groups": groups, "eps": 1e-5}) for shape, groups in shapes]


op(
    "group_normalize(x: f[n, c, *s], groups: int, eps: float = 1e-5) -> f[n, c, *s]",
    "(x - mean) / √(variance + eps) over the channels of each group and all axes after them, for each sample (Wu and He 2018)",
    kind="norm",
    eval=group_normalize,
    grad={"x": _group_grad},
    shape=group_shape,
    sample=_group_cases,
    analytic=True,
    example="y = op.group_normalize(image, groups=1)",
)

# ---- the root of the mean square --------------------------------------------------------------------------------------------


def rms_normalize(xp: Any, x: Any, axis: Any, eps: float) -> Any:
    return x / xp.sqrt(xp.mean(x * x, axis=axis, keepdims=True) + eps)


def _rms_grad(g: Val, y: Val, x: Val, axis: Any, eps: float) -> Val:
    # ∂L/∂x = (g - y·mean(g·y)) / √(mean(x²) + ε)
    root = F.sqrt(F.mean(x * x, axis=axis, keep=True) + eps)
    return (g - y * F.mean(g * y, axis=axis, keep=True)) / root


op(
    "rms_normalize(x: f[*s], axis: axes = -1, eps: float = 1e-5) -> f[*s]",
    "x / √(mean(x²) + eps) over the axes (Zhang and Sennrich 2019)",
    kind="norm",
    eval=rms_normalize,
    grad={"x": _rms_grad},
    shape=normalize_shape,
    sample=normalize_cases,
    analytic=True,
    example="y = op.rms_normalize(x)",
)
