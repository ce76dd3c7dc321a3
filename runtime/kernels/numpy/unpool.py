"""Pooling with indices and unpooling in planned memory.

Which place of a window holds its maximum is a small number: its place in the kernel where it does, all bits where it does not, and of all
places of the window the least. Bytes are enough for it, so that this costs little beside the maximum itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from math import prod
from typing import Any

import numpy as np

from runtime.kernels.numpy.correlate import Axis
from runtime.kernels.numpy.generated import split_rows
from runtime.kernels.numpy.indexing import flat_index
from runtime.kernels.numpy.pool import axes_of, max_pool, places
from runtime.kernels.registry import Call, Registry, Step

Array = Any


def max_pool_indices(call: Call) -> list[Step]:
    (x,), (y, index) = call.inputs, call.outputs
    axes = axes_of(x.shape[2:], y.shape[2:], call.attrs)
    steps = list(max_pool(replace(call, outputs=(y,))))
    number = call.scratch(y.shape, "uint8" if prod(call.attrs["kernel"]) < 256 else "uint32")
    steps += first_places(x, y, number, axes, call)
    offsets, start = plane_places(axes)
    wide = call.scratch(y.shape, np.dtype(np.intp).name)
    return [
        *steps,
        partial(np.copyto, wide, number),
        partial(np.take, offsets, wide, None, index, "clip"),
        partial(np.add, index, start, out=index),
    ]


def first_places(x: Array, y: Array, number: Array, axes: Sequence[Axis], call: Call) -> list[Step]:
    """number = the first place in the kernel that is inside x and not below the maximum."""
    below, candidate = call.scratch(y.shape, "bool"), call.scratch(y.shape, number.dtype.name)
    steps: list[Step] = [partial(number.fill, np.iinfo(number.dtype).max)]
    for place, (windows, read) in enumerate(places(axes)):
        found, flags, mask = number[windows], below[windows], candidate[windows]
        if found.size:
            steps += [
                partial(np.less, x[read], y[windows], out=flags),
                partial(np.copyto, mask, flags),
                partial(np.negative, mask, out=mask),  # all bits where it is below
                partial(np.bitwise_or, mask, number.dtype.type(place), out=mask),
                partial(np.minimum, found, mask, out=found),
            ]
    return steps


def plane_places(axes: Sequence[Axis]) -> tuple[Array, Array]:
    """Where each place of the kernel stands in the plane, seen from the start of its window, and where each window starts."""
    strides = [prod(axis.size for axis in axes[at + 1 :]) for at in range(len(axes))]
    offsets = [
        sum(o * stride for o, stride in zip(place, strides, strict=True)) for place in product(*(axis.offsets for axis in axes))
    ]  # fmt: skip
    start = np.zeros([axis.count for axis in axes], np.int64)
    for at, (axis, stride) in enumerate(zip(axes, strides, strict=True)):
        along = [-1 if other == at else 1 for other in range(len(axes))]
        start = start + (np.arange(axis.count) * axis.step * stride).reshape(along)
    return np.array(offsets, np.int64), start


# ---- unpooling ----------------------------------------------------------------------------------------------------------------


def in_planes(index: Array, places_of_plane: int, call: Call) -> tuple[Array, list[Step]]:
    """Flat indices into [n, c, places]."""
    n, c = index.shape[:2]
    flat, steps = flat_index(index.reshape(n, c, -1), (n, c, places_of_plane), 2, call)
    return flat.reshape(-1), steps


def max_unpool(call: Call) -> list[Step]:
    (x, index), (y,) = call.inputs, call.outputs
    flat, steps = in_planes(index, prod(y.shape[2:]), call)
    return [*steps, partial(y.fill, 0), partial(y.reshape(-1).__setitem__, flat, x.reshape(-1))]


def unpool_kept(call: Call) -> list[Step]:
    """Each value writes its number; those that find it again stay."""
    (index,), (kept,) = call.inputs, call.outputs
    size = prod(call.attrs["size"])
    flat, steps = in_planes(index, size, call)
    written = call.scratch((index.shape[0] * index.shape[1] * size,), "int64")
    numbers, found = np.arange(flat.size), call.scratch(flat.shape, "int64")
    return [
        *steps,
        partial(written.__setitem__, flat, numbers),
        partial(np.take, written, flat, None, found, "clip"),
        partial(np.equal, found, numbers, out=kept.reshape(-1)),
    ]


def register(registry: Registry) -> None:
    for name, bind in (("max_pool_indices", max_pool_indices), ("max_unpool", max_unpool), ("unpool_kept", unpool_kept)):
        registry.tune(name, split=split_rows)(bind)
