"""Sums and p-norms of windows, by the views of `pool.py`: every place of the kernel is a view of x, and what it reaches is added."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from runtime.kernels.numpy.generated import split_rows
from runtime.kernels.numpy.pool import axes_of, combine, everywhere, places, tiled
from runtime.kernels.registry import Call, Registry, Step

Array = Any


def summed(x: Array, y: Array, attrs: Any) -> list[Step]:
    """y = Σ over the places of the kernel of x."""
    axes = axes_of(x.shape[2:], y.shape[2:], attrs)
    found = [(y[windows], x[read]) for windows, read in places(axes)]
    if everywhere(axes):
        return combine([tap for _, tap in found], y, np.add)
    return [partial(y.fill, 0), *(partial(np.add, total, tap, out=total) for total, tap in found if total.size)]


def sum_pool(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    return summed(x, y, call.attrs)


def sum_pool_grad(call: Call) -> list[Step]:
    (g,), (dx,) = call.inputs, call.outputs
    axes = axes_of(dx.shape[2:], g.shape[2:], call.attrs)
    found = [(g[windows], dx[read]) for windows, read in places(axes)]
    if tiled(axes):
        return [partial(np.copyto, into, part) for part, into in found]
    return [partial(dx.fill, 0), *(partial(np.add, into, part, out=into) for part, into in found if part.size)]


def lp_pool(call: Call) -> list[Step]:
    """Squares and roots for p = 2, powers of the magnitudes else."""
    (x,), (y,) = call.inputs, call.outputs
    p, powers = call.attrs["p"], call.scratch(x.shape, x.dtype.name)
    if p == 2:
        return [partial(np.multiply, x, x, out=powers), *summed(powers, y, call.attrs), partial(np.sqrt, y, out=y)]
    steps: list[Step] = [partial(np.abs, x, out=powers)]
    if p == 1:
        return [*steps, *summed(powers, y, call.attrs)]
    steps.append(partial(np.power, powers, x.dtype.type(p), out=powers))
    return [*steps, *summed(powers, y, call.attrs), partial(np.power, y, x.dtype.type(1 / p), out=y)]


def register(registry: Registry) -> None:
    for name, bind in (("sum_pool", sum_pool), ("sum_pool_grad", sum_pool_grad), ("lp_pool", lp_pool)):
        registry.tune(name, split=split_rows)(bind)
