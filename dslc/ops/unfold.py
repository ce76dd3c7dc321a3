"""Windows as columns (im2col) and their sum back into an image (col2im): `unfold` and `fold` are each other's adjoint.

unfold   y[n, c·K + k, p] = x[n, c, p·stride + k·dilation - before]     K places of the kernel and the windows p in row-major order
fold     y[n, c, i] = Σ x[n, c·K + k, p] over all (k, p) that read the place i

The order is PyTorch's and that of ONNX's Col2Im; a convolution is the product of its kernels, read as [o, c·K], with the columns.
Behind batch and channels stand one, two or three spatial axes, or more.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from dslc.ir.types import Dim, TensorType
from dslc.ops.support import product, sizes
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F
from dslc.ops.window import blank, cropped, padded, pads_of, result_size, spatial, taps, windows

SETTINGS = "kernel: sizes, stride: sizes = 1, pad: padding = 0, dilation: sizes = 1"


def counts_of(name: str, size: Sequence[Dim], kernel: Any, stride: Any, pad: Any, dilation: Any) -> tuple[Dim, ...]:
    """How many windows there are along each spatial axis."""
    return tuple(result_size(name, i, n, kernel[i], stride[i], dilation[i], pad) for i, n in enumerate(size))


def fixed_counts(name: str, size: Sequence[int], kernel: Any, stride: Any, pad: Any, dilation: Any) -> tuple[int, ...]:
    return tuple(count.constant for count in counts_of(name, [Dim.of(n) for n in size], kernel, stride, pad, dilation))


# ---- im2col -----------------------------------------------------------------------------------------------------------------


def unfold_shape(x: TensorType, kernel: Any, stride: Any, pad: Any, dilation: Any) -> TensorType:
    count = counts_of("unfold", spatial("unfold", x), kernel, stride, pad, dilation)
    return TensorType(dtype=x.dtype, shape=(x.shape[0], x.shape[1] * prod(kernel), product(count)))


def unfold(xp: Any, x: Any, kernel: Any, stride: Any, pad: Any, dilation: Any) -> Any:
    count, axes = fixed_counts("unfold", x.shape[2:], kernel, stride, pad, dilation), len(kernel)
    pads = pads_of(pad, x.shape[2:], kernel, stride, dilation)
    view = windows(xp, padded(xp, x, pads, count, kernel, stride, dilation), count, kernel, stride, dilation)
    order = (0, 1, *range(2 + axes, 2 + 2 * axes), *range(2, 2 + axes))
    return xp.ascontiguousarray(view.transpose(order)).reshape(x.shape[0], x.shape[1] * prod(kernel), prod(count))


# ---- col2im -----------------------------------------------------------------------------------------------------------------


def fold_shape(x: TensorType, size: Any, kernel: Any, stride: Any, pad: Any, dilation: Any) -> TensorType:
    """The columns know neither the image nor how many channels it has: `size` says the one, the kernel the other."""
    wanted = tuple(Dim.of(n) for n in size)
    if not wanted or any(n.sign() in (0, -1) for n in wanted):
        raise Mismatch("size", "`size` has one entry, at least 1, for each spatial axis", wanted=">= 1", found=str(list(size)))
    places = prod(kernel)
    if x.shape[1] % places != Dim.of(0):
        reason = f"axis 1 of `x` of `fold` has the {places} places of the kernel for each channel, and {x.shape[1]} is no multiple of it"
        raise Mismatch("x", reason, wanted=f"a multiple of {places}", found=str(x.shape[1]), axis=1, other="kernel")
    count = product(counts_of("fold", wanted, kernel, stride, pad, dilation))
    if x.shape[2] != count:
        reason = f"axis 2 of `x` of `fold` has {x.shape[2]} windows, and an image of this `size` has {count}"
        raise Mismatch("x", reason, wanted=str(count), found=str(x.shape[2]), axis=2, other="size")
    return TensorType(dtype=x.dtype, shape=(x.shape[0], x.shape[1] // places, *wanted))


def fold(xp: Any, x: Any, size: Any, kernel: Any, stride: Any, pad: Any, dilation: Any) -> Any:
    count, lead = fixed_counts("fold", size, kernel, stride, pad, dilation), (x.shape[0], x.shape[1] // prod(kernel))
    pads = pads_of(pad, size, kernel, stride, dilation)
    full = blank(xp, lead, size, pads, count, kernel, stride, dilation, x.dtype)
    columns = x.reshape(*lead, prod(kernel), *count)
    for k, tap in enumerate(taps(full, count, kernel, stride, dilation)):
        tap += columns[:, :, k]
    return xp.ascontiguousarray(cropped(full, pads, size))


# ---- samples: overlapping and separate windows, gaps, uneven pads, `same`, dilation, a kernel above the input, 1-D and 3-D ------------

SHAPES: tuple[tuple[tuple[int, ...], dict[str, Any]], ...] = (
    ((2, 3, 4, 5), {"kernel": (3, 2), "stride": (1, 1), "pad": ((0, 0), (0, 0)), "dilation": (1, 1)}),
    ((1, 2, 4, 6), {"kernel": (2, 2), "stride": (2, 2), "pad": ((0, 0), (0, 0)), "dilation": (1, 1)}),
    ((1, 1, 7, 5), {"kernel": (2, 2), "stride": (3, 3), "pad": ((0, 0), (0, 0)), "dilation": (1, 1)}),
    ((2, 1, 5, 7), {"kernel": (3, 2), "stride": (2, 1), "pad": ((1, 0), (0, 2)), "dilation": (1, 2)}),
    ((1, 2, 5, 4), {"kernel": (2, 3), "stride": (2, 1), "pad": "same", "dilation": (1, 1)}),
    ((1, 2, 1, 2), {"kernel": (3, 4), "stride": (1, 1), "pad": ((1, 1), (2, 1)), "dilation": (1, 1)}),
    ((1, 1, 1, 1), {"kernel": (1, 1), "stride": (1, 1), "pad": ((0, 0), (0, 0)), "dilation": (1, 1)}),
    ((2, 2, 7), {"kernel": (3,), "stride": (2,), "pad": ((1, 0),), "dilation": (2,)}),
    ((1, 2, 3, 4, 3), {"kernel": (2, 3, 2), "stride": (1, 2, 1), "pad": ((0, 0), (1, 0), (0, 1)), "dilation": (2, 1, 1)}),
)


def cases(rng: Any) -> list[Case]:
    return [Case((rng.uniform(-1, 1, shape),), dict(attrs)) for shape, attrs in SHAPES]


def fold_cases(rng: Any) -> list[Case]:
    found = []
    for shape, attrs in SHAPES:
        columns = (shape[0], shape[1] * prod(attrs["kernel"]), prod(fixed_counts("fold", shape[2:], **attrs)))
        found.append(Case((rng.uniform(-1, 1, columns),), {"size": shape[2:], **attrs}))
    return found


op(
    f"unfold(x: f[n, c, *s], {SETTINGS}) -> f[n, m, l]",
    "each window as a column (im2col): [batch, channels · places of the kernel, windows]",
    kind="conv",
    eval=unfold,
    grad={"x": lambda g, y, x, **a: F.fold(g, size=sizes(x)[2:], **a)},
    shape=unfold_shape,
    sample=cases,
    analytic=True,
    example="y = unfold(image, kernel=3, stride=2, pad=1)",
)
op(
    f"fold(x: f[n, m, l], size: shape, {SETTINGS}) -> f[n, c, *s]",
    "the columns of `unfold` added up where they were read (col2im), in an image of the spatial sizes `size`: the adjoint of unfold",
    kind="conv",
    eval=fold,
    grad={"x": lambda g, y, x, size, **a: F.unfold(g, **a)},
    shape=fold_shape,
    sample=fold_cases,
    analytic=True,
    example="y = fold(unfold(image, kernel=2, stride=2), size=[8, 8], kernel=2, stride=2)",
)
