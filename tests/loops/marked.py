"""A whole program with marks around every array: its own in the arena, those that it is given, and constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dslc.interpret import bind_dims
from dslc.ir.graph import Graph
from runtime.device import get_device
from runtime.kernels.native.memory import extents
from runtime.native import NativeExecutor
from runtime.workers import Workers
from tests.loops.code import Guarded

GAP = 256  # bytes before and behind each array of the arena
MARKS = (0xFF, 0xA5)  # as floats, numbers of the first are not numbers, those of the second are


class Marked:
    """`run` gives what an executor's does, and fails where a byte beside an array is written, or where a result hangs on one."""

    def __init__(
        self, graph: Graph, dims: Mapping[str, int], workers: Workers | None = None, contiguous: Sequence[str] = (), gap: int = GAP
    ) -> None:
        self.graph = graph
        self.made = NativeExecutor(graph, get_device("cpu"), dims, contiguous=contiguous, workers=workers, gap=gap)
        self.constants = dict(self.made.program.constants)

    def run(self, arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Runs twice, with other bytes in the marks and in all that nothing has been written to: the bits are the same."""
        first, second = (self.once(arrays, mark) for mark in MARKS)
        for name, array in first.items():
            assert array.tobytes() == second[name].tobytes(), f"{name} hangs on what was in memory before"
        return first

    def once(self, arrays: Mapping[str, Any], mark: int) -> dict[str, np.ndarray]:
        given = {name: Guarded(np.asarray(array), mark) for name, array in arrays.items()}
        constants = {name: Guarded(array, mark) for name, array in self.constants.items()}
        self.made.program.constants = {name: item.array for name, item in constants.items()}
        self.made.arena[...] = mark
        found = {name: np.array(array) for name, array in self.made.run({name: item.array for name, item in given.items()}).items()}
        self.check_arena(bind_dims(self.graph, arrays), mark)
        for name, item in (*given.items(), *constants.items()):
            item.check()
            assert item.array.tobytes() == np.asarray(arrays[name] if name in given else self.constants[name]).tobytes(), name
        return found

    def check_arena(self, dims: Mapping[str, int], mark: int) -> None:
        """What belongs to no array at these sizes, smaller ones than planned too, holds the mark."""
        beside = np.ones(self.made.arena.shape, np.bool_)
        program = self.made.program
        places = list(extents(program.memory, program.chosen, dims, program.bands, self.made.threads))
        for _, start, size in places:
            beside[start : start + size] = False
        wrong = np.flatnonzero(beside & (self.made.arena != mark))
        if len(wrong):
            name, start, _ = min(places, key=lambda place: abs(place[1] - int(wrong[0])))
            raise AssertionError(f"{len(wrong)} bytes beside arrays were written, the first at {wrong[0]}, near {name} at {start}")
