"""Depthwise convolution and its gradients, for any number of spatial axes: each group has one channel of x.

A product of matrices would have one row, so the sum runs over shifts. Some channels of some images are copied, with the channels in front
and a border of zeros, to planes that lie behind each other:

    P[c, (image, …, row, column)]        a tap of the kernel is then one shift of the whole line: y = Σ_t w[c, t] · P[c, l + shift(t)]

What is computed at the borders is left out at the end. The line is copied once for each column of the kernel, so that the shifts are axes
of a view that `einsum` adds up in one pass a tap; it walks along the line and not across the columns only because these lie far apart.
A stride splits the planes by the remainder of their places, which makes each remainder a convolution of stride 1.

Milliseconds on one thread for 8 images and kernels of 3×3 (`python -m bench.windows depthwise`), beside a multiplication and an addition
over shifted views of x for each tap, and PyTorch 2.13:

                       forward               gradient of x         gradient of w
    channels, side     here  views  torch    here  views  torch    here  views  torch
    32, 112²            7.3   44.4    4.6     6.9   48.4    4.7    13.0   50.5    4.8
    64, 112², stride 2 14.6   18.6    5.2    18.0   45.4    6.1    10.0   37.9    6.1
    128, 56²           12.1   55.0    4.0    14.9   50.5    9.3    16.1   53.4    6.0
    512, 14²            2.3   26.8    0.5     2.2   25.9    0.6     2.1   21.7    0.5
    1024, 7²            1.8   20.6    0.3     1.8   18.4    0.4     1.6   16.4    0.3
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from runtime.kernels.numpy.conv import falling, spatial
from runtime.kernels.numpy.correlate import Axis, Scratch
from runtime.kernels.registry import Call, Registry, Signature, Split, Step

Array = Any
BLOCK_BYTES = 1 << 17  # of the planes that are copied at once; they and their shifted copies stay in a second-level cache
LINE = 2048  # places of one channel, at least: small planes of several images are put together
LETTERS = "xyzuvw"


def images_at_once(images: int, plane: int) -> int:
    return max(1, min(images, LINE // max(plane, 1)))


# ---- the geometry -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Phase:
    """The taps whose places have one remainder along each axis.

    taps: which ones of each axis; shifts: how far they read behind the first tap of all, for each axis.
    """

    remainders: tuple[int, ...]
    taps: tuple[slice, ...]
    shifts: tuple[tuple[int, ...], ...]


def remainders(axis: Axis) -> list[tuple[int, slice, tuple[int, ...]]]:
    """(remainder, taps, shifts) along one axis."""
    first = min(offset // axis.step for offset in axis.offsets)
    found: dict[int, list[tuple[int, int]]] = {}
    for tap, offset in enumerate(axis.offsets):
        found.setdefault(offset % axis.step, []).append((tap, offset // axis.step - first))
    parts = []
    for remainder, pairs in found.items():
        taps = [tap for tap, _ in pairs]
        step = taps[1] - taps[0] if len(taps) > 1 else 1
        parts.append((remainder, slice(taps[0], taps[-1] + 1, step), tuple(shift for _, shift in pairs)))
    return parts


class Planes:
    """How planes of all phases lie in memory: [channel, image, *extents], the same for every phase and for the result."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        self.axes = axes
        parts = [remainders(axis) for axis in axes]
        self.counts = tuple(axis.count for axis in axes)
        self.firsts = tuple(min(offset // axis.step for offset in axis.offsets) for axis in axes)
        self.extents = tuple(axis.count + max(shift for _, _, s in part for shift in s) for axis, part in zip(axes, parts, strict=True))
        self.phases = [Phase(*(tuple(item[i] for item in chosen) for i in range(3))) for chosen in product(*parts)]  # type: ignore[arg-type]
        self.pitches = tuple(prod(self.extents[at + 1 :]) for at in range(len(axes)))

    @property
    def size(self) -> int:
        return prod(self.extents)

    def line(self, images: int) -> int:
        """Places of the line from the first result to the last."""
        last = sum((count - 1) * pitch for count, pitch in zip(self.counts, self.pitches, strict=True))
        return (images - 1) * self.size + last + 1

    def reads(self, phase: Phase) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """The places of the planes that x has, and those of x."""
        rows = zip(self.axes, self.firsts, phase.remainders, self.extents, strict=True)
        pairs = [axis.window(axis.step, first * axis.step + remainder, extent) for axis, first, remainder, extent in rows]
        return tuple(inside for inside, _ in pairs), tuple(read for _, read in pairs)

    def results(self) -> tuple[slice, ...]:
        return tuple(slice(0, count) for count in self.counts)


# ---- the passes ---------------------------------------------------------------------------------------------------------------


def shaped(memory: Array, *shape: int) -> Array:
    """The first places of flat memory in this shape."""
    return memory[: prod(shape)].reshape(shape)


def channels_at_once(x: Array, planes: Planes) -> int:
    images = images_at_once(x.shape[0], planes.size)
    return max(1, min(x.shape[1], BLOCK_BYTES // (planes.size * images * x.itemsize)))


def blocks(x: Array, planes: Planes) -> Iterator[tuple[slice, slice]]:
    """Some images and some channels at a time; the channels change faster."""
    step, block = images_at_once(x.shape[0], planes.size), channels_at_once(x, planes)
    for first in range(0, x.shape[0], step):
        for channel in range(0, x.shape[1], block):
            yield slice(first, min(first + step, x.shape[0])), slice(channel, min(channel + block, x.shape[1]))


@dataclass
class Shifts:
    """The planes of one phase of one array [images, channels, …] and their shifts, over the same memory for every block."""

    planes: Planes
    phase: Phase
    x: Array
    plane: Array
    copies: Array

    @staticmethod
    def of(planes: Planes, phase: Phase, x: Array, scratch: Scratch) -> Shifts:
        size = channels_at_once(x, planes) * images_at_once(x.shape[0], planes.size) * planes.size
        columns = len(phase.shifts[-1])
        return Shifts(planes, phase, x, scratch((size,), x.dtype.name), scratch((size * columns if columns > 1 else 0,), x.dtype.name))

    def fill(self, images: slice, channels: slice) -> tuple[list[Step], Array]:
        """Calls that copy a block, and the view [channels, *taps, line] of all its shifts."""
        x = self.x[images, channels]
        whole = shaped(self.plane, x.shape[1], x.shape[0], *self.planes.extents)
        line = whole.reshape(x.shape[1], -1)
        lead = (slice(None), slice(None))
        inside, read = self.planes.reads(self.phase)
        steps: list[Step] = [partial(self.plane.fill, 0)] if channels.start == 0 else []
        if whole[(*lead, *inside)].size:
            steps.append(partial(np.copyto, whole[(*lead, *inside)], x[(*lead, *read)].swapaxes(0, 1)))
        columns = self.phase.shifts[-1]
        if len(columns) == 1:
            return steps, self.view(line[:, None, columns[0] :], x)
        spread = shaped(self.copies, x.shape[1], len(columns), line.shape[1])
        steps += [partial(np.copyto, spread[:, i, : line.shape[1] - by], line[:, by:]) for i, by in enumerate(columns)]
        return steps, self.view(spread, x)

    def view(self, spread: Array, x: Array) -> Array:
        """From [channels, columns, places]: the other taps are shifts of it."""
        planes, others = self.planes, list(zip(self.phase.shifts[:-1], self.planes.pitches[:-1], strict=True))
        start = sum(shifts[0] * pitch for shifts, pitch in others)
        apart = [(shifts[1] - shifts[0]) * pitch * x.itemsize if len(shifts) > 1 else 0 for shifts, pitch in others]
        shape = (x.shape[1], *(len(shifts) for shifts in self.phase.shifts), planes.line(x.shape[0]))
        return as_strided(spread[:, :, start:], shape, (spread.strides[0], *apart, spread.strides[1], x.itemsize), writeable=False)


def correlate(
    terms: Sequence[Array], factors: Sequence[Sequence[Array]], targets: Sequence[Array], axes: Sequence[Axis], scratch: Scratch
) -> list[Step]:
    """targets[i] = Σ_j Σ_t factors[i][j][c, t] · terms[j] shifted by t.

    terms, targets: [images, channels, …]; factors: [channels, *taps].
    """
    planes, x = Planes(axes), terms[0]
    parts = [(j, Shifts.of(planes, phase, term, scratch)) for j, term in enumerate(terms) for phase in planes.phases]
    size = channels_at_once(x, planes) * images_at_once(x.shape[0], planes.size) * planes.size
    memory = [scratch((size,), x.dtype.name) for _ in range(1 if len(parts) == 1 else 2)]
    letters = LETTERS[: len(axes)]
    equation, lead = f"c{letters},c{letters}l->cl", (slice(None), slice(None))
    steps: list[Step] = []
    for images, channels in blocks(x, planes):
        filled = [part.fill(images, channels) for _, part in parts]
        steps += [step for calls, _ in filled for step in calls]
        whole = [shaped(array, channels.stop - channels.start, images.stop - images.start, *planes.extents) for array in memory]
        lines = [array.reshape(array.shape[0], -1)[:, : planes.line(array.shape[1])] for array in whole]
        inside = [array[(*lead, *planes.results())].swapaxes(0, 1) for array in whole]
        for target, weights in zip(targets, factors, strict=True):
            into = target[images, channels]
            for at, ((j, part), (_, view)) in enumerate(zip(parts, filled, strict=True)):
                taps = weights[j][(channels, *part.phase.taps)]
                steps.append(partial(np.einsum, equation, taps, view, out=lines[min(at, 1)]))
                if 0 < at < len(parts) - 1:
                    steps.append(partial(np.add, *lines, out=lines[0]))
            steps.append(partial(np.copyto, into, inside[0]) if len(parts) == 1 else partial(np.add, *inside, out=into))
    return steps


def by_filter(array: Array, channels: int) -> list[Array]:
    """[n, channels, *spatial] for each filter of a channel, as views of [n, channels·filters, *spatial]."""
    grouped = array.reshape(array.shape[0], channels, -1, *array.shape[2:])
    return [grouped[:, :, filter] for filter in range(grouped.shape[2])]


def packed(w: Array, channels: int, scratch: Scratch) -> tuple[list[Array], Step]:
    """The weights [channels, *kernel] of each filter, in memory of their own."""
    copy = scratch(w.shape, w.dtype.name)
    grouped = copy.reshape(channels, -1, *w.shape[2:])
    return [grouped[:, filter] for filter in range(grouped.shape[1])], partial(np.copyto, copy, w)


def forward(call: Call) -> list[Step]:
    """Each filter of a channel makes a result of its own of the same shifts."""
    (x, w), (y,) = call.inputs, call.outputs
    axes, channels = spatial(x.shape, w.shape, y.shape, call.attrs), x.shape[1]
    weights, copy = packed(w, channels, call.scratch)
    steps = correlate([x], [[weight] for weight in weights], by_filter(y, channels), [axis.forward for axis in axes], call.scratch)
    return [copy, *steps]


def input_gradient(call: Call) -> list[Step]:
    """Each remainder of the stride is a correlation of g, over all filters of a channel, with the taps that lead there."""
    (g, w), (dx,) = call.inputs, call.outputs
    axes, channels = spatial(dx.shape, w.shape, g.shape, call.attrs), dx.shape[1]
    weights, copy = packed(w, channels, call.scratch)
    steps: list[Step] = [copy]
    for phases in product(*([axis.phase(number) for number in range(axis.stride)] for axis in axes)):
        taps, along, places = zip(*phases, strict=True)
        target = dx[(slice(None), slice(None), *places)]
        if not target.size:
            continue
        if not all(taps):
            steps.append(partial(np.copyto, target, 0))
            continue
        picked = [weight[(slice(None), *(falling(item) for item in taps))] for weight in weights]
        steps += correlate(by_filter(g, channels), [picked], [target], along, call.scratch)
    return steps


def kernel_gradient(call: Call) -> list[Step]:
    """dw[c, t] = Σ over the line of x shifted by t, times g in planes of the same kind with zeros between the results."""
    (x, g), (dw,) = call.inputs, call.outputs
    axes, channels = [axis.forward for axis in spatial(x.shape, dw.shape, g.shape, call.attrs)], x.shape[1]
    planes = Planes(axes)
    parts = [Shifts.of(planes, phase, x, call.scratch) for phase in planes.phases]
    given = call.scratch(parts[0].plane.shape, g.dtype.name)
    total = call.scratch((channels, g.shape[1] // channels, *dw.shape[2:]), dw.dtype.name)
    sums = call.scratch((channels * prod(dw.shape[2:]),), dw.dtype.name)
    ahead, lead = (None,) * (len(axes) - 1), (slice(None), slice(None))
    steps: list[Step] = [partial(total.fill, 0)]
    for images, block in blocks(x, planes):
        filled = [part.fill(images, block) for part in parts]
        steps += [step for calls, _ in filled for step in calls]
        whole = shaped(given, block.stop - block.start, images.stop - images.start, *planes.extents)
        line = whole.reshape(whole.shape[0], -1)[:, : planes.line(whole.shape[1])]
        if block.start == 0:
            steps.append(partial(given.fill, 0))
        for filter, source in enumerate(by_filter(g, channels)):
            steps.append(partial(np.copyto, whole[(*lead, *planes.results())], source[images, block].swapaxes(0, 1)))
            for part, (_, view) in zip(parts, filled, strict=True):
                into, found = total[(block, filter, *part.phase.taps)], shaped(sums, *view.shape[:-1])
                steps.append(partial(np.matmul, view, line[(slice(None), *ahead, slice(None), None)], found[..., None]))
                steps.append(partial(np.add, into, found, out=into))
    return [*steps, partial(np.copyto, dw, total.reshape(dw.shape))]


# ---- registering ----------------------------------------------------------------------------------------------------------------


def split_samples(signature: Signature) -> Split:
    """As many samples at a time as one block takes."""
    images, plane = signature.outputs[0][0][0], max(prod(shape[2:]) for shape, _ in (signature.inputs[0], signature.outputs[0]))
    return Split((0, None), (0,), images, grain=1, chunk=images_at_once(images, plane))


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
