"""Which nests run beside each other without waiting.

A *band* is a list of nests that every thread runs over its own part of an axis (the batch): they depend on each other only place by place
along it. Threads meet between bands. Inside a band a thread goes through its part in chunks that fit into its cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dslc.ir.types import Dim
from runtime.kernels.native.layout import elements
from runtime.loops.nest import Affine, Array, Foreign, Load, Nest, Size, Store
from runtime.loops.split import split_sums


@dataclass
class Job:
    """One nest in its band. axis: the axis of it that the threads share, None: one thread runs it.

    sums: the arrays that are sums over that axis.
    """

    nest: Nest | Foreign
    axis: str | None
    sums: tuple[str, ...] = ()

    @property
    def foreign(self) -> bool:
        """Whether it is no nest, and the caller runs it between two native functions."""
        return isinstance(self.nest, Foreign)


@dataclass
class Band:
    """size: the length that is shared; None: the nests share axes of their own, and depend on nothing in the band.

    foreign: it holds one job, which is no nest.
    """

    size: Size | None
    jobs: list[Job] = field(default_factory=list)
    foreign: bool = False


def shared_axis(nest: Nest, size: Size) -> str | None:
    """The axis of this length along which the nest may be cut: in every store, or summed in every value."""
    for axis, length in nest.axes.items():
        if length == size and axis in nest.parallel:
            return axis
    return None


def summed_axis(nest: Nest, size: Size) -> str | None:
    for axis, length in nest.axes.items():
        if length == size and not any(axis in nest.store_domain(store) for store in nest.stores):
            return axis
    return None


def large_sum(nest: Nest, arrays: Mapping[str, Array], dims: Mapping[str, int]) -> bool:
    """Whether the sums are more than what they are made of."""
    written = sum(elements((nest.axes[axis] for axis in nest.store_domain(store)), dims) for store in nest.stores)
    return written > sum(elements(arrays[name].shape, dims) for name in nest.reads)


def spread_jobs(steps: Sequence[Nest | Foreign], arrays: dict[str, Array], size: Size | None, dims: Mapping[str, int]) -> list[Job]:
    """Every nest with the axis that is shared; sums over it are split off, unless they are large: those are cut along another axis."""
    jobs: list[Job] = []

    def fresh(array: Array) -> str:
        name = f"sum{len(arrays)}"
        arrays[name] = array
        return name

    for nest in steps:
        if isinstance(nest, Foreign):
            jobs.append(Job(nest, None))
            continue
        axis = shared_axis(nest, size) if size is not None else None
        over = summed_axis(nest, size) if size is not None and axis is None and not large_sum(nest, arrays, dims) else None
        parts = split_sums(nest, over, fresh) if over is not None else None
        if axis is not None:
            jobs.append(Job(nest, axis))
        elif parts is not None:
            jobs.append(Job(parts[0], over, parts[0].writes))
            if parts[1].stores:
                jobs.append(Job(parts[1], None))
        else:
            jobs.append(Job(nest, None))
    return jobs


def part_name(name: str, thread: int) -> str:
    """The array of a thread's own sum; that of the first is the sum's."""
    return f"{name}@{thread}" if thread else name


def place_of(index: tuple[object, ...], axis: str | None) -> int | None:
    """Which index is the axis alone."""
    for at, item in enumerate(index):
        if isinstance(item, Affine) and axis is not None and item == Affine(0, ((axis, 1),)):
            return at
    return None


def place_by_place(writer: Job, reader: Job, array: str) -> bool:
    """Whether the reader needs of the array, for each place of the shared axis, only what the writer makes for that place."""
    if writer.axis is None or reader.axis is None or array in writer.sums:
        return False
    stores = [store for store in writer.nest.stores if store.array == array]
    loads: list[Load | Store] = [load for load in reader.nest.loads if load.array == array]
    loads += [store for store in reader.nest.stores if store.array == array]
    places = {place_of(store.index, writer.axis) for store in stores} | {place_of(load.index, reader.axis) for load in loads}
    return len(places) == 1 and None not in places


def make_bands(jobs: Sequence[Job], size: Size | None) -> list[Band]:
    """Each job in the first band that it can stand in."""
    bands: list[Band] = []
    band_of: list[int] = []
    writers: dict[str, list[int]] = {}
    readers: dict[str, list[int]] = {}
    for number, job in enumerate(jobs):
        first = 0
        for array in (*job.nest.reads, *job.nest.writes):
            for other in writers.get(array, ()):
                first = max(first, band_of[other] + (0 if place_by_place(jobs[other], job, array) else 1))
        for array in job.nest.writes:
            for other in readers.get(array, ()):
                first = max(first, band_of[other] + (0 if place_by_place(jobs[other], job, array) else 1))
        while first < len(bands) and (job.foreign or bands[first].foreign or (bands[first].size is None) != (job.axis is None)):
            first += 1
        if first == len(bands):
            bands.append(Band(size if job.axis is not None else None, foreign=job.foreign))
        bands[first].jobs.append(job)
        band_of.append(first)
        for array in job.nest.writes:
            writers.setdefault(array, []).append(number)
        for array in job.nest.reads:
            readers.setdefault(array, []).append(number)
    return delayed(bands)


def delayed(bands: list[Band]) -> list[Band]:
    """What reads nothing (zeros, a border) stands right before its first user, where that is in a band of samples: it lives no longer."""
    users: dict[str, list[tuple[Band, Job]]] = {}
    for band in bands:
        for job in band.jobs:
            for array in dict.fromkeys((*job.nest.reads, *job.nest.writes)):
                users.setdefault(array, []).append((band, job))
    for found in users.values():
        fills = [(band, job) for band, job in found if not job.foreign and not job.nest.reads and len(set(job.nest.writes)) == 1]
        others = [(band, job) for band, job in found if all(job is not fill for _, fill in fills)]
        if not fills or not others or others[0][0].size is None:
            continue
        target, user = others[0]
        if all(band.size == target.size and place_by_place(job, user, job.nest.writes[0]) for band, job in fills):
            for band, job in fills:
                band.jobs = [item for item in band.jobs if item is not job]
                target.jobs.insert(next(at for at, item in enumerate(target.jobs) if item is user), job)
    return [band for band in bands if band.jobs]


def batch_of(arrays: Mapping[str, Array]) -> Dim | None:
    """The open length that most arrays begin with."""
    counts: dict[Dim, int] = {}
    for array in arrays.values():
        if array.shape and isinstance(array.shape[0], Dim):
            counts[array.shape[0]] = counts.get(array.shape[0], 0) + 1
    return max(counts, key=lambda size: counts[size], default=None)
