"""Borders by copies into planned memory, and their adjoint by additions over what lies in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from dslc.diagnostics import DataError
from dslc.ops.pad import check_room
from runtime.errors import BadField
from runtime.kernels.numpy.generated import split_rows
from runtime.kernels.registry import Call, Registry, Signature, Split, Step

Array = Any
Pair = tuple[slice, slice]  # a border, and the places of x that it comes from; one place meets all of the border


def borders(size: int, before: int, after: int, mode: str) -> list[Pair]:
    """Both borders of an axis in the padded axis, and where in the middle (counted from its start) their values stand."""
    head, tail = slice(0, before), slice(before + size, before + size + after)
    if mode == "edge":
        return [(head, slice(0, 1)), (tail, slice(size - 1, size))]
    if mode == "wrap":
        return [(head, slice(size - before, size)), (tail, slice(0, after))]
    return [(head, falling(before, 1)), (tail, falling(size - 2, size - 1 - after))]


def falling(first: int, last: int) -> slice:
    """From first down to last, both inside."""
    return slice(first, last - 1 if last else None, -1)


def moved(place: slice, by: int) -> slice:
    """The same places behind `by` others."""
    stop = by - 1 if place.stop is None else place.stop + by
    return slice(place.start + by, stop if stop >= 0 else None, place.step)


def checked(call: Call, shape: tuple[int, ...]) -> None:
    """DataError where the sizes that came leave no room for the borders."""
    try:
        check_room(shape, call.attrs["before"], call.attrs["after"], call.attrs["mode"])
    except IndexError as error:
        raise DataError(BadField(field=call.op, reason=str(error))) from error


def pad(call: Call) -> list[Step]:
    """The middle is copied; then along one axis after the other the borders, over all that is there."""
    (x,), (y,) = call.inputs, call.outputs
    before, after, mode = (call.attrs[name] for name in ("before", "after", "mode"))
    checked(call, x.shape)
    inside = tuple(slice(b, b + size) for b, size in zip(before, x.shape, strict=True))
    steps: list[Step] = [partial(np.copyto, y[inside], x)]
    value = y.dtype.type(call.attrs["value"])
    for axis, (size, b, a) in enumerate(zip(x.shape, before, after, strict=True)):
        lead, rest = (slice(None),) * axis, inside[axis + 1 :]
        for border, source in borders(size, b, a, "edge" if mode == "constant" else mode):
            target = y[(*lead, border, *rest)]
            if target.size:
                steps.append(partial(np.copyto, target, value if mode == "constant" else y[(*lead, moved(source, b), *rest)]))
    return steps


def pad_grad(call: Call) -> list[Step]:
    """Along one axis after the other: the middle is copied, the borders are added to it."""
    (g,), (dx,) = call.inputs, call.outputs
    before, after, mode = (call.attrs[name] for name in ("before", "after", "mode"))
    checked(call, dx.shape)
    axes = [axis for axis, amounts in enumerate(zip(before, after, strict=True)) if any(amounts)]
    if not axes:
        return [partial(np.copyto, dx, g)]
    steps: list[Step] = []
    for axis in axes:
        shape = (*dx.shape[: axis + 1], *g.shape[axis + 1 :])
        target = dx if axis == axes[-1] else call.scratch(shape, g.dtype.name)
        steps += folded(g, target, axis, before[axis], after[axis], mode)
        g = target
    return steps


def folded(g: Array, target: Array, axis: int, before: int, after: int, mode: str) -> Iterator[Step]:
    lead, size = (slice(None),) * axis, target.shape[axis]
    yield partial(np.copyto, target, g[(*lead, slice(before, before + size))])
    for border, source in borders(size, before, after, mode):
        into = target[(*lead, source)]
        places = range(border.start, border.stop) if mode == "edge" else [border]
        for place in places:
            part = g[(*lead, slice(place, place + 1) if isinstance(place, int) else place)]
            if part.size:
                yield partial(np.add, into, part, out=into)


def split(signature: Signature) -> Split | None:
    """Along axis 0, where it has no border."""
    if len(signature.outputs[0][0]) < 2 or signature.attrs["before"][0] or signature.attrs["after"][0]:
        return None
    return split_rows(signature)


def register(registry: Registry) -> None:
    registry.tune("pad", split=split)(pad)
    registry.tune("pad_grad", split=split)(pad_grad)
