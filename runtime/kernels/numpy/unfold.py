"""im2col and col2im without padded copies: every place of the kernel is a view of the image for the windows in which it lies inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

import numpy as np

from dslc.ops.unfold import fixed_counts
from runtime.kernels.numpy.generated import split_rows
from runtime.kernels.numpy.pool import axes_of, everywhere, places, tiled
from runtime.kernels.registry import Call, Registry, Signature, Split, Step

Array = Any


def columns(array: Array, image: Array, attrs: Any, count: Sequence[int]) -> Array:
    """[n, c, places of the kernel, *windows] as a view of [n, c·places, windows]."""
    return array.reshape(*image.shape[:2], prod(attrs["kernel"]), *count)


def settings(attrs: Any) -> dict[str, Any]:
    return {name: attrs[name] for name in ("kernel", "stride", "pad", "dilation")}


def unfold(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    count = fixed_counts("unfold", x.shape[2:], **settings(call.attrs))
    axes = axes_of(x.shape[2:], count, call.attrs)
    found = columns(y, x, call.attrs, count)
    steps: list[Step] = [] if everywhere(axes) else [partial(y.fill, 0)]
    for number, (windows, read) in enumerate(places(axes)):
        into = found[:, :, number][windows]
        if into.size:
            steps.append(partial(np.copyto, into, x[read]))
    return steps


def fold(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    count = fixed_counts("fold", y.shape[2:], **settings(call.attrs))
    axes = axes_of(y.shape[2:], count, call.attrs)
    given = columns(x, y, call.attrs, count)
    found = [(y[read], given[:, :, number][windows]) for number, (windows, read) in enumerate(places(axes))]
    if tiled(axes):
        return [partial(np.copyto, into, part) for into, part in found]
    return [partial(y.fill, 0), *(partial(np.add, into, part, out=into) for into, part in found if part.size)]


def split_samples(signature: Signature) -> Split | None:
    """Some samples at a time, one at least: an image stays in cache while all its columns are read or added."""
    found = split_rows(signature)
    return replace(found, inputs=(0,)) if found is not None else None


def register(registry: Registry) -> None:
    registry.tune("unfold", split=split_samples)(unfold)
    registry.tune("fold", split=split_samples)(fold)
