"""A program as people read it (`dslc show SPEC --plan --device cpu`): its functions, bands and kernels, and what has no native form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

from runtime.arena import SIZES
from runtime.kernels.native.layout import elements
from runtime.kernels.native.machine import Target
from runtime.kernels.native.memory import bytes_of
from runtime.kernels.native.order import choose_vector
from runtime.kernels.native.program import Program
from runtime.kernels.native.roles import find_roles
from runtime.kernels.native.schedule import Band, Job
from runtime.kernels.native.transpose import find_turn
from runtime.loops.nest import Foreign, Nest, Store


def listing(program: Program, goal: Target, dims: Mapping[str, int], threads: int) -> str:
    """One line for each kernel; sizes are those at `dims`."""
    sizes = ", ".join(f"{name}={size}" for name, size in dims.items())
    foreign = sum(isinstance(turn, Foreign) for turn in program.turns)
    kernels = sum(len(band.jobs) for band in program.bands if not band.foreign)
    functions = counted(len(program.turns) - foreign, "native function")
    vectors = f"vectors of {goal.width} bytes, {goal.registers} registers"
    lines = [
        f"native plan for {sizes}, {counted(threads, 'thread')}, {goal.cpu}: {vectors}",
        f"arena {program.memory.arena:,} bytes, of them {program.memory.pinned:,} for contiguous outputs",
        f"{counted(kernels, 'kernel')}, {len(program.modules) - 1:,} of them different, in {functions}; "
        + (f"{counted(foreign, 'step')} without a native form" if foreign else "every step has a native form"),
    ]
    number_of = iter(range(len(program.turns)))
    for is_foreign, bands in groupby(program.bands, key=lambda band: band.foreign):
        if is_foreign:
            lines += [str(job.nest) for band in bands for job in band.jobs]
            continue
        lines.append(f"function {next(number_of)}")
        for number, band in enumerate(bands):
            lines += [] if not number or threads == 1 else ["  all threads meet"]
            lines.append(f"  {head(band, threads)}")
            lines += [f"    {line}" for job in band.jobs for line in kernel_lines(job, program, goal, dims)]
    return "\n".join(lines) + "\n"


def head(band: Band, threads: int) -> str:
    if band.size is None:
        return "for the whole batch at once"
    return f"for {band.size}" + (f", {threads} parts" if threads > 1 else "")


def kernel_lines(job: Job, program: Program, goal: Target, dims: Mapping[str, int]) -> Iterator[str]:
    """What it computes, how, and how many bytes it reads and writes."""
    nest = job.nest
    assert isinstance(nest, Nest)
    yield nest.name
    reads = sum(bytes_of(name, program.chosen, dims) for name in nest.reads)
    writes = sum(written(nest, store, program, dims) for store in nest.stores)
    yield f"  {manner(job, nest, program, goal)}; reads {reads:,}, writes {writes:,} bytes"


def written(nest: Nest, store: Store, program: Program, dims: Mapping[str, int]) -> int:
    return elements((nest.axes[axis] for axis in nest.store_domain(store)), dims) * SIZES[program.chosen.arrays[store.array].dtype]


def manner(job: Job, nest: Nest, program: Program, goal: Target) -> str:
    arrays, layouts = program.chosen.arrays, program.chosen.layouts
    roles = find_roles(nest, arrays, layouts, goal)
    added = ", a sum for each thread" if job.sums else ""
    if roles is not None:
        rows = f"{roles.rows} of {roles.m} × " if roles.m else ""
        return f"tile of {rows}{counted(roles.vectors, 'vector')} along {roles.n}{added}"
    turn = find_turn(nest, arrays, layouts, goal)
    if turn is not None:
        return f"squares of {turn.into} and {', '.join(turn.group)}"
    vector = choose_vector(nest, layouts)
    return (f"vectors along {vector}" if vector else "element by element") + added


def counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
