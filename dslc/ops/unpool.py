"""Maximum pooling that says where each maximum stood, and its partial inverse (Zeiler and Fergus 2014; SegNet: Badrinarayanan et al. 2017).

An index counts the places of its own plane, [*spatial] in row-major order, padding left out: PyTorch's convention. Of equal values the
first place counts. `max_unpool` writes each value at its index and 0 elsewhere; of several values with one index, which windows that
overlap give, the last in row-major order stays, as with PyTorch and Caffe on one thread. Only the values that stay have a gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.pool import SETTINGS, SHAPES, distinct, frame, max_pool, pool_shape, results
from dslc.ops.support import checked_index, product, reshape, sizes, zero
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F, Val
from dslc.ops.window import padded, result_size, spatial, taps

# ---- pooling with indices -----------------------------------------------------------------------------------------------------


def indices_shape(x: TensorType, kernel: Any, stride: Any, pad: Any, ceil: bool) -> tuple[TensorType, TensorType]:
    y = pool_shape(x, kernel, stride, pad, ceil)
    return y, TensorType(dtype=DType.i64, shape=y.shape)


def max_pool_indices(xp: Any, x: Any, kernel: Any, stride: Any, pad: Any, ceil: bool) -> tuple[Any, Any]:
    """The first place that is not below the maximum: also of a window that holds a nan."""
    y = max_pool(xp, x, kernel, stride, pad, ceil)
    pads, count, ones = frame(x.shape[2:], kernel, stride, pad, ceil)
    numbers = xp.arange(prod(x.shape[2:])).reshape(1, 1, *x.shape[2:])
    full, places = padded(xp, x, pads, count, kernel, stride, ones), padded(xp, numbers, pads, count, kernel, stride, ones, value=-1)
    index, free = xp.zeros(y.shape, "int64"), xp.ones(y.shape, bool)
    for tap, place in zip(taps(full, count, kernel, stride, ones), taps(places, count, kernel, stride, ones), strict=True):
        hit = ~(tap < y) & (place >= 0) & free
        index += place * hit
        free &= ~hit
    return y, index


def _indices_grad(g: Any, y: Any, x: Val, **a: Any) -> Val:
    if g[0] is None:
        return F.broadcast(zero(x), shape=sizes(x))
    return F.max_pool_grad(x, y[0], g[0], **a)


# ---- unpooling ----------------------------------------------------------------------------------------------------------------


def unpool_shape(x: TensorType, index: TensorType, kernel: Any, stride: Any, pad: Any, size: Any) -> TensorType:
    axes = spatial("max_unpool", x)
    if size is None:
        found = [default_size(n, kernel[i], stride[i], "same" if pad == "same" else pad[i]) for i, n in enumerate(axes)]
    else:
        found = [Dim.of(n) for n in size]
        check_size(axes, found, kernel, stride, pad)
    for axis, n in enumerate(found):
        if n.sign() in (0, -1):
            name = "pad" if size is None else "size"
            raise Mismatch(name, f"nothing is left of axis {axis + 2}", wanted=">= 1", found=str(n), axis=axis + 2)
    return TensorType(dtype=x.dtype, shape=(*x.shape[:2], *found))


def default_size(count: Dim, kernel: int, stride: int, pad: Any) -> Dim:
    """A size of which a pool makes `count` windows: the smallest; with `same` the largest, a multiple of the stride."""
    return count * stride if pad == "same" else (count - 1) * stride + (kernel - sum(pad))


def check_size(counts: Sequence[Dim], size: Sequence[Dim], kernel: Any, stride: Any, pad: Any) -> None:
    """Mismatch where a pool of this size has another number of windows than x has places."""
    if len(size) != len(counts):
        reason = f"`size` has one entry for each of {len(counts)} spatial axes"
        raise Mismatch("size", reason, wanted=str(len(counts)), found=str(len(size)))
    for axis, (count, n) in enumerate(zip(counts, size, strict=True)):
        windows = [window_count(axis, n, kernel[axis], stride[axis], pad, ceil) for ceil in (False, True)]
        if count not in windows:
            found = " or ".join(dict.fromkeys(str(m) for m in windows if m is not None)) or "no"
            reason = f"a pool of {n} places has {found} windows along axis {axis + 2}, and `x` has {count} places"
            raise Mismatch("size", reason, wanted=f"a size with {count} windows", found=str(n), axis=axis + 2, other="x")


def window_count(axis: int, n: Dim, kernel: int, stride: int, pad: Any, ceil: bool) -> Dim | None:
    try:
        return result_size("max_unpool", axis, n, kernel, stride, 1, pad, ceil)
    except Mismatch:
        return None


def max_unpool(xp: Any, x: Any, index: Any, kernel: Any, stride: Any, pad: Any, size: Any) -> Any:
    if size is None:
        pads = ["same"] * len(kernel) if pad == "same" else pad
        rows = zip(x.shape[2:], kernel, stride, pads, strict=True)
        size = tuple(default_size(Dim.of(n), k, s, p).constant for n, k, s, p in rows)
    lead, flat = planes(xp, index, prod(size))
    y = xp.zeros((*x.shape[:2], prod(size) + 1), x.dtype)  # values that do not stay go to one more place
    y[(*lead, xp.where(staying(xp, lead, flat), flat, prod(size)))] = x.reshape(flat.shape)
    return xp.ascontiguousarray(y[:, :, :-1]).reshape(*x.shape[:2], *size)


def planes(xp: Any, index: Any, places: int) -> tuple[tuple[Any, Any], Any]:
    """What leads to each plane, and the indices as [n, c, …]; IndexError where one is not of its plane."""
    n, c = index.shape[:2]
    flat = checked_index(index.reshape(n, c, -1).astype("int64"), places, "an index of `max_unpool`", "places in a plane")
    return (xp.arange(n).reshape(n, 1, 1), xp.arange(c).reshape(1, c, 1)), flat


def staying(xp: Any, lead: tuple[Any, Any], flat: Any) -> Any:
    """Whether an index is the last of its kind: in the order of (index, number) another one follows. The same on every device."""
    count = flat.shape[2]
    order = xp.argsort(flat * count + xp.arange(count), axis=2)
    indices = xp.take_along_axis(flat, order, axis=2)
    kept = xp.ones(flat.shape, bool)
    kept[(*lead, order[:, :, :-1])] = indices[:, :, 1:] != indices[:, :, :-1]
    return kept


def unpool_kept(xp: Any, index: Any, size: Any) -> Any:
    lead, flat = planes(xp, index, prod(size))
    return staying(xp, lead, flat).reshape(index.shape)


def _unpool_grad(g: Val, y: Val, x: Val, index: Val, **a: Any) -> Val:
    plane = reshape(g, [*sizes(g)[:2], product(g.type.shape[2:])])
    found = F.take_along_axis(plane, reshape(index, [*sizes(x)[:2], product(x.type.shape[2:])]), axis=-1)
    return F.where(F.unpool_kept(index, size=sizes(g)[2:]), reshape(found, sizes(x)), zero(g))


# ---- samples: as for all pools; indices of windows that overlap, so that some values are written over -----------------------------------


def pool_cases(rng: Any) -> list[Case]:
    return [Case((distinct(rng, shape),), dict(attrs)) for shape, attrs in SHAPES]


def unpool_cases(rng: Any) -> list[Case]:
    """With the size of the pooled input; and with the default size where that is what was pooled."""
    import numpy as np

    found = []
    for shape, attrs in SHAPES:
        index = max_pool_indices(np, distinct(rng, shape), **attrs)[1]
        settings = {name: attrs[name] for name in ("kernel", "stride", "pad")}
        found.append(Case((rng.uniform(-1, 1, results(shape, attrs)), index), {**settings, "size": shape[2:]}))
    (x, index), settings = found[0].inputs, found[0].attrs
    return [*found, Case((x, index), {**settings, "size": None})]


def kept_cases(rng: Any) -> list[Case]:
    return [Case(case.inputs[1:], {"size": case.attrs["size"]}) for case in unpool_cases(rng) if case.attrs["size"] is not None]


op(
    f"max_pool_indices(x: f[n, c, *s], {SETTINGS}) -> f[n, c, *t], i64[n, c, *t]",
    "the largest value of each window, and its place in the plane [*s] in row-major order; of equal values the first place",
    kind="pool",
    eval=max_pool_indices,
    grad={"x": _indices_grad},
    shape=indices_shape,
    sample=pool_cases,
    example="y, place = max_pool_indices(image, kernel=2)",
)
op(
    "max_unpool(x: f[n, c, *t], index: i64[n, c, *t], kernel: sizes, stride: sizes = none, pad: padding = 0, size: shape = none) "
    "-> f[n, c, *s]",
    "each value at its index of max_pool_indices and 0 elsewhere (of equal indices the last stays); `size` where the pooled size was no "
    "multiple of the stride",
    kind="pool",
    eval=max_unpool,
    grad={"x": _unpool_grad},
    shape=unpool_shape,
    sample=unpool_cases,
    analytic=True,
    example="y, place = max_pool_indices(image, kernel=2)\nz = max_unpool(y, place, kernel=2)",
)
op(
    "unpool_kept(index: i64[n, c, *t], size: shape) -> bool[n, c, *t]",
    "whether a value that is written at its index is not written over by a later one",
    kind="pool",
    eval=unpool_kept,
    shape=lambda index, size: TensorType(dtype=DType.bool, shape=index.shape),
    sample=kept_cases,
    internal=True,
)
