"""The largest errors of the native functions, in units in the last place of the result.

    python -m tests.loops.ulp NAME [--dtype float64] [--step 7]

float32: every `step`-th of all 2^32 arguments (functions of two arguments: random pairs), against NumPy in float64.
float64: random arguments, against mpmath (`pip install mpmath`).
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from dslc.ir.types import Dim
from runtime.kernels.native.emit import Emitter
from runtime.kernels.native.layout import plain
from runtime.kernels.native.machine import Library, Target, compile_object, host
from runtime.loops.nest import Affine, Apply, Array, Load, Loops, Nest, Number, Writer, at
from runtime.loops.scalars import FUNCTIONS
from tests.loops.code import module, run

Arrays = tuple[np.ndarray, ...]
TWO = ("power", "arctan2", "logaddexp")
MPMATH = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "power": "power", "log2": "log",
}  # fmt: skip
BLOCK = 1 << 14
LARGE = 1e6


# The largest error of float32 that is allowed, and the arguments at which the largest one was found.
BOUNDS: dict[str, tuple[float, ...]] = {
    "exp": (1.0, 26.719206),
    "exp2": (1.0, -0.49563402),
    "expm1": (1.7, 0.39546615),
    "log": (1.0, 0.70661604),
    "log1p": (1.6, 0.43737653),
    "log2": (1.2, 1.3970797),
    "log10": (1.2, 1.3242167),
    "tanh": (1.5, -0.62557435),
    "sinh": (0.501,),
    "cosh": (0.501,),
    "arcsinh": (0.501,),
    "arccosh": (0.501,),
    "arctanh": (0.501,),
    "sin": (0.501, 16367173.0 * 2.0**72),
    "cos": (0.501, 16367173.0 * 2.0**72),
    "tan": (0.501, 16367173.0 * 2.0**72),
    "arctan": (0.501,),
    "arcsin": (0.501,),
    "arccos": (0.501,),
    "power": (0.501,),
    "arctan2": (0.501,),
    "logaddexp": (0.501,),
}
# The same of float64. The sum in `logaddexp` may cancel: its error is small beside its arguments, not beside its result.
DOUBLE_BOUNDS = {
    "exp": 1.0,
    "exp2": 1.0,
    "expm1": 1.7,
    "log": 1.0,
    "log1p": 1.6,
    "log2": 1.2,
    "log10": 1.2,
    "tanh": 2.5,
    "sinh": 2.5,
    "cosh": 1.7,
    "arcsinh": 2.0,
    "arccosh": 3.0,
    "arctanh": 2.0,
    "sin": 0.8,
    "cos": 0.8,
    "tan": 2.0,
    "arctan": 2.5,
    "arcsin": 3.0,
    "arccos": 3.0,
    "power": 1.0,
    "arctan2": 2.5,
}


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


def unit(value: np.ndarray, dtype: str) -> np.ndarray:
    """The distance of neighbours of the dtype at a value of float64."""
    info = np.finfo(dtype)
    power = (value.view(np.uint64) & np.uint64(0x7FF << 52)).view(np.float64)
    return np.maximum(power, float(info.smallest_normal)) * float(info.eps)


def errors(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Units in the last place between results of float32 and exact ones of float64; infinity where they differ in kind."""
    with np.errstate(all="ignore"):
        apart = np.abs(found - exact) / unit(exact, "float32")
    odd = np.flatnonzero(~(apart < LARGE))
    if odd.size:
        apart[odd] = differences(found[odd], exact[odd])
    return apart


def differences(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """0 for the same infinity or NaN, 1 for infinity beside the largest number, infinity for what has nothing in common."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(np.float32)
    same = (found == rounded) | np.isnan(found) & np.isnan(rounded)
    ends = np.abs(found), np.abs(rounded)
    beside = (np.minimum(*ends) == np.finfo(np.float32).max) & (np.maximum(*ends) == np.inf) & (np.sign(found) == np.sign(rounded))
    return np.where(same, 0.0, np.where(beside, 1.0, np.inf))


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
    parser.add_argument("--count", type=int, help="random arguments: 2^26 pairs of float32, 20,000 of float64")
    given = parser.parse_args()
    for name in given.names:
        if given.dtype == "float32":
            most, place = worst_single(name, given.step, given.count or 1 << 26)
        else:
            most, place = worst_double(name, given.count or 20_000)
        print(f"{name} {given.dtype}: {most:.3f} ULP at {', '.join(repr(float(item[0])) for item in place)}", flush=True)


if __name__ == "__main__":
    main()
