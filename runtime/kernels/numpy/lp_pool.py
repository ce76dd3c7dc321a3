"""Sums and p-norms of windows, by the sums of `pool.py`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from runtime.kernels.numpy.generated import split_rows
from runtime.kernels.numpy.pool import shared, summed
from runtime.kernels.registry import Call, Registry, Step

Array = Any


def sum_pool(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    return summed(x, y, call.attrs, call.scratch)


def sum_pool_grad(call: Call) -> list[Step]:
    (g,), (dx,) = call.inputs, call.outputs
    return shared(g, dx, call.attrs, call.scratch)


def lp_pool(call: Call) -> list[Step]:
    """Squares and roots for p = 2, powers of the magnitudes else."""
    (x,), (y,) = call.inputs, call.outputs
    p, powers = call.attrs["p"], call.scratch(x.shape, x.dtype.name)
    if p == 2:
        return [partial(np.multiply, x, x, out=powers), *summed(powers, y, call.attrs, call.scratch), partial(np.sqrt, y, out=y)]
    steps: list[Step] = [partial(np.abs, x, out=powers)]
    if p == 1:
        return [*steps, *summed(powers, y, call.attrs, call.scratch)]
    steps.append(partial(np.power, powers, x.dtype.type(p), out=powers))
    return [*steps, *summed(powers, y, call.attrs, call.scratch), partial(np.power, y, x.dtype.type(1 / p), out=y)]


def register(registry: Registry) -> None:
    for name, bind in (("sum_pool", sum_pool), ("sum_pool_grad", sum_pool_grad), ("lp_pool", lp_pool)):
        registry.tune(name, split=split_rows)(bind)
