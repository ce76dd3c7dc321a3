"""The largest errors of the native functions, in units in the last place of the result.

    python -m tests.loops.ulp NAME [--dtype float64] [--step 7]

float32: every `step`-th of all 2^32 arguments (functions of two arguments: random pairs), against NumPy in float64.
float64: random arguments, against mpmath (`pip install mpmath`).
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from dslc.ir.types import Dim
from runtime.kernels.native.emit import Emitter
from runtime.kernels.native.layout import plain
from runtime.kernels.native.machine import Library, Target, compile_object, host
from runtime.loops.nest import Apply, Array, Load, Nest, Writer, at
from runtime.loops.scalars import FUNCTIONS
from tests.loops.code import module

Arrays = tuple[np.ndarray, ...]
TWO = ("power", "arctan2", "logaddexp")
MPMATH = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "power": "power", "log2": "log",
}  # fmt: skip
BLOCK = 1 << 20


def elementwise(function: str, dtypes: tuple[str, ...], result: str) -> tuple[Nest, dict[str, Array]]:
    """result[n] = function(x0[n], x1[n], …)."""
    size = Dim.of("batch")
    writer = Writer({"n": size})
    args = tuple(writer.add(Load(f"x{i}", at("n"), dtype)) for i, dtype in enumerate(dtypes))
    writer.store("y", at("n"), writer.add(Apply(function, args, result)))
    arrays = {f"x{i}": Array((size,), dtype) for i, dtype in enumerate(dtypes)} | {"y": Array((size,), result)}
    return writer.nest(function), arrays


class Native:
    """A scalar function as machine code on arrays of one axis. width: bytes of a vector register."""

    def __init__(self, function: str, dtypes: tuple[str, ...], result: str, width: int | None = None) -> None:
        goal = host()
        nest, arrays = elementwise(function, dtypes, result)
        kernel = Emitter(nest, arrays, plain(arrays), width or goal.width, None).kernel("f")
        self.text = module([kernel])
        self.library = Library([compile_object(self.text, Target(goal.cpu, goal.features, goal.width, goal.registers))], ["f"])
        self.call: Any = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(kernel.arrays), *[ctypes.c_int64] * 3)(self.library.addresses["f"])
        self.result = result

    def __call__(self, *args: np.ndarray) -> np.ndarray:
        args = tuple(np.ascontiguousarray(arg) for arg in args)
        found = np.empty(args[0].shape, self.result)
        self.call(*(arg.ctypes.data for arg in args), found.ctypes.data, 0, 0, found.size)
        return found


def unit(value: np.ndarray, dtype: str) -> np.ndarray:
    """The distance of neighbours of the dtype at a value of float64."""
    info = np.finfo(dtype)
    _, exponent = np.frexp(value)
    return np.ldexp(1.0, np.maximum(exponent - 1, info.minexp) - info.nmant)


def errors(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Units in the last place between results of float32 and exact ones of float64; infinity where they differ in kind."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(np.float32)
        apart = np.abs(found.astype(np.float64) - exact) / unit(exact, "float32")
    same = (found == rounded) & np.isinf(rounded) | np.isnan(found) & np.isnan(rounded)
    kind = np.isfinite(found) & np.isfinite(exact)
    edge = np.isinf(rounded) & (found == np.finfo(np.float32).max) | np.isinf(found) & (np.abs(rounded) == np.finfo(np.float32).max)
    return np.where(same, 0.0, np.where(kind | edge, np.where(edge, 1.0, apart), np.inf))


def arguments(function: str, step: int, count: int) -> Iterator[Arrays]:
    if function not in TWO:
        for start in range(0, 2**32, BLOCK * step):
            stop = min(2**32, start + BLOCK * step)
            yield (np.arange(start, stop, step, dtype=np.uint64).astype(np.uint32).view(np.float32),)
        return
    rng = np.random.default_rng(3)
    for turn in range(max(1, count // BLOCK)):
        if turn % 2:
            yield tuple(rng.integers(0, 2**32, BLOCK, dtype=np.uint32).view(np.float32) for _ in range(2))
        else:
            yield tuple((rng.choice([-1, 1], BLOCK) * np.exp(rng.uniform(-6, 6, BLOCK))).astype(np.float32) for _ in range(2))


def worst_single(function: str, step: int, count: int) -> tuple[float, Arrays]:
    """The largest error and where it is."""
    many = 2 if function in TWO else 1
    native = Native(function, ("float32",) * many, "float32")
    most, place = -1.0, ()
    for args in arguments(function, step, count):
        with np.errstate(all="ignore"):
            exact = FUNCTIONS[function].numpy(*(arg.astype(np.float64) for arg in args))
        apart = errors(native(*args), exact)
        at = int(np.argmax(apart))
        if apart[at] > most:
            most, place = float(apart[at]), tuple(arg[at : at + 1] for arg in args)
    return most, place


def exactly(function: str) -> Callable[..., Any]:
    """The function in mpmath, with 60 digits."""
    mp = importlib.import_module("mpmath").mp
    mp.dps = 60
    if function == "logaddexp":
        return lambda a, b: max(a, b) + mp.log1p(mp.exp(-abs(a - b)))
    if function in ("exp2", "log10", "log2"):
        return {"exp2": lambda x: mp.mpf(2) ** x, "log10": mp.log10, "log2": lambda x: mp.log(x, 2)}[function]
    found: Callable[..., Any] = getattr(mp, MPMATH.get(function, function))
    return found


def double_arguments(function: str, count: int) -> Arrays:
    """Random numbers of many sizes, half of them near 1."""
    rng = np.random.default_rng(4)
    wide = np.exp(rng.uniform(-30, 6.5, count))
    near = rng.uniform(0.5, 2, count)
    sizes = np.where(rng.random(count) < 0.5, wide, near)
    if function in ("arcsin", "arccos", "arctanh"):
        sizes = np.where(sizes < 1, sizes, rng.random(count))
    signs = 1 if function in ("log", "log2", "log10", "power", "arccosh") else rng.choice([-1, 1], count)
    shift = 1 if function == "arccosh" else 0
    first = sizes * signs + shift
    if function == "log1p":
        first = np.where(first > -1, first, -first)
    return (first, rng.uniform(-20, 20, count)) if function in TWO else (first,)


def worst_double(function: str, count: int) -> tuple[float, Arrays]:
    exact = exactly(function)
    mpf = importlib.import_module("mpmath").mpf
    args = double_arguments(function, count)
    found = Native(function, ("float64",) * len(args), "float64")(*args)
    most, place = -1.0, 0
    for i, value in enumerate(found):
        wanted = exact(*(mpf(float(arg[i])) for arg in args))
        apart = float(abs(mpf(float(value)) - wanted) / mpf(float(unit(np.float64(float(wanted)), "float64"))))
        if not apart <= most:
            most, place = apart, i
    return most, tuple(arg[place : place + 1] for arg in args)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--count", type=int, help="random arguments: 2^28 pairs of float32, 20,000 of float64")
    given = parser.parse_args()
    for name in given.names:
        if given.dtype == "float32":
            most, place = worst_single(name, given.step, given.count or 1 << 28)
        else:
            most, place = worst_double(name, given.count or 20_000)
        print(f"{name} {given.dtype}: {most:.3f} ULP at {', '.join(repr(float(item[0])) for item in place)}", flush=True)


if __name__ == "__main__":
    main()
