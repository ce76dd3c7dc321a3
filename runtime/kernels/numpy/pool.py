"""Pooling without padded copies: every place of the kernel is a view of x for the windows in which it lies inside, and what it reaches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from dslc.ops.pool import counted
from dslc.ops.window import pads_of
from runtime.kernels.numpy.correlate import Axis
from runtime.kernels.numpy.generated import split_rows
from runtime.kernels.numpy.lower import MASKS
from runtime.kernels.registry import Call, Registry, Step

Array = Any
Place = tuple[tuple[slice, ...], tuple[slice, ...]]  # (windows, what they read), over all axes


def axes_of(sizes: Sequence[int], counts: Sequence[int], attrs: Any) -> list[Axis]:
    """How windows read x along each spatial axis."""
    kernels, strides, dilations = attrs["kernel"], attrs["stride"], attrs.get("dilation", (1,) * len(sizes))
    pads = pads_of(attrs["pad"], sizes, kernels, strides, dilations)
    return [
        Axis(stride, tuple(k * dilation - before for k in range(kernel)), count, size)
        for size, count, kernel, stride, dilation, (before, _) in zip(sizes, counts, kernels, strides, dilations, pads, strict=True)
    ]


def places(axes: Sequence[Axis]) -> Iterator[Place]:
    """For each place of the kernel, in order: the windows for which it lies inside x, and what they read there."""
    lead = (slice(None), slice(None))
    for offsets in product(*(axis.offsets for axis in axes)):
        found = [axis.window(axis.step, offset, axis.count) for axis, offset in zip(axes, offsets, strict=True)]
        yield (*lead, *(inside for inside, _ in found)), (*lead, *(read for _, read in found))


def everywhere(axes: Sequence[Axis]) -> bool:
    """Whether every window lies inside x altogether."""
    return all(axis.offsets[0] >= 0 and (axis.count - 1) * axis.step + axis.offsets[-1] < axis.size for axis in axes)


def max_pool(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    return by_axis(x, y, call.attrs, call.scratch, np.maximum, -np.inf)


def summed(x: Array, y: Array, attrs: Any, scratch: Any) -> list[Step]:
    """y = Σ of each window of x."""
    return by_axis(x, y, attrs, scratch, np.add, 0)


def by_axis(x: Array, y: Array, attrs: Any, scratch: Any, function: Any, nothing: float) -> list[Step]:
    """The function over each window, along one axis after the other, the outermost first: k + k calls a window instead of k·k.

    nothing: the value of a window without places.
    """
    steps: list[Step] = []
    axes = axes_of(x.shape[2:], y.shape[2:], attrs)
    for number, axis in enumerate(axes):
        lead, last = (slice(None),) * (2 + number), number == len(axes) - 1
        if not last and untouched(axis):
            continue
        total = y if last else scratch((*x.shape[: 2 + number], axis.count, *x.shape[3 + number :]), x.dtype.name)
        found = [axis.window(axis.step, offset, axis.count) for offset in axis.offsets]
        if everywhere([axis]):
            steps += combine([x[(*lead, read)] for _, read in found], total, function)
        else:
            parts = [(total[(*lead, inside)], x[(*lead, read)]) for inside, read in found]
            steps += [partial(total.fill, nothing), *(partial(function, into, part, out=into) for into, part in parts if part.size)]
        x = total
    return steps


def untouched(axis: Axis) -> bool:
    """Whether every window is one place, in order."""
    return axis.offsets == (0,) and axis.step == 1


def combine(taps: Sequence[Array], target: Array, function: Any) -> list[Step]:
    if len(taps) == 1:
        return [partial(np.copyto, target, taps[0])]
    return [partial(function, taps[0], taps[1], out=target), *(partial(function, target, tap, out=target) for tap in taps[2:])]


def max_pool_grad(call: Call) -> list[Step]:
    """dx = g at the first place of each window that holds its maximum, selected by masks on the bits (see `lower.select`)."""
    (x, y, g), (dx,) = call.inputs, call.outputs
    axes = axes_of(x.shape[2:], y.shape[2:], call.attrs)
    apart = all(axis.step >= len(axis.offsets) for axis in axes)
    word = MASKS[g.dtype.itemsize]
    hit, free = call.scratch(y.shape, "bool"), call.scratch(y.shape, "bool")
    mask, chosen = call.scratch(y.shape, np.dtype(word).name), call.scratch(y.shape, g.dtype.name)
    bits = g.view(word)
    steps: list[Step] = [] if tiled(axes) else [partial(dx.fill, 0)]
    reached = [(windows, read) for windows, read in places(axes) if hit[windows].size]
    for number, (windows, read) in enumerate(reached):
        now, flags, wide = hit[windows], free[windows], mask[windows]
        steps.append(partial(np.equal, x[read], y[windows], out=now))
        if number == 0:
            steps += [partial(free.fill, True), partial(np.not_equal, x[read], y[windows], out=flags)]
        else:
            steps += [partial(np.logical_and, now, flags, out=now), partial(np.greater, flags, now, out=flags)]
        steps += [partial(np.negative, now.view(np.int8), out=now.view(np.int8)), partial(np.copyto, wide, now.view(np.int8))]
        if apart:
            steps.append(partial(np.bitwise_and, bits[windows], wide, out=dx[read].view(word)))
        else:
            steps.append(partial(np.bitwise_and, bits[windows], wide, out=chosen[windows].view(word)))
            steps.append(partial(np.add, dx[read], chosen[windows], out=dx[read]))
    return steps


def max_pool_take(call: Call) -> list[Step]:
    """out = h at the first place of each window that holds its maximum, selected by masks on the bits."""
    (x, y, h), (out,) = call.inputs, call.outputs
    axes = axes_of(x.shape[2:], y.shape[2:], call.attrs)
    word = MASKS[h.dtype.itemsize]
    hit, free = call.scratch(y.shape, "bool"), call.scratch(y.shape, "bool")
    mask, bits, found = call.scratch(y.shape, np.dtype(word).name), h.view(word), out.view(word)
    steps: list[Step] = [partial(free.fill, True), partial(out.fill, 0)]
    for windows, read in places(axes):
        now, flags, wide, into = hit[windows], free[windows], mask[windows], found[windows]
        if now.size:
            steps += [
                partial(np.equal, x[read], y[windows], out=now),
                partial(np.logical_and, now, flags, out=now),
                partial(np.greater, flags, now, out=flags),
                partial(np.negative, now.view(np.int8), out=now.view(np.int8)),
                partial(np.copyto, wide, now.view(np.int8)),
                partial(np.bitwise_and, bits[read], wide, out=wide),
                partial(np.bitwise_or, into, wide, out=into),
            ]
    return steps


def tiled(axes: Sequence[Axis]) -> bool:
    """Whether windows lie side by side and reach every place of x once."""
    return everywhere(axes) and all(axis.rolled and axis.step == len(axis.offsets) and axis.count * axis.step == axis.size for axis in axes)


def avg_pool(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    steps = summed(x, y, call.attrs, call.scratch)
    return [*steps, partial(np.divide, y, counts(x.shape[2:], y, call.attrs), out=y)]


def shared(g: Array, dx: Array, attrs: Any, scratch: Any) -> list[Step]:
    """dx = at each place the sum of g over the windows that hold it: the axes of `summed` from the last to the first."""
    axes = axes_of(dx.shape[2:], g.shape[2:], attrs)
    if tiled(axes):
        return [partial(np.copyto, dx[read], g[windows]) for windows, read in places(axes)]
    steps: list[Step] = []
    for number, axis in reversed(list(enumerate(axes))):
        lead = (slice(None),) * (2 + number)
        if number and untouched(axis):
            continue
        total = scratch((*g.shape[: 2 + number], axis.size, *g.shape[3 + number :]), g.dtype.name) if number else dx
        parts = [axis.window(axis.step, offset, axis.count) for offset in axis.offsets]
        pairs = [(total[(*lead, read)], g[(*lead, inside)]) for inside, read in parts]
        steps += [partial(total.fill, 0), *(partial(np.add, into, part, out=into) for into, part in pairs if part.size)]
        g = total
    return steps


def avg_pool_grad(call: Call) -> list[Step]:
    (g,), (dx,) = call.inputs, call.outputs
    share = call.scratch(g.shape, g.dtype.name)
    return [partial(np.divide, g, counts(dx.shape[2:], g, call.attrs), out=share), *shared(share, dx, call.attrs, call.scratch)]


def counts(sizes: Sequence[int], y: Array, attrs: Any) -> Array:
    """How many places each mean is over: a constant of the step."""
    pads = pads_of(attrs["pad"], sizes, attrs["kernel"], attrs["stride"], (1,) * len(sizes))
    return counted(np, sizes, attrs["kernel"], attrs["stride"], pads, y.shape[2:], attrs["count_pad"], y.dtype)


KERNELS = {
    "max_pool": max_pool,
    "max_pool_grad": max_pool_grad,
    "max_pool_take": max_pool_take,
    "avg_pool": avg_pool,
    "avg_pool_grad": avg_pool_grad,
}


def register(registry: Registry) -> None:
    for name, bind in KERNELS.items():
        registry.tune(name, split=split_rows)(bind)
