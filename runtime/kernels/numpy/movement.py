"""Copies into planned memory, indexing with checked indices, and values that are known once the sizes are."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from dslc.ops.infer import evaluate
from runtime.kernels.numpy.generated import split_rows
from runtime.kernels.registry import Call, Registry, Signature, Split, Step

Array = Any


def transpose(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    axes = call.attrs["axes"]
    view = x.transpose(axes) if axes is not None else x.swapaxes(-1, -2)
    return [partial(np.copyto, y, view)]


def broadcast(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    return [partial(np.copyto, y, x)]


def slices(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    index = tuple(slice(a, b) for a, b in zip(call.attrs["starts"], call.attrs["stops"], strict=True))
    return [partial(np.copyto, y, x[index])]


def concat(call: Call) -> list[Step]:
    (y,) = call.outputs
    steps: list[Step] = []
    axis, at = call.attrs["axis"] % y.ndim, 0
    for x in call.inputs:
        steps.append(partial(np.copyto, y[(*(slice(None),) * axis, slice(at, at + x.shape[axis]))], x))
        at += x.shape[axis]
    return steps


def stack(call: Call) -> list[Step]:
    (y,) = call.outputs
    axis = call.attrs["axis"] % y.ndim
    return [partial(np.copyto, y[(*(slice(None),) * axis, number, ...)], x) for number, x in enumerate(call.inputs)]


def split(call: Call) -> list[Step]:
    (x,) = call.inputs
    parts = np.split(x, call.attrs["parts"], axis=call.attrs["axis"])
    return [partial(np.copyto, y, part) for y, part in zip(call.outputs, parts, strict=True)]


def check_index(call: Call, index: Array, size: int) -> None:
    """Every index is one of the axis, from 0 on: a negative one would count from the end."""
    low, high = index.min(), index.max()
    if low < 0 or high >= size:
        raise call.fault(f"an index is {low if low < 0 else high}, and there are {size} places from 0 on")


def wide(call: Call, index: Array) -> tuple[Array, list[Step]]:
    """The index as the machine's index type."""
    if index.dtype == np.intp:
        return index, []
    place = call.scratch(index.shape, np.dtype(np.intp).name)
    return place, [partial(np.copyto, place, index)]


def gather(call: Call) -> list[Step]:
    (x, index), (y,) = call.inputs, call.outputs
    axis = call.attrs["axis"] % x.ndim
    place, steps = wide(call, index)
    return [*steps, partial(check_index, call, place, x.shape[axis]), partial(np.take, x, place, axis, y, "clip")]


def scatter_add(call: Call) -> list[Step]:
    """Slices are added in the order of their indices: the same bits every time."""
    (g, index), (y,) = call.inputs, call.outputs
    axis = call.attrs["axis"] % y.ndim
    place, steps = wide(call, index)
    target = np.moveaxis(y, axis, 0)
    source = np.moveaxis(g, tuple(range(axis, axis + index.ndim)), tuple(range(index.ndim)))
    return [*steps, partial(y.fill, 0), partial(check_index, call, place, y.shape[axis]), partial(np.add.at, target, place, source)]


def known(call: Call) -> list[Step]:
    """The result depends on sizes and settings only: it is made once and copied."""
    (value,) = evaluate(call.op, np, (), call.attrs)
    return [partial(np.copyto, call.outputs[0], value)]


def split_copy(signature: Signature) -> Split | None:
    """Along axis 0 where it stands in input and result."""
    shapes = [shape for shape, _ in (*signature.inputs, *signature.outputs)]
    axes = signature.attrs.get("axes")
    stays = axes is None or axes[0] == 0
    axis = signature.attrs.get("axis")
    along = isinstance(axis, int) and axis % max(len(signature.outputs[0][0]), 1) == 0
    rank = min(len(shape) for shape in shapes)
    if along or not stays or rank < (3 if signature.op == "transpose" and axes is None else 1) or len({shape[0] for shape in shapes}) > 1:
        return None
    return split_rows(signature)


KERNELS = {
    "transpose": transpose,
    "broadcast": broadcast,
    "concat": concat,
    "split": split,
}


def register(registry: Registry) -> None:
    for name, bind in KERNELS.items():
        registry.tune(name, split=split_copy)(bind)
    for name, bind in {"stack": stack, "slice": slices, "gather": gather, "scatter_add": scatter_add}.items():
        registry.tune(name)(bind)
    registry.tune("arange", "eye", "size")(known)
