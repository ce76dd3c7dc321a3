"""Reductions with `out=`, cut along an axis that stays."""

from __future__ import annotations

from functools import partial

import numpy as np

from dslc.ops.support import normal_axes
from runtime.kernels.registry import Call, Registry, Signature, Split, Step

SMALL = 1 << 15  # elements below which a cut costs more than it saves
REDUCTIONS = {"sum": np.add, "max": np.maximum, "min": np.minimum, "all": np.logical_and}


def reduction(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    axes = normal_axes(call.attrs["axis"], x.ndim)
    return [partial(REDUCTIONS[call.op].reduce, x, axes, None, y, call.attrs["keep"])]


def mean(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    axes = normal_axes(call.attrs["axis"], x.ndim)
    count = y.dtype.type(x.size // max(y.size, 1))
    return [partial(np.add.reduce, x, axes, None, y, call.attrs["keep"]), partial(np.divide, y, count, out=y)]


def split(signature: Signature) -> Split | None:
    """Along the longest axis that is kept; a sum over everything is not cut, so that its order does not depend on the threads."""
    shape = signature.inputs[0][0]
    axes = normal_axes(signature.attrs["axis"], len(shape))
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    elements = int(np.prod(shape, dtype=np.int64))
    if not kept or elements < SMALL:
        return None
    axis = max(kept, key=lambda a: shape[a])
    place = axis if signature.attrs["keep"] else kept.index(axis)
    return Split((axis,), (place,), shape[axis], grain=max(1, shape[axis] * (SMALL // 2) // elements))


def plain(signature: Signature) -> bool:
    """Without a mask."""
    return len(signature.inputs) == 1


def argmax(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    return [partial(np.argmax, x, call.attrs["axis"], y)]


def argmin(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    return [partial(np.argmin, x, call.attrs["axis"], y)]


def cumsum(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    back = (*(slice(None),) * (call.attrs["axis"] % x.ndim), slice(None, None, -1))
    if call.attrs["reverse"]:
        x, y = x[back], y[back]
    steps: list[Step] = [partial(np.cumsum, x, call.attrs["axis"], None, y)]
    return [*steps, partial(np.subtract, y, x, out=y)] if call.attrs["exclusive"] else steps


def forward(signature: Signature) -> bool:
    """With axes at all: np.cumsum makes one of a number."""
    return len(signature.inputs[0][0]) > 0


def native_index(signature: Signature) -> bool:
    """np.argmax writes the machine's index type."""
    return np.dtype(np.intp) == np.dtype(signature.outputs[0][1])


def register(registry: Registry) -> None:
    registry.tune(*REDUCTIONS, split=split, fits=plain)(reduction)
    registry.tune("mean", split=split)(mean)
    registry.tune("argmax", fits=native_index)(argmax)
    registry.tune("argmin", fits=native_index)(argmin)
    registry.tune("cumsum", fits=forward)(cumsum)
