"""Nests as machine code on arrays, for tests: every array lies in a block with red zones around it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from runtime.kernels.native.layout import Layout, plain
from runtime.kernels.native.machine import Library, compile_object, host
from runtime.kernels.native.pieces import written
from runtime.kernels.native.scope import Kernel
from runtime.loops.nest import Loops, value_of

Arrays = Mapping[str, np.ndarray]
RED = 256  # bytes before and behind an array
MARK = 0xA5


class Guarded:
    """A copy of an array inside a block of marks."""

    def __init__(self, array: np.ndarray, mark: int = MARK) -> None:
        size, self.mark = array.nbytes, mark
        raw = np.full(size + 2 * RED + 64, mark, np.uint8)
        start = -raw.ctypes.data % 64 + RED
        self.before, self.behind = raw[:start], raw[start + size :]
        self.array = raw[start : start + size].view(array.dtype).reshape(array.shape)
        self.array[...] = array

    def check(self) -> None:
        assert (self.before == self.mark).all() and (self.behind == self.mark).all(), "memory around the array was written"


def function(library: Library, kernel: Kernel) -> Callable[..., None]:
    numbers = [ctypes.c_int64] * (2 + len(kernel.sizes))
    made: Callable[..., None] = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(kernel.arrays), *numbers)(library.addresses[kernel.name])
    return made


def module(kernels: list[Kernel]) -> str:
    declared = {name: line for kernel in kernels for name, line in kernel.declared.items()}
    return "\n".join([*declared.values(), *(kernel.text for kernel in kernels)])


def run(
    loops: Loops,
    arrays: Arrays,
    dims: Mapping[str, int],
    *,
    layouts: Mapping[str, Layout] | None = None,
    bands: Mapping[int, str] | None = None,
    parts: int = 1,
    sums: Collection[str] = (),
) -> dict[str, np.ndarray]:
    """The arrays after all nests; nest number i is computed in `parts` parts of the axis bands[i].

    sums: arrays that are added to.
    """
    layouts = layouts or plain(loops.arrays)
    bands = bands or {}
    kernels = [written(nest, loops.arrays, layouts, host(), bands.get(i), sums=sums, name=f"k{i}") for i, nest in enumerate(loops.nests)]
    library = Library([compile_object(module(kernels), host())], [kernel.name for kernel in kernels])
    guarded = {name: Guarded(array) for name, array in arrays.items()}
    for nest, kernel in zip(loops.nests, kernels, strict=True):
        call = function(library, kernel)
        pointers = [guarded[name].array.ctypes.data for name in kernel.arrays]
        length: Any = nest.axes[kernel.band] if kernel.band else 0
        length = value_of(length, dims)
        for part in range(parts if kernel.band else 1):
            low, high = (length * (part + i) // parts for i in (0, 1)) if kernel.band else (0, 0)
            call(*pointers, low, high, *(size.evaluate(dims) for size in kernel.sizes))
    for item in guarded.values():
        item.check()
    return {name: item.array for name, item in guarded.items()}
