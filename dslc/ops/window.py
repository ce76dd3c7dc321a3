"""Windows over spatial axes: sizes, paddings, views and their adjoint. What convolution and pooling share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from dslc.ir.types import Dim, TensorType
from dslc.ops.table import Mismatch

Pairs = Sequence[tuple[int, int]]


def spatial(name: str, x: TensorType) -> tuple[Dim, ...]:
    """The axes after batch and channels; Mismatch if there are none."""
    if x.rank < 3:
        raise Mismatch(
            "x", f"`x` of `{name}` has axes [batch, channels, *spatial], at least 3", wanted="[batch, channels, *s]", found=str(x)
        )
    return x.shape[2:]


def result_size(name: str, axis: int, size: Dim, kernel: int, stride: int, dilation: int, pad: Any, ceil: bool = False) -> Dim:
    """How many windows fit along an axis: ⌊(size + pads - extent) / stride⌋ + 1, or ⌈size / stride⌉ with `same`.

    `ceil` rounds up, but a window must begin inside the input or the padding before it (the rule of Caffe and PyTorch). Mismatch where no
    window fits.
    """
    if pad == "same":
        return (size + (stride - 1)) // stride
    before, after = pairs(pad)[axis]
    extent = dilation * (kernel - 1) + 1
    room = size + (before + after - extent)
    count = (room + (stride - 1 if ceil else 0)) // stride + 1
    if (count - 1 if ceil else room).sign() == -1:
        reason = f"a window of {extent} does not fit into {size + (before + after)} along axis {axis + 2}"
        raise Mismatch("x", reason, wanted=f">= {extent - before - after}", found=str(size), axis=axis + 2)
    if not ceil or after + stride <= kernel:
        return count  # the last window always begins inside
    if not size.is_constant:
        raise Mismatch("ceil", "with this stride and padding, `ceil` needs an input of fixed size", found=str(size), axis=axis + 2)
    return count - 1 if ((count - 1) * stride).constant >= size.constant + before else count


def pairs(pad: Any) -> Pairs:
    """Pads that are written out."""
    return tuple(pad)


def pads_of(pad: Any, sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Pairs:
    """(before, after) for each axis; `same` puts the odd one after (ONNX's SAME_UPPER)."""
    if pad != "same":
        return pairs(pad)
    found = []
    for size, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        found.append((total // 2, total - total // 2))
    return tuple(found)


def padded(xp: Any, x: Any, pads: Pairs, count: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int],
           value: float = 0.0) -> Any:  # fmt: skip
    """`x` with its pads, and behind them what the last window of each axis still reaches (`ceil`)."""
    width = [(0, 0), (0, 0)]
    for size, (before, after), n, k, s, d in zip(x.shape[2:], pads, count, kernel, stride, dilation, strict=True):
        reach = (n - 1) * s + (k - 1) * d + 1
        width.append((before, max(after, reach - size - before)))
    return xp.pad(x, width, constant_values=value) if any(map(any, width)) else x


def windows(xp: Any, x: Any, count: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Any:
    """A view [n, c, *count, *kernel] of a padded `x`."""
    outer = [step * s for step, s in zip(x.strides[2:], stride, strict=True)]
    inner = [step * d for step, d in zip(x.strides[2:], dilation, strict=True)]
    return xp.lib.stride_tricks.as_strided(x, (*x.shape[:2], *count, *kernel), (*x.strides[:2], *outer, *inner))


def taps(x: Any, count: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Any:
    """For each place of the kernel in order: the view [n, c, *count] of what a padded `x` holds there."""
    for place in product(*(range(k) for k in kernel)):
        inside = [
            slice(p * d, p * d + (n - 1) * s + 1, s) for p, n, s, d in zip(place, count, stride, dilation, strict=True)
        ]  # fmt: skip
        yield x[(slice(None), slice(None), *inside)]


def cropped(x: Any, pads: Pairs, sizes: Sequence[int]) -> Any:
    """A padded array without its padding."""
    return x[(slice(None), slice(None), *(slice(before, before + size) for (before, _), size in zip(pads, sizes, strict=True)))]


def blank(xp: Any, lead: tuple[int, int], sizes: Sequence[int], pads: Pairs, count: Sequence[int], kernel: Sequence[int],
          stride: Sequence[int], dilation: Sequence[int], dtype: Any) -> Any:  # fmt: skip
    """Zeros of the padded size, to add windows into."""
    full = []
    for size, (before, after), n, k, s, d in zip(sizes, pads, count, kernel, stride, dilation, strict=True):
        full.append(max(size + before + after, (n - 1) * s + (k - 1) * d + 1))
    return xp.zeros((*lead, *full), dtype)
