"""Pooling over windows of the spatial axes, and the gradients, which are rows themselves.

`ceil` also counts a last window that reaches beyond the input. Padding never wins a maximum; `count_pad` says whether it counts in a mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.types import Dim, TensorType
from dslc.ops.support import sizes
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F
from dslc.ops.window import Pairs, blank, cropped, padded, pads_of, result_size, spatial, taps

SETTINGS = "kernel: sizes, stride: sizes = none, pad: padding = 0, ceil: bool = false"


def pool_shape(x: TensorType, kernel: Any, stride: Any, pad: Any, ceil: bool, count_pad: bool = False) -> TensorType:
    axes = spatial("pool", x)
    if pad != "same":
        for (before, after), size in zip(pad, kernel, strict=True):
            if max(before, after) >= size:
                raise Mismatch(
                    "pad", f"a pad of {max(before, after)} leaves windows of {size} without a value", found=str(max(before, after))
                )
    found = [result_size("pool", i, size, kernel[i], stride[i], 1, pad, ceil) for i, size in enumerate(axes)]
    return TensorType(dtype=x.dtype, shape=(*x.shape[:2], *found))


def frame(shape: Sequence[int], kernel: Any, stride: Any, pad: Any, ceil: bool) -> tuple[Pairs, tuple[int, ...], tuple[int, ...]]:
    """Pads, number of windows and dilation (all 1) for an input of these spatial sizes."""
    ones = (1,) * len(kernel)
    count = tuple(result_size("pool", i, Dim.of(n), kernel[i], stride[i], 1, pad, ceil).constant for i, n in enumerate(shape))
    return pads_of(pad, shape, kernel, stride, ones), count, ones


# ---- maximum ----------------------------------------------------------------------------------------------------------------


def max_pool(xp: Any, x: Any, kernel: Any, stride: Any, pad: Any, ceil: bool) -> Any:
    pads, count, ones = frame(x.shape[2:], kernel, stride, pad, ceil)
    full = padded(xp, x, pads, count, kernel, stride, ones, value=-xp.inf)
    found = None
    for tap in taps(full, count, kernel, stride, ones):
        found = tap if found is None else xp.maximum(found, tap)
    return xp.array(found)


def max_pool_grad(xp: Any, x: Any, y: Any, g: Any, kernel: Any, stride: Any, pad: Any, ceil: bool) -> Any:
    """The gradient goes to the first place of each window that holds its maximum."""
    pads, count, ones = frame(x.shape[2:], kernel, stride, pad, ceil)
    full = padded(xp, x, pads, count, kernel, stride, ones, value=-xp.inf)
    result = blank(xp, x.shape[:2], x.shape[2:], pads, count, kernel, stride, ones, g.dtype)
    free = xp.ones(y.shape, bool)
    for tap, into in zip(taps(full, count, kernel, stride, ones), taps(result, count, kernel, stride, ones), strict=True):
        hit = (tap == y) & free
        into += g * hit
        free &= ~hit
    return xp.ascontiguousarray(cropped(result, pads, x.shape[2:]))


def max_pool_take(xp: Any, x: Any, y: Any, h: Any, kernel: Any, stride: Any, pad: Any, ceil: bool) -> Any:
    """For each window the value of h where x has its maximum: the adjoint of max_pool_grad."""
    pads, count, ones = frame(x.shape[2:], kernel, stride, pad, ceil)
    full = padded(xp, x, pads, count, kernel, stride, ones, value=-xp.inf)
    other = padded(xp, h, pads, count, kernel, stride, ones)
    result = xp.zeros(y.shape, h.dtype)
    free = xp.ones(y.shape, bool)
    for tap, value in zip(taps(full, count, kernel, stride, ones), taps(other, count, kernel, stride, ones), strict=True):
        hit = (tap == y) & free
        result += value * hit
        free &= ~hit
    return result


# ---- mean -------------------------------------------------------------------------------------------------------------------


def counted(xp: Any, shape: Sequence[int], kernel: Any, stride: Any, pads: Pairs, count: Sequence[int], count_pad: bool, dtype: Any) -> Any:
    """How many places each window's mean is over, as an array [*count]."""
    total = xp.ones((), dtype)
    for axis, (size, k, s, (before, after), n) in enumerate(zip(shape, kernel, stride, pads, count, strict=True)):
        start = xp.arange(n) * s - before
        low, high = (-before, size + after) if count_pad else (0, size)
        extent = xp.minimum(start + k, high) - xp.maximum(start, low)
        total = total * extent.astype(dtype).reshape([-1 if i == axis else 1 for i in range(len(count))])
    return total


def avg_pool(xp: Any, x: Any, kernel: Any, stride: Any, pad: Any, ceil: bool, count_pad: bool) -> Any:
    pads, count, ones = frame(x.shape[2:], kernel, stride, pad, ceil)
    full = padded(xp, x, pads, count, kernel, stride, ones)
    total = sum(taps(full, count, kernel, stride, ones))
    return total / counted(xp, x.shape[2:], kernel, stride, pads, count, count_pad, x.dtype)


def avg_pool_grad(xp: Any, g: Any, size: Any, kernel: Any, stride: Any, pad: Any, ceil: bool, count_pad: bool) -> Any:
    pads, count, ones = frame(size, kernel, stride, pad, ceil)
    share = g / counted(xp, size, kernel, stride, pads, count, count_pad, g.dtype)
    result = blank(xp, g.shape[:2], size, pads, count, kernel, stride, ones, g.dtype)
    for into in taps(result, count, kernel, stride, ones):
        into += share
    return xp.ascontiguousarray(cropped(result, pads, size))


def grad_shape(g: TensorType, size: Any, **_: Any) -> TensorType:
    return TensorType(dtype=g.dtype, shape=(*g.shape[:2], *(Dim.of(n) for n in size)))


# ---- samples: floor and ceil, uneven pads, `same`, gaps between windows, overlapping windows, 1-D and 3-D --------------------

SHAPES: tuple[tuple[tuple[int, ...], dict[str, Any]], ...] = (
    ((2, 3, 4, 6), {"kernel": (2, 2), "stride": (2, 2), "pad": ((0, 0), (0, 0)), "ceil": False}),
    ((1, 2, 5, 7), {"kernel": (3, 2), "stride": (2, 2), "pad": ((1, 1), (0, 1)), "ceil": False}),
    ((1, 2, 6, 5), {"kernel": (3, 3), "stride": (2, 2), "pad": ((0, 0), (0, 0)), "ceil": True}),
    ((2, 1, 5, 4), {"kernel": (2, 3), "stride": (1, 2), "pad": "same", "ceil": False}),
    ((1, 1, 7, 7), {"kernel": (2, 2), "stride": (3, 3), "pad": ((0, 0), (0, 0)), "ceil": False}),
    ((1, 1, 1, 1), {"kernel": (1, 1), "stride": (1, 1), "pad": ((0, 0), (0, 0)), "ceil": False}),
    ((2, 2, 7), {"kernel": (3,), "stride": (2,), "pad": ((1, 1),), "ceil": True}),
    ((1, 2, 2, 4), {"kernel": (3, 2), "stride": (2, 3), "pad": ((0, 0), (1, 1)), "ceil": True}),
    ((1, 1, 3, 5, 4), {"kernel": (2, 3, 2), "stride": (2, 2, 3), "pad": ((0, 0), (1, 1), (0, 0)), "ceil": True}),
    ((1, 2, 4, 3, 4), {"kernel": (2, 2, 2), "stride": (2, 1, 2), "pad": ((0, 0), (0, 0), (0, 0)), "ceil": False}),
)


def distinct(rng: Any, shape: tuple[int, ...]) -> Any:
    """Values that differ by 0.37 at least, so that no maximum is tied."""
    import numpy as np

    count = int(np.prod(shape))
    return rng.permutation(count).reshape(shape) * 0.37 - count * 0.185


def results(shape: tuple[int, ...], attrs: dict[str, Any]) -> tuple[int, ...]:
    _, count, _ = frame(shape[2:], attrs["kernel"], attrs["stride"], attrs["pad"], attrs["ceil"])
    return (*shape[:2], *count)


def max_cases(rng: Any) -> list[Case]:
    return [Case((distinct(rng, shape),), dict(attrs)) for shape, attrs in SHAPES]


def with_maximum(rng: Any, last: str) -> list[Case]:
    """x, its pooled y and a third tensor of the shape of `last`."""
    import numpy as np

    found = []
    for shape, attrs in SHAPES:
        x = distinct(rng, shape)
        third = rng.uniform(-1, 1, results(shape, attrs) if last == "y" else shape)
        found.append(Case((x, max_pool(np, x, **attrs), third), dict(attrs)))
    return found


def avg_cases(rng: Any) -> list[Case]:
    return [Case((rng.uniform(-1, 1, shape),), {**attrs, "count_pad": counts}) for shape, attrs in SHAPES for counts in (False, True)]


def avg_grad_cases(rng: Any) -> list[Case]:
    return [
        Case((rng.uniform(-1, 1, results(shape, attrs)),), {"size": shape[2:], **attrs, "count_pad": counts})
        for shape, attrs in SHAPES
        for counts in (False, True)
    ]


op(
    f"max_pool(x: f[n, c, *s], {SETTINGS}) -> f[n, c, *t]",
    "the largest value of each window; the stride is the kernel unless it is given",
    kind="pool",
    eval=max_pool,
    grad={"x": lambda g, y, x, **a: F.max_pool_grad(x, y, g, **a)},
    shape=pool_shape,
    sample=max_cases,
    example="y = op.max_pool(image, kernel=2)",
)
op(
    f"max_pool_grad(x: f[n, c, *s], y: f[n, c, *t], g: f[n, c, *t], {SETTINGS}) -> f[n, c, *s]",
    "the gradient of max_pool; it goes to the first of equal values",
    kind="pool",
    eval=max_pool_grad,
    grad={"x": None, "y": None, "g": lambda h, z, x, y, g, **a: F.max_pool_take(x, y, h, **a)},
    shape=lambda x, y, g, **a: x,
    sample=lambda rng: with_maximum(rng, "y"),
    internal=True,
)
op(
    f"max_pool_take(x: f[n, c, *s], y: f[n, c, *t], h: f[n, c, *s], {SETTINGS}) -> f[n, c, *t]",
    "the value of h where each window of x has its maximum y",
    kind="pool",
    eval=max_pool_take,
    grad={"x": None, "y": None, "h": lambda g, z, x, y, h, **a: F.max_pool_grad(x, y, g, **a)},
    shape=lambda x, y, h, **a: y,
    sample=lambda rng: with_maximum(rng, "x"),
    internal=True,
)
op(
    f"avg_pool(x: f[n, c, *s], {SETTINGS}, count_pad: bool = false) -> f[n, c, *t]",
    "the mean of each window; padding does not count unless `count_pad`",
    kind="pool",
    eval=avg_pool,
    grad={"x": lambda g, y, x, **a: F.avg_pool_grad(g, size=sizes(x)[2:], **a)},
    shape=pool_shape,
    sample=avg_cases,
    analytic=True,
    example="y = op.avg_pool(image, kernel=2)",
)
op(
    f"avg_pool_grad(g: f[n, c, *t], size: shape, {SETTINGS}, count_pad: bool = false) -> f[n, c, *s]",
    "the gradient of avg_pool, of the spatial sizes `size`",
    kind="pool",
    eval=avg_pool_grad,
    grad={"g": lambda h, y, g, size, **a: F.avg_pool(h, **a)},
    shape=grad_shape,
    sample=avg_grad_cases,
    analytic=True,
    internal=True,
)
