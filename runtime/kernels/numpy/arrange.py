"""Turning, shifting, repeating and cutting by copies of views into planned memory."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np

from dslc.ops.arrange import listed
from dslc.ops.support import normal_axes
from runtime.kernels.registry import Call, Registry, Step


def flip(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    return [partial(np.copyto, y, np.flip(x, normal_axes(call.attrs["axis"], x.ndim)))]


def roll(call: Call) -> list[Step]:
    """Along each axis two pieces: the start moves towards the end, the end comes in at the start."""
    (x,), (y,) = call.inputs, call.outputs
    pieces: list[list[tuple[slice, slice]]] = [[(slice(None), slice(None))] for _ in range(y.ndim)]
    for shift, axis in zip(listed(call.attrs["shift"]), listed(call.attrs["axis"]), strict=True):
        size = y.shape[axis]
        at = shift % size
        whole = [(slice(at, size), slice(0, size - at)), (slice(0, at), slice(size - at, size))]
        pieces[axis % y.ndim] = whole if at else whole[:1]
    return [partial(np.copyto, y[tuple(to for to, _ in part)], x[tuple(of for _, of in part)]) for part in product(*pieces)]


def tile(call: Call) -> list[Step]:
    """The result seen as [count, size, count, size, …], to which x broadcasts."""
    (x,), (y,) = call.inputs, call.outputs
    parts = [size for count, n in zip(call.attrs["repeats"], x.shape, strict=True) for size in (count, n)]
    return [partial(np.copyto, y.reshape(parts), np.expand_dims(x, tuple(range(0, len(parts), 2))))]


def repeat(call: Call) -> list[Step]:
    """The result seen with an axis of the copies behind the repeated one."""
    (x,), (y,) = call.inputs, call.outputs
    at = call.attrs["axis"] % x.ndim
    wide = y.reshape([*x.shape[: at + 1], call.attrs["count"], *x.shape[at + 1 :]])
    return [partial(np.copyto, wide, np.expand_dims(x, at + 1))]


def reshaped(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    return [partial(np.copyto, y, x.reshape(y.shape))]


def triangle(call: Call) -> list[Step]:
    """A copy, and 0 on the other side of the diagonal."""
    (x,), (y,) = call.inputs, call.outputs
    lower = np.tri(*y.shape[-2:], call.attrs["k"] if call.op == "tril" else call.attrs["k"] - 1, dtype=bool)
    outside = ~lower if call.op == "tril" else lower
    return [partial(np.copyto, y, x), partial(np.copyto, y, y.dtype.type(0), where=outside)]


def cumprod(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    return [partial(np.cumprod, x, call.attrs["axis"], None, y)]


KERNELS: dict[str, Any] = {
    "flip": flip,
    "roll": roll,
    "tile": tile,
    "repeat": repeat,
    "squeeze": reshaped,
    "unsqueeze": reshaped,
    "tril": triangle,
    "triu": triangle,
    "cumprod": cumprod,
}


def register(registry: Registry) -> None:
    for name, bind in KERNELS.items():
        registry.tune(name)(bind)
