"""Resizing by whole factors as a broadcast copy, everything else as a product with a small matrix along each axis; gradients likewise.

A product with zeros spreads a value that is not finite over its whole line: where there is one, the row's own `eval` is run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dslc.ops import resize as rows
from dslc.ops.resize import matrix
from runtime.kernels.numpy.generated import split_rows
from runtime.kernels.registry import Call, Registry, Step

Array = Any


def whole(small: tuple[int, ...], large: tuple[int, ...], attrs: Any) -> tuple[int, ...] | None:
    """The factors by which nearest neighbours are repeated, None where they are not repeated evenly."""
    if attrs["mode"] != "nearest" or attrs["coordinates"] == "align_corners" or any(m % n for n, m in zip(small, large, strict=True)):
        return None
    return tuple(m // n for n, m in zip(small, large, strict=True))


def interleaved(large: Array, factors: tuple[int, ...]) -> Array:
    """[n, c, h, factor, w, factor, …]: every repetition on an axis of its own, as a view."""
    shape = [size for m, factor in zip(large.shape[2:], factors, strict=True) for size in (m // factor, factor)]
    return large.reshape(*large.shape[:2], *shape)


def resize(call: Call) -> list[Step]:
    (x,), (y,) = call.inputs, call.outputs
    factors = whole(x.shape[2:], y.shape[2:], call.attrs)
    if factors is not None:
        return [partial(np.copyto, interleaved(y, factors), interleaved(x, (1,) * len(factors)))]
    wanted = [
        matrix(np, n, m, call.attrs["mode"], call.attrs["coordinates"], x.dtype) for n, m in zip(x.shape[2:], y.shape[2:], strict=True)
    ]
    exactly = partial(rows.resize, np, x, None, y.shape[2:], call.attrs["mode"], call.attrs["coordinates"])
    return [*products(x, y, wanted, call.scratch), partial(finite_or, y, exactly)]


def resize_grad(call: Call) -> list[Step]:
    (g,), (dx,) = call.inputs, call.outputs
    factors = whole(dx.shape[2:], g.shape[2:], call.attrs)
    if factors is not None:
        over = tuple(3 + 2 * axis for axis in range(len(factors)))
        return [partial(np.add.reduce, interleaved(g, factors), over, None, dx)]
    wanted = [
        matrix(np, n, m, call.attrs["mode"], call.attrs["coordinates"], g.dtype).T for n, m in zip(dx.shape[2:], g.shape[2:], strict=True)
    ]
    exactly = partial(rows.resize_grad, np, g, dx.shape[2:], call.attrs["mode"], call.attrs["coordinates"])
    return [*products(g, dx, wanted, call.scratch), partial(finite_or, dx, exactly)]


def finite_or(y: Array, exactly: Callable[[], Array]) -> None:
    """Keep y where its sum is finite."""
    if not np.isfinite(y.sum()):
        np.copyto(y, exactly())


def products(x: Array, y: Array, matrices: list[Array], scratch: Any) -> list[Step]:
    """y = x with each spatial axis multiplied by its matrix [m, n], the first axis first; an axis whose matrix is 1 is left out."""
    changed = [axis for axis, m in enumerate(matrices, 2) if m.shape[0] != m.shape[1] or (m != np.eye(len(m))).any()]
    steps: list[Step] = []
    if not changed:
        return [partial(np.copyto, y, x)]
    for axis in changed:
        factor = np.ascontiguousarray(matrices[axis - 2])
        shape = (*x.shape[:axis], factor.shape[0], *x.shape[axis + 1 :])
        target = y if axis == changed[-1] else scratch(shape, x.dtype.name)
        if axis == x.ndim - 1:
            steps.append(partial(np.matmul, x, np.ascontiguousarray(factor.T), target))
        else:
            steps.append(partial(np.matmul, factor, x.reshape(*x.shape[: axis + 1], -1), target.reshape(*shape[: axis + 1], -1)))
        x = target
    return steps


def register(registry: Registry) -> None:
    registry.tune("resize", split=split_rows, fits=packed)(resize)
    registry.tune("resize_grad", split=split_rows, fits=packed)(resize_grad)


def packed(signature: Any) -> bool:
    """Whether the operand is contiguous: its axes are put together."""
    return all(signature.packed)
