"""Local response normalisation: the window's sum by shifted additions over the channels, and d^-β by square roots where β allows it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from runtime.kernels.numpy.generated import split_rows
from runtime.kernels.registry import Call, Registry, Step

Array = Any


def windows(x: Array, total: Array, size: int) -> list[Step]:
    """total = Σ of the `size` channels around each one."""
    steps: list[Step] = [partial(np.copyto, total, x)]
    for shift in range(1, min(size // 2, x.shape[1] - 1) + 1):
        for into, read in ((total[:, shift:], x[:, :-shift]), (total[:, :-shift], x[:, shift:])):
            steps.append(partial(np.add, into, read, out=into))
    return steps


def channel_window_sum(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    return windows(x, y, call.attrs["size"])


def lrn(call: Call) -> list[Step]:
    """y = x / d^β with d = k + α/size · Σ x²."""
    (x,), (y,) = call.inputs, call.outputs
    squares, d = call.scratch(x.shape, x.dtype.name), call.scratch(x.shape, x.dtype.name)
    scale, k = x.dtype.type(call.attrs["alpha"] / call.attrs["size"]), x.dtype.type(call.attrs["k"])
    steps: list[Step] = [partial(np.multiply, x, x, out=squares), *windows(squares, d, call.attrs["size"])]
    steps += [partial(np.multiply, d, scale, out=d), partial(np.add, d, k, out=d)]
    return [*steps, *powered(d, squares, call.attrs["beta"]), partial(np.divide, x, d, out=y)]


def powered(d: Array, work: Array, beta: float) -> list[Step]:
    """d = d^β; d^¾ = √(d·√d) is many times as fast as a power."""
    if beta == 0.5:
        return [partial(np.sqrt, d, out=d)]
    if beta == 0.75:
        return [partial(np.sqrt, d, out=work), partial(np.multiply, d, work, out=d), partial(np.sqrt, d, out=d)]
    return [partial(np.power, d, d.dtype.type(beta), out=d)]


def register(registry: Registry) -> None:
    registry.tune("channel_window_sum", split=split_rows)(channel_window_sum)
    registry.tune("lrn", split=split_rows)(lrn)
