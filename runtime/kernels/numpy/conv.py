"""Convolution and its gradients for x [n, c, h, w] and w [o, c / groups, kh, kw], all three by correlation over rows (`correlate.py`).

forward     y[m, j]  = Σ_{t, s} w[t, s] · x[m·stride + t·dilation - pad, …]
input       dx[h] for h + pad = stride·u + phase: the taps t with t·dilation ≡ phase (mod stride) meet g[u - (t·dilation - phase) / stride];
            each phase of the stride is a correlation of its own, so no product with a zero is ever computed
weights     dw[t, s] = Σ g[m, j] · x[m·stride + t·dilation - pad, …]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from runtime.kernels.numpy.correlate import Axis, Scratch, correlate, spread, weight_gradient
from runtime.kernels.registry import Registry, Signature, Split, Step

Array = Any
MUCH_WIDER = 1.2  # how much wider than g the gradient of x must be for `spread`


@dataclass(frozen=True)
class Spatial:
    """One spatial axis of a convolution."""

    size: int
    kernel: int
    stride: int
    pad: int  # before
    dilation: int
    count: int  # outputs

    @property
    def forward(self) -> Axis:
        return Axis(self.stride, tuple(t * self.dilation - self.pad for t in range(self.kernel)), self.count, self.size)

    def phase(self, number: int) -> tuple[tuple[int, ...], Axis, slice]:
        """Taps of this phase (in the order of growing offsets), how they read g, and the places of x that they make."""
        first = (number - self.pad) % self.stride  # the first place h with h + pad ≡ phase
        start = (first + self.pad - number) // self.stride  # its u
        count = max(-(-(self.size - first) // self.stride), 0)
        taps = [t for t in range(self.kernel) if (t * self.dilation - number) % self.stride == 0][::-1]
        offsets = tuple(start - (t * self.dilation - number) // self.stride for t in taps)
        return tuple(taps), Axis(1, offsets, count, self.count), slice(first, self.size, self.stride)


def spatial(x: Sequence[int], w: Sequence[int], g: Sequence[int], attrs: Any) -> list[Spatial]:
    """The spatial axes, from the shapes and the attributes (`pad` is "same" or (before, after) pairs)."""
    axes = []
    for i in range(len(x) - 2):
        size, kernel, stride, dilation, count = x[2 + i], w[2 + i], attrs["stride"][i], attrs["dilation"][i], g[2 + i]
        total = max((count - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
        before = total // 2 if attrs["pad"] == "same" else attrs["pad"][i][0]
        axes.append(Spatial(size, kernel, stride, before, dilation, count))
    return axes


def groups_of(array: Array, groups: int, axis: int) -> list[Array]:
    """Equal parts along an axis, as views."""
    size = array.shape[axis] // groups
    index = (slice(None),) * axis
    return [array[(*index, slice(k * size, (k + 1) * size))] for k in range(groups)]


def forward(x: Array, w: Array, y: Array, attrs: Any, scratch: Scratch) -> list[Step]:
    groups = attrs["groups"]
    down, across = spatial(x.shape, w.shape, y.shape, attrs)
    if pointwise(down, across, x):
        return pointwise_forward(x, w, y, groups)
    steps: list[Step] = []
    packed = scratch((w.shape[0], w.shape[2], w.shape[1], w.shape[3]), w.dtype.name)
    steps.append(partial(np.copyto, packed, w.transpose(0, 2, 1, 3)))
    for source, weights, target in zip(groups_of(x, groups, 1), groups_of(packed, groups, 0), groups_of(y, groups, 1), strict=True):
        steps += correlate(source, weights.reshape(weights.shape[0], -1), target, down.forward, across.forward, scratch)
    return steps


def pointwise(down: Spatial, across: Spatial, x: Array) -> bool:
    """A 1×1 convolution that reads every place once: a product for each image, without a copy."""
    return all(a.kernel == a.stride == 1 and a.count == a.size for a in (down, across)) and bool(x.flags.c_contiguous)


def pointwise_forward(x: Array, w: Array, y: Array, groups: int) -> list[Step]:
    images, channels = x.shape[:2]
    filters = w.shape[0]
    left = w.reshape(groups, filters // groups, channels // groups)
    right = x.reshape(images, groups, channels // groups, -1)
    return [partial(np.matmul, left, right, y.reshape(images, groups, filters // groups, -1))]


def input_gradient(g: Array, w: Array, dx: Array, attrs: Any, scratch: Scratch) -> list[Step]:
    groups = attrs["groups"]
    down, across = spatial(dx.shape, w.shape, g.shape, attrs)
    steps: list[Step] = []
    for row in range(down.stride):
        row_taps, rows, row_places = down.phase(row)
        for column in range(across.stride):
            column_taps, columns, column_places = across.phase(column)
            target = dx[:, :, row_places, column_places]
            if not target.size:
                continue
            if not row_taps or not column_taps:
                steps.append(partial(np.copyto, target, 0))
                continue
            apart = rows.rolled and columns.count > MUCH_WIDER * columns.size
            for source, weights, places in zip(groups_of(g, groups, 1), groups_of(w, groups, 0), groups_of(target, groups, 1), strict=True):
                picked = weights[:, :, falling(row_taps), falling(column_taps)]  # [o, c, t, s]
                ordered = picked.transpose(3, 1, 2, 0) if apart else picked.transpose(1, 2, 0, 3)
                packed = scratch(ordered.shape, w.dtype.name)
                steps.append(partial(np.copyto, packed, ordered))
                if apart:
                    steps += spread(source, packed.reshape(ordered.shape[0] * ordered.shape[1], -1), places, rows, columns, scratch)
                else:
                    steps += correlate(source, packed.reshape(ordered.shape[0], -1), places, rows, columns, scratch)
    return steps


def falling(taps: tuple[int, ...]) -> slice:
    """A slice that takes these falling, evenly spaced numbers."""
    step = taps[0] - taps[1] if len(taps) > 1 else 1
    return slice(taps[0], taps[-1] - 1 if taps[-1] else None, -step)


def kernel_gradient(x: Array, g: Array, dw: Array, attrs: Any, scratch: Scratch) -> list[Step]:
    groups = attrs["groups"]
    down, across = spatial(x.shape, dw.shape, g.shape, attrs)
    steps: list[Step] = []
    for source, gradient, target in zip(groups_of(x, groups, 1), groups_of(g, groups, 1), groups_of(dw, groups, 0), strict=True):
        steps += weight_gradient(source, gradient, target, down.forward, across.forward, scratch)
    return steps


def planar(signature: Signature) -> bool:
    """Two spatial axes."""
    return len(signature.inputs[0][0]) == 4


def split_forward(signature: Signature) -> Split:
    images = signature.outputs[0][0][0]
    return Split((0, None), (0,), images, grain=1, chunk=0)


def split_kernel(signature: Signature) -> Split:
    return Split((0, 0), (None,), signature.inputs[0][0][0], grain=1)


def register(registry: Registry) -> None:
    def bind(function: Any) -> Any:
        return lambda call: function(*call.inputs, *call.outputs, call.attrs, call.scratch)

    registry.tune("conv", split=split_forward, fits=planar)(bind(forward))
    registry.tune("conv_grad_x", "conv_transpose", split=split_forward, fits=planar)(bind(input_gradient))
    registry.tune("conv_grad_w", split=split_kernel, fits=planar)(bind(kernel_gradient))
