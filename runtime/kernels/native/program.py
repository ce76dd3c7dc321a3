"""A graph as one native function that every thread runs: bands of kernels over one arena, with a meeting between bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dslc.ir.graph import Graph
from dslc.ir.types import Dim
from runtime.kernels.native.choose import Chosen, choose
from runtime.kernels.native.machine import Target
from runtime.kernels.native.meeting import MEETING
from runtime.kernels.native.memory import Memory, bytes_of, phases, place
from runtime.kernels.native.pieces import Kernels
from runtime.kernels.native.schedule import Band, Job, batch_of, make_bands, part_name, spread_jobs
from runtime.kernels.native.scope import Kernel
from runtime.kernels.native.sums import with_sums
from runtime.kernels.native.text import Code
from runtime.kernels.native.together import join_sums
from runtime.loops.fuse import fuse
from runtime.loops.lower import lower
from runtime.loops.nest import Foreign, Nest, Size


@dataclass
class Program:
    """modules: one for each kernel, then the one that calls them; turns: what runs one after the other.

    A turn is the name of a function, which takes (arena, outside, sizes, meeting, thread, threads), or a foreign step.

    memory: where the other arrays are; outside: the arrays whose addresses are given, in order; sizes: lengths that are given, in order.
    """

    modules: list[str]
    turns: list[str | Foreign]
    memory: Memory
    outside: tuple[str, ...]
    sizes: tuple[Dim, ...]
    chosen: Chosen
    bands: list[Band]
    checks: tuple[str, ...]
    constants: dict[str, np.ndarray[Any, Any]]


def make_program(
    graph: Graph, dims: Mapping[str, int], goal: Target, threads: int, contiguous: Sequence[str] = (), gap: int = 0
) -> Program:
    """The program of a graph for sizes up to `dims`.

    contiguous: names of outputs that stand one after the other at the beginning of the arena. gap: as of `place`.
    """
    loops = lower(graph, whole=False)
    arrays = dict(loops.arrays)
    outside = (*(f"%{item.id}" for item in graph.inputs if f"%{item.id}" in arrays), *(name for name in loops.constants if name in arrays))
    results = [f"%{output.id}" for output in (*graph.outputs, *graph.updates)]
    size = batch_of(arrays)
    if size is not None and size.evaluate(dims) < threads:
        size = None  # every nest is cut along an axis of its own
    steps = fuse(loops.steps, arrays, {*results, *loops.checks})
    jobs = with_sums(join_sums(spread_jobs(steps, arrays, size, dims), arrays, dims), arrays, threads)
    met = {name for step in loops.foreign for name in (*step.reads, *step.writes)}
    chosen = choose(jobs, arrays, {*outside, *results, *met}, goal, dims)
    bands = make_bands(chosen.jobs, size)
    memory = place(bands, chosen, dims, threads, outside, [*results, *loops.checks], [f"%{graph.output(name)}" for name in contiguous], gap)
    made = Program([], [], memory, outside, (), chosen, bands, loops.checks, loops.constants)
    Writing(made, goal, dims, threads).write()
    return made


# ---- code -----------------------------------------------------------------------------------------------------------------------


def own_axis(job: Job, threads: int) -> str | None:
    """The longest free axis of a job that is no part of the batch, where it is long enough for all threads."""
    assert isinstance(job.nest, Nest)
    lengths = {axis: size for axis in job.nest.parallel if isinstance(size := job.nest.axes[axis], int)}
    axis = max(lengths, key=lambda name: lengths[name], default=None)
    return axis if axis is not None and threads > 1 and lengths[axis] >= threads else None


class Writing:
    """Writes the modules of a program."""

    def __init__(self, program: Program, goal: Target, dims: Mapping[str, int], threads: int) -> None:
        self.program, self.goal, self.dims, self.threads = program, goal, dims, threads
        self.code = Code()
        self.sizes: dict[Dim, str] = {}
        self.declared: dict[str, str] = {}
        self.kernels = Kernels(goal)
        self.adding: set[str] = set()
        self.part = self.chunk = "0"  # the first sample of this thread, and of the chunk
        self.mine = ""

    def write(self) -> None:
        """One function for the bands between two foreign steps."""
        functions: list[str] = []
        waiting: list[tuple[int, Band]] = []
        for number, band in enumerate([*self.program.bands, None]):
            if band is not None and not band.foreign:
                waiting.append((number, band))
                continue
            if waiting:
                name = f"turn{len(functions)}"
                functions.append(self.function(name, waiting))
                self.program.turns.append(name)
                waiting = []
            if band is not None:
                step = band.jobs[0].nest
                assert isinstance(step, Foreign)
                self.program.turns.append(step)
        main = "\n".join([*self.declared.values(), *functions, MEETING if self.threads > 1 else "", ""])
        self.program.modules = [*self.kernels.modules.values(), main]
        self.program.sizes = tuple(self.sizes)

    def function(self, name: str, bands: Sequence[tuple[int, Band]]) -> str:
        self.code = code = Code()
        code.label("entry")
        for number, band in bands:
            if number != bands[0][0]:
                self.meet()
            self.region(number)
            self.band(band)
        code.do("ret void")
        self.declared.update(code.declared)
        define = f"define void @{name}(ptr %arena, ptr %outside, ptr %sizes, ptr %meeting, i64 %thread, i64 %threads) {{"
        return "\n".join([define, *code.lines[:1], *self.given(), *code.lines[1:], "}"])

    def given(self) -> list[str]:
        """The sizes and the addresses of what is outside, read at the beginning."""
        lines = []
        for number, name in enumerate(self.sizes.values()):
            lines += [f"  {name}.at = getelementptr i64, ptr %sizes, i64 {number}", f"  {name} = load i64, ptr {name}.at"]
        for number in range(len(self.program.outside)):
            lines += [
                f"  %out{number}.at = getelementptr ptr, ptr %outside, i64 {number}",
                f"  %out{number} = load ptr, ptr %out{number}.at",
            ]
        return lines

    def meet(self) -> None:
        if self.threads > 1:
            self.code.do("call void @meet(ptr %meeting, i64 %threads)")

    def size(self, size: Size) -> str:
        if isinstance(size, int):
            return str(size)
        return self.sizes.setdefault(size, f"%size{len(self.sizes)}")

    def band(self, band: Band) -> None:
        if band.size is None:
            for job in band.jobs:
                self.alone(job)
            return
        low, high = self.share(self.size(band.size))
        self.part = low
        self.zero(band)
        for phase in phases(band, self.program.chosen, self.dims):
            if phase.chunk is None:
                for job in phase.jobs:
                    self.call(self.kernel(job, job.axis), low, high)
                continue
            with self.code.loop(low, high, phase.chunk) as loop:
                self.chunk = loop.index
                end = self.code.smaller(self.code.add(loop.index, str(phase.chunk)), high)
                for job in phase.jobs:
                    self.call(self.kernel(job, job.axis), loop.index, end)

    def region(self, number: int) -> None:
        """Where this thread's own arrays of the band are."""
        offset, size = self.program.memory.regions.get(number, (0, 0))
        self.mine = self.code.pointer("%arena", self.code.add(str(offset), self.code.multiply("%thread", str(size))), "i8") if size else ""

    def share(self, length: str) -> tuple[str, str]:
        """The part of this thread."""
        if self.threads == 1:
            return "0", length
        low = self.code.value(f"sdiv i64 {self.code.multiply(length, '%thread')}, {self.threads}")
        following = self.code.value("add i64 %thread, 1")
        return low, self.code.value(f"sdiv i64 {self.code.multiply(length, following)}, {self.threads}")

    def zero(self, band: Band) -> None:
        """Sums begin with 0, each thread's own."""
        for job in band.jobs:
            for name in job.sums:
                set_zero = self.code.declare("@llvm.memset.p0.i64", "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
                size = bytes_of(name, self.program.chosen, self.dims)
                self.code.do(f"call void {set_zero}(ptr {self.own(name)}, i8 0, i64 {size}, i1 false)")

    def alone(self, job: Job) -> None:
        """A job that is no part of the batch: cut along an axis of its own, or done by the first thread."""
        axis = own_axis(job, self.threads)
        if axis is not None:
            self.call(self.kernel(job, axis), *self.share(str(job.nest.axes[axis])))
            return
        if self.threads == 1:
            self.call(self.kernel(job, None), "0", "0")
            return
        mine = self.code.value("icmp eq i64 %thread, 0")
        inside, after = self.code.new_block("first"), self.code.new_block("others")
        self.code.do(f"br i1 {mine}, label %{inside}, label %{after}")
        self.code.label(inside)
        self.call(self.kernel(job, None), "0", "0")
        self.code.do(f"br label %{after}")
        self.code.label(after)

    def kernel(self, job: Job, axis: str | None) -> Kernel:
        kernel = self.kernels.kernel(job, axis, self.program.chosen)
        params = ", ".join(["ptr"] * len(kernel.arrays) + ["i64"] * (2 + len(kernel.sizes)))
        self.declared[kernel.name] = f"declare void @{kernel.name}({params})"
        self.adding = set(job.sums)
        return kernel

    def call(self, kernel: Kernel, low: str, high: str) -> None:
        pointers = [self.own(name) if name in self.adding else self.pointer(name) for name in kernel.arrays]
        args = [*(f"ptr {one}" for one in pointers), f"i64 {low}", f"i64 {high}", *(f"i64 {self.size(size)}" for size in kernel.sizes)]
        self.code.do(f"call void @{kernel.name}({', '.join(args)})")

    def pointer(self, name: str) -> str:
        """Of the element [0, …], which a thread's own array begins before."""
        if name in self.program.outside:
            return f"%out{self.program.outside.index(name)}"
        own = self.program.memory.own.get(name)
        if own is None:
            return self.code.pointer("%arena", str(self.program.memory.offsets[name]), "i8")
        first = self.code.multiply(self.chunk if own.chunked else self.part, str(-own.stride))
        return self.code.pointer(self.mine, self.code.add(str(own.offset), first), "i8")

    def own(self, name: str) -> str:
        """This thread's part of a sum."""
        found = self.pointer(name)
        for thread in range(1, self.threads):
            other = self.pointer(part_name(name, thread))
            mine = self.code.value(f"icmp eq i64 %thread, {thread}")
            found = self.code.value(f"select i1 {mine}, ptr {other}, ptr {found}")
        return found
