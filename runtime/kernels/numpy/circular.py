"""Circular convolution: the turned row, in its two pieces, times each place of the kernel."""

from __future__ import annotations

from functools import partial

import numpy as np

from dslc.ops.circular import shifts
from runtime.kernels.numpy.generated import split_rows
from runtime.kernels.registry import Call, Registry, Signature, Split, Step


def circular_conv(call: Call) -> list[Step]:
    (x, kernel), (y,) = call.inputs, call.outputs
    n = x.shape[-1]
    work = call.scratch(y.shape, y.dtype.name)
    steps: list[Step] = []
    for place, shift in enumerate(shifts(kernel.shape[-1])):
        turn, factor = shift % n, kernel[..., place : place + 1]
        target = work if place else y
        steps.append(partial(np.multiply, x[..., : n - turn], factor, out=target[..., turn:]))
        if turn:
            steps.append(partial(np.multiply, x[..., n - turn :], factor, out=target[..., :turn]))
        if place:
            steps.append(partial(np.add, y, work, out=y))
    return steps


def split(signature: Signature) -> Split | None:
    """Rows are independent; a single one is not cut."""
    return split_rows(signature) if len(signature.inputs[0][0]) > 1 else None


def register(registry: Registry) -> None:
    registry.tune("circular_conv", split=split)(circular_conv)
