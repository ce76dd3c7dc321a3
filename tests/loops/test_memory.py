"""Where a program's arrays lie: as little memory as NumPy's plan, and each thread's own arrays hold what they are asked for."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dslc.plan import make_plan
from runtime.kernels.native.machine import host
from runtime.kernels.native.memory import extents, phases
from runtime.kernels.native.program import Program, make_program
from tests.loops.test_programs import step_graph


def program(name: str, batch: int, threads: int) -> Program:
    graph = step_graph(name)
    return make_program(graph, dict.fromkeys(graph.dims, batch), host(), threads)


@pytest.mark.parametrize(("name", "batch"), [("lenet", 64), ("lenet5", 256)])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_step_takes_what_it_takes_on_numpy(name: str, batch: int, threads: int) -> None:
    graph = step_graph(name)
    plan = make_plan(graph, dict.fromkeys(graph.dims, batch), contiguous=[])
    assert program(name, batch, threads).memory.arena < 1.05 * plan.arena_bytes


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_thread_holds_its_part_or_a_chunk_of_it(threads: int) -> None:
    made = program("lenet5", 64, threads)
    part = -(-64 // threads)
    chunks = {
        name: phase.chunk
        for band in made.bands
        for phase in (phases(band, made.chosen, {"batch": 64}) if band.size is not None else ())
        for job in phase.jobs
        for name in (*job.nest.reads, *job.nest.writes)
    }
    own = made.memory.own
    assert any(item.chunked for item in own.values()) and not all(item.chunked for item in own.values())
    for name, item in own.items():
        chunk = chunks[name]
        assert item.rows == (min(chunk, part) if item.chunked and chunk is not None else part)
    for offset, region in made.memory.regions.values():
        assert offset + threads * region <= made.memory.arena


@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_used_together_lies_apart(threads: int) -> None:
    """The arrays of every job, those of all threads."""
    made = program("unet", 6, threads)
    places: dict[str, list[tuple[int, int]]] = {}
    for name, start, size in extents(made.memory, made.chosen, {"batch": 6}, made.bands, threads):
        places.setdefault(name, []).append((start, start + size))
    for band in made.bands:
        for job in band.jobs:
            together = sorted(place for name in {*job.nest.reads, *job.nest.writes} for place in places.get(name, ()))
            assert all(before[1] <= after[0] for before, after in pairwise(together)), job.nest.name
