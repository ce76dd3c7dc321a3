"""Where arrays lie. What lives within one band lies in a region of each thread's own, which holds its samples, or a chunk of them.

Everything else has one place for all threads, and lives from the first band that uses it to the last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dslc.ir.types import Dim
from dslc.passes.plan_memory import Slot, aligned, allocate
from runtime.arena import SIZES
from runtime.kernels.native.choose import Chosen
from runtime.kernels.native.schedule import Band, Job, place_of
from runtime.loops.nest import Size, value_of

CACHE = 1 << 19  # bytes of the arrays of one chunk: they lie in a second-level cache
SHARED = 8  # a nest that reads this many times more of weights than of one sample wants all samples at once


@dataclass(frozen=True)
class Phase:
    """Jobs one after the other that go through a thread's part together, `chunk` samples at once; None: all of them."""

    jobs: list[Job]
    chunk: int | None


@dataclass(frozen=True)
class Own:
    """A thread's own array. band: whose region it is in; offset: there; stride: bytes of a sample.

    rows: for how many samples; chunked: whether they are those of a chunk.
    """

    band: int
    offset: int
    stride: int
    rows: int
    chunked: bool


@dataclass
class Memory:
    """offsets: of arrays in the arena; own: of arrays in the region of a thread; regions: for each band with such arrays, where the first
    thread's region begins and how many bytes each thread has. pinned: bytes of what stands at the beginning; arena: of all.
    """

    offsets: dict[str, int] = field(default_factory=dict)
    own: dict[str, Own] = field(default_factory=dict)
    regions: dict[int, tuple[int, int]] = field(default_factory=dict)
    pinned: int = 0
    arena: int = 0


def bytes_of(name: str, chosen: Chosen, dims: Mapping[str, int]) -> int:
    return max(value_of(chosen.layouts[name].elements, dims), 1) * SIZES[chosen.arrays[name].dtype]


# ---- phases ---------------------------------------------------------------------------------------------------------------------


def phases(band: Band, chosen: Chosen, dims: Mapping[str, int]) -> list[Phase]:
    """A job that reads far more of what all samples share than of a sample runs over all of them at once."""
    found: list[tuple[list[Job], bool]] = []
    for job in band.jobs:
        names = {*job.nest.reads, *job.nest.writes}
        shared = sum(bytes_of(name, chosen, dims) for name in names if not has_samples(name, chosen, band.size))
        whole = shared > SHARED * sample(names, chosen, band.size, dims)
        if not found or found[-1][1] != whole:
            found.append(([], whole))
        found[-1][0].append(job)
    return [Phase(jobs, None if whole else chunk(jobs, chosen, band.size, dims)) for jobs, whole in found]


def has_samples(name: str, chosen: Chosen, size: Size | None) -> bool:
    return chosen.arrays[name].shape[:1] == (size,)


def sample(names: Iterable[str], chosen: Chosen, size: Size | None, dims: Mapping[str, int]) -> int:
    """Bytes of one sample in the arrays that have samples."""
    count = max(size.evaluate(dims) if isinstance(size, Dim) else 1, 1)
    return sum(bytes_of(name, chosen, dims) // count for name in names if has_samples(name, chosen, size))


def chunk(jobs: Sequence[Job], chosen: Chosen, size: Size | None, dims: Mapping[str, int]) -> int:
    names = {name for job in jobs for name in (*job.nest.reads, *job.nest.writes)}
    return max(1, CACHE // max(sample(names, chosen, size, dims), 1))


# ---- places ---------------------------------------------------------------------------------------------------------------------


def place(
    bands: Sequence[Band],
    chosen: Chosen,
    dims: Mapping[str, int],
    threads: int,
    outside: Collection[str],
    kept: Collection[str],
    pinned: Sequence[str],
    gap: int = 0,
) -> Memory:
    """The places of all arrays that are not outside.

    kept: what lives to the end; pinned: what stands at the beginning. gap: bytes before and behind each array that belong to none,
    whenever it lives: all of them live to the end.
    """
    memory = Memory()
    for name in pinned:
        memory.offsets[name] = memory.pinned + gap
        memory.pinned += aligned(bytes_of(name, chosen, dims)) + 2 * gap
    first, last = lives(bands, chosen)
    slots: dict[str | int, Slot] = {}
    regions: dict[int, int] = {}
    inside: dict[int, list[str]] = {}
    shared = {*outside, *kept, *pinned}
    for name, number in first.items():
        if last[name] == number and name not in shared and by_sample(name, bands[number], chosen):
            inside.setdefault(number, []).append(name)
    for number, names in inside.items():
        regions[number] = own_region(number, bands[number], chosen, dims, threads, names, memory, gap)
        slots[number] = Slot(regions[number] * threads, 0 if gap else number, len(bands) if gap else number)
    last.update(dict.fromkeys(first if gap else kept, len(bands)))
    slots |= {
        name: Slot(aligned(bytes_of(name, chosen, dims)) + 2 * gap, 0 if gap else first[name], last[name])
        for name in first
        if name not in outside and name not in memory.offsets and name not in memory.own
    }
    memory.arena = aligned(allocate(list(slots.values()), memory.pinned))
    memory.offsets.update({name: slot.offset + gap for name, slot in slots.items() if isinstance(name, str)})
    memory.regions = {number: (slots[number].offset, region) for number, region in regions.items()}
    return memory


def lives(bands: Sequence[Band], chosen: Chosen) -> tuple[dict[str, int], dict[str, int]]:
    """The first and the last band that uses an array."""
    parts: dict[str, list[str]] = {}
    for name in chosen.arrays:
        parts.setdefault(name.partition("@")[0], []).append(name)
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for number, band in enumerate(bands):
        for job in band.jobs:
            written = [part for name in job.nest.writes for part in (parts[name] if name in job.sums else [name])]
            for name in (*job.nest.reads, *written):
                first.setdefault(name, number)
                last[name] = number
    return first, last


def by_sample(name: str, band: Band, chosen: Chosen) -> bool:
    """Whether every job of the band uses of the array its own samples only, and a sample is a piece of memory."""
    layout = chosen.layouts[name]
    if (
        band.size is None
        or not has_samples(name, chosen, band.size)
        or not isinstance(layout.strides[0], int)
        or layout.border(0) != (0, 0)
    ):
        return False
    if any(not isinstance(stride, int) or stride > layout.strides[0] for stride in layout.strides):
        return False
    users = [job for job in band.jobs if name in job.nest.reads or name in job.nest.writes]
    return all(place_of(index, job.axis) == 0 for job in users for index in indices(job, name)) and not any(
        name in job.sums for job in users
    )


def indices(job: Job, name: str) -> Iterator[tuple[object, ...]]:
    for access in (*job.nest.loads, *job.nest.stores):
        if access.array == name:
            yield access.index


def own_region(
    number: int, band: Band, chosen: Chosen, dims: Mapping[str, int], threads: int, names: Sequence[str], memory: Memory, gap: int
) -> int:  # fmt: skip
    """Places for these arrays in the region of a thread: its bytes."""
    assert band.size is not None  # `by_sample`
    part = -(-max(value_of(band.size, dims), 1) // threads)
    slots: dict[str, tuple[Slot, Own]] = {}
    for name, (first, last, chunk) in uses(band, chosen, dims, names).items():
        stride = value_of(chosen.layouts[name].strides[0], dims) * SIZES[chosen.arrays[name].dtype]
        rows = part if chunk is None else min(chunk, part)
        slot = Slot(aligned(max(rows * stride, 1)) + 2 * gap, 0 if gap else first, len(band.jobs) if gap else last)
        slots[name] = slot, Own(number, 0, stride, rows, chunk is not None)
    region = aligned(allocate([slot for slot, _ in slots.values()], 0))
    for name, (slot, own) in slots.items():
        memory.own[name] = replace(own, offset=slot.offset + gap)
    return region


def uses(band: Band, chosen: Chosen, dims: Mapping[str, int], names: Sequence[str]) -> dict[str, tuple[int, int, int | None]]:
    """The first and the last job that each array lives in, and the chunk that it holds.

    What lives in several phases holds all samples; a phase in chunks, which goes through its jobs again and again, is one moment for it.
    """
    stays: dict[str, list[tuple[int, int, int, int, int | None]]] = {}
    wanted = frozenset(names)
    begin = 0
    for phase in phases(band, chosen, dims):
        end = begin + len(phase.jobs) - 1
        at: dict[str, list[int]] = {}
        for number, job in enumerate(phase.jobs, begin):
            for name in (*job.nest.reads, *job.nest.writes):
                if name in wanted:
                    at.setdefault(name, []).append(number)
        for name, places in at.items():
            stays.setdefault(name, []).append((places[0], places[-1], begin, end, phase.chunk))
        begin = end + 1
    found: dict[str, tuple[int, int, int | None]] = {}
    for name, stay in stays.items():
        (first, _, begin, _, chunk), (_, last, _, end, chunked) = stay[0], stay[-1]
        found[name] = (first, last, chunk) if len(stay) == 1 else (begin if chunk else first, end if chunked else last, None)
    return found


def extents(memory: Memory, chosen: Chosen, dims: Mapping[str, int], bands: Sequence[Band], threads: int) -> Iterator[tuple[str, int, int]]:
    """Every array with where it begins and how many bytes it has at these sizes, a thread's own once for each thread."""
    for name, start in memory.offsets.items():
        yield name, start, bytes_of(name, chosen, dims)
    for name, own in memory.own.items():
        size = bands[own.band].size
        assert size is not None
        rows = min(own.rows, -(-value_of(size, dims) // threads))
        offset, region = memory.regions[own.band]
        for thread in range(threads):
            yield name, offset + thread * region + own.offset, rows * own.stride
