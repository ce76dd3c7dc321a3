"""Sums over the samples: each thread has its own, and they are added behind the band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from runtime.kernels.native.schedule import Job, part_name
from runtime.loops.nest import Apply, Array, Load, Nest, Writer, at


def with_sums(jobs: Sequence[Job], arrays: dict[str, Array], threads: int) -> list[Job]:
    """Sums over the shared axis go into arrays of each thread's own; behind them stands the job that adds these.

    A vector or a matrix is summed where it lies by the first thread; others in the order of axes that suits their tile.
    """
    found: list[Job] = []
    for job in jobs:
        if not job.sums or not isinstance(job.nest, Nest):
            found.append(job)
            continue
        mine = {name: sum_name(name, arrays) for name in job.sums}
        for name, own in mine.items():
            arrays.update({part_name(own, thread): arrays[name] for thread in range(threads)})
        stores = tuple(replace(store, array=mine.get(store.array, store.array)) for store in job.nest.stores)
        found.append(replace(job, nest=replace(job.nest, stores=stores), sums=tuple(mine.values())))
        found += [Job(total(name, own, arrays[name], threads), None) for name, own in mine.items() if threads > 1 or own != name]
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
