"""The largest errors of the native functions, in units in the last place of the result.

    python -m tests.loops.ulp NAME … [--dtype float64] [--step 7]

float32 against NumPy in float64: every `step`-th of all 2^32 arguments, or random pairs. float64 against NumPy's `longdouble`, where that
has more digits: random arguments.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from runtime.loops.scalars import FUNCTIONS
from tests.loops.native import Native

Arrays = tuple[np.ndarray, ...]
BLOCK = 1 << 14
LARGE = 1e6
WIDER = {"float32": np.float64, "float64": np.longdouble}

# The largest error that is allowed, and the argument at which the largest one was found.
BOUNDS: dict[str, tuple[float, ...]] = {
    "exp": (1.0, 26.736917),
    "exp2": (1.0, -0.49563402),
    "expm1": (1.7, 0.38820445),
    "log": (1.0, 0.70653725),
    "log1p": (1.6, 0.44259205),
    "log2": (1.2, 1.3970797),
    "log10": (1.2, 1.3242167),
    "tanh": (1.5, 0.63000596),
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
    "expm1": 2.0,
    "log": 1.0,
    "log1p": 1.6,
    "log2": 1.2,
    "log10": 1.2,
    "tanh": 2.8,
    "sinh": 2.5,
    "cosh": 1.7,
    "arcsinh": 2.0,
    "arccosh": 3.0,
    "arctanh": 2.5,
    "sin": 0.8,
    "cos": 0.8,
    "tan": 2.3,
    "arctan": 2.5,
    "arcsin": 3.2,
    "arccos": 3.0,
    "power": 1.0,
    "arctan2": 2.5,
}


def unit(value: np.ndarray, dtype: str) -> np.ndarray:
    """The distance of neighbours of the dtype at a value of float64."""
    info = np.finfo(dtype)
    power = (value.view(np.uint64) & np.uint64(0x7FF << 52)).view(np.float64)
    return np.maximum(power, float(info.smallest_normal)) * float(info.eps)


def exactly(function: str, args: Arrays) -> np.ndarray:
    """The results with more digits."""
    with np.errstate(all="ignore"):
        found: np.ndarray = FUNCTIONS[function].numpy(*(arg.astype(WIDER[arg.dtype.name]) for arg in args))
    return found


def errors(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Units in the last place between results and exact ones; infinity where they differ in kind."""
    with np.errstate(all="ignore"):
        apart = np.abs(found - exact) / unit(exact.astype(np.float64), found.dtype.name)
    odd = np.flatnonzero(~(apart < LARGE))
    if odd.size:
        apart[odd] = differences(found[odd], exact[odd])
    return apart


def differences(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """0 for the same infinity or NaN, 1 for infinity beside the largest number, infinity for what has nothing in common."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(found.dtype)
    same = (found == rounded) | np.isnan(found) & np.isnan(rounded)
    ends = np.abs(found), np.abs(rounded)
    beside = (np.minimum(*ends) == np.finfo(found.dtype).max) & (np.maximum(*ends) == np.inf) & (np.sign(found) == np.sign(rounded))
    return np.where(same, 0.0, np.where(beside, 1.0, np.inf))


def arguments_of(function: str) -> int:
    return int(FUNCTIONS[function].numpy.nin)  # type: ignore[attr-defined]


def every(step: int) -> Iterator[Arrays]:
    """Every `step`-th float32."""
    for start in range(0, 2**32, BLOCK * step):
        stop = min(2**32, start + BLOCK * step)
        yield (np.arange(start, stop, step, dtype=np.uint64).astype(np.uint32).view(np.float32),)


def random(dtype: str, many: int, count: int) -> Iterator[Arrays]:
    """Random bits, sizes of some powers of e, and numbers near 1, in turn."""
    rng = np.random.default_rng(3)
    bits = f"uint{8 * np.dtype(dtype).itemsize}"
    for turn in range(count // BLOCK):
        sides = []
        for _ in range(many):
            wild = rng.integers(0, np.iinfo(bits).max, BLOCK, bits, endpoint=True).view(dtype)
            size = np.exp(rng.uniform(-12, 5, BLOCK)) if turn % 3 == 1 else rng.uniform(0, 2, BLOCK)
            sides.append((rng.choice([-1, 1], BLOCK) * size).astype(dtype) if turn % 3 else wild)
        yield tuple(sides)


def worst(function: str, dtype: str, step: int, count: int) -> tuple[float, Arrays]:
    """The largest error and where it is."""
    many = arguments_of(function)
    native = Native(function, (dtype,) * many, dtype)
    most, place = -1.0, ()
    for args in every(step) if many == 1 and dtype == "float32" else random(dtype, many, count):
        apart = errors(native(*args), exactly(function, args))
        at = int(np.argmax(apart))
        if apart[at] > most:
            most, place = float(apart[at]), tuple(arg[at : at + 1] for arg in args)
    return most, place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--dtype", default="float32", choices=tuple(WIDER))
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--count", type=int, default=1 << 20, help="of random arguments")
    given = parser.parse_args()
    for name in given.names:
        most, place = worst(name, given.dtype, given.step, given.count)
        print(f"{name} {given.dtype}: {most:.3f} ULP at {', '.join(repr(float(item[0])) for item in place)}", flush=True)


if __name__ == "__main__":
    main()
