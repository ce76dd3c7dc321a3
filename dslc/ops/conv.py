"""Convolution and its two gradients, which are rows themselves because second derivatives exist.

y[n, o, p] = Σ_i Σ_k x[n, i, p·stride + k·dilation - before] · w[o, i, k] (a cross-correlation, as everywhere in deep learning).
The three rows are one trilinear form: ⟨conv(x, w), g⟩ = ⟨x, conv_grad_x(g, w)⟩ = ⟨w, conv_grad_w(x, g)⟩.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.types import Dim, TensorType
from dslc.ops.support import sizes
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F
from dslc.ops.window import blank, cropped, padded, pads_of, result_size, spatial, taps, windows

SETTINGS = "stride: sizes = 1, pad: padding = 0, dilation: sizes = 1, groups: int = 1"


def conv_shape(x: TensorType, w: TensorType, stride: Any, pad: Any, dilation: Any, groups: int) -> TensorType:
    axes = spatial("conv", x)
    if w.rank != x.rank:
        raise Mismatch("w", f"`w` of `conv` has {x.rank} axes, as `x` has", wanted=f"{x.rank} axes", found=str(w), other="x")
    if groups < 1:
        raise Mismatch("groups", "`groups` is at least 1", wanted=">= 1", found=str(groups))
    if w.shape[1] * groups != x.shape[1]:
        reason = f"`w` takes {w.shape[1]} channels in each of {groups} group(s), and `x` has {x.shape[1]} channels"
        raise Mismatch("w", reason, wanted=str(w.shape[1] * groups), found=str(x.shape[1]), axis=1, other="x")
    if w.shape[0] % groups != Dim.of(0):
        raise Mismatch("groups", f"{w.shape[0]} channels cannot be put into {groups} groups", wanted="a divisor", found=str(groups))
    kernel = fixed(w.shape[2:])
    found = [result_size("conv", i, size, kernel[i], stride[i], dilation[i], pad) for i, size in enumerate(axes)]
    return TensorType(dtype=x.dtype, shape=(x.shape[0], w.shape[0], *found))


def fixed(shape: Sequence[Dim]) -> tuple[int, ...]:
    """Kernel sizes are known when a spec is checked."""
    for size in shape:
        if not size.is_constant:
            raise Mismatch("w", f"a kernel has fixed sizes, not {size}", found=str(size))
    return tuple(size.constant for size in shape)


def columns(xp: Any, x: Any, count: Sequence[int], kernel: Sequence[int], stride: Any, pad: Any, dilation: Any, groups: int) -> Any:
    """im2col: [n, groups, channels of a group · kernel, windows]."""
    axes = len(kernel)
    pads = pads_of(pad, x.shape[2:], kernel, stride, dilation)
    full = padded(xp, x, pads, count, kernel, stride, dilation)
    view = windows(xp, full, count, kernel, stride, dilation)
    order = (0, 1, *range(2 + axes, 2 + 2 * axes), *range(2, 2 + axes))
    return view.transpose(order).reshape(x.shape[0], groups, -1, product_of(count))


def product_of(counts: Sequence[int]) -> int:
    total = 1
    for count in counts:
        total *= count
    return total


def counts_of(shape: Sequence[int], kernel: Sequence[int], stride: Any, pad: Any, dilation: Any) -> tuple[int, ...]:
    return tuple(
        result_size("conv", i, Dim.of(size), kernel[i], stride[i], dilation[i], pad).constant for i, size in enumerate(shape)
    )  # fmt: skip


def conv(xp: Any, x: Any, w: Any, stride: Any, pad: Any, dilation: Any, groups: int) -> Any:
    kernel = w.shape[2:]
    count = counts_of(x.shape[2:], kernel, stride, pad, dilation)
    gathered = columns(xp, x, count, kernel, stride, pad, dilation, groups)
    weights = w.reshape(groups, w.shape[0] // groups, -1)
    return xp.matmul(weights, gathered).reshape(x.shape[0], w.shape[0], *count)


def conv_grad_x(xp: Any, g: Any, w: Any, size: Any, stride: Any, pad: Any, dilation: Any, groups: int) -> Any:
    kernel, count, channels = w.shape[2:], g.shape[2:], w.shape[1] * groups
    weights = w.reshape(groups, w.shape[0] // groups, -1).transpose(0, 2, 1)
    spread = xp.matmul(weights, g.reshape(g.shape[0], groups, w.shape[0] // groups, -1))
    spread = spread.reshape(g.shape[0], channels, product_of(kernel), *count)
    pads = pads_of(pad, size, kernel, stride, dilation)
    full = blank(xp, (g.shape[0], channels), size, pads, count, kernel, stride, dilation, spread.dtype)
    for k, tap in enumerate(taps(full, count, kernel, stride, dilation)):
        tap += spread[:, :, k]
    return xp.ascontiguousarray(cropped(full, pads, size))


def conv_grad_w(xp: Any, x: Any, g: Any, kernel: Any, stride: Any, pad: Any, dilation: Any, groups: int) -> Any:
    gathered = columns(xp, x, g.shape[2:], kernel, stride, pad, dilation, groups)
    each = xp.matmul(g.reshape(g.shape[0], groups, g.shape[1] // groups, -1), gathered.swapaxes(-1, -2))
    return xp.sum(each, axis=0).reshape(g.shape[1], x.shape[1] // groups, *kernel)


def grad_x_shape(g: TensorType, w: TensorType, size: Any, stride: Any, pad: Any, dilation: Any, groups: int) -> TensorType:
    return TensorType(dtype=g.dtype, shape=(g.shape[0], w.shape[1] * groups, *(Dim.of(n) for n in size)))


def grad_w_shape(x: TensorType, g: TensorType, kernel: Any, stride: Any, pad: Any, dilation: Any, groups: int) -> TensorType:
    return TensorType(dtype=x.dtype, shape=(g.shape[1], x.shape[1] // groups, *(Dim.of(k) for k in kernel)))


# ---- samples: 2-D, 1-D and 3-D; stride above the kernel, uneven pads, `same`, dilation, groups, depthwise, sizes of 1 -----------

SHAPES: tuple[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ((2, 3, 5, 6), (4, 3, 3, 2), {"stride": (1, 1), "pad": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}),
    ((1, 2, 7, 5), (2, 2, 2, 3), {"stride": (3, 2), "pad": ((1, 0), (0, 2)), "dilation": (1, 1), "groups": 1}),
    ((2, 4, 6, 5), (6, 2, 3, 3), {"stride": (2, 1), "pad": "same", "dilation": (1, 2), "groups": 2}),
    ((1, 3, 4, 4), (3, 1, 1, 1), {"stride": (2, 2), "pad": ((0, 0), (1, 1)), "dilation": (1, 1), "groups": 3}),
    ((1, 1, 1, 1), (1, 1, 1, 1), {"stride": (1, 1), "pad": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}),
    ((2, 2, 7), (3, 2, 3), {"stride": (2,), "pad": ((1, 1),), "dilation": (2,), "groups": 1}),
    ((1, 2, 3, 4, 3), (2, 2, 2, 2, 2), {"stride": (1, 2, 1), "pad": ((0, 0), (1, 0), (0, 1)), "dilation": (1, 1, 1), "groups": 1}),
)


def cases(rng: Any) -> list[Case]:
    return [Case((rng.uniform(-1, 1, x), rng.uniform(-1, 1, w)), dict(attrs)) for x, w, attrs in SHAPES]


def _counts(x: tuple[int, ...], w: tuple[int, ...], attrs: dict[str, Any]) -> tuple[int, ...]:
    return counts_of(x[2:], w[2:], attrs["stride"], attrs["pad"], attrs["dilation"])


def grad_x_cases(rng: Any) -> list[Case]:
    return [
        Case((rng.uniform(-1, 1, (x[0], w[0], *_counts(x, w, a))), rng.uniform(-1, 1, w)), {"size": x[2:], **a}) for x, w, a in SHAPES
    ]  # fmt: skip


def grad_w_cases(rng: Any) -> list[Case]:
    return [
        Case((rng.uniform(-1, 1, x), rng.uniform(-1, 1, (x[0], w[0], *_counts(x, w, a)))), {"kernel": w[2:], **a}) for x, w, a in SHAPES
    ]  # fmt: skip


op(
    f"conv(x: f[n, c, *s], w: f[o, i, *k], {SETTINGS}) -> f[n, o, *t]",
    "the cross-correlation of x with the kernels w over all spatial axes; channels are axis 1",
    kind="conv",
    eval=conv,
    grad={
        "x": lambda g, y, x, w, **a: F.conv_grad_x(g, w, size=sizes(x)[2:], **a),
        "w": lambda g, y, x, w, **a: F.conv_grad_w(x, g, kernel=sizes(w)[2:], **a),
    },
    shape=conv_shape,
    sample=cases,
    analytic=True,
    example="y = op.conv(image, kernel, stride=2, pad=1)",
)
op(
    f"conv_grad_x(g: f[n, o, *t], w: f[o, i, *k], size: shape, {SETTINGS}) -> f[n, c, *s]",
    "the gradient of conv for x, of the spatial sizes `size`",
    kind="conv",
    eval=conv_grad_x,
    grad={
        "g": lambda h, y, g, w, size, **a: F.conv(h, w, **a),
        "w": lambda h, y, g, w, size, **a: F.conv_grad_w(h, g, kernel=sizes(w)[2:], **a),
    },
    shape=grad_x_shape,
    sample=grad_x_cases,
    analytic=True,
    internal=True,
)
op(
    f"conv_grad_w(x: f[n, c, *s], g: f[n, o, *t], kernel: sizes, {SETTINGS}) -> f[o, i, *k]",
    "the gradient of conv for w, of the kernel sizes `kernel`",
    kind="conv",
    eval=conv_grad_w,
    grad={
        "x": lambda h, y, x, g, kernel, **a: F.conv_grad_x(g, h, size=sizes(x)[2:], **a),
        "g": lambda h, y, x, g, kernel, **a: F.conv(x, h, **a),
    },
    shape=grad_w_shape,
    sample=grad_w_cases,
    analytic=True,
    internal=True,
)
