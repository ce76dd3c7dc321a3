"""The sum of each window, and its p-norm (Sermanet, Chintala and LeCun 2012; Gulcehre et al. 2014): y = (Σ |x|^p)^(1/p).

p = 1 is the sum of the magnitudes, p = 2 the Euclidean norm, and a growing p comes near the largest magnitude. Padding adds nothing.
Caffe, PyTorch and ONNX sum, they do not average. PyTorch takes x^p without the magnitude, which is the same for an even p.
"""

from __future__ import annotations

from typing import Any

from dslc.ir.types import TensorType
from dslc.ops.pool import SETTINGS, SHAPES, frame, grad_shape, pool_shape, results
from dslc.ops.support import one, sizes, zero
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F, Val
from dslc.ops.window import blank, cropped, padded, taps

# ---- sum --------------------------------------------------------------------------------------------------------------------


def sum_pool(xp: Any, x: Any, kernel: Any, stride: Any, pad: Any, ceil: bool) -> Any:
    pads, count, ones = frame(x.shape[2:], kernel, stride, pad, ceil)
    full = padded(xp, x, pads, count, kernel, stride, ones)
    total = xp.zeros((*x.shape[:2], *count), x.dtype)
    for tap in taps(full, count, kernel, stride, ones):
        total += tap
    return total


def sum_pool_grad(xp: Any, g: Any, size: Any, kernel: Any, stride: Any, pad: Any, ceil: bool) -> Any:
    pads, count, ones = frame(size, kernel, stride, pad, ceil)
    full = blank(xp, g.shape[:2], size, pads, count, kernel, stride, ones, g.dtype)
    for into in taps(full, count, kernel, stride, ones):
        into += g
    return xp.ascontiguousarray(cropped(full, pads, size))


# ---- p-norm -----------------------------------------------------------------------------------------------------------------


def lp_shape(x: TensorType, kernel: Any, p: float, stride: Any, pad: Any, ceil: bool) -> TensorType:
    if p < 1:
        raise Mismatch("p", "`p` of `lp_pool` is at least 1: below, it is no norm", wanted=">= 1", found=str(p))
    return pool_shape(x, kernel, stride, pad, ceil)


def lp_pool(xp: Any, x: Any, kernel: Any, p: float, stride: Any, pad: Any, ceil: bool) -> Any:
    total = sum_pool(xp, x * x if p == 2 else xp.abs(x) ** p, kernel, stride, pad, ceil)
    return xp.sqrt(total) if p == 2 else total ** (1 / p)


def _lp_grad(g: Val, y: Val, x: Val, p: float, **a: Any) -> Val:
    # ∂y/∂x = sign(x)·(|x| / y)^(p-1); of a window of zeros alone it is 0, as for every norm here
    if p == 1:
        return F.sum_pool_grad(g, size=sizes(x)[2:], **a) * F.sign(x)
    share = g * nonzero_power(y, 1 - p)
    return F.sum_pool_grad(share, size=sizes(x)[2:], **a) * (x if p == 2 else F.sign(x) * nonzero_power(F.abs(x), p - 1))


def nonzero_power(value: Val, exponent: float) -> Val:
    """value^exponent, and 0 with derivative 0 where the value is 0."""
    nought = F.equal(value, zero(value))
    safe = F.where(nought, one(value), value)
    power = one(value) / safe if exponent == -1 else safe**exponent
    return F.where(nought, zero(value), power)


def sum_cases(rng: Any) -> list[Case]:
    return [Case((rng.uniform(-1, 1, shape),), dict(attrs)) for shape, attrs in SHAPES]


def grad_cases(rng: Any) -> list[Case]:
    return [Case((rng.uniform(-1, 1, results(shape, attrs)),), {"size": shape[2:], **attrs}) for shape, attrs in SHAPES]


def lp_cases(rng: Any) -> list[Case]:
    """Away from 0, where |x| has no derivative."""
    found = []
    for number, (shape, attrs) in enumerate(SHAPES):
        for p in (2.0, (1.0, 1.5, 3.0)[number % 3]):
            found.append(Case((rng.uniform(0.2, 1, shape) * rng.choice([-1, 1], shape),), {**attrs, "p": p}))
    return found


op(
    f"sum_pool(x: f[n, c, *s], {SETTINGS}) -> f[n, c, *t]",
    "the sum of each window; the stride is the kernel unless it is given",
    kind="pool",
    eval=sum_pool,
    grad={"x": lambda g, y, x, **a: F.sum_pool_grad(g, size=sizes(x)[2:], **a)},
    shape=pool_shape,
    sample=sum_cases,
    analytic=True,
    example="y = sum_pool(image, kernel=2)",
)
op(
    f"sum_pool_grad(g: f[n, c, *t], size: shape, {SETTINGS}) -> f[n, c, *s]",
    "the gradient of sum_pool, of the spatial sizes `size`",
    kind="pool",
    eval=sum_pool_grad,
    grad={"g": lambda h, y, g, size, **a: F.sum_pool(h, **a)},
    shape=grad_shape,
    sample=grad_cases,
    analytic=True,
    internal=True,
)
op(
    f"lp_pool(x: f[n, c, *s], {SETTINGS.replace('sizes,', 'sizes, p: float = 2,', 1)}) -> f[n, c, *t]",
    "the p-norm of each window, (Σ |x|^p)^(1/p) with p of at least 1 (Sermanet et al. 2012); the stride is the kernel unless it is given",
    kind="pool",
    eval=lp_pool,
    grad={"x": _lp_grad},
    shape=lp_shape,
    sample=lp_cases,
    example="y = lp_pool(image, kernel=2, p=2)",
)
