"""Depthwise convolution and its gradients, for any number of spatial axes: each group has one channel of x.

A product of matrices would have one row, so every place of the kernel is a multiplication and an addition over a shifted view instead;
some channels are taken at a time so that both operands and the product stay in cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from runtime.kernels.numpy.conv import Spatial, spatial
from runtime.kernels.registry import Call, Registry, Signature, Split, Step

Array = Any
BLOCK_BYTES = 1 << 18
Place = tuple[tuple[int, ...], tuple[slice, ...], tuple[slice, ...]]  # tap, the windows that reach it, what they read


def places(axes: Sequence[Spatial]) -> Iterator[Place]:
    """For each tap: (tap, the windows for which it lies inside x, what they read there); taps that no window reaches are left out."""
    for tap in product(*(range(axis.kernel) for axis in axes)):
        found = [axis.forward.window(axis.stride, t * axis.dilation - axis.pad, axis.count) for axis, t in zip(axes, tap, strict=True)]
        if all(inside.stop > inside.start for inside, _ in found):
            yield tap, tuple(inside for inside, _ in found), tuple(read for _, read in found)


def blocks(x: Array, channels: int) -> Iterator[slice]:
    """Some channels at a time."""
    one = x.size // max(channels, 1) * x.itemsize
    step = max(1, BLOCK_BYTES // max(one, 1))
    return (slice(start, min(start + step, channels)) for start in range(0, channels, step))


def grouped(array: Array, channels: int) -> Array:
    """[n, channels, filters of a channel, *spatial], as a view."""
    return array.reshape(array.shape[0], channels, -1, *array.shape[2:])


def weights(w: Array, channels: int, tap: tuple[int, ...], block: slice) -> Array:
    """The factors of one tap: [1, channels of the block, filters of a channel, 1, …]."""
    picked = w[(slice(None), 0, *tap)].reshape(channels, -1)[block]
    return picked.reshape(1, *picked.shape, *([1] * len(tap)))


def forward(call: Call) -> list[Step]:
    """y += w[tap] · x[read] for each tap."""
    (x, w), (y,) = call.inputs, call.outputs
    axes, channels = spatial(x.shape, w.shape, y.shape, call.attrs), x.shape[1]
    work, out, packed = call.scratch(y.shape, y.dtype.name), grouped(y, channels), call.scratch(w.shape, w.dtype.name)
    steps: list[Step] = [partial(np.copyto, packed, w)]
    for block in blocks(y, channels):
        steps.append(partial(out[:, block].fill, 0))
        for tap, windows, read in places(axes):
            part = grouped(work, channels)[(slice(None), block, slice(None), *windows)]
            total = out[(slice(None), block, slice(None), *windows)]
            source = x[(slice(None), block, *read)][:, :, None]
            steps += [
                partial(np.multiply, source, weights(packed, channels, tap, block), out=part),
                partial(np.add, total, part, out=total),
            ]
    return steps


def input_gradient(call: Call) -> list[Step]:
    """dx[read] += Σ over the filters of a channel of w[tap] · g."""
    (g, w), (dx,) = call.inputs, call.outputs
    axes, channels = spatial(dx.shape, w.shape, g.shape, call.attrs), dx.shape[1]
    work, given, packed = call.scratch(g.shape, g.dtype.name), grouped(g, channels), call.scratch(w.shape, w.dtype.name)
    steps: list[Step] = [partial(np.copyto, packed, w)]
    for block in blocks(g, channels):
        steps.append(partial(dx[:, block].fill, 0))
        for tap, windows, read in places(axes):
            part = grouped(work, channels)[(slice(None), block, slice(None), *windows)]
            source = given[(slice(None), block, slice(None), *windows)]
            into = dx[(slice(None), block, *read)]
            steps.append(partial(np.multiply, source, weights(packed, channels, tap, block), out=part))
            steps += [partial(np.add, into, part[:, :, filter], out=into) for filter in range(part.shape[2])]
    return steps


def kernel_gradient(call: Call) -> list[Step]:
    """dw[tap] = Σ over samples and places of x[read] · g."""
    (x, g), (dw,) = call.inputs, call.outputs
    axes, channels = spatial(x.shape, dw.shape, g.shape, call.attrs), x.shape[1]
    work, given = call.scratch(g.shape, g.dtype.name), grouped(g, channels)
    total = call.scratch((channels, g.shape[1] // channels, *dw.shape[2:]), dw.dtype.name)
    over = (0, *range(3, 3 + len(axes)))
    steps: list[Step] = [partial(total.fill, 0)]
    for block in blocks(g, channels):
        for tap, windows, read in places(axes):
            part = grouped(work, channels)[(slice(None), block, slice(None), *windows)]
            source = x[(slice(None), block, *read)][:, :, None]
            steps.append(partial(np.multiply, source, given[(slice(None), block, slice(None), *windows)], out=part))
            steps.append(partial(np.add.reduce, part, over, None, total[(block, slice(None), *tap)]))
    return [*steps, partial(np.copyto, dw, total.reshape(dw.shape))]


def split_samples(signature: Signature) -> Split:
    return Split((0, None), (0,), signature.outputs[0][0][0], grain=1, chunk=1)


def split_sums(signature: Signature) -> Split:
    return Split((0, 0), (None,), signature.inputs[0][0][0], grain=1)


def register(registry: Registry) -> None:
    def by_weights(signature: Signature) -> bool:
        return signature.inputs[1][0][1] == 1 and signature.attrs["groups"] > 1

    def by_result(signature: Signature) -> bool:
        return signature.outputs[0][0][1] == 1 and signature.attrs["groups"] > 1

    registry.tune("conv", split=split_samples, fits=by_weights)(forward)
    registry.tune("conv_grad_x", "conv_transpose", split=split_samples, fits=by_weights)(input_gradient)
    registry.tune("conv_grad_w", split=split_sums, fits=by_result)(kernel_gradient)
