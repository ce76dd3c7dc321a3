"""Mirroring and moving samples into place: what each sample gets is drawn when the step runs."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from dslc.ops.augment import flipped, move, offsets
from runtime.kernels.numpy.generated import split_rows
from runtime.kernels.registry import Call, Registry, Step

Array = Any


def from_first(key: Array, start: int) -> Array:
    """The key of a piece of the batch that begins at sample `start`."""
    return key + np.array([0, 0, start], np.int64)


def flip(x: Array, key: Array, y: Array, stream: int, start: int) -> None:
    np.copyto(y, x)
    for number in np.flatnonzero(flipped(np, from_first(key, start), stream, len(x))):
        np.copyto(y[number], x[number, ..., ::-1])


def shift(x: Array, key: Array, y: Array, pixels: int, stream: int, start: int, sign: int) -> None:
    y.fill(0)
    move(y, x, offsets(np, from_first(key, start), stream, len(x), x.ndim - 2, pixels) * sign)


def random_flip(call: Call) -> list[Step]:
    (x, key), (y,) = call.inputs, call.outputs
    return [partial(flip, x, key, y, call.attrs["stream"], call.start)]


def random_shift(call: Call) -> list[Step]:
    (x, key), (y,) = call.inputs, call.outputs
    sign = 1 if call.op == "random_shift" else -1
    return [partial(shift, x, key, y, call.attrs["pixels"], call.attrs["stream"], call.start, sign)]


def register(registry: Registry) -> None:
    registry.tune("random_flip", split=split_rows)(random_flip)
    for name in ("random_shift", "random_shift_back"):
        registry.tune(name, split=split_rows)(random_shift)
