"""Sums over all axes but the channels, some samples at a time: what batch norm and its gradient read twice then still lies in cache."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from runtime.kernels.numpy.generated import bind_traced, split_rows, traceable
from runtime.kernels.registry import Call, Registry, Signature, Split, Step

Array = Any
BLOCK_BYTES = 1 << 17


def others(rank: int) -> tuple[int, ...]:
    return tuple(axis for axis in range(rank) if axis != 1)


def blocks(x: Array) -> Iterator[slice]:
    """A few samples at a time."""
    rows = max(1, BLOCK_BYTES // max(x[:1].size * x.itemsize, 1))
    return (slice(start, min(start + rows, x.shape[0])) for start in range(0, x.shape[0], rows))


def summed(source: Array, total: Array, part: Array, first: bool) -> list[Step]:
    """total (+)= the sum of `source` over all axes but the channels."""
    axes = others(source.ndim)
    if first:
        return [partial(np.add.reduce, source, axes, None, total)]
    return [partial(np.add.reduce, source, axes, None, part), partial(np.add, total, part, out=total)]


def channel_moments(call: Call) -> list[Step]:
    """mean = Σx / N, then var = Σ(x - mean)² / N in a second pass, which does not cancel."""
    (x,), (mean, variance) = call.inputs, call.outputs
    count = x.dtype.type(x.size // max(mean.size, 1))
    centre = mean.reshape(-1, *([1] * (x.ndim - 2)))
    part = call.scratch(mean.shape, x.dtype.name)
    work = call.scratch(x[next(blocks(x))].shape, x.dtype.name)
    steps: list[Step] = []
    for block in blocks(x):
        steps += summed(x[block], mean, part, block.start == 0)
    steps.append(partial(np.divide, mean, count, out=mean))
    for block in blocks(x):
        centred = work[: block.stop - block.start]
        steps += [partial(np.subtract, x[block], centre, out=centred), partial(np.multiply, centred, centred, out=centred)]
        steps += summed(centred, variance, part, block.start == 0)
    return [*steps, partial(np.divide, variance, count, out=variance)]


def channel_dot(call: Call) -> list[Step]:
    (a, b), (y,) = call.inputs, call.outputs
    part = call.scratch(y.shape, a.dtype.name)
    work = call.scratch(a[next(blocks(a))].shape, a.dtype.name)
    steps: list[Step] = []
    for block in blocks(a):
        product = work[: block.stop - block.start]
        steps.append(partial(np.multiply, a[block], b[block], out=product))
        steps += summed(product, y, part, block.start == 0)
    return steps


def split_channels(signature: Signature) -> Split | None:
    shape = signature.inputs[0][0]
    elements = int(np.prod(shape, dtype=np.int64))
    inputs = (1,) * len(signature.inputs)
    return Split(inputs, (0,) * len(signature.outputs), shape[1], grain=max(1, shape[1] * (1 << 14) // max(elements, 1)))


def register(registry: Registry) -> None:
    registry.tune("channel_moments", split=split_channels)(channel_moments)
    registry.tune("channel_dot", split=split_channels)(channel_dot)
    registry.tune("channel_affine", split=split_rows, fits=traceable)(bind_traced)
    registry.tune("group_normalize", split=split_rows, fits=traceable)(bind_traced)
