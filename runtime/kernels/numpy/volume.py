"""Convolutions over one and three spatial axes, and their gradients, by the kernels for two.

One axis is a picture of height 1, as a view. Of three axes the first becomes part of the images and of the channels: for each place p of
the result along it the slices of x that it reads are copied side by side,

    X[image·p, channel·tap, h, w] = x[image, channel, p·stride + tap·dilation - pad, h, w],

so that a convolution of pictures with the same kernels, read as [o, channel·tap, kh, kw], does the rest. Some images are taken at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from runtime.kernels.numpy import conv
from runtime.kernels.numpy.correlate import Scratch
from runtime.kernels.registry import Call, Registry, Signature, Step

Array = Any
BLOCK_BYTES = 8 << 20  # of the slices that are copied side by side


# ---- one axis ---------------------------------------------------------------------------------------------------------------------


def lifted(call: Call) -> tuple[tuple[Array, ...], tuple[Array, ...], dict[str, Any]]:
    """Inputs, results and attributes with an axis of height 1."""
    a = dict(call.attrs)
    for name in ("stride", "dilation"):
        a[name] = (1, *a[name])
    a["pad"] = a["pad"] if a["pad"] == "same" else ((0, 0), *a["pad"])
    return tuple(x[:, :, None] for x in call.inputs), tuple(y[:, :, None] for y in call.outputs), a


def over_line(function: Callable[..., list[Step]]) -> Callable[[Call], list[Step]]:
    def bind(call: Call) -> list[Step]:
        inputs, outputs, attrs = lifted(call)
        return function(*inputs, *outputs, attrs, call.scratch)

    return bind


# ---- three axes -------------------------------------------------------------------------------------------------------------------


class Again:
    """Scratch that gives each block of images the memory of the block before."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self.taken: list[Array] = []
        self.at = 0

    def restart(self) -> None:
        self.at = 0

    def __call__(self, shape: Sequence[int], dtype: str) -> Array:
        size = prod(shape)
        if self.at == len(self.taken):
            self.taken.append(self.scratch((size,), dtype))
        elif self.taken[self.at].size < size or self.taken[self.at].dtype.name != dtype:
            self.taken[self.at] = self.scratch((size,), dtype)
        self.at += 1
        return self.taken[self.at - 1][:size].reshape(tuple(shape))


def planar(attrs: Any) -> dict[str, Any]:
    """The attributes of the last two axes."""
    pad = attrs["pad"] if attrs["pad"] == "same" else attrs["pad"][1:]
    return {**attrs, "stride": attrs["stride"][1:], "dilation": attrs["dilation"][1:], "pad": pad}


def images_at_once(x: Sequence[int], w: Sequence[int], g: Sequence[int], itemsize: int) -> Iterator[slice]:
    """Blocks of images."""
    one = g[2] * x[1] * w[2] * x[3] * x[4] * itemsize
    step = max(1, BLOCK_BYTES // one)
    return (slice(start, min(start + step, x[0])) for start in range(0, x[0], step))


def slices(shape: Sequence[int], depth: conv.Spatial, count: int, taps: int, dtype: str, scratch: Scratch) -> Array:
    """Room for X as [image, p, channel, tap, h, w]."""
    return scratch((count, depth.count, shape[1], taps, *shape[3:]), dtype)


def reads(depth: conv.Spatial, tap: int) -> tuple[slice, slice]:
    """The places of the result whose slice lies inside x, and the slices."""
    return depth.forward.window(depth.stride, tap * depth.dilation - depth.pad, depth.count)


def gather(x: Array, target: Array, depth: conv.Spatial) -> list[Step]:
    """target[image, p, channel, tap] = the slice of x that place p reads with this tap, zeros outside."""
    steps: list[Step] = []
    for tap in range(depth.kernel):
        inside, read = reads(depth, tap)
        for rest in (slice(0, inside.start), slice(inside.stop, depth.count)):
            if rest.stop > rest.start:
                steps.append(partial(np.copyto, target[:, rest, :, tap], 0))
        if inside.stop > inside.start:
            steps.append(partial(np.copyto, target[:, inside, :, tap], x[:, :, read].swapaxes(1, 2)))
    return steps


def scatter(source: Array, dx: Array, depth: conv.Spatial) -> list[Step]:
    """The adjoint of `gather`: every slice of dx is the sum of what was read from it."""
    steps: list[Step] = [partial(np.copyto, dx, 0)]
    for tap in range(depth.kernel):
        inside, read = reads(depth, tap)
        if inside.stop > inside.start:
            into = dx[:, :, read]
            steps.append(partial(np.add, into, source[:, inside, :, tap].swapaxes(1, 2), out=into))
    return steps


def pictures(array: Array) -> Array:
    """[image, p, channels…, h, w] as [image·p, channels, h, w]; the array is contiguous."""
    return array.reshape(array.shape[0] * array.shape[1], -1, *array.shape[-2:])


def kernels(w: Array, scratch: Scratch) -> tuple[Array, list[Step]]:
    """w as [o, channel·tap, kh, kw] in memory of its own, and the call that fills it."""
    packed = scratch(w.shape, w.dtype.name)
    return packed.reshape(w.shape[0], -1, *w.shape[3:]), [partial(np.copyto, packed, w)]


def forward(call: Call) -> list[Step]:
    (x, w), (y,) = call.inputs, call.outputs
    depth, scratch = conv.spatial(x.shape, w.shape, y.shape, call.attrs)[0], Again(call.scratch)
    flat, steps = kernels(w, call.scratch)
    for block in images_at_once(x.shape, w.shape, y.shape, x.itemsize):
        scratch.restart()
        count = block.stop - block.start
        source = slices(x.shape, depth, count, w.shape[2], x.dtype.name, scratch)
        result = scratch((count, depth.count, y.shape[1], *y.shape[3:]), y.dtype.name)
        steps += gather(x[block], source, depth)
        steps += conv.forward(pictures(source), flat, pictures(result), planar(call.attrs), scratch)
        steps.append(partial(np.copyto, y[block], result.swapaxes(1, 2)))
    return steps


def input_gradient(call: Call) -> list[Step]:
    (g, w), (dx,) = call.inputs, call.outputs
    depth, scratch = conv.spatial(dx.shape, w.shape, g.shape, call.attrs)[0], Again(call.scratch)
    flat, steps = kernels(w, call.scratch)
    for block in images_at_once(dx.shape, w.shape, g.shape, g.itemsize):
        scratch.restart()
        count = block.stop - block.start
        result = slices(dx.shape, depth, count, w.shape[2], g.dtype.name, scratch)
        source = scratch((count, depth.count, g.shape[1], *g.shape[3:]), g.dtype.name)
        steps.append(partial(np.copyto, source, g[block].swapaxes(1, 2)))
        steps += conv.input_gradient(pictures(source), flat, pictures(result), planar(call.attrs), scratch)
        steps += scatter(result, dx[block], depth)
    return steps


def kernel_gradient(call: Call) -> list[Step]:
    (x, g), (dw,) = call.inputs, call.outputs
    depth, scratch = conv.spatial(x.shape, dw.shape, g.shape, call.attrs)[0], Again(call.scratch)
    total, part = call.scratch(dw.shape, dw.dtype.name), call.scratch(dw.shape, dw.dtype.name)
    steps: list[Step] = [partial(np.copyto, total, 0)]
    for block in images_at_once(x.shape, dw.shape, g.shape, x.itemsize):
        scratch.restart()
        count = block.stop - block.start
        source = slices(x.shape, depth, count, dw.shape[2], x.dtype.name, scratch)
        gradient = scratch((count, depth.count, g.shape[1], *g.shape[3:]), g.dtype.name)
        steps += [*gather(x[block], source, depth), partial(np.copyto, gradient, g[block].swapaxes(1, 2))]
        into = part.reshape(dw.shape[0], -1, *dw.shape[3:])
        steps += conv.kernel_gradient(pictures(source), pictures(gradient), into, planar(call.attrs), scratch)
        steps.append(partial(np.add, total, part, out=total))
    return [*steps, partial(np.copyto, dw, total)]


# ---- the table --------------------------------------------------------------------------------------------------------------------


def of_rank(rank: int) -> Callable[[Signature], bool]:
    return lambda signature: len(signature.inputs[0][0]) == rank


def register(registry: Registry) -> None:
    for names, split, line, volume in (
        (("conv",), conv.split_forward, conv.forward, forward),
        (("conv_grad_x", "conv_transpose"), conv.split_forward, conv.input_gradient, input_gradient),
        (("conv_grad_w",), conv.split_kernel, conv.kernel_gradient, kernel_gradient),
    ):
        registry.tune(*names, split=split, fits=of_rank(3))(over_line(line))
        registry.tune(*names, split=split, fits=of_rank(5))(volume)
