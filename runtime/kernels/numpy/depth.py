"""Places into channels and back: one copy between two views."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from dslc.ops.depth import ORDER, squares
from runtime.kernels.numpy.generated import split_rows
from runtime.kernels.registry import Call, Registry, Step

Array = Any


def channels_of(small: Array, large: Array, scale: int, mode: str) -> Array:
    """The small picture in the order [n, channel, row, i, column, j] of the large one."""
    n, c = large.shape[:2]
    split = (scale, scale, c) if mode == "DCR" else (c, scale, scale)
    return small.reshape(n, *split, *small.shape[2:]).transpose([ORDER[mode].index(axis) for axis in range(6)])


def copy(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    scale, mode = call.attrs["scale"], call.attrs["mode"]
    if call.op == "space_to_depth":
        return [partial(np.copyto, channels_of(y, x, scale, mode), squares(x, scale))]
    return [partial(np.copyto, squares(y, scale), channels_of(x, y, scale, mode))]


def register(registry: Registry) -> None:
    registry.tune("space_to_depth", "depth_to_space", split=split_rows, fits=lambda signature: all(signature.packed))(copy)
