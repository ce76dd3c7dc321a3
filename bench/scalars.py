"""Scalar functions as machine code beside NumPy's and PyTorch's, in cache: `python -m bench.scalars [NAME …]`.

Millions of float32 elements a second, one thread, the best of several runs. PyTorch only where it is installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from runtime.loops.scalars import FUNCTIONS
from tests.loops.native import Native

COUNT, REPEATS, TURNS = 16384, 50, 60
NAMES = ("exp", "exp2", "expm1", "log", "log1p", "tanh", "sinh", "sin", "arctan", "power")
POSITIVE = ("log", "log2", "log10", "log1p", "power", "arccosh")
UNIT = ("arcsin", "arccos", "arctanh")

Run = Callable[[], object]


def arguments(name: str) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    low, high = (1, 9) if name in POSITIVE else (-1, 1) if name in UNIT else (-8, 8)
    first = rng.uniform(low, high, COUNT).astype(np.float32)
    many = FUNCTIONS[name].numpy.nin  # type: ignore[attr-defined]
    return (first, rng.uniform(-3, 3, COUNT).astype(np.float32))[:many]


def native(name: str, args: tuple[np.ndarray, ...]) -> Run:
    made = Native(name, ("float32",) * len(args), "float32")
    arrays = (*args, np.empty(COUNT, np.float32))
    places = [array.ctypes.data for array in arrays]

    def run() -> tuple[np.ndarray, ...]:
        made.call(*places, 0, 0, COUNT)
        return arrays

    return run


def numpy(name: str, args: tuple[np.ndarray, ...]) -> Run:
    out = np.empty(COUNT, np.float32)
    return lambda: FUNCTIONS[name].numpy(*args, out=out)


def torch(name: str, args: tuple[np.ndarray, ...]) -> Run:
    library: Any = importlib.import_module("torch")
    library.set_num_threads(1)
    tensors = [library.from_numpy(arg) for arg in args]
    function = getattr(library, "pow" if name == "power" else name)
    out = library.empty(COUNT)
    return lambda: function(*tensors, out=out)


SIDES = {"native": native, "NumPy": numpy, "PyTorch": torch}


def speed(run: Run) -> float:
    best = float("inf")
    for _ in range(TURNS):
        start = time.perf_counter()
        for _ in range(REPEATS):
            run()
        best = min(best, time.perf_counter() - start)
    return COUNT * REPEATS / best / 1e6


def main() -> None:
    sides = [side for side in SIDES if side != "PyTorch" or importlib.util.find_spec("torch")]
    print(f"| function | {' | '.join(sides)} |\n|---|{'---|' * len(sides)}")
    for name in sys.argv[1:] or NAMES:
        args = arguments(name)
        print(f"| {name} | " + " | ".join(f"{speed(SIDES[side](name, args)):,.0f}" for side in sides) + " |", flush=True)


if __name__ == "__main__":
    main()
