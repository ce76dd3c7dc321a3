"""A graph as one native function that every thread runs: bands of kernels over one arena, with a meeting between bands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dslc.ir.graph import Graph
from dslc.ir.types import Dim
from dslc.passes.plan_memory import Slot, aligned, allocate
from runtime.arena import SIZES
from runtime.kernels.native.choose import Chosen, choose
from runtime.kernels.native.emit import Kernel
from runtime.kernels.native.machine import Target
from runtime.kernels.native.meeting import MEETING
from runtime.kernels.native.pieces import Kernels
from runtime.kernels.native.schedule import Band, Job, batch_of, make_bands, part_name, spread_jobs
from runtime.kernels.native.text import Code
from runtime.loops.fuse import fuse
from runtime.loops.lower import lower
from runtime.loops.nest import Apply, Array, Foreign, Load, Nest, Size, Writer, at

CACHE = 1 << 19  # bytes of the arrays of one chunk: they lie in a second-level cache
SHARED = 8  # a nest that reads this many times more of weights than of one sample wants all samples at once


@dataclass
class Program:
    """modules: one for each kernel, then the one that calls them; turns: what runs one after the other.

    A turn is the name of a function, which takes (arena, outside, sizes, meeting, thread, threads), or a foreign step.

    offsets: of arrays in the arena; outside: the arrays whose addresses are given, in order; sizes: lengths that are given, in order.
    """

    modules: list[str]
    turns: list[str | Foreign]
    offsets: dict[str, int]
    outside: tuple[str, ...]
    sizes: tuple[Dim, ...]
    arena: int
    gradients: int
    chosen: Chosen
    bands: list[Band]
    checks: tuple[str, ...]
    constants: dict[str, np.ndarray[Any, Any]]


def bytes_of(name: str, chosen: Chosen, dims: Mapping[str, int]) -> int:
    layout = chosen.layouts[name]
    elements = layout.elements if isinstance(layout.elements, int) else layout.elements.evaluate(dims)
    return max(int(elements), 1) * SIZES[chosen.arrays[name].dtype]


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
    jobs = with_sums(spread_jobs(steps, arrays, size, dims), arrays, threads)
    met = {name for step in loops.foreign for name in (*step.reads, *step.writes)}
    chosen = choose(jobs, arrays, {*outside, *results, *met}, goal, dims)
    bands = make_bands(chosen.jobs, size)
    offsets, region, arena = place(
        bands, chosen, dims, outside, [*results, *loops.checks], [f"%{graph.output(name)}" for name in contiguous], gap
    )
    made = Program([], [], offsets, outside, (), arena, region, chosen, bands, loops.checks, loops.constants)
    Writing(made, goal, dims, threads).write()
    return made


def with_sums(jobs: Sequence[Job], arrays: dict[str, Array], threads: int) -> list[Job]:
    """Sums over the shared axis go into arrays of each thread's own; behind them stands the job that adds these.

    A vector or a matrix is summed where it lies by the first thread; others in the order of axes that suits their tile.
    """
    found: list[Job] = []
    for job in jobs:
        if not job.adds or not isinstance(job.nest, Nest):
            found.append(job)
            continue
        stores = []
        for store in job.nest.stores:
            mine = sum_name(store.array, arrays)
            arrays.update({part_name(mine, thread): arrays[store.array] for thread in range(threads)})
            stores.append(replace(store, array=mine))
        found.append(replace(job, nest=replace(job.nest, stores=tuple(stores))))
        for name in job.nest.writes:
            if threads > 1 or sum_name(name, arrays) != name:
                found.append(Job(total(name, sum_name(name, arrays), arrays[name], threads), None))
    return found


def sum_name(name: str, arrays: Mapping[str, Array]) -> str:
    """The array of the first thread's sum."""
    return name if len(arrays[name].shape) <= 2 else f"{name}~sum"


def total(name: str, mine: str, array: Array, threads: int) -> Nest:
    """The sum of the threads' parts, in the order of the threads."""
    writer = Writer()
    index = at(*(writer.axis(length, "i") for length in array.shape))
    parts = [writer.add(Load(part_name(mine, thread), index, array.dtype)) for thread in range(threads)]
    value = parts[0]
    for part in parts[1:]:
        value = writer.add(Apply("add", (value, part), array.dtype))
    writer.store(name, index, value)
    return writer.nest(f"{name} of all threads")


# ---- memory ---------------------------------------------------------------------------------------------------------------------


def place(
    bands: Sequence[Band],
    chosen: Chosen,
    dims: Mapping[str, int],
    outside: Sequence[str],
    kept: Sequence[str],
    pinned: Sequence[str],
    gap: int = 0,
) -> tuple[dict[str, int], int, int]:
    """Offsets of all arrays that are not outside; what lives in a band lives in all of it.

    gap: bytes before and behind each array that belong to none, whenever it lives: all of them live to the end.
    """
    offsets: dict[str, int] = {}
    region = 0
    for name in pinned:
        offsets[name] = region + gap
        region += aligned(bytes_of(name, chosen, dims)) + 2 * gap
    parts: dict[str, list[str]] = {}
    for name in chosen.arrays:
        parts.setdefault(name.partition("@")[0], []).append(name)
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for number, band in enumerate(bands):
        for job in band.jobs:
            names = [*job.nest.reads, *job.nest.writes]
            if job.adds:
                names += [name for written in job.nest.writes for name in parts[written]]
            for name in names:
                first.setdefault(name, number)
                last[name] = number
    last.update({name: len(bands) for name in (first if gap else kept)})
    slots = {
        name: Slot(aligned(bytes_of(name, chosen, dims)) + 2 * gap, 0 if gap else first[name], last[name])
        for name in first
        if name not in outside and name not in offsets
    }
    arena = allocate(list(slots.values()), region)
    offsets.update({name: slot.offset + gap for name, slot in slots.items()})
    return offsets, region, aligned(arena)


def own_axis(job: Job, threads: int) -> str | None:
    """The longest free axis of a job that is no part of the batch, where it is long enough for all threads."""
    assert isinstance(job.nest, Nest)
    lengths = {axis: size for axis in job.nest.parallel if isinstance(size := job.nest.axes[axis], int)}
    axis = max(lengths, key=lambda name: lengths[name], default=None)
    return axis if axis is not None and threads > 1 and lengths[axis] >= threads else None


# ---- code -----------------------------------------------------------------------------------------------------------------------


class Writing:
    """Writes the modules of a program."""

    def __init__(self, program: Program, goal: Target, dims: Mapping[str, int], threads: int) -> None:
        self.program, self.goal, self.dims, self.threads = program, goal, dims, threads
        self.code = Code()
        self.sizes: dict[Dim, str] = {}
        self.declared: dict[str, str] = {}
        self.kernels = Kernels(goal)
        self.adding: set[str] = set()

    def write(self) -> None:
        """One function for the bands between two foreign steps."""
        functions: list[str] = []
        waiting: list[Band] = []
        for band in [*self.program.bands, None]:
            if band is not None and not band.foreign:
                waiting.append(band)
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

    def function(self, name: str, bands: Sequence[Band]) -> str:
        self.code = code = Code()
        code.label("entry")
        for number, band in enumerate(bands):
            if number:
                self.meet()
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
        self.zero(band)
        for phase, chunk in self.phases(band):
            if chunk is None:
                for job in phase:
                    self.call(self.kernel(job, job.axis), low, high)
                continue
            with self.code.loop(low, high, chunk) as loop:
                end = self.code.smaller(self.code.add(loop.index, str(chunk)), high)
                for job in phase:
                    self.call(self.kernel(job, job.axis), loop.index, end)

    def share(self, length: str) -> tuple[str, str]:
        """The part of this thread."""
        if self.threads == 1:
            return "0", length
        low = self.code.value(f"sdiv i64 {self.code.multiply(length, '%thread')}, {self.threads}")
        following = self.code.value("add i64 %thread, 1")
        return low, self.code.value(f"sdiv i64 {self.code.multiply(length, following)}, {self.threads}")

    def phases(self, band: Band) -> list[tuple[list[Job], int | None]]:
        """Jobs one after the other that go through the part together, with how many samples at once; None: all."""
        found: list[tuple[list[Job], bool]] = []
        for job in band.jobs:
            each, shared = self.traffic(job, band.size)
            whole = shared > SHARED * each
            if not found or found[-1][1] != whole:
                found.append(([], whole))
            found[-1][0].append(job)
        return [(jobs, None if whole else self.chunk(jobs, band.size)) for jobs, whole in found]

    def traffic(self, job: Job, size: Size | None) -> tuple[int, int]:
        """Bytes of one sample and bytes that all samples share."""
        names = {*job.nest.reads, *job.nest.writes}
        shared = [name for name in names if not self.has_samples(name, size)]
        return self.sample(names, size), sum(bytes_of(name, self.program.chosen, self.dims) for name in shared)

    def has_samples(self, name: str, size: Size | None) -> bool:
        return self.program.chosen.arrays[name].shape[:1] == (size,)

    def sample(self, names: Iterable[str], size: Size | None) -> int:
        """Bytes of one sample in the arrays that have samples."""
        count = max(size.evaluate(self.dims) if isinstance(size, Dim) else 1, 1)
        return sum(bytes_of(name, self.program.chosen, self.dims) // count for name in names if self.has_samples(name, size))

    def chunk(self, jobs: Sequence[Job], size: Size | None) -> int:
        names = {name for job in jobs for name in (*job.nest.reads, *job.nest.writes)}
        return max(1, CACHE // max(self.sample(names, size), 1))

    def zero(self, band: Band) -> None:
        """Sums begin with 0, each thread's own."""
        for job in band.jobs:
            for name in job.nest.writes if job.adds else ():
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
        self.adding = set(job.nest.writes) if job.adds else set()
        return kernel

    def call(self, kernel: Kernel, low: str, high: str) -> None:
        pointers = [self.own(name) if name in self.adding else self.pointer(name) for name in kernel.arrays]
        args = [*(f"ptr {one}" for one in pointers), f"i64 {low}", f"i64 {high}", *(f"i64 {self.size(size)}" for size in kernel.sizes)]
        self.code.do(f"call void @{kernel.name}({', '.join(args)})")

    def pointer(self, name: str) -> str:
        if name in self.program.outside:
            return f"%out{self.program.outside.index(name)}"
        return self.code.pointer("%arena", str(self.program.offsets[name]), "i8")

    def own(self, name: str) -> str:
        """This thread's part of a sum."""
        found = self.pointer(name)
        for thread in range(1, self.threads):
            other = self.pointer(part_name(name, thread))
            mine = self.code.value(f"icmp eq i64 %thread, {thread}")
            found = self.code.value(f"select i1 {mine}, ptr {other}, ptr {found}")
        return found
