"""The time of every kernel in its place: the calling function reads the clock of its thread around each call, on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from runtime.kernels.native.cache import objects_of
from runtime.kernels.native.layout import elements
from runtime.kernels.native.listing import written
from runtime.kernels.native.machine import Library, Target, host
from runtime.kernels.native.memory import bytes_of
from runtime.kernels.native.program import Program, Writing
from runtime.kernels.native.schedule import Job
from runtime.kernels.native.scope import Kernel
from runtime.kernels.native.team import Function
from runtime.loops.nest import Apply, Nest, Reduce
from runtime.native import NativeExecutor

TABLE = "nanoseconds"  # the array of the clock: the two numbers of a time, then the sum of each kernel
NOW = f"""
declare i32 @clock_gettime(i32, ptr)

define internal i64 @now(ptr %time) noinline {{
  %failed = call i32 @clock_gettime(i32 {time.CLOCK_THREAD_CPUTIME_ID}, ptr %time)
  %seconds = load i64, ptr %time
  %rest.at = getelementptr i64, ptr %time, i64 1
  %rest = load i64, ptr %rest.at
  %whole = mul i64 %seconds, 1000000000
  %now = add i64 %whole, %rest
  ret i64 %now
}}
"""


@dataclass(frozen=True)
class Cost:
    """What a kernel takes in one step. operations: on numbers; bytes: of the arrays that it reads and writes, each once."""

    job: Job
    seconds: float
    operations: int
    bytes: int


class Clocked(Writing):
    """Writes functions that add the time of every call to a table."""

    def __init__(self, program: Program, goal: Target, dims: Mapping[str, int]) -> None:
        super().__init__(program, goal, dims, 1)
        self.jobs: list[Job] = []
        self.declared["@now"] = NOW

    def kernel(self, job: Job, axis: str | None) -> Kernel:
        self.jobs.append(job)
        return super().kernel(job, axis)

    def call(self, kernel: Kernel, low: str, high: str) -> None:
        table = self.pointer(TABLE)
        before = self.code.value(f"call i64 @now(ptr {table})")
        super().call(kernel, low, high)
        after = self.code.value(f"call i64 @now(ptr {table})")
        place = self.code.pointer(table, str(1 + len(self.jobs)), "i64")
        old = self.code.value(f"load i64, ptr {place}")
        added = self.code.value(f"add i64 {old}, {self.code.value(f'sub i64 {after}, {before}')}")
        self.code.do(f"store i64 {added}, ptr {place}")


def profile(executor: NativeExecutor, step: Callable[[], object], steps: int) -> list[Cost]:
    """The kernels in the order in which they run, each with the least of `steps` calls of `step`, which runs the executor once.

    The executor, which has one thread, keeps the clock.
    """
    program = executor.program
    kernels = sum(len(band.jobs) for band in program.bands if not band.foreign)
    table = np.zeros(2 + kernels, np.int64)
    clocked = replace(
        program, modules=[], turns=[], outside=(*program.outside, TABLE), constants={**program.constants, TABLE: table}
    )  # fmt: skip
    writing = Clocked(clocked, host(), executor.dims)
    writing.write()
    names = [turn for turn in clocked.turns if isinstance(turn, str)]
    executor.program, executor.library = clocked, Library(objects_of(clocked.modules, host()), names)
    executor.functions = {name: Function(executor.library, name, None) for name in names}
    step()
    found = []
    for _ in range(steps):
        table[:] = 0
        step()
        found.append(table[2:].copy())
    times: Any = np.array(found)
    return [
        Cost(job, times[:, at].min() * 1e-9, operations(job.nest, executor.dims), moved(job.nest, program, executor.dims))
        for at, job in enumerate(writing.jobs)
        if isinstance(job.nest, Nest)
    ]


def operations(nest: Nest, dims: Mapping[str, int]) -> int:
    """Scalar functions and the joins of reductions, each as one."""
    total = 0
    for at, value in enumerate(nest.values):
        if isinstance(value, Apply | Reduce):
            domain = nest.domains[value.arg] if isinstance(value, Reduce) else nest.domains[at]
            total += elements((nest.axes[axis] for axis in domain), dims)
    return total


def moved(nest: Nest, program: Program, dims: Mapping[str, int]) -> int:
    reads = sum(bytes_of(name, program.chosen, dims) for name in nest.reads)
    return reads + sum(written(nest, store, program, dims) for store in nest.stores)
