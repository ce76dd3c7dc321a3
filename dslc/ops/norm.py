"""Normalisations: softmax, channel moments and affine (batch norm is made of them), and normalising over axes (layer norm)."""

from __future__ import annotations

from typing import Any

from dslc.ir.types import Dim, TensorType
from dslc.ops.reduce import reduced
from dslc.ops.support import normal_axes, number, per_channel, product, spread
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F, Val

# ---- softmax ----------------------------------------------------------------------------------------------------------------


def softmax(xp: Any, x: Any, mask: Any = None, axis: int = -1) -> Any:
    """exp(x - max) / Σ exp(x - max); masked places count nothing, and a row without any place gives zeros."""
    if mask is None:
        e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
        return e / xp.sum(e, axis=axis, keepdims=True)
    lowest = xp.asarray(xp.finfo(x.dtype).min, x.dtype)
    largest = xp.max(xp.where(mask, x, lowest), axis=axis, keepdims=True)
    e = xp.exp(xp.where(mask, x - largest, xp.zeros((), x.dtype))) * mask
    total = xp.sum(e, axis=axis, keepdims=True)
    return e / xp.where(total == 0, xp.ones((), x.dtype), total)


def softmax_shape(x: TensorType, mask: TensorType | None = None, axis: int = -1) -> TensorType:
    reduced(x, axis, True)
    unit = Dim.of(1)
    if mask is not None:
        fits = mask.rank == x.rank and all(m in (unit, s) for m, s in zip(mask.shape, x.shape, strict=True))
        if not fits:
            raise Mismatch("mask", "`mask` has the axes of `x`, of equal size or 1", wanted=str(x), found=str(mask), other="x")
    return x


def _softmax_grad(g: Val, y: Val, x: Val, mask: Val | None = None, axis: int = -1) -> Val:
    # ∂L/∂x = y · (g - Σ g·y)
    return y * (g - F.sum(g * y, axis=axis, keep=True))


def log_softmax(xp: Any, x: Any, axis: int) -> Any:
    z = x - xp.max(x, axis=axis, keepdims=True)
    return z - xp.log(xp.sum(xp.exp(z), axis=axis, keepdims=True))


def _rows(rng: Any) -> list[Case]:
    found = []
    for shape, axis in (((4,), -1), ((2, 3), -1), ((2, 3, 4), 1), ((3, 1), 1), ((1, 2, 2), 0)):
        found.append(Case((rng.uniform(-3, 3, shape),), {"axis": axis}))
    return found


def _masked_rows(rng: Any) -> list[Case]:
    import numpy as np

    found = _rows(rng)
    for shape, mask in (((2, 3), (2, 3)), ((2, 3, 4), (1, 3, 4)), ((2, 2), (2, 2))):
        keep = rng.integers(0, 2, mask).astype(bool)
        keep[..., 0] = True
        if shape == (2, 2):
            keep = np.array([[True, True], [False, False]])
        found.append(Case((rng.uniform(-3, 3, shape), keep), {"axis": -1, "optional": ("mask",)}))
    return found


op(
    "softmax(x: f[*s], mask: bool[*m] = none, axis: int = -1) -> f[*s]",
    "exp(x) / Σ exp(x) along the axis; places where `mask` is false get 0",
    kind="norm",
    eval=softmax,
    grad={"x": _softmax_grad},
    shape=softmax_shape,
    sample=_masked_rows,
    analytic=True,
    example="y = softmax(x)",
)
op(
    "log_softmax(x: f[*s], axis: int = -1) -> f[*s]",
    "x - log Σ exp(x) along the axis",
    kind="norm",
    eval=log_softmax,
    grad={"x": lambda g, y, x, axis: g - F.exp(y) * F.sum(g, axis=axis, keep=True)},
    shape=softmax_shape,
    sample=_rows,
    analytic=True,
    example="y = log_softmax(x)",
)

# ---- channels ---------------------------------------------------------------------------------------------------------------


def others(rank: int) -> tuple[int, ...]:
    """All axes but the channels."""
    return tuple(axis for axis in range(rank) if axis != 1)


def channel_moments(xp: Any, x: Any) -> Any:
    """Mean and biased variance, in two passes: Σ (x - mean)² does not cancel."""
    mean = xp.mean(x, axis=others(x.ndim), keepdims=True)
    centred = x - mean
    return mean.reshape(-1), xp.mean(centred * centred, axis=others(x.ndim))


def _moments_grad(g: Any, y: Any, x: Val) -> Val:
    # ∂L/∂x = (gm + 2·gv·(x - m)) / N = a·x + (gm/N - a·m) with a = 2·gv / N
    gm, gv = g
    m, _ = y
    known = gm if gm is not None else gv
    count = number(known, product([x.type.shape[axis] for axis in others(x.type.rank)]))
    if gv is None:
        rank = x.type.rank
        return spread(gm / count, x, others(rank), keep=False)
    a = 2.0 * gv / count
    shift = -(a * m) if gm is None else gm / count - a * m
    return F.channel_affine(x, a, shift)


def _channels(x: Any, v: Any) -> Any:
    return v.reshape(1, -1, *([1] * (x.ndim - 2)))


def _channel_shape(x: TensorType) -> tuple[TensorType, TensorType]:
    moment = TensorType(dtype=x.dtype, shape=(x.shape[1],))
    return moment, moment


BATCHES = ((3, 2), (2, 3, 4), (2, 1, 3, 2), (1, 2, 2, 2, 2))


def _moment_cases(rng: Any) -> list[Case]:
    return [Case((rng.uniform(-2, 2, shape),)) for shape in BATCHES]


def _affine_cases(rng: Any) -> list[Case]:
    return [Case((rng.uniform(-2, 2, s), rng.uniform(-2, 2, s[1]), rng.uniform(-2, 2, s[1]))) for s in BATCHES]


def _dot_cases(rng: Any) -> list[Case]:
    return [Case((rng.uniform(-2, 2, s), rng.uniform(-2, 2, s))) for s in BATCHES]


op(
    "channel_moments(x: f[n, c, *s]) -> f[c], f[c]",
    "the mean and the biased variance of each channel (axis 1)",
    kind="norm",
    eval=channel_moments,
    grad={"x": _moments_grad},
    shape=_channel_shape,
    sample=_moment_cases,
    analytic=True,
    example="y, v = op.channel_moments(image)",
)
op(
    "channel_affine(x: f[n, c, *s], scale: f[c], shift: f[c]) -> f[n, c, *s]",
    "scale · x + shift, with one scale and one shift for each channel (axis 1)",
    kind="norm",
    eval=lambda xp, x, scale, shift: x * _channels(x, scale) + _channels(x, shift),
    grad={
        "x": lambda g, y, x, scale, shift: g * per_channel(scale, x.type.rank),
        "scale": lambda g, y, x, scale, shift: F.channel_dot(g, x),
        "shift": lambda g, y, x, scale, shift: F.sum(g, axis=others(x.type.rank), keep=False),
    },
    sample=_affine_cases,
    analytic=True,
    example="m, v = op.channel_moments(image)\ny = op.channel_affine(image, v, m)",
)
op(
    "channel_dot(a: f[n, c, *s], b: f[n, c, *s]) -> f[c]",
    "Σ a·b over all axes but the channels (axis 1)",
    kind="norm",
    eval=lambda xp, a, b: xp.sum(a * b, axis=others(a.ndim)),
    grad={
        "a": lambda g, y, a, b: b * per_channel(g, a.type.rank),
        "b": lambda g, y, a, b: a * per_channel(g, a.type.rank),
    },
    sample=_dot_cases,
    analytic=True,
    internal=True,
)

# ---- normalising over axes -----------------------------------------------------------------------------------------------------


def normalize(xp: Any, x: Any, axis: Any, eps: float) -> Any:
    centred = x - xp.mean(x, axis=axis, keepdims=True)
    return centred / xp.sqrt(xp.mean(centred * centred, axis=axis, keepdims=True) + eps)


def normalize_grad(g: Val, y: Val, x: Val, axis: Any, eps: float) -> Val:
    # ∂L/∂x = (g - mean(g) - y·mean(g·y)) / √(var + ε)
    centred = x - F.mean(x, axis=axis, keep=True)
    deviation = F.sqrt(F.mean(centred * centred, axis=axis, keep=True) + eps)
    return (g - F.mean(g, axis=axis, keep=True) - y * F.mean(g * y, axis=axis, keep=True)) / deviation


def normalize_shape(x: TensorType, axis: Any, eps: float) -> TensorType:
    reduced(x, axis, True)
    if eps <= 0:
        raise Mismatch("eps", "`eps` is above 0", wanted="> 0", found=str(eps))
    return x


def normalize_cases(rng: Any) -> list[Case]:
    found = []
    for shape, axis in (((4,), -1), ((2, 3), -1), ((2, 3, 4), (1, 2)), ((3, 2), 0)):
        found.append(Case((rng.uniform(-2, 2, shape),), {"axis": normal_axes(axis, len(shape)), "eps": 1e-5}))
    return found


op(
    "normalize(x: f[*s], axis: axes = -1, eps: float = 1e-5) -> f[*s]",
    "(x - mean) / √(variance + eps) over the axes, with the biased variance",
    kind="norm",
    eval=normalize,
    grad={"x": normalize_grad},
    shape=normalize_shape,
    sample=normalize_cases,
    analytic=True,
    example="y = op.normalize(x)",
)
