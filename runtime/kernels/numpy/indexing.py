"""One value for each index along an axis, and writing at indices: by flat indices over planned memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from dslc.diagnostics import DataError
from dslc.ops.support import checked_index
from runtime.errors import BadField
from runtime.kernels.registry import Call, Registry, Signature, Step

Array = Any
COMBINE = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def strict_index(index: Array, size: int, op: str) -> None:
    """DataError where an index is not one of the axis, counted from 0."""
    try:
        checked_index(index, size, f"an index of `{op}`", "places")
    except IndexError as error:
        raise DataError(BadField(field=op, reason=str(error))) from error


def flat_index(index: Array, shape: Sequence[int], axis: int, call: Call) -> tuple[Array, list[Step]]:
    """Where each index points to in a contiguous array of this shape, and the calls that compute it; the indices are checked."""
    strides = [prod(shape[at + 1 :]) for at in range(len(shape))]
    start = sum(
        np.arange(n).reshape([-1 if other == at else 1 for other in range(index.ndim)]) * strides[at]
        for at, n in enumerate(index.shape)
        if at != axis
    )
    flat = call.scratch(index.shape, np.dtype(np.intp).name)
    steps: list[Step] = [
        partial(np.copyto, flat, index),
        partial(strict_index, flat, shape[axis], call.op),
        partial(np.multiply, flat, strides[axis], out=flat),
        partial(np.add, flat, start, out=flat),
    ]
    return flat, steps


def take_along_axis(call: Call) -> list[Step]:
    (x, index), (y,) = call.inputs, call.outputs
    flat, steps = flat_index(index, x.shape, call.attrs["axis"] % x.ndim, call)
    return [*steps, partial(np.take, x.reshape(-1), flat, None, y, "clip")]


def scatter(call: Call) -> list[Step]:
    """In the order of the indices: of equal ones the last stays, and sums have the same bits every time."""
    (x, index, updates), (y,) = call.inputs, call.outputs
    flat, steps = flat_index(index, x.shape, call.attrs["axis"] % x.ndim, call)
    places = y.reshape(-1)
    steps.append(partial(np.copyto, y, x))
    if call.attrs["reduction"] == "set":
        return [*steps, partial(places.__setitem__, flat.reshape(-1), updates.reshape(-1))]
    return [*steps, partial(COMBINE[call.attrs["reduction"]].at, places, flat.reshape(-1), updates.reshape(-1))]


def packed(signature: Signature) -> bool:
    """All inputs are contiguous, so that they can be read by flat indices."""
    return all(signature.packed)


def register(registry: Registry) -> None:
    registry.tune("take_along_axis", fits=packed)(take_along_axis)
    registry.tune("scatter", fits=packed)(scatter)
