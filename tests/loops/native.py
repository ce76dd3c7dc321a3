"""One scalar function as machine code, on arrays of one axis and on numbers."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from dslc.ir.types import Dim
from runtime.kernels.native.emit import Emitter
from runtime.kernels.native.layout import plain
from runtime.kernels.native.machine import Library, Target, compile_object, host
from runtime.loops.nest import Affine, Apply, Array, Load, Loops, Nest, Number, Writer, at
from tests.loops.code import module, run


def elementwise(function: str, dtypes: tuple[str, ...], result: str, stride: int = 1) -> tuple[Nest, dict[str, Array]]:
    """result[n] = function(x0[n], x1[n], …). stride: the distance of neighbours; one that is not 1 leaves no lanes."""
    size = Dim.of("batch")
    writer = Writer({"n": size})
    place = at(Affine.of({"n": stride}))
    args = tuple(writer.add(Load(f"x{i}", place, dtype)) for i, dtype in enumerate(dtypes))
    writer.store("y", place, writer.add(Apply(function, args, result)))
    arrays = {f"x{i}": Array((size,), dtype) for i, dtype in enumerate(dtypes)} | {"y": Array((size,), result)}
    return writer.nest(function), arrays


class Native:
    """A scalar function as machine code on arrays of one axis. width: bytes of a vector, 4 for each lane."""

    def __init__(
        self,
        function: str,
        dtypes: tuple[str, ...],
        result: str,
        *,
        width: int | None = None,
        stride: int = 1,
        goal: Target | None = None,
    ) -> None:
        goal = goal or host()
        nest, arrays = elementwise(function, dtypes, result, stride)
        kernel = Emitter(nest, arrays, plain(arrays), width or goal.width, None).kernel("f")
        self.library = Library([compile_object(module([kernel]), goal)], ["f"])
        self.call: Any = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(kernel.arrays), *[ctypes.c_int64] * 3)(self.library.addresses["f"])
        self.result, self.stride = result, stride

    def __call__(self, *args: np.ndarray) -> np.ndarray:
        given = [np.ascontiguousarray(arg.repeat(self.stride)) for arg in args]
        found = np.empty(given[0].shape, self.result)
        self.call(*(arg.ctypes.data for arg in given), found.ctypes.data, 0, 0, args[0].size)
        return found[:: self.stride]


def constant_of(function: str, args: Sequence[np.generic]) -> np.ndarray:
    """The function of numbers that are known when the code is made, as one element."""
    writer = Writer({"n": 1})
    dtype = args[0].dtype.name
    numbers = tuple(writer.add(Number(float(arg), dtype)) for arg in args)
    writer.store("y", at("n"), writer.add(Apply(function, numbers, dtype)))
    loops = Loops({"y": Array((1,), dtype)}, (writer.nest("constant"),))
    return run(loops, {"y": np.zeros(1, dtype)}, {})["y"]
